"""The table of parcels by acquisition: columns in order, values, and what does not fit together."""

import csv
import gzip
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cropstack.errors import LayoutError
from cropstack.files import add_bare_dimension, add_dimension, add_group, add_variable, create_netcdf
from cropstack.layouts.write_sen4agrinet_parcels import write_sen4agrinet_parcels

# The bands as S2_BANDS orders them, which is how aggregates store them; the published order is by name.
STORED = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"]
PARCELS = [3, 5, 8]
EARLY, LATE = "2019-04-12T10:56:31.461123Z", "2019-05-02T10:56:27.900000Z"


def write_weights(path: Path, pixels: dict[int, int]) -> Path:
    with create_netcdf(path, {"tile": "31TCJ", "year": 2019}) as file:
        group = add_group(file, "r10m")
        add_dimension(group, "parcel_index", np.array(list(pixels), "i8"))
        offsets = np.concatenate([[0], np.cumsum(list(pixels.values()))])
        add_bare_dimension(group, "bound", len(offsets))
        add_variable(group, "offsets", ("bound",), "i8", data=offsets)
    return path


def write_aggregates(path: Path, base: float, sensing: str, parcels: list[int] = PARCELS) -> Path:
    """Mean of band k of parcel p is base + 10 k + p; the last parcel has no valid pixel."""
    columns = {"parcel_index": pa.array(parcels, pa.int64())}
    empty = np.arange(len(parcels)) == len(parcels) - 1
    for k, band in enumerate(STORED):
        mean = np.where(empty, np.nan, base + 10 * k + np.array(parcels)).astype("f4")
        columns[f"{band}_n"] = pa.array(np.where(empty, 0, 4), pa.int32())
        columns |= {f"{band}_mean": mean, f"{band}_std": mean / 10, f"{band}_skewness": mean / 1000}
    about = {"cropstack": json.dumps({"tile": "31TCJ", "year": 2019, "sensing_time": sensing})}
    pq.write_table(pa.table(columns).replace_schema_metadata(about), path)
    return path


@pytest.fixture
def inputs(tmp_path: Path) -> SimpleNamespace:
    """Two acquisitions, given in the wrong order; parcels of the country in any order."""
    parcels = tmp_path / "fr_2019_parcels.parquet"
    ids = [5, 1, 8, 3]
    codes = pa.array([120, 110, 998, 330], pa.int32())
    names = ['012-"7",b', "x", "FR-8", "03"]
    table = pa.table({"id": names, "class_code": codes, "parcel_index": pa.array(ids, pa.int64())})
    pq.write_table(table.replace_schema_metadata({"cropstack": '{"licence": "CC0"}', "geo": "{}"}), parcels)
    return SimpleNamespace(
        aggregates=[
            write_aggregates(tmp_path / "late.parquet", 2000.25, LATE),
            write_aggregates(tmp_path / "early.parquet", 1000.5, EARLY),
        ],
        weights=write_weights(tmp_path / "weights.h5", {3: 7, 5: 0, 8: 2}), parcels=parcels, folder=tmp_path,
    )  # fmt: skip


