import csv
from collections import Counter, defaultdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cropstack.errors import ConfigError, CropstackError, LayoutError
from cropstack.files import add_bare_dimension, add_group, add_variable, create_netcdf, write_chunks
from cropstack.legend import LegendClass
from cropstack.splits.assign_splits import assign_splits, leakage
from cropstack.splits.patch_contents import PatchContent, read_patches, stratum_class

SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}
ALL = {"scenario1": {"train": "all", "test": "all"}}
PAPER = ALL | {
    "scenario2": {"train": {"es_ct": [2019, 2020]}, "test": {"fr": [2019]}},
    "scenario3": {"train": {"fr": [2019]}, "test": {"es_ct": [2020]}},
}
LEGEND = [LegendClass(1, "Wheat", "#000000", (110,)), LegendClass(2, "Maize", "#000000", (120, 121))]


def write_labels(path: Path, tile: str, year: int, classes: np.ndarray) -> Path:
    """A label file with one class code per patch, in its first rows as many as its number, and parcel 7 everywhere."""
    n = len(classes)
    labels = np.zeros((n * 366, n * 366), "u4")
    for row, column in np.ndindex(n, n):
        labels[row * 366 : row * 366 + 300, column * 366 : column * 366 + 366] = classes[row, column]
    with create_netcdf(path, {"tile": tile, "year": year, "country": "xx"}) as file:
        group = add_group(file, "r10m")
        for axis in ("y", "x"):
            add_bare_dimension(group, axis, n * 366)
        for name, dtype, raster in (("labels", "u4", labels), ("parcels", "i8", np.where(labels > 0, 7, 0))):
            variable = add_variable(group, name, ("y", "x"), dtype, chunks=(366, 366))
            write_chunks(variable, raster.astype(dtype))
    return path


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, root: Path) -> SimpleNamespace:
    """Table II in small: 4 × 4 patches of Catalonia in two years and of France; patch (0, 0) never has labels."""
    folder = tmp_path_factory.mktemp("splits")
    rng = np.random.default_rng(3)
    tile_years = [["es_ct", "31TCG", 2019], ["es_ct", "31TCG", 2020], ["fr", "31TCJ", 2019]]
    labels = []
    for _, tile, year in tile_years:
        classes = rng.choice([110, 120, 330, 998], (4, 4))
        classes[0, 0] = 0
        labels.append(write_labels(folder / f"{tile}_{year}_labels.nc", tile, year, classes))
    return SimpleNamespace(
        labels=labels, tile_years=tile_years, folder=folder, classes=root / "taxonomy/classes.csv",
        legend=root / "taxonomy/legends/sen4agrinet11.csv",
    )  # fmt: skip


