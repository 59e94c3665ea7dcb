"""Parcels that overlap, found block by block over the ground so that only one block's geometries are in memory."""

from collections.abc import Callable, Generator

import numpy as np
import pyarrow as pa

from cropstack.labels.ahead import ahead
from cropstack.labels.batch_geometry import buffers_of
from cropstack.labels.shared_area import box_pairs, shared_areas

OVERLAP_AREA_M2 = 10.0  # ASSUME: overlaps below a tenth of a pixel at 10 m are left to rounding
PARCELS_AT_ONCE = 50_000


def overlaps(
    box: np.ndarray,
    area_m2: np.ndarray,
    read: Callable[[np.ndarray], pa.LargeBinaryArray],
    *,
    parcels_at_once: int,
    threads: int,
) -> list[tuple[int, int, float]]:
    """Pairs of parcels that share more than `OVERLAP_AREA_M2`: (smaller, larger, shared area in m²), sorted.

    The smaller one is drawn on top in label rasters; of two equal ones the later.

    Parameters
    ----------
    box : float64 (parcels, 4), bounds in m; area_m2 : float64 (parcels,).
    read : gives WKB of parcels by their indices; called in `threads` threads, one block each.
    """

    def of_block(block: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        rows, corner = block
        pairs = box_pairs(box[rows], corner, OVERLAP_AREA_M2)
        common = shared_areas(*buffers_of(read(rows)), pairs)
        overlapping = common > OVERLAP_AREA_M2
        return np.sort(rows[pairs[overlapping]], axis=1), common[overlapping]

    found, shared = [np.zeros((0, 2), np.int64)], [np.zeros(0)]
    with ahead(spatial_blocks(box, parcels_at_once=parcels_at_once), of_block, threads=threads) as blocks:
        for pairs, common in blocks:
            found.append(pairs)
            shared.append(common)
    left, right = np.concatenate(found).T
    swap = area_m2[left] < area_m2[right]
    smaller, larger = np.where(swap, left, right), np.where(swap, right, left)
    return sorted(zip(smaller.tolist(), larger.tolist(), np.concatenate(shared).tolist(), strict=True))


def spatial_blocks(box: np.ndarray, *, parcels_at_once: int) -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
    """Blocks of boxes: their indices, sorted by left side, and the lower left corner of the block's region.

    Regions part the plane; a block has the boxes that reach into its region. One with more than `parcels_at_once` is
    halved at the median, unless too many lie on both sides.
    """
    waiting = [(np.argsort(box[:, 0], kind="stable"), np.full(2, -np.inf))]
    while waiting:
        rows, corner = waiting.pop()
        if len(rows) <= parcels_at_once:
            yield rows, corner
            continue
        axis = int(np.argmax(np.ptp(box[rows, :2], axis=0)))
        cut = np.median(box[rows, axis])
        below, above = rows[box[rows, axis] < cut], rows[box[rows, axis + 2] >= cut]
        if max(len(below), len(above)) > 0.9 * len(rows):
            yield rows, corner
            continue
        of_above = corner.copy()
        of_above[axis] = cut
        waiting += [(below, corner), (above, of_above)]
