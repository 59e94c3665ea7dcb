"""Section "Patches": true colour beside labels, and the colours of labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cropstack.legend import BACKGROUND, UNKNOWN, LegendClass
from cropstack.report.images import class_marks, jpeg_uri, label_picture, png_uri, true_colour
from cropstack.report.inputs import Inputs
from cropstack.report.patches import Patch, read_labels, read_season

OTHER = ("+", "other crops", "#9aa0a6")  # mark, name and colour, as a class of the legend has them
UNKNOWN_CROP = ("?", "unknown crop", "#3b3f45")
NO_PARCEL = ("", "no parcel", "#f4f1e8")
DATES, EXAMPLE_PATCHES, MARKS = 4, 6, 18


def classes_shown(legend: Sequence[LegendClass]) -> list[tuple[str, str, str]]:
    """Mark, name and colour of each class of the legend, then of other and of unknown crops."""
    return [*((str(entry.id), entry.name, entry.colour) for entry in legend), OTHER, UNKNOWN_CROP]


def look(inputs: Inputs) -> dict[str, Any]:
    """Values of the section."""
    shown = [*classes_shown(inputs.legend), NO_PARCEL]
    return {
        "legend": [{"mark": mark, "name": name, "colour": colour} for mark, name, colour in shown],
        "examples": [_example(country, patch, inputs) for country, patch in choose_examples(inputs)],
    }


def choose_examples(inputs: Inputs) -> list[tuple[str, Patch]]:
    """For each country and year the patch with most classes of the legend, then most labelled pixels; at most six."""
    chosen = []
    for country, year in sorted({(country, year) for country, _, year in inputs.tile_years}):
        found = inputs.patches_of(country, year)
        best = sorted(found, key=lambda patch: (*_richness(patch, inputs.legend), patch.sample))[:1]
        chosen += [(country, patch) for patch in best]
    return chosen[:EXAMPLE_PATCHES]


def _richness(patch: Patch, legend: Sequence[LegendClass]) -> tuple[int, int]:
    classes = sum(any(code in patch.pixels for code in entry.codes) for entry in legend)
    return -classes, patch.pixels.get(BACKGROUND, 0)


def _example(country: str, patch: Patch, inputs: Inputs) -> dict[str, Any]:
    labels, parcels = read_labels(patch.path)
    times, bands = read_season(patch.path, dates=DATES)
    mark = _marks(inputs.legend)
    return {
        "sample": patch.sample,
        "area": inputs.name_of(country),
        "labels": png_uri(coloured(labels, inputs.legend)),
        "marks": [
            {"text": mark.get(code, OTHER[0]), "x": x, "y": y}
            for code, y, x in class_marks(labels, parcels, most=MARKS)
        ],
        "images": [
            {"date": f"{time:%-d %B %Y}", "uri": jpeg_uri(picture)}
            for time, picture in zip(times, true_colour(bands), strict=True)
        ],
    }


def _marks(legend: Sequence[LegendClass]) -> dict[int, str]:
    return {code: str(entry.id) for entry in legend for code in entry.codes} | {UNKNOWN: UNKNOWN_CROP[0]}


def coloured(labels: np.ndarray, legend: Sequence[LegendClass]) -> np.ndarray:
    """Colour a raster of class codes by a legend: uint8 (y, x, 3)."""
    colours = {code: entry.colour for entry in legend for code in entry.codes} | {UNKNOWN: UNKNOWN_CROP[2]}
    return label_picture(labels, colours, other=OTHER[2], background=NO_PARCEL[2])


def mosaic(patches: Sequence[Patch]) -> np.ndarray:
    """Put the previews of a tile's patches in their places: (y, x) class codes, 0 elsewhere."""
    side = 1 + max((max(patch.row, patch.column) for patch in patches), default=0)
    height, width = patches[0].preview.shape if patches else (1, 1)
    whole = np.zeros((side * height, side * width), np.uint16)
    for patch in patches:
        y, x = patch.row * height, patch.column * width
        whole[y : y + height, x : x + width] = patch.preview
    return whole
