"""Where the sun and the satellite stand over a tile: angles, swath and detectors of a Sentinel-2 overpass."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import ArrayLike, NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from cropstack.bands import Band
from cropstack.grid import pixel_centres
from cropstack.simulate.noise import Floats

SWATH_HALF_M = 145_000.0  # SOURCE: Sentinel-2 User Handbook: swath 290 km, 12 detectors, 786 km high, inclined 98.62°
DETECTORS = 12
HEIGHT_M = 786_000.0
EARTH_RADIUS_M = 6_371_000.0
INCLINATION_DEG = 98.62
EARTH_TURN_DEG = 3.5  # ASSUME: what the Earth's rotation adds to the track's tilt at the equator
BAND_SHIFT_M = 20.0  # ASSUME: the swath's edges of two bands that follow one another differ by this


@dataclass(frozen=True)
class Track:
    """The satellite's path over ground, a straight line in the tile's CRS.

    Attributes
    ----------
    x, y : a point under the satellite, m of the tile's CRS.
    tilt_deg : how far the path turns west of south as the satellite descends.
    """

    x: float
    y: float
    tilt_deg: float

    def across(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """Distance east of the path in m."""
        tilt = np.radians(self.tilt_deg)
        return np.asarray((np.asarray(x) - self.x) * np.cos(tilt) - (np.asarray(y) - self.y) * np.sin(tilt))

    def along(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """Distance flown since (`Track.x`, `Track.y`) in m, growing southwards."""
        tilt = np.radians(self.tilt_deg)
        return np.asarray(-(np.asarray(x) - self.x) * np.sin(tilt) - (np.asarray(y) - self.y) * np.cos(tilt))


def track_past(geobox: GeoBox, *, east_m: float) -> Track:
    """The path of a descending overpass that leaves the middle of a grid `east_m` to its east (negative: west)."""
    left, bottom, right, top = geobox.extent.boundingbox.bbox
    x, y = (left + right) / 2, (bottom + top) / 2
    latitude = np.radians(lon_lat(geobox, x, y)[1])
    lean = np.cos(np.radians(INCLINATION_DEG)) / np.cos(latitude)
    tilt = np.degrees(np.arcsin(-lean)) + EARTH_TURN_DEG * np.cos(latitude)
    return Track(x - east_m * np.cos(np.radians(tilt)), y + east_m * np.sin(np.radians(tilt)), float(tilt))


def lon_lat(geobox: GeoBox, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    """Longitude and latitude in degrees (EPSG:4326) of coordinates of a grid's CRS."""
    longitude, latitude = Transformer.from_crs(geobox.crs.to_epsg(), 4326, always_xy=True).transform(x, y)
    return np.asarray(longitude), np.asarray(latitude)


def detectors(track: Track, band: Band, x: ArrayLike, y: ArrayLike) -> NDArray[np.uint8]:
    """Number of the detector that sees a point, from 1 in the west to 12; 0 outside the swath."""
    across = track.across(x, y) - BAND_SHIFT_M * band.number
    number = np.floor((across + SWATH_HALF_M) / (2 * SWATH_HALF_M) * DETECTORS) + 1
    return np.where(np.abs(across) < SWATH_HALF_M, number, 0).astype(np.uint8)


def detector_raster(track: Track, band: Band, geobox: GeoBox) -> NDArray[np.uint8]:
    """Detector numbers of a grid's pixels, shape of the grid; 0 outside the swath."""
    x, y = pixel_centres(geobox)
    rows = [detectors(track, band, x[None, :], y[start : start + 512, None]) for start in range(0, len(y), 512)]
    return np.concatenate(rows)


def view_angles(track: Track, band: Band, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    """Zenith and azimuth (degrees, from north over east) of the direction from the ground to the satellite.

    Detectors look forward and backward in turn, the more so the higher the band's number.
    ASSUME: by 0.6 to 1.8 degrees, as in real metadata.
    """
    across = track.across(x, y)
    distance = np.abs(across)
    tilt = np.radians(track.tilt_deg)
    sideways = -np.sign(across) * np.degrees(np.arctan(distance / HEIGHT_M) + distance / EARTH_RADIUS_M)
    forward = np.where(detectors(track, band, x, y) % 2, 1.0, -1.0) * (0.6 + 0.1 * band.number)
    east = sideways * np.cos(tilt) - forward * np.sin(tilt)
    north = -sideways * np.sin(tilt) - forward * np.cos(tilt)
    return np.hypot(sideways, forward), np.degrees(np.arctan2(east, north)) % 360


def sun_angles(time: datetime, longitude: ArrayLike, latitude: ArrayLike) -> tuple[Floats, Floats]:
    """Zenith and azimuth (degrees, from north over east) of the sun at a UTC time.

    Source: J. Meeus, Astronomical Algorithms, chapter 25, low accuracy (0.01 degrees).
    """
    days = time.timestamp() / 86_400 - 10_957.5  # since J2000, 2000-01-01 12:00
    anomaly = np.radians(357.52911 + 0.98560028 * days)
    centre = 1.914602 * np.sin(anomaly) + 0.019993 * np.sin(2 * anomaly)
    ecliptic = np.radians(280.46646 + 0.98564736 * days + centre - 0.00569)
    tilt = np.radians(23.439291 - 3.563e-7 * days)
    declination = np.arcsin(np.sin(tilt) * np.sin(ecliptic))
    right_ascension = np.arctan2(np.cos(tilt) * np.sin(ecliptic), np.cos(ecliptic))
    sidereal = np.radians(280.46061837 + 360.98564736629 * days + np.asarray(longitude))
    hour, phi = sidereal - right_ascension, np.radians(latitude)
    height = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(hour)
    azimuth = np.arctan2(-np.sin(hour), np.cos(phi) * np.tan(declination) - np.sin(phi) * np.cos(hour))
    return np.degrees(np.arccos(height)), np.degrees(azimuth) % 360


def mean_angles(zenith: Floats, azimuth: Floats) -> tuple[float, float]:
    """Mean direction of several; azimuths on both sides of north do not cancel."""
    east, north = np.sin(np.radians(azimuth)).mean(), np.cos(np.radians(azimuth)).mean()
    return float(zenith.mean()), float(np.degrees(np.arctan2(east, north)) % 360)
