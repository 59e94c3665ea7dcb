"""Polygons on a grid: GDAL's pixel-centre rule, also where an edge runs through pixel centres; and outlines."""

import shutil
import subprocess
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from cropstack.labels.burn import burn, outlines, read_parcels_on

GRID = GeoBox((6, 8), Affine(10, 0, 600_000, 0, -10, 5_000_040), "EPSG:32631")
LEFT, TOP = 600_000, 5_000_040


def polygon(*corners: tuple[float, float], holes: list[list[tuple[float, float]]] | None = None) -> shapely.Polygon:
    """Corners as (column, row) in pixels from the upper left corner."""

    def place(ring: list[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(LEFT + 10 * column, TOP - 10 * row) for column, row in ring]

    return shapely.Polygon(place(list(corners)), [place(hole) for hole in holes or []])


def box(left: float, top: float, right: float, bottom: float) -> shapely.Polygon:
    return polygon((left, top), (right, top), (right, bottom), (left, bottom))


def burnt(*geometry: shapely.Geometry) -> list[list[int]]:
    return burn(outlines(np.array(geometry, object)), GRID).tolist()


def test_later_polygons_lie_on_top_and_those_beyond_the_grid_are_cut() -> None:
    first, second = box(-3, -2, 2, 2), box(1, 1, 40, 3)
    assert burnt(first, second, box(-9, -9, -1, -1), box(9, 9, 20, 20))[:4] == [
        [1, 1, 0, 0, 0, 0, 0, 0],
        [1, 2, 2, 2, 2, 2, 2, 2],
        [0, 2, 2, 2, 2, 2, 2, 2],
        [0, 0, 0, 0, 0, 0, 0, 0],
    ]


def test_parts_and_holes_belong_to_one_polygon() -> None:
    parts = shapely.MultiPolygon(
        [box(0, 0, 1, 1), polygon((3, 0), (6, 0), (6, 3), (3, 3), holes=[[(4, 1), (5, 1), (5, 2), (4, 2)]])]
    )
    assert [row[:7] for row in burnt(parts)[:4]] == [
        [1, 0, 0, 1, 1, 1, 0],
        [0, 0, 0, 1, 0, 1, 0],
        [0, 0, 0, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ]  # fmt: skip


def test_empty_polygons_keep_their_number() -> None:
    assert burnt(shapely.Polygon(), box(0, 0, 1, 1))[0][:2] == [2, 0]


@pytest.mark.skipif(shutil.which("gdal_rasterize") is None, reason="gdal_rasterize (package gdal-bin) is not installed")
def test_edges_through_pixel_centres_fall_as_in_gdal(tmp_path: Path) -> None:
    """Polygons on quarters of pixels: most have corners, level or upright edges exactly on pixel centres."""
    random = np.random.default_rng(3)
    grid = GeoBox((400, 400), GRID.affine, GRID.crs)
    shapes = []
    while len(shapes) < 1500:
        centre, angles = random.integers(0, 400, 2), np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 9)))
        corners = np.column_stack([np.cos(angles), np.sin(angles)]) * random.uniform(1, 9) + centre
        shape = polygon(*map(tuple, np.round(corners * 4) / 4))
        shapes += [shape] if shape.is_valid else []
    table = gpd.GeoDataFrame({"number": range(1, len(shapes) + 1)}, geometry=shapes, crs=GRID.crs.to_wkt())
    pyogrio.write_dataframe(table, tmp_path / "shapes.gpkg")
    extent = [str(value) for value in grid.extent.boundingbox.bbox]
    command = ["gdal_rasterize", "-q", "-a", "number", "-ot", "UInt32", "-te", *extent, "-tr", "10", "10"]
    subprocess.run([*command, str(tmp_path / "shapes.gpkg"), str(tmp_path / "out.tif")], check=True)
    with rasterio.open(tmp_path / "out.tif") as raster:
        np.testing.assert_array_equal(burn(outlines(np.array(shapes, object)), grid), raster.read(1))


def test_parcels_far_from_the_grid_are_read_in_batches_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another CRS; drawn by area, then by parcel_index."""
    shapes = [box(0, 0, 1, 1), box(900, 0, 901, 1), box(0, 0, 3, 3), box(-5, 0, -1, 1), box(4, 0, 5, 1)]
    table = {"parcel_index": range(1, 6), "class_code": 110, "metrics:area": [100, 100, 900, 400, 100]}
    parcels = gpd.GeoDataFrame(table, geometry=shapes, crs="EPSG:32631").to_crs("EPSG:2154")
    parcels.to_parquet(tmp_path / "parcels.parquet")
    monkeypatch.setattr("cropstack.labels.burn.ROWS_AT_ONCE", 2)
    found = read_parcels_on(tmp_path / "parcels.parquet", GRID)
    assert (found["parcel_index"].tolist(), found.crs.to_epsg()) == ([3, 1, 5], 32631)
    assert found.geometry.iloc[0].symmetric_difference(shapes[2]).area < 0.01
