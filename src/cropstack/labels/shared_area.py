"""Compiled kernels: which boxes share an area, and the area that two polygons share. No step, so that they are cached.

A polygon is the signed sum of the strips under its edges. Two polygons share the sum, over pairs of their edges, of
what the strips have in common: the integral of the lower edge over the range that both cover. This has no special
cases (shared edges, corners, holes, parts), is continuous in the coordinates, and agrees with GEOS to rounding.
"""

import numpy as np
from numba import njit

MULTIPOLYGON = 6


@njit(cache=True, nogil=True)
def box_pairs(boxes: np.ndarray, corner: np.ndarray, least: float) -> np.ndarray:
    """Pairs of boxes that have more than `least` in common, int64 (pairs, 2), the further left first.

    Parameters
    ----------
    boxes : float64 (n, 4): left, bottom, right, top; sorted by left.
    corner : left, bottom. Only pairs whose common box has its lower left corner right of and above it count: the block
        that has the same pair beyond a cut leaves it to this one.
    """
    count = 0
    pairs = np.empty((max(16, 4 * len(boxes)), 2), np.int64)
    for i in range(len(boxes)):
        for j in range(i + 1, len(boxes)):
            left, bottom = boxes[j, 0], max(boxes[i, 1], boxes[j, 1])
            if left >= boxes[i, 2]:
                break
            width = min(boxes[i, 2], boxes[j, 2]) - left
            height = min(boxes[i, 3], boxes[j, 3]) - bottom
            if height <= 0 or width * height <= least:
                continue
            if left < corner[0] or bottom < corner[1]:
                continue
            if count == len(pairs):
                pairs = np.concatenate((pairs, np.empty_like(pairs)))
            pairs[count, 0], pairs[count, 1] = i, j
            count += 1
    return pairs[:count].copy()


