from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from cropstack.errors import ConfigError
from cropstack.grid import (
    PATCH_PX,
    RESOLUTIONS_M,
    TILE_PX,
    crs_attributes,
    patch_geobox,
    patches_per_side,
    pixel_centres,
    tile_geobox,
)


def test_every_land_tile_lies_where_the_published_grid_has_it(realdata: Path) -> None:
    """ESA's tiling grid as GeoParquet: corners of all tiles with land, in metres of their zone."""
    table = pyarrow.parquet.read_table(
        realdata / "grids/s2-grid/sentinel-2-grid_LAND.parquet", columns=["tile", "epsg", "utm_bounds"]
    ).to_pylist()
    wrong = []
    for row in table:
        found = tile_geobox(row["tile"], 10)
        bounds = tuple(round(value) for value in found.boundingbox)
        if (found.crs.epsg, bounds) != (int(row["epsg"]), tuple(round(v) for v in published_bounds(row["utm_bounds"]))):
            wrong.append((row["tile"], bounds, row["utm_bounds"]))
    assert len(table) == 20430
    assert wrong == []


def published_bounds(text: str | list[float]) -> list[float]:
    return [float(value) for value in text.strip("()[]").split(",")] if isinstance(text, str) else list(text)


TILES = st.sampled_from(["31TCG", "31TCJ", "30TWT", "29RKH", "60KXF", "01CCV", "32VKM", "33XVG"])


@given(TILES, st.sampled_from(RESOLUTIONS_M), st.integers(1, TILE_PX // PATCH_PX[10]))
def test_patches_tile_the_tile_exactly(tile: str, resolution_m: int, side: int) -> None:
    geobox = tile_geobox(tile, resolution_m, size_px=side * PATCH_PX[10])
    assert patches_per_side(geobox) == side
    first, last = patch_geobox(geobox, 0, 0), patch_geobox(geobox, side - 1, side - 1)
    assert first.shape == last.shape == (PATCH_PX[resolution_m],) * 2
    assert (first.boundingbox.left, first.boundingbox.top) == (geobox.boundingbox.left, geobox.boundingbox.top)
    assert (last.boundingbox.right, last.boundingbox.bottom) == (geobox.boundingbox.right, geobox.boundingbox.bottom)
    if side > 1:
        assert patch_geobox(geobox, 1, 0).boundingbox.top == first.boundingbox.bottom
        assert patch_geobox(geobox, 0, 1).boundingbox.left == first.boundingbox.right


@given(TILES, st.integers(0, 29), st.integers(0, 29))
def test_a_patch_covers_the_same_ground_at_all_resolutions(tile: str, row: int, column: int) -> None:
    boxes = {patch_geobox(tile_geobox(tile, resolution_m), row, column).boundingbox for resolution_m in RESOLUTIONS_M}
    assert len(boxes) == 1


def test_a_small_tile_is_cut_at_the_upper_left_corner() -> None:
    whole, small = tile_geobox("31TCG", 20), tile_geobox("31TCG", 20, size_px=1098)
    assert (small.shape, whole.shape) == ((549, 549), (5490, 5490))
    assert small.affine == whole.affine
    assert small.crs == "EPSG:32631"


def test_pixel_centres_of_31tcg() -> None:
    x, y = pixel_centres(tile_geobox("31TCG", 60))
    assert (x[0], x[1], x[-1]) == (300030.0, 300090.0, 409800.0 - 30)
    assert (y[0], y[1]) == (4700040.0 - 30, 4700040.0 - 90)
    assert (x.dtype, len(x), len(y)) == (np.float64, 1830, 1830)


@pytest.mark.parametrize(
    ("tile", "message"),
    [
        ("31TC", "no MGRS cell"),
        ("61TCG", "no MGRS cell"),
        ("31ICG", "no MGRS cell"),
        ("31tcg", "no MGRS cell"),
        ("31TKG", "zone 31 has the columns ABCDEFGH"),
    ],
)
def test_a_name_that_is_no_tile_is_refused(tile: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tile_geobox(tile, 10)


@pytest.mark.parametrize("size_px", [0, 1000, 10980 + 366, -366])
def test_a_tile_is_a_whole_number_of_patches(size_px: int) -> None:
    with pytest.raises(ConfigError, match=f"tile_size_px is {size_px}; expected a multiple of 366 up to 10980"):
        tile_geobox("31TCG", 10, size_px=size_px)


def test_crs_attributes_are_what_gdal_and_cf_readers_look_for() -> None:
    attributes = crs_attributes(tile_geobox("31TCG", 10))
    assert attributes["grid_mapping_name"] == "transverse_mercator"
    assert attributes["longitude_of_central_meridian"] == 3.0
    assert attributes["GeoTransform"] == "300000 10 0 4700040 0 -10"
    assert attributes["spatial_ref"] == attributes["crs_wkt"]
    assert all(isinstance(value, str | float | int) for value in attributes.values())
    assert isinstance(tile_geobox("31TCG", 10), GeoBox)
