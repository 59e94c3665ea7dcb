"""CORINE Land Cover on a grid: what lies outside parcels, in the four classes that the taxonomy takes from it.

`taxonomy/clc.csv` says which code becomes which class. Built-up land, forest, wetland and water do, as the level 1 (of
forest the level 2) of CORINE has them; farmland, pasture and scrub do not: crops come from declarations only.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyogrio
import rasterio
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.warp import reproject
from rasterio.windows import Window, from_bounds, intersect

from cropstack.errors import BackgroundError, ConfigError
from cropstack.grid import patch_geobox, patches_per_side
from cropstack.labels.burn import burn, outlines
from cropstack.labels.file_kinds import GML, VECTORS, foreign_content
from cropstack.legend import read_table

CLC_COLUMNS = ["code", "grid_code", "name", "class_code"]
RASTERS = (".tif", ".tiff")
POLYGONS = tuple(suffix for suffix in VECTORS if suffix not in GML)  # GDAL writes beside GML what it found out
BEYOND = 0  # where the file has nothing; no code of CORINE

# SOURCE: conditions of use of the Copernicus Land Monitoring Service.
LICENCE = "Copernicus data and information: full, open and free access (Regulation (EU) No 1159/2013)"
ATTRIBUTION = (
    "Generated using European Union's Copernicus Land Monitoring Service information: CORINE Land Cover {year}, "
    "European Environment Agency (EEA)"
)


@dataclass(frozen=True)
class ClcLegend:
    """What CORINE's codes mean here.

    Attributes
    ----------
    classes : class code by three-digit code, 0 where it has none.
    codes : three-digit code by what files hold, as text: itself, or the number 1 to 50 of the published raster.
    """

    origin: Path
    classes: dict[int, int]
    codes: dict[str, int]

    def class_table(self) -> np.ndarray:
        """Class code by three-digit code: uint32 (1000), 0 for none and for `BEYOND`."""
        table = np.zeros(1000, np.uint32)
        table[list(self.classes)] = list(self.classes.values())
        return table

    def read(self, found: np.ndarray, file: Path) -> np.ndarray:
        """Three-digit codes, uint16, of what a file holds.

        Raises
        ------
        BackgroundError : a value that is no code of CORINE.
        """
        index, values = pd.factorize(found, use_na_sentinel=False)
        texts = [str(value).strip().removesuffix(".0") for value in values.tolist()]
        strange = [text for text in texts if text not in self.codes]
        if strange:
            raise BackgroundError(
                f'{file}: holds "{strange[0]}", which is no code of CORINE Land Cover in {self.origin}. '
                "Check that it is CORINE; a raster in which it means no data has to say so (gdal_edit.py -a_nodata)."
            )
        return np.array([self.codes[text] for text in texts], np.uint16)[index]


def read_clc_legend(path: Path) -> ClcLegend:
    """Read `taxonomy/clc.csv`: columns code, grid_code, name, class_code (empty where a code becomes no class)."""
    rows = read_table(path, CLC_COLUMNS)
    try:
        classes = {int(row["code"]): int(row["class_code"] or 0) for row in rows}
        codes = {str(int(row[column])): int(row["code"]) for column in ("code", "grid_code") for row in rows}
    except ValueError as error:
        raise ConfigError(f"{path}: {error}; expected whole numbers in code, grid_code and class_code") from error
    return ClcLegend(path, classes, codes)


def land_cover(file: Path, legend: ClcLegend, *, year: int, grid: GeoBox) -> np.ndarray:
    """CORINE's three-digit code at each pixel centre: uint16 (y, x), `BEYOND` where the file has none.

    Of a raster it is that of the pixel in which the centre lies, in the raster's own CRS. Polygons are transformed to
    the grid's CRS and drawn by the rule of `burn`.

    Parameters
    ----------
    file : polygons with a column such as ``CODE_18`` (for the year 2018; in any case), or a GeoTIFF that holds
        three-digit codes or, as the published one, numbers from 1.

    Raises
    ------
    BackgroundError : a file that is neither or not what its suffix says, without CRS or that column, rotated, with
        a value that is no code of CORINE or coordinates that are no numbers, or that lies nowhere on the grid.
    """
    try:
        read = _from_raster if file.suffix.lower() in RASTERS else _from_polygons
        found = read(file, legend, year, grid)
    except (DataSourceError, DataLayerError, RasterioError, OSError) as error:
        raise BackgroundError(
            f"{file}: cannot be read ({error}). Expected CORINE Land Cover as GeoTIFF, GeoPackage or shapefile."
        ) from error
    if not found.any():
        left, bottom, right, top = grid.extent.boundingbox.bbox
        raise BackgroundError(
            f"{file}: has nothing between {left:.0f}, {bottom:.0f} and {right:.0f}, {top:.0f} in {grid.crs}. "
            "Check that it covers the tile and that its CRS is the one of its coordinates."
        )
    return found


def _from_raster(file: Path, legend: ClcLegend, year: int, grid: GeoBox) -> np.ndarray:
    codes = np.full(grid.shape, BEYOND, np.uint16)
    with rasterio.open(file, driver="GTiff") as source:
        _check_north_up(source.transform, file)
        near = (
            from_bounds(*_bounds_in(source.crs, grid, file), source.transform).round_offsets().round_lengths(op="ceil")
        )
        window = Window(near.col_off - 2, near.row_off - 2, near.width + 4, near.height + 4)
        everything = Window(0, 0, source.width, source.height)
        if not intersect(window, everything):
            return codes
        window = window.intersection(everything)
        values = source.read(1, window=window, masked=True)
        known = np.full(values.shape, BEYOND, np.uint16)
        there = ~np.ma.getmaskarray(values)
        known[there] = legend.read(values.data[there], file)
        _warp(known, source.window_transform(window), source.crs, codes, grid)
    return codes


def _check_north_up(transform: Affine, file: Path) -> None:
    if transform.b != 0 or transform.d != 0 or transform.a <= 0 or transform.e >= 0:
        raise BackgroundError(
            f"{file}: is rotated, mirrored or without position (transform {tuple(transform)[:6]}); expected rows from "
            f"north to south and columns from west to east. Warp it: gdalwarp {file.name} north_up.tif"
        )


def _warp(source: np.ndarray, transform: Affine, crs: Any, codes: np.ndarray, grid: GeoBox) -> None:
    """Fill `codes` patch by patch.

    GDAL takes a line of pixels for straight and equally spaced in the source. A line across a tile is off by up to 8 m,
    one across a patch by centimetres.
    """
    for row in range(patches_per_side(grid)):
        for column in range(patches_per_side(grid)):
            patch = patch_geobox(grid, row, column)
            height, width = patch.shape
            part = np.full((height, width), BEYOND, np.uint16)
            reproject(
                source,
                part,
                src_transform=transform,
                src_crs=crs,
                src_nodata=BEYOND,
                dst_transform=patch.affine,
                dst_crs=str(patch.crs),
                dst_nodata=BEYOND,
                resampling=Resampling.nearest,
            )
            codes[row * height : (row + 1) * height, column * width : (column + 1) * width] = part


def _from_polygons(file: Path, legend: ClcLegend, year: int, grid: GeoBox) -> np.ndarray:
    _check_kind(file)
    layer, column, crs = _find_column(file, f"code_{year % 100:02d}")
    near = _bounds_in(crs, grid, file)
    with np.errstate(invalid="ignore"):  # coordinates that are no numbers; `_check_finite` names them
        frame = pyogrio.read_dataframe(file, layer=layer, columns=[column], bbox=near)
    frame = frame[frame.geometry.notna() & ~frame.geometry.is_empty]
    if frame.empty:
        return np.full(grid.shape, BEYOND, np.uint16)
    if nulls := int(frame[column].isna().sum()):
        raise BackgroundError(
            f"{file}: {nulls} polygons near the tile have no value in {column}; expected a code of CORINE Land Cover. "
            "Fill them in, or fetch the file again."
        )
    codes = np.concatenate([[BEYOND], legend.read(frame[column].astype(str).to_numpy(), file)]).astype(np.uint16)
    shapes = frame.geometry.to_crs(str(grid.crs)).to_numpy()
    _check_finite(shapes, file)
    return codes[burn(outlines(shapes), grid)]


def _check_kind(file: Path) -> None:
    known = file.suffix.lower() in POLYGONS
    found = foreign_content(file) if known else f"its suffix is none of {', '.join(RASTERS + POLYGONS)}"
    if found:
        raise BackgroundError(
            f"{file}: cannot be read ({found}). Expected CORINE Land Cover as GeoTIFF, GeoPackage or shapefile."
        )


def _check_finite(shapes: np.ndarray, file: Path) -> None:
    coordinates, index = shapely.get_coordinates(shapes, return_index=True)
    bad = np.unique(index[~np.isfinite(coordinates).all(axis=1)])
    if len(bad):
        raise BackgroundError(
            f"{file}: {len(bad)} polygons near the tile have coordinates that are no numbers in the tile's CRS. Repair "
            "or delete them, or fetch the file again."
        )


def _find_column(file: Path, column: str) -> tuple[str, str, str | None]:
    """The layer that has a column, the column as it is spelt there, and the layer's CRS."""
    about = {str(name): pyogrio.read_info(file, layer=name) for name, _ in pyogrio.list_layers(file)}
    found = [
        (layer, str(field), info["crs"])
        for layer, info in about.items()
        for field in info["fields"]
        if field.lower() == column
    ]
    if len(found) != 1:
        fields = "; ".join(f"{layer}: {', '.join(info['fields'])}" for layer, info in about.items())
        raise BackgroundError(
            f"{file}: {len(found)} layers have the column {column.upper()}, expected one; there are {fields}. Set "
            "corine.year in the configuration to the year of the land cover."
        )
    return found[0]


def _bounds_in(crs: Any, grid: GeoBox, file: Path) -> tuple[float, float, float, float]:
    """Left, bottom, right, top of a grid in a file's CRS."""
    if crs is None:
        raise BackgroundError(f"{file}: has no CRS; expected the one of its coordinates, for CORINE mostly EPSG:3035.")
    try:
        transformer = Transformer.from_crs(str(grid.crs), CRS.from_user_input(crs), always_xy=True)
        left, bottom, right, top = grid.extent.boundingbox.bbox
        bounds = transformer.transform_bounds(left, bottom, right, top, densify_pts=21)
    except (CRSError, ProjError) as error:
        raise BackgroundError(f"{file}: its CRS {crs} leads nowhere from {grid.crs} ({error}). Correct it.") from error
    if not np.isfinite(bounds).all():
        raise BackgroundError(f"{file}: its CRS {crs} has no place for {grid.crs}. Correct it.")
    return bounds
