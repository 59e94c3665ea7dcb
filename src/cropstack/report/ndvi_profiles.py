"""Section "NDVI": mean NDVI of each class through the year, by region and year (Sen4AgriNet's figure 5)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from markupsafe import Markup

from cropstack.legend import LegendClass
from cropstack.report.charts import Axis, Line, draw_line_key, draw_lines
from cropstack.report.inputs import Inputs

MONTHS = 12
RED, INFRARED = "B04", "B08"
COLUMNS = ["class_code"] + [
    f"{month:02d}_filled" if name == "filled" else f"{name}_{month:02d}_mean"
    for month in range(1, MONTHS + 1)
    for name in (RED, INFRARED, "filled")
]


@dataclass(frozen=True)
class Profile:
    """NDVI of a class in a region and year: number of parcels, mean and standard deviation, each by month (12,)."""

    count: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray


def ndvi_profiles(inputs: Inputs) -> dict[str, Any]:
    """Values of the section; none where there are no series of parcels with red and near infrared."""
    areas = sorted({(country, year) for country, _, year in inputs.tile_years})
    profiles = {area: read_profiles(_series(inputs, *area), inputs.legend) for area in areas}
    if not any(profiles.values()):
        return {}
    crops = [_crop(crop, [(area, profiles[area].get(crop.name)) for area in areas]) for crop in inputs.legend]
    return {
        "areas": [
            {"key": Markup(draw_line_key(position)), "name": f"{country} {year}: {inputs.name_of(country)}, {year}"}
            for position, (country, year) in enumerate(areas)
        ],
        "crops": [crop for crop in crops if crop["rows"]],
        "absent": [crop["name"] for crop in crops if not crop["rows"]],
        "months": [f"{month:02d}" for month in range(1, MONTHS + 1)],
    }


def _series(inputs: Inputs, country: str, year: int) -> list[Path]:
    return [inputs.files.composites[tile, y] for c, tile, y in inputs.tile_years if (c, y) == (country, year)]


def read_profiles(paths: list[Path], legend: list[LegendClass]) -> dict[str, Profile]:
    """Profiles by class of the parcels of several files; classes without a measured month are left out.

    A parcel's NDVI in a month is (B08 - B04) / (B08 + B04) of its monthly reflectances. Months that were interpolated
    for want of an acquisition are no measurement and do not count.
    """
    parts = [read_ndvi(path) for path in paths if set(COLUMNS) <= set(pq.read_schema(path).names)]
    if not parts:
        return {}
    codes, ndvi = np.concatenate([c for c, _ in parts]), np.concatenate([n for _, n in parts])
    found = {crop.name: ndvi[np.isin(codes, crop.codes)] for crop in legend}
    return {name: summarise_parcels(values) for name, values in found.items() if np.isfinite(values).any()}


def read_ndvi(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Class codes (n,) and NDVI (n, 12) float64 of the parcels of a file; NaN where a month has no measurement."""
    table = pq.read_table(path, columns=COLUMNS)
    ndvi = np.full((len(table), MONTHS), np.nan)
    for month in range(1, MONTHS + 1):
        red = table[f"{RED}_{month:02d}_mean"].to_numpy().astype(float)
        infrared = table[f"{INFRARED}_{month:02d}_mean"].to_numpy().astype(float)
        measured = ~table[f"{month:02d}_filled"].to_numpy() & (red + infrared > 0)
        np.divide(infrared - red, infrared + red, out=ndvi[:, month - 1], where=measured)
    return table["class_code"].to_numpy(), ndvi


def summarise_parcels(ndvi: np.ndarray) -> Profile:
    """Number, mean and standard deviation over parcels (n, 12); NaN in months that none has."""
    measured = np.isfinite(ndvi)
    count = measured.sum(axis=0)
    mean = np.full(MONTHS, np.nan)
    np.divide(np.where(measured, ndvi, 0).sum(axis=0), count, out=mean, where=count > 0)
    squares = np.where(measured, (ndvi - mean) ** 2, 0).sum(axis=0)
    variance = np.full(MONTHS, np.nan)
    np.divide(squares, count, out=variance, where=count > 0)
    return Profile(count, mean, np.sqrt(variance))


def _crop(crop: LegendClass, profiles: list[tuple[tuple[str, int], Profile | None]]) -> dict[str, Any]:
    lines = [_line(f"{country} {year}", profile) for (country, year), profile in profiles]
    months = Axis(1, MONTHS, [(month, "JFMAMJJASOND"[month - 1]) for month in range(1, MONTHS + 1)])
    ndvi = Axis(*_extent(lines), [(value / 10, f"{value / 10:.1f}") for value in range(-10, 11, 2)])
    ndvi = Axis(ndvi.low, ndvi.high, [tick for tick in ndvi.ticks if ndvi.low <= tick[0] <= ndvi.high])
    label = f"Mean NDVI of {crop.name} by month, region and year"
    return {
        "name": crop.name,
        "mark": crop.id,
        "drawing": Markup(draw_lines(label, lines, months, ndvi)),
        "rows": [_row(f"{country} {year}", profile) for (country, year), profile in profiles if profile],
    }


def _extent(lines: list[Line]) -> tuple[float, float]:
    """Lowest and highest of the spreads, widened to fifths; at least 0 to 1."""
    values = [value for line in lines for _, low, high in line.spread for value in (low, high)]
    return min(np.floor(5 * min(values, default=0)) / 5, 0.0), max(np.ceil(5 * max(values, default=1)) / 5, 1.0)


def _line(name: str, profile: Profile | None) -> Line:
    if profile is None:
        return Line(name, [])
    rows = [
        (month, float(mean), float(deviation))
        for month, mean, deviation in zip(range(1, MONTHS + 1), profile.mean, profile.deviation, strict=True)
        if np.isfinite(mean)
    ]
    return Line(name, [(m, mean) for m, mean, _ in rows], [(m, mean - sd, mean + sd) for m, mean, sd in rows])


def _row(area: str, profile: Profile) -> dict[str, Any]:
    cells = zip(profile.count.tolist(), profile.mean.tolist(), profile.deviation.tolist(), strict=True)
    return {
        "area": area,
        "key": area.replace(" ", "/"),
        "parcels": int(profile.count.max()),
        "cells": [{"count": n, "mean": f"{mean:.4f}", "deviation": f"{sd:.4f}"} for n, mean, sd in cells],
    }
