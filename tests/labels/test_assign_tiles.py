"""Every parcel has one owner, and its series one grid."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cropstack.labels.assign_tiles import Square, assign_tiles, owners

UTM31, UTM30 = "EPSG:32631", "EPSG:32630"
# Two tiles of zone 31 that overlap by 1 km: A from 0 to 10 km, B from 9 to 19 km east of 500 km (3° E).
A = Square("31TAA", UTM31, (500_000, 4_990_000, 510_000, 5_000_000))
B = Square("31TBA", UTM31, (509_000, 4_990_000, 519_000, 5_000_000))


def field(x: float, y: float = 4_995_000, width: float = 100) -> shapely.Polygon:
    return shapely.box(x, y, x + width, y + 100)


def owner_of(geometry: shapely.Geometry, squares: list[Square]) -> tuple[str | None, float]:
    owner, share = owners(gpd.GeoSeries([geometry], crs=UTM31), squares)
    return owner[0], share[0]


def test_parcel_on_a_tile_edge_belongs_whole_to_the_neighbour() -> None:
    assert owner_of(field(509_950), [A, B]) == ("31TBA", 1.0)
    assert owner_of(field(508_950), [A, B]) == ("31TAA", 1.0)


def test_in_the_overlap_the_tile_with_the_farther_edge_wins() -> None:
    assert owner_of(field(509_300), [A, B]) == ("31TAA", 1.0)
    assert owner_of(field(509_600), [A, B]) == ("31TBA", 1.0)


def test_in_the_middle_of_the_overlap_the_first_name_wins() -> None:
    assert owner_of(field(509_450), [A, B]) == ("31TAA", 1.0)
    assert owner_of(field(509_450), [B, A]) == ("31TAA", 1.0)


def test_own_zone_comes_before_a_farther_edge() -> None:
    near_edge = field(500_000 - 235_000)  # 0° 2' E, 100 m inside the edge of a tile of zone 31
    own = Square("31TZZ", UTM31, (264_900, 4_990_000, 274_900, 5_000_000))
    middle = gpd.GeoSeries([near_edge], crs=UTM31).to_crs(UTM30).iloc[0].centroid
    foreign = Square("30TAA", UTM30, (middle.x - 5000, middle.y - 5000, middle.x + 5000, middle.y + 5000))
    assert owner_of(near_edge, [foreign, own]) == ("31TZZ", 1.0)
    assert owner_of(near_edge, [foreign]) == ("30TAA", 1.0)


def test_parcel_that_no_tile_holds_whole_goes_to_the_one_with_most_of_it() -> None:
    wide = field(508_000, width=2_500)  # 2000 m on A, 1500 m on B
    owner, share = owner_of(wide, [A, B])
    assert owner == "31TAA"
    assert share == pytest.approx(0.8)


def test_whole_in_a_foreign_zone_is_better_than_most_of_it_in_the_own() -> None:
    cut = field(509_000 - 10)  # 10 m west of B
    middle = gpd.GeoSeries([cut], crs=UTM31).to_crs("EPSG:32632").iloc[0].centroid
    foreign = Square("32TAA", "EPSG:32632", (middle.x - 500, middle.y - 500, middle.x + 500, middle.y + 500))
    assert owner_of(cut, [B, foreign]) == ("32TAA", 1.0)


def test_parcel_on_no_selected_tile_has_no_owner() -> None:
    assert owner_of(field(530_000), [A, B]) == (None, 0.0)
    assert owner_of(field(519_000), [A, B]) == (None, 0.0)  # only touches


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.floats(490e3, 530e3), st.floats(4_980e3, 5_010e3), st.floats(20, 3e3)), max_size=20),
    st.permutations([A, B, Square("31TAB", UTM31, (500_000, 4_999_000, 510_000, 5_009_000))]),
)
def test_every_parcel_that_touches_a_tile_has_exactly_one_owner(
    corners: list[tuple[float, float, float]], squares: list[Square]
) -> None:
    parcels = gpd.GeoSeries([field(*corner) for corner in corners], crs=UTM31)
    owner, share = owners(parcels, squares)
    boxes = {square.tile: shapely.box(*square.box) for square in squares}
    for geometry, tile, covered in zip(parcels, owner, share, strict=True):
        shares = {name: geometry.intersection(box).area / geometry.area for name, box in boxes.items()}
        if tile is None:
            assert max(shares.values()) == covered == 0
        else:
            assert covered == pytest.approx(shares[tile])
            assert covered == pytest.approx(max(shares.values()))
    again, _ = owners(parcels, sorted(squares, key=lambda square: square.tile))
    assert owner.tolist() == again.tolist()


def test_table_has_a_row_for_every_parcel(country: Any, square: Any, tmp_path: Path) -> None:
    rows = [{"ID": str(n), "CULTIU": "ORDI", "geometry": square(n, 0)} for n in range(3)]
    rows.append({"ID": "far", "CULTIU": "ORDI", "geometry": shapely.box(700_000, 5_100_000, 700_100, 5_100_100)})
    country.harmonise(country.declare(rows))
    tiles = tmp_path / "tiles.parquet"
    assign_tiles(country.folder / "parcels.parquet", tiles, selected=["31TFK", "31TEK"], size_px=10980)
    table = pq.read_table(tiles)
    assert [str(field.type) for field in table.schema] == ["int64", "string", "double"]
    assert table["parcel_index"].to_pylist() == [1, 2, 3, 4]
    # They begin at 600000 m, the left edge of 31TFK itself; 31TEK reaches to 609780 m and holds them farther inside.
    assert table["tile"].to_pylist() == ["31TEK", "31TEK", "31TEK", None]
    assert table["covered_share"].to_pylist() == [1.0, 1.0, 1.0, 0.0]


def test_small_tiles_are_cut_at_the_upper_left_corner(country: Any, tmp_path: Path) -> None:
    corner = shapely.box(600_000, 4_999_980, 600_000 + 100, 5_000_040)  # 31TFK begins at 600000, 5000040
    rows = [
        {"ID": "1", "CULTIU": "ORDI", "geometry": corner},
        {"ID": "2", "CULTIU": "ORDI", "geometry": shapely.affinity.translate(corner, 3_600, 0)},  # 60 of 100 m inside
    ]
    country.harmonise(country.declare(rows))
    assign_tiles(country.folder / "parcels.parquet", tmp_path / "tiles.parquet", selected=["31TFK"], size_px=366)
    assert np.allclose(pq.read_table(tmp_path / "tiles.parquet")["covered_share"], [1.0, 0.6])
