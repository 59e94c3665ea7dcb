"""Pixels of each class in each split, against pandas."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cropstack.legend import LegendClass
from cropstack.report.charts import bar_length
from cropstack.report.descriptions import Patch
from cropstack.report.distribution import areas_of, count_pixels, distribution

LEGEND = [LegendClass(1, "Cereals", "#000000", (110, 150)), LegendClass(2, "Grapes", "#111111", (330,))]
CODES = [0, 110, 150, 330, 520, 998]
SPLITS = ("train", "val", "test")


def some_inputs(seed: int = 5) -> Any:
    """Twelve patches of two tile-years and two scenarios, with random splits."""
    rng = np.random.default_rng(seed)
    patches = [
        Patch(tile, 2019, row, column, 9, dict(zip(CODES, rng.integers(0, 5000, len(CODES)).tolist(), strict=True)))
        for tile in ("31TCG", "31TCJ")
        for row in range(2)
        for column in range(3)
    ]
    splits = [
        {
            "scenario": scenario,
            "sample": patch.sample,
            "country": {"31TCG": "es_ct", "31TCJ": "fr"}[patch.tile],
            "year": "2019",
            "split": str(rng.choice(SPLITS)),
        }
        for scenario in ("scenario1", "scenario2")
        for patch in patches
    ]
    return SimpleNamespace(patches=patches, splits=splits, legend=LEGEND)


def test_pixels_by_class_and_split_equal_a_join_in_pandas() -> None:
    inputs = some_inputs()
    pixels = pd.DataFrame(
        [(patch.sample, code, count) for patch in inputs.patches for code, count in patch.pixels.items()],
        columns=["sample", "code", "pixels"],
    )
    pixels["class"] = pixels["code"].map({110: "Cereals", 150: "Cereals", 330: "Grapes"})
    joined = pd.DataFrame(inputs.splits).merge(pixels.dropna(), on="sample")
    expected = joined.groupby(["scenario", "class", "split"])["pixels"].sum()
    found = {
        (scenario, name, split): count
        for scenario, classes in count_pixels(inputs).items()
        for name, counts in classes.items()
        for split, count in counts.items()
        if count
    }
    assert found == expected.to_dict()


def test_class_that_no_patch_has_counts_0_in_every_split() -> None:
    inputs = some_inputs()
    inputs.legend = [*LEGEND, LegendClass(3, "Peas", "#222222", (770,))]
    assert count_pixels(inputs)["scenario1"]["Peas"] == {"train": 0, "val": 0, "test": 0}


def test_sample_that_was_rejected_adds_no_pixel() -> None:
    inputs = some_inputs()
    before = count_pixels(inputs)
    inputs.splits.append(inputs.splits[0] | {"sample": "2019_31TCG_patch_09_09"})
    assert count_pixels(inputs) == before


def test_bar_is_as_long_as_the_power_of_ten_and_one_pixel_is_still_seen() -> None:
    assert [bar_length(count, 40) for count in (0, 1, 10, 1000)] == pytest.approx([0, 1.5, 40, 120])


def test_bars_of_all_scenarios_share_an_axis_and_have_the_patterns_of_the_splits() -> None:
    values = distribution(some_inputs())
    first, second = (scenario["drawing"] for scenario in values["scenarios"])
    assert [first.count(f'fill="url(#{split})"') for split in SPLITS] == [2, 2, 2]  # a bar for each class
    assert [drawing.count('class="grid"') for drawing in (first, second)] == [6, 6]  # 1 to 1e5 in both


def test_areas_of_a_split_are_named_with_their_patches() -> None:
    rows = [("es_ct", "2019", "train"), ("es_ct", "2019", "train"), ("es_ct", "2020", "train"), ("fr", "2019", "test")]
    splits = [
        {"scenario": "scenario2", "country": country, "year": year, "split": split} for country, year, split in rows
    ]
    expected = {"train": ["es_ct 2019 (2)", "es_ct 2020 (1)"], "val": [], "test": ["fr 2019 (1)"]}
    assert areas_of(splits, "scenario2") == expected


def test_without_splits_there_is_no_section() -> None:
    inputs = some_inputs()
    inputs.splits = []
    assert distribution(inputs) == {}
