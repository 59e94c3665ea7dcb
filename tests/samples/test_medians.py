"""Medians over time and filled months against numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cropstack.samples.medians import fill_linear, median_over_time


def test_median_of_an_even_number_is_the_mean_of_the_middle_two() -> None:
    stack = np.array([[7], [1], [0], [4], [2]], np.uint16)
    median, count = median_over_time(stack, missing=0)
    assert (median.tolist(), count.tolist()) == ([3.0], [4])


def test_a_pixel_without_valid_value_has_no_median() -> None:
    median, count = median_over_time(np.zeros((3, 2, 2), np.uint16), missing=0)
    assert np.isnan(median).all()
    assert median.shape == count.shape == (2, 2)
    assert not count.any()


@settings(max_examples=50, deadline=None)
@given(arrays(np.uint16, st.tuples(st.integers(1, 12), st.integers(1, 6)), elements=st.integers(0, 6)))
def test_medians_equal_numpy_without_the_missing(stack: np.ndarray) -> None:
    median, count = median_over_time(stack, missing=0)
    for pixel in range(stack.shape[1]):
        valid = stack[:, pixel][stack[:, pixel] > 0]
        assert count[pixel] == len(valid)
        assert median[pixel] == pytest.approx(np.median(valid) if len(valid) else np.nan, nan_ok=True)


def test_nan_is_missing_where_zero_is_a_value() -> None:
    stack = np.array([[0.0], [np.nan], [5.0]], np.float32)
    median, count = median_over_time(stack, missing=np.nan)
    assert (median.tolist(), count.tolist()) == ([2.5], [2])


def test_months_between_values_lie_on_a_line_and_ends_repeat_the_nearest() -> None:
    nan = np.nan
    series = np.float32([[nan, nan], [10, nan], [nan, nan], [nan, nan], [40, nan], [nan, nan]])
    fill_linear(series)
    assert series[:, 0].tolist() == [10, 10, 20, 30, 40, 40]
    assert np.isnan(series[:, 1]).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(1, 1000)), min_size=1, max_size=12))
def test_filled_months_equal_numpy_interp(months: list[int | None]) -> None:
    series = np.array([[np.nan if value is None else value] for value in months], np.float32)
    known = np.flatnonzero(~np.isnan(series[:, 0]))
    expected = np.interp(range(len(months)), known, series[known, 0]) if len(known) else series[:, 0].copy()
    fill_linear(series)
    np.testing.assert_allclose(series[:, 0], expected, rtol=1e-6)
