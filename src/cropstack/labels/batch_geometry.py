"""Geometries of a batch of parcels: polygons that plainly need no repair stay WKB, others become objects of GEOS.

Making an object of a polygon, asking whether it is valid and writing it again costs ten times what it takes to see that
nothing is wrong with it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely

from cropstack.labels.plain_polygons import join_wkb, plain_polygons
from cropstack.labels.repair import SLIVER_AREA_M2, SLIVER_WIDTH_M


@dataclass(frozen=True)
class BatchGeometry:
    """Geometries of any type, one entry a row.

    Attributes
    ----------
    is_plain : bool, polygons that need no repair: `plain_polygons`.
    wkb, starts, ends : uint8 and int64 (rows,), where it has the plain ones.
    others : shapely geometries of the rows that are not plain, in their order; None where null or not understood.
    area_m2 : float64, NaN where null or infinite.
    box : float64 (rows, 4), bounds; NaN where null or empty.
    """

    is_plain: np.ndarray
    wkb: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    others: np.ndarray
    area_m2: np.ndarray
    box: np.ndarray


def batch_geometry(wkb: pa.ChunkedArray, decode: Callable[[pa.Array], np.ndarray]) -> BatchGeometry:
    """Take up a column of WKB in a CRS in m; `decode` makes objects of the rows that are not plain."""
    column = wkb.combine_chunks().cast(pa.large_binary())
    data, offsets = buffers_of(column)
    is_plain, starts, area, box = plain_polygons(data, offsets, SLIVER_AREA_M2, SLIVER_WIDTH_M)
    is_plain &= column.is_valid().to_numpy(zero_copy_only=False)  # below a null there may be bytes
    others = decode(column.filter(pa.array(~is_plain)))
    with np.errstate(invalid="ignore"):  # coordinates that are no numbers have no area either
        area[~is_plain], box[~is_plain] = shapely.area(others), shapely.bounds(others)
    return BatchGeometry(is_plain, data, starts, offsets[1:], others, area, box)


def with_repaired(geometry: BatchGeometry, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Little-endian WKB of all rows (uint8), `others` in the place of those, and int64 (rows + 1) where each begins."""
    repaired = pa.array(shapely.to_wkb(others, byte_order=1), pa.large_binary())
    return join_wkb(geometry.wkb, geometry.starts, geometry.ends, geometry.is_plain, *buffers_of(repaired))


def buffers_of(wkb: pa.LargeBinaryArray) -> tuple[np.ndarray, np.ndarray]:
    """Bytes (uint8) of an array, and int64 (rows + 1) where each row begins."""
    _, offsets, data = wkb.buffers()
    if data is None or not len(wkb):
        return np.zeros(0, np.uint8), np.zeros(len(wkb) + 1, np.int64)
    return np.frombuffer(data, np.uint8), np.frombuffer(offsets, np.int64)[wkb.offset : wkb.offset + len(wkb) + 1]
