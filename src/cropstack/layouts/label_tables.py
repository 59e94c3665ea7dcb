"""What label files, parcel tables and their tables of tiles hold, as far as a layout is compared with it."""

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from cropstack.errors import LayoutError
from cropstack.files import read_attributes
from cropstack.grid import PATCH_PX
from cropstack.layouts.patch_files import Place, TileYear


@dataclass(frozen=True)
class LabelFile:
    """What a label file holds on the 10 m grid.

    `parcels`: number of distinct parcels by patch; `labelled`: patches with a labelled pixel; `numbers`: all parcel
    numbers, int64, sorted.
    """

    path: Path
    country: str
    parcels: dict[Place, int]
    labelled: set[Place]
    numbers: np.ndarray


@dataclass(frozen=True)
class Declaration:
    """Parcels of a country and year, named such as ``fr_2019``.

    `table` has id, parcel_index and metrics:area (m²) by row, `owners` the tile that owns a parcel number, if any;
    `declared` counts the parcels of the declaration.
    """

    name: str
    table: pd.DataFrame
    owners: dict[int, str | None]
    declared: int


def read_labels(path: Path) -> tuple[TileYear, LabelFile]:
    """Read a label file patch by patch."""
    size = PATCH_PX[10]
    counts, labelled, numbers = {}, set(), []
    with h5py.File(path) as file:
        attributes = read_attributes(file)
        labels, parcels = file["r10m/labels"], file["r10m/parcels"]
        for y in range(0, labels.shape[0], size):
            for x in range(0, labels.shape[1], size):
                place = (y // size, x // size)
                found = pd.unique(parcels[y : y + size, x : x + size].ravel())
                numbers.append(found[found != 0])
                counts[place] = len(numbers[-1])
                if labels[y : y + size, x : x + size].any():
                    labelled.add(place)
    key = (str(attributes["tile"]), int(attributes["year"]))
    return key, LabelFile(path, str(attributes["country"]), counts, labelled, np.unique(np.concatenate(numbers)))


def country_year(path: Path) -> tuple[str, int]:
    """Country and year in a name such as ``es_ct_2019_parcels.parquet``."""
    country, year, _ = path.name.rsplit("_", 2)
    return country, int(year)


def read_declaration(parcels: Path, tiles: Path) -> Declaration:
    """Read a parcel table and its table of tiles.

    Raises
    ------
    LayoutError : the two are of different countries or years, or the number of declared parcels is not recorded.
    """
    if country_year(parcels) != country_year(tiles):
        raise LayoutError(f"{parcels} and {tiles} are of different countries or years")
    table = pq.read_table(parcels, columns=["id", "parcel_index", "metrics:area"])
    about = json.loads((table.schema.metadata or {}).get(b"cropstack", b"{}"))
    if "declared" not in about:
        raise LayoutError(f"{parcels}: does not say how many parcels were declared. Delete it and run again.")
    owner = pq.read_table(tiles, columns=["parcel_index", "tile"])
    owners = dict(zip(owner["parcel_index"].to_pylist(), owner["tile"].to_pylist(), strict=True))
    return Declaration(parcels.name.removesuffix("_parcels.parquet"), table.to_pandas(), owners, about["declared"])
