"""Samples of the parcel table: monthly means and standard deviations of its pixels (Sen4AgriNet, section VI-B)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from cropstack.bands import QUANTIFICATION, S2_BANDS
from cropstack.errors import SampleError
from cropstack.files import reading
from cropstack.legend import UNKNOWN as UNKNOWN_CODE
from cropstack.train.account import (
    MISSING_VALUE,
    NO_MEASURED_MONTH,
    NOT_IN_LEGEND,
    NOT_IN_SCENARIO,
    OVER_LIMIT,
    UNKNOWN_CLASS,
    USED,
    Account,
    count,
)
from cropstack.train.experiment import Experiment
from cropstack.train.samples import SPLITS, UNKNOWN, Drawn, Part, Samples, classes_of, draw, read_splits, tile_year_of

BANDS = sorted(band.name for band in S2_BANDS)  # as S4A-Models sorts them
STATISTICS = ("mean", "std")


def parcel_parts(
    stores: list[Path], splits: Path, experiment: Experiment, class_of: np.ndarray, *, months: Sequence[int]
) -> Drawn:
    """Parcels of composites tables by split; only those of the legend, measured and without a gap in `months`.

    Raises
    ------
    SampleError : tables that do not belong together or cannot be; see `read_splits` and `read_parcels`.
    """
    chosen = read_splits(splits, experiment.scenario, ["parcel_index"], stores, text=("reason",))
    found = [_parcels(store, chosen, class_of, months) for store in stores]
    units = pd.concat([units for units, _ in found], ignore_index=True)
    series = np.concatenate([series for _, series in found])
    usable = np.flatnonzero(units["fate"] == "")  # in the order of `series`
    named = units.loc[usable, ["place", "parcel_index", "split"]]
    parts: dict[str, Part] = {}
    for split in SPLITS:
        drawn = draw(named, experiment, split)
        units.loc[usable[drawn], "fate"] = USED
        targets = units["target"].to_numpy()[usable[drawn]]
        support = np.bincount(targets, minlength=class_of.max() + 1)
        identity = named.iloc[drawn][["place", "parcel_index"]].reset_index(drop=True)
        parts[split] = Part(parcel_samples(series[drawn], targets), identity, support)
    fates = count(units["split"].to_list(), units["fate"].replace("", OVER_LIMIT).to_list())
    return Drawn(parts, [Account("parcel", sum(pq.read_metadata(store).num_rows for store in stores), fates)])


def parcel_samples(series: np.ndarray, targets: np.ndarray) -> Samples:
    """Samples of series (n, months, features) and classes (n,) held in memory."""
    return Samples(len(series), series.shape[1:], lambda index: (series[index], targets[index]))


def _parcels(
    store: Path, splits: pd.DataFrame, class_of: np.ndarray, months: Sequence[int]
) -> tuple[pd.DataFrame, np.ndarray]:
    """All parcels of one file: place, parcel_index, target, split and fate (empty: usable); series of the usable."""
    tile, year = tile_year_of(store)
    indices, codes, series, measured = read_parcels(store, months)
    here = splits.loc[(splits["tile"] == tile) & (splits["year"] == year), ["parcel_index", "split", "reason"]]
    targets = classes_of(codes, class_of, origin=store)
    units = pd.DataFrame({"place": f"{year}_{tile}", "parcel_index": indices, "target": targets})
    _check_parcels(store, indices, here)
    units = units.merge(here, on="parcel_index", how="left").fillna({"split": "", "reason": NOT_IN_SCENARIO})
    missing = np.isnan(series).any(axis=(1, 2))
    reasons = [units["split"] == "", codes == UNKNOWN_CODE, targets == UNKNOWN, missing, ~measured]
    fates: list[Any] = [units["reason"], UNKNOWN_CLASS, NOT_IN_LEGEND, MISSING_VALUE, NO_MEASURED_MONTH]
    units["fate"] = np.select(reasons, fates, "")
    return units.drop(columns="reason"), series[(units["fate"] == "").to_numpy()]


def _check_parcels(store: Path, indices: np.ndarray, splits: pd.DataFrame) -> None:
    """SampleError where the parcels of composites and those of the splits differ, or one stands twice."""
    again = "They were made from different declarations: delete both and run again."
    if len(np.unique(indices)) != len(indices):
        raise SampleError(f"{store}: a parcel_index stands twice; expected a row per parcel. Delete it and run again.")
    without = indices[~np.isin(indices, splits["parcel_index"])]
    if len(splits) and len(without):
        raise SampleError(f"{store}: {len(without)} parcels lack in the splits, the first is {without[0]}. {again}")
    strange = splits.loc[(splits["split"] != "") & ~splits["parcel_index"].isin(indices), "parcel_index"]
    if len(strange):
        first = f"the first is {strange.iloc[0]}"
        raise SampleError(f"{store}: lacks {len(strange)} parcels that have a split, {first}. {again}")


def read_parcels(store: Path, months: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Parcel indices (n,), class codes (n,), series (n, months, 2 × bands) in reflectance, float32; which are measured.

    Measured (bool) is a parcel that has a month without an interpolated value. Features are mean then standard
    deviation of each band, bands sorted by name.

    Raises
    ------
    SampleError : of another tile or year than its name says; a column is missing, a parcel has no class, a value is
        infinite. CropstackError : the file is cut or damaged.
    """
    columns = [f"{band}_{month:02d}_{statistic}" for month in months for band in BANDS for statistic in STATISTICS]
    names = ["parcel_index", "class_code", *columns, *(f"{month:02d}_filled" for month in months)]
    _check_table(store, names)
    with reading(store, "composites of parcels"):
        data = pq.read_table(store, columns=names, page_checksum_verification=True)
        measured = np.any([~data[f"{month:02d}_filled"].to_numpy() for month in months], axis=0)
        values = np.empty((len(data), len(columns)), np.float32)
        for position, name in enumerate(columns):
            values[:, position] = data[name].to_numpy()
    if nulls := data["class_code"].null_count:
        raise SampleError(f"{store}: {nulls} of {len(data)} parcels have no class_code. Make the labels again.")
    if np.isinf(values).any():
        name = columns[int(np.isinf(values).any(axis=0).argmax())]
        raise SampleError(f"{store}: {name} holds an infinite value; expected reflectance × 10 000. Make it again.")
    series = values.reshape(len(data), len(months), -1) / np.float32(QUANTIFICATION)
    return data["parcel_index"].to_numpy(), data["class_code"].to_numpy(), series, measured


def _check_table(store: Path, columns: list[str]) -> None:
    """SampleError where a table is of another tile or year than its name says, or lacks a column."""
    with reading(store, "composites of parcels"):
        schema = pq.read_schema(store)
        about = json.loads((schema.metadata or {})[b"cropstack"])
        found = (about["tile"], about["year"])
    tile, year = tile_year_of(store)
    if found != (tile, year):
        raise SampleError(f"{store}: holds {found[0]} {found[1]}; expected {tile} {year}. Delete it and run again.")
    missing = sorted(set(columns) - set(schema.names))
    if missing:
        raise SampleError(f"{store}: has no column {missing[0]} ({len(missing)} missing). Delete it and run again.")
