"""The repair ladder on literal shapes."""

import numpy as np
import pytest
import shapely

from cropstack.labels.repair import Changes, is_sliver, joined, repair_polygons

FIELD = shapely.box(0, 0, 100, 100)


class One:
    """The repair of one geometry: what became of it, and the evidence by reason."""

    def __init__(self, geometry: shapely.Geometry | None) -> None:
        repaired, changes = repair_polygons(np.array([geometry], object))
        self.geometry = repaired[0]
        self.rejected = {reason: rows[0] for reason, rows in changes.rejected.items() if rows}
        self.repaired = {reason: rows[0] for reason, rows in changes.repaired.items() if rows}
        assert changes.gone.tolist() == [bool(self.rejected)]


def repair_one(geometry: shapely.Geometry | None) -> One:
    return One(geometry)


def reasons(result: One) -> tuple[list[str], list[str]]:
    return list(result.rejected), list(result.repaired)


def test_a_field_with_a_hole_is_left_as_it_is() -> None:
    field = FIELD - shapely.box(40, 40, 60, 60)
    result = repair_one(field)
    assert reasons(result) == ([], [])
    assert result.geometry == field


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
    assert result.geometry.is_valid
    assert result.geometry.area == pytest.approx(10_000, abs=5)
    assert "Self-intersection[51 1]" in result.repaired["invalid_geometry"]


def test_parts_that_the_repair_made_are_told_by_the_repair() -> None:
    ring = [(0, 0), (100, 0), (100, 100), (0, 100), (0, 60), (-20, 50), (-20, 60), (0, 50)]  # a loop of 50 m² outside
    result = repair_one(shapely.Polygon(ring))
    assert result.geometry.geom_type == "MultiPolygon"
    assert reasons(result) == ([], ["invalid_geometry"])


def test_bow_tie_whose_area_doubles_is_rejected() -> None:
    bow_tie = shapely.Polygon([(0, 0), (100, 100), (100, 0), (0, 100)])
    result = repair_one(bow_tie)
    assert reasons(result) == (["invalid_geometry"], [])
    assert "area 0.0 m2, repaired 5000.0 m2" in result.rejected["invalid_geometry"]


@pytest.mark.parametrize(("width_m", "kept"), [(99, True), (101, False)])
def test_a_repair_may_change_the_area_by_a_twentieth(width_m: float, kept: bool) -> None:
    """A loop outside a field of 1 ha: its two halves cancel each other before the repair, which adds 5 m² per metre."""
    ring = [(0, 0), (100, 0), (100, 100), (0, 100), (0, 60), (-width_m, 50), (-width_m, 60), (0, 50)]
    result = repair_one(shapely.Polygon(ring))
    text = {**result.repaired, **result.rejected}["invalid_geometry"]
    assert f"area 10000.0 m2, repaired {10_000 + 5 * width_m:.1f} m2" in text
    assert reasons(result) == (([], ["invalid_geometry"]) if kept else (["invalid_geometry"], []))


def test_z_is_dropped() -> None:
    result = repair_one(shapely.force_3d(FIELD, 245.0))
    assert reasons(result) == ([], ["z_dropped"])
    assert result.geometry == FIELD
    assert not result.geometry.has_z


def test_multipolygon_of_one_part_becomes_a_polygon_in_silence() -> None:
    result = repair_one(shapely.MultiPolygon([FIELD]))
    assert reasons(result) == ([], [])
    assert result.geometry == FIELD


def test_parcel_of_two_parts_stays_one_parcel() -> None:
    both = shapely.MultiPolygon([FIELD, shapely.box(200, 0, 300, 100)])
    result = repair_one(both)
    assert reasons(result) == ([], ["multipart"])
    assert result.geometry == both


def test_polygons_of_a_collection_are_kept() -> None:
    result = repair_one(shapely.GeometryCollection([FIELD, shapely.LineString([(0, 0), (500, 0)])]))
    assert reasons(result) == ([], ["not_polygon"])
    assert result.geometry.equals(FIELD)


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
    assert result.geometry == FIELD
    assert result.repaired["sliver"] == "slivers of 30.0 m2 dropped, 10000.0 m2 kept"


def test_rows_do_not_disturb_each_other() -> None:
    shapes = [None, FIELD, shapely.box(0, 0, 1, 1), shapely.MultiPolygon([FIELD, shapely.box(200, 0, 300, 100)])]
    geometry, changes = repair_polygons(np.array(shapes, object))
    assert changes.gone.tolist() == [True, False, True, False]
    assert geometry[1] == FIELD
    assert list(changes.repaired["multipart"]) == [3]


def test_a_row_is_rejected_for_the_first_reason_only() -> None:
    changes = Changes(np.zeros(3, bool))
    changes.reject("sliver", {0: "thin"})
    changes.reject("excluded", {0: "a road", 2: "a road"})
    assert changes.rejected == {"sliver": {0: "thin"}, "excluded": {2: "a road"}}


def test_changes_of_batches_count_rows_on() -> None:
    first, second = Changes(np.array([True, False])), Changes(np.array([False, True, False]))
    first.rejected["sliver"] = {0: "a"}
    second.rejected["sliver"] = {1: "b"}
    second.repair("z_dropped", {0: "c"})
    whole = joined([first, second])
    assert whole.rejected == {"sliver": {0: "a", 3: "b"}}
    assert whole.repaired == {"z_dropped": {2: "c"}}
    assert whole.gone.tolist() == [True, False, False, True, False]
