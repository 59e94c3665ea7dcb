"""Patch files of the layout `sen4agrinet`: their names, and what they say about where their pixels come from."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from cropstack.grid import PATCH_PX

Place = tuple[int, int]  # row and column on the patch grid
TileYear = tuple[str, int]


@dataclass(frozen=True)
class Patch:
    """What a patch file says: scenes in order of time, and for each the ids of its products, space separated."""

    scenes: tuple[str, ...]
    products: tuple[str, ...]


def patch_stem(key: TileYear, place: Place) -> str:
    """File name without ending, such as ``2019_31TCG_patch_00_01``."""
    (tile, year), (row, column) = key, place
    return f"{year}_{tile}_patch_{row:02d}_{column:02d}"


def read_patch(path: Path) -> Patch:
    """Read the group `acquisitions` of a patch file."""
    with h5py.File(path) as file:
        return Patch(*(_texts(file[f"acquisitions/{name}"][...]) for name in ("scene", "products")))


def _texts(characters: np.ndarray) -> tuple[str, ...]:
    """Rows of a netCDF character array (time, length) as text."""
    return tuple(row.tobytes().rstrip(b"\0").decode() for row in characters)


def differing_masks(path: Path, labels: h5py.File, place: Place) -> list[str]:
    """Names of the rasters in a patch file whose stored bytes are not those of the label file at `place`."""
    origin = (place[0] * PATCH_PX[10], place[1] * PATCH_PX[10])
    with h5py.File(path) as patch:
        return [
            name
            for name in ("labels", "parcels")
            if _chunk(patch[f"{name}/{name}"], (0, 0)) != _chunk(labels[f"r10m/{name}"], origin)
        ]


def _chunk(variable: h5py.Dataset, origin: Place) -> bytes:
    """Compressed bytes of the chunk at `origin`, empty where it was never written."""
    if variable.id.get_chunk_info_by_coord(origin).byte_offset is None:
        return b""
    return variable.id.read_direct_chunk(origin)[1]
