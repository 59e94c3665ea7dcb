"""The pixels of every parcel that a tile owns, with their weights: built once, used for every scene and band.

``pixel``: a pixel of the 10 m grid belongs to the parcel that the label file has there, in whole. A coarser pixel
weighs as many of the parcel's 10 m pixels as lie in it: moments are those of the bands repeated onto the 10 m grid, as
Sen4AgriNet takes them, and a parcel too small for the centre of a 60 m pixel still has a value at 60 m.

``coverage``: a pixel weighs the share of its area that the parcel covers, on each grid for itself.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import h5py
import numpy as np

from cropstack.errors import ConfigError, SampleError
from cropstack.files import open_netcdf, read_chunk, reading
from cropstack.grid import RESOLUTIONS_M, tile_geobox
from cropstack.samples.inputs import check_grid, check_labels, variable_of
from cropstack.samples.membership import coarsen, coverage_weights, raster_weights
from cropstack.samples.tables import read_columns
from cropstack.samples.weights import Weights, write_weights
from cropstack.step import step


def weigh_parcels(
    parcels: Path, tiles: Path, labels: Path, weights: Path, *, tile: str, year: int, size_px: int, weighting: str
) -> None:
    """Write the weights of the parcels that `tile` owns: groups r10m, r20m, r60m, see `weights.Weights`.

    Parameters
    ----------
    parcels, tiles, labels : what harmonise_parcels, assign_tiles and rasterise_labels wrote for this tile and year.
    weighting : ``pixel`` or ``coverage``.

    Raises
    ------
    SampleError : the tile owns no parcel; labels of another tile, year, grid or parcel table; a parcel twice in the
        table of tiles, or without a geometry. CropstackError : a cut or damaged file.
    ConfigError : another weighting.
    """
    owned, known = read_owned(tiles, tile)
    with open_netcdf(labels) as file:
        check_labels(file, tile=tile, year=year)
        check_grid(file, 10, tile=tile, size_px=size_px)
        if weighting == "pixel":
            grids = _pixel(variable_of(file, 10, "parcels"), owned, known)
        elif weighting == "coverage":
            grids = _coverage(parcels, owned, tile=tile, size_px=size_px)
        else:
            raise ConfigError(f'weighting is "{weighting}"; expected "pixel" or "coverage"')
        about: dict[str, Any] = {"title": f"Pixels of the parcels of {tile} in {year}", "tile": tile, "year": year}
        write_weights(weights, about | {"size_px": size_px, "weighting": weighting}, _said(grids))


def read_owned(tiles: Path, tile: str) -> tuple[np.ndarray, int]:
    """The parcel_index of the parcels that a tile owns, ascending, and the largest parcel_index of all."""
    table = read_columns(tiles, ["parcel_index", "tile"])
    index = table["parcel_index"]
    owned = np.sort(index[table["tile"] == tile])
    if not len(owned):
        raise SampleError(f"{tiles}: no parcel belongs to tile {tile}. Check areas in the configuration.")
    twice = owned[1:][np.diff(owned) == 0]
    if len(twice):
        raise SampleError(f"{tiles}: parcel {twice[0]} stands twice; expected once. Delete build/labels and run again.")
    return owned, int(index.max())


def _said(grids: Iterator[tuple[int, Weights]]) -> Iterator[tuple[int, Weights]]:
    for resolution_m, weights in grids:
        empty = int(np.count_nonzero(np.diff(weights.offsets) == 0))
        print(
            f"{resolution_m} m: {len(weights.pixels)} pixels in {len(weights.parcel_index)} parcels, {empty} without",
            flush=True,
        )
        yield resolution_m, weights


def _pixel(raster: h5py.Dataset, owned: np.ndarray, known: int) -> Iterator[tuple[int, Weights]]:
    fine = raster_weights(parcel_rows(raster, owned, known), owned)
    yield 10, fine
    for resolution_m in RESOLUTIONS_M[1:]:
        yield resolution_m, coarsen(fine, width=raster.shape[1], factor=resolution_m // 10)


def parcel_rows(raster: h5py.Dataset, owned: np.ndarray, known: int) -> np.ndarray:
    """Position in `owned` of each pixel's parcel: int32 (y, x), -1 for none or one that is not owned.

    Raises
    ------
    SampleError : a parcel number above `known`, the largest there is, or below 0.
    """
    row_of = np.full(known + 1, -1, np.int32)
    row_of[owned] = np.arange(len(owned))
    rows = np.empty(raster.shape, np.int32)
    height, width = raster.chunks
    for y in range(0, rows.shape[0], height):
        for x in range(0, rows.shape[1], width):
            numbers = read_chunk(raster, (y, x))
            if numbers.max() > known or numbers.min() < 0:
                found = numbers.max() if numbers.max() > known else numbers.min()
                raise SampleError(
                    f"{raster.file.filename}: holds parcel {found}; the table of tiles ends at {known}. "
                    "They were made from different declarations: delete build/labels and run again."
                )
            rows[y : y + height, x : x + width] = row_of[numbers]
    return rows


def _coverage(parcels: Path, owned: np.ndarray, *, tile: str, size_px: int) -> Iterator[tuple[int, Weights]]:
    with reading(parcels, "parcels"):
        table = gpd.read_parquet(parcels, columns=["parcel_index", "geometry"]).set_index("parcel_index")
    whole = table.index[~(table.geometry.isna() | table.geometry.is_empty)]
    missing = owned[~np.isin(owned, whole)]
    if len(missing):
        found = "no geometry of" if missing[0] in table.index else "no"
        raise SampleError(
            f"{parcels}: has {found} parcel {missing[0]}, which {tile} owns. Delete build/labels and run again."
        )
    grids = {resolution_m: tile_geobox(tile, resolution_m, size_px=size_px) for resolution_m in RESOLUTIONS_M}
    geometry = table.geometry.loc[owned].to_crs(str(grids[10].crs))
    for resolution_m, grid in grids.items():
        yield resolution_m, coverage_weights(geometry, owned, grid)


if __name__ == "__main__":
    step(weigh_parcels, snakemake)  # noqa: F821
