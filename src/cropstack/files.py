"""Files: atomic replacement, deterministic tables, and the one HDF5 writer.

Same inputs give the same bytes: no clock, host, user or path enters a file, listings are sorted, and
HDF5 is written with fixed versions, tracked order and no time stamps.
"""

import csv
import errno
import gzip
import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any

import h5py
import imagecodecs
import numpy as np

from cropstack.errors import ConfigError, CropstackError, LedgerRow

LEDGER_COLUMNS = [field.name for field in fields(LedgerRow)]
DEFLATE_LEVEL = 1
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO}
FULL_BYTES = 1 << 20  # ASSUME: a disk with less is full
MAX_CELL = 100_000  # characters; Python's csv reads 131,072
BREAKS = "[\x00-\x1f\x7f\x85\u2028\u2029]+"  # what would break lines of a table; a regular expression for Arrow too
HDF5_VERSIONS = ("v108", "v110")  # newer is unreadable for GDAL on HDF5 1.10


# --- atomic replacement -------------------------------------------------------------------------------


@contextmanager
def replace_on_success(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path` (a file or a directory) and rename it to `path` on success.

    On an exception the temporary is removed and `path` stays as it was. After a kill the temporary is
    left over; the next run overwrites it.

    Raises
    ------
    CropstackError : the disk is full or does not let us write. Other errors of the body pass as they are.
    """
    path = Path(path)
    temporary = path.with_name(f".tmp-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(temporary)
        yield temporary
        _flush(temporary)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        os.replace(temporary, path)
        _flush_directory(path.parent)
    except BaseException as error:
        free = _free_bytes(path.parent)
        _remove(temporary)
        if isinstance(error, OSError | RuntimeError) and _is_unwritable(error, temporary, free):
            reason = os.strerror(getattr(error, "errno", None) or errno.ENOSPC)
            raise CropstackError(
                f"{path}: could not be written ({reason}); {free / 1e6:.1f} MB free on its disk. "
                "Make room or check permissions, then run again."
            ) from error
        raise


def _is_unwritable(error: OSError | RuntimeError, temporary: Path, free: int) -> bool:
    """Whether the disk, not an input that the body reads, is the cause.

    GDAL passes on no errno, and HDF5 raises a RuntimeError where closing fails: then the free space tells.
    """
    if isinstance(error, OSError) and error.filename is not None:
        file = Path(os.fsdecode(error.filename))
        if not file.is_relative_to(temporary) and not temporary.is_relative_to(file):
            return False
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in UNWRITABLE
    return free < FULL_BYTES


def _free_bytes(folder: Path) -> int:
    """Free space of the disk that holds `folder` or, before that exists, its nearest existing parent."""
    return shutil.disk_usage(next(place for place in [folder, *folder.parents] if place.exists())).free


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    for file in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
        with open(file, "rb") as handle:
            os.fsync(handle.fileno())


def _flush_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- reading ------------------------------------------------------------------------------------------


@contextmanager
def reading(path: str | Path, kind: str) -> Iterator[None]:
    """Name the file in what its reader raises where it is cut, damaged, of another kind or lacks something.

    For reading only: in a body that writes, a full disk would be taken for a damaged input.

    Raises
    ------
    CropstackError : the body raised what h5py, Arrow, libdeflate, csv and zipfile raise.
    """
    try:
        yield
    except (OSError, EOFError, LookupError, RuntimeError, ValueError) as error:
        first = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise CropstackError(f"{path}: not readable as {kind} ({first}). Delete it and run again.") from error


def open_netcdf(path: Path) -> h5py.File:
    """Open an HDF5 file to read it; the error names a file that is missing, cut or no HDF5."""
    with reading(path, "HDF5"):
        return h5py.File(path)


# --- plain files --------------------------------------------------------------------------------------


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with replace_on_success(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, data: Any) -> None:
    """Write JSON atomically, keys in the order given, non-ASCII kept, NaN refused."""
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; the error names the file."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CropstackError(f"{path}: not readable as JSON ({error}). Delete it and run again.") from error


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV atomically: UTF-8, comma, line feeds, minimal quoting; gzip without name or time for ``.gz``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    data = text.getvalue().encode()
    with replace_on_success(path) as temporary:
        temporary.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def read_csv(
    path: Path, columns: Iterable[str] = (), *, expected: str = "what the build wrote. Delete it and run again."
) -> list[dict[str, str]]:
    """Rows of a CSV in UTF-8, text by column.

    Raises
    ------
    ConfigError : no CSV in UTF-8, without one of `columns`, or with a row of another length than its header; ends with
        what was `expected` instead.
    """
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            reader = csv.DictReader(handle)
            rows, found = list(reader), reader.fieldnames or []
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: is no CSV in UTF-8 ({error}); expected {expected}") from error
    missing = [column for column in columns if column not in found]
    if missing:
        raise ConfigError(f"{path}: has no column {missing[0]}; expected {expected}")
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise ConfigError(
                f"{path}: row {number} has not the {len(found)} columns of the header; expected {expected}"
            )
    return rows


def write_ledger(path: Path, rows: Iterable[LedgerRow]) -> None:
    """Write rejects and repairs, sorted; what would break a line becomes a space, what csv could not read is cut."""
    cells = (attrgetter(*LEDGER_COLUMNS)(row) for row in rows)
    write_csv(path, LEDGER_COLUMNS, sorted(tuple(_in_one_line(text) for text in texts) for texts in cells))


def _in_one_line(text: str) -> str:
    plain = re.sub(BREAKS, " ", text)
    return plain if len(plain) <= MAX_CELL else f"{plain[:MAX_CELL]}… (cut, {len(plain)} characters)"


def read_ledger(path: Path) -> list[LedgerRow]:
    """Read what `write_ledger` wrote, or the same columns of a table with more."""
    return [LedgerRow(*(row[column] for column in LEDGER_COLUMNS)) for row in read_csv(path, LEDGER_COLUMNS)]


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


# --- HDF5 that is also netCDF-4 -----------------------------------------------------------------------


@contextmanager
def create_netcdf(path: Path, attributes: Mapping[str, Any]) -> Iterator[h5py.File]:
    """Create a netCDF-4 file atomically and yield its root group.

    Two writes of the same content give the same bytes; any netCDF-4 reader and GDAL on HDF5 1.10 open it.
    """
    with replace_on_success(path) as temporary:
        with h5py.File(temporary, "w", libver=HDF5_VERSIONS, track_order=True) as file:
            set_attributes(file, attributes)
            yield file


def netcdf_image(build: Callable[[h5py.File], None]) -> bytes:
    """Bytes of a netCDF-4 file that `build` fills in memory: what many files share, for `create_from_image`."""
    memory = io.BytesIO()
    with h5py.File(memory, "w", libver=HDF5_VERSIONS, track_order=True) as file:
        build(file)
    return memory.getvalue()


@contextmanager
def create_from_image(path: Path, image: bytes) -> Iterator[h5py.File]:
    """Create a netCDF-4 file as a copy of `image` and yield its root group, to be completed (six times less CPU).

    Not atomic: for the files of a directory that `replace_on_success` replaces as a whole.
    """
    path.write_bytes(image)
    with h5py.File(path, "r+", libver=HDF5_VERSIONS) as file:
        yield file


def set_attributes(item: h5py.Group | h5py.Dataset, attributes: Mapping[str, Any]) -> None:
    """Set attributes as netCDF reads them: text as fixed-length UTF-8, numbers as arrays of one."""
    for name, value in attributes.items():
        if isinstance(value, str):
            data = value.encode()
            item.attrs.create(name, data, dtype=h5py.string_dtype("utf-8", max(len(data), 1)))
        else:
            item.attrs.create(name, np.atleast_1d(value))


def read_attributes(item: h5py.Group) -> dict[str, Any]:
    """Attributes as `set_attributes` wrote them: text as str, arrays of one number as that number."""
    return {name: _plain(value) for name, value in item.attrs.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.ndarray | np.generic) and value.size == 1 else value


def add_group(parent: h5py.Group, name: str, attributes: Mapping[str, Any] | None = None) -> h5py.Group:
    """Create a group that keeps creation order."""
    group = parent.create_group(name, track_order=True)
    set_attributes(group, attributes or {})
    return group


def add_dimension(
    group: h5py.Group, name: str, values: np.ndarray, attributes: Mapping[str, Any] | None = None
) -> h5py.Dataset:
    """Add a coordinate variable that is also the dimension scale `name`."""
    scale = group.create_dataset(name, data=values, track_times=False, track_order=True)
    scale.make_scale(name)
    set_attributes(scale, attributes or {})
    return scale


def add_bare_dimension(group: h5py.Group, name: str, size: int) -> h5py.Dataset:
    """Add a dimension without coordinate values, as netCDF-4 stores it."""
    scale = group.create_dataset(name, shape=(size,), dtype=">f4", track_times=False, track_order=True)
    scale.make_scale(f"This is a netCDF dimension but not a netCDF variable.{size:10d}")
    return scale


def add_variable(
    group: h5py.Group,
    name: str,
    dimensions: Sequence[str],
    dtype: np.typing.DTypeLike,
    attributes: Mapping[str, Any] | None = None,
    *,
    data: np.ndarray | None = None,
    chunks: tuple[int, ...] | None = None,
    fill: int | float | None = None,
) -> h5py.Dataset:
    """Add a variable on dimensions of the same group.

    With `chunks` it is stored shuffled and deflated, to be filled by `write_chunks` or `copy_chunk`; without,
    contiguous from `data`. `fill` becomes both the creation fill value and ``_FillValue``.
    """
    shape = tuple(len(group[dimension]) for dimension in dimensions)
    storage: dict[str, Any] = {}
    if chunks is not None:
        storage = {"chunks": chunks, "shuffle": True, "compression": "gzip", "compression_opts": DEFLATE_LEVEL}
    variable = group.create_dataset(
        name, shape=shape, dtype=dtype, data=data, fillvalue=fill, track_times=False, track_order=True, **storage
    )
    for axis, dimension in enumerate(dimensions):
        variable.dims[axis].attach_scale(group[dimension])
    if fill is not None:
        variable.attrs.create("_FillValue", np.array([fill], dtype))
    set_attributes(variable, attributes or {})
    return variable


def encode_chunk(chunk: np.ndarray) -> bytes:
    """Shuffle and deflate one chunk as the HDF5 filters would, by libdeflate (2.4 times less CPU)."""
    return imagecodecs.deflate_encode(_shuffle(chunk), level=DEFLATE_LEVEL)


def _shuffle(chunk: np.ndarray) -> np.ndarray:
    """All first bytes of the numbers, then all second bytes and so on, as HDF5's shuffle filter orders them."""
    size = chunk.dtype.itemsize
    if chunk.dtype == np.dtype("<u2"):  # narrowing whole numbers is twice as fast as picking bytes
        planes = np.empty((2, *chunk.shape), np.uint8)
        np.copyto(planes[0], chunk, casting="unsafe")
        np.copyto(planes[1], chunk >> 8, casting="unsafe")
        return planes
    if size == 1:
        return np.ascontiguousarray(chunk)
    return np.ascontiguousarray(chunk).reshape(-1).view(np.uint8).reshape(-1, size).T.copy()


def write_chunks(variable: h5py.Dataset, array: np.ndarray, *, origin: tuple[int, ...] = (), threads: int = 1) -> None:
    """Write a (y, x) array whose shape is that of the variable's last two dimensions.

    `origin` is the index on the leading dimensions, if any.

    Raises
    ------
    ValueError : another shape or dtype, or chunks that are not whole: raw bytes would be written all the same.
    """
    height, width = variable.chunks[-2:]
    whole = array.shape[0] % height == 0 and array.shape[1] % width == 0
    if array.dtype != variable.dtype or array.shape != variable.shape[-2:] or not whole:
        expected = f"{variable.dtype} {variable.shape[-2:]} in chunks of {(height, width)}"
        raise ValueError(f"{variable.name}: got {array.dtype} {array.shape}; expected {expected}")

    def encode(y: int, x: int) -> bytes:
        return encode_chunk(array[y : y + height, x : x + width])

    write_blocks(variable, encode, origin=origin, threads=threads)


def write_blocks(
    variable: h5py.Dataset,
    encode: Callable[[int, int], bytes],
    *,
    origin: tuple[int, ...] = (),
    threads: int = 1,
) -> None:
    """Write every chunk of the last two dimensions as ``encode(y, x)`` gives it, by its upper left corner.

    The variable is a whole number of chunks. `threads` threads encode, chunks are written in row order, so the bytes do
    not depend on them.
    """
    (rows, columns), (height, width) = variable.shape[-2:], variable.chunks[-2:]
    corners = [(y, x) for y in range(0, rows, height) for x in range(0, columns, width)]
    if threads == 1:
        for corner in corners:
            variable.id.write_direct_chunk((*origin, *corner), encode(*corner))
        return
    with ThreadPoolExecutor(threads) as pool:
        for corner, data in zip(corners, pool.map(lambda corner: encode(*corner), corners), strict=True):
            variable.id.write_direct_chunk((*origin, *corner), data)


def copy_chunk(
    source: h5py.Dataset, source_offset: tuple[int, ...], target: h5py.Dataset, target_offset: tuple[int, ...]
) -> None:
    """Copy one compressed chunk byte by byte; both variables must have the same filters and chunk size."""
    mask, data = source.id.read_direct_chunk(source_offset)
    target.id.write_direct_chunk(target_offset, data, filter_mask=mask)


def read_chunk(variable: h5py.Dataset, origin: tuple[int, ...]) -> np.ndarray:
    """Read the chunk that starts at `origin`: an array of the shape of a chunk.

    Inflated by libdeflate, less than half the CPU of the HDF5 filters; chunks stored otherwise go through HDF5.
    Raises as `reading` does where the chunk is damaged.
    """
    chunk = np.empty(variable.chunks, variable.dtype)
    with reading(variable.file.filename, f"HDF5 in {variable.name}"):
        _read_into(chunk, variable, origin)
    return chunk


def read_chunks(variable: h5py.Dataset) -> np.ndarray:
    """Read a (y, x) variable of whole chunks; raises as `reading` does where one is damaged."""
    array = np.empty(variable.shape, variable.dtype)
    height, width = variable.chunks
    with reading(variable.file.filename, f"HDF5 in {variable.name}"):
        for y in range(0, array.shape[0], height):
            for x in range(0, array.shape[1], width):
                _read_into(array[y : y + height, x : x + width], variable, (y, x))
    return array


def _read_into(chunk: np.ndarray, variable: h5py.Dataset, origin: tuple[int, ...]) -> None:
    found = variable.id.get_chunk_info_by_coord(origin)
    if found.byte_offset is None or found.filter_mask or (variable.compression, variable.shuffle) != ("gzip", True):
        window = [slice(start, start + length) for start, length in zip(origin, chunk.shape, strict=True)]
        chunk[...] = variable[tuple(window)]
        return
    _, data = variable.id.read_direct_chunk(origin)
    size = chunk.dtype.itemsize
    planes = np.frombuffer(imagecodecs.deflate_decode(data, out=chunk.nbytes), np.uint8).reshape(size, *chunk.shape)
    if chunk.dtype == np.dtype("<u2"):  # widening whole numbers is faster than placing bytes
        np.copyto(chunk, planes[1])
        chunk <<= 8
        chunk |= planes[0]
    elif size == 1:
        np.copyto(chunk, planes[0].view(chunk.dtype))
    else:
        bytes_ = np.ascontiguousarray(planes.reshape(size, -1).T)
        np.copyto(chunk, bytes_.view(chunk.dtype).reshape(chunk.shape))
