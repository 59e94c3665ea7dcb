"""Ids, order, duplicates and overlaps of parcels."""

import hashlib

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from cropstack.labels.parcels import (
    derived_ids,
    first_of_duplicates,
    geometry_keys,
    overlaps,
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


def test_derived_ids_differ_by_year_and_shape() -> None:
    keys = geometry_keys(objects(FIELD, shapely.box(0, 0, 100, 101)))
    ids = [*derived_ids(keys, year=2019), *derived_ids(keys, year=2020)]
    assert len(set(ids)) == 4
    wkb = shapely.to_wkb(shapely.normalize(FIELD), byte_order=1)
    assert ids[0] == hashlib.sha256(b"2019:" + wkb).hexdigest()[:16]


def test_numbers_sort_as_numbers_and_ties_by_geometry_then_crop() -> None:
    ids = objects("10", "9", "A1", "9", "9")
    order = stable_order(ids, objects(b"x", b"b", b"x", b"a", b"a"), objects("c", "c", "c", "z", "y"))
    assert order.tolist() == [4, 3, 1, 0, 2]


def test_first_of_duplicates_needs_the_same_crop() -> None:
    first = first_of_duplicates(objects(b"a", b"a", b"b", b"a"), objects("ORDI", "BLAT", "ORDI", "ORDI"))
    assert first.tolist() == [0, 1, 2, 0]


def test_ids_are_made_unique_without_taking_one_that_is_used() -> None:
    assert unique_ids(objects("7", "7", "7-2", "7", "8")).tolist() == ["7", "7-3", "7-2", "7-4", "8"]


@given(st.lists(st.sampled_from(["1", "1-2", "1-3", "2", ""]), max_size=12))
def test_unique_ids_are_unique_and_keep_every_first(ids: list[str]) -> None:
    result = unique_ids(objects(*ids)).tolist()
    assert len(set(result)) == len(ids)
    for one in set(ids):
        assert result[ids.index(one)] == one


def test_overlap_names_the_smaller_parcel_first() -> None:
    small, apart = shapely.box(90, 0, 140, 50), shapely.box(300, 0, 400, 100)
    touching = shapely.box(100, 50, 200, 150)
    assert overlaps(objects(FIELD, small, apart, touching)) == [(1, 0, 500.0)]


def test_of_two_equal_parcels_the_later_is_on_top() -> None:
    assert overlaps(objects(FIELD, FIELD)) == [(1, 0, 10_000.0)]


@pytest.mark.parametrize(("width", "pairs"), [(0.09, 0), (0.11, 1)])
def test_overlaps_below_ten_square_metres_are_rounding(width: float, pairs: int) -> None:
    assert len(overlaps(objects(FIELD, shapely.box(100 - width, 0, 200, 100)))) == pairs


def test_no_parcels_have_no_overlaps() -> None:
    assert overlaps(objects()) == []
