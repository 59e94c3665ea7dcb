"""Random numbers of places: hashes of integer keys, so that a value depends on nothing but its key.

A field gets the same crop whether its tile is simulated alone or with its neighbours, whole or cut.
"""

import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]


def uniforms(seed: int, stream: str, *keys: ArrayLike) -> Floats:
    """Uniform numbers in (0, 1), one per row of `keys`.

    Parameters
    ----------
    seed : of the simulated world.
    stream : what the numbers are for; other streams give independent numbers.
    keys : integers or integer arrays that broadcast together.

    Source: the finaliser of SplitMix64 (Steele, Lea, Flood 2014), chained over the keys.
    """
    state = np.asarray(zlib.crc32(stream.encode()), np.uint64)
    with np.errstate(over="ignore"):
        for key in (seed, *keys):
            state = _mix(state ^ (np.asarray(key, np.int64).view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)))
    return np.asarray(((state >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)


def normals(seed: int, stream: str, *keys: ArrayLike) -> Floats:
    """Standard normal numbers, as `uniforms`."""
    return normal_quantile(uniforms(seed, stream, *keys))


def normal_quantile(share: Floats) -> Floats:
    """Value below which the standard normal distribution has `share`."""
    return np.asarray(ndtri(share))


def smooth_noise(seed: int, stream: str, x: Floats, y: Floats, *, scale_m: float) -> Floats:
    """Smooth noise with mean 0 and standard deviation near 0.3: bilinear blend of random lattice values.

    Parameters
    ----------
    x, y : coordinates in m.
    scale_m : side of the lattice.
    """
    column, row = np.floor(x / scale_m).astype(np.int64), np.floor(y / scale_m).astype(np.int64)
    u, v = _fade(x / scale_m - column), _fade(y / scale_m - row)
    corners = [[uniforms(seed, stream, column + i, row + j) for i in (0, 1)] for j in (0, 1)]
    lower, upper = ((1 - u) * left + u * right for left, right in corners)
    return ((1 - v) * lower + v * upper - 0.5) * 1.4


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _fade(t: Floats) -> Floats:
    """Ease a fraction so that slopes vanish at the lattice lines."""
    return t * t * (3 - 2 * t)
