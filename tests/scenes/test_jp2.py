"""Truncated JPEG 2000 files are found without decoding."""

import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cropstack.errors import CorruptFile
from cropstack.scenes.jp2 import check_image

SOT = b"\xff\x90\x00\x0a"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, l1c: SimpleNamespace) -> bytes:
    """A band of 3 × 3 image tiles."""
    path = tmp_path_factory.mktemp("jp2") / "T31TCG_20190412T105031_B02.jp2"
    l1c.write_raster(path, np.random.default_rng(5).integers(1, 4000, (366, 366)).astype(np.uint16), 10)
    return path.read_bytes()


def tile_parts(image: bytes) -> list[int]:
    """Offsets of the tile-parts, followed through their lengths."""
    offsets, offset = [], image.index(SOT)
    while image[offset : offset + 4] == SOT:
        offsets.append(offset)
        offset += struct.unpack(">I", image[offset + 6 : offset + 10])[0]
    return offsets


def test_whole_image_passes_from_disk_and_from_memory(image: bytes, tmp_path: Path) -> None:
    assert len(tile_parts(image)) == 9
    (tmp_path / "B02.jp2").write_bytes(image)
    check_image(tmp_path / "B02.jp2", label="B02")
    check_image(image, label="B02")


def test_truncation_at_any_byte_is_found(image: bytes) -> None:
    for size in [*range(600), *range(600, len(image), 997), *range(len(image) - 50, len(image))]:
        with pytest.raises(CorruptFile, match=r"^B02"):
            check_image(image[:size], label="B02")


def test_truncation_at_a_tile_part_is_found_with_file_and_bytes(image: bytes) -> None:
    for offset in tile_parts(image):
        with pytest.raises(CorruptFile, match=rf"B02.*{offset} bytes.*{len(image)}.*Fetch the product again"):
            check_image(image[:offset], label="B02")


def test_truncation_at_a_tile_part_is_found_where_the_box_has_no_length(image: bytes) -> None:
    """A box length of 0 means `to the end of the file`: then only the end marker and the tiles tell."""
    box = image.index(b"jp2c") - 4
    open_ended = image[:box] + bytes(4) + image[box + 4 :]
    check_image(open_ended, label="B02")
    for offset in tile_parts(image):
        with pytest.raises(CorruptFile):
            check_image(open_ended[:offset], label="B02")
        with pytest.raises(CorruptFile, match="image tiles"):
            check_image(open_ended[:offset] + b"\xff\xd9", label="B02")


def test_error_page_in_place_of_an_image_is_named() -> None:
    with pytest.raises(CorruptFile, match="expected a JPEG 2000 image"):
        check_image(b"<html>404 Not Found</html>", label="B02")
