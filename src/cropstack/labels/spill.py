"""Geometries of a whole country in a temporary file, read back by row: only their offsets stay in memory."""

import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa


class Spill:
    """WKB of rows in the order in which they were added.

    The file lies in `folder` without a name, so that nothing is left of it whatever happens.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, prefix=".tmp-geometries-")  # noqa: SIM115 (__exit__ closes it)
        self._lengths: list[np.ndarray] = []
        self._offsets = np.zeros(1, np.int64)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, wkb: np.ndarray, offsets: np.ndarray) -> None:
        """Append rows: their WKB (uint8) one after the other, and int64 (rows + 1) where each begins."""
        self._file.write(wkb.data)
        self._lengths.append(np.diff(offsets))

    def finish(self) -> None:
        """Nothing is added after this; `read` works from now on."""
        self._file.flush()
        self._offsets = np.concatenate([[0], *self._lengths]).cumsum()
        self._lengths = []

    def read(self, rows: np.ndarray) -> pa.LargeBinaryArray:
        """WKB of `rows`, in their order."""
        ordered, place = np.unique(rows, return_inverse=True)
        starts, ends = self._offsets[ordered], self._offsets[ordered + 1]
        breaks = np.flatnonzero(starts[1:] != ends[:-1])  # rows that lie one after the other are read at once
        first, last = np.concatenate([starts[:1], starts[breaks + 1]]), np.concatenate([ends[breaks], ends[-1:]])
        data = b"".join(map(self._read_at, first.tolist(), last.tolist()))
        offsets = np.concatenate([[0], np.cumsum(ends - starts)])
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        array = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(ordered), buffers)
        return array.take(pa.array(place))

    def _read_at(self, start: int, end: int) -> bytes:
        parts = []
        while start < end:  # one call reads 2 GB at most
            part = os.pread(self._file.fileno(), end - start, start)
            if not part:
                raise OSError(f"the temporary file of geometries ends before byte {end}")
            parts.append(part)
            start += len(part)
        return b"".join(parts)
