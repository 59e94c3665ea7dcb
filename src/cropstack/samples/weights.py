"""Which pixels belong to which parcel, and with what weight: the file between weigh_parcels and aggregate_parcels."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cropstack.errors import SampleError
from cropstack.files import (
    add_bare_dimension,
    add_dimension,
    add_group,
    add_variable,
    create_netcdf,
    open_netcdf,
    read_attributes,
    reading,
)

ATTRIBUTES = ("tile", "year", "size_px", "weighting")


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
    """Root attributes: tile (text), year, size_px (int), weighting (text); CropstackError where one is missing."""
    with open_netcdf(path) as file, reading(path, "weights"):
        attributes = read_attributes(file)
        return {name: attributes[name] for name in ATTRIBUTES}


def read_weights(path: Path, resolution_m: int, *, pixels: int) -> Weights:
    """Read the weights on the grid of a resolution that has `pixels` pixels.

    Raises
    ------
    SampleError : a pixel outside the grid, a weight that is not above 0, or rows that do not add up.
    CropstackError : the file is cut or damaged.
    """
    with open_netcdf(path) as file, reading(path, f"weights at {resolution_m} m"):
        group = file[f"r{resolution_m}m"]
        weights = group["weights"][...] if "weights" in group else None
        found = Weights(group["parcel_index"][...], group["offsets"][...], group["pixels"][...], weights)
    if not fits(found, pixels):
        raise SampleError(
            f"{path}: r{resolution_m}m: its {len(found.parcel_index)} rows with {len(found.pixels)} pixels do not fit "
            f"a grid of {pixels} pixels, or not every weight is above 0. Delete it and run again."
        )
    return found


def fits(weights: Weights, pixels: int) -> bool:
    """Whether rows add up, every weight is above 0, and every pixel lies on a grid of so many."""
    last, offsets = len(weights.pixels), weights.offsets
    if len(offsets) != len(weights.parcel_index) + 1 or offsets[0] != 0 or offsets[-1] != last:
        return False
    if weights.weights is not None and (len(weights.weights) != last or not np.all(weights.weights > 0)):
        return False
    inside = not last or (weights.pixels.min() >= 0 and weights.pixels.max() < pixels)
    return bool(inside and np.all(np.diff(offsets) >= 0))
