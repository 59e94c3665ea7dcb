"""Section "Crops": hectares by class, mapped area, all classes that occur."""

import math
from collections import Counter
from typing import Any

from cropstack.legend import BACKGROUND, UNKNOWN
from cropstack.report.examples import classes_shown
from cropstack.report.inputs import Inputs
from cropstack.report.tables import Area, class_hectares

SMALLEST_HA = 0.01  # a pixel: where the logarithmic bars begin
TICK_POWERS = 2  # a tick every two powers of ten


def crops(inputs: Inputs) -> dict[str, Any]:
    """Values of the section."""
    pixels = {(area.country, area.year): _pixels(inputs, area.country, area.year) for area in inputs.areas}
    most = max((max(class_hectares(p, inputs.legend)) for p in pixels.values()), default=0.0)
    low = round(math.log10(SMALLEST_HA))
    top = low + TICK_POWERS * math.ceil(max(math.log10(max(most, 1)) - low, TICK_POWERS) / TICK_POWERS)
    return {
        "areas": [_area(inputs, area, pixels[area.country, area.year], top) for area in inputs.areas],
        "ticks": [f"{10.0**power:g}" if power <= 4 else f"1e{power}" for power in range(low, top + 1, TICK_POWERS)],
        "taxonomy": _taxonomy(inputs, pixels),
    }


def _pixels(inputs: Inputs, country: str, year: int) -> Counter[int]:
    return sum((Counter(patch.pixels) for patch in inputs.patches_of(country, year)), Counter())


def _area(inputs: Inputs, area: Area, pixels: dict[int, int], top: int) -> dict[str, Any]:
    bars = zip(classes_shown(inputs.legend), class_hectares(pixels, inputs.legend), strict=True)
    return {
        "name": f"{inputs.name_of(area.country)}, {area.year}",
        "key": f"{area.country}/{area.year}",
        "parcels": area.parcels,
        "declared_ha": area.area_m2 / 10_000,
        "mapped_share": round(area.mapped_share, 6),
        "unknown": area.classes.get(UNKNOWN, (0, 0.0))[0],
        "bars": [
            {"mark": mark, "name": name, "colour": colour, "hectares": round(ha, 2), "percent": log_percent(ha, top)}
            for (mark, name, colour), ha in bars
        ],
    }


def log_percent(value_ha: float, top: int) -> float:
    """Length of a bar in percent, from a pixel (0.01 ha) at 0 to 10 to the power `top` at 100."""
    if value_ha <= 0:
        return 0
    low = math.log10(SMALLEST_HA)
    return round(max(100 * (math.log10(value_ha) - low) / (top - low), 0.5), 1)


def _taxonomy(inputs: Inputs, pixels: dict[tuple[str, int], Counter[int]]) -> list[dict[str, Any]]:
    codes = {code for area in inputs.areas for code in area.classes} | {code for p in pixels.values() for code in p}
    rows = []
    for code in sorted(codes - {BACKGROUND}):
        cells = [
            {
                "parcels": area.classes.get(code, (0, 0.0))[0],
                "hectares": pixels[area.country, area.year][code] / 100,
            }
            for area in inputs.areas
        ]
        rows.append({"code": code, "name": inputs.classes[code].name, "cells": cells})
    return rows
