"""Patch files of the layout `sen4agrinet`: their names, and what they say about where their pixels come from."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from cropstack.bands import S2_BANDS
from cropstack.files import reading
from cropstack.grid import PATCH_PX

Place = tuple[int, int]  # row and column on the patch grid
TileYear = tuple[str, int]
MASKS = ("labels", "parcels")


@dataclass(frozen=True)
class Patch:
    """What a patch file says.

    `scenes` in order of time; `products` for each scene their ids, space separated; `steps` how many time steps are
    stored of each band; `differing` the masks whose stored bytes are not those of the label file.
    """

    scenes: tuple[str, ...]
    products: tuple[str, ...]
    steps: dict[str, int]
    differing: list[str]


def patch_stem(key: TileYear, place: Place) -> str:
    """File name without ending, such as ``2019_31TCG_patch_00_01``."""
    (tile, year), (row, column) = key, place
    return f"{year}_{tile}_patch_{row:02d}_{column:02d}"


def read_patch(path: Path, labels: h5py.File, place: Place) -> Patch:
    """Read of a patch file the group `acquisitions`, the sizes of its bands, and its masks beside a label file's."""
    origin = (place[0] * PATCH_PX[10], place[1] * PATCH_PX[10])
    with reading(path, "a patch"), h5py.File(path) as file:
        scenes, products = (_texts(file[f"acquisitions/{name}"][...]) for name in ("scene", "products"))
        steps = {band.name: _stored_steps(file, band.name) for band in S2_BANDS}
        differing = [
            name for name in MASKS if _chunk(file[f"{name}/{name}"], (0, 0)) != _chunk(labels[f"r10m/{name}"], origin)
        ]
    return Patch(scenes, products, steps, differing)


def _texts(characters: np.ndarray) -> tuple[str, ...]:
    """Rows of a netCDF character array (time, length) as text."""
    return tuple(row.tobytes().rstrip(b"\0").decode() for row in characters)


def _stored_steps(file: h5py.File, band: str) -> int:
    """Time steps of a band whose pixels are in the file: a step without a chunk would be read as no data.

    By the low-level interface: half the time over the bands of a patch.
    """
    variable = h5py.h5d.open(file.id, f"{band}/{band}".encode())
    return min(variable.shape[0], variable.get_num_chunks())


def _chunk(variable: h5py.Dataset, origin: Place) -> bytes:
    """Compressed bytes of the chunk at `origin`, empty where it was never written."""
    if variable.id.get_chunk_info_by_coord(origin).byte_offset is None:
        return b""
    return variable.id.read_direct_chunk(origin)[1]
