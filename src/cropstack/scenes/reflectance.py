"""From digital numbers to the reflectance of scene files, one patch at a time while it lies in the cache."""

import numpy as np

from cropstack.bands import FLAGS, NODATA_DN, SATURATED_DN


def to_reflectance(dn: np.ndarray, *, offset: int) -> tuple[np.ndarray, np.ndarray | None, int]:
    """Apply a band's radiometric offset.

    Parameters
    ----------
    dn : uint16, shape (y, x). 0 is nodata, 65535 saturated. Not changed.
    offset : 0 or negative; this band's RADIO_ADD_OFFSET as read from the product's own metadata.

    Returns
    -------
    values : uint16, same shape; reflectance × 10 000: 0 → 0, 65535 → 65535, else max(1, dn + offset).
    flags : uint8, the bits nodata and saturated; None where no pixel has either.
    clamped : number of pixels that became 1 because dn + offset was below.

    Source: PSD 14.9, radiometric offset of processing baseline 04.00 and later; the clamp is design.md §3.
    """
    lowest_kept = np.uint16(1 - offset)  # as unsigned numbers: no wider copy, no overflow
    shift = np.uint16(-offset)
    if dn.min() >= lowest_kept and dn.max() < SATURATED_DN:
        return (dn - shift if offset else dn), None, 0
    nodata, saturated = dn == NODATA_DN, dn == SATURATED_DN
    clamped = int(np.count_nonzero(dn < lowest_kept)) - int(np.count_nonzero(nodata))
    values = np.maximum(dn, lowest_kept)
    values -= shift
    values[nodata] = 0
    values[saturated] = SATURATED_DN
    flags = nodata * np.uint8(FLAGS["nodata"]) | saturated * np.uint8(FLAGS["saturated"])
    return values, flags if flags.any() else None, clamped
