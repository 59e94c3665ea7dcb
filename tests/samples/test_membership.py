"""Weights of pixels: drawn parcels, coarser grids, and covered area."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from cropstack.grid import tile_geobox
from cropstack.samples.membership import coarsen, coverage_weights, raster_weights
from cropstack.samples.weights import Weights

GRIDS = {resolution_m: tile_geobox("31TCG", resolution_m, size_px=366) for resolution_m in (10, 20, 60)}
GRID = GRIDS[10]
LEFT, BOTTOM, RIGHT, TOP = GRID.extent.boundingbox.bbox


def members(weights: Weights, row: int) -> dict[int, float]:
    span = slice(weights.offsets[row], weights.offsets[row + 1])
    shares = np.ones(len(weights.pixels)) if weights.weights is None else weights.weights
    return dict(zip(weights.pixels[span].tolist(), shares[span].tolist(), strict=True))


def test_pixels_of_a_raster_are_sorted_by_parcel() -> None:
    rows = np.array([[2, -1, 0], [0, 0, 2]], np.int32)
    weights = raster_weights(rows, np.array([5, 6, 9]))
    assert weights.pixels.tolist() == [2, 3, 4, 0, 5]
    assert weights.offsets.tolist() == [0, 3, 3, 5]  # parcel 6 has no pixel
    assert weights.weights is None


def test_a_position_beyond_the_parcels_is_refused_before_a_kernel_writes_there() -> None:
    with pytest.raises(ValueError, match="holds position 2; expected positions below 2"):
        raster_weights(np.array([[0, 2]], np.int32), np.array([5, 6]))


def test_a_coarse_pixel_weighs_the_parcels_fine_pixels_in_it() -> None:
    rows = np.full((4, 4), -1, np.int32)
    rows[0, 1:4] = 0  # one pixel in the left block, two in the right one
    rows[3, 3] = 0
    rows[2:4, 0:2] = 1  # a whole block
    coarse = coarsen(raster_weights(rows, np.array([1, 2])), width=4, factor=2)
    assert members(coarse, 0) == {0: 1, 1: 2, 3: 1}
    assert members(coarse, 1) == {2: 4}


AWKWARD = {
    "inside": shapely.box(LEFT + 12, TOP - 37, LEFT + 35, TOP - 5),
    "over a corner": shapely.box(LEFT - 100, TOP - 15, LEFT + 7, TOP + 50),
    "within a pixel": shapely.box(LEFT + 1000, TOP - 1004, LEFT + 1003, TOP - 1001),
    "outside": shapely.box(LEFT - 100, TOP + 1, LEFT - 50, TOP + 50),
    "ring": shapely.Point(LEFT + 500, TOP - 500).buffer(80).difference(shapely.Point(LEFT + 510, TOP - 490).buffer(33)),
    "two parts in one pixel": shapely.MultiPolygon(
        [
            shapely.box(LEFT + 201, TOP - 209, LEFT + 204, TOP - 201),
            shapely.box(LEFT + 206, TOP - 208, LEFT + 209, TOP - 202),
        ]
    ),
}


@pytest.mark.parametrize("resolution_m", [10, 20, 60])
def test_coverage_is_the_covered_share_of_each_pixel(resolution_m: int) -> None:
    """Compared with the area in which GEOS cuts each pixel's square with the polygon."""
    geometry = gpd.GeoSeries(list(AWKWARD.values()), crs="EPSG:32631")
    weights = coverage_weights(geometry, np.arange(len(geometry)), GRIDS[resolution_m])
    width = 3660 // resolution_m
    y, x = np.divmod(np.arange(1100 // resolution_m * width), width)
    squares = [
        LEFT + resolution_m * x,
        TOP - resolution_m * (y + 1),
        LEFT + resolution_m * (x + 1),
        TOP - resolution_m * y,
    ]
    pixels = shapely.box(*squares)
    for row, (name, polygon) in enumerate(AWKWARD.items()):
        share = shapely.area(shapely.intersection(pixels, polygon)) / resolution_m**2
        expected = {pixel: share[pixel] for pixel in np.flatnonzero(share > 1e-9).tolist()}
        assert members(weights, row) == pytest.approx(expected, abs=1e-6), name
    assert members(weights, 3) == {}


def test_parcels_keep_their_order_however_many_are_weighed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    geometry = gpd.GeoSeries(list(AWKWARD.values()), crs="EPSG:32631")
    whole = coverage_weights(geometry, np.arange(len(geometry)), GRID)
    monkeypatch.setattr("cropstack.samples.membership.PARCELS_AT_ONCE", 4)
    parts = coverage_weights(geometry, np.arange(len(geometry)), GRID)
    for name, values in vars(whole).items():
        np.testing.assert_array_equal(values, getattr(parts, name))
