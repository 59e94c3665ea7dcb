"""Class and parcel of every pixel of a tile at 10, 20 and 60 m.

A pixel belongs to the parcel in which its centre lies (GDAL's rule). Where parcels overlap the smaller one lies on
top: they are drawn by area, larger first, then by parcel_index. Outside parcels CORINE Land Cover, if there is one,
fills in its four classes; such pixels have a class and no parcel.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import h5py
import numpy as np
import pyarrow.parquet as pq
from odc.geo.geobox import GeoBox

from cropstack.errors import DeclarationError
from cropstack.files import (
    add_dimension,
    add_group,
    add_variable,
    create_netcdf,
    encode_chunk,
    set_attributes,
    write_blocks,
)
from cropstack.grid import PATCH_PX, RESOLUTIONS_M, crs_attributes, pixel_centres, tile_geobox
from cropstack.labels.background import ATTRIBUTION, BEYOND, LICENCE, land_cover, read_clc_legend
from cropstack.labels.burn import burn, outlines, read_parcels_on
from cropstack.step import step

Window = tuple[slice, slice]


def rasterise_labels(
    parcels: Path,
    corine: list[Path],
    clc: Path,
    labels: Path,
    *,
    tile: str,
    year: int,
    size_px: int,
    corine_year: int | None,
) -> None:
    """Write the label file of a tile and year: groups r10m, r20m, r60m with `labels` and `parcels`.

    `labels` is uint32, a class code; `parcels` is int64, the parcel_index. Where a parcel is declared both are above 0;
    where only the class is, it comes from the land cover; elsewhere both are 0.

    Parameters
    ----------
    corine : a file of CORINE Land Cover of `corine_year`, or none; clc : what its codes become (`taxonomy/clc.csv`).

    Raises
    ------
    DeclarationError : no parcel lies on the tile.
    BackgroundError : a land cover that cannot be read, or does not reach the tile.
    """
    geobox = tile_geobox(tile, 10, size_px=size_px)
    drawn = read_parcels_on(parcels, geobox)
    if drawn.empty:
        raise DeclarationError(
            f"{parcels}: no parcel lies on tile {tile} ({size_px} px). Check areas in the configuration."
        )
    shapes, legend = outlines(drawn.geometry.to_numpy()), read_clc_legend(clc)
    with create_netcdf(labels, _attributes(parcels, tile, year) | background_attributes(corine_year)) as file:
        for resolution_m in RESOLUTIONS_M:
            grid = tile_geobox(tile, resolution_m, size_px=size_px)
            covers = [land_cover(path, legend, year=int(corine_year or 0), grid=grid) for path in corine]
            burnt = burn(shapes, grid)
            _write_group(file, grid, burnt, drawn, legend.class_table(), covers)
            for path, cover in zip(corine, covers, strict=True):
                beyond = int(np.count_nonzero((burnt == 0) & (cover == BEYOND)))
                set_attributes(file[f"r{resolution_m}m"], {"beyond_background": beyond})
                print(f"{resolution_m} m: {beyond} of {burnt.size} pixels lie outside parcels and {path.name}")
    print(f"{tile} {year}: {len(drawn)} parcels")


def background_attributes(corine_year: int | None) -> dict[str, str]:
    """What a label file says of the land cover outside parcels; nothing where there is none."""
    if corine_year is None:
        return {}
    return {
        "background": f"CORINE Land Cover {corine_year} where parcels is 0 and labels is not",
        "background_licence": LICENCE,
        "background_attribution": ATTRIBUTION.format(year=corine_year),
    }


def _attributes(parcels: Path, tile: str, year: int) -> dict[str, Any]:
    metadata = pq.read_schema(parcels).metadata or {}
    provenance = json.loads(metadata.get(b"cropstack", b"{}"))
    attributes: dict[str, Any] = {"Conventions": "CF-1.8", "title": f"Declared crops on tile {tile} in {year}"}
    attributes |= {"tile": tile, "year": year}
    return attributes | {key: value for key, value in provenance.items() if key != "year"}


# --- one grid ---------------------------------------------------------------------------------------------


def _write_group(
    file: h5py.File,
    geobox: GeoBox,
    burnt: np.ndarray,
    drawn: gpd.GeoDataFrame,
    class_table: np.ndarray,
    covers: list[np.ndarray],
) -> None:
    resolution_m = round(geobox.resolution.x)
    group = add_group(file, f"r{resolution_m}m")
    x, y = pixel_centres(geobox)
    metre = {"units": "m"}
    add_dimension(group, "y", y, {"standard_name": "projection_y_coordinate", **metre})
    add_dimension(group, "x", x, {"standard_name": "projection_x_coordinate", **metre})
    spatial_ref = group.create_dataset("spatial_ref", data=np.int32(0), track_times=False, track_order=True)
    set_attributes(spatial_ref, crs_attributes(geobox))
    codes = np.concatenate([[0], drawn["class_code"].to_numpy()]).astype(np.uint32)
    numbers = np.concatenate([[0], drawn["parcel_index"].to_numpy()]).astype(np.int64)

    def label(window: Window) -> np.ndarray:
        found = codes[burnt[window]]
        for cover in covers:
            np.copyto(found, class_table[cover[window]], where=found == 0)
        return found

    def parcel(window: Window) -> np.ndarray:
        return numbers[burnt[window]]

    _write(group, "labels", "class code: declared where parcels is above 0; 0 where there is none", "u4", label)
    _write(group, "parcels", "parcel_index, 0 where no parcel is declared", "i8", parcel)


def _write(group: h5py.Group, name: str, long_name: str, dtype: str, values: Callable[[Window], np.ndarray]) -> None:
    """Write a variable chunk by chunk: an int64 raster of a whole tile would take 1 GB."""
    side = PATCH_PX[int(group.name[2:-1])]
    attributes = {"long_name": long_name, "grid_mapping": "spatial_ref"}
    variable = add_variable(group, name, ("y", "x"), dtype, attributes, chunks=(side, side))

    def encode(y: int, x: int) -> bytes:
        return encode_chunk(values((slice(y, y + side), slice(x, x + side))))

    write_blocks(variable, encode)


if __name__ == "__main__":
    step(rasterise_labels, snakemake)  # noqa: F821
