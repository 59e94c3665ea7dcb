"""Labels in numbers: purity by outlines, small parcels counted once, pixels under several parcels."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import h5py
import numpy as np
import pytest
import shapely

from cropstack.errors import DeclarationError
from cropstack.grid import tile_geobox
from cropstack.labels.assess_labels import assess_labels
from cropstack.labels.assign_tiles import assign_tiles
from cropstack.labels.burn import crossed, outlines
from cropstack.labels.rasterise_labels import rasterise_labels

CLC = Path(__file__).parents[2] / "taxonomy/clc.csv"
TILE, SIZE_PX = "31TFK", 366
GRID = tile_geobox(TILE, 10, size_px=SIZE_PX)
LEFT, _, _, TOP = GRID.extent.boundingbox.bbox


def box(column: float, row: float, width: float, height: float) -> shapely.Polygon:
    """A rectangle in pixels at 10 m from the tile's upper left corner."""
    left, top = LEFT + 10 * column, TOP - 10 * row
    return shapely.box(left, top - 10 * height, left + 10 * width, top)


def assessed(country: Any, rows: Sequence[tuple[str, shapely.Geometry]], tile: str = TILE) -> dict[int, dict[str, int]]:
    """The table's rows by resolution; parcels are owned by `TILE`."""
    declared = [{"ID": str(n), "CULTIU": crop, "geometry": shape} for n, (crop, shape) in enumerate(rows)]
    country.harmonise(country.declare(declared), max_unknown_share=1)
    parcels, tiles, labels, quality = (
        country.folder / name for name in ("parcels.parquet", "t.parquet", "l.nc", "q.csv")
    )
    assign_tiles(parcels, tiles, selected=[TILE], size_px=SIZE_PX)
    rasterise_labels(parcels, [], CLC, labels, tile=TILE, year=2020, size_px=SIZE_PX, corine_year=None)
    assess_labels(parcels, tiles, labels, quality, tile=tile, year=2020, size_px=SIZE_PX)
    with open(quality, encoding="utf-8", newline="") as lines:
        return {int(row["resolution_m"]): {name: int(n) for name, n in row.items()} for row in csv.DictReader(lines)}


def test_a_parcel_along_pixel_edges_is_pure_and_one_askew_is_not(country: Any) -> None:
    """12 × 6 pixels of 10 m, whole ones; and 4 × 4 of which the rim of 12 is cut."""
    table = assessed(country, [("ORDI", box(0, 0, 12, 6)), ("ORDI", box(20.3, 20.3, 3.5, 3.5))])
    assert (table[10]["pixels"], table[20]["pixels"], table[60]["pixels"]) == (366**2, 183**2, 61**2)
    assert (table[10]["parcel_pixels"], table[10]["pure_pixels"]) == (72 + 16, 72 + 4)
    assert (table[20]["parcel_pixels"], table[20]["pure_pixels"]) == (18 + 4, 18)
    assert (table[60]["parcel_pixels"], table[60]["pure_pixels"]) == (2 + 1, 2)


def test_parcels_are_counted_by_their_pixels(country: Any) -> None:
    """One has no pixel centre, one has 2, one 9 and one 64 pixels of 10 m."""
    shapes = [box(0.6, 0.6, 0.8, 0.8), box(4, 0, 2, 1), box(10.2, 0.2, 3, 3), box(20, 0, 8, 8)]
    table = assessed(country, [("ORDI", shape) for shape in shapes])
    names = ("parcels", "below_1", "below_3", "below_10", "below_64", "without_pure")
    assert [table[10][name] for name in names] == [4, 1, 2, 3, 3, 1]
    assert [table[60][name] for name in names] == [4, 3, 4, 4, 4, 4]


def test_pixels_under_several_parcels_and_unknown_crops_are_counted(country: Any) -> None:
    table = assessed(country, [("ORDI", box(0, 0, 6, 6)), ("XXX", box(3, 0, 6, 4)), ("BLAT TOU", box(20, 0, 6, 6))])
    assert table[10]["shared_pixels"] == 12
    assert table[10]["unknown_pixels"] == 24  # the smaller one lies on top
    assert table[10]["parcel_pixels"] == 36 + 24 - 12 + 36
    assert table[10]["pure_pixels"] == table[10]["parcel_pixels"]  # outlines run along pixel edges
    assert table[10]["background_pixels"] == 0


def test_land_cover_outside_parcels_is_counted_as_background(country: Any) -> None:
    assessed(country, [("ORDI", box(0, 0, 6, 6))])
    folder = country.folder
    clc = gpd.GeoDataFrame({"CODE_18": ["311"]}, geometry=[box(0, 0, 10, 10)], crs="EPSG:32631")
    clc.to_file(folder / "clc.gpkg")
    parcels, labels, quality = folder / "parcels.parquet", folder / "l.nc", folder / "q.csv"
    rasterise_labels(
        parcels, [folder / "clc.gpkg"], CLC, labels, tile=TILE, year=2020, size_px=SIZE_PX, corine_year=2018
    )
    assess_labels(parcels, folder / "t.parquet", labels, quality, tile=TILE, year=2020, size_px=SIZE_PX)
    header, first, *_ = quality.read_text().splitlines()
    assert dict(zip(header.split(","), first.split(","), strict=True))["background_pixels"] == str(100 - 36)


def test_pure_pixels_are_those_that_a_parcel_covers_whole(country: Any) -> None:
    """Irregular parcels without overlaps; GEOS says which squares lie wholly in one of them."""
    random = np.random.default_rng(4)
    points = shapely.multipoints(random.uniform([LEFT, TOP - 3660], [LEFT + 3660, TOP], (60, 2)))
    cells = [cell.buffer(-random.uniform(0, 30)) for cell in shapely.voronoi_polygons(points).geoms]
    table = assessed(country, [("ORDI", cell) for cell in cells if not cell.is_empty])
    parcels = gpd.read_parquet(country.folder / "parcels.parquet").geometry.to_numpy()
    for resolution, row in table.items():
        x, y = np.meshgrid(*(np.arange(0, 3660, resolution) + start for start in (LEFT, TOP - 3660)))
        squares = shapely.STRtree(shapely.box(x, y, x + resolution, y + resolution).ravel())
        assert row["pure_pixels"] == squares.query(parcels, predicate="covers").shape[1]


def test_an_outline_inside_one_pixel_crosses_it_alone() -> None:
    hole = shapely.Polygon(box(0, 0, 9, 9).exterior.coords, [box(4.2, 4.2, 0.4, 0.3).exterior.coords])
    found = crossed(outlines(np.array([hole], object)), GRID)
    assert np.argwhere(found).tolist() == [[4, 4]]


def test_labels_that_do_not_belong_to_the_parcels(country: Any) -> None:
    with pytest.raises(DeclarationError, match="holds 31TFK 2020; expected 31TCG 2020"):
        assessed(country, [("ORDI", box(0, 0, 6, 6))], tile="31TCG")
    parcels, labels = country.folder / "parcels.parquet", country.folder / "l.nc"
    with h5py.File(labels, "r+") as file:
        file["r20m/parcels"][0, 0] = 7
    with pytest.raises(DeclarationError, match="holds parcels that are not in the table"):
        assess_labels(
            parcels,
            country.folder / "t.parquet",
            labels,
            country.folder / "q.csv",
            tile=TILE,
            year=2020,
            size_px=SIZE_PX,
        )
