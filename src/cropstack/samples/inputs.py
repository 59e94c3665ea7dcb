"""Scenes and labels of one tile and year: checked to be so, and bands read without the pixels that are left out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import h5py
import numpy as np

from cropstack.bands import FLAGS, S2_BAND
from cropstack.errors import ConfigError, MissingBand, SampleError, nearest
from cropstack.files import read_attributes, read_chunk, read_chunks
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
    SampleError : another tile, year or grid. MissingBand : a band is missing.
    """
    attributes = read_attributes(file)
    sensing = parse_time(attributes["sensing_time"])
    if (attributes["tile"], sensing.year) != (tile, year):
        found = f"{attributes['tile']} at {format_time(sensing)}"
        raise SampleError(f"{file.filename}: is of {found}; expected a scene of {tile} in {year}. Build it again.")
    for band in bands:
        resolution_m = S2_BAND[band].resolution_m
        if band not in file[f"r{resolution_m}m"]:
            raise MissingBand(f"{file.filename}: has no {band} at {resolution_m} m. Take it out of the recipe's bands.")
    for resolution_m in sorted({S2_BAND[band].resolution_m for band in bands}):
        check_grid(file[f"r{resolution_m}m"], tile=tile, size_px=size_px)
    return SceneInfo(attributes["scene"], sensing)


def check_labels(file: h5py.File, *, tile: str, year: int) -> None:
    """Check that an open label file is of a tile and year; SampleError if it is not."""
    attributes = read_attributes(file)
    found = (str(attributes["tile"]), int(attributes["year"]))
    if found != (tile, year):
        raise SampleError(f"{file.filename}: holds {found[0]} {found[1]}; expected {tile} {year}. Build it again.")


def check_grid(group: h5py.Group, *, tile: str, size_px: int) -> None:
    """Check that a group such as ``r10m`` lies on the grid of a tile; SampleError if it does not."""
    x, y = pixel_centres(tile_geobox(tile, int(group.name[2:-1]), size_px=size_px))
    if not (np.array_equal(group["x"][...], x) and np.array_equal(group["y"][...], y)):
        raise SampleError(
            f"{group.file.filename}: {group.name} has {len(group['y'])} × {len(group['x'])} px from {group['x'][0]}, "
            f"{group['y'][0]}; expected {len(y)} × {len(x)} from {x[0]}, {y[0]}: the grid of {tile} at {size_px} px. "
            "Build it again."
        )


def read_band(file: h5py.File, band: str, left_out: np.ndarray) -> np.ndarray:
    """A whole band: uint16 (y, x), reflectance × 10 000; 0 where there is no data or `left_out` (bool) is set."""
    values = read_chunks(file[f"r{S2_BAND[band].resolution_m}m/{band}"])
    np.copyto(values, 0, where=left_out)
    return values


def read_left_out(file: h5py.File, resolution_m: int, mask: int) -> np.ndarray:
    """Pixels with any of the flags in `mask`: bool (y, x)."""
    flags = read_chunks(file[f"r{resolution_m}m/flags"])
    flags &= mask
    return flags.astype(bool)


def read_patch(file: h5py.File, bands: list[str], place: tuple[int, int], mask: int) -> np.ndarray:
    """Bands of one resolution in the patch at `place` (row, column): uint16 (band, y, x), 0 where left out."""
    resolution_m = S2_BAND[bands[0]].resolution_m
    group, size = file[f"r{resolution_m}m"], PATCH_PX[resolution_m]
    origin = (place[0] * size, place[1] * size)
    values = np.stack([read_chunk(group[band], origin) for band in bands])
    np.copyto(values, 0, where=read_chunk(group["flags"], origin) & mask != 0)
    return values
