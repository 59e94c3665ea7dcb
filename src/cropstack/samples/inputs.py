"""Scenes and labels of one tile and year: checked to be so, and bands read without the pixels that are left out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import h5py
import numpy as np

from cropstack.bands import FLAGS, S2_BAND
from cropstack.errors import ConfigError, MissingBand, SampleError, nearest
from cropstack.files import read_attributes, read_chunk, read_chunks, reading
from cropstack.grid import PATCH_PX, pixel_centres, tile_geobox
from cropstack.product import format_time, parse_time


@dataclass(frozen=True)
class SceneInfo:
    """Name and sensing time (UTC) of a scene."""

    scene: str
    sensing: datetime


def flag_mask(names: Iterable[str]) -> int:
    """Bits of the named flags.

    Raises
    ------
    ConfigError : a name that is no flag.
    """
    mask = 0
    for name in names:
        if name not in FLAGS:
            raise ConfigError(f'left_out_flags: "{name}" is no flag of a scene{nearest(name, FLAGS)}')
        mask |= FLAGS[name]
    return mask


def check_bands(bands: list[str]) -> None:
    """Check that bands exist; ConfigError names one that does not."""
    for band in bands:
        if band not in S2_BAND:
            raise ConfigError(f'bands: "{band}" is no band of Sentinel-2{nearest(band, S2_BAND)}')


def check_scene(file: h5py.File, *, tile: str, year: int, size_px: int, bands: list[str]) -> SceneInfo:
    """Name and time of an open scene file that is of this tile, year and grid and has these bands.

    Raises
    ------
    SampleError : another tile, year or grid. MissingBand : a band is missing. CropstackError : a damaged file.
    """
    with reading(file.filename, "a scene"):
        attributes = read_attributes(file)
        found_tile, sensing = attributes["tile"], parse_time(attributes["sensing_time"])
        info = SceneInfo(attributes["scene"], sensing)
        lacking = [band for band in bands if f"r{S2_BAND[band].resolution_m}m/{band}" not in file]
    if (found_tile, sensing.year) != (tile, year):
        found = f"{found_tile} at {format_time(sensing)}"
        raise SampleError(f"{file.filename}: is of {found}; expected a scene of {tile} in {year}. Build it again.")
    if lacking:
        at = f"{lacking[0]} at {S2_BAND[lacking[0]].resolution_m} m"
        raise MissingBand(f"{file.filename}: has no {at}. Take it out of the recipe's bands.")
    for resolution_m in sorted({S2_BAND[band].resolution_m for band in bands}):
        check_grid(file, resolution_m, tile=tile, size_px=size_px)
    return info


def check_labels(file: h5py.File, *, tile: str, year: int) -> None:
    """Check that an open label file is of a tile and year.

    Raises
    ------
    SampleError : it is of another. CropstackError : it does not say.
    """
    with reading(file.filename, "labels"):
        attributes = read_attributes(file)
        found = (str(attributes["tile"]), int(attributes["year"]))
    if found != (tile, year):
        raise SampleError(f"{file.filename}: holds {found[0]} {found[1]}; expected {tile} {year}. Build it again.")


def check_grid(file: h5py.File, resolution_m: int, *, tile: str, size_px: int) -> None:
    """Check that the group of a resolution lies on the grid of a tile.

    Raises
    ------
    SampleError : it lies elsewhere. CropstackError : it is not there or damaged.
    """
    name = f"r{resolution_m}m"
    with reading(file.filename, f"a grid of {resolution_m} m"):
        found_x, found_y = file[f"{name}/x"][...], file[f"{name}/y"][...]
    x, y = pixel_centres(tile_geobox(tile, resolution_m, size_px=size_px))
    if not (np.array_equal(found_x, x) and np.array_equal(found_y, y)):
        found = f"{len(found_y)} × {len(found_x)} px from {found_x[0]}, {found_y[0]}"
        raise SampleError(
            f"{file.filename}: {name} has {found}; expected {len(y)} × {len(x)} from {x[0]}, {y[0]}: the grid of "
            f"{tile} at {size_px} px. Build it again."
        )


def variable_of(file: h5py.File, resolution_m: int, name: str) -> h5py.Dataset:
    """A variable of the grid of a resolution; CropstackError where the file lacks it."""
    with reading(file.filename, f"a grid of {resolution_m} m"):
        return file[f"r{resolution_m}m/{name}"]


def read_band(file: h5py.File, band: str, left_out: np.ndarray) -> np.ndarray:
    """A whole band: uint16 (y, x), reflectance × 10 000; 0 where there is no data or `left_out` (bool) is set."""
    values = read_chunks(variable_of(file, S2_BAND[band].resolution_m, band))
    np.copyto(values, 0, where=left_out)
    return values


def read_left_out(file: h5py.File, resolution_m: int, mask: int) -> np.ndarray:
    """Pixels with any of the flags in `mask`: bool (y, x)."""
    flags = read_chunks(variable_of(file, resolution_m, "flags"))
    flags &= mask
    return flags.astype(bool)


def read_patch(file: h5py.File, bands: list[str], place: tuple[int, int], mask: int) -> np.ndarray:
    """Bands of one resolution in the patch at `place` (row, column): uint16 (band, y, x), 0 where left out."""
    resolution_m = S2_BAND[bands[0]].resolution_m
    origin = (place[0] * PATCH_PX[resolution_m], place[1] * PATCH_PX[resolution_m])
    values = np.stack([read_chunk(variable_of(file, resolution_m, band), origin) for band in bands])
    left_out = read_chunk(variable_of(file, resolution_m, "flags"), origin) & mask != 0
    np.copyto(values, 0, where=left_out)
    return values
