"""Plain polygons: what the kernel calls sound is sound to GEOS, to the last bit; what it cannot see it leaves alone."""

import math
import struct

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cropstack.labels.plain_polygons import join_wkb, plain_polygons

FIELD = shapely.Polygon([(500_000, 4e6), (500_100, 4e6 + 3), (500_097, 4e6 + 80), (500_001, 4e6 + 75)])
LEAST_AREA, LEAST_WIDTH = 10.0, 1.0


def find(*wkb: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    offsets = np.cumsum([0, *map(len, wkb)])
    return plain_polygons(np.frombuffer(b"".join(wkb), np.uint8), offsets, LEAST_AREA, LEAST_WIDTH)


def is_plain(shape: shapely.Geometry | bytes) -> bool:
    wkb = shape if isinstance(shape, bytes) else shapely.to_wkb(shape, byte_order=1)
    return bool(find(wkb)[0][0])


def ring(*points: tuple[float, float]) -> bytes:
    """WKB of a polygon with exactly these points, which shapely might refuse."""
    return b"\x01" + struct.pack("<III", 3, 1, len(points)) + b"".join(struct.pack("<dd", *point) for point in points)


# --- what is plain ----------------------------------------------------------------------------------------

# On a coarse grid vertices meet, edges touch and lie on each other, which floating-point numbers rarely do.
grids = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=9)
steps = st.sampled_from([1.0, 7.3, 1e-3, 0.1])


@given(grids, steps)
@settings(deadline=None, max_examples=1500)
def test_plain_polygons_are_valid_and_measured_as_geos_does(points: list[tuple[int, int]], step: float) -> None:
    corners = [(5e5 + 10 * step * x, 4e6 + 10 * step * y) for x, y in points]
    wkb = ring(*corners, corners[0])
    plain, starts, areas, boxes = find(wkb)
    if plain[0]:
        shape = shapely.from_wkb(wkb)
        assert shape.is_valid
        assert (starts[0], areas[0]) == (0, shape.area)
        assert tuple(boxes[0]) == shape.bounds
        assert shape.area > LEAST_AREA
        assert 2 * shape.area > LEAST_WIDTH * shape.length
    else:
        assert np.isnan(areas[0])
        assert np.isnan(boxes[0]).all()


@given(st.lists(st.tuples(st.floats(0.2, 1), st.floats(30, 80)), min_size=5, max_size=60), st.floats(0, 1e7))
@settings(deadline=None)
def test_a_digitised_field_is_plain(corners: list[tuple[float, float]], northing: float) -> None:
    angles = np.cumsum([step for step, _ in corners])
    angles *= 2 * math.pi / (angles[-1] + 0.2)
    points = [(5e5 + r * math.cos(a), northing + r * math.sin(a)) for a, (_, r) in zip(angles, corners, strict=True)]
    assert is_plain(shapely.Polygon(points))


def test_vertices_on_a_straight_edge_are_plain() -> None:
    assert is_plain(shapely.Polygon([(0, 0), (10, 0), (20, 0), (30, 0), (30, 30), (0, 30), (0, 20)]))


def test_a_multipolygon_of_one_part_is_the_polygon_behind_its_header() -> None:
    wkb = shapely.to_wkb(shapely.MultiPolygon([FIELD]), byte_order=1)
    plain, starts, areas, _ = find(wkb)
    assert (plain[0], starts[0], areas[0]) == (True, 9, FIELD.area)


# --- what is left to GEOS -----------------------------------------------------------------------------------

A, B, C, D = (0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0)


