"""Section "Patches": true colour over a season beside labels and predictions, and the colours of labels."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cropstack.legend import BACKGROUND, UNKNOWN, LegendClass
from cropstack.report.descriptions import Patch
from cropstack.report.images import class_marks, jpeg_uri, label_picture, png_uri, rgb, true_colour
from cropstack.report.inputs import Inputs
from cropstack.report.patches import read_labels, read_season
from cropstack.report.predictions import NO_CLASS, codes_of, is_of_patches, predicted_patches, read_predicted
from cropstack.report.tables import spread

OTHER = ("+", "other classes", "#9aa0a6")  # mark, name and colour, as a class of the legend has them
UNKNOWN_CROP = ("?", "unknown crop", "#3b3f45")
NO_PARCEL = ("", "no parcel", "#f4f1e8")
UNTESTED = ("", "not tested", "#cfd6dd")
DATES, EXAMPLE_PATCHES, MARKS = 6, 6, 18
OVERVIEW_PATCHES = 2


def classes_shown(legend: Sequence[LegendClass]) -> list[tuple[str, str, str]]:
    """Mark, name and colour of each class of the legend, then of other and of unknown crops."""
    return [*((str(entry.id), entry.name, entry.colour) for entry in legend), OTHER, UNKNOWN_CROP]


def examples(inputs: Inputs) -> dict[str, Any]:
    """Values of the section."""
    model = next((folder for _, folder in sorted(inputs.files.experiments.items()) if is_of_patches(folder)), None)
    predicted = predicted_patches(model) if model else Counter[str]()
    shown = [*classes_shown(inputs.legend), NO_PARCEL, *([UNTESTED] if model else [])]
    return {
        "legend": [{"mark": mark, "name": name, "colour": colour} for mark, name, colour in shown],
        "model": model.name if model else "",
        "examples": [
            _example(country, patch, inputs, model if patch.sample in predicted else None)
            for country, patch in choose_examples(inputs, predicted)
        ],
    }


def few_examples(inputs: Inputs) -> list[dict[str, Any]]:
    """Labels beside one date of a few patches, for the overview: (country, patch) in the middle of the list."""
    chosen = spread(choose_examples(inputs, Counter()), OVERVIEW_PATCHES)
    return [_few(country, patch, inputs) for country, patch in chosen]


def _few(country: str, patch: Patch, inputs: Inputs) -> dict[str, Any]:
    """The clearest date of the season, stretched by itself."""
    return _example(country, patch, inputs, None, dates=1)


def choose_examples(inputs: Inputs, predicted: Counter[str]) -> list[tuple[str, Patch]]:
    """A patch for each country and year, at most six: most predicted, then most classes, then most labelled pixels."""
    chosen = []
    for country, year in spread(sorted({(country, year) for country, _, year in inputs.tile_years}), EXAMPLE_PATCHES):
        best = min(
            inputs.patches_of(country, year),
            key=lambda patch: (-predicted[patch.sample], *_richness(patch, inputs.legend), patch.sample),
            default=None,
        )
        chosen += [(country, best)] if best else []
    return chosen


def _richness(patch: Patch, legend: Sequence[LegendClass]) -> tuple[int, int]:
    classes = sum(any(code in patch.pixels for code in entry.codes) for entry in legend)
    return -classes, patch.pixels.get(BACKGROUND, 0)


def _example(country: str, patch: Patch, inputs: Inputs, model: Path | None, *, dates: int = DATES) -> dict[str, Any]:
    path = inputs.files.samples[patch.tile, patch.year] / f"{patch.sample}.nc"
    labels, parcels = read_labels(path)
    times, bands = read_season(path, dates=dates)
    mark = _marks(inputs.legend)
    return {
        "sample": patch.sample,
        "area": inputs.name_of(country),
        "labels": png_uri(coloured(labels, inputs.legend)),
        "marks": [
            {"text": mark.get(code, OTHER[0]), "x": x, "y": y}
            for code, y, x in class_marks(labels, parcels, most=MARKS)
        ],
        "prediction": _prediction(model, patch.sample, parcels, inputs.legend) if model else None,
        "images": [
            {"date": f"{time:%-d %B %Y}", "uri": jpeg_uri(picture)}
            for time, picture in zip(times, true_colour(bands), strict=True)
        ],
    }


def _prediction(model: Path, sample: str, parcels: np.ndarray, legend: list[LegendClass]) -> dict[str, Any]:
    """Picture of what a model predicted, its marks, and how much of it is right.

    Outside parcels and sub-patches that were predicted there is nothing to compare, and nothing is drawn.
    """
    predicted, truth = read_predicted(model, sample)
    known = truth != NO_CLASS
    codes = codes_of(np.where(parcels > 0, predicted, NO_CLASS), legend)
    picture = coloured(codes, legend)
    picture[predicted == NO_CLASS] = rgb(UNTESTED[2])
    mark = _marks(legend)
    return {
        "picture": png_uri(picture),
        "marks": [
            {"text": mark[code], "x": x, "y": y}
            for code, y, x in class_marks(codes, np.where(codes > 0, parcels, 0), most=MARKS)
            if code != BACKGROUND
        ],
        "pixels": int(known.sum()),
        "right": int((known & (predicted == truth)).sum()),
    }


def _marks(legend: Sequence[LegendClass]) -> dict[int, str]:
    return {code: str(entry.id) for entry in legend for code in entry.codes} | {UNKNOWN: UNKNOWN_CROP[0]}


def coloured(labels: np.ndarray, legend: Sequence[LegendClass]) -> np.ndarray:
    """Colour a raster of class codes by a legend: uint8 (y, x, 3)."""
    colours = {code: entry.colour for entry in legend for code in entry.codes} | {UNKNOWN: UNKNOWN_CROP[2]}
    return label_picture(labels, colours, other=OTHER[2], background=NO_PARCEL[2])
