"""Samples of the parcel table: monthly means and standard deviations of its pixels (Sen4AgriNet, section VI-B)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from cropstack.bands import QUANTIFICATION, S2_BANDS
from cropstack.errors import SampleError
from cropstack.train.experiment import Experiment
from cropstack.train.samples import SPLITS, UNKNOWN, Part, Samples, draw, read_splits, tile_year_of

BANDS = sorted(band.name for band in S2_BANDS)  # as S4A-Models sorts them
STATISTICS = ("mean", "std")


def parcel_parts(
    stores: list[Path], splits: Path, experiment: Experiment, class_of: np.ndarray, *, months: Sequence[int]
) -> dict[str, Part]:
    """Parcels of composites tables by split; only those of the legend, and without a missing value in `months`."""
    chosen = read_splits(splits, experiment.scenario, ["tile", "year", "parcel_index"])
    found = [_usable(store, chosen, class_of, months) for store in stores]
    units = pd.concat([units for units, _ in found], ignore_index=True)
    series = np.concatenate([series for _, series in found])
    whole = ~np.isnan(series).any(axis=(1, 2))
    missing = units.loc[~whole, "split"].value_counts()
    units, series = units[whole].reset_index(drop=True), series[whole]
    parts: dict[str, Part] = {}
    for split in SPLITS:
        drawn = draw(units[["place", "parcel_index", "split"]], experiment, split)
        targets = units["target"].to_numpy()[drawn]
        support = np.bincount(targets, minlength=class_of.max() + 1)
        named = units.loc[drawn, ["place", "parcel_index"]].reset_index(drop=True)
        parts[split] = Part(parcel_samples(series[drawn], targets), named, support, int(missing.get(split, 0)))
    return parts


def parcel_samples(series: np.ndarray, targets: np.ndarray) -> Samples:
    """Samples of series (n, months, features) and classes (n,) held in memory."""
    return Samples(len(series), series.shape[1:], lambda index: (series[index], targets[index]))


def _usable(
    store: Path, splits: pd.DataFrame, class_of: np.ndarray, months: Sequence[int]
) -> tuple[pd.DataFrame, np.ndarray]:
    """Parcels of one file that have a split and a class: place, parcel_index, target and split; and their series."""
    tile, year = tile_year_of(store)
    indices, codes, series = read_parcels(store, months)
    here = splits[(splits["tile"] == tile) & (splits["year"] == year)]
    units = pd.DataFrame({"place": f"{year}_{tile}", "parcel_index": indices, "target": class_of[codes]})
    units = units.merge(here[["parcel_index", "split"]], on="parcel_index", how="left", validate="1:1")
    usable = (units["split"].notna() & (units["target"] != UNKNOWN)).to_numpy()
    return units[usable], series[usable]


def read_parcels(store: Path, months: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parcel indices (n,), class codes (n,) and series (n, months, 2 × bands) in reflectance, float32.

    Features are mean then standard deviation of each band, bands sorted by name.

    Raises
    ------
    SampleError : a column is missing, or a parcel has no class.
    """
    columns = [f"{band}_{month:02d}_{statistic}" for month in months for band in BANDS for statistic in STATISTICS]
    missing = sorted({"parcel_index", "class_code", *columns} - set(pq.read_schema(store).names))
    if missing:
        raise SampleError(f"{store}: has no column {missing[0]} ({len(missing)} missing). Delete it and run again.")
    data = pq.read_table(store, columns=["parcel_index", "class_code", *columns])
    if nulls := data["class_code"].null_count:
        raise SampleError(f"{store}: {nulls} of {len(data)} parcels have no class_code. Make the labels again.")
    values = np.empty((len(data), len(columns)), np.float32)
    for position, name in enumerate(columns):
        values[:, position] = data[name].to_numpy()
    series = values.reshape(len(data), len(months), -1) / np.float32(QUANTIFICATION)
    return data["parcel_index"].to_numpy(), data["class_code"].to_numpy(), series
