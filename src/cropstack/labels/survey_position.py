"""Where a LUCAS point lies: its identifier is its place on the grid, and tells how published coordinates are meant.

POINT_ID is the easting and the northing of the theoretical point in km, four digits each, in EPSG:3035: 38863060 is
(3886 km, 3060 km). SOURCE: Eurostat, LUCAS 2018 technical reference document C1, the 2 km grid; the positions of the
published rows lie within millimetres of it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pyproj import CRS, Transformer

GRID = CRS("EPSG:3035")
EUROPE = (-35.58, 24.6, 44.83, 84.73)  # west, south, east, north. SOURCE: EPSG registry, area of use of EPSG:3035
_TO_GRID = Transformer.from_crs("EPSG:4326", GRID, always_xy=True)
_TO_DEGREES = Transformer.from_crs(GRID, "EPSG:4326", always_xy=True)


@dataclass(frozen=True)
class Reading:
    """One way to read two numbers as a position, one entry a row.

    Attributes
    ----------
    longitude, latitude : float64 degrees, signed.
    reason : index of `REASONS`; 0 is as published, signed.
    distance_m : from where the row should lie; infinite where no reading is a position in Europe, NaN where blank.
    """

    longitude: np.ndarray
    latitude: np.ndarray
    reason: np.ndarray
    distance_m: np.ndarray


REASONS = [
    "",
    "wrong_sign",
    "swapped_axes",
    "swapped_axes wrong_sign",
    "metres_as_degrees",
    "metres_as_degrees swapped_axes",
]


def grid_nodes(point_id: np.ndarray) -> np.ndarray:
    """Easting and northing in m, float64 (n, 2), of identifiers as text.

    NaN where one is not eight digits, or lies outside `EUROPE`.
    """
    is_id = np.array([re.fullmatch(r"[0-9]{8}", text) is not None for text in point_id], bool)
    numbers = np.where(is_id, point_id, "0").astype(np.int64)
    nodes = np.column_stack([numbers // 10_000, numbers % 10_000]) * 1000.0
    longitude, latitude = to_degrees(nodes)
    west, south, east, north = EUROPE
    inside = (west <= longitude) & (longitude <= east) & (south <= latitude) & (latitude <= north)
    nodes[~(is_id & inside)] = np.nan
    return nodes


def to_degrees(nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude of grid nodes."""
    longitude, latitude = _TO_DEGREES.transform(nodes[:, 0], nodes[:, 1])
    return np.asarray(longitude), np.asarray(latitude)


def best_reading(
    longitude: np.ndarray,
    latitude: np.ndarray,
    nodes: np.ndarray,
    *,
    margin_m: float,
    is_west: np.ndarray | None = None,
) -> Reading:
    """The reading nearest to the grid nodes; another one than as published must be nearer by more than `margin_m`.

    Parameters
    ----------
    longitude, latitude : float64 as published, NaN where blank.
    nodes : float64 (n, 2) in EPSG:3035.
    is_west : where a longitude is published without sign and lies west of Greenwich; None where all have signs.
    """
    signed = longitude if is_west is None else np.where(is_west, -np.abs(longitude), longitude)
    readings = list(_readings(longitude, latitude, signed))
    places = [_TO_GRID.transform(*reading) for reading in readings]
    away = np.array([np.hypot(x - nodes[:, 0], y - nodes[:, 1]) for x, y in places])
    blank = np.isnan(longitude) | np.isnan(latitude)
    away[np.isnan(away)] = np.inf
    cost = away + np.array([0.0, *[margin_m] * (len(readings) - 1)])[:, None]
    reason, each = cost.argmin(axis=0), np.arange(len(longitude))
    chosen = np.array(readings)[reason, :, each]
    distance = np.where(blank, np.nan, away[reason, each])
    return Reading(chosen[:, 0], chosen[:, 1], reason, distance)


def _readings(
    longitude: np.ndarray, latitude: np.ndarray, signed: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Longitudes and latitudes in the order of `REASONS`; infinite where they are none."""
    yield _on_earth(signed, latitude)
    yield _on_earth(-signed, latitude)
    yield _on_earth(latitude, longitude)
    yield _on_earth(-latitude, longitude)
    yield _from_metres(longitude, latitude)
    yield _from_metres(latitude, longitude)


def _on_earth(longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    is_place = (np.abs(longitude) <= 180) & (np.abs(latitude) <= 90)
    return np.where(is_place, longitude, np.inf), np.where(is_place, latitude, np.inf)


def _from_metres(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    is_grid = (np.abs(x) > 180) & (np.abs(y) > 180)
    longitude, latitude = _TO_DEGREES.transform(np.where(is_grid, x, np.inf), np.where(is_grid, y, np.inf))
    return np.asarray(longitude), np.asarray(latitude)
