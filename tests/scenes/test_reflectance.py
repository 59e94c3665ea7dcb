"""The radiometric offset, on literal digital numbers."""

import numpy as np
import pytest

from cropstack.bands import FLAGS
from cropstack.scenes.mosaic import to_mosaic_reflectance
from cropstack.scenes.reflectance import to_reflectance

N, S = FLAGS["nodata"], FLAGS["saturated"]


def test_offset_is_added_clamped_at_one_and_counted() -> None:
    dn = np.array([[0, 1, 999], [1000, 1001, 1002], [2000, 65534, 65535]], np.uint16)
    values, flags, clamped = to_reflectance(dn, offset=-1000)
    assert values.tolist() == [[0, 1, 1], [1, 1, 2], [1000, 64534, 65535]]
    assert flags is not None
    assert flags.tolist() == [[N, 0, 0], [0, 0, 0], [0, 0, S]]
    assert clamped == 3  # 1, 999 and 1000 fall below 1; 1001 is 1 by right
    assert values.dtype == np.uint16
    assert dn[0].tolist() == [0, 1, 999]  # the input stays as it was


def test_without_offset_digital_numbers_stay() -> None:
    dn = np.array([[0, 1, 2], [3, 65534, 65535], [7, 8, 9]], np.uint16)
    values, flags, clamped = to_reflectance(dn, offset=0)
    assert values.tolist() == dn.tolist()
    assert flags is not None
    assert flags.tolist() == [[N, 0, 0], [0, 0, S], [0, 0, 0]]
    assert clamped == 0


def test_patch_without_special_pixels_takes_the_short_way_to_the_same_values() -> None:
    dn = np.array([[1001, 1500, 65534]], np.uint16)
    values, flags, clamped = to_reflectance(dn, offset=-1000)
    assert (values.tolist(), flags, clamped) == ([[1, 500, 64534]], None, 0)


def test_dark_pixels_alone_set_no_flag() -> None:
    values, flags, clamped = to_reflectance(np.array([[1, 5000]], np.uint16), offset=-1000)
    assert (values.tolist(), flags, clamped) == ([[1, 4000]], None, 1)


@pytest.mark.parametrize("offset", [0, -1, -990, -1000, -32768])
def test_every_digital_number_becomes_what_plain_arithmetic_gives(offset: int) -> None:
    dn = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    wide = np.maximum(1, dn.astype(np.int64) + offset)
    wide[dn == 0], wide[dn == 65535] = 0, 65535
    values, _, clamped = to_reflectance(dn, offset=offset)
    np.testing.assert_array_equal(values, wide)
    assert clamped == -offset if offset else clamped == 0


def test_pixels_of_a_mosaic_take_their_own_products_offset() -> None:
    dn = np.array([[0, 500, 3000], [0, 500, 3000], [65535, 65535, 1]], np.uint16)
    origin = np.array([[0, 0, 0], [1, 1, 1], [0, 1, 1]], np.uint8)
    values, flags, clamped = to_mosaic_reflectance(dn, origin, [0, -1000])
    assert values.tolist() == [[0, 500, 3000], [0, 1, 2000], [65535, 65535, 1]]
    assert flags is not None
    assert flags.tolist() == [[N, 0, 0], [N, 0, 0], [S, S, 0]]
    assert clamped == 2
