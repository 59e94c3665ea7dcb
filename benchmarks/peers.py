"""The same patches by libraries that people would reach for: one netCDF per patch, a group per band.

Each peer reads whole bands once where it can, applies the radiometric offset as we do, and writes through xarray's
own `to_netcdf` (a DataTree, deflated at level 1 with shuffle). They write no labels, flags or provenance, so
they do a little less than cropstack.
"""

import json
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pandas as pd
import pystac
import rasterio
import rasterio.warp
import xarray as xr
from rasterio.windows import Window
from safe_files import BANDS, PATCH_PX, band_file, radiometric_offset, sensing_time

Place = tuple[int, int]


def harmonised(dn: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """DN + offset, at least 1, with 0 and 65535 kept: uint16. `offset` broadcasts along time."""
    value = np.maximum(dn.astype(np.int32) + offset, 1)
    return np.where((dn == 0) | (dn == 65535), dn, value).astype(np.uint16)


def stac_items(products: list[Path]) -> list[pystac.Item]:
    """Items with the grid of each band, as a catalogue would give them."""
    items = []
    for product in products:
        time = datetime.fromisoformat(sensing_time(product))
        item = pystac.Item(product.stem, geometry=None, bbox=None, datetime=time, properties={})
        item.stac_extensions = [
            "https://stac-extensions.github.io/projection/v1.1.0/schema.json",
            "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
        ]
        for band in (band for bands in BANDS.values() for band in bands):
            item.add_asset(band, _asset(band_file(product, band)))
        with rasterio.open(band_file(product, "B02")) as dataset:
            item.geometry, item.bbox = _footprint(dataset)
            item.properties["proj:epsg"] = dataset.crs.to_epsg()
        items.append(item)
    return items


def _asset(path: Path) -> pystac.Asset:
    with rasterio.open(path) as dataset:
        grid = {"proj:shape": list(dataset.shape), "proj:transform": list(dataset.transform)[:6]}
    fields = grid | {"raster:bands": [{"data_type": "uint16", "nodata": 0}]}
    return pystac.Asset(str(path.resolve()), media_type="image/jp2", roles=["data"], extra_fields=fields)


def _footprint(dataset: rasterio.DatasetReader) -> tuple[dict[str, object], list[float]]:
    west, south, east, north = rasterio.warp.transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}, [west, south, east, north]


def odc_stac(products: list[Path]) -> Iterable[tuple[int, xr.Dataset]]:
    """odc-stac, one chunk per band and date, so that each file is decoded once."""
    import odc.stac
    from odc.geo.geobox import GeoBox

    for resolution_m, bands in BANDS.items():
        with rasterio.open(band_file(products[0], bands[0])) as dataset:
            grid = GeoBox(dataset.shape, dataset.transform, dataset.crs)
        chunks = {"time": 1, "y": grid.shape[0], "x": grid.shape[1]}
        loaded = odc.stac.load(
            stac_items(products), bands=list(bands), geobox=grid, chunks=chunks, dtype="uint16", nodata=0
        )
        yield resolution_m, loaded[list(bands)].drop_vars("spatial_ref").load()


def stackstac(products: list[Path]) -> Iterable[tuple[int, xr.Dataset]]:
    """stackstac, one chunk per band and date."""
    import stackstac as library

    pd.to_datetime = _without_inference(pd.to_datetime)
    for resolution_m, bands in BANDS.items():
        with rasterio.open(band_file(products[0], bands[0])) as dataset:
            bounds, size, epsg = tuple(dataset.bounds), dataset.width, dataset.crs.to_epsg()
        stack = library.stack(
            stac_items(products),
            assets=list(bands),
            epsg=epsg,
            resolution=resolution_m,
            bounds=bounds,
            chunksize=size,
            dtype="uint16",
            fill_value=np.uint16(0),
            rescale=False,
        )
        plain = stack.drop_vars([name for name in stack.coords if name not in ("time", "band", "y", "x")])
        yield resolution_m, plain.load().drop_attrs().to_dataset("band")


def _without_inference(to_datetime: Callable[..., Any]) -> Callable[..., Any]:
    """What stackstac 0.5.0 needs: it passes an argument that pandas 3 no longer takes; it stops at once otherwise."""

    def wrapped(*args: Any, infer_datetime_format: bool = True, **kwargs: Any) -> Any:
        return to_datetime(*args, **kwargs)

    return wrapped


