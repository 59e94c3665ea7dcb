"""Parcels on a grid, by GDAL's rule: a pixel belongs to the polygon that holds its centre.

Compiled, since GDAL takes polygons from Python one by one, as dictionaries. Coordinates become pixels by the same
operations in the same order as in GDAL, so that polygons drawn along pixel centres fall to the same side.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import shapely
from numba import njit
from odc.geo.geobox import GeoBox
from pyproj import CRS

from cropstack.labels.parcels import near_box

COLUMNS = ["parcel_index", "class_code", "metrics:area", "geometry"]  # of parcels that are drawn
ROWS_AT_ONCE = 50_000
EDGE_PX = 1e-6  # a hair: rounding must not push an outline along pixel edges into a pixel


@dataclass(frozen=True)
class Outlines:
    """Rings of polygons in the CRS of a grid, in the order in which the polygons are drawn.

    Attributes
    ----------
    points : float64 (n, 2), x and y of all vertices; a ring ends with its first one.
    rings : int64, where in `points` each ring starts, and the end.
    polygons : int64, where in `rings` each polygon starts, and the end; parts and holes are rings alike.
    """

    points: np.ndarray
    rings: np.ndarray
    polygons: np.ndarray


def read_parcels_on(path: Path, geobox: GeoBox) -> gpd.GeoDataFrame:
    """Parcels of a table that lie on a grid, as `parcels_on` orders them; of the others a batch at a time is read."""
    file = pq.ParquetFile(path)
    crs = CRS.from_json_dict(json.loads(file.metadata.metadata[b"geo"])["columns"]["geometry"]["crs"])
    found = []
    for batch in file.iter_batches(ROWS_AT_ONCE, columns=COLUMNS):
        shapes = gpd.GeoSeries(shapely.from_wkb(batch["geometry"].to_numpy(zero_copy_only=False)), crs=crs)
        near = np.flatnonzero(near_box(shapes, geobox.extent.boundingbox.bbox, str(geobox.crs)))
        columns = {name: batch[name].to_numpy(zero_copy_only=False)[near] for name in COLUMNS[:-1]}
        found.append(gpd.GeoDataFrame(columns, geometry=shapes.to_numpy()[near], crs=crs))
    return parcels_on(pd.concat(found, ignore_index=True), geobox)


def parcels_on(parcels: gpd.GeoDataFrame, geobox: GeoBox) -> gpd.GeoDataFrame:
    """Parcels that lie on a grid, in its CRS, in the order in which they are drawn."""
    near = parcels[near_box(parcels.geometry, geobox.extent.boundingbox.bbox, str(geobox.crs))].to_crs(str(geobox.crs))
    touching = near[shapely.intersects(near.geometry.to_numpy(), geobox.extent.geom)]
    return touching.sort_values(by=["metrics:area", "parcel_index"], ascending=[False, True])


def outlines(geometry: np.ndarray) -> Outlines:
    """Rings of Polygons and MultiPolygons, (n) shapely geometries."""
    parts, of_part = shapely.get_parts(geometry, return_index=True)
    rings, of_ring = shapely.get_rings(parts, return_index=True)
    points, of_point = shapely.get_coordinates(rings, return_index=True)
    starts = np.searchsorted(of_point, np.arange(len(rings) + 1))
    return Outlines(points, starts, np.searchsorted(of_part[of_ring], np.arange(len(geometry) + 1)))


def burn(drawn: Outlines, grid: GeoBox) -> np.ndarray:
    """Number of the polygon in each pixel, from 1, later over earlier: uint32 (y, x), 0 where there is none."""
    x, y = _pixels(drawn, grid)
    numbers = np.zeros(grid.shape, np.uint32)
    _burn(x, y, drawn.rings, drawn.polygons, numbers)
    return numbers


def _pixels(drawn: Outlines, grid: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    """Vertices in pixels from the upper left corner, as GDAL computes them."""
    across, down = grid.affine.a, grid.affine.e
    x = drawn.points[:, 0] * (1 / across) - grid.affine.c / across
    y = drawn.points[:, 1] * (1 / down) - grid.affine.f / down
    return x, y


@njit(cache=True, nogil=True)
def _burn(x: np.ndarray, y: np.ndarray, rings: np.ndarray, polygons: np.ndarray, numbers: np.ndarray) -> None:
    height = numbers.shape[0]
    for polygon in range(len(polygons) - 1):
        first, last = polygons[polygon], polygons[polygon + 1]
        if first == last:
            continue
        heights = y[rings[first] : rings[last]]
        top, bottom = max(_row(heights.min()), 0), min(_row(heights.max()), height)
        if top > bottom:
            continue
        starts = np.zeros(bottom - top + 1, np.int64)  # of the crossings of each row of pixel centres
        for ring in range(first, last):
            _count_crossings(y[rings[ring] : rings[ring + 1]], top, bottom, starts)
        starts = np.cumsum(starts)
        crossings = np.empty(starts[-1], np.int64)
        place = starts[:-1].copy()
        for ring in range(first, last):
            some = slice(rings[ring], rings[ring + 1])
            _find_crossings(x[some], y[some], top, bottom, place, crossings)
            _fill_level_edges(x[some], y[some], numbers, polygon + 1)
        for row in range(top, bottom):
            found = crossings[starts[row - top] : starts[row - top + 1]]
            _sort(found)
            for k in range(0, len(found) - 1, 2):
                _fill(numbers, row, found[k], found[k + 1], polygon + 1)


@njit(cache=True, nogil=True)
def _row(y: float) -> int:
    """First row whose centre lies at or below a height."""
    return int(np.ceil(y - 0.5))


@njit(cache=True, nogil=True)
def _count_crossings(y: np.ndarray, top: int, bottom: int, counts: np.ndarray) -> None:
    """Add the edges that cross each row to `counts`, one place further on: their sum gives where rows start."""
    for k in range(1, len(y)):
        upper, lower = min(y[k - 1], y[k]), max(y[k - 1], y[k])
        for row in range(max(_row(upper), top), min(_row(lower), bottom)):
            counts[row - top + 1] += 1


@njit(cache=True, nogil=True)
def _find_crossings(
    x: np.ndarray, y: np.ndarray, top: int, bottom: int, place: np.ndarray, crossings: np.ndarray
) -> None:
    """Write the column from which pixel centres lie right of each edge, for each row that it crosses."""
    for k in range(1, len(y)):
        if y[k - 1] < y[k]:
            x1, y1, x2, y2 = x[k - 1], y[k - 1], x[k], y[k]
        else:
            x1, y1, x2, y2 = x[k], y[k], x[k - 1], y[k - 1]
        for row in range(max(_row(y1), top), min(_row(y2), bottom)):
            crossing = (row + 0.5 - y1) * (x2 - x1) / (y2 - y1) + x1
            crossings[place[row - top]] = int(np.floor(crossing + 0.5))
            place[row - top] += 1


@njit(cache=True, nogil=True)
def _fill_level_edges(x: np.ndarray, y: np.ndarray, numbers: np.ndarray, number: int) -> None:
    """Fill pixels whose centres lie on a level edge that runs to the left: as GDAL does, of two neighbours' one."""
    for k in range(1, len(y)):
        row = _row(y[k])
        if y[k - 1] == y[k] == row + 0.5 and x[k - 1] > x[k] and 0 <= row < numbers.shape[0]:
            _fill(numbers, row, int(np.floor(x[k] + 0.5)), int(np.floor(x[k - 1] + 0.5)), number)


