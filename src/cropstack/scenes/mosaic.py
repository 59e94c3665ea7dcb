"""Several products of one acquisition become one scene.

A datatake that two stations or datastrips split gives two products of a tile that cover different parts of it. Per
resolution each pixel comes whole from one product: the first, in order of precedence, with data in all bands there;
failing that, the first with data in any. All bands of a pixel thus share one radiometry.
"""

import numpy as np

from cropstack.bands import NODATA_DN
from cropstack.scenes.reflectance import to_reflectance

STRIP_ROWS = 366  # worked on at a time: masks of whole tiles would add half a gigabyte


def fill_gaps(base: np.ndarray, other: np.ndarray, origin: np.ndarray, index: int) -> None:
    """Fill the gaps of `base` from the product `index`, in place.

    Parameters
    ----------
    base, other : uint16, shape (band, y, x), digital numbers; 0 is nodata.
    origin : uint8, shape (y, x): the product that a pixel of `base` comes from; updated.
    """
    for start in range(0, origin.shape[0], STRIP_ROWS):
        rows = slice(start, start + STRIP_ROWS)
        mine, its = base[:, rows], other[:, rows]
        taken = ~_whole(mine) & (_whole(its) | (_empty(mine) & ~_empty(its)))
        for band, other_band in zip(mine, its, strict=True):
            np.copyto(band, other_band, where=taken)
        origin[rows][taken] = index


def choose(layers: list[np.ndarray], origin: np.ndarray) -> np.ndarray:
    """From each product's layer the pixels that come from it; changes and returns the first layer."""
    for index, layer in enumerate(layers[1:], start=1):
        np.copyto(layers[0], layer, where=origin == index)
    return layers[0]


def to_mosaic_reflectance(
    dn: np.ndarray, origin: np.ndarray, offsets: list[int]
) -> tuple[np.ndarray, np.ndarray | None, int]:
    """As `to_reflectance`, where pixels of the product k (`origin` == k) have the offset ``offsets[k]``."""
    if len(set(offsets)) == 1:
        return to_reflectance(dn, offset=offsets[0])
    values, clamped = np.zeros_like(dn), 0
    for index, offset in enumerate(offsets):
        part, _, count = to_reflectance(np.where(origin == index, dn, NODATA_DN), offset=offset)
        np.maximum(values, part, out=values)  # nodata stays 0
        clamped += count
    return values, to_reflectance(dn, offset=0)[1], clamped


def _whole(bands: np.ndarray) -> np.ndarray:
    """Pixels with data in every band."""
    mask = bands[0] != NODATA_DN
    for band in bands[1:]:
        mask &= band != NODATA_DN
    return mask


def _empty(bands: np.ndarray) -> np.ndarray:
    """Pixels without data in any band."""
    mask = bands[0] == NODATA_DN
    for band in bands[1:]:
        mask &= band == NODATA_DN
    return mask
