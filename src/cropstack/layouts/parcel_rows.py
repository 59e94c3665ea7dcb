"""Which parcels the tables of parcels hold: numbers in the order of their rows, nothing else is read."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.dataset as pa_dataset
import pyarrow.parquet as pq

from cropstack.files import reading

NAMES = pa.dictionary(pa.int32(), pa.string())
SPLIT_TYPES = {
    "scenario": pa.string(), "country": NAMES, "tile": NAMES, "year": pa.int32(), "parcel_index": pa.int64(),
    "split": NAMES, "reason": NAMES,
}  # fmt: skip


@dataclass(frozen=True)
class ParcelTables:
    """Tables of the parcels of one tile and year: as CSV, Parquet, their declared ids, and monthly series."""

    series: Path
    parquet: Path
    ids: Path
    months: Path


def parquet_numbers(path: Path) -> np.ndarray:
    """Parcel numbers of a Parquet table, int64."""
    with reading(path, "a table of parcels"):
        return pq.read_table(path, columns=["parcel_index"])["parcel_index"].to_numpy()


def csv_numbers(path: Path) -> np.ndarray:
    """Numbers in the first column of a CSV, packed or not, int64.

    Raises
    ------
    CropstackError : a file that ends too early, or a first column that is no number.
    """
    with reading(path, "a table of parcels"), gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as lines:
        return np.fromiter(_first_numbers(lines), np.int64)


def _first_numbers(lines: Iterator[bytes]) -> Iterator[int]:
    next(lines, None)  # names of the columns
    for line in lines:
        if not line.endswith(b"\n"):
            raise ValueError("its last line is not complete")
        yield int(line[: line.index(b",")])


def read_parcel_splits(path: Path, scenario: str) -> pd.DataFrame:
    """Rows of one scenario of parcel_splits.csv: country, tile, year, parcel_index, split, reason.

    Text columns are categories, because there may be millions of rows.
    """
    columns = [name for name in SPLIT_TYPES if name != "scenario"]
    with reading(path, "splits of parcels"):
        rows = _open_splits(path).to_table(columns=columns, filter=pa_dataset.field("scenario") == scenario)
    return rows.unify_dictionaries().to_pandas()


def scenarios_in(path: Path) -> set[str]:
    """Names of the scenarios of parcel_splits.csv."""
    with reading(path, "splits of parcels"):
        return set(_open_splits(path).to_table(columns=["scenario"])["scenario"].unique().to_pylist())


def _open_splits(path: Path) -> pa_dataset.Dataset:
    options = pa_csv.ConvertOptions(column_types=SPLIT_TYPES)
    return pa_dataset.dataset(path, format=pa_dataset.CsvFileFormat(convert_options=options))
