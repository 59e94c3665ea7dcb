"""Splits of parcels on 2 × 2 patches of 366 pixels, worked out by hand."""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cropstack.errors import CropstackError, LayoutError
from cropstack.files import add_bare_dimension, add_group, add_variable, create_netcdf, write_chunks
from cropstack.splits.assign_parcel_splits import assign_parcel_splits, audit
from cropstack.splits.parcel_pieces import pieces_of_patch, split_parcels

SIZE = 732
PATCHES = {(0, 0): "train", (0, 1): "train", (1, 0): "val", (1, 1): "test"}
OTHER = {(0, 0): "test", (0, 1): "train", (1, 0): "train", (1, 1): "train"}
# Parcel: class code and pixel window (rows, columns).
PARCELS = {
    1: (110, np.s_[10:20, 10:20]),  # inside the first patch
    2: (110, np.s_[50:60, 361:371]),  # 5 columns in each of two training patches
    3: (120, np.s_[360:370, 400:410]),  # 6 rows in train, 4 in test
    4: (998, np.s_[400:500, 10:20]),  # outside the legend, in val
    5: (330, np.s_[700:710, 700:710]),  # in test, but owned by the neighbour tile
    7: (120, np.s_[366:376, 500:510]),  # begins exactly at the edge: in test alone
}  # parcel 6 is smaller than a pixel


def write_labels(path: Path, tile: str, year: int, parcels: dict) -> Path:
    labels, numbers = np.zeros((SIZE, SIZE), "u4"), np.zeros((SIZE, SIZE), "i8")
    for number, (code, window) in parcels.items():
        labels[window], numbers[window] = code, number
    with create_netcdf(path, {"tile": tile, "year": year, "country": "fr"}) as file:
        group = add_group(file, "r10m")
        for axis in ("y", "x"):
            add_bare_dimension(group, axis, SIZE)
        for name, raster in (("labels", labels), ("parcels", numbers)):
            write_chunks(add_variable(group, name, ("y", "x"), raster.dtype, chunks=(366, 366)), raster)
    return path


def write_tiles(path: Path, owners: dict[int, str | None]) -> Path:
    columns = {"parcel_index": pa.array(owners, pa.int64()), "tile": pa.array(owners.values(), pa.string())}
    pq.write_table(pa.table(columns | {"covered_share": [1.0] * len(owners)}), path)
    return path


def write_classes(path: Path, codes: dict[int, int]) -> Path:
    numbers = {"parcel_index": pa.array(codes, pa.int64()), "class_code": pa.array(codes.values(), pa.int32())}
    pq.write_table(pa.table(numbers), path)
    return path


def write_splits(path: Path, rows: list[tuple[str, str, int, dict]]) -> Path:
    table = [
        (scenario, f"{year}_{tile}_patch_{r:02d}_{c:02d}", "fr", tile, year, r, c, split, "x")
        for scenario, tile, year, patches in rows
        for (r, c), split in patches.items()
    ]
    columns = ["scenario", "sample", "country", "tile", "year", "row", "column", "split", "stratum"]
    pd.DataFrame(table, columns=columns).to_csv(path, index=False)
    return path


@pytest.fixture
def inputs(tmp_path: Path, root: Path) -> SimpleNamespace:
    """Two tiles that overlap: 31TCK shows parcel 1 again, in a test patch of scenario1, and owns parcel 5."""
    owners = dict.fromkeys(range(1, 8), "31TCJ") | {5: "31TCK"}
    neighbour = {1: (110, np.s_[0:10, 0:10]), 5: (330, np.s_[5:15, 400:410])}
    return SimpleNamespace(
        splits=write_splits(
            tmp_path / "splits.csv",
            [
                ("scenario1", "31TCJ", 2019, PATCHES),
                ("scenario1", "31TCK", 2019, OTHER),
                ("scenario2", "31TCK", 2019, OTHER),
            ],
        ),
        labels=[
            write_labels(tmp_path / "31TCJ_2019_labels.nc", "31TCJ", 2019, PARCELS),
            write_labels(tmp_path / "31TCK_2019_labels.nc", "31TCK", 2019, neighbour),
        ],
        tiles=[write_tiles(tmp_path / "fr_2019_tiles.parquet", owners)],
        parcels=[write_classes(tmp_path / "fr_2019_parcels.parquet", dict.fromkeys(range(1, 8), 330))],
        legend=root / "taxonomy/legends/sen4agrinet11.csv", classes=root / "taxonomy/classes.csv",
        tile_years=[["fr", "31TCJ", 2019], ["fr", "31TCK", 2019]], folder=tmp_path,
    )  # fmt: skip


