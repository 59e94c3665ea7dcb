"""Full-size products and labels to measure on: simulated fields in Level-1C SAFE form, made once and kept.

A product has 13 bands, true-colour image and all masks of processing baseline 04.00. Fields have crop reflectance;
relief and noise are chosen so that lossless 10 m bands are as large as real ones, 80 to 130 MB a tile.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize

from cropstack.bands import S2_BANDS
from cropstack.catalogue.fetch_product import fetch_product
from cropstack.grid import RESOLUTIONS_M, tile_geobox
from cropstack.labels.rasterise_labels import rasterise_labels
from cropstack.product import scene_id
from cropstack.providers import Query
from cropstack.providers.folder import search
from cropstack.simulate.l1c_product import L1CProduct
from cropstack.simulate.phenology import crop_reflectance, parcel_offsets
from cropstack.simulate.safe_l1c import write_l1c
from cropstack.simulate.safe_masks import L1CMasks
from cropstack.simulate.viewing import track_past
from cropstack.simulate.world import tile_parcels

TILE, YEAR, COUNTRY, SEED = "31TCG", 2022, "es_ct", 11
FOREST = 972  # between the fields
NOISE_DN = 28.0  # standard deviation of a pixel's noise
RELIEF_DN = 120.0  # and of the ground's slow changes
STRIP = 1024  # rows made at a time


def prepare(work: Path, *, dates: int, size_px: int, threads: int) -> dict[str, object]:
    """Make what is missing in the folder `work`; returns paths of products, their fetched.json and the label file."""
    folder, labels = work / "products", work / "labels.nc"
    products = [make_product(number, dates) for number in range(dates)]
    missing = [product for product in products if not (folder / f"{product.id}.SAFE").exists()]
    if missing or not labels.exists():
        fields = tile_parcels(TILE, YEAR, country=COUNTRY, size_px=size_px, seed=SEED)
        _write_products(folder, missing, fields, size_px, threads)
        write_labels(fields, work / "parcels.parquet", labels, size_px)
    return {"labels": str(labels), "scenes": _fetch(folder, work / "archive", {product.id for product in products})}


def _write_products(
    folder: Path, products: list[L1CProduct], fields: gpd.GeoDataFrame, size_px: int, threads: int
) -> None:
    grids = {r: tile_geobox(TILE, r, size_px=size_px) for r in RESOLUTIONS_M}
    index = {r: burn(fields.geometry, grid) for r, grid in grids.items()} if products else {}
    for product in products:
        bands = make_bands(product, fields, index)
        masks = _clouds(grids[60], seed=product.sensing.timetuple().tm_yday)
        write_l1c(folder / f"{product.id}.SAFE", bands, product=product, masks=masks, threads=threads)


def make_product(number: int, dates: int) -> L1CProduct:
    start = datetime(YEAR, 4, 17, 10, 50, 31, 24_000, tzinfo=UTC) + number * timedelta(days=max(1, 240 // dates))
    return L1CProduct(
        tile=TILE,
        platform="S2A",
        datatake=start,
        datastrip=start,
        sensing=start + timedelta(minutes=5),
        generated=start + timedelta(hours=9),
        relative_orbit=51,
        absolute_orbit=35_000 + 143 * number,
        processing_baseline="04.00",
        station="SGS_",
        track=track_past(tile_geobox(TILE, 10), east_m=40_000),
    )


def burn(geometry: gpd.GeoSeries, grid: GeoBox) -> np.ndarray:
    shapes = ((shape, number) for number, shape in enumerate(geometry, start=1))
    return np.asarray(rasterize(shapes, grid.shape, transform=grid.affine, fill=0, dtype="uint32"))


def make_bands(product: L1CProduct, fields: gpd.GeoDataFrame, index: dict[int, np.ndarray]) -> dict[str, np.ndarray]:
    """Digital numbers of all bands: uint16, (y, x)."""
    day = product.sensing.timetuple().tm_yday
    ids = fields["parcel_id"].to_numpy()
    codes = fields["class_code"].to_numpy()
    crops = crop_reflectance(day, YEAR, COUNTRY, codes, parcel_offsets(ids, YEAR, SEED))
    table = np.vstack([crop_reflectance(day, YEAR, COUNTRY, [FOREST]), crops]) * 10_000 + 1000
    return {
        band.name: _band(table[:, band.number], index[band.resolution_m], seed=1000 * day + band.number)
        for band in S2_BANDS
    }


def _band(level: np.ndarray, index: np.ndarray, *, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    dn = np.empty(index.shape, np.uint16)
    wave = np.sin(np.arange(index.shape[1]) * 2 * np.pi / 1700 + seed) * RELIEF_DN
    for y in range(0, len(index), STRIP):
        rows = index[y : y + STRIP]
        slope = np.cos((y + np.arange(len(rows))) * 2 * np.pi / 2300 + seed)[:, None] * wave
        noise = rng.standard_normal(rows.shape, dtype=np.float32) * NOISE_DN
        dn[y : y + STRIP] = np.clip(level[rows] + slope + noise, 1, 15_000)
    return dn


def _clouds(grid: GeoBox, *, seed: int) -> L1CMasks:
    """A dozen round clouds and a strip of cirrus."""
    rng = np.random.default_rng(seed)
    y, x = np.ogrid[: grid.shape[0], : grid.shape[1]]
    opaque = np.zeros(grid.shape, bool)
    for cy, cx in rng.integers(0, grid.shape[0], (12, 2)):
        opaque |= (y - cy) ** 2 + (x - cx) ** 2 < (grid.shape[0] / 60) ** 2
    cirrus = np.broadcast_to((y > grid.shape[0] * 0.9) & (y < grid.shape[0] * 0.92), grid.shape) & ~opaque
    return L1CMasks(opaque, cirrus, np.zeros(grid.shape, bool))


def write_labels(fields: gpd.GeoDataFrame, parcels: Path, labels: Path, size_px: int) -> None:
    table = fields[["class_code", "geometry"]].copy()
    table["parcel_index"] = np.arange(1, len(table) + 1, dtype=np.int64)
    table["metrics:area"] = table.geometry.area
    table.to_parquet(parcels)
    written = pq.read_table(parcels)
    said = {"country": COUNTRY, "country_code": "ES", "licence": "none", "attribution": "simulated", "share_alike": 0}
    about = {b"cropstack": json.dumps(said)}
    pq.write_table(written.replace_schema_metadata((written.schema.metadata or {}) | about), parcels)
    clc = Path(__file__).parents[1] / "taxonomy/clc.csv"
    rasterise_labels(parcels, [], clc, labels, tile=TILE, year=YEAR, size_px=size_px, corine_year=None)


def _fetch(folder: Path, archive: Path, wanted: set[str]) -> list[dict[str, str]]:
    """Run `fetch_product` on the products as the workflow would, through the provider "folder"."""
    archive.mkdir(exist_ok=True)
    scenes = []
    for product in search(Query("s2_l1c", TILE, YEAR, folder)):
        if product.id in wanted:
            fetched = archive / f"{product.id}.fetched.json"
            if not fetched.exists():
                source = {"provider": "folder", "folder": str(folder), "href": product.href, "form": product.form}
                fetch_product(fetched, product=product.id, stamp=product.stamp, **source)
            scenes.append({"scene": scene_id(product), "product": str(folder / product.href), "fetched": str(fetched)})
    return scenes


if __name__ == "__main__":
    work, dates, size_px, threads = sys.argv[1:]
    print(json.dumps(prepare(Path(work), dates=int(dates), size_px=int(size_px), threads=int(threads))))
