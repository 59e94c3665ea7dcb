"""Declared parcels of a window of one tile, as many as a page can hold, with their splits."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset as ds
import shapely
from odc.geo.geobox import GeoBox

from cropstack.grid import PATCH_PX, tile_geobox
from cropstack.report.drawings import SPLITS, WIDTH, svg
from cropstack.report.inputs import Files
from cropstack.report.patches import read_labels

MOST_PARCELS = 2500
FINENESS = 4  # points lie on quarters of the drawing's unit, finer than a pixel of a telephone

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class Window:
    """Square of `side` × `side` patches on a tile's patch grid, from `row` and `column`."""

    row: int
    column: int
    side: int

    def places(self) -> set[tuple[int, int]]:
        """Rows and columns of its patches."""
        rows, columns = (range(start, start + self.side) for start in (self.row, self.column))
        return {(row, column) for row in rows for column in columns}


def middle_window(grid_side: int, side: int) -> Window:
    """The window in the middle of a patch grid."""
    start = (grid_side - side) // 2
    return Window(start, start, side)


def choose_window(folder: Path, stem: str, grid_side: int) -> tuple[Window, np.ndarray]:
    """The largest window in the middle of a tile with at most `MOST_PARCELS` parcels, and their numbers.

    `folder` holds the tile's patch files, `<stem>_patch_<row>_<column>.nc`; a window has at least one patch.
    """
    chosen, numbers, seen = middle_window(grid_side, 1), np.empty(0, np.int64), set[tuple[int, int]]()
    for side in range(1, grid_side + 1):
        window = middle_window(grid_side, side)
        new = [folder / f"{stem}_patch_{row:02d}_{column:02d}.nc" for row, column in sorted(window.places() - seen)]
        seen |= window.places()
        found = [np.unique(read_labels(path)[1]) for path in new if path.exists()]
        grown = np.setdiff1d(np.unique(np.concatenate([numbers, *found])), [0])
        if side > 1 and len(grown) > MOST_PARCELS:
            break
        chosen, numbers = window, grown
    return chosen, numbers


def read_outlines(path: Path, numbers: np.ndarray, crs: str) -> gpd.GeoSeries:
    """Outlines of parcels by their `parcel_index`, in `crs`."""
    parcels = gpd.read_parquet(
        path, columns=["parcel_index", "geometry"], filters=[("parcel_index", "in", numbers.tolist())]
    )
    return parcels.set_index("parcel_index").geometry.sort_index().to_crs(crs)


def read_splits(path: Path, *, scenario: str, tile: str, year: int) -> dict[int, str]:
    """Split of each parcel of a tile in a year, empty where it was left out; the table is read in pieces."""
    columns = {"scenario": "string", "tile": "string", "year": "int64", "parcel_index": "int64", "split": "string"}
    convert = pyarrow.csv.ConvertOptions(column_types=columns, strings_can_be_null=False)
    table = ds.dataset(path, format=ds.CsvFileFormat(convert_options=convert)).to_table(
        columns=["parcel_index", "split"],
        filter=(pc.field("scenario") == scenario) & (pc.field("tile") == tile) & (pc.field("year") == year),
    )
    return dict(zip(table["parcel_index"].to_pylist(), table["split"].to_pylist(), strict=True))


def draw_parcels(label: str, outlines: gpd.GeoSeries, splits: Mapping[int, str], window: Window, bounds: Bounds) -> str:
    """Parcels by split, each in its pattern; those left out are outlines. Lines separate the window's patches.

    `bounds` are the window's west, south, east and north in the coordinates of `outlines`.
    """
    scale = WIDTH * FINENESS / (bounds[2] - bounds[0])
    parts = []
    for split in ("", *SPLITS):
        chosen = [outline for number, outline in outlines.items() if splits.get(number, "") == split]
        path = "".join(path_of(outline, bounds, scale) for outline in chosen)
        fill = f'fill="url(#{split})"' if split else 'fill="none"'
        parts += [f'<path class="parcel" {fill} d="{path}"/>'] if path else []
    lines = [WIDTH * i / window.side for i in range(1, window.side)]
    grid = "".join(f"M{at:.0f} 0V{WIDTH}M0 {at:.0f}H{WIDTH}" for at in lines)
    parts.append(f'<path class="between" d="{grid}"/>')
    return svg(WIDTH, label, parts)


def path_of(outline: shapely.Geometry, bounds: Bounds, scale: float) -> str:
    """Path of a (multi)polygon, holes included; empty where it is too small. `scale`: parts of a unit to a metre."""
    return "".join(
        _ring(np.asarray(ring.coords)[:, :2], bounds, scale)
        for polygon in shapely.get_parts(shapely.simplify(outline, FINENESS / 2 / scale))
        for ring in (polygon.exterior, *polygon.interiors)
    )


def _ring(points: np.ndarray, bounds: Bounds, scale: float) -> str:
    whole = np.round((points - (bounds[0], bounds[3])) * (scale, -scale)).astype(int)
    steps = np.diff(whole, axis=0)
    steps = steps[steps.any(axis=1)][:-1]  # the path closes itself
    if len(steps) < 2:
        return ""
    (x, y), rest = whole[0] / FINENESS, (steps / FINENESS).tolist()
    return f"M{x:g} {y:g}l" + " ".join(f"{right:g} {down:g}" for right, down in rest) + "z"


def parcel_map(files: Files, *, country: str, tile: str, year: int, scenario: str, size_px: int) -> dict[str, Any]:
    """Drawing of a window of a tile, and its parcels counted by split ("" where left out)."""
    grid_side = size_px // PATCH_PX[10]
    window, numbers = choose_window(files.samples[tile, year], f"{year}_{tile}", grid_side)
    geobox = tile_geobox(tile, 10, size_px=size_px)
    outlines = read_outlines(files.parcels[country, year], numbers, str(geobox.crs))
    splits = read_splits(files.parcel_splits, scenario=scenario, tile=tile, year=year)
    label = f"Parcels on {tile} in {year} by split"
    drawing = draw_parcels(label, outlines, splits, window, window_bounds(geobox, window))
    counts = Counter(splits.get(number, "") for number in outlines.index)
    return {"drawing": drawing, "window": window, "counts": {split: counts[split] for split in (*SPLITS, "")}}


def window_bounds(geobox: GeoBox, window: Window) -> Bounds:
    """West, south, east and north of a window on a tile's 10 m grid."""
    size = PATCH_PX[10]
    rows = slice(window.row * size, (window.row + window.side) * size)
    columns = slice(window.column * size, (window.column + window.side) * size)
    bounds: Bounds = geobox[rows, columns].extent.boundingbox.bbox
    return bounds