@njit(cache=True, nogil=True)
def _sort(values: np.ndarray) -> None:
    """Sort in place; most rows of a parcel have two crossings."""
    for k in range(1, len(values)):
        value, place = values[k], k
        while place > 0 and values[place - 1] > value:
            values[place] = values[place - 1]
            place -= 1
        values[place] = value


@njit(cache=True, nogil=True)
def _fill(numbers: np.ndarray, row: int, start: int, end: int, number: int) -> None:
    if end > 0:  # a slice to a negative column would count from the right
        numbers[row, max(start, 0) : end] = number


# --- outlines -------------------------------------------------------------------------------------------


def crossed(drawn: Outlines, grid: GeoBox) -> np.ndarray:
    """Whether an outline passes through the inside of each pixel: bool (y, x).

    A pixel that none passes through lies wholly in one polygon, or in the same ones, or in none.
    """
    x, y = _pixels(drawn, grid)
    found = np.zeros(grid.shape, np.bool_)
    _mark_edges(x, y, drawn.rings, found)
    return found


@njit(cache=True, nogil=True)
def _mark_edges(x: np.ndarray, y: np.ndarray, rings: np.ndarray, found: np.ndarray) -> None:
    for ring in range(len(rings) - 1):
        for k in range(rings[ring] + 1, rings[ring + 1]):
            if y[k - 1] <= y[k]:
                _mark_edge(x[k - 1], y[k - 1], x[k], y[k], found)
            else:
                _mark_edge(x[k], y[k], x[k - 1], y[k - 1], found)


@njit(cache=True, nogil=True)
def _mark_edge(x1: float, y1: float, x2: float, y2: float, found: np.ndarray) -> None:
    """Mark the pixels that an edge with y1 <= y2 passes through, row by row."""
    height, width = found.shape
    first, last = int(np.floor(y1 + EDGE_PX)), int(np.ceil(y2 - EDGE_PX))
    for row in range(max(first, 0), min(last, height)):
        start, end = x1, x2
        if y1 < row:
            start = x1 + (row - y1) * (x2 - x1) / (y2 - y1)
        if y2 > row + 1:
            end = x1 + (row + 1 - y1) * (x2 - x1) / (y2 - y1)
        left, right = min(start, end), max(start, end)
        for column in range(max(int(np.floor(left + EDGE_PX)), 0), min(int(np.ceil(right - EDGE_PX)), width)):
            found[row, column] = True
