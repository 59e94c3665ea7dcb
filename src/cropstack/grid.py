"""Sentinel-2 tiles and patches as grids.

A tile is a square of the MGRS grid, 10980 pixels at 10 m, in the UTM zone of its name; a patch is one cell
of the fixed patch grid on it: 366, 183 and 61 pixels at 10, 20 and 60 m (Sen4AgriNet, section V-C).
"""

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from cropstack.errors import ConfigError
from cropstack.tile_name import parse_tile

RESOLUTIONS_M = (10, 20, 60)
TILE_PX = 10980  # at 10 m
PATCH_PX = {10: 366, 20: 183, 60: 61}
_LATITUDE_BANDS = "CDEFGHJKLMNPQRSTUVWX"
_ROWS = "ABCDEFGHJKLMNPQRSTUV"


def tile_geobox(tile: str, resolution_m: int, *, size_px: int = TILE_PX) -> GeoBox:
    """Grid of a tile at 10, 20 or 60 m.

    Parameters
    ----------
    tile : MGRS cell such as ``31TCG``.
    size_px : side at 10 m; below 10980 the grid is cut at the upper left corner (small demonstration tiles).
        A whole number of patches.

    Source: the tile's upper left corner is its MGRS square's, moved outwards to a multiple of 60 m from
    the equator (checked against the published tiling grid in the tests).
    """
    if size_px % PATCH_PX[10] or not 0 < size_px <= TILE_PX:
        raise ConfigError(f"tile_size_px is {size_px}; expected a multiple of {PATCH_PX[10]} up to {TILE_PX}")
    epsg, left, top = _corner(tile)
    size = size_px * 10 // resolution_m
    transform = Affine(resolution_m, 0, left, 0, -resolution_m, top)
    return GeoBox((size, size), transform, f"EPSG:{epsg}")


def _corner(tile: str) -> tuple[int, int, int]:
    """EPSG code and upper left corner (x, y in m) of a tile."""
    zone, band, column, row = parse_tile(tile)
    north = band >= "N"
    false_northing = 0 if north else 10_000_000
    x = (column + 1) * 100_000
    top = _northing(zone, band, row) + 100_000 - false_northing
    return (32600 if north else 32700) + zone, x // 60 * 60, -(-top // 60) * 60 + false_northing


def _northing(zone: int, band: str, row: str) -> int:
    """Lower edge of a 100 km row in m: row letters repeat every 2000 km, the latitude band tells which."""
    index = (_ROWS.index(row) - (0 if zone % 2 else 5)) % 20
    latitude = _LATITUDE_BANDS.index(band) * 8 - 80
    nearest = latitude * 110_600 + (0 if band >= "N" else 10_000_000)  # ASSUME: within 1000 km of the band's middle
    middle = nearest + 4 * 110_600
    return index * 100_000 + round((middle - 50_000 - index * 100_000) / 2_000_000) * 2_000_000


def patches_per_side(geobox: GeoBox) -> int:
    """Number of patches along a side of a tile's grid."""
    return int(geobox.shape[0]) // PATCH_PX[round(geobox.resolution.x)]


def patch_geobox(geobox: GeoBox, row: int, column: int) -> GeoBox:
    """Grid of the patch at (row, column), both from 0 at the upper left, of a tile's grid."""
    size = PATCH_PX[round(geobox.resolution.x)]
    return geobox[row * size : (row + 1) * size, column * size : (column + 1) * size]


def pixel_centres(geobox: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (x, y) of pixel centres in m: float64, ascending x and descending y."""
    transform = geobox.affine
    height, width = geobox.shape
    x = transform.c + transform.a * (np.arange(width) + 0.5)
    y = transform.f + transform.e * (np.arange(height) + 0.5)
    return x, y


def crs_attributes(geobox: GeoBox) -> dict[str, str | float]:
    """CF grid-mapping attributes with ``crs_wkt`` and GDAL's ``GeoTransform``."""
    transform = geobox.affine
    attributes = {k: v for k, v in geobox.crs.proj.to_cf().items() if not isinstance(v, list | tuple)}
    attributes["spatial_ref"] = attributes["crs_wkt"]
    attributes["GeoTransform"] = " ".join(
        f"{value:.10g}" for value in (transform.c, transform.a, transform.b, transform.f, transform.d, transform.e)
    )
    return attributes
