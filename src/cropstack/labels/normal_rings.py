"""Compiled kernel: the normal form of polygons of one ring, which most parcels are. No step, so that it is cached."""

import numpy as np
from numba import njit

from cropstack.labels.shared_area import integer, signed_area

POLYGON = 3
HEADER_BYTES = 13  # byte order, type, number of rings, number of vertices


@njit(cache=True, nogil=True)
def normal_rings(wkb: np.ndarray, offsets: np.ndarray, precision_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Round polygons and bring them into GEOS's normal form: clockwise, the lowest of the leftmost vertices first.

    Parameters
    ----------
    wkb : uint8, two-dimensional geometries as little-endian WKB, one after the other.
    offsets : int64 (geometries + 1), where each begins.

    Returns
    -------
    The same bytes with the polygons of one ring in normal form, and which those are (bool); others are left alone.
    """
    result = wkb.copy()
    done = np.zeros(len(offsets) - 1, np.bool_)
    room = 1
    for row in range(len(done)):
        room = max(room, (offsets[row + 1] - offsets[row]) // 16 + 1)
    ring, turned = np.empty((room, 2)), np.empty((room, 2))
    ring_bytes, turned_bytes = ring.reshape(-1).view(np.uint8), turned.reshape(-1).view(np.uint8)
    for row in range(len(done)):
        start, end = offsets[row] + HEADER_BYTES, offsets[row + 1]
        if end <= start or integer(wkb, offsets[row] + 1) != POLYGON or integer(wkb, offsets[row] + 5) != 1:
            continue
        count = (end - start) // 16
        ring_bytes[: 16 * count] = wkb[start:end]
        _turn(ring[:count], turned[:count], precision_m)
        result[start:end] = turned_bytes[: 16 * count]
        done[row] = True
    return result, done


@njit(cache=True, nogil=True)
def _turn(ring: np.ndarray, turned: np.ndarray, precision_m: float) -> None:
    """Round `ring` in place and write its normal form to `turned`."""
    first = 0
    for vertex in range(len(ring)):
        for axis in range(2):
            ring[vertex, axis] = np.rint(ring[vertex, axis] / precision_m) * precision_m
        x, y = ring[vertex]
        if x < ring[first, 0] or (x == ring[first, 0] and y < ring[first, 1]):
            first = vertex
    direction = -1 if signed_area(ring) > 0 else 1
    for vertex in range(len(ring)):
        turned[vertex] = ring[(first + direction * vertex) % (len(ring) - 1)]