def run(inputs: SimpleNamespace, path: Path, **changes: object) -> list[dict[str, str]]:
    options = {"tile_years": inputs.tile_years, "shares": SHARES, "scenarios": PAPER, "seed": 16} | changes
    pinned, labels = options.pop("pinned", []), options.pop("labels", inputs.labels)
    assign_splits(labels, inputs.legend, inputs.classes, pinned, path, **options)
    with open(path, newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def table(inputs: SimpleNamespace) -> Path:
    """splits.csv as the inputs give it."""
    run(inputs, inputs.folder / "splits.csv")
    return inputs.folder / "splits.csv"


@pytest.fixture(scope="module")
def rows(table: Path) -> list[dict[str, str]]:
    with open(table, newline="") as handle:
        return list(csv.DictReader(handle))


def of(rows: list[dict[str, str]], scenario: str) -> list[dict[str, str]]:
    return [row for row in rows if row["scenario"] == scenario]


def test_columns_and_order(rows: list[dict[str, str]]) -> None:
    assert list(rows[0]) == ["scenario", "sample", "country", "tile", "year", "row", "column", "split", "stratum"]
    keys = [(row["scenario"], row["sample"]) for row in rows]
    assert keys == sorted(set(keys))
    row = rows[0]
    assert row["sample"] == f"{row['year']}_{row['tile']}_patch_{int(row['row']):02d}_{int(row['column']):02d}"


def test_all_labelled_places_of_the_first_scenario_are_split_60_20_20(rows: list[dict[str, str]]) -> None:
    places = {(row["tile"], row["row"], row["column"]): row["split"] for row in of(rows, "scenario1")}
    assert len(places) == 30  # 15 a tile
    counts = Counter(places.values())
    assert abs(counts["train"] - 18) <= 2
    assert abs(counts["val"] - 6) <= 2
    assert abs(counts["test"] - 6) <= 2


def test_a_place_without_labels_is_no_sample(rows: list[dict[str, str]]) -> None:
    assert not [row for row in rows if (row["row"], row["column"]) == ("0", "0")]


def test_the_years_of_a_place_stay_together(rows: list[dict[str, str]]) -> None:
    for scenario in PAPER:
        splits = defaultdict(set)
        for row in of(rows, scenario):
            splits[row["tile"], row["row"], row["column"]].add(row["split"])
        assert all(len(found) == 1 for found in splits.values())
    years = Counter((row["row"], row["column"]) for row in of(rows, "scenario1") if row["tile"] == "31TCG")
    assert set(years.values()) == {2}


def test_a_transfer_trains_75_25_in_one_country_and_tests_all_of_the_other(rows: list[dict[str, str]]) -> None:
    for scenario, trained, tested in (
        ("scenario2", {("es_ct", "2019"), ("es_ct", "2020")}, {("fr", "2019")}),
        ("scenario3", {("fr", "2019")}, {("es_ct", "2020")}),
    ):
        here = of(rows, scenario)
        assert {(row["country"], row["year"]) for row in here if row["split"] != "test"} == trained
        assert {(row["country"], row["year"]) for row in here if row["split"] == "test"} == tested
        assert sum(row["split"] == "test" for row in here) == 15
        places = {(row["row"], row["column"]): row["split"] for row in here if row["split"] != "test"}
        counts = Counter(places.values())
        assert abs(counts["val"] - 15 / 4) <= 1.5
        assert counts["train"] + counts["val"] == 15


def test_a_further_tile_moves_no_place(inputs: SimpleNamespace, tmp_path: Path) -> None:
    few = run(inputs, tmp_path / "few.csv", labels=inputs.labels[:2], tile_years=inputs.tile_years[:2], scenarios=ALL)
    more = run(inputs, tmp_path / "more.csv", scenarios=ALL)
    assert few == [row for row in more if row["tile"] == "31TCG"]


def test_same_inputs_same_bytes_and_another_seed_another_split(
    inputs: SimpleNamespace, table: Path, tmp_path: Path
) -> None:
    run(inputs, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == table.read_bytes()
    run(inputs, tmp_path / "other.csv", seed=17)
    assert (tmp_path / "other.csv").read_bytes() != table.read_bytes()


def test_an_earlier_table_pins_its_places(inputs: SimpleNamespace, tmp_path: Path) -> None:
    earlier = run(inputs, tmp_path / "earlier.csv", seed=99)
    assert run(inputs, tmp_path / "pinned.csv", pinned=tmp_path / "earlier.csv") == earlier


def test_contradictory_pins_are_refused(inputs: SimpleNamespace, table: Path, tmp_path: Path) -> None:
    text = table.read_text()
    line = next(line for line in text.splitlines() if "scenario1,2019_31TCG" in line)
    split = line.split(",")[7]
    other = line.replace(f",{split},", ",val," if split != "val" else ",test,")
    pinned = tmp_path / "pinned.csv"
    pinned.write_text(text + other + "\n")
    with pytest.raises(ConfigError, match="has two splits; expected one"):
        run(inputs, tmp_path / "splits.csv", pinned=pinned)


def test_a_pin_that_the_scenario_rules_out_is_refused(inputs: SimpleNamespace, table: Path, tmp_path: Path) -> None:
    lines = table.read_text().splitlines()
    moved = [line.replace(",test,", ",train,") if line.startswith("scenario2,2019_31TCJ") else line for line in lines]
    pinned = tmp_path / "pinned.csv"
    pinned.write_text("\n".join(moved) + "\n")
    with pytest.raises(ConfigError, match=r'scenario2: .* has the split "train"; expected test'):
        run(inputs, tmp_path / "splits.csv", pinned=pinned)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"caf\xe9,row\n", "is no CSV in UTF-8"),
        (b"recipe,product\nsen4agrinet,A\n", "has no column scenario; expected a splits.csv"),
        (b"scenario,tile,row,column,split\nscenario1,31TCG,two,3,val\n", 'line 2 has row "two" and column "3"'),
        (b"scenario,tile,row,column,split\nscenario1,31TCG,2,,val\n", 'line 2 has row "2" and column ""'),
        (b"scenario,tile,row,column,split\nscenario1,31TCG,2\n", "row 2 has not the 5 columns of the header"),
        (b"scenario,tile,row,column,split\n", "pins no place of scenario1; expected"),
        (b"scenario,tile,row,column,split\nscenario1,29SND,1,1,val\n", "pins no place of scenario1"),
        (b"scenario,tile,row,column,split\nanother,31TCG,1,1,val\n", "pins no place of scenario1"),
    ],
)
def test_a_table_that_pins_nothing_is_refused(
    inputs: SimpleNamespace, tmp_path: Path, table: bytes, message: str
) -> None:
    (tmp_path / "pinned.csv").write_bytes(table)
    with pytest.raises(ConfigError, match=rf"pinned\.csv: {message}"):
        run(inputs, tmp_path / "splits.csv", pinned=tmp_path / "pinned.csv", scenarios=ALL)
    assert not (tmp_path / "splits.csv").exists()


