"""What the page needs to read from patch files (Sen4AgriNet's layout)."""

from datetime import datetime
from pathlib import Path

import h5py
import numpy as np

TRUE_COLOUR = ("B04", "B03", "B02")
MIN_VALID_SHARE = 0.9  # of a date that is shown
BRIGHT = 1.5  # times its median: crops change blue by less, clouds by more
TIME_UNITS = {"microseconds": "us", "seconds": "s", "days": "D"}
SEASON = (3, 10)  # first and last month of the dates that are shown


def read_labels(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Class codes and parcel numbers of a patch, each (366, 366)."""
    with h5py.File(path) as file:
        return file["labels/labels"][:], file["parcels/parcels"][:]


def read_season(path: Path, *, dates: int) -> tuple[list[datetime], np.ndarray]:
    """The clearest acquisitions of a patch through the season.

    Returns
    -------
    sensing times and uint16 reflectance × 10 000 (time, 3, 366, 366) in the order red, green, blue: the season's
    acquisitions are cut into `dates` runs, and each run gives its least cloudy one.
    """
    with h5py.File(path) as file:
        time = file["B02/time"]
        times = decode_times(time[:], time.attrs["units"].decode())
        blue = file["B02/B02"]
        chosen = choose_dates(times, cloudiness(blue[:]), dates=dates)
        picture = np.stack([[file[f"{band}/{band}"][step] for band in TRUE_COLOUR] for step in chosen])
    return [times[step] for step in chosen], picture


def decode_times(values: np.ndarray, units: str) -> list[datetime]:
    """Times of a CF coordinate in ``<unit> since <date>``, UTC, without zone."""
    unit, _, epoch = units.partition(" since ")
    steps = values.astype(f"timedelta64[{TIME_UNITS[unit]}]")
    times: list[datetime] = (np.datetime64(epoch.replace(" ", "T"), "us") + steps).tolist()
    return times


def cloudiness(blue: np.ndarray) -> list[float]:
    """Share of each date's valid pixels that are much brighter than usual.

    Parameters
    ----------
    blue : (time, y, x) reflectance in blue, 0 is nodata.

    Returns
    -------
    For each date the share of pixels at least half as bright again as their median over all dates; infinite where too
    few of the pixels that ever are valid are so on that date.
    """
    pixels = blue.reshape(len(blue), -1).astype(np.float32)
    pixels = pixels[:, (pixels > 0).any(axis=0)]
    if not pixels.size:
        return [np.inf] * len(blue)
    pixels[pixels == 0] = np.nan
    bright = pixels >= BRIGHT * np.nanmedian(pixels, axis=0)
    valid = np.isfinite(pixels).mean(axis=1)
    share = bright.mean(axis=1) / np.maximum(valid, MIN_VALID_SHARE)
    return np.where(valid >= MIN_VALID_SHARE, share, np.inf).tolist()


def choose_dates(times: list[datetime], cloudy: list[float], *, dates: int) -> list[int]:
    """Indices, in order of time, of the least cloudy acquisition in each of `dates` runs of the season."""
    usable = [i for i, value in enumerate(cloudy) if np.isfinite(value)] or list(range(len(times)))
    season = [i for i in usable if SEASON[0] <= times[i].month <= SEASON[1]] or usable
    runs = np.array_split(np.array(sorted(season, key=lambda i: times[i])), dates)
    return [int(min(run, key=lambda i: (cloudy[i], i))) for run in runs if len(run)]
