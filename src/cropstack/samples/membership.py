"""Weights of pixels in parcels: from a raster of parcels, or by the area that a polygon covers of each pixel."""

import geopandas as gpd
import numpy as np
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from numba import njit
from odc.geo.geobox import GeoBox

from cropstack.samples.weights import Weights

PARCELS_AT_ONCE = 2000  # bounds the memory of exactextract's answer


# --- rasterised membership ------------------------------------------------------------------------------


def raster_weights(rows: np.ndarray, parcel_index: np.ndarray) -> Weights:
    """Weights of a raster: every pixel belongs to one parcel or none and weighs 1.

    Parameters
    ----------
    rows : int32 (y, x), position of the pixel's parcel in `parcel_index`, -1 for none.

    Raises
    ------
    ValueError : a position beyond the parcels; the kernels would write past their arrays.
    """
    flat = rows.reshape(-1)
    if flat.size and flat.max() >= len(parcel_index):
        raise ValueError(f"rows: holds position {flat.max()}; expected positions below {len(parcel_index)}")
    offsets = np.zeros(len(parcel_index) + 1, np.int64)
    _count(flat, offsets)
    np.cumsum(offsets, out=offsets)
    pixels = np.empty(offsets[-1], np.int32)
    _place(flat, offsets[:-1].copy(), pixels)
    return Weights(parcel_index, offsets, pixels, None)


@njit(cache=True, nogil=True)
def _count(rows: np.ndarray, offsets: np.ndarray) -> None:
    for row in rows:
        if row >= 0:
            offsets[row + 1] += 1


@njit(cache=True, nogil=True)
def _place(rows: np.ndarray, start: np.ndarray, pixels: np.ndarray) -> None:
    for pixel in range(len(rows)):
        row = rows[pixel]
        if row >= 0:
            pixels[start[row]] = pixel
            start[row] += 1


def coarsen(fine: Weights, *, width: int, factor: int) -> Weights:
    """Weights on a grid `factor` times coarser: how many of a parcel's pixels lie in each coarse one.

    The moments of a coarse band then equal those of the band repeated onto the fine grid, `width` pixels wide.
    """
    counts = np.zeros(len(fine.offsets), np.int64)
    _count_coarse(fine.offsets, fine.pixels, width, factor, counts)
    offsets = np.cumsum(counts)
    pixels, weights = np.empty(offsets[-1], np.int32), np.empty(offsets[-1], np.float32)
    _place_coarse(fine.offsets, fine.pixels, width, factor, offsets, pixels, weights)
    return Weights(fine.parcel_index, offsets, pixels, weights)


@njit(cache=True, nogil=True)
def _coarse(pixels: np.ndarray, width: int, factor: int) -> np.ndarray:
    """Coarse pixel of each fine one, sorted."""
    coarse = np.empty(len(pixels), np.int32)
    for k in range(len(pixels)):
        y, x = divmod(pixels[k], width)
        coarse[k] = y // factor * (width // factor) + x // factor
    coarse.sort()
    return coarse


@njit(cache=True, nogil=True)
def _count_coarse(offsets: np.ndarray, pixels: np.ndarray, width: int, factor: int, counts: np.ndarray) -> None:
    for row in range(len(offsets) - 1):
        coarse = _coarse(pixels[offsets[row] : offsets[row + 1]], width, factor)
        for k in range(len(coarse)):
            counts[row + 1] += k == 0 or coarse[k] != coarse[k - 1]


@njit(cache=True, nogil=True)
def _place_coarse(
    fine: np.ndarray,
    members: np.ndarray,
    width: int,
    factor: int,
    offsets: np.ndarray,
    pixels: np.ndarray,
    weights: np.ndarray,
) -> None:
    for row in range(len(offsets) - 1):
        coarse = _coarse(members[fine[row] : fine[row + 1]], width, factor)
        place = offsets[row] - 1
        for k in range(len(coarse)):
            if k == 0 or coarse[k] != coarse[k - 1]:
                place += 1
                pixels[place] = coarse[k]
                weights[place] = 0
            weights[place] += 1


# --- coverage ---------------------------------------------------------------------------------------------


def coverage_weights(geometry: gpd.GeoSeries, parcel_index: np.ndarray, grid: GeoBox) -> Weights:
    """Weights by the share of each pixel's area that a polygon covers, as exactextract computes it.

    Every parcel for itself: where two overlap, both count. `geometry` is in the CRS of `grid`.
    """
    ones = np.broadcast_to(np.uint8(1), grid.shape)
    raster = NumPyRasterSource(ones, *grid.extent.boundingbox.bbox, srs_wkt=geometry.crs.to_wkt())
    members = np.zeros(len(geometry), np.int64)
    pixels, weights = [np.zeros(0, np.int32)], [np.zeros(0, np.float32)]
    for start in range(0, len(geometry), PARCELS_AT_ONCE):
        part = gpd.GeoDataFrame(geometry=geometry.iloc[start : start + PARCELS_AT_ONCE].reset_index(drop=True))
        table = exact_extract(raster, part, ["cell_id", "coverage"], output="pandas")
        members[start : start + len(part)] = [len(cells) for cells in table["cell_id"]]
        pixels += [np.asarray(cells, np.int32) for cells in table["cell_id"]]
        weights += [np.asarray(shares, np.float32) for shares in table["coverage"]]
    offsets = np.concatenate([[0], np.cumsum(members)]).astype(np.int64)
    return Weights(parcel_index, offsets, np.concatenate(pixels), np.concatenate(weights))
