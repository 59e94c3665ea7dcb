"""The panels of the embedding: which parcels stand in them, and how they are told apart."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from cropstack.legend import LegendClass
from cropstack.report.embedding import embedding

LEGEND = [
    LegendClass(1, "Wheat", "#e6ab02", (110,)),
    LegendClass(2, "Maize", "#f0e442", (120,)),
    LegendClass(3, "Peas", "#1b9e77", (770,)),
]


def some_inputs(path: Path, rows: int = 6) -> Any:
    table = pd.DataFrame(
        {
            "country": ["es_ct", "es_ct", "es_ct", "fr", "fr", "fr"],
            "year": [2019, 2019, 2020, 2019, 2019, 2019],
            "class": ["Wheat", "Maize", "Wheat", "Wheat", "Maize", "Maize"],
            "x": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
            "y": [0.0, 5.0, 1.0, 4.0, 2.0, 3.0],
            "split_scenario1": ["train", "val", "test", "train", "", "train"],
            "split_scenario2": ["train", "train", "train", "test", "test", "test"],
        }
    )
    table.iloc[:rows].to_parquet(path)
    return SimpleNamespace(legend=LEGEND, files=SimpleNamespace(embedding=path))


def counts(panel: dict[str, Any]) -> dict[str, int]:
    return {group["name"]: group["count"] for group in panel["groups"]}


def test_panels_are_those_of_figure_9(tmp_path: Path) -> None:
    classes, areas, *scenarios = embedding(some_inputs(tmp_path / "e.parquet"))["panels"]
    assert counts(classes) == {"1 Wheat": 3, "2 Maize": 3}  # no peas were laid out
    assert counts(areas) == {"es_ct 2019": 2, "es_ct 2020": 1, "fr 2019": 3}
    assert [panel["key"] for panel in scenarios] == ["scenario1", "scenario2"]
    assert [counts(panel) for panel in scenarios] == [{"train": 3, "test": 1}, {"train": 3, "test": 3}]


def test_each_parcel_is_a_mark_and_each_group_has_its_shape(tmp_path: Path) -> None:
    for panel in embedding(some_inputs(tmp_path / "e.parquet"))["panels"]:
        paths = re.findall(
            r'<path class="points"[^>]*marker-start="url\(#([^)]*)\)"[^>]* d="([^"]*)"', panel["drawing"]
        )
        assert sum(len(re.findall("[ML]", path)) for _, path in paths) == sum(counts(panel).values())
        shapes = re.findall(r'<marker id="[^"]*".*?d="([^"]*)"', panel["drawing"])
        assert len(set(shapes)) == len(shapes) == len(panel["groups"])


def test_marks_of_two_panels_do_not_share_a_name(tmp_path: Path) -> None:
    panels = embedding(some_inputs(tmp_path / "e.parquet"))["panels"]
    names = [name for panel in panels for name in re.findall(r'<marker id="([^"]*)"', panel["drawing"])]
    assert len(set(names)) == len(names)


def test_number_of_a_class_stands_in_its_middle(tmp_path: Path) -> None:
    drawing = embedding(some_inputs(tmp_path / "e.parquet"))["panels"][0]["drawing"]
    x, y = map(float, re.search(r'<text class="name" x="([\d.]+)" y="([\d.]+)"[^>]*>1</text>', drawing).groups())
    # Wheat lies at x 0, 2, 3 of 0 to 5, and at y 0, 1, 4 of 0 to 5 upwards, in a square of 8 to 352.
    assert (x, y - 4) == (8 + 2 / 5 * 344, 352 - 1 / 5 * 344)


def test_nothing_laid_out_is_said(tmp_path: Path) -> None:
    assert embedding(some_inputs(tmp_path / "e.parquet", rows=0)) == {"panels": [], "parcels": 0}