def run(inputs: SimpleNamespace) -> SimpleNamespace:
    outputs = [inputs.folder / name for name in ("out.csv.gz", "out.parquet", "ids.csv")]
    write_sen4agrinet_parcels(inputs.aggregates, inputs.weights, inputs.parcels, *outputs)
    with gzip.open(outputs[0], "rt", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return SimpleNamespace(rows=rows, table=pq.read_table(outputs[1]), outputs=outputs)


def test_columns_are_band_statistic_and_time_in_order(inputs: SimpleNamespace) -> None:
    names = list(run(inputs).rows[0])
    assert len(names) == 3 + 13 * 2 * 4
    assert names[:3] == ["parcel_index", "label", "counts"]
    assert names[3:12] == [
        "B01_mean_20190412T105631", "B01_std_20190412T105631", "B01_skewness_20190412T105631", "B01_n_20190412T105631",
        "B01_mean_20190502T105627", "B01_std_20190502T105627", "B01_skewness_20190502T105627", "B01_n_20190502T105627",
        "B02_mean_20190412T105631",
    ]  # fmt: skip
    assert names[-1] == "B8A_n_20190502T105627"


def test_values_stand_in_their_columns(inputs: SimpleNamespace) -> None:
    row = run(inputs).rows[0]
    assert (row["parcel_index"], row["label"], row["counts"]) == ("3", "330", "7")
    assert row["B01_mean_20190412T105631"] == "1003.5"
    assert row["B8A_mean_20190502T105627"] == "2083.25"  # the ninth band as stored
    assert row["B09_mean_20190412T105631"] == "1093.5"
    assert row["B12_std_20190412T105631"] == "112.35"
    assert row["B04_n_20190502T105627"] == "4"


def test_a_parcel_without_a_valid_pixel_is_a_row_of_empty_cells(inputs: SimpleNamespace) -> None:
    rows = run(inputs).rows
    assert [row["parcel_index"] for row in rows] == ["3", "5", "8"]
    last = rows[2]
    assert (last["label"], last["B02_mean_20190412T105631"], last["B02_n_20190412T105631"]) == ("998", "", "0")
    assert rows[1]["counts"] == "0"


def test_parquet_holds_the_same_as_csv(inputs: SimpleNamespace) -> None:
    done = run(inputs)
    assert done.table.column_names == list(done.rows[0])
    for name in done.table.column_names:
        texts = [row[name] for row in done.rows]
        numbers = np.array([float(text) if text else np.nan for text in texts])
        stored = done.table[name].to_numpy()
        np.testing.assert_array_equal(stored, numbers.astype(stored.dtype))  # CSV gives back the very float32
    assert str(done.table.schema.field("B02_mean_20190412T105631").type) == "float"
    assert done.table.schema.metadata == {b"cropstack": b'{"licence": "CC0"}'}


def test_ids_lead_back_to_the_declaration(inputs: SimpleNamespace) -> None:
    with open(run(inputs).outputs[2], newline="") as handle:
        rows = list(csv.reader(handle))
    assert rows == [["parcel_index", "id"], ["3", "03"], ["5", '012-"7",b'], ["8", "FR-8"]]


def test_same_inputs_in_any_order_same_bytes(inputs: SimpleNamespace) -> None:
    first = [path.read_bytes() for path in run(inputs).outputs]
    inputs.aggregates.reverse()
    assert [path.read_bytes() for path in run(inputs).outputs] == first


def test_two_acquisitions_at_one_second_are_an_error(inputs: SimpleNamespace) -> None:
    write_aggregates(inputs.aggregates[0], 0.0, "2019-04-12T10:56:31.000000Z")
    with pytest.raises(LayoutError, match="both sensed at 20190412T105631"):
        run(inputs)


def test_tables_of_other_parcels_are_errors(inputs: SimpleNamespace) -> None:
    write_aggregates(inputs.aggregates[0], 0.0, LATE, [3, 8])
    with pytest.raises(LayoutError, match=r"late\.parquet: has 2 parcels, not the 3 of .*early\.parquet"):
        run(inputs)
    write_aggregates(inputs.aggregates[0], 0.0, LATE, [3, 5, 9])
    write_aggregates(inputs.aggregates[1], 0.0, EARLY, [3, 5, 9])
    with pytest.raises(LayoutError, match=r"fr_2019_parcels\.parquet: has no parcel 9"):
        run(inputs)


def test_missing_columns_and_missing_scenes_are_named(inputs: SimpleNamespace) -> None:
    table = pq.read_table(inputs.parcels)
    pq.write_table(table.drop(["class_code"]), inputs.parcels)
    with pytest.raises(LayoutError, match='has no column "class_code"'):
        run(inputs)
    pq.write_table(pq.read_table(inputs.aggregates[0]).drop(["B11_std"]), inputs.aggregates[0])
    with pytest.raises(LayoutError, match="has no column B11_std"):
        run(inputs)
    with pytest.raises(LayoutError, match="no scene of this tile and year"):
        run(SimpleNamespace(**{**vars(inputs), "aggregates": []}))
    write_aggregates(inputs.aggregates[0], 0.0, LATE)
    pq.write_table(pq.read_table(inputs.aggregates[0]).replace_schema_metadata(None), inputs.aggregates[0])
    with pytest.raises(LayoutError, match=r"late\.parquet: does not say when it was sensed"):
        run(inputs)
    assert not (inputs.folder / "out.csv.gz").exists()
