"""Write the monthly table of parcels that S4A-Models reads, by split of a scenario.

SOURCE: the columns that object-based-csv.py of S4A-Models writes and its OADDataset reads: parcel_id, label, counts,
then by band (sorted by name), month (00 for January to 11) and statistic ``<band>_<month>_mean`` and ``…_std``.
"""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.dataset as pa_dataset
import pyarrow.parquet as pq

from cropstack.arrow_csv import create_csv
from cropstack.bands import S2_BANDS
from cropstack.errors import LayoutError
from cropstack.layouts.parcel_tables import counts_of
from cropstack.step import step

BANDS = sorted(band.name for band in S2_BANDS)
COLUMNS = [(band, month, statistic) for band in BANDS for month in range(12) for statistic in ("mean", "std")]
SCHEMA = pa.schema(
    [("parcel_id", pa.int64()), ("label", pa.int32()), ("counts", pa.int32())]
    + [(f"{band}_{month:02d}_{statistic}", pa.float32()) for band, month, statistic in COLUMNS]
)
SPLIT_TYPES = {"scenario": pa.string(), "tile": pa.string(), "split": pa.string(), "year": pa.int64()}


def write_sen4agrinet_months(
    composites: list[Path], weights: list[Path], splits: Path, train: Path, val: Path, test: Path, *, scenario: str
) -> None:
    """Write a CSV for each split of a scenario: a row per parcel, by tile, year and parcel number; maybe none.

    Values are reflectance × 10 000, medians over a month's acquisitions; empty in parcels that no acquisition shows.
    The published columns have no tile or year: parcel_id is parcel_index, unique in a country and year.

    Parameters
    ----------
    composites : tables of `composite_parcels`, named ``<tile>_<year>_parcels.parquet``, in order of tile and year.
    weights : of the same tiles and years, in the same order.
    splits : table of `assign_parcel_splits`.

    Raises
    ------
    LayoutError : a composite that lacks columns, or a parcel that has a split.
    """
    chosen = read_splits(splits, scenario)
    outputs = {"train": train, "val": val, "test": test}
    with ExitStack() as stack:
        writers = {split: stack.enter_context(create_csv(path, SCHEMA)) for split, path in outputs.items()}
        for path, of_path in zip(composites, weights, strict=True):
            tile, year, _ = path.stem.split("_")
            here = chosen[(chosen["tile"] == tile) & (chosen["year"] == int(year))]
            for split, of_split in here.groupby("split"):
                writers[str(split)].write_table(months_of(path, of_path, of_split["parcel_index"].to_numpy()))
    sizes = chosen["split"].value_counts().reindex(list(outputs), fill_value=0)
    print(f"{scenario}: " + ", ".join(f"{size} {split}" for split, size in sizes.items()))


def read_splits(path: Path, scenario: str) -> pd.DataFrame:
    """Tile, year, parcel_index and split of the parcels that have a split in a scenario."""
    options = pa_csv.ConvertOptions(column_types=SPLIT_TYPES)
    table = pa_dataset.dataset(path, format=pa_dataset.CsvFileFormat(convert_options=options))
    chosen = (pa_dataset.field("scenario") == scenario) & (pa_dataset.field("split") != "")
    return table.to_table(columns=["tile", "year", "parcel_index", "split"], filter=chosen).to_pandas()


def months_of(composites: Path, weights: Path, parcels: np.ndarray) -> pa.Table:
    """Rows of the published table for some parcels of a tile and year, sorted by number.

    Raises
    ------
    LayoutError : a column or a parcel is missing.
    """
    stored = {name: f"{band}_{month + 1:02d}_{statistic}" for name, (band, month, statistic) in _named()}
    missing = sorted({"parcel_index", "class_code", *stored.values()} - set(pq.read_schema(composites).names))
    if missing:
        raise LayoutError(
            f"{composites}: has no column {missing[0]} ({len(missing)} missing). Delete it and run again."
        )
    data = pq.read_table(composites, columns=["parcel_index", "class_code", *stored.values()])
    known, numbers = data["parcel_index"].to_numpy(), np.sort(parcels)
    lost = np.setdiff1d(numbers, known)
    if len(lost):
        raise LayoutError(f"{composites}: has no parcel {lost[0]}, which has a split. Delete it and run again.")
    rows = data.take(np.flatnonzero(np.isin(known, numbers))).sort_by("parcel_index")
    columns = {
        "parcel_id": rows["parcel_index"],
        "label": rows["class_code"],
        "counts": pa.array(counts_of(weights, numbers, origin=composites), pa.int32()),
    }
    columns |= {
        name: pa.array(rows[column].to_numpy(), pa.float32(), from_pandas=True) for name, column in stored.items()
    }
    return pa.table(columns).cast(SCHEMA)


def _named() -> list[tuple[str, tuple[str, int, str]]]:
    """Published column names with band, month index and statistic."""
    return list(zip(SCHEMA.names[3:], COLUMNS, strict=True))


if __name__ == "__main__":
    step(write_sen4agrinet_months, snakemake)  # noqa: F821
