"""Builders of small scene and label files, and a simulated archive read through the steps before samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import geopandas as gpd
import h5py
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from rasterio.features import rasterize

from cropstack.bands import FLAGS, S2_BAND, S2_BANDS, bands_at
from cropstack.files import add_dimension, add_group, add_variable, create_netcdf, write_chunks, write_json
from cropstack.grid import PATCH_PX, RESOLUTIONS_M, pixel_centres, tile_geobox
from cropstack.labels.assign_tiles import assign_tiles
from cropstack.labels.rasterise_labels import rasterise_labels
from cropstack.scenes.read_s2 import read_s2
from cropstack.simulate.l1c_product import L1CProduct
from cropstack.simulate.safe_l1c import write_l1c
from cropstack.simulate.safe_masks import L1CMasks
from cropstack.simulate.viewing import track_past
from cropstack.simulate.world import tile_parcels

TILE, YEAR = "31TCG", 2019


def write_scene(
    path: Path,
    *,
    sensing: str,
    bands: Mapping[str, np.ndarray],
    flags: Mapping[int, np.ndarray] | None = None,
    tile: str = TILE,
) -> Path:
    """Write a scene file of the given bands (uint16, whole patches); nodata is flagged where one of them is 0."""
    size_px = max(len(values) * S2_BAND[name].resolution_m // 10 for name, values in bands.items())
    with create_netcdf(path, {"scene": path.stem, "tile": tile, "sensing_time": sensing}) as file:
        for resolution_m in RESOLUTIONS_M:
            group = _add_grid(file, tile, resolution_m, size_px)
            here = {band.name: bands[band.name] for band in bands_at(resolution_m) if band.name in bands}
            chunks = (PATCH_PX[resolution_m],) * 2
            for name, values in here.items():
                write_chunks(add_variable(group, name, ("y", "x"), "u2", chunks=chunks, fill=0), values.astype("u2"))
            nodata = np.any([np.zeros(group["y"].shape * 2, bool), *[values == 0 for values in here.values()]], axis=0)
            flagged = nodata.astype("u1") * FLAGS["nodata"]
            flagged |= (flags or {}).get(resolution_m, np.uint8(0))
            write_chunks(add_variable(group, "flags", ("y", "x"), "u1", chunks=chunks), flagged)
    return path


def write_labels(
    path: Path, labels: np.ndarray, parcels: np.ndarray | None = None, *, tile: str = TILE, year: int = YEAR
) -> Path:
    """Write the 10 m grid of a label file; `labels` (y, x) are class codes, `parcels` their numbers."""
    with create_netcdf(path, {"tile": tile, "year": year, "country": "es_ct"}) as file:
        group = _add_grid(file, tile, 10, len(labels))
        for name, dtype, values in (
            ("labels", "u4", labels),
            ("parcels", "i8", labels if parcels is None else parcels),
        ):
            write_chunks(add_variable(group, name, ("y", "x"), dtype, chunks=(366, 366)), values.astype(dtype))
    return path


def _add_grid(file: h5py.File, tile: str, resolution_m: int, size_px: int) -> h5py.Group:
    group = add_group(file, f"r{resolution_m}m")
    x, y = pixel_centres(tile_geobox(tile, resolution_m, size_px=size_px))
    add_dimension(group, "y", y)
    add_dimension(group, "x", x)
    return group


def write_parcels(folder: Path, geometry: Sequence[shapely.Geometry], codes: Sequence[int], *, crs: str) -> Path:
    """Write the columns of harmonised parcels that steps after them read."""
    frame = gpd.GeoDataFrame({"class_code": np.array(codes, "i4")}, geometry=list(geometry), crs=crs)
    frame["parcel_index"] = np.arange(1, len(frame) + 1)
    frame["metrics:area"] = frame.area
    frame.to_parquet(folder / "parcels.parquet")
    return folder / "parcels.parquet"


def write_tiles(path: Path, owners: Mapping[int, str | None]) -> Path:
    """Write a table of tiles: owner by parcel_index."""
    columns = {"parcel_index": list(owners), "tile": pd.array(list(owners.values()), "string")}
    pd.DataFrame(columns | {"covered_share": 1.0}).to_parquet(path, index=False)
    return path


def damage(path: Path, how: str) -> Path:
    """Cut a file in half (``cut``), overwrite its second half (``hole``), or replace it by ``text``."""
    data = path.read_bytes()
    middle = len(data) // 2
    hole = data[:middle] + b"\xa5" * (len(data) - middle)
    path.write_bytes({"cut": data[:middle], "hole": hole, "text": b"hello"}[how])
    return path


# --- a simulated archive ----------------------------------------------------------------------------------

SIZE_PX = 732  # two patches a side
OFFSET = -1000


@dataclass(frozen=True)
class Archive:
    """A product, its scene, and parcels with labels. `special` names some parcels by their parcel_index."""

    product: Path
    scene: Path
    parcels: Path
    tiles: Path
    labels: Path
    special: dict[str, int]

    def band(self, name: str) -> np.ndarray:
        """Reflectance × 10 000 as GDAL reads the JP2, without our reader; 0 where a pixel is to be left out."""
        resolution_m = S2_BAND[name].resolution_m
        layers = {band.name: self._digital_numbers(band.name) for band in bands_at(resolution_m)}
        left_out = np.any([(dn == 0) | (dn == 65535) for dn in layers.values()], axis=0)
        if resolution_m == 20:
            left_out |= lost_lines()
        return np.where(left_out, 0, np.maximum(1, layers[name].astype(int) + OFFSET))

    def _digital_numbers(self, band: str) -> np.ndarray:
        (path,) = self.product.glob(f"GRANULE/*/IMG_DATA/*_{band}.jp2")
        with rasterio.open(path) as dataset:
            return dataset.read(1)

    def polygons(self) -> gpd.GeoDataFrame:
        """Harmonised parcels in the tile's CRS, by parcel_index."""
        return gpd.read_parquet(self.parcels).to_crs("EPSG:32631").set_index("parcel_index")

    def membership(self) -> np.ndarray:
        """Parcel numbers at 10 m as GDAL draws the polygons, the smaller on top."""
        drawn = self.polygons().sort_values("metrics:area", ascending=False, kind="stable")
        shapes = zip(drawn.geometry, drawn.index, strict=True)
        grid = tile_geobox(TILE, 10, size_px=SIZE_PX)
        return rasterize(shapes, grid.shape, transform=grid.affine, fill=0, dtype="int32")


