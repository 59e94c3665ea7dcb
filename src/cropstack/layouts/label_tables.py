"""What label files, parcel tables and their tables of tiles hold, as far as a layout is compared with it."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cropstack.errors import LayoutError
from cropstack.files import open_netcdf, read_attributes, read_chunk, reading
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

    `numbers` has their parcel_index (int64) row by row; `owners` parcel_index and `tile`, the one that owns the parcel,
    if any (category); `declared` counts the parcels of the declaration.
    """

    name: str
    path: Path
    numbers: np.ndarray
    owners: pd.DataFrame
    declared: int

    def owned_by(self, tile: str) -> np.ndarray:
        """Numbers of the parcels that a tile owns, int64, sorted."""
        return np.sort(self.owners.loc[self.owners["tile"] == tile, "parcel_index"].to_numpy())


def read_labels(path: Path) -> tuple[TileYear, LabelFile]:
    """Read a label file patch by patch."""
    size = PATCH_PX[10]
    counts, labelled, numbers = {}, set(), []
    with open_netcdf(path) as file:
        with reading(path, "labels"):
            attributes = read_attributes(file)
            labels, parcels = file["r10m/labels"], file["r10m/parcels"]
        for y in range(0, labels.shape[0], size):
            for x in range(0, labels.shape[1], size):
                place = (y // size, x // size)
                found = pd.unique(read_chunk(parcels, (y, x)).ravel())
                numbers.append(found[found != 0])
                counts[place] = len(numbers[-1])
                if read_chunk(labels, (y, x)).any():
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
    table = pq.read_table(parcels, columns=["parcel_index"])
    about = json.loads((table.schema.metadata or {}).get(b"cropstack", b"{}"))
    if "declared" not in about:
        raise LayoutError(f"{parcels}: does not say how many parcels were declared. Delete it and run again.")
    owners = pq.read_table(tiles, columns=["parcel_index", "tile"], read_dictionary=["tile"]).to_pandas()
    name = parcels.name.removesuffix("_parcels.parquet")
    return Declaration(name, parcels, table["parcel_index"].to_numpy(), owners, about["declared"])


def read_parcels(parcels: Path, numbers: np.ndarray) -> pd.DataFrame:
    """Columns parcel_index, id and metrics:area (m²) of some parcels, in the order of the table."""
    columns = ["parcel_index", "id", "metrics:area"]
    return pq.read_table(parcels, columns=columns, filters=pc.field("parcel_index").isin(numbers)).to_pandas()
