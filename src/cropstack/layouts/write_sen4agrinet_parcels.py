"""Write the parcels of a tile and year as Sen4AgriNet's object aggregated dataset: one row each, columns per date.

SOURCE: Sen4AgriNet, section V-C: "a CSV file containing the individual parcels as rows and the aggregated timestamps
for spectral bands as columns". Skewness, which section VI names, and the number of pixels stand beside mean and
standard deviation.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cropstack.arrow_csv import create_csv
from cropstack.bands import S2_BANDS
from cropstack.errors import LayoutError
from cropstack.files import replace_on_success, write_csv
from cropstack.layouts.parcel_tables import counts_of, read_column
from cropstack.product import parse_time
from cropstack.step import step

STATISTICS = {"mean": pa.float32(), "std": pa.float32(), "skewness": pa.float32(), "n": pa.int32()}
BANDS = sorted(band.name for band in S2_BANDS)
ROWS = 4096  # of a batch: thousands of columns stand side by side


def write_sen4agrinet_parcels(
    aggregates: list[Path],
    weights: Path,
    parcels: Path,
    table: Path,
    parquet: Path,
    ids: Path,
) -> None:
    """Write one row per parcel that the tile owns, sorted by number, as CSV and as Parquet with the same columns.

    The Parquet file repeats what the parcels' metadata `cropstack` say: year, licences, attributions.

    Columns: parcel_index, label (class code), counts (10 m pixels), then ``<band>_<statistic>_<YYYYMMDDTHHMMSS>`` by
    band (sorted by name), acquisition (in order of time) and statistic (mean, std, skewness, n). Values are
    reflectance × 10 000; empty where the acquisition has no valid pixel in the parcel.

    Parameters
    ----------
    aggregates : one table of `aggregate_parcels` per scene of the tile and year, in any order.
    weights : of the tile and year.
    parcels : harmonised parcels of the country and year.
    ids : parcel_index and the id that the declaration gives.

    Raises
    ------
    LayoutError : no scene, two at the same second, or tables that do not hold the same parcels.
    """
    scenes = sort_by_time(aggregates)
    data = {time: read_aggregates(path) for time, path in scenes.items()}
    numbers = same_parcels(scenes, data)
    fixed = {
        "parcel_index": pa.array(numbers, pa.int64()),
        "label": pa.array(read_column(parcels, "class_code", numbers), pa.int32()),
        "counts": pa.array(counts_of(weights, numbers, origin=next(iter(scenes.values()))), pa.int32()),
    }
    schema = schema_of(list(scenes))
    said = {key: text for key, text in (pq.read_schema(parcels).metadata or {}).items() if key == b"cropstack"}
    with create_csv(table, schema) as writer, replace_on_success(parquet) as temporary:
        with pq.ParquetWriter(temporary, schema.with_metadata(said), compression="zstd") as columns:
            for batch in batches(pa.table(fixed), data, schema):
                writer.write_table(batch)
                columns.write_table(batch)
    declared = read_column(parcels, "id", numbers)
    write_csv(ids, ["parcel_index", "id"], zip(numbers.tolist(), declared, strict=True))
    print(f"{len(numbers)} parcels, {len(scenes)} acquisitions, {len(schema)} columns")


def sort_by_time(aggregates: list[Path]) -> dict[str, Path]:
    """Tables by the time of their columns' names, in order of time."""
    if not aggregates:
        raise LayoutError("write_sen4agrinet_parcels: no scene of this tile and year; expected at least one")
    found: dict[str, Path] = {}
    for sensing, path in sorted((sensing_time(path), path) for path in aggregates):
        time = f"{sensing:%Y%m%dT%H%M%S}"
        if time in found:
            raise LayoutError(f"{path} and {found[time]}: both sensed at {time}; expected one. Exclude one product.")
        found[time] = path
    return found


def sensing_time(path: Path) -> datetime:
    """Sensing time that a table of `aggregate_parcels` says it is of."""
    about = json.loads((pq.read_schema(path).metadata or {}).get(b"cropstack", b"{}"))
    if "sensing_time" not in about:
        raise LayoutError(f"{path}: does not say when it was sensed. Delete it and run again.")
    return parse_time(about["sensing_time"])


def read_aggregates(path: Path) -> pa.Table:
    """Read a table of `aggregate_parcels`.

    Raises
    ------
    LayoutError : a column is missing.
    """
    needed = ["parcel_index", *(f"{band}_{statistic}" for band in BANDS for statistic in STATISTICS)]
    missing = sorted(set(needed) - set(pq.read_schema(path).names))
    if missing:
        raise LayoutError(f"{path}: has no column {missing[0]} ({len(missing)} missing). Delete it and run again.")
    return pq.read_table(path, columns=needed)


def same_parcels(scenes: dict[str, Path], data: dict[str, pa.Table]) -> np.ndarray:
    """Parcel numbers, sorted, which all tables must share."""
    numbers: dict[str, np.ndarray] = {time: table["parcel_index"].to_numpy() for time, table in data.items()}
    first = next(iter(numbers))
    for time, found in numbers.items():
        if not np.array_equal(found, numbers[first]):
            raise LayoutError(
                f"{scenes[time]}: has {len(found)} parcels, not the {len(numbers[first])} of {scenes[first]}. "
                "Delete both and run again."
            )
    return numbers[first]


def schema_of(times: list[str]) -> pa.Schema:
    """Columns of the tables."""
    fields = [("parcel_index", pa.int64()), ("label", pa.int32()), ("counts", pa.int32())]
    fields += [
        (f"{band}_{statistic}_{time}", dtype)
        for band in BANDS
        for time in times
        for statistic, dtype in STATISTICS.items()
    ]
    return pa.schema(fields)


def batches(fixed: pa.Table, data: dict[str, pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """Rows of all tables side by side, some at a time; NaN becomes null."""
    names = [(time, f"{band}_{statistic}") for band in BANDS for time in data for statistic in STATISTICS]
    for start in range(0, len(fixed), ROWS):
        columns = [column.slice(start, ROWS) for column in fixed.columns]
        for time, name in names:
            values = data[time][name].slice(start, ROWS).to_numpy()
            columns.append(pa.array(values, from_pandas=True))
        yield pa.table(columns, schema=schema)


if __name__ == "__main__":
    step(write_sen4agrinet_parcels, snakemake)  # noqa: F821
