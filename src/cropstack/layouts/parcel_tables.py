"""Sizes and ids of parcels, for the tables of parcels."""

from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq

from cropstack.errors import LayoutError


def read_counts(weights: Path) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the parcels that a tile owns (int64, sorted) and how many 10 m pixels each has (int64).

    With coverage weights these are the pixels that a parcel touches.
    """
    with h5py.File(weights) as file:
        group = file["r10m"]
        return group["parcel_index"][...], np.diff(group["offsets"][...].astype(np.int64))


def counts_of(weights: Path, parcels: np.ndarray, *, origin: Path) -> np.ndarray:
    """10 m pixels of each of `parcels`.

    Raises
    ------
    LayoutError : a parcel that the weights do not have.
    """
    known, counts = read_counts(weights)
    position = np.searchsorted(known, parcels)
    found = np.isin(parcels, known)
    if not found.all():
        raise LayoutError(f"{origin}: parcel {parcels[~found][0]} is not in {weights}. Delete both and run again.")
    return counts[position]


def read_column(table: Path, column: str, parcels: np.ndarray) -> list[object]:
    """Values of a column of a parcel table, for the parcels named.

    Raises
    ------
    LayoutError : the table has no such column, or lacks a parcel.
    """
    if column not in pq.read_schema(table).names:
        raise LayoutError(f'{table}: has no column "{column}". Delete it and run again.')
    data = pq.read_table(table, columns=["parcel_index", column])
    known = data["parcel_index"].to_numpy()
    order = np.argsort(known)
    position = np.searchsorted(known, parcels, sorter=order)
    lost = (position == len(known)) | (known[order[np.minimum(position, len(known) - 1)]] != parcels)
    if lost.any():
        raise LayoutError(f"{table}: has no parcel {parcels[lost][0]}. Build labels and samples from one declaration.")
    return data[column].take(order[position]).to_pylist()
