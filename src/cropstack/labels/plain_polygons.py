"""Compiled kernel: polygons that plainly need no repair, which most parcels are. No step, so that it is cached."""

import numpy as np
from numba import njit

from cropstack.labels.normal_rings import HEADER_BYTES, POLYGON
from cropstack.labels.shared_area import MULTIPOLYGON, integer

_PART_BYTES = 9  # byte order, type and number of parts, before the first part
_LEAST_VERTICES = 5  # triangles are rare, and have no edges that do not follow each other
_MOST_VERTICES = 150  # every edge is held against every other; longer rings are left to GEOS, which sorts them
# SOURCE: Shewchuk (1997), Adaptive precision floating-point arithmetic, orient2d: beyond this the sign is right.
_SIGN_ERROR = (3 + 16 * 2.0**-53) * 2.0**-53
_UNDERFLOW = 1e-290


@njit(cache=True, nogil=True)
def plain_polygons(
    wkb: np.ndarray, offsets: np.ndarray, least_area: float, least_width: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Find polygons of one ring that are valid beyond doubt and no slivers; all others need GEOS to say what they are.

    Valid beyond doubt: two-dimensional, finite, closed, and no two edges come so near that rounding could hide that
    they meet.

    Parameters
    ----------
    wkb : uint8, WKB of any geometries in any dialect, one after the other.
    offsets : int64 (geometries + 1), where each begins.
    least_area, least_width : in the unit of the coordinates; smaller ones and narrower (2 x area / perimeter) are no
        plain polygons, nor are those within a millionth of it.

    Returns
    -------
    Which are plain (bool); where the WKB of the polygon begins (int64), behind the header of a multipolygon of one
    part; area (float64) and bounds (float64, (n, 4)), both as GEOS computes them and NaN where not plain.
    """
    number = len(offsets) - 1
    plain, starts = np.zeros(number, np.bool_), offsets[:-1].copy()
    areas, boxes = np.full(number, np.nan), np.full((number, 4), np.nan)
    ring, edges = np.empty((_MOST_VERTICES, 2)), np.empty((4, _MOST_VERTICES))
    ring_bytes = ring.reshape(-1).view(np.uint8)
    for row in range(number):
        start, end = offsets[row], offsets[row + 1]
        if end - start > _PART_BYTES and _is(wkb, start, MULTIPOLYGON):
            start += _PART_BYTES
        if end - start < HEADER_BYTES or not _is(wkb, start, POLYGON):
            continue
        count = integer(wkb, start + 9)
        if not _LEAST_VERTICES <= count <= _MOST_VERTICES or end - start != HEADER_BYTES + 16 * count:
            continue
        ring_bytes[: 16 * count] = wkb[start + HEADER_BYTES : end]
        if not _is_simple(ring[:count], edges):
            continue
        area, length = _area(ring[:count]), _length(ring[:count])
        if not (area > least_area * (1 + 1e-6) and 2 * area > least_width * (1 + 1e-6) * length):  # also of no numbers
            continue
        plain[row], starts[row], areas[row] = True, start, area
        boxes[row, 0], boxes[row, 1] = ring[:count, 0].min(), ring[:count, 1].min()
        boxes[row, 2], boxes[row, 3] = ring[:count, 0].max(), ring[:count, 1].max()
    return plain, starts, areas, boxes


@njit(cache=True, nogil=True)
def join_wkb(
    wkb: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    is_plain: np.ndarray,
    others: np.ndarray,
    others_offsets: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Put the WKB of rows that are plain, from `starts` to `ends`, and of the others, in their order, together.

    Returns
    -------
    The bytes (uint8) of all rows one after the other, and where each begins (int64, rows + 1).
    """
    offsets = np.zeros(len(is_plain) + 1, np.int64)
    other = 0
    for row in range(len(is_plain)):
        length = ends[row] - starts[row]
        if not is_plain[row]:
            length = others_offsets[other + 1] - others_offsets[other]
            other += 1
        offsets[row + 1] = offsets[row] + length
    result = np.empty(offsets[-1], np.uint8)
    other = 0
    for row in range(len(is_plain)):
        if is_plain[row]:
            result[offsets[row] : offsets[row + 1]] = wkb[starts[row] : ends[row]]
        else:
            result[offsets[row] : offsets[row + 1]] = others[others_offsets[other] : others_offsets[other + 1]]
            other += 1
    return result, offsets


@njit(cache=True, nogil=True)
def _is(wkb: np.ndarray, at: int, kind: int) -> bool:
    """Whether a little-endian geometry of one part begins here."""
    return wkb[at] == 1 and integer(wkb, at + 1) == kind and integer(wkb, at + 5) == 1


@njit(cache=True, nogil=True)
def _is_simple(ring: np.ndarray, edges: np.ndarray) -> bool:
    """Whether a ring of four edges or more is closed and certainly meets itself nowhere else.

    Edges that follow each other need no look: where they lie on each other, the one before or after meets one of them.
    `edges` is room for boxes, float64 (4, edges).
    """
    last = len(ring) - 1
    if ring[0, 0] != ring[last, 0] or ring[0, 1] != ring[last, 1]:
        return False
    for i in range(last):
        for axis in range(2):
            edges[axis, i] = min(ring[i, axis], ring[i + 1, axis])
            edges[axis + 2, i] = max(ring[i, axis], ring[i + 1, axis])
    for i in range(last - 2):
        end = last if i > 0 else last - 1
        if _is_any_near(edges, i, end) and not _is_apart_from(ring, i, end):
            return False
    return True


@njit(cache=True, nogil=True)
def _is_any_near(edges: np.ndarray, i: int, end: int) -> bool:
    """Whether the box of an edge from i + 2 on touches that of edge i; without a branch, so that it is vectorised."""
    left, bottom, right, top = edges[0, i], edges[1, i], edges[2, i], edges[3, i]
    lefts, bottoms = edges[0, i + 2 : end], edges[1, i + 2 : end]
    rights, tops = edges[2, i + 2 : end], edges[3, i + 2 : end]
    near = 0
    for j in range(len(lefts)):
        near |= (lefts[j] <= right) & (rights[j] >= left) & (bottoms[j] <= top) & (tops[j] >= bottom)
    return near != 0


@njit(cache=True, nogil=True)
def _is_apart_from(ring: np.ndarray, i: int, end: int) -> bool:
    """Whether edge i certainly meets none from i + 2 on."""
    a, b = ring[i], ring[i + 1]
    for j in range(i + 2, end):
        if not _are_apart(a[0], a[1], b[0], b[1], ring[j, 0], ring[j, 1], ring[j + 1, 0], ring[j + 1, 1]):
            return False
    return True


@njit(cache=True, nogil=True)
def _are_apart(ax: float, ay: float, bx: float, by: float, cx: float, cy: float, dx: float, dy: float) -> bool:
    """Whether one of the edges ab and cd lies certainly on one side of the other."""
    if _side(ax, ay, bx, by, cx, cy) * _side(ax, ay, bx, by, dx, dy) > 0:
        return True
    return _side(cx, cy, dx, dy, ax, ay) * _side(cx, cy, dx, dy, bx, by) > 0


@njit(cache=True, nogil=True)
def _side(ax: float, ay: float, bx: float, by: float, cx: float, cy: float) -> int:
    """1 where c lies left of the line from a to b, -1 right of it, 0 where rounding leaves it open."""
    left, right = (ax - cx) * (by - cy), (ay - cy) * (bx - cx)
    doubt = _SIGN_ERROR * (abs(left) + abs(right)) + _UNDERFLOW
    if left - right > doubt:
        return 1
    return -1 if right - left > doubt else 0


@njit(cache=True, nogil=True)
def _area(ring: np.ndarray) -> float:
    """In the order of additions of GEOS, so that the last bit is the same."""
    total = 0.0
    for i in range(1, len(ring) - 1):
        total += (ring[i, 0] - ring[0, 0]) * (ring[i - 1, 1] - ring[i + 1, 1])
    return abs(total / 2)


@njit(cache=True, nogil=True)
def _length(ring: np.ndarray) -> float:
    total = 0.0
    for i in range(len(ring) - 1):
        total += np.sqrt((ring[i + 1, 0] - ring[i, 0]) ** 2 + (ring[i + 1, 1] - ring[i, 1]) ** 2)
    return total
