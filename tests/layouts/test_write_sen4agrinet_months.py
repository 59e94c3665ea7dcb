"""The monthly table as S4A-Models writes and reads it."""

import gzip
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cropstack.errors import LayoutError
from cropstack.files import add_bare_dimension, add_dimension, add_group, add_variable, create_netcdf
from cropstack.layouts.write_sen4agrinet_months import write_sen4agrinet_months

PUBLISHED = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B8A"]
STORED = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"]
SPLITS = ("train", "val", "test")


def value(parcel: int, band: str, month: int, statistic: str) -> float:
    """Different in every cell; month from 1."""
    return 1000 * parcel + 20 * STORED.index(band) + month + (0.5 if statistic == "std" else 0)


def write_composites(path: Path, parcels: list[int], codes: list[int], empty: tuple[int, ...] = ()) -> Path:
    columns = {"parcel_index": pa.array(parcels, pa.int64()), "class_code": pa.array(codes, pa.int32())}
    for band in STORED:
        for month in range(1, 13):
            for statistic in ("mean", "std"):
                cells = [np.nan if p in empty else value(p, band, month, statistic) for p in parcels]
                columns[f"{band}_{month:02d}_{statistic}"] = pa.array(np.array(cells, "f4"))
    pq.write_table(pa.table(columns), path)
    return path


def write_weights(path: Path, pixels: dict[int, int]) -> Path:
    with create_netcdf(path, {"tile": "31TCJ", "year": 2019}) as file:
        group = add_group(file, "r10m")
        add_dimension(group, "parcel_index", np.array(list(pixels), "i8"))
        offsets = np.concatenate([[0], np.cumsum(list(pixels.values()))])
        add_bare_dimension(group, "bound", len(offsets))
        add_variable(group, "offsets", ("bound",), "i8", data=offsets)
    return path


@pytest.fixture
def inputs(tmp_path: Path) -> SimpleNamespace:
    """Two years of a tile; parcel 5 has no value, parcel 8 no split, and scenario2 holds other splits."""
    rows = [
        ("scenario1", 2019, 3, "train"), ("scenario1", 2019, 5, "train"), ("scenario1", 2019, 8, ""),
        ("scenario1", 2019, 9, "test"), ("scenario1", 2020, 2, "val"), ("scenario1", 2020, 1, "train"),
        ("scenario2", 2019, 3, "test"), ("scenario2", 2019, 9, "train"),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["scenario", "year", "parcel_index", "split"])
    table = table.assign(country="es_ct", tile="31TCG", reason="")
    table[["scenario", "country", "tile", "year", "parcel_index", "split", "reason"]].to_csv(
        tmp_path / "s.csv", index=False
    )
    return SimpleNamespace(
        composites=[
            write_composites(tmp_path / "31TCG_2019_parcels.parquet", [3, 5, 8, 9], [110, 120, 330, 998], (5,)),
            write_composites(tmp_path / "31TCG_2020_parcels.parquet", [1, 2], [150, 438]),
        ],
        weights=[
            write_weights(tmp_path / "19.h5", {3: 7, 5: 0, 8: 2, 9: 4}),
            write_weights(tmp_path / "20.h5", {1: 6, 2: 9}),
        ],
        splits=tmp_path / "s.csv", folder=tmp_path,
    )  # fmt: skip


def run(inputs: SimpleNamespace, scenario: str = "scenario1") -> dict[str, pd.DataFrame]:
    outputs = {split: inputs.folder / f"{scenario}_oad_{split}.csv.gz" for split in SPLITS}
    write_sen4agrinet_months(inputs.composites, inputs.weights, inputs.splits, *outputs.values(), scenario=scenario)
    return {split: pd.read_csv(path) for split, path in outputs.items()}


