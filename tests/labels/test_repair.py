"""The repair ladder on literal shapes."""

import numpy as np
import pytest
import shapely

from cropstack.labels.repair import Repaired, is_sliver, repair_polygons

FIELD = shapely.box(0, 0, 100, 100)


def repair_one(geometry: shapely.Geometry | None) -> Repaired:
    return repair_polygons(np.array([geometry], object))


def reasons(result: Repaired) -> tuple[list[str], list[str]]:
    return (
        [reason for reason, rows in result.rejected.items() if rows],
        [reason for reason, rows in result.repaired.items() if rows],
    )


def test_a_field_with_a_hole_is_left_as_it_is() -> None:
    field = FIELD - shapely.box(40, 40, 60, 60)
    result = repair_one(field)
    assert reasons(result) == ([], [])
    assert result.geometry[0] == field


@pytest.mark.parametrize("geometry", [None, shapely.Polygon(), shapely.MultiPolygon()])
def test_no_geometry_is_rejected(geometry: shapely.Geometry | None) -> None:
    assert reasons(repair_one(geometry)) == (["empty_geometry"], [])


def test_coordinates_that_are_no_numbers_are_rejected() -> None:
    wkb = shapely.to_wkb(FIELD).replace(np.float64(100).tobytes(), np.float64(np.inf).tobytes())
    broken = shapely.from_wkb(wkb, on_invalid="fix")
    assert reasons(repair_one(broken)) == (["invalid_geometry"], [])


def test_small_loop_is_repaired_and_named() -> None:
    loop = shapely.Polygon([(0, 0), (50, 0), (52, 2), (50, 2), (52, 0), (100, 0), (100, 100), (0, 100)])
    assert not loop.is_valid
    result = repair_one(loop)
    assert reasons(result) == ([], ["invalid_geometry"])
    assert result.geometry[0].is_valid
    assert result.geometry[0].area == pytest.approx(10_000, abs=5)
    assert "Self-intersection[51 1]" in result.repaired["invalid_geometry"][0]


def test_bow_tie_whose_area_doubles_is_rejected() -> None:
    bow_tie = shapely.Polygon([(0, 0), (100, 100), (100, 0), (0, 100)])
    result = repair_one(bow_tie)
    assert reasons(result) == (["invalid_geometry"], [])
    assert "area 0.0 m2, repaired 5000.0 m2" in result.rejected["invalid_geometry"][0]


def test_z_is_dropped() -> None:
    result = repair_one(shapely.force_3d(FIELD, 245.0))
    assert reasons(result) == ([], ["z_dropped"])
    assert result.geometry[0] == FIELD
    assert not result.geometry[0].has_z


def test_multipolygon_of_one_part_becomes_a_polygon_in_silence() -> None:
    result = repair_one(shapely.MultiPolygon([FIELD]))
    assert reasons(result) == ([], [])
    assert result.geometry[0] == FIELD


def test_parcel_of_two_parts_stays_one_parcel() -> None:
    both = shapely.MultiPolygon([FIELD, shapely.box(200, 0, 300, 100)])
    result = repair_one(both)
    assert reasons(result) == ([], ["multipart"])
    assert result.geometry[0] == both


def test_polygons_of_a_collection_are_kept() -> None:
    result = repair_one(shapely.GeometryCollection([FIELD, shapely.LineString([(0, 0), (500, 0)])]))
    assert reasons(result) == ([], ["not_polygon"])
    assert result.geometry[0].equals(FIELD)


@pytest.mark.parametrize("geometry", [shapely.Point(0, 0), shapely.LineString([(0, 0), (9, 9)])])
def test_points_and_lines_are_rejected(geometry: shapely.Geometry) -> None:
    assert reasons(repair_one(geometry)) == (["not_polygon"], [])


def test_collapsed_polygon_is_rejected() -> None:
    assert reasons(repair_one(shapely.Polygon([(0, 0), (100, 0), (0, 0)]))) == (["invalid_geometry"], [])


def test_slivers_are_under_ten_square_metres_or_one_metre_wide() -> None:
    shapes = [
        shapely.box(0, 0, 3, 3),  # 9 m²
        shapely.box(0, 0, 4, 4),
        shapely.box(0, 0, 200, 0.9),
        shapely.box(0, 0, 200, 1.1),
    ]
    assert is_sliver(np.array(shapes)).tolist() == [True, False, True, False]


def test_sliver_is_rejected_and_a_sliver_beside_a_field_dropped() -> None:
    strip = shapely.box(200, 0, 200.3, 100)
    assert reasons(repair_one(strip)) == (["sliver"], [])
    result = repair_one(shapely.MultiPolygon([FIELD, strip]))
    assert reasons(result) == ([], ["sliver"])
    assert result.geometry[0] == FIELD
    assert result.repaired["sliver"] == {0: "slivers of 30.0 m2 dropped, 10000.0 m2 kept"}


def test_rows_do_not_disturb_each_other() -> None:
    shapes = [None, FIELD, shapely.box(0, 0, 1, 1), shapely.MultiPolygon([FIELD, shapely.box(200, 0, 300, 100)])]
    result = repair_polygons(np.array(shapes, object))
    assert result.is_rejected.tolist() == [True, False, True, False]
    assert result.geometry[1] == FIELD
    assert list(result.repaired["multipart"]) == [3]
