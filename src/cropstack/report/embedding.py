"""Section "Embedding": parcels in two dimensions by class, by region and year, and by split (the paper's figure 9)."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from cropstack.report.charts import POINTS, Group, draw_point_key, draw_points
from cropstack.report.inputs import Inputs

# Okabe and Ito's palette; shapes tell apart what comes after eight.
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999")
SPLIT_PREFIX = "split_"
DRAWN_SPLITS = {"train": "#0072b2", "test": "#009e73"}  # those that the paper draws, in the colours of the style sheet


def embedding(inputs: Inputs) -> dict[str, Any]:
    """Values of the section; `panels` is empty where too few parcels were laid out."""
    table = pd.read_parquet(inputs.files.embedding)
    if table.empty:
        return {"panels": [], "parcels": 0}
    panels = [_classes(table, inputs), _areas(table)]
    panels += [_splits(table, name) for name in table.columns if name.startswith(SPLIT_PREFIX)]
    return {"panels": panels, "parcels": len(table)}


def _classes(table: pd.DataFrame, inputs: Inputs) -> dict[str, Any]:
    chosen = [
        Group(f"{crop.id} {crop.name}", _shape(crop.id - 1), crop.colour, _points(here), label=str(crop.id))
        for crop in inputs.legend
        if len(here := table[table["class"] == crop.name])
    ]
    return _panel("class", "By class", chosen)


def _areas(table: pd.DataFrame) -> dict[str, Any]:
    chosen = []
    for number, ((country, year), here) in enumerate(table.groupby(["country", "year"], sort=True)):
        chosen.append(
            Group(f"{country} {year}", _shape(number), PALETTE[number % len(PALETTE)], _points(here)),
        )
    return _panel("area", "By region and year", chosen)


def _splits(table: pd.DataFrame, column: str) -> dict[str, Any]:
    scenario = column.removeprefix(SPLIT_PREFIX)
    chosen = [
        Group(split, number, colour, _points(table[table[column] == split]))
        for number, (split, colour) in enumerate(DRAWN_SPLITS.items())
    ]
    return _panel(scenario, f"Train and test of {scenario}", chosen)


def _panel(key: str, title: str, groups: Sequence[Group]) -> dict[str, Any]:
    return {
        "key": key,
        "title": title,
        "drawing": Markup(draw_points(f"Parcels in two dimensions. {title}", f"points-{key}-", groups)),
        "groups": [
            {"key": Markup(draw_point_key(group.shape, group.colour)), "name": group.name, "count": len(group.points)}
            for group in groups
        ],
    }


def _points(table: pd.DataFrame) -> list[tuple[float, float]]:
    return list(zip(table["x"].tolist(), table["y"].tolist(), strict=True))


def _shape(number: int) -> int:
    return number % len(POINTS)
