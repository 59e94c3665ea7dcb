"""Geometries of a batch: measured alike whether they became objects or not, and put together again in their order."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
import shapely

from cropstack.labels.batch_geometry import BatchGeometry, batch_geometry, buffers_of, with_repaired

FIELD = shapely.box(0, 0, 100, 80)
RING = FIELD.buffer(10).difference(FIELD)
BOW = shapely.Polygon([(0, 0), (100, 100), (100, 0), (0, 100)])
SHAPES = [FIELD, None, RING, shapely.MultiPolygon([FIELD]), BOW, shapely.Polygon(), FIELD]
WKB = pa.chunked_array([pa.array(shapely.to_wkb(SHAPES, byte_order=1), pa.binary())])


def take_up(column: pa.ChunkedArray) -> BatchGeometry:
    return batch_geometry(
        column, lambda some: np.asarray(shapely.from_wkb(some.to_numpy(zero_copy_only=False)), object)
    )


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_what_is_measured_is_what_geos_measures(kind: pa.DataType) -> None:
    found = take_up(WKB.cast(kind))
    assert found.is_plain.tolist() == [True, False, False, True, False, False, True]
    np.testing.assert_array_equal(found.area_m2, shapely.area(SHAPES))
    np.testing.assert_array_equal(found.box, shapely.bounds(SHAPES))
    assert found.others.tolist() == [None, RING, BOW, shapely.Polygon()]


def test_rows_of_a_slice_in_pieces_are_the_same() -> None:
    whole = pa.chunked_array([WKB.chunk(0)[:3], WKB.chunk(0)[3:]])
    found = take_up(whole[1:6])
    assert found.is_plain.tolist() == [False, False, True, False, False]
    np.testing.assert_array_equal(found.box, shapely.bounds(SHAPES[1:6]))


def test_bytes_below_a_null_are_no_geometry() -> None:
    _, offsets, data = WKB.chunk(0).buffers()
    nothing = pa.py_buffer(bytes(1))  # a bitmap that says null seven times
    found = take_up(pa.chunked_array([pa.BinaryArray.from_buffers(pa.binary(), len(SHAPES), [nothing, offsets, data])]))
    assert not found.is_plain.any()
    assert found.others.tolist() == [None] * len(SHAPES)
    assert np.isnan(found.area_m2).all()


@pytest.mark.parametrize("some", [slice(0, 7), slice(0, 1), slice(1, 3), slice(0, 0)])
def test_repaired_geometries_stand_in_their_places(some: slice) -> None:
    found = take_up(WKB[some])
    repaired = np.array([shapely.Polygon() if other is None else other for other in found.others], object)
    wkb, offsets = with_repaired(found, repaired)
    expected = [shapely.Polygon() if shape is None else shape for shape in SHAPES[some]]
    expected = [shapely.get_geometry(one, 0) if one.geom_type == "MultiPolygon" else one for one in expected]
    pieces = [wkb[start:end].tobytes() for start, end in pairwise(offsets)]
    assert pieces == [shapely.to_wkb(shape, byte_order=1) for shape in expected]


def test_buffers_of_a_slice_begin_where_it_does() -> None:
    array = pa.array([b"a", b"bc", b"", b"def"], pa.large_binary())
    data, offsets = buffers_of(array[1:])
    assert [data[start:end].tobytes() for start, end in pairwise(offsets)] == [*(b"bc", b"", b"def")]
    assert buffers_of(array[:0])[1].tolist() == [0]
