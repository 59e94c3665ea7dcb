"""Class and parcel of every pixel of a tile at 10, 20 and 60 m.

A pixel belongs to the parcel in which its centre lies (GDAL's rule). Where parcels overlap the smaller one lies on
top: they are drawn by area, larger first, then by parcel_index.
"""

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import h5py
import numpy as np
import pyarrow.parquet as pq
import shapely
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize

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
from cropstack.labels.parcels import near_box
from cropstack.step import step

COLUMNS = ["parcel_index", "class_code", "metrics:area", "geometry"]


def rasterise_labels(parcels: Path, labels: Path, *, tile: str, year: int, size_px: int) -> None:
    """Write the label file of a tile and year: groups r10m, r20m, r60m with `labels` and `parcels`.

    `labels` is uint32, the class code or 0 where no parcel is declared; `parcels` is int64, the parcel_index or 0.

    Raises
    ------
    DeclarationError : no parcel lies on the tile.
    """
    geobox = tile_geobox(tile, 10, size_px=size_px)
    drawn = parcels_on(gpd.read_parquet(parcels, columns=COLUMNS), geobox)
    if drawn.empty:
        raise DeclarationError(
            f"{parcels}: no parcel lies on tile {tile} ({size_px} px). Check areas in the configuration."
        )
    with create_netcdf(labels, _attributes(parcels, tile, year)) as file:
        shapes = [(geometry.__geo_interface__, i) for i, geometry in enumerate(drawn.geometry, start=1)]
        for resolution_m in RESOLUTIONS_M:
            grid = tile_geobox(tile, resolution_m, size_px=size_px)
            _write_group(file, grid, burn(shapes, grid), drawn)


def parcels_on(parcels: gpd.GeoDataFrame, geobox: GeoBox) -> gpd.GeoDataFrame:
    """Parcels that lie on a grid, in its CRS, in the order in which they are drawn."""
    near = parcels[near_box(parcels.geometry, geobox.extent.boundingbox.bbox, str(geobox.crs))].to_crs(str(geobox.crs))
    touching = near[shapely.intersects(near.geometry.to_numpy(), geobox.extent.geom)]
    return touching.sort_values(by=["metrics:area", "parcel_index"], ascending=[False, True])


def burn(shapes: list[tuple[dict[str, Any], int]], geobox: GeoBox) -> np.ndarray:
    """Numbers of GeoJSON geometries on a grid, later over earlier: uint32 (y, x), 0 where there is none."""
    return np.asarray(rasterize(shapes, geobox.shape, transform=geobox.affine, fill=0, dtype="uint32"))


def _attributes(parcels: Path, tile: str, year: int) -> dict[str, Any]:
    metadata = pq.read_schema(parcels).metadata or {}
    provenance = json.loads(metadata.get(b"cropstack", b"{}"))
    attributes: dict[str, Any] = {"Conventions": "CF-1.8", "title": f"Declared crops on tile {tile} in {year}"}
    attributes |= {"tile": tile, "year": year}
    return attributes | {key: value for key, value in provenance.items() if key != "year"}


def _write_group(file: h5py.File, geobox: GeoBox, burnt: np.ndarray, drawn: gpd.GeoDataFrame) -> None:
    resolution_m = round(geobox.resolution.x)
    group = add_group(file, f"r{resolution_m}m")
    x, y = pixel_centres(geobox)
    metre = {"units": "m"}
    add_dimension(group, "y", y, {"standard_name": "projection_y_coordinate", **metre})
    add_dimension(group, "x", x, {"standard_name": "projection_x_coordinate", **metre})
    spatial_ref = group.create_dataset("spatial_ref", data=np.int32(0), track_times=False, track_order=True)
    set_attributes(spatial_ref, crs_attributes(geobox))
    chunks = (PATCH_PX[resolution_m],) * 2
    for name, long_name, column, dtype in (
        ("labels", "crop class code, 0 where no parcel is declared", "class_code", np.uint32),
        ("parcels", "parcel_index, 0 where no parcel is declared", "parcel_index", np.int64),
    ):
        attributes = {"long_name": long_name, "grid_mapping": "spatial_ref"}
        variable = add_variable(group, name, ("y", "x"), dtype, attributes, chunks=chunks)
        table = np.concatenate([[0], drawn[column].to_numpy()]).astype(dtype)
        _write_looked_up(variable, burnt, table)


def _write_looked_up(variable: h5py.Dataset, burnt: np.ndarray, table: np.ndarray) -> None:
    """Write ``table[burnt]`` chunk by chunk: an int64 raster of a whole tile would take 1 GB."""
    height, width = variable.chunks

    def encode(y: int, x: int) -> bytes:
        return encode_chunk(table[burnt[y : y + height, x : x + width]])

    write_blocks(variable, encode)


if __name__ == "__main__":
    step(rasterise_labels, snakemake)  # noqa: F821
