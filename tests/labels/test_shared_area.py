"""The compiled area that two polygons share: the same as shapely's intersection, also where polygons only touch."""

import math

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cropstack.labels.shared_area import shared_areas

AWAY = (652_143.25, 6_834_517.125)  # coordinates as large as those of a national grid
FIELD = shapely.box(0, 0, 100, 100)
RING = FIELD - shapely.box(20, 20, 80, 80)
ISLAND = shapely.box(30, 30, 70, 70)
COMB = shapely.union_all([shapely.box(0, 0, 100, 10), *(shapely.box(x, 0, x + 5, 90) for x in range(0, 100, 10))])


def shared(one: shapely.Geometry, other: shapely.Geometry) -> float:
    wkb = pa.array(shapely.to_wkb([one, other], byte_order=1), pa.large_binary())
    _, offsets, data = wkb.buffers()
    pairs = np.array([[0, 1]])
    return float(shared_areas(np.frombuffer(data, np.uint8), np.frombuffer(offsets, np.int64)[:3], pairs)[0])


def expect(one: shapely.Geometry, other: shapely.Geometry, area: float | None = None) -> None:
    """Kernel and GEOS agree, in both orders and whichever way the rings run."""
    expected = one.intersection(other).area if area is None else area
    for first, second in ((one, other), (other, one), (one.reverse(), other), (shapely.orient_polygons(one), other)):
        assert shared(first, second) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("one", "other", "area"),
    [
        (FIELD, shapely.box(90, 90, 200, 200), 100.0),
        (FIELD, FIELD, 10_000.0),
        (FIELD, shapely.box(100, 0, 200, 100), 0.0),  # a common edge
        (FIELD, shapely.box(100, 100, 200, 200), 0.0),  # a common corner
        (FIELD, shapely.box(25, 0, 75, 100), 5_000.0),  # edges that lie on edges
        (RING, ISLAND, 0.0),  # a parcel in the hole of another
        (RING, shapely.box(20, 20, 80, 80), 0.0),  # which fills it
        (RING, FIELD, 6_400.0),
        (RING, shapely.box(0, 40, 100, 60), 800.0),
        (COMB, shapely.box(0, 50, 100, 60), 500.0),
        (COMB, shapely.affinity.translate(COMB, 5, 10), 450.0),
        (shapely.MultiPolygon([RING, ISLAND]), shapely.box(0, 45, 100, 55), 800.0),
        (shapely.MultiPolygon([FIELD, shapely.box(200, 0, 300, 100)]), shapely.box(50, 0, 250, 10), 1_000.0),
        (shapely.Polygon([(0, 0), (100, 0), (50, 1e-9)]), FIELD, 0.0),  # hardly an area
        (shapely.Polygon(), FIELD, 0.0),
    ],
)
def test_shared_area_of_literal_shapes(one: shapely.Geometry, other: shapely.Geometry, area: float) -> None:
    expect(one, other, area)
    expect(shapely.affinity.translate(one, *AWAY), shapely.affinity.translate(other, *AWAY), area)


def star(corners: list[tuple[float, float]], middle: tuple[float, float]) -> shapely.Polygon:
    """A concave polygon: corners at rising angles around a middle, as far away as `corners` say."""
    angles = np.cumsum([step for step, _ in corners]) / sum(step for step, _ in corners) * 2 * math.pi
    points = [
        (middle[0] + r * math.cos(a), middle[1] + r * math.sin(a)) for a, (_, r) in zip(angles, corners, strict=True)
    ]
    return shapely.Polygon(points)


coordinate = st.floats(0, 100)
stars = st.builds(
    star,
    st.lists(st.tuples(st.floats(0.1, 1), st.floats(1, 80)), min_size=3, max_size=14),
    st.tuples(coordinate, coordinate),
).filter(lambda shape: shape.is_valid)
lattice = st.integers(0, 12).map(lambda n: 10.0 * n)
squares = st.builds(lambda x, y, w, h: shapely.box(x, y, x + w + 10, y + h + 10), lattice, lattice, lattice, lattice)


def combined(parts: list[shapely.Geometry], holes: list[shapely.Geometry]) -> shapely.Geometry:
    """A polygon or multipolygon, with holes: what is left of the parts."""
    whole = shapely.union_all(parts) - shapely.union_all(holes)
    polygons = [part for part in shapely.get_parts(whole) if part.geom_type == "Polygon"]
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)


any_shapes = st.builds(combined, st.lists(stars, min_size=1, max_size=3), st.lists(stars, max_size=2))
on_lattice = st.builds(combined, st.lists(squares, min_size=1, max_size=4), st.lists(squares, max_size=3))


@given(any_shapes, any_shapes)
@settings(deadline=None, max_examples=80)
def test_shared_area_of_concave_shapes_with_holes_and_parts(one: shapely.Geometry, other: shapely.Geometry) -> None:
    expect(one, other)


@given(on_lattice, on_lattice)
@settings(deadline=None, max_examples=80)
@example(shapely.MultiPolygon(), FIELD)
def test_shared_area_of_shapes_that_touch_along_edges_and_in_corners(
    one: shapely.Geometry, other: shapely.Geometry
) -> None:
    expect(one, other)


@given(stars, st.floats(0, 2 * math.pi))
@settings(deadline=None)
def test_halves_of_a_shape_share_nothing_and_all_of_it(shape: shapely.Polygon, angle: float) -> None:
    middle = shape.centroid
    half_plane = shapely.affinity.rotate(
        shapely.box(middle.x, middle.y - 500, middle.x + 500, middle.y + 500), angle, use_radians=True, origin=middle
    )
    one, other = combined([shape & half_plane], []), combined([shape - half_plane], [])
    expect(one, other, 0.0)
    expect(one, shape, one.area)
