"""The rule of section VI on counted pixels."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cropstack.errors import CropstackError, SampleError
from cropstack.samples.select_classes import select_classes, selection_rows


def test_common_classes_that_reach_999_in_1000_are_selected() -> None:
    es = Counter({110: 700, 120: 500, 435: 1, 330: 9000})
    fr = Counter({110: 1000, 120: 1798, 435: 1, 510: 1, 770: 3})
    rows = selection_rows({"es_ct": es, "fr": fr})
    # Common are wheat, maize and rapeseed, 4000 pixels; wheat and maize hold 3998 of them, more than 3996.
    assert rows == [
        (120, "es_ct", 500, "yes", "0.574500", "yes"), (120, "fr", 1798, "yes", "0.574500", "yes"),
        (110, "es_ct", 700, "yes", "0.999500", "yes"), (110, "fr", 1000, "yes", "0.999500", "yes"),
        (435, "es_ct", 1, "yes", "1.000000", "no"), (435, "fr", 1, "yes", "1.000000", "no"),
        (330, "es_ct", 9000, "no", "", "no"), (330, "fr", 0, "no", "", "no"),
        (770, "es_ct", 0, "no", "", "no"), (770, "fr", 3, "no", "", "no"),
        (510, "es_ct", 0, "no", "", "no"), (510, "fr", 1, "no", "", "no"),
    ]  # fmt: skip


def test_the_class_that_crosses_the_share_is_selected() -> None:
    rows = selection_rows({"fr": Counter({110: 998, 120: 1, 150: 1})})
    assert [row[-1] for row in rows] == ["yes", "yes", "no"]


def test_without_a_common_class_none_is_selected() -> None:
    rows = selection_rows({"es_ct": Counter({110: 5}), "fr": Counter({120: 5})})
    assert {row[-1] for row in rows} == {"no"}


def label_file(build: SimpleNamespace, path: Path, codes: list[int], **place: object) -> Path:
    """Labels whose first pixels have these codes, one each; the rest is background."""
    labels = np.zeros((366, 366), int)
    labels[0, : len(codes)] = codes
    return build.labels(path, labels, **place)


def test_pixels_add_up_over_the_tiles_and_years_of_a_country(
    build: SimpleNamespace, root: Path, tmp_path: Path
) -> None:
    tile_years = [["es_ct", "31TCG", 2019], ["es_ct", "31TCG", 2020], ["fr", "31TCJ", 2019]]
    files = [
        label_file(build, tmp_path / "a.nc", [110, 110, 998, 120]),
        label_file(build, tmp_path / "b.nc", [110, 330], year=2020),
        label_file(build, tmp_path / "c.nc", [110, 120, 998, 998], tile="31TCJ"),
    ]
    select_classes(files, root / "taxonomy/classes.csv", tmp_path / "out.csv", tile_years=tile_years)
    assert (tmp_path / "out.csv").read_text().splitlines() == [
        "code,name,country,pixels,common,cumulative_share,selected",
        "110,Wheat,es_ct,3,yes,0.666667,yes",
        "110,Wheat,fr,1,yes,0.666667,yes",
        "120,Maize,es_ct,1,yes,1.000000,yes",
        "120,Maize,fr,1,yes,1.000000,yes",
        "330,Grapes,es_ct,1,no,,no",
        "330,Grapes,fr,0,no,,no",
    ]


def test_wrong_inputs_are_named(build: SimpleNamespace, root: Path, tmp_path: Path) -> None:
    classes, place = root / "taxonomy/classes.csv", [["fr", "31TCJ", 2019]]
    for codes, options, text in (
        ([110], {}, "holds 31TCG 2019; expected 31TCJ 2019"),
        ([101], {"tile": "31TCJ"}, "hold the class 101, which .* does not"),
        ([998], {"tile": "31TCJ"}, "no pixel has a known class"),
    ):
        labels = label_file(build, tmp_path / "l.nc", codes, **options)
        with pytest.raises(SampleError, match=text):
            select_classes([labels], classes, tmp_path / "out.csv", tile_years=place)


@pytest.mark.parametrize("how", ["cut", "hole", "text"])
def test_damaged_labels_are_named(build: SimpleNamespace, root: Path, tmp_path: Path, how: str) -> None:
    labels = build.damage(label_file(build, tmp_path / "l.nc", [110, 120]), how)
    place = [["fr", "31TCG", 2019]]
    with pytest.raises(CropstackError, match=r"l\.nc: not readable as"):
        select_classes([labels], root / "taxonomy/classes.csv", tmp_path / "out.csv", tile_years=place)
