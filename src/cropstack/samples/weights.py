"""Which pixels belong to which parcel, and with what weight: the file between weigh_parcels and aggregate_parcels."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cropstack.errors import SampleError
from cropstack.files import add_bare_dimension, add_dimension, add_group, add_variable, create_netcdf, read_attributes


@dataclass(frozen=True)
class Weights:
    """Pixels of parcels on one grid, as compressed rows: those of parcel i stand from offsets[i] to offsets[i + 1].

    Attributes
    ----------
    parcel_index : int64 (n), ascending; parcels without a pixel have an empty row.
    offsets : int64 (n + 1).
    pixels : int32, row × width + column on the grid; ascending within a parcel.
    weights : float32, one for each of `pixels`; None where every pixel weighs 1.
    """

    parcel_index: np.ndarray
    offsets: np.ndarray
    pixels: np.ndarray
    weights: np.ndarray | None


def write_weights(path: Path, attributes: dict[str, Any], grids: Iterable[tuple[int, Weights]]) -> None:
    """Write weights by resolution in m; only one grid's lie in memory if `grids` makes them one after the other.

    Uncompressed: every scene of the tile-year reads them.
    """
    with create_netcdf(path, attributes) as file:
        for resolution_m, weights in grids:
            group = add_group(file, f"r{resolution_m}m")
            about = {"long_name": "parcel_index of each row"}
            add_dimension(group, "parcel_index", weights.parcel_index, about)
            add_bare_dimension(group, "bound", len(weights.offsets))
            add_bare_dimension(group, "member", len(weights.pixels))
            about = {"long_name": "where the members of a parcel start; the next one's start is their end"}
            add_variable(group, "offsets", ("bound",), "i8", about, data=weights.offsets)
            about = {"long_name": "pixel as row times width plus column"}
            add_variable(group, "pixels", ("member",), "i4", about, data=weights.pixels)
            if weights.weights is not None:
                about = {"long_name": "weight of the pixel in the parcel", "units": "1"}
                add_variable(group, "weights", ("member",), "f4", about, data=weights.weights)


def read_weights_attributes(path: Path) -> dict[str, Any]:
    """Root attributes: tile (text), year, size_px (int), weighting (text)."""
    with h5py.File(path) as file:
        return read_attributes(file)


def read_weights(path: Path, resolution_m: int, *, pixels: int) -> Weights:
    """Read the weights on the grid of a resolution that has `pixels` pixels.

    Raises
    ------
    SampleError : a pixel outside the grid, or rows that do not add up.
    """
    with h5py.File(path) as file:
        group = file[f"r{resolution_m}m"]
        weights = group["weights"][...] if "weights" in group else None
        found = Weights(group["parcel_index"][...], group["offsets"][...], group["pixels"][...], weights)
    last = len(found.pixels)
    whole = found.offsets[0] == 0 and found.offsets[-1] == last and bool(np.all(np.diff(found.offsets) >= 0))
    inside = not last or (found.pixels.min() >= 0 and found.pixels.max() < pixels)
    if not (whole and inside and len(found.offsets) == len(found.parcel_index) + 1):
        raise SampleError(
            f"{path}: r{resolution_m}m: its {len(found.parcel_index)} rows with {last} pixels do not fit a grid of "
            f"{pixels} pixels. Delete it and run again."
        )
    return found
