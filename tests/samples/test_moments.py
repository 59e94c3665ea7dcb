"""Moments of parcels against numpy and scipy."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from cropstack.samples.moments import Moments, parcel_moments
from cropstack.samples.weights import Weights


def rows(*members: list[int], weights: list[float] | None = None) -> Weights:
    offsets = np.cumsum([0, *map(len, members)])
    pixels = np.array([pixel for row in members for pixel in row], np.int32)
    index = np.arange(1, len(members) + 1)
    return Weights(index, offsets, pixels, None if weights is None else np.array(weights, np.float32))


def row(moments: Moments, number: int) -> list[float]:
    return [float(values[number]) for values in (moments.n, moments.mean, moments.std, moments.skewness)]


VALUES = np.array([[1, 2, 3], [4, 0, 6], [7, 7, 10]], np.uint16)


def test_moments_of_a_parcel_are_those_of_the_population() -> None:
    moments = parcel_moments(VALUES, rows([0, 1, 8]))  # 1, 2, 10
    assert row(moments, 0)[:2] == [3, pytest.approx(13 / 3)]
    assert row(moments, 0)[2] == pytest.approx(np.sqrt((100 + 49 + 289) / 9 / 3))  # deviations -10/3, -7/3, 17/3
    assert row(moments, 0)[3] == pytest.approx(scipy.stats.skew([1, 2, 10]))


def test_pixels_without_data_are_left_out() -> None:
    assert row(parcel_moments(VALUES, rows([3, 4, 5])), 0) == [2, 5, 1, pytest.approx(np.nan, nan_ok=True)]


def test_a_parcel_without_valid_pixel_is_a_row_of_nan() -> None:
    moments = parcel_moments(VALUES, rows([0], [], [4], [8]))
    assert moments.n.tolist() == [1, 0, 0, 1]
    np.testing.assert_array_equal(moments.mean, np.float32([1, np.nan, np.nan, 10]))
    np.testing.assert_array_equal(moments.std, np.float32([0, np.nan, np.nan, 0]))


@pytest.mark.parametrize("weights", [None, [0.1, 0.7, 0.3, 0.6]])
def test_equal_pixels_have_no_spread_and_no_skewness(weights: list[float] | None) -> None:
    values = np.full((2, 2), 1237, np.uint16)
    moments = parcel_moments(values, rows([0, 1, 2, 3], weights=weights))
    assert row(moments, 0) == [4, 1237, 0, pytest.approx(np.nan, nan_ok=True)]


def test_a_weight_of_two_is_a_pixel_twice() -> None:
    repeated = parcel_moments(VALUES, rows([0, 0, 1, 8, 8, 8]))
    weighted = parcel_moments(VALUES, rows([0, 1, 8], weights=[2, 1, 3]))
    assert row(weighted, 0)[1:] == pytest.approx(row(repeated, 0)[1:], rel=1e-6)
    assert weighted.n.tolist() == [3]  # pixels, not weights


def test_brightest_pixels_of_a_whole_tile_do_not_overflow() -> None:
    """Third powers of 3 million values of 65534 exceed 64 bits a hundred times over."""
    values = np.full((1740, 1740), 65534, np.uint16)
    values[0, :870] = 1
    moments = parcel_moments(values, rows(list(range(values.size))))
    share = 870 / values.size
    assert moments.mean[0] == pytest.approx(65534 - 65533 * share, rel=1e-6)
    assert moments.std[0] == pytest.approx(65533 * np.sqrt(share * (1 - share)), rel=1e-6)
    assert moments.skewness[0] == pytest.approx((2 * share - 1) / np.sqrt(share * (1 - share)), rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.integers(0, 65535), min_size=1, max_size=60),
    seed=st.integers(0, 2**31),
    weighted=st.booleans(),
)
def test_moments_equal_numpy_and_scipy(values: list[int], seed: int, weighted: bool) -> None:
    weights = np.random.default_rng(seed).integers(1, 5, len(values)) if weighted else np.ones(len(values), int)
    members = rows(list(range(len(values))), weights=weights.tolist() if weighted else None)
    moments = parcel_moments(np.array([values], np.uint16), members)
    valid = np.repeat(np.array(values, float), weights)
    valid = valid[valid > 0]
    assert moments.n[0] == np.count_nonzero(values)
    if len(valid):
        assert moments.mean[0] == pytest.approx(valid.mean(), rel=1e-6)
        assert moments.std[0] == pytest.approx(valid.std(), rel=1e-6, abs=1e-9)
    if moments.n[0] >= 3 and len(set(valid)) > 1:
        assert moments.skewness[0] == pytest.approx(scipy.stats.skew(valid), rel=1e-6, abs=1e-6)
    else:
        assert np.isnan(moments.skewness[0])
