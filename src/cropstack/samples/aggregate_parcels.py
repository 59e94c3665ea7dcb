"""Mean, standard deviation, skewness and number of pixels of every parcel in every band of a scene.

This is the object aggregated dataset (OAD) of Sen4AgriNet, section V-D, per acquisition. A parcel without a valid pixel
is a row of NaN with n 0. Reflectance × 10 000, as in the scene.
"""

from pathlib import Path

import h5py
import numpy as np

from cropstack.bands import S2_BAND
from cropstack.errors import SampleError
from cropstack.files import open_netcdf
from cropstack.product import format_time
from cropstack.samples.inputs import check_bands, check_scene, flag_mask, read_band, read_left_out
from cropstack.samples.moments import Moments, parcel_moments
from cropstack.samples.tables import write_table
from cropstack.samples.weights import read_weights, read_weights_attributes
from cropstack.step import step


def aggregate_parcels(scene: Path, weights: Path, table: Path, *, bands: list[str], left_out_flags: list[str]) -> None:
    """Write a row per owned parcel, by parcel_index: ``<band>_n`` int32, ``_mean``, ``_std``, ``_skewness`` float32.

    Parameters
    ----------
    scene, weights : of one tile and year.
    bands : names, in the order of the columns.
    left_out_flags : pixels with any of these flags are left out; pixels without data always are.

    Raises
    ------
    SampleError : scene and weights of different tiles, years or grids; weights that do not fit. MissingBand : the scene
    lacks a band. ConfigError : a band or a flag that does not exist. CropstackError : a cut or damaged file.
    """
    mask = flag_mask(left_out_flags)
    check_bands(bands)
    about = read_weights_attributes(weights)
    tile, year, size_px = about["tile"], about["year"], about["size_px"]
    with open_netcdf(scene) as file:
        info = check_scene(file, tile=tile, year=year, size_px=size_px, bands=bands)
        columns = _moments(file, weights, bands, mask, size_px=size_px)
    said = {"scene": info.scene, "sensing_time": format_time(info.sensing), "tile": tile, "year": year}
    write_table(table, columns, said | {"weighting": about["weighting"], "left_out_flags": left_out_flags})
    unseen = np.all([columns[f"{band}_n"] == 0 for band in bands], axis=0)
    print(f"{info.scene}: {len(unseen)} parcels, {np.count_nonzero(unseen)} without a valid pixel")


def _moments(file: h5py.File, weights: Path, bands: list[str], mask: int, *, size_px: int) -> dict[str, np.ndarray]:
    """Columns of the table. Weights and flags are read once per resolution, each band once, whole."""
    found: dict[str, Moments] = {}
    index: np.ndarray | None = None
    for resolution_m in sorted({S2_BAND[band].resolution_m for band in bands}):
        members = read_weights(weights, resolution_m, pixels=(size_px * 10 // resolution_m) ** 2)
        if index is not None and not np.array_equal(members.parcel_index, index):
            raise SampleError(f"{weights}: r{resolution_m}m holds other parcels than r10m. Delete it and run again.")
        index = members.parcel_index
        left_out = read_left_out(file, resolution_m, mask)
        for band in [band for band in bands if S2_BAND[band].resolution_m == resolution_m]:
            found[band] = parcel_moments(read_band(file, band, left_out), members)
    columns = {"parcel_index": members.parcel_index}
    for band in bands:
        columns |= {f"{band}_{name}": values for name, values in vars(found[band]).items()}
    return columns


if __name__ == "__main__":
    step(aggregate_parcels, snakemake)  # noqa: F821