def run(inputs: SimpleNamespace) -> list[dict[str, str]]:
    outputs = [inputs.folder / name for name in ("parcel_splits.csv", "split_coverage.csv", "leakage.csv")]
    assign_parcel_splits(
        inputs.splits,
        inputs.labels,
        inputs.tiles,
        inputs.parcels,
        inputs.legend,
        inputs.classes,
        *outputs,
        tile_years=inputs.tile_years,
    )
    return read(outputs[0])


def read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_parcel_has_the_split_of_its_patch_or_a_reason_against_it(inputs: SimpleNamespace) -> None:
    rows = run(inputs)
    assert list(rows[0]) == ["scenario", "country", "tile", "year", "parcel_index", "split", "reason"]
    found = [(int(row["parcel_index"]), row["split"], row["reason"]) for row in rows if row["tile"] == "31TCJ"]
    assert found == [
        (1, "train", ""),
        (2, "train", ""),  # in two patches, of one split
        (3, "", "touches_other_split"),
        (4, "val", ""),
        (5, "", "not_owned"),
        (6, "", "no_pixel"),
        (7, "test", ""),
    ]


def test_rows_are_sorted_and_a_parcel_of_two_tiles_has_at_most_one_split(inputs: SimpleNamespace) -> None:
    rows = run(inputs)
    keys = [(row["scenario"], row["country"], row["tile"], row["year"], int(row["parcel_index"])) for row in rows]
    assert keys == sorted(set(keys))
    ones = [(row["tile"], row["split"]) for row in rows if (row["scenario"], row["parcel_index"]) == ("scenario1", "1")]
    assert ones == [("31TCJ", "train"), ("31TCK", "")]


def test_a_scenario_has_only_its_tiles(inputs: SimpleNamespace) -> None:
    assert {row["tile"] for row in run(inputs) if row["scenario"] == "scenario2"} == {"31TCK"}


def test_coverage_counts_patches_parcels_and_pixels_by_class(inputs: SimpleNamespace) -> None:
    run(inputs)
    rows = read(inputs.folder / "split_coverage.csv")
    names = ["patches", "patch_pixels", "parcels", "parcel_pixels"]
    found = {
        (row["split"], row["reason"], row["class"]): [int(row[name]) for name in names]
        for row in rows
        if row["scenario"] == "scenario1"
    }
    # Wheat of parcels 1 and 2 lies in two training patches of 31TCJ; parcel 1 again in a test patch of 31TCK.
    assert found["train", "", "Wheat"] == [2, 200, 2, 200]
    assert found["test", "", "Wheat"] == [1, 100, 0, 0]
    assert found["train", "", "Maize"] == [1, 60, 0, 0]
    assert found["test", "", "Maize"] == [1, 40 + 100, 1, 100]
    assert found["", "touches_other_split", "Maize"] == [0, 0, 1, 100]
    assert found["val", "", "other"] == [1, 1000, 1, 1000]
    assert found["train", "", "Grapes"] == [1, 100, 1, 100]
    assert found["test", "", "Grapes"] == [1, 100, 0, 0]  # parcel 5 is owned by the neighbour
    assert found["train", "", "Peas"] == [0, 0, 0, 0]  # a class that is missing has its row
    assert found["", "no_pixel", "Grapes"] == [0, 0, 1, 0]  # its class stands in the parcels alone
    assert found["", "no_pixel", "other"] == [0, 0, 0, 0]
    classes = len({row["class"] for row in rows})
    assert classes == 12
    assert len(found) == classes * (3 + 3)