def lost_lines() -> np.ndarray:
    """20 m lines that the instrument lost in B05."""
    lost = np.zeros((366, 366), bool)
    lost[200:203] = True
    return lost


def _digital_numbers(fields: gpd.GeoDataFrame) -> dict[str, np.ndarray]:
    """A level for each field, noise, a slanted swath edge (0) and a saturated roof (65535)."""
    rng = np.random.default_rng(5)
    level = rng.integers(1200, 5000, len(fields) + 1)
    bands = {}
    for band in S2_BANDS:
        grid = tile_geobox(TILE, band.resolution_m, size_px=SIZE_PX)
        shapes = zip(fields.geometry, range(1, len(fields) + 1), strict=True)
        field = rasterize(shapes, grid.shape, transform=grid.affine, fill=0, dtype="int32")
        dn = level[field] + rng.gamma(2.0, 40.0, grid.shape) + 10 * band.number
        size, factor = len(dn), band.resolution_m // 10
        y, x = np.mgrid[:size, :size]
        dn[x * factor + y * factor // 3 < 150] = 0
        dn[300 // factor : 312 // factor, 300 // factor : 318 // factor] = 65535
        bands[band.name] = dn.astype(np.uint16)
    return bands


def _special(box: tuple[float, float, float, float]) -> dict[str, shapely.Geometry]:
    """Parcels in awkward places; `box` is the tile: left, bottom, right, top."""
    left, bottom, right, top = box
    return {
        "over the tile's corner": shapely.box(right - 145, bottom - 205, right + 95, bottom + 133),
        "smaller than a pixel": shapely.box(left + 3001, top - 2004, left + 3004, top - 2001),
        "one pixel": shapely.box(left + 4001, top - 2509, left + 4009, top - 2501),
        "half in nodata": shapely.box(left + 1000, top - 1200, left + 1500, top - 900),
        "all in nodata": shapely.box(left + 100, top - 300, left + 300, top - 100),
        "in two parts with a hole": shapely.union(
            shapely.box(left + 5000, top - 5500, left + 5200, top - 5300).difference(
                shapely.box(left + 5050, top - 5450, left + 5120, top - 5370)
            ),
            shapely.box(left + 5205, top - 5500, left + 5260, top - 5420),
        ),
    }


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """A product of processing baseline 04.00, read into a scene, over 400 simulated fields and a few awkward ones."""
    folder = tmp_path_factory.mktemp("archive")
    grid = tile_geobox(TILE, 10, size_px=SIZE_PX)
    fields = tile_parcels(TILE, YEAR, country="es_ct", size_px=SIZE_PX, seed=11)
    special = _special(grid.extent.boundingbox.bbox)
    geometry = gpd.GeoSeries([*fields.geometry, *special.values()], crs="EPSG:32631").to_crs("EPSG:25831")
    codes = [*fields["class_code"], *[110] * len(special)]
    parcels = write_parcels(folder, geometry, codes, crs="EPSG:25831")
    assign_tiles(parcels, folder / "tiles.parquet", selected=[TILE], size_px=SIZE_PX)
    clc = Path(__file__).parents[2] / "taxonomy/clc.csv"
    rasterise_labels(parcels, [], clc, folder / "labels.nc", tile=TILE, year=YEAR, size_px=SIZE_PX, corine_year=None)
    product, scene = _read_product(folder, _digital_numbers(fields))
    names = {name: len(fields) + 1 + number for number, name in enumerate(special)}
    return Archive(product, scene, parcels, folder / "tiles.parquet", folder / "labels.nc", names)


def _read_product(folder: Path, bands: dict[str, np.ndarray]) -> tuple[Path, Path]:
    """Write a product and read it into a scene; returns both paths."""
    start = datetime(YEAR, 6, 1, 10, 50, 39, 24000, UTC)
    product = L1CProduct(
        tile=TILE, platform="S2B", datatake=start, datastrip=start, sensing=start.replace(minute=56),
        generated=datetime(2022, 6, 1, tzinfo=UTC), relative_orbit=51, absolute_orbit=11678, station="SGS_",
        processing_baseline="04.00", track=track_past(tile_geobox(TILE, 10, size_px=SIZE_PX), east_m=20_000.0),
    )  # fmt: skip
    clear = np.zeros((122, 122), bool)
    cloud = clear.copy()
    cloud[60:90, 60:90] = True
    masks = L1CMasks(cloud, clear, clear, {"B05": {"msi_lost": lost_lines()}})
    path = folder / f"{product.id}.SAFE"
    write_l1c(path, bands, product=product, masks=masks)
    fetched = folder / f"{product.id}.fetched.json"
    said = {"product": product.id, "path": path.name, "form": "safe", "provider": "folder", "digest": "sha256:0"}
    write_json(fetched, said)
    scene = folder / "S2B_20190601T105039_R051_T31TCG.nc"
    read_s2([fetched], scene, tile=TILE, size_px=SIZE_PX, threads=1)
    return path, scene


@pytest.fixture(scope="session")
def build() -> SimpleNamespace:
    """The builders."""
    return SimpleNamespace(
        scene=write_scene, labels=write_labels, parcels=write_parcels, tiles=write_tiles, damage=damage
    )
