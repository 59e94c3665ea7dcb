"""Is a JPEG 2000 file whole? Its structure is walked without decoding anything.

A decoder fills what a truncated file lacks with zeros or noise and says little, so this comes before decoding.
SOURCE: ISO/IEC 15444-1, annex A (codestream: SOT, Psot, EOC) and annex I (JP2 boxes).
"""

import hashlib
import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cropstack.errors import CorruptFile

_SIGNATURE = bytes.fromhex("0000000c6a5020200d0a870a")
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SOC, _SIZ, _SOT, _EOC = b"\xff\x4f", b"\xff\x51", b"\xff\x90", b"\xff\xd9"


@dataclass(frozen=True)
class ImageTile:
    """An image tile of a codestream: `rows` and `columns` of the image, and a digest of its compressed bytes."""

    rows: slice
    columns: slice
    digest: bytes


def check_image(content: Path | bytes, *, label: str) -> None:
    """Check that an image file is JPEG 2000 and complete; TIFF (stand-ins for it) is left to GDAL.

    Raises
    ------
    CorruptFile : neither, or ending before its boxes and tile-parts do; names `label`, offsets and size in bytes.
    """
    with _open(content) as file:
        start = file.read(12)
        if start == _SIGNATURE:
            begin, end = _codestream(file, label)
            offset, image = _main_header(file, begin, end, label)
            found = {tile for tile, _, _ in _tile_parts(file, offset, end, label)}
            if found != set(range(len(_windows(image)))):
                raise CorruptFile(
                    f"{label} holds {len(found)} of {len(_windows(image))} image tiles. Fetch the product again."
                )
        elif start[:4] not in _TIFF:
            raise CorruptFile(
                f"{label} starts with {start.hex() or 'nothing'}; expected a JPEG 2000 image. Fetch the product again."
            )


def image_tiles(content: Path | bytes, *, label: str) -> list[ImageTile]:
    """Tiles of a JPEG 2000 image in order; empty for other files. Tiles that look alike inside have equal digests."""
    with _open(content) as file:
        if file.read(12) != _SIGNATURE:
            return []
        begin, end = _codestream(file, label)
        offset, image = _main_header(file, begin, end, label)
        windows = _windows(image)
        digests = [hashlib.sha256() for _ in windows]
        for tile, part, following in _tile_parts(file, offset, end, label):
            digests[tile].update(_read(file, part + 12, following - part - 12))
    return [ImageTile(*window, digest.digest()) for window, digest in zip(windows, digests, strict=True)]


@contextmanager
def _open(content: Path | bytes) -> Iterator[BinaryIO]:
    with open(content, "rb") if isinstance(content, Path) else io.BytesIO(content) as file:
        yield file


def _read(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)


def _truncated(label: str, what: str, end: int, size: int) -> CorruptFile:
    return CorruptFile(f"{label} is truncated: it has {size} bytes, {what} ends at {end}. Fetch the product again.")


def _codestream(file: BinaryIO, label: str) -> tuple[int, int]:
    """Walk the boxes to the end of the file; begin and end of the codestream in one of them."""
    size = file.seek(0, io.SEEK_END)
    offset, found = 0, []
    while offset < size:
        header = _read(file, offset, 16)
        if len(header) < 8:
            raise _truncated(label, "a box header", offset + 8, size)
        length, kind = struct.unpack(">I4s", header[:8])
        skip = 8
        if length == 1:
            length, skip = (struct.unpack(">Q", header[8:])[0] if len(header) == 16 else 0), 16
        end = offset + length if length else size  # 0: to the end of the file
        if end > size or end < offset + skip:
            raise _truncated(label, f"box {kind!r}", max(end, offset + skip), size)
        if kind == b"jp2c":
            found.append((offset + skip, end))
        offset = end
    if len(found) != 1:
        raise CorruptFile(f"{label} ({size} bytes) has {len(found)} codestreams; expected 1. Fetch the product again.")
    return found[0]


def _tile_parts(file: BinaryIO, offset: int, end: int, label: str) -> Iterator[tuple[int, int, int]]:
    """Number of the tile, begin and end of each tile-part; after the last stands the end marker and nothing else."""
    while (marker := _read(file, offset, 12))[:2] == _SOT:
        if offset + 12 > end:
            raise _truncated(label, "a tile-part header", offset + 12, end)
        tile, length = struct.unpack(">HI", marker[4:10])
        following = offset + length if length else end - 2  # 0: up to the end marker
        if following + 2 > end or following < offset + 12:
            raise _truncated(label, f"tile-part {tile} with the marker after it", max(following, offset + 12) + 2, end)
        yield tile, offset, following
        offset = following
    if marker[:2] != _EOC or offset + 2 != end:
        raise CorruptFile(
            f"{label} has {marker[:2].hex() or 'nothing'} at byte {offset} of {end}; expected the end marker ffd9 "
            "there and nothing after it. Fetch the product again."
        )


def _main_header(file: BinaryIO, start: int, end: int, label: str) -> tuple[int, tuple[int, ...]]:
    """Offset of the first tile-part, and the eight sizes of the SIZ marker."""
    if _read(file, start, 4) != _SOC + _SIZ:
        raise CorruptFile(f"{label}: no codestream at byte {start} of {end}. Fetch the product again.")
    offset, image = start + 2, _read(file, start + 8, 32)
    while (header := _read(file, offset, 4))[:2] not in (_SOT, _EOC):
        length = struct.unpack(">H", header[2:])[0] if len(header) == 4 else 0
        if not length or offset + 2 + length > end:
            raise _truncated(label, "the main header", offset + 2 + max(length, 2), end)
        offset += 2 + length
    return offset, struct.unpack(">8I", image)


def _windows(image: tuple[int, ...]) -> list[tuple[slice, slice]]:
    """Rows and columns of the image tiles in order, from the SIZ marker."""
    right, bottom, left, top, width, height, tile_left, tile_top = image
    return [
        (
            slice(max(y, top) - top, min(y + height, bottom) - top),
            slice(max(x, left) - left, min(x + width, right) - left),
        )
        for y in range(tile_top, bottom, max(height, 1))
        for x in range(tile_left, right, max(width, 1))
    ]