def test_what_lies_in_two_splits_is_counted(inputs: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    run(inputs)
    rows = [
        (row["check"], row["number"]) for row in read(inputs.folder / "leakage.csv") if row["scenario"] == "scenario1"
    ]
    assert rows == [
        ("parcels_with_a_split", "5"),
        ("parcels_in_two_splits", "0"),
        ("parcels_without_a_split", "4"),
        ("parcels_seen_in_another_split", "2"),  # 1 and 5, which both tiles show
    ]
    line = capsys.readouterr().out.splitlines()[0]
    assert line.startswith("scenario1: 5 parcels_with_a_split, 0 parcels_in_two_splits, ")


def test_a_parcel_in_two_splits_stops_the_audit() -> None:
    """Parcel 1 has the split of its first patch while a second one holds it too; parcel 2 has a split on two tiles."""
    pieces = pd.DataFrame({"parcel_index": [1, 1, 2], "split": ["train", "test", "val"]})
    parcels = pd.DataFrame({"parcel_index": [1, 2], "split": ["train", "val"], "reason": ""})
    key, other = ("fr", "31TCJ", 2019), ("fr", "31TCK", 2019)
    with pytest.raises(LayoutError, match="1 parcels have a split and lie in patches of another"):
        audit({key: pieces}, {key: parcels})
    clean = pieces[2:]
    with pytest.raises(LayoutError, match="1 parcels have a split"):
        audit({key: clean, other: clean}, {key: parcels[1:], other: parcels[1:]})
    assert audit({key: clean}, {key: parcels[1:]})["parcels_in_two_splits"] == 0


def test_a_parcel_without_a_pixel_needs_its_class(inputs: SimpleNamespace) -> None:
    write_classes(inputs.parcels[0], {1: 330})
    with pytest.raises(LayoutError, match=r"fr_2019_parcels\.parquet: parcel 6 is not there or has no class"):
        run(inputs)


def test_same_inputs_same_bytes(inputs: SimpleNamespace) -> None:
    names = ("parcel_splits.csv", "split_coverage.csv", "leakage.csv")
    run(inputs)
    first = [(inputs.folder / name).read_bytes() for name in names]
    run(inputs)
    assert [(inputs.folder / name).read_bytes() for name in names] == first
    assert b'"' not in first[0]


def test_a_parcel_on_a_patch_without_a_split_is_an_error(inputs: SimpleNamespace) -> None:
    lines = inputs.splits.read_text().splitlines(keepends=True)
    inputs.splits.write_text("".join(line for line in lines if "scenario1,2019_31TCJ_patch_01_00" not in line))
    with pytest.raises(LayoutError, match="scenario1: patch 1, 0 of 31TCJ 2019 holds parcels and has no split"):
        run(inputs)
    assert not (inputs.folder / "parcel_splits.csv").exists()


def test_files_that_do_not_belong_together_are_errors(inputs: SimpleNamespace) -> None:
    with pytest.raises(LayoutError, match=r"fr_2019_tiles\.parquet: given 0 times"):
        run(SimpleNamespace(**{**vars(inputs), "tiles": []}))
    with pytest.raises(LayoutError, match="holds 31TCK 2019; expected 31TCJ 2019"):
        run(SimpleNamespace(**{**vars(inputs), "labels": inputs.labels[::-1]}))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda t: pd.concat([t, t[:1].assign(split="test")]),
            r"row 14 .* names a patch of its scenario for the second",
        ),
        (
            lambda t: t.replace({"split": {"val": "valid"}}),
            r"row 4 \(scenario1,31TCJ,2019,1,0,valid\) has another split",
        ),
        (
            lambda t: t.replace({"tile": {"31TCJ": "31TCH"}}),
            r".*31TCH,.* is of a tile and year that has no labels here",
        ),
        (lambda t: t.replace({"row": {"1": "one"}}), 'row 4 has row "one"; expected a number'),
        (lambda t: t[:0], "has no row; expected a patch a row"),
        (lambda t: t.drop(columns="row"), "not readable as splits .*'row'"),
    ],
)
def test_splits_that_cannot_be_are_named(
    inputs: SimpleNamespace, change: Callable[[pd.DataFrame], pd.DataFrame], text: str
) -> None:
    change(pd.read_csv(inputs.splits, dtype=str)).to_csv(inputs.splits, index=False)
    with pytest.raises(CropstackError, match=rf"splits\.csv: {text}"):
        run(inputs)
    assert not (inputs.folder / "parcel_splits.csv").exists()


@pytest.mark.parametrize("content", [b"", b"hello", None])
def test_a_damaged_file_is_named(inputs: SimpleNamespace, content: bytes | None) -> None:
    for path in (inputs.labels[1], inputs.tiles[0]):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] if content is None else content)
        with pytest.raises(CropstackError, match=f"{path.name}: not readable as"):
            run(inputs)
        path.write_bytes(whole)


def test_a_parcel_twice_in_the_table_of_tiles_is_refused(inputs: SimpleNamespace) -> None:
    table = pq.read_table(inputs.tiles[0])
    pq.write_table(pa.concat_tables([table, table.slice(2, 1)]), inputs.tiles[0])
    with pytest.raises(LayoutError, match="parcel 3 stands twice"):
        run(inputs)


def test_pieces_of_a_patch() -> None:
    parcels, labels = np.array([[7, 7, 0], [0, 3, 7]]), np.array([[110, 110, 0], [0, 330, 110]])
    pieces = pieces_of_patch(labels, parcels)
    assert sorted(pieces.itertuples(index=False, name=None)) == [(3, 330, 1), (7, 110, 3)]


def test_equal_shares_go_to_the_upper_left_patch() -> None:
    pieces = pd.DataFrame(
        {"parcel_index": 1, "class_code": 110, "row": [0, 1], "column": [1, 0], "pixels": 5, "split": "train"}
    )
    assert split_parcels(pieces, pd.Series({1: 0})).iloc[0].to_dict() == {
        "parcel_index": 1, "class_code": 110, "pixels": 10, "split": "train", "reason": "",
    }  # fmt: skip


def test_a_tile_without_parcels_has_no_rows() -> None:
    pieces = pieces_of_patch(np.zeros((3, 3), "u4"), np.zeros((3, 3), "i8")).assign(row=0, column=0, split="train")
    assert len(split_parcels(pieces, pd.Series([], dtype="i8"))) == 0