@pytest.mark.parametrize(
    "points",
    [
        pytest.param([A, C, B, D], id="two edges cross"),
        pytest.param([A, B, C, (50, 0), D], id="a vertex on an edge"),
        pytest.param([A, (100, 30), C, (33.3, 9.99), D], id="a vertex as near to an edge as rounding"),
        pytest.param([A, (50, 50), B, C, (50, 50), D], id="a vertex twice"),
        pytest.param([A, B, (150, 0), B, C, D], id="there and back"),
        pytest.param([A, B, (150, 0), (120, 0), C, D], id="there and half back"),
        pytest.param([A, B, C, D, A, (0, -50)], id="a spike at the end"),
        pytest.param([A, B, B, C, D], id="an edge of no length"),
        pytest.param([A, B, C, (100, 200), (50, 200), (50, 100), (150, 100), (150, 300), (0, 300)], id="along an edge"),
        pytest.param([A, B, (200, 0)], id="a line"),
    ],
)
def test_rings_that_meet_themselves_are_left_to_geos_however_they_lie(points: list[tuple[float, float]]) -> None:
    for turned in (np.array(points, float), -np.array(points, float)):
        for mirrored in (turned, turned[:, ::-1], turned * (1, -1), turned[:, ::-1] * (1, -1)):
            for first in range(len(points)):
                drawn = np.roll(mirrored, first, axis=0)
                assert not is_plain(ring(*drawn, drawn[0]))


@pytest.mark.parametrize(
    "wkb",
    [
        pytest.param(ring(A, B, C, D, (1.0, 0.0)), id="not closed in x"),
        pytest.param(ring(A, B, C, D, (0.0, 1.0)), id="not closed in y"),
        pytest.param(ring(A, B, A), id="too few vertices"),
        pytest.param(ring(A, B, (math.nan, 100), D, A), id="no number"),
        pytest.param(ring(A, B, (math.inf, 100), D, A), id="an infinite number"),
        pytest.param(ring((math.inf, 0), B, C, D, (math.inf, 0)), id="an infinite first vertex"),
        pytest.param(ring(A, B, C, D, A) + b"\0", id="a byte too many"),
        pytest.param(ring(A, B, C, D, A)[:-1], id="a byte too few"),
        pytest.param(ring(A, B, C, D, A).replace(b"\1\0\0\0\5", b"\2\0\0\0\5"), id="a ring that is announced only"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x01\x03", id="cut"),
        pytest.param(shapely.to_wkb(FIELD, byte_order=0), id="big-endian"),
        pytest.param(shapely.to_wkb(shapely.force_3d(FIELD), byte_order=1), id="three dimensions"),
        pytest.param(shapely.to_wkb(shapely.set_srid(FIELD, 32631), byte_order=1, include_srid=True), id="with SRID"),
        pytest.param(shapely.to_wkb(FIELD.buffer(9).difference(FIELD), byte_order=1), id="a hole"),
        pytest.param(shapely.to_wkb(shapely.MultiPolygon([FIELD, shapely.box(0, 0, 9, 9)])), id="two parts"),
        pytest.param(shapely.to_wkb(FIELD.exterior, byte_order=1), id="a line string"),
        pytest.param(ring(A, B, C, A), id="a triangle"),
        pytest.param(shapely.to_wkb(shapely.Polygon(), byte_order=1), id="empty"),
        pytest.param(shapely.to_wkb(shapely.box(0, 0, 3, 3.3), byte_order=1), id="too small"),
        pytest.param(shapely.to_wkb(shapely.box(0, 0, 200, 0.9), byte_order=1), id="too narrow"),
    ],
)
def test_what_is_not_plain_is_left_alone(wkb: bytes) -> None:
    assert not is_plain(wkb)


def test_long_rings_are_left_to_geos() -> None:
    assert is_plain(shapely.Point(0, 0).buffer(100, quad_segs=30))
    assert not is_plain(shapely.Point(0, 0).buffer(100, quad_segs=60))


def test_each_row_is_judged_by_itself() -> None:
    field = shapely.to_wkb(FIELD, byte_order=1)
    plain, starts, _, _ = find(field, ring(A, C, B, D, A), b"", field)
    assert plain.tolist() == [True, False, False, True]
    assert starts[3] - starts[2] == 0
    assert starts[1] == len(field)


# --- join ---------------------------------------------------------------------------------------------------


def test_rows_are_joined_in_their_order() -> None:
    data = np.frombuffer(b"xxAAAyBCCC", np.uint8)
    starts, ends = np.array([2, 5, 6, 7]), np.array([5, 6, 7, 10])
    others, offsets = np.frombuffer(b"0012", np.uint8), np.array([0, 0, 4])
    joined, where = join_wkb(data, starts, ends, np.array([True, False, False, True]), others, offsets)
    assert (joined.tobytes(), where.tolist()) == (b"AAA0012CCC", [0, 3, 3, 7, 10])
