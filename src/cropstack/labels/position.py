"""Whether parcels lie in their country, and what is wrong with their coordinates where they do not."""

import numpy as np
from pyproj import CRS, Transformer

from cropstack.errors import DeclarationError

_MAX_SHARE_OUTSIDE = 0.01  # ASSUME: more parcels outside the country than this mean a wrong CRS


def outside(box: np.ndarray, crs: CRS, bounds: list[float]) -> np.ndarray:
    """Bool: the middle of the box lies outside the country's bounds.

    Parameters
    ----------
    box : float64 (n, 4) in `crs`: left, bottom, right, top; NaN, as of null and empty geometries, counts as inside.
    bounds : west, south, east, north in degrees.
    """
    west, south, east, north = bounds
    x, y = (box[:, 0] + box[:, 2]) / 2, (box[:, 1] + box[:, 3]) / 2
    longitude, latitude = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)
    inside = (west <= longitude) & (longitude <= east) & (south <= latitude) & (latitude <= north)
    return np.asarray(~inside & ~np.isnan(x))


class Position:
    """Counts parcels outside their country, batch by batch: `away`, and those of them that swapped axes do not mend."""

    def __init__(self, crs: CRS, bounds: list[float]) -> None:
        self.crs, self.bounds = crs, bounds
        self.count = self.away = self.away_swapped = 0
        self.box = np.array([np.inf, np.inf, -np.inf, -np.inf])

    def add(self, box: np.ndarray) -> np.ndarray:
        """Count one batch by the bounds of its parcels, float64 (n, 4); which of them lie outside (bool)."""
        self.count += len(box)
        is_away = outside(box, self.crs, self.bounds)
        away = box[is_away]
        self.away += len(away)
        self.away_swapped += int(outside(away[:, [1, 0, 3, 2]], self.crs, self.bounds).sum())
        self.box[:2] = np.fmin(self.box[:2], np.fmin.reduce(box[:, :2], initial=np.inf))
        self.box[2:] = np.fmax(self.box[2:], np.fmax.reduce(box[:, 2:], initial=-np.inf))
        return is_away

    def check(self, *, origin: str) -> None:
        """Refuse parcels of which more than a few lie outside their country.

        Raises
        ------
        DeclarationError : with the likely cause: degrees under a metric CRS, axes swapped, another CRS.
        """
        share = self.away / self.count
        if share <= _MAX_SHARE_OUTSIDE:
            return
        degrees = np.abs(self.box).max() <= 360
        if degrees and not self.crs.is_geographic:
            cause = "These are degrees under a metric CRS: ask the publisher, or correct the CRS of the file"
        elif self.crs.is_geographic and not degrees:
            cause = "These are metres under a CRS in degrees: ask the publisher, or correct the CRS of the file"
        elif self.away_swapped <= _MAX_SHARE_OUTSIDE * self.away:
            cause = "Its axes are swapped: x holds northings, y eastings"
        else:
            cause = "The CRS that the file names is not the one of its coordinates, or bounds in source.yaml are wrong"
        raise DeclarationError(
            f"{origin}: {share:.0%} of the parcels lie outside {self.bounds} (west, south, east, north in degrees); "
            f"their bounds are {np.round(self.box, 3).tolist()} in {self.crs.to_string()}. {cause}."
        )