def test_areas_that_share_a_tile_are_refused(inputs: SimpleNamespace, tmp_path: Path) -> None:
    scenarios = {"years": {"train": {"es_ct": [2019]}, "test": {"es_ct": [2020]}}}
    with pytest.raises(ConfigError, match="years: tile 31TCG both trains and tests, so 15 places"):
        run(inputs, tmp_path / "splits.csv", scenarios=scenarios)
    assert not (tmp_path / "splits.csv").exists()


def test_shares_must_add_up_to_one(inputs: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected numbers that add up to 1"):
        run(inputs, tmp_path / "splits.csv", shares={"train": 0.6, "val": 0.2, "test": 0.1})


def test_a_label_file_in_the_place_of_another_is_refused(inputs: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="holds 31TCJ 2019; expected 31TCG 2019"):
        run(inputs, tmp_path / "splits.csv", labels=inputs.labels[::-1])


@pytest.mark.parametrize("content", [b"", b"hello", None])
def test_a_damaged_label_file_is_named(inputs: SimpleNamespace, tmp_path: Path, content: bytes | None) -> None:
    data = inputs.labels[1].read_bytes()
    path = tmp_path / inputs.labels[1].name
    path.write_bytes(data[: len(data) // 2] if content is None else content)
    labels = [inputs.labels[0], path, inputs.labels[2]]
    with pytest.raises(CropstackError, match=rf"{path.name}: not readable as HDF5"):
        run(inputs, tmp_path / "splits.csv", labels=labels)


def test_the_log_counts_classes_and_cut_parcels(
    inputs: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(inputs, tmp_path / "splits.csv", scenarios=ALL)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("scenario1: ")
    assert [line.split()[0] for line in lines[1:12]][:3] == ["Wheat", "Maize", "Sorghum"]
    # parcel 7 of each tile-year covers all its patches, so it lies in several splits
    assert lines[12] == "scenario1: 0 places in two splits; 3 of 3 parcels lie in patches of two splits"


def test_a_place_in_two_splits_stops_the_step() -> None:
    """The years of a place belong together."""
    samples = [("es_ct", "31TCG", year, 0, 1) for year in (2019, 2020)]
    contents = {sample: PatchContent(Counter({110: 1}), np.array([1])) for sample in samples}
    together = dict.fromkeys(samples, "train")
    assert len(list(leakage("scenario1", together, contents))) == 1
    with pytest.raises(LayoutError, match=r"scenario1: 1 places are in two splits, the first \('31TCG', 0, 1\)"):
        list(leakage("scenario1", together | {samples[1]: "test"}, contents))


def test_pixels_and_parcels_of_a_patch(tmp_path: Path) -> None:
    path = write_labels(tmp_path / "labels.nc", "31TCG", 2019, np.array([[110, 0], [998, 120]]))
    found = read_patches(path, tile="31TCG", year=2019)
    assert found[0, 0].pixels == {110: 300 * 366}
    assert found[0, 1].pixels == {}
    assert found[0, 1].parcels.tolist() == []
    assert found[1, 0].pixels == {998: 300 * 366}
    assert found[1, 1].parcels.tolist() == [7]


def test_stratum_is_the_legend_class_with_most_pixels_over_the_years() -> None:
    assert stratum_class([Counter({110: 5, 120: 4}), Counter({121: 3})], LEGEND) == "Maize"
    assert stratum_class([Counter({110: 2, 330: 99})], LEGEND) == "Wheat"  # 330 is outside the legend
    assert stratum_class([Counter({110: 2, 121: 2})], LEGEND) == "Wheat"  # the earlier of equals
    assert stratum_class([Counter({330: 9})], LEGEND) == "other"
