"""Which parcels overlap, found block by block: the same as GEOS finds among all pairs."""

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cropstack.labels.overlaps import OVERLAP_AREA_M2, overlaps, spatial_blocks

FIELD = shapely.box(0, 0, 100, 100)


def overlaps_of(
    *shapes: shapely.Geometry, parcels_at_once: int = 1000, threads: int = 1
) -> list[tuple[int, int, float]]:
    geometry = np.array(shapes, object)
    wkb = pa.array(shapely.to_wkb(geometry, byte_order=1), pa.large_binary())
    return overlaps(
        shapely.bounds(geometry).reshape(-1, 4),
        shapely.area(geometry),
        lambda rows: wkb.take(pa.array(rows)),
        parcels_at_once=parcels_at_once,
        threads=threads,
    )


def test_overlap_names_the_smaller_parcel_first() -> None:
    small, apart = shapely.box(90, 0, 140, 50), shapely.box(300, 0, 400, 100)
    touching = shapely.box(100, 50, 200, 150)
    assert overlaps_of(FIELD, small, apart, touching) == [(1, 0, 500.0)]


def test_of_two_equal_parcels_the_later_is_on_top() -> None:
    assert overlaps_of(FIELD, FIELD) == [(1, 0, 10_000.0)]
    assert overlaps_of(shapely.box(50, 0, 150, 100), FIELD) == [(1, 0, 5_000.0)]


@pytest.mark.parametrize(("width", "pairs"), [(0.09, 0), (0.11, 1)])
def test_overlaps_below_ten_square_metres_are_rounding(width: float, pairs: int) -> None:
    assert len(overlaps_of(FIELD, shapely.box(100 - width, 0, 200, 100))) == pairs


def test_no_parcels_have_no_overlaps() -> None:
    assert overlaps_of() == []


def test_boxes_overlap_but_a_diagonal_keeps_the_parcels_apart() -> None:
    lower = shapely.Polygon([(0, 0), (100, 0), (0, 100)])
    upper = shapely.Polygon([(100, 0), (100, 100), (0, 100)])
    assert overlaps_of(lower, upper) == []


# --- blocks ---------------------------------------------------------------------------------------------

boxes = st.lists(st.tuples(*[st.integers(0, 60)] * 2, *[st.integers(1, 40)] * 2), min_size=1, max_size=40).map(
    lambda rows: np.array([(x, y, x + width, y + height) for x, y, width, height in rows], float)
)


@given(boxes, st.integers(2, 8))
@settings(deadline=None)
def test_overlaps_do_not_depend_on_the_size_of_blocks(box: np.ndarray, parcels_at_once: int) -> None:
    shapes = shapely.box(*box.T)
    assert overlaps_of(*shapes, parcels_at_once=parcels_at_once) == overlaps_of(*shapes)
    left, right = np.triu_indices(len(shapes), 1)
    shared = shapely.area(shapely.intersection(shapes[left], shapes[right]))
    expected = {frozenset(pair) for pair in zip(left[shared > OVERLAP_AREA_M2], right[shared > OVERLAP_AREA_M2])}  # noqa: B905
    found = overlaps_of(*shapes, parcels_at_once=parcels_at_once)
    assert {frozenset(pair[:2]) for pair in found} == expected
    assert len(found) == len(expected)


def test_blocks_are_small_where_parcels_are_many_and_stop_where_all_lie_on_one_place() -> None:
    x, y = np.meshgrid(np.arange(40.0), np.arange(40.0))
    grid = np.column_stack([x.ravel(), y.ravel(), x.ravel() + 1, y.ravel() + 1])
    blocks = [len(rows) for rows, _ in spatial_blocks(grid, parcels_at_once=100)]
    assert max(blocks) <= 100
    assert len(blocks) < 64
    same = np.tile([[0.0, 0.0, 1.0, 1.0]], (500, 1))
    assert [len(rows) for rows, _ in spatial_blocks(same, parcels_at_once=100)] == [500]
