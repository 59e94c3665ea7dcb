"""Compressed chunks where they lie: found once through HDF5, then read by position.

A layout whose chunks are a scene's chunks needs no pixel decoded: the bytes move as they are. Positions of all
chunks of a scene come from one walk over each variable's index; reading through HDF5 would search that index anew
for every chunk.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from cropstack.errors import LayoutError


@dataclass(frozen=True)
class StoredChunks:
    """Where the chunks of one (y, x) variable lie in their file.

    `offset` and `size` are int64 (rows, columns) of bytes; size 0 is a chunk that was never written: all fill value.
    """

    offset: np.ndarray
    size: np.ndarray


def stored_chunks(variable: h5py.Dataset, *, dtype: str, chunk_px: int) -> StoredChunks:
    """Find the chunks of a (y, x) variable.

    Raises
    ------
    LayoutError : another dtype, chunk size or compression than copies byte by byte into a variable of
        `files.add_variable`.
    """
    expected = (np.dtype(dtype), (chunk_px, chunk_px), "gzip", True)
    found = (variable.dtype, variable.chunks, variable.compression, variable.shuffle)
    if found != expected:
        raise LayoutError(
            f"{variable.file.filename}: {variable.name} is stored as {found}; expected {expected} "
            "(dtype, chunks, compression, shuffle). Delete the file and build it again."
        )
    shape = tuple(length // chunk_px for length in variable.shape)
    offset, size = np.zeros(shape, np.int64), np.zeros(shape, np.int64)

    def note(chunk: h5py.h5d.StoreInfo) -> None:
        place = tuple(start // chunk_px for start in chunk.chunk_offset)
        if chunk.filter_mask:
            raise LayoutError(
                f"{variable.file.filename}: {variable.name}: chunk {place} skips the filters {chunk.filter_mask:b}; "
                "expected none skipped. Delete the file and build it again."
            )
        offset[place], size[place] = chunk.byte_offset, chunk.size

    variable.id.chunk_iter(note)
    return StoredChunks(offset, size)


def copy_stored_chunk(
    path: Path, handle: int, chunks: StoredChunks, place: tuple[int, int], target: h5py.Dataset, origin: tuple[int, ...]
) -> None:
    """Copy the chunk at `place` (row, column) of the file open as `handle` to `origin` in `target`, undecoded.

    `path` names the file in the error when it ends too early.
    """
    size = int(chunks.size[place])
    if not size:
        return
    data = os.pread(handle, size, int(chunks.offset[place]))
    if len(data) != size:
        raise LayoutError(f"{path}: ends inside chunk {place} of a variable. Delete the file and build it again.")
    target.id.write_direct_chunk(origin, data)