def test_the_header_is_the_published_one(inputs: SimpleNamespace) -> None:
    """As object-based-csv.py of S4A-Models fills its rows: band outermost, then month from 00, then mean and std."""
    run(inputs)
    with gzip.open(inputs.folder / "scenario1_oad_train.csv.gz", "rt") as handle:
        header = handle.readline().rstrip("\n")
    expected = ["parcel_id", "label", "counts"]
    for band in PUBLISHED:
        for month in range(12):
            expected += [f"{band}_{month:02d}_mean", f"{band}_{month:02d}_std"]
    assert header == ",".join(expected)
    assert len(expected) == 315


def test_values_of_a_row(inputs: SimpleNamespace) -> None:
    train = run(inputs)["train"]
    assert train["parcel_id"].tolist() == [3, 5, 1]  # by year, then by number
    row = train.iloc[0]
    assert (row["label"], row["counts"]) == (110, 7)
    assert row["B01_00_mean"] == value(3, "B01", 1, "mean")  # index 00 is January
    assert row["B8A_11_std"] == value(3, "B8A", 12, "std")
    assert row["B09_05_mean"] == value(3, "B09", 6, "mean")
    assert train.iloc[2][["label", "counts", "B04_06_std"]].tolist() == [150, 6, value(1, "B04", 7, "std")]


def test_splits_are_those_of_the_scenario(inputs: SimpleNamespace) -> None:
    found = {split: table["parcel_id"].tolist() for split, table in run(inputs).items()}
    assert found == {"train": [3, 5, 1], "val": [2], "test": [9]}


def test_what_the_published_reader_makes_of_it(inputs: SimpleNamespace) -> None:
    """The steps of S4A-Models' OADDataset: month first, sort columns, encode labels, drop NaN, cut seven months."""
    table = run(inputs)["train"]

    def month_first(name: str) -> str:
        parts = name.split("_")
        return name if len(parts) <= 2 else "_".join([parts[1], parts[0], parts[2]])

    table = table.rename(columns=month_first).sort_index(axis=1)
    table["label"] = table["label"].map({110: 0, 120: 1, 150: 3})
    table = table.dropna(axis=0, how="any")
    months = table.iloc[:, 4 * 26 : -(26 + 3)].to_numpy().reshape(len(table), -1, 26)
    assert months.shape == (2, 7, 26)  # parcel 5 has no value
    bands = [(band, statistic) for band in PUBLISHED for statistic in ("mean", "std")]
    for position, parcel in enumerate((3, 1)):
        expected = [[value(parcel, band, month + 1, what) for band, what in bands] for month in range(4, 11)]
        np.testing.assert_array_equal(months[position], expected)


def test_same_inputs_same_bytes(inputs: SimpleNamespace) -> None:
    run(inputs)
    paths = sorted(inputs.folder.glob("*.csv.gz"))
    first = [path.read_bytes() for path in paths]
    run(inputs)
    assert [path.read_bytes() for path in paths] == first


def test_a_split_without_parcels_is_a_table_without_rows(
    inputs: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run(inputs, "scenario2")
    assert [len(found[split]) for split in SPLITS] == [1, 0, 1]
    assert len(found["val"].columns) == 315
    assert capsys.readouterr().out == "scenario2: 1 train, 0 val, 1 test\n"


def test_tables_that_do_not_fit_are_errors(inputs: SimpleNamespace) -> None:
    write_composites(inputs.composites[0], [3, 5, 8], [110, 120, 330])
    with pytest.raises(LayoutError, match=r"31TCG_2019_parcels\.parquet: has no parcel 9, which has a split"):
        run(inputs)
    write_composites(inputs.composites[0], [3, 5, 8, 9], [110, 120, 330, 998])
    pq.write_table(pq.read_table(inputs.composites[1]).drop(["B11_04_std"]), inputs.composites[1])
    with pytest.raises(LayoutError, match=r"31TCG_2020_parcels\.parquet: has no column B11_04_std"):
        run(inputs)
    write_weights(inputs.weights[1], {1: 6})
    write_composites(inputs.composites[1], [1, 2], [150, 438])
    with pytest.raises(LayoutError, match="parcel 2 is not in"):
        run(inputs)
