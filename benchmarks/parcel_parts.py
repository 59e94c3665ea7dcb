"""What aggregate_parcels.py measures, each in a process of its own: `python parcel_parts.py PART WORK ARGUMENTS...`.

`prepare` makes parcels, labels and a scene of a whole tile; `ours` and `peer` (exactextract) time the statistics of one
10 m band, from arrays in memory, after everything is read. Each prints one line of JSON.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import geopandas as gpd
import h5py
import numpy as np
from archive import COUNTRY, SEED, TILE, YEAR, burn, make_bands, make_product, write_labels
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource

from cropstack.bands import S2_BAND, bands_at
from cropstack.files import add_dimension, add_group, add_variable, create_netcdf, read_chunks, write_chunks
from cropstack.grid import PATCH_PX, RESOLUTIONS_M, pixel_centres, tile_geobox
from cropstack.labels.assign_tiles import assign_tiles
from cropstack.samples.moments import parcel_moments
from cropstack.samples.weights import Weights, read_weights
from cropstack.simulate.world import tile_parcels

BAND, RESOLUTION_M = "B04", 10


# --- inputs -----------------------------------------------------------------------------------------------


def prepare(work: Path, size_px: int) -> dict[str, Any]:
    """Make what is missing in `work`: parcels.parquet, tiles.parquet, labels.nc, scene.nc."""
    if not (work / "scene.nc").exists():
        fields = tile_parcels(TILE, YEAR, country=COUNTRY, size_px=size_px, seed=SEED)
        write_labels(fields, work / "parcels.parquet", work / "labels.nc", size_px)
        assign_tiles(work / "parcels.parquet", work / "tiles.parquet", selected=[TILE], size_px=size_px)
        write_scene(work / "scene.nc", fields, size_px)
    return {"parcels": len(gpd.read_parquet(work / "parcels.parquet", columns=["geometry"]))}


def write_scene(path: Path, fields: gpd.GeoDataFrame, size_px: int) -> None:
    """Write a scene as read_s2 would, of crop reflectance and noise, without a product in between."""
    product = make_product(0, 1)
    grids = {r: tile_geobox(TILE, r, size_px=size_px) for r in RESOLUTIONS_M}
    pixels = make_bands(product, fields, {r: burn(fields.geometry, grid) for r, grid in grids.items()})
    about = {"scene": path.stem, "tile": TILE, "sensing_time": product.sensing.isoformat()}
    with create_netcdf(path, about) as file:
        for resolution_m, grid in grids.items():
            group, chunks = add_group(file, f"r{resolution_m}m"), (PATCH_PX[resolution_m],) * 2
            for name, values in zip("xy", pixel_centres(grid), strict=True):
                add_dimension(group, name, values)
            for band in bands_at(resolution_m):
                write_chunks(add_variable(group, band.name, ("y", "x"), "u2", chunks=chunks, fill=0), pixels[band.name])
            flags = np.zeros(grid.shape, np.uint8)
            write_chunks(add_variable(group, "flags", ("y", "x"), "u1", chunks=chunks), flags)


# --- kernels ----------------------------------------------------------------------------------------------


def read_inputs(work: Path, weights: str) -> tuple[np.ndarray, Weights]:
    with h5py.File(work / "scene.nc") as file:
        values = read_chunks(file[f"r{S2_BAND[BAND].resolution_m}m/{BAND}"])
    return values, read_weights(work / f"{weights}.h5", RESOLUTION_M, pixels=values.size)


def ours(work: Path, weights: str, repeats: int) -> dict[str, Any]:
    """n, mean, standard deviation and skewness; the first call, which loads the compiled kernel, is not counted."""
    values, members = read_inputs(work, weights)
    seconds = []
    for _ in range(repeats + 1):
        start = time.process_time()
        moments = parcel_moments(values, members)
        seconds.append(time.process_time() - start)
    np.savez(work / f"ours_{weights}.npz", mean=moments.mean, std=moments.std)
    return {"cpu_s": sorted(seconds[1:])[repeats // 2], "all_cpu_s": seconds[1:], "weights": len(members.pixels)}


def peer(work: Path, strategy: str) -> dict[str, Any]:
    """Coverage-weighted mean and standard deviation of polygons in memory."""
    values, _ = read_inputs(work, "coverage")
    parcels = gpd.read_parquet(work / "parcels.parquet").sort_values("parcel_index")
    grid = tile_geobox(TILE, RESOLUTION_M, size_px=len(values))
    source = {"nodata": 0, "srs_wkt": parcels.crs.to_wkt()}
    raster = NumPyRasterSource(values, *grid.extent.boundingbox.bbox, **source)
    start = time.process_time()
    table = exact_extract(raster, parcels, ["mean", "stdev"], strategy=strategy, output="pandas")
    seconds = time.process_time() - start
    with np.load(work / "ours_coverage.npz") as found:
        differ = [
            float(np.nanmax(np.abs(found[name] - theirs.astype(float)) / theirs.astype(float).clip(lower=1)))
            for name, theirs in (("mean", table["mean"]), ("std", table["stdev"]))
        ]
    return {"cpu_s": seconds, "largest_relative_difference": max(differ)}


if __name__ == "__main__":
    part, folder, *rest = sys.argv[1:]
    if part == "prepare":
        answer = prepare(Path(folder), int(rest[0]))
    elif part == "ours":
        answer = ours(Path(folder), rest[0], int(rest[1]))
    else:
        answer = peer(Path(folder), rest[0])
    print(json.dumps(answer))
