"""Scene files of one tile and year, checked against each other, ready to be copied from."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cropstack.bands import S2_BANDS
from cropstack.errors import LayoutError
from cropstack.files import read_attributes
from cropstack.grid import PATCH_PX, RESOLUTIONS_M, pixel_centres, tile_geobox
from cropstack.layouts.stored_chunks import StoredChunks, copy_stored_chunk, stored_chunks
from cropstack.product import parse_time


@dataclass(frozen=True)
class Scene:
    """One scene file, open for reading by position.

    Attributes
    ----------
    handle : file descriptor of `path`; one per scene, no HDF5 handle stays open.
    sensing : tile sensing time, UTC.
    attributes : root attributes of the scene file; text as str, numbers as int or float.
    valid_count : pixels with data by resolution in m; uint32 (patch row, patch column).
    chunks : by band name.
    """

    id: str
    path: Path
    handle: int
    sensing: datetime
    attributes: dict[str, Any]
    valid_count: dict[int, np.ndarray]
    chunks: dict[str, StoredChunks]

    def copy_chunk(self, band: str, place: tuple[int, int], target: h5py.Dataset, origin: tuple[int, ...]) -> None:
        """Copy the compressed chunk of a band at patch `place` (row, column)."""
        copy_stored_chunk(self.path, self.handle, self.chunks[band], place, target, origin)


@contextmanager
def open_scenes(paths: list[Path], *, tile: str, year: int, size_px: int) -> Iterator[list[Scene]]:
    """Yield the scenes in order of sensing time, whatever the order of `paths`.

    Raises
    ------
    LayoutError : no scene, another tile, year or grid, a missing band, or two scenes of one platform at one time.
    """
    if not paths:
        raise LayoutError(f"{tile} {year}: no scene to write patches from. Raise max_cloud_percent or add products.")
    with ExitStack() as stack:
        scenes = []
        for path in paths:
            handle = os.open(path, os.O_RDONLY)
            stack.callback(os.close, handle)
            scenes.append(_read_scene(path, handle, tile=tile, year=year, size_px=size_px))
        scenes.sort(key=lambda scene: (scene.sensing, scene.id))
        _check_times(scenes)
        yield scenes


def _read_scene(path: Path, handle: int, *, tile: str, year: int, size_px: int) -> Scene:
    with h5py.File(path) as file:
        attributes = read_attributes(file)
        for name, expected in (("tile", tile), ("level", "L1C")):
            if attributes.get(name) != expected:
                raise LayoutError(f'{path}: {name} is "{attributes.get(name)}"; expected "{expected}". Build it again.')
        sensing = parse_time(attributes["sensing_time"])
        if sensing.year != year:
            raise LayoutError(f"{path}: sensed at {attributes['sensing_time']}; expected a scene of {year}")
        for resolution_m in RESOLUTIONS_M:
            _check_grid(file[f"r{resolution_m}m"], tile=tile, resolution_m=resolution_m, size_px=size_px)
        counts = {r: file[f"r{r}m/valid_count"][...] for r in RESOLUTIONS_M}
        chunks = {band.name: _band_chunks(file, band.name, band.resolution_m) for band in S2_BANDS}
    return Scene(attributes["scene"], path, handle, sensing, attributes, counts, chunks)


def _band_chunks(file: h5py.File, band: str, resolution_m: int) -> StoredChunks:
    group = file[f"r{resolution_m}m"]
    if band not in group:
        raise LayoutError(f"{file.filename}: {group.name} has no {band}; Sen4AgriNet needs all 13 bands")
    return stored_chunks(group[band], dtype="u2", chunk_px=PATCH_PX[resolution_m])


def _check_grid(group: h5py.Group, *, tile: str, resolution_m: int, size_px: int) -> None:
    x, y = pixel_centres(tile_geobox(tile, resolution_m, size_px=size_px))
    if not (np.array_equal(group["x"][...], x) and np.array_equal(group["y"][...], y)):
        raise LayoutError(
            f"{group.file.filename}: {group.name} starts at {group['x'][0]}, {group['y'][0]} with {len(group['x'])} "
            f"columns; expected {x[0]}, {y[0]} with {len(x)}: the grid of {tile} at {size_px} px. Build it again."
        )


def _check_times(scenes: list[Scene]) -> None:
    seen: dict[tuple[str, datetime], Scene] = {}
    for scene in scenes:
        key = (scene.attributes["platform"], scene.sensing)
        if key in seen:
            raise LayoutError(
                f"{scene.path} and {seen[key].path} are one acquisition of {key[0]} at {key[1].isoformat()}; "
                "it would count twice. Exclude the products of one of them (config key exclude)."
            )
        seen[key] = scene
