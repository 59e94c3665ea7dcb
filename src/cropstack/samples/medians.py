"""Medians over time that leave out missing values, and the filling of months without any."""

from collections.abc import Callable

import numpy as np
from numba import njit


def median_over_time(stack: np.ndarray, *, missing: float) -> tuple[np.ndarray, np.ndarray]:
    """Median of the valid values along the first axis; of an even number the mean of the middle two.

    Parameters
    ----------
    stack : number, (time, ...). `missing` and NaN are left out.

    Returns
    -------
    float32 medians, NaN where nothing is valid; uint8 numbers of valid values (255 stands for more, too).
    """
    flat = np.ascontiguousarray(stack).reshape(len(stack), -1)
    median, count = np.full(flat.shape[1], np.nan, np.float32), np.zeros(flat.shape[1], np.uint8)
    _medians(flat, missing, median, count)
    return median.reshape(stack.shape[1:]), count.reshape(stack.shape[1:])


@njit(cache=True, nogil=True)
def _medians(stack: np.ndarray, missing: float, median: np.ndarray, count: np.ndarray) -> None:
    valid = np.empty(len(stack), np.float64)
    for pixel in range(len(median)):
        n = 0
        for time in range(len(stack)):
            value = float(stack[time, pixel])
            if value == missing or value != value:
                continue
            place = n
            while place > 0 and valid[place - 1] > value:
                valid[place] = valid[place - 1]
                place -= 1
            valid[place] = value
            n += 1
        count[pixel] = min(n, 255)
        if n:
            median[pixel] = (valid[(n - 1) // 2] + valid[n // 2]) / 2


def fill_linear(series: np.ndarray) -> None:
    """Fill NaN along the first axis in place: on the line between the nearest values, the nearest one at the ends.

    Steps of the axis (months) count as equally long. A series without any value stays NaN.

    Parameters
    ----------
    series : float32, (month, ...), contiguous.
    """
    _fill_linear(series.reshape(len(series), -1))


@njit(cache=True, nogil=True)
def _fill_linear(series: np.ndarray) -> None:
    months, width = series.shape
    for pixel in range(width):
        before = -1  # the last month with a value
        for month in range(months):
            value = series[month, pixel]
            if value != value:
                continue
            for gap in range(before + 1, month):
                if before < 0:
                    series[gap, pixel] = value
                else:
                    start = series[before, pixel]
                    series[gap, pixel] = start + (value - start) * ((gap - before) / (month - before))
            before = month
        if before >= 0:
            for gap in range(before + 1, months):
                series[gap, pixel] = series[before, pixel]


# What `fill` in a recipe can say.
FILLS: dict[str, Callable[[np.ndarray], None]] = {"linear": fill_linear}
