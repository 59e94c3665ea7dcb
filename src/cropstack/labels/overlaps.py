"""Parcels that overlap, found block by block over the ground so that only one block's geometries are in memory."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from cropstack.labels.shared_area import box_pairs, shared_areas

OVERLAP_AREA_M2 = 10.0  # ASSUME: overlaps below a tenth of a pixel at 10 m are left to rounding
PARCELS_AT_ONCE = 50_000
_WHOLE_PLANE = np.array([-np.inf, -np.inf, np.inf, np.inf])


def overlaps(
    box: np.ndarray,
    area_m2: np.ndarray,
    read: Callable[[np.ndarray], pa.LargeBinaryArray],
    *,
    parcels_at_once: int,
) -> list[tuple[int, int, float]]:
    """Pairs of parcels that share more than `OVERLAP_AREA_M2`: (smaller, larger, shared area in m²), sorted.

    The smaller one is drawn on top in label rasters; of two equal ones the later.

    Parameters
    ----------
    box : float64 (parcels, 4), bounds in m; area_m2 : float64 (parcels,).
    read : gives WKB of parcels by their indices.
    """
    found, shared = [np.zeros((0, 2), np.int64)], [np.zeros(0)]
    for rows, region in spatial_blocks(box, parcels_at_once=parcels_at_once):
        pairs = box_pairs(box[rows], region, OVERLAP_AREA_M2)
        turned = rows[pairs[:, 0]] > rows[pairs[:, 1]]
        pairs[turned] = pairs[turned, ::-1]  # which of two comes first must not depend on the block
        common = shared_areas(*_buffers(read(rows)), pairs)
        overlapping = common > OVERLAP_AREA_M2
        found.append(rows[pairs[overlapping]])
        shared.append(common[overlapping])
    left, right = np.concatenate(found).T
    swap = area_m2[left] < area_m2[right]
    smaller, larger = np.where(swap, left, right), np.where(swap, right, left)
    return sorted(zip(smaller.tolist(), larger.tolist(), np.concatenate(shared).tolist(), strict=True))


def spatial_blocks(box: np.ndarray, *, parcels_at_once: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The boxes that reach into a region, as indices sorted by left side, and the region; the regions part the plane.

    A region with more than `parcels_at_once` boxes is halved at the median, unless too many lie on both sides.
    """
    waiting = [(np.argsort(box[:, 0], kind="stable"), _WHOLE_PLANE)]
    while waiting:
        rows, region = waiting.pop()
        if len(rows) <= parcels_at_once:
            yield rows, region
            continue
        corner = box[rows, :2]
        axis = int(np.argmax(np.ptp(corner, axis=0)))
        cut = np.median(corner[:, axis])
        below, above = rows[corner[:, axis] < cut], rows[box[rows, axis + 2] >= cut]
        if max(len(below), len(above)) > 0.9 * len(rows):
            yield rows, region
            continue
        lower, upper = region.copy(), region.copy()
        lower[axis + 2] = upper[axis] = cut
        waiting += [(below, lower), (above, upper)]


def _buffers(wkb: pa.LargeBinaryArray) -> tuple[np.ndarray, np.ndarray]:
    """Bytes and offsets of the texts of an array that begins with its buffers."""
    _, offsets, data = wkb.buffers()
    if data is None or not len(wkb):
        return np.zeros(0, np.uint8), np.zeros(len(wkb) + 1, np.int64)
    return np.frombuffer(data, np.uint8), np.frombuffer(offsets, np.int64)[: len(wkb) + 1]