def whole_tile(
    read: Callable[[list[Path]], Iterable[tuple[int, xr.Dataset]]],
    products: list[Path],
    folder: Path,
    prefix: str,
    threads: int,
) -> int:
    """Read all bands into memory, then write all patches; returns their number."""
    offset = _offsets(products)
    with dask.config.set(scheduler="synchronous" if threads == 1 else "threads", num_workers=threads):
        loaded = dict(read(products))
    for dataset in loaded.values():
        for band in dataset.data_vars:
            dataset[band].data = harmonised(dataset[band].values, offset)
    side = loaded[10].sizes["y"] // PATCH_PX[10]
    for place in ((row, column) for row in range(side) for column in range(side)):
        write_patch({r: _cut(dataset, r, place) for r, dataset in loaded.items()}, folder, prefix, place)
    return side * side


def _offsets(products: list[Path]) -> np.ndarray:
    return np.array([radiometric_offset(product) for product in products], np.int32)[:, None, None]


def _cut(dataset: xr.Dataset, resolution_m: int, place: Place) -> xr.Dataset:
    size = PATCH_PX[resolution_m]
    y, x = place[0] * size, place[1] * size
    return dataset.isel(y=slice(y, y + size), x=slice(x, x + size))


def write_patch(datasets: dict[int, xr.Dataset], folder: Path, prefix: str, place: Place) -> None:
    """One file with a group per band."""
    groups, encoding = {}, {}
    for resolution_m, dataset in datasets.items():
        size = PATCH_PX[resolution_m]
        chunks = {"zlib": True, "complevel": 1, "shuffle": True, "chunksizes": (1, size, size)}
        for band in BANDS[resolution_m]:
            groups[band] = dataset[[band]]
            encoding[f"/{band}"] = {band: chunks}
    path = folder / f"{prefix}_patch_{place[0]:02d}_{place[1]:02d}.nc"
    xr.DataTree.from_dict(groups).to_netcdf(path, encoding=encoding)


def windows(products: list[Path], folder: Path, prefix: str, sample: int) -> int:
    """Per-patch rasterio: open each file and read one window, for `sample` random patches; returns their number."""
    with rasterio.open(band_file(products[0], "B02")) as dataset:
        side = dataset.width // PATCH_PX[10]
    places = [(row, column) for row in range(side) for column in range(side)]
    offset = _offsets(products)
    chosen = random.Random(1).sample(places, min(sample, len(places)))
    for place in chosen:
        write_patch({r: _windows(products, r, place, offset) for r in BANDS}, folder, prefix, place)
    return len(chosen)


def _windows(products: list[Path], resolution_m: int, place: Place, offset: np.ndarray) -> xr.Dataset:
    size = PATCH_PX[resolution_m]
    window = Window(place[1] * size, place[0] * size, size, size)
    variables = {}
    for band in BANDS[resolution_m]:
        dates = []
        for product in products:
            with rasterio.open(band_file(product, band)) as dataset:
                dates.append(dataset.read(1, window=window))
        variables[band] = (("time", "y", "x"), harmonised(np.stack(dates), offset))
    times = [np.datetime64(sensing_time(product).rstrip("Z"), "ns") for product in products]
    return xr.Dataset(variables, coords={"time": times})


def main(peer: str, folder: Path, prefix: str, threads: int, sample: int, products: list[Path]) -> None:
    """Run one peer; print how many patches it wrote and what starting took."""
    start = time.process_time()
    warnings.simplefilter("ignore")
    folder.mkdir(parents=True, exist_ok=True)
    readers = {"odc-stac": odc_stac, "stackstac": stackstac}
    if peer == "windows":
        count = windows(products, folder, prefix, sample)
    else:
        count = whole_tile(readers[peer], products, folder, prefix, threads)
    print(json.dumps({"patches": count, "start_cpu_s": start}))


if __name__ == "__main__":
    peer, folder, prefix, threads, sample, *products = sys.argv[1:]
    main(peer, Path(folder), prefix, int(threads), int(sample), [Path(product) for product in products])
