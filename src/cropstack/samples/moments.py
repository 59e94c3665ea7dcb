"""Mean, standard deviation and skewness of the pixels of each parcel.

Pixels are gathered by the compressed rows of `weights.Weights`. Two passes over a parcel, the second in the CPU's
cache: first sums (whole numbers, hence exact, where every pixel weighs the same), then central moments about the mean
in float64. Four running sums, always the same, keep the processor busy; nothing is reordered by the compiler, so equal
inputs give equal bytes on every machine.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from cropstack.samples.weights import Weights

MIN_PIXELS_OF_SKEWNESS = 3


@dataclass(frozen=True)
class Moments:
    """By parcel: `n` int32, number of valid pixels; `mean`, `std`, `skewness` float32, NaN where undefined."""

    n: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    skewness: np.ndarray


def parcel_moments(values: np.ndarray, weights: Weights) -> Moments:
    """Population moments of a band over parcels.

    Parameters
    ----------
    values : uint16, (y, x) on the grid of `weights`. 0 is left out.

    Returns
    -------
    Moments in the unit of `values`, in the order of the parcels. Without a valid pixel n is 0 and the rest NaN;
    skewness is NaN for fewer than three pixels and where all are equal.
    """
    count = len(weights.parcel_index)
    n = np.zeros(count, np.int32)
    mean, std, skewness = (np.full(count, np.nan, np.float32) for _ in range(3))
    flat = np.ascontiguousarray(values).reshape(-1)
    pixels = weights.pixels.view(np.uint32)  # saves the check for negative indices
    if weights.weights is None:
        _moments(flat, weights.offsets, pixels, n, mean, std, skewness)
    else:
        _weighted_moments(flat, weights.offsets, pixels, weights.weights, n, mean, std, skewness)
    return Moments(n, mean, std, skewness)


@njit(cache=True, nogil=True)
def _longest(offsets: np.ndarray) -> int:
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    return longest


@njit(cache=True, nogil=True)
def _moments(
    values: np.ndarray,
    offsets: np.ndarray,
    pixels: np.ndarray,
    n: np.ndarray,
    mean: np.ndarray,
    std: np.ndarray,
    skewness: np.ndarray,
) -> None:
    valid = np.empty(_longest(offsets), np.float64)
    for row in range(len(n)):
        count, total = 0, 0
        for k in range(offsets[row], offsets[row + 1]):
            value = values[pixels[k]]
            valid[count] = value  # a 0 is overwritten by the next
            total += value
            count += value != 0
        if count:
            middle = total / count
            square, cube = _central_sums(valid, count, middle)
            n[row], mean[row] = count, middle
            std[row], skewness[row] = _spread(square / count, cube / count, count)


@njit(cache=True, nogil=True)
def _central_sums(valid: np.ndarray, count: int, middle: float) -> tuple[float, float]:
    square, cube = np.zeros(4), np.zeros(4)
    for k in range(count // 4):
        for lane in range(4):
            d = valid[4 * k + lane] - middle
            square[lane] += d * d
            cube[lane] += d * d * d
    for k in range(count // 4 * 4, count):
        d = valid[k] - middle
        square[0] += d * d
        cube[0] += d * d * d
    return square[0] + square[1] + (square[2] + square[3]), cube[0] + cube[1] + (cube[2] + cube[3])


@njit(cache=True, nogil=True)
def _spread(variance: float, third: float, count: int) -> tuple[float, float]:
    if count < MIN_PIXELS_OF_SKEWNESS or variance <= 0.0:
        return np.sqrt(max(variance, 0.0)), np.nan
    deviation = np.sqrt(variance)
    return deviation, third / (variance * deviation)


@njit(cache=True, nogil=True)
def _weighted_moments(
    values: np.ndarray,
    offsets: np.ndarray,
    pixels: np.ndarray,
    weights: np.ndarray,
    n: np.ndarray,
    mean: np.ndarray,
    std: np.ndarray,
    skewness: np.ndarray,
) -> None:
    longest = _longest(offsets)
    valid, weight = np.empty(longest, np.float64), np.empty(longest, np.float64)
    for row in range(len(n)):
        members = slice(offsets[row], offsets[row + 1])
        count, first = _gather(values, pixels[members], weights[members], valid, weight)
        if count:
            total, above = 0.0, 0.0
            for k in range(count):
                total += weight[k]
                above += weight[k] * valid[k]
            middle = above / total
            square, cube = _weighted_central_sums(valid, weight, count, middle)
            n[row], mean[row] = count, first + middle
            std[row], skewness[row] = _spread(square / total, cube / total, count)


@njit(cache=True, nogil=True)
def _gather(
    values: np.ndarray, pixels: np.ndarray, weights: np.ndarray, valid: np.ndarray, weight: np.ndarray
) -> tuple[int, float]:
    """Put the valid values of a parcel and their weights into `valid` and `weight`; their number and the first value.

    `valid` is counted from the first value: equal pixels then have no spread at all.
    """
    count, first = 0, 0.0
    for k in range(len(pixels)):
        value = values[pixels[k]]
        if value == 0:
            continue
        if count == 0:
            first = float(value)
        valid[count] = value - first
        weight[count] = weights[k]
        count += 1
    return count, first


@njit(cache=True, nogil=True)
def _weighted_central_sums(valid: np.ndarray, weight: np.ndarray, count: int, middle: float) -> tuple[float, float]:
    square, cube = np.zeros(4), np.zeros(4)
    for k in range(count // 4):
        for lane in range(4):
            d = valid[4 * k + lane] - middle
            part = weight[4 * k + lane] * d * d
            square[lane] += part
            cube[lane] += part * d
    for k in range(count // 4 * 4, count):
        d = valid[k] - middle
        part = weight[k] * d * d
        square[0] += part
        cube[0] += part * d
    return square[0] + square[1] + (square[2] + square[3]), cube[0] + cube[1] + (cube[2] + cube[3])
