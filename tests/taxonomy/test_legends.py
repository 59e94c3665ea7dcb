"""One contract over all legends found, and what the published loaders say of theirs."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest

from cropstack.legend import Legend, gaps, read_any_legend, read_schemes, read_table

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "taxonomy/legends"
LEGENDS = sorted(path.stem for path in FOLDER.glob("*.csv"))
SCHEMES = read_schemes(ROOT / "taxonomy")
MOST_TOLD_APART = 12  # classes that a map can show to every reader
LEAST_DIFFERENCE = 20.0  # CIELAB 1976; 2.3 can just be seen side by side

# How a reader without red or green cones sees linear sRGB. SOURCE: Machado, Oliveira and Fernandes 2009, severity 1.
SEEN = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])


@pytest.fixture
def reference(realdata: Path) -> Path:
    """Folder of published tables, beside the real data."""
    folder = realdata.parent / "reference"
    if not folder.is_dir():
        pytest.skip(f"no reference tables at {folder}")
    return folder


def legend_of(name: str) -> Legend:
    return read_any_legend(FOLDER / f"{name}.csv", SCHEMES)


def ids_of(name: str) -> dict[str, int]:
    return {code: one.id for one in legend_of(name).classes for code in one.codes}


def left_out(name: str) -> list[str]:
    legend = legend_of(name)
    return gaps(legend, SCHEMES[legend.scheme])


def rows_of(table: Path) -> list[dict[str, str]]:
    with open(table, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


# --- every legend -------------------------------------------------------------------------------------


def test_there_are_the_legends_of_the_papers() -> None:
    assert {
        "breizhcrops9", "fusion12", "hcat", "sen4agrinet11", "sen4map_crops8_loader", "sen4map_crops8_paper",
        "sen4map_landcover9",
    } <= set(LEGENDS)  # fmt: skip


@pytest.mark.parametrize("name", LEGENDS)
def test_a_legend_takes_known_codes_each_once(name: str) -> None:
    legend = legend_of(name)
    taken = [code for one in legend.classes for code in one.codes]
    assert len(taken) == len(set(taken))
    assert len(taken) + len(left_out(name)) == len(SCHEMES[legend.scheme])


@pytest.mark.parametrize("name", [one for one in LEGENDS if len(legend_of(one).classes) <= MOST_TOLD_APART])
def test_every_reader_tells_the_colours_apart(name: str) -> None:
    classes = legend_of(name).classes
    for seen, matrix in SEEN.items():
        pairs = itertools.combinations(classes, 2)
        closest = min((distance(one.colour, other.colour, matrix), one.name, other.name) for one, other in pairs)
        assert closest[0] >= LEAST_DIFFERENCE, (seen, closest)


def distance(one: str, other: str, seen: np.ndarray) -> float:
    return float(np.linalg.norm(cielab(one, seen) - cielab(other, seen)))


def cielab(colour: str, seen: np.ndarray) -> np.ndarray:
    channels = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    ratio = XYZ @ np.clip(seen @ linear, 0, 1) / WHITE
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_black_and_white_are_a_hundred_apart() -> None:
    assert distance("#000000", "#ffffff", SEEN["all cones"]) == pytest.approx(100, abs=0.01)


# --- what the papers and loaders say ------------------------------------------------------------------


def test_breizhcrops_has_the_nine_classes_in_the_order_of_the_paper() -> None:
    assert [one.name for one in legend_of("breizhcrops9").classes] == [
        "Barley", "Wheat", "Rapeseed", "Corn", "Sunflower", "Orchards", "Nuts", "Permanent meadows",
        "Temporary meadows",
    ]  # fmt: skip
    assert ids_of("breizhcrops9") == {"3": 0, "1": 1, "5": 2, "2": 3, "6": 4, "20": 5, "22": 6, "18": 7, "19": 8}


def test_fusion_merges_temporary_into_permanent_meadows() -> None:
    ids = ids_of("fusion12")
    assert list(ids) == ["1", "2", "3", "4", "5", "8", "11", "16", "17", "18", "19", "20", "25"]
    assert ids["18"] == ids["19"] == 9
    assert max(ids.values()) == 11


def test_every_rpg_code_has_a_known_group() -> None:
    rows = read_table(ROOT / "taxonomy/codes/rpg_code.csv", ["code", "name", "group"])
    assert len(rows) == len({row["code"] for row in rows}) == 328
    assert {row["group"] for row in rows} == set(SCHEMES["rpg_group"])


def test_sen4map_land_cover_leaves_no_code_out() -> None:
    assert left_out("sen4map_landcover9") == []
    ids = ids_of("sen4map_landcover9")
    assert (ids["A22"], ids["A21"], ids["B55"], ids["C33"], ids["CXXE"], ids["BX1"]) == (1, 0, 2, 5, 5, 3)


def test_the_paper_of_sen4map_has_oilseeds_with_vegetables_and_the_loader_with_industrial_crops() -> None:
    paper, loader = ids_of("sen4map_crops8_paper"), ids_of("sen4map_crops8_loader")
    differing = {code: (paper.get(code), loader.get(code)) for code in sorted(set(paper) | set(loader))}
    assert {code: pair for code, pair in differing.items() if pair[0] != pair[1]} == {
        "B31": (3, 2), "B32": (3, 2), "B33": (3, 2), "C20": (6, None), "C30": (6, None),
    }  # fmt: skip


def test_hcat_leaves_out_what_is_no_crop() -> None:
    assert left_out("hcat") == ["3000000000", "3300000000", "3307000000", "3399000000"]


def test_breizhcrops_agrees_with_the_published_codes(reference: Path) -> None:
    ids = ids_of("breizhcrops9")
    published = {row["code_groupe"]: row["class_id"] for row in rows_of(reference / "breizhcrops_codes.csv")}
    assert {group: str(ids.get(group, "")) for group in published} == published


def test_fusion_agrees_with_the_published_classes(reference: Path) -> None:
    classes = legend_of("fusion12").classes
    published = [
        (int(row["class_index"]), row["merged_codes"].split("+"))
        for row in rows_of(reference / "croptypemapping_classes.csv")
    ]
    assert [(one.id, list(one.codes)) for one in classes] == published


@pytest.mark.parametrize(
    ("name", "table", "source"),
    [
        ("sen4map_landcover9", "sen4map_broad_legend.csv", "loader_land_cover"),
        ("sen4map_crops8_loader", "sen4map_crop_legend.csv", "loader_crops"),
    ],
)
def test_sen4map_agrees_with_its_loader_code_by_code(reference: Path, name: str, table: str, source: str) -> None:
    rows = [row for row in rows_of(reference / table) if row["legend_source"] == source and row["lucas_lc1"]]
    assert ids_of(name) == {row["lucas_lc1"]: int(row["class_id"]) for row in rows}


def test_sen4map_land_cover_agrees_with_the_patterns_of_the_paper(reference: Path) -> None:
    rows = [row for row in rows_of(reference / "sen4map_broad_legend.csv") if row["legend_source"] == "paper_table1"]
    longest = sorted(rows, key=lambda row: -len(row["lucas_lc1"].rstrip("*")))
    for code, number in ids_of("sen4map_landcover9").items():
        first = next(row for row in longest if code.startswith(row["lucas_lc1"].rstrip("*")))
        assert int(first["class_id"]) == number, code


def test_sen4map_crops_agree_with_the_table_of_the_paper(reference: Path) -> None:
    ids = ids_of("sen4map_crops8_paper")
    for row in rows_of(reference / "sen4map_crop_legend.csv"):
        if row["legend_source"] == "paper_table2":
            code = "B21" if row["description"] == "Potatoes" else row["lucas_lc1"]  # printed as B12, common wheat's
            assert ids[code] == int(row["class_id"]), row
