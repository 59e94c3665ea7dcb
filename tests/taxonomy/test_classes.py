"""The crosswalk between the classes, HCAT and LUCAS: what one table says of a crop, the other says as well."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from cropstack.legend import HCAT_COLUMNS, UNKNOWN, CropClass, read_classes, read_table

ROOT = Path(__file__).parents[2]
CLASSES = read_classes(ROOT / "taxonomy/classes.csv")
HCAT = {row["hcat"]: row for row in read_table(ROOT / "taxonomy/hcat3.csv", HCAT_COLUMNS)}
LUCAS = [row["code"] for row in read_table(ROOT / "taxonomy/codes/lucas_lc1.csv", ["code", "name", "group"])]
REST = {930, 980, 981, 982}  # other herbs, other crops: where HCAT puts a crop that it has no code for


def class_of(hcat: str) -> int:
    return int(HCAT[hcat]["class_code"])


def line_of(code: int) -> list[int]:
    """The class, its parent, the parent's parent."""
    line = [code]
    while (parent := CLASSES[line[-1]].parent) is not None:
        line.append(parent)
    return line


def test_the_sources_count_as_in_the_paper() -> None:
    counts = Counter(crop.source for crop in CLASSES.values())
    assert counts == {"FAO ICC": 161, "CLC": 4, "fallow": 1, "barren": 1, "no data": 1}
    assert (CLASSES[975].source, CLASSES[976].source, CLASSES[977].source) == ("fallow", "barren", "no data")


def test_hcat3_has_its_384_codes_each_once() -> None:
    rows = read_table(ROOT / "taxonomy/hcat3.csv", HCAT_COLUMNS)
    assert len(rows) == len(HCAT) == 384
    assert list(HCAT) == sorted(HCAT)


def test_every_hcat_code_has_a_class_of_the_taxonomy() -> None:
    assert {class_of(hcat) for hcat in HCAT} <= set(CLASSES)


def test_only_hcats_own_unknown_is_unknown() -> None:
    assert [row["name"] for row in HCAT.values() if int(row["class_code"]) == UNKNOWN] == ["not_known_and_other"]


def test_a_season_is_the_crop() -> None:
    seasons = [
        hcat
        for hcat, row in HCAT.items()
        if row["name"].startswith(("winter_", "spring_", "summer_", "unspecified_season_"))
    ]
    assert len(seasons) == 47
    for hcat in seasons:
        assert class_of(hcat) == class_of(hcat[:8] + "00"), HCAT[hcat]["name"]


@pytest.mark.parametrize("crop", [one for one in CLASSES.values() if one.hcat3], ids=lambda crop: str(crop.code))
def test_a_class_comes_back_from_hcat_as_itself_or_its_line(crop: CropClass) -> None:
    assert crop.hcat3 is not None
    back = class_of(crop.hcat3)
    assert back in line_of(crop.code) or crop.code in line_of(back) or back in REST


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("common_soft_wheat", 110), ("durum_hard_wheat", 110), ("triticale", 170), ("green_silo_maize", 120),
        ("sugar_beet", 810), ("alfalfa_lucerne", 911), ("pasture_meadow_grassland_grass", 912), ("buckwheat", 192),
        ("fallow_land_not_crop", 975), ("tree_wood_forest", 972), ("ricinus_castor", 431), ("piper_pepper", 624),
        ("bell_pepper_paprika", 621), ("flax_linen", 923), ("flax_linseed_oil", 432),
    ],
)  # fmt: skip
def test_known_crops_have_their_class(name: str, code: int) -> None:
    assert [int(row["class_code"]) for row in HCAT.values() if row["name"] == name] == [code]


def test_classes_without_hcat_are_those_that_hcat_has_not() -> None:
    assert [crop.name for crop in CLASSES.values() if crop.hcat3 is None] == [
        "Cassava", "Yams", "Other crops and Classes", "Other Classes", "Artificial Surfaces", "Water bodies",
        "Baren land", "No Data Available",
    ]  # fmt: skip


def test_lucas_codes_are_those_of_2018() -> None:
    assert {lc1 for crop in CLASSES.values() for lc1 in crop.lucas_lc1} <= set(LUCAS)


def test_a_parent_has_the_lucas_codes_of_its_children() -> None:
    for crop in CLASSES.values():
        if crop.parent is not None:
            assert set(crop.lucas_lc1) <= set(CLASSES[crop.parent].lucas_lc1), crop.name


def test_lucas_crops_have_a_class() -> None:
    headings = {"B10", "B20", "B30", "B40", "B50", "B70", "B80"}
    taken = {lc1 for crop in CLASSES.values() for lc1 in crop.lucas_lc1}
    assert {lc1 for lc1 in LUCAS if lc1[0] == "B"} - headings <= taken


@pytest.mark.parametrize("cc", ["es_ct", "fr"])
def test_differences_between_a_country_and_hcat_are_noted(cc: str) -> None:
    with open(ROOT / f"taxonomy/countries/{cc}/crops.csv", encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["class_code"] != "exclude" and row["hcat"]]
    differing = [row for row in rows if class_of(row["hcat"]) not in line_of(int(row["class_code"]))]
    assert [row["code"] for row in differing if not HCAT[row["hcat"]]["note"]] == []


def test_hcat3_is_the_published_list(realdata: Path) -> None:
    path = realdata.parent / "reference/eurocrops/HCAT3.csv"
    if not path.is_file():
        pytest.skip(f"no HCAT3 at {path}")
    with open(path, encoding="utf-8", newline="") as handle:
        published = {row["HCAT3_code"]: row["HCAT3_name"] for row in csv.DictReader(handle)}
    assert {hcat: row["name"] for hcat, row in HCAT.items()} == published