@njit(cache=True, nogil=True)
def shared_areas(wkb: np.ndarray, offsets: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Area of the intersection of pairs of polygons, in the square of their unit.

    Parameters
    ----------
    wkb : uint8, two-dimensional Polygons and MultiPolygons as little-endian WKB, one after the other; valid, rings in
        any direction.
    offsets : int64 (polygons + 1), where each begins.
    pairs : int64 (pairs, 2), indices of polygons.

    Returns
    -------
    float64 (pairs,)
    """
    xy, forward, starts = _read_rings(wkb, offsets)
    boxes = _boxes(xy, starts)
    most = 0
    for polygon in range(len(starts) - 1):
        most = max(most, starts[polygon + 1] - starts[polygon])
    ours, theirs = np.empty((most, 5)), np.empty((most, 5))
    areas = np.zeros(len(pairs))
    low, high = np.empty(2), np.empty(2)
    for pair in range(len(pairs)):
        a, b = pairs[pair]
        for axis in range(2):
            low[axis] = max(boxes[a, axis], boxes[b, axis])
            high[axis] = min(boxes[a, axis + 2], boxes[b, axis + 2])
        if low[0] >= high[0] or low[1] >= high[1]:
            continue
        along = 0 if high[0] - low[0] <= high[1] - low[1] else 1  # few edges lie in the narrow range
        first = _edges_within(xy, forward, starts[a], starts[a + 1], along, low, high, ours)
        second = _edges_within(xy, forward, starts[b], starts[b + 1], along, low, high, theirs)
        areas[pair] = max(0.0, _sum_of_strips(ours[:first], theirs[:second]))
    return areas


# --- WKB --------------------------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def integer(wkb: np.ndarray, at: int) -> int:
    """The little-endian number of four bytes."""
    return int(wkb[at]) | int(wkb[at + 1]) << 8 | int(wkb[at + 2]) << 16 | int(wkb[at + 3]) << 24


@njit(cache=True, nogil=True)
def _read_rings(wkb: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices of all rings (n, 2); int8 (n,): 1 where the edge from a vertex has the polygon on its left, -1 where on
    its right, 0 where none begins (last of a ring); first vertex of each polygon (polygons + 1,).
    """
    room = len(wkb) // 16 + 1
    xy = np.empty((room, 2))
    as_bytes = xy.reshape(-1).view(np.uint8)
    forward = np.zeros(room, np.int8)
    starts = np.zeros(len(offsets), np.int64)
    vertex = 0
    for polygon in range(len(offsets) - 1):
        at = offsets[polygon]
        parts = 1
        if at < offsets[polygon + 1] and integer(wkb, at + 1) == MULTIPOLYGON:
            parts = integer(wkb, at + 5)
            at += 9
        for _ in range(parts if at < offsets[polygon + 1] else 0):
            rings = integer(wkb, at + 5)
            at += 9
            for ring in range(rings):
                count = integer(wkb, at)
                at += 4
                as_bytes[16 * vertex : 16 * (vertex + count)] = wkb[at : at + 16 * count]
                at += 16 * count
                is_left = (signed_area(xy[vertex : vertex + count]) > 0) == (ring == 0)
                if count > 0:
                    forward[vertex : vertex + count - 1] = 1 if is_left else -1
                vertex += count
        starts[polygon + 1] = vertex
    return xy[:vertex], forward[:vertex], starts


@njit(cache=True, nogil=True)
def signed_area(ring: np.ndarray) -> float:
    """Positive where the ring runs counter-clockwise."""
    total = 0.0
    for i in range(len(ring) - 1):
        x1, y1 = ring[i, 0] - ring[0, 0], ring[i, 1] - ring[0, 1]
        x2, y2 = ring[i + 1, 0] - ring[0, 0], ring[i + 1, 1] - ring[0, 1]
        total += x1 * y2 - x2 * y1
    return total / 2


@njit(cache=True, nogil=True)
def _boxes(xy: np.ndarray, starts: np.ndarray) -> np.ndarray:
    boxes = np.empty((len(starts) - 1, 4))
    boxes[:, :2], boxes[:, 2:] = np.inf, -np.inf
    for polygon in range(len(starts) - 1):
        for vertex in range(starts[polygon], starts[polygon + 1]):
            for axis in range(2):
                boxes[polygon, axis] = min(boxes[polygon, axis], xy[vertex, axis])
                boxes[polygon, axis + 2] = max(boxes[polygon, axis + 2], xy[vertex, axis])
    return boxes


# --- strips -----------------------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _edges_within(
    xy: np.ndarray,
    forward: np.ndarray,
    start: int,
    end: int,
    along: int,
    low: np.ndarray,
    high: np.ndarray,
    edges: np.ndarray,
) -> int:
    """Fill `edges` with (u1, v1, u2, v2, sign), u1 < u2, clipped to the range along u, relative to `low`; their number.

    The sign is that of the strip under the edge in the sum that makes the polygon.
    """
    count = 0
    width = high[along] - low[along]
    for vertex in range(start, end - 1):
        if forward[vertex] == 0:
            continue
        u1, v1 = xy[vertex, along] - low[along], xy[vertex, 1 - along] - low[1 - along]
        u2, v2 = xy[vertex + 1, along] - low[along], xy[vertex + 1, 1 - along] - low[1 - along]
        sign = -forward[vertex]
        if u1 > u2:
            u1, v1, u2, v2, sign = u2, v2, u1, v1, -sign
        if u1 == u2 or u1 >= width or u2 <= 0:
            continue
        slope = (v2 - v1) / (u2 - u1)
        if u2 > width:
            u2, v2 = width, v1 + slope * (width - u1)
        if u1 < 0:
            u1, v1 = 0.0, v1 - slope * u1
        edges[count, 0], edges[count, 1], edges[count, 2], edges[count, 3], edges[count, 4] = u1, v1, u2, v2, sign
        count += 1
    return count


@njit(cache=True, nogil=True)
def _sum_of_strips(ours: np.ndarray, theirs: np.ndarray) -> float:
    total = 0.0
    for i in range(len(ours)):
        u1, v1, u2, v2, sign = ours[i]
        slope = (v2 - v1) / (u2 - u1)
        for j in range(len(theirs)):
            p1, q1, p2, q2, other_sign = theirs[j]
            low, high = max(u1, p1), min(u2, p2)
            if high <= low:
                continue
            gradient = (q2 - q1) / (p2 - p1)
            a_low, a_high = v1 + slope * (low - u1), v1 + slope * (high - u1)
            b_low, b_high = q1 + gradient * (low - p1), q1 + gradient * (high - p1)
            total += sign * other_sign * (high - low) * _mean_of_lower(a_low, a_high, b_low, b_high)
    return total


@njit(cache=True, nogil=True)
def _mean_of_lower(a_low: float, a_high: float, b_low: float, b_high: float) -> float:
    """Mean over a range of the lower of two straight lines, given at its ends."""
    before, after = a_low - b_low, a_high - b_high
    if before <= 0 and after <= 0:
        return (a_low + a_high) / 2
    if before >= 0 and after >= 0:
        return (b_low + b_high) / 2
    share = before / (before - after)
    meeting = a_low + share * (a_high - a_low)
    return share * (min(a_low, b_low) + meeting) / 2 + (1 - share) * (meeting + min(a_high, b_high)) / 2
