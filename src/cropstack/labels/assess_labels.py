"""How good the labels of a tile and year are: what is labelled, how pure its pixels are, which parcels are small.

A parcel's pixel is *pure* where no outline of any parcel passes through it: then it lies wholly in that parcel. The
others are mixed: what they measure comes from a neighbour, a road or a margin too. This is computed from the outlines
on each grid, not from the pixels of a finer one. Parcels are counted on the tile that owns them: none counts twice.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq
from odc.geo.geobox import GeoBox

from cropstack.errors import DeclarationError
from cropstack.files import read_attributes, read_chunk, write_csv
from cropstack.grid import RESOLUTIONS_M, tile_geobox
from cropstack.labels.burn import Outlines, burn, crossed, outlines, read_parcels_on
from cropstack.legend import UNKNOWN
from cropstack.step import step

# Numbers of pixels below which parcels are counted: with 1 there is a value, with 3 a skewness; 10 is a tenth of a
# hectare at 10 m; 64 are drawn from a parcel by pixel-set encoders.
FEW_PIXELS = (1, 3, 10, 64)
QUALITY_COLUMNS = [
    *("resolution_m", "pixels", "parcel_pixels", "pure_pixels", "shared_pixels", "unknown_pixels", "background_pixels"),
    *("parcels", *(f"below_{number}" for number in FEW_PIXELS), "without_pure"),
]


@dataclass(frozen=True)
class Drawn:
    """Parcels on a tile in the order in which they are drawn; arrays are by that order, from 0.

    `below` are the outlines in the opposite order, which leaves the lowest parcel on top; `owned` is a bool.
    """

    parcel_index: np.ndarray
    class_code: np.ndarray
    owned: np.ndarray
    shapes: Outlines
    below: Outlines


@dataclass(frozen=True)
class Counts:
    """Pixels on one grid: of each drawn parcel and, of these, pure ones; under several parcels; of the background."""

    of_parcel: np.ndarray
    pure: np.ndarray
    shared: int
    background: int


def assess_labels(
    parcels: Path, tiles: Path, labels: Path, quality: Path, *, tile: str, year: int, size_px: int
) -> None:
    """Write a row for each of the grids at 10, 20 and 60 m.

    Columns: resolution_m; pixels of the grid; parcel_pixels, whose centre lies in a parcel, and of these pure_pixels,
    shared_pixels (the centre lies in several parcels) and unknown_pixels (class 998); background_pixels, with a class
    outside parcels; parcels that the tile owns, and of these below_<n>, with fewer than n pixels, and without_pure.

    Parameters
    ----------
    parcels, tiles, labels : what harmonise_parcels, assign_tiles and rasterise_labels wrote.

    Raises
    ------
    DeclarationError : labels of another tile or year, or with parcels that `parcels` does not have on the tile.
    """
    geobox = tile_geobox(tile, 10, size_px=size_px)
    drawn = _read_drawn(parcels, tiles, geobox, tile)
    rows = []
    with h5py.File(labels) as file:
        _check(file, tile, year)
        for resolution_m in RESOLUTIONS_M:
            counts = count_pixels(file[f"r{resolution_m}m"], drawn, tile_geobox(tile, resolution_m, size_px=size_px))
            rows.append([resolution_m, *_row(counts, drawn, (size_px * 10 // resolution_m) ** 2)])
    write_csv(quality, QUALITY_COLUMNS, rows)
    for row in rows:
        print(", ".join(f"{name} {value}" for name, value in zip(QUALITY_COLUMNS, row, strict=True)))


def _read_drawn(parcels: Path, tiles: Path, geobox: GeoBox, tile: str) -> Drawn:
    table = read_parcels_on(parcels, geobox)
    owner = pq.read_table(tiles, columns=["parcel_index", "tile"], filters=[("tile", "=", tile)])
    index, geometry = table["parcel_index"].to_numpy(), table.geometry.to_numpy()
    owned = np.isin(index, owner["parcel_index"].to_numpy())
    return Drawn(index, table["class_code"].to_numpy(), owned, outlines(geometry), outlines(geometry[::-1]))


def _check(file: h5py.File, tile: str, year: int) -> None:
    about = read_attributes(file)
    if (about["tile"], about["year"]) != (tile, year):
        found = f"{about['tile']} {about['year']}"
        raise DeclarationError(f"{file.filename}: holds {found}; expected {tile} {year}. Delete it and run again.")


def count_pixels(group: h5py.Group, drawn: Drawn, grid: GeoBox) -> Counts:
    """Count the pixels of a group of a label file, patch by patch."""
    edges, below = crossed(drawn.shapes, grid), burn(drawn.below, grid)
    count = len(drawn.parcel_index)
    last = int(drawn.parcel_index.max())
    row_of = np.zeros(last + 1, np.int32)  # from 1; 0 is no parcel
    row_of[drawn.parcel_index] = np.arange(1, count + 1)
    totals, pure = np.zeros(count + 1, np.int64), np.zeros(count + 1, np.int64)
    shared = background = 0
    has_background = "background" in group.file.attrs
    side = group["parcels"].chunks[0]
    for y in range(0, grid.shape[0], side):
        for x in range(0, grid.shape[1], side):
            window = slice(y, y + side), slice(x, x + side)
            numbers = read_chunk(group["parcels"], (y, x))
            rows = row_of[np.minimum(numbers, last)]
            if numbers.max() > last or not np.array_equal(rows > 0, numbers > 0):
                raise DeclarationError(
                    f"{group.file.filename}: holds parcels that are not in the table. Delete it and run again."
                )
            totals += np.bincount(rows.ravel(), minlength=count + 1)
            pure += np.bincount(rows[~edges[window]], minlength=count + 1)
            shared += int(np.count_nonzero((rows > 0) & (rows != count + 1 - below[window])))
            if has_background:
                background += int(np.count_nonzero((rows == 0) & (read_chunk(group["labels"], (y, x)) > 0)))
    return Counts(totals[1:], pure[1:], shared, background)


def _row(counts: Counts, drawn: Drawn, pixels: int) -> list[int]:
    owned = counts.of_parcel[drawn.owned]
    unknown = counts.of_parcel[drawn.class_code == UNKNOWN]
    of_pixels = [pixels, counts.of_parcel.sum(), counts.pure.sum(), counts.shared, unknown.sum(), counts.background]
    of_parcels = [np.count_nonzero(owned < number) for number in FEW_PIXELS]
    without = np.count_nonzero(counts.pure[drawn.owned] == 0)
    return [int(value) for value in [*of_pixels, len(owned), *of_parcels, without]]


if __name__ == "__main__":
    step(assess_labels, snakemake)  # noqa: F821
