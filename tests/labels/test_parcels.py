"""Ids, order and duplicates of parcels."""

import hashlib
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cropstack.labels.parcels import (
    derived_ids,
    first_of_duplicates,
    geometry_digests,
    geometry_keys,
    stable_order,
    unique_ids,
)

FIELD = shapely.box(0, 0, 100, 100)


def objects(*values: object) -> np.ndarray:
    array = np.empty(len(values), object)
    array[:] = values
    return array


def test_same_shape_drawn_from_another_corner_has_the_same_key() -> None:
    other = shapely.Polygon([(100, 100), (0, 100), (0.004, 0), (100, 0)])
    keys = geometry_keys(objects(FIELD, other, shapely.box(0, 0, 100, 100.01)))
    assert keys[0] == keys[1] != keys[2]


def digests_of(*shapes: shapely.Geometry, year: int = 2019) -> np.ndarray:
    geometry = objects(*shapes)
    wkb = shapely.to_wkb(geometry, byte_order=1)
    data = np.frombuffer(b"".join(wkb), np.uint8)
    return geometry_digests(geometry, data, np.cumsum([0, *map(len, wkb)]), year=year)


def test_derived_ids_differ_by_year_and_shape() -> None:
    shapes = objects(FIELD, shapely.box(0, 0, 100, 101))
    ids = [one for year in (2019, 2020) for one in derived_ids(digests_of(*shapes, year=year))]
    assert len(set(ids)) == 4
    wkb = shapely.to_wkb(shapely.normalize(FIELD), byte_order=1)
    assert ids[0] == hashlib.sha256(b"2019:" + wkb).hexdigest()[:16]


rings = st.lists(st.tuples(st.floats(0.1, 1), st.floats(1, 80)), min_size=3, max_size=14).map(
    lambda corners: shapely.Polygon(
        [
            (5e5 + r * math.cos(a), 4e6 + r * math.sin(a))
            for a, (_, r) in zip(np.cumsum([6 * step / 14 for step, _ in corners]), corners, strict=True)
        ]
    )
)


@given(rings)
@settings(deadline=None)
def test_digest_of_a_ring_is_that_of_geos_normal_form(shape: shapely.Polygon) -> None:
    assume(shape.is_valid and shape.area > 10)
    (key,) = geometry_keys(objects(shape))
    expected = hashlib.sha256(b"2019:" + key).digest()[:16]
    for drawn in (shape, shape.reverse(), shapely.Polygon(np.roll(shapely.get_coordinates(shape)[:-1], 2, axis=0))):
        assert digests_of(drawn).astype(">u8").tobytes() == expected


def test_shapes_with_holes_and_parts_have_digests_of_their_own() -> None:
    hole, other = shapely.box(20, 20, 30, 30), shapely.box(200, 0, 300, 100)
    shapes = [FIELD, FIELD - hole, shapely.MultiPolygon([FIELD, other]), shapely.MultiPolygon([other, FIELD]), FIELD]
    assert pd.DataFrame(digests_of(*shapes)).groupby([0, 1], sort=False).ngroup().tolist() == [0, 1, 2, 2, 0]


def test_no_geometry_left_has_the_digest_of_an_empty_polygon() -> None:
    (key,) = geometry_keys(objects(shapely.Polygon()))
    assert digests_of(shapely.Polygon()).astype(">u8").tobytes() == hashlib.sha256(b"2019:" + key).digest()[:16]


def digests(*values: int) -> np.ndarray:
    return np.array([(0, value) for value in values], np.uint64)


def test_numbers_sort_as_numbers_and_ties_by_digest_then_crop() -> None:
    ids = pa.array(["10", "9", "A1", "9", "9"])
    order = stable_order(ids, digests(8, 3, 8, 1, 1), np.array([0, 0, 0, 2, 1]))
    assert order.tolist() == [4, 3, 1, 0, 2]


@pytest.mark.parametrize("high", [(2**63 + 1, 0), (5, 2**63 + 1)])
def test_digests_above_2_63_sort_as_unsigned(high: tuple[int, int]) -> None:
    order = stable_order(pa.array(["1", "1"]), np.array([high, (5, 0)], np.uint64), np.array([0, 0]))
    assert order.tolist() == [1, 0]


def test_first_of_duplicates_needs_the_same_crop() -> None:
    first = first_of_duplicates(digests(7, 7, 9, 7, 7), np.array([1, 0, 1, 1, 0]))
    assert first.tolist() == [0, 1, 2, 0, 1]


def test_ids_are_made_unique_without_taking_one_that_is_used() -> None:
    ids = unique_ids(pa.array(["7", "7", "7", "8", "7-2"]))
    assert ids.to_pylist() == ["7", "7-3", "7-4", "8", "7-2"]


@given(st.lists(st.sampled_from(["1", "1-2", "1-3", "2", ""]), max_size=12))
def test_unique_ids_are_unique_and_keep_every_first(ids: list[str]) -> None:
    ids.sort(key=lambda one: (len(one), one))
    result = unique_ids(pa.array(ids, pa.string())).to_pylist()
    assert len(set(result)) == len(ids)
    for one in set(ids):
        assert result[ids.index(one)] == one
