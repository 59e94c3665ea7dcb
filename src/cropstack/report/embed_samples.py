"""Step: parcels of the legend's classes in two dimensions (UMAP), for the report.

Sen4AgriNet's figure 9 was "computed using the OAD data": the parcels' monthly means and standard deviations. So is
this, from the months and bands that the models of parcels learn from, in reflectance.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.dataset as pa_dataset
import pyarrow.parquet as pq

from cropstack.bands import QUANTIFICATION
from cropstack.errors import SampleError
from cropstack.files import replace_on_success
from cropstack.legend import LegendClass, read_classes, read_legend
from cropstack.report.umap_layout import lay_out
from cropstack.step import step

STRATUM = ["class", "country", "year"]
UNIT = ["country", "tile", "year", "parcel_index"]
STATISTICS = ("mean", "std")


def embed_samples(
    composites: list[Path],
    parcel_splits: Path,
    legend: Path,
    classes: Path,
    embedding: Path,
    *,
    tile_years: list[tuple[str, str, int]],
    bands: list[str],
    months: list[int],
    per_stratum: int,
    seed: int,
) -> None:
    """Write a row per drawn parcel: country, tile, year, parcel_index, class, x, y, and ``split_<scenario>``.

    Parameters
    ----------
    composites : monthly series of parcels, in the order of `tile_years` (country, tile, year).
    parcel_splits : table of `assign_parcel_splits`. A parcel without a split in a scenario has an empty text there.
    months : calendar months of the series.
    per_stratum : most parcels of a class, country and year. Of more the first by hash are drawn: a tile that is added
        moves no other parcel in or out except within its own strata.
    seed : of the hash and of the layout.

    Raises
    ------
    SampleError : a table of parcels without one of the columns.
    """
    crops = read_legend(legend, read_classes(classes))
    units, features = [], []
    for path, (country, tile, year) in zip(composites, tile_years, strict=True):
        here, series = read_series(path, crops, bands=bands, months=months)
        here = here.assign(country=country, tile=tile, year=int(year))
        first = draw(here, per_stratum=per_stratum, seed=seed)  # whatever else comes, no other can be drawn
        units.append(here.iloc[first])
        features.append(series[first])
    every = pd.concat(units, ignore_index=True)
    drawn = draw(every, per_stratum=per_stratum, seed=seed)
    places = lay_out(np.concatenate(features)[drawn], seed=seed)
    rows = every.iloc[drawn][[*UNIT, "class"]].assign(x=places[:, 0], y=places[:, 1]).dropna()
    write_rows(embedding, add_splits(rows, parcel_splits))
    print(f"{len(rows)} parcels laid out, of {every.groupby(STRATUM).ngroups} strata of class, country and year")


def read_series(
    path: Path, legend: list[LegendClass], *, bands: list[str], months: list[int]
) -> tuple[pd.DataFrame, np.ndarray]:
    """Parcels of the legend with a complete series: parcel_index and class (its name), and (n, features) reflectance.

    Features are, month by month and band by band, mean and standard deviation, float32.
    """
    features = [f"{band}_{month:02d}_{name}" for month in months for band in bands for name in STATISTICS]
    missing = sorted({"parcel_index", "class_code", *features} - set(pq.read_schema(path).names))
    if missing:
        raise SampleError(f"{path}: has no column {missing[0]} ({len(missing)} missing). Delete it and run again.")
    name_of = {code: crop.name for crop in legend for code in crop.codes}
    wanted = pa_dataset.field("class_code").isin(list(name_of))
    table = pq.read_table(path, columns=["parcel_index", "class_code", *features], filters=wanted)
    series = np.empty((len(table), len(features)), np.float32)
    for position, name in enumerate(features):
        series[:, position] = table[name].to_numpy()
    whole = np.flatnonzero(~np.isnan(series).any(axis=1))
    codes = pd.Series(table["class_code"].to_numpy())
    units = pd.DataFrame({"parcel_index": table["parcel_index"].to_numpy(), "class": codes.map(name_of)})
    return units.iloc[whole].reset_index(drop=True), series[whole] / np.float32(QUANTIFICATION)


def draw(parcels: pd.DataFrame, *, per_stratum: int, seed: int) -> np.ndarray:
    """Positions of the first `per_stratum` parcels of each class, country and year by hash, in order of their units."""
    if parcels.empty:
        return np.empty(0, np.int64)
    # The seed enters the hash of text only, which country and tile are.
    rank = pd.util.hash_pandas_object(parcels[UNIT], index=False, hash_key=f"{seed:016x}", categorize=False)
    ranked = parcels.assign(position=np.arange(len(parcels)), rank=rank.to_numpy()).sort_values("rank", kind="stable")
    chosen = ranked.groupby(STRATUM, sort=False).head(per_stratum).sort_values(UNIT)
    return chosen["position"].to_numpy()


def add_splits(rows: pd.DataFrame, parcel_splits: Path) -> pd.DataFrame:
    """`rows` with a column ``split_<scenario>`` for each scenario, sorted by name; empty text where it has no split."""
    text = {name: pa.string() for name in ("scenario", "country", "tile", "split")}
    read = pa_dataset.CsvFileFormat(convert_options=pa_csv.ConvertOptions(column_types=text))
    here = pa_dataset.field("parcel_index").isin(rows["parcel_index"].tolist())
    table = pa_dataset.dataset(parcel_splits, format=read).to_table(columns=["scenario", *UNIT, "split"], filter=here)
    found = table.to_pandas()
    for scenario in sorted(found["scenario"].unique()):
        splits = found[found["scenario"] == scenario].set_index(UNIT)["split"].rename(f"split_{scenario}")
        rows = rows.join(splits, on=UNIT, validate="1:1").fillna({splits.name: ""})
    return rows


def write_rows(path: Path, rows: pd.DataFrame) -> None:
    """Write a Parquet table, the same bytes for the same rows."""
    types = {"year": pa.int32(), "parcel_index": pa.int64(), "x": pa.float32(), "y": pa.float32()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in rows.columns])
    table = pa.Table.from_pandas(rows, schema=schema, preserve_index=False).replace_schema_metadata(None)
    with replace_on_success(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


if __name__ == "__main__":
    step(embed_samples, snakemake)  # noqa: F821
