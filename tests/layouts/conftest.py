"""Builders of scene and label files, 2 × 2 patches, and of whole small datasets; every pixel known from a seed."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cropstack.bands import S2_BANDS, bands_at, reflectance_attributes
from cropstack.errors import LedgerRow
from cropstack.files import (
    add_bare_dimension,
    add_dimension,
    add_group,
    add_variable,
    create_netcdf,
    read_csv,
    set_attributes,
    write_chunks,
    write_csv,
    write_json,
    write_ledger,
)
from cropstack.grid import PATCH_PX, RESOLUTIONS_M, crs_attributes, pixel_centres, tile_geobox
from cropstack.layouts.check_layout import check_layout
from cropstack.layouts.write_sen4agrinet import write_sen4agrinet
from cropstack.layouts.write_sen4agrinet_coco import write_sen4agrinet_coco
from cropstack.splits.assign_parcel_splits import assign_parcel_splits
from cropstack.splits.assign_splits import assign_splits

SIZE_PX = 732  # two patches a side
SPLITS = ("train", "val", "test")
CODES = np.array([0, 110, 120, 150, 330, 998, 435, 510])
PRODUCT_COLUMNS = """recipe product collection tile year scene used reason precedence cloud processing_baseline
generated sensing form size_bytes stamp href offset_state""".split()  # noqa: SIM905


def scene_pixels(seed: int, size_px: int = SIZE_PX) -> dict[str, np.ndarray]:
    """Digital numbers of all bands, smooth enough to compress; a few pixels are 0 or saturated."""
    rng = np.random.default_rng(seed)
    pixels = {}
    for band in S2_BANDS:
        size = size_px * 10 // band.resolution_m
        values = rng.integers(200, 4000, (size, size)).astype("u2")
        values[rng.random((size, size)) < 0.002] = 0
        values[1, 2] = 65535
        pixels[band.name] = values
    return pixels


def write_scene(
    path: Path,
    *,
    sensing: str,
    seed: int = 1,
    tile: str = "31TCG",
    empty: Sequence[tuple[int, int]] = (),
    platform: str = "S2A",
    bands: Sequence[str] = tuple(band.name for band in S2_BANDS),
    size_px: int = SIZE_PX,
    **attributes: object,
) -> Path:
    """Write a scene file; patches in `empty` hold no data."""
    pixels = scene_pixels(seed, size_px)
    root: dict[str, object] = {
        "scene": path.stem, "collection": "s2_l1c", "tile": tile, "platform": platform, "level": "L1C",
        "relative_orbit": 51, "orbit_direction": "DESCENDING", "sensing_time": sensing, "products": f"P_{path.stem}",
        "processing_baselines": "02.07", "generated": sensing, "offset_applied": "0", "provider": "simulated",
        "source": "Contains modified Copernicus Sentinel data 2019",
        "cloud_cover": 1.5, "sun_zenith": 40.25, "sun_azimuth": 150.5, "view_zenith": 5.0, "view_azimuth": 100.0,
    }  # fmt: skip
    root |= {f"clamped_{band.name}": 0 for band in S2_BANDS} | attributes
    with create_netcdf(path, root) as file:
        for resolution_m in RESOLUTIONS_M:
            group = _add_grid(file, tile, resolution_m, size_px)
            size = PATCH_PX[resolution_m]
            for band in bands_at(resolution_m):
                values = pixels[band.name]
                for row, column in empty:
                    values[row * size : (row + 1) * size, column * size : (column + 1) * size] = 0
                if band.name in bands:
                    write_chunks(_add_raster(group, band.name, "u2", reflectance_attributes(band), fill=0), values)
            _add_valid_count(group, [pixels[band.name] for band in bands_at(resolution_m)], size)
    return path


def _add_grid(file: h5py.File, tile: str, resolution_m: int, size_px: int) -> h5py.Group:
    group = add_group(file, f"r{resolution_m}m")
    geobox = tile_geobox(tile, resolution_m, size_px=size_px)
    x, y = pixel_centres(geobox)
    add_dimension(group, "y", y)
    add_dimension(group, "x", x)
    add_variable(group, "spatial_ref", (), "i4", crs_attributes(geobox), data=np.array(0, "i4"))
    return group


def _add_raster(group: h5py.Group, name: str, dtype: str, attributes: dict, fill: int | None = None) -> h5py.Dataset:
    size = PATCH_PX[int(group.name[2:-1])]
    return add_variable(group, name, ("y", "x"), dtype, attributes, chunks=(size, size), fill=fill)


def _add_valid_count(group: h5py.Group, bands: list[np.ndarray], size: int) -> None:
    valid = np.all([band > 0 for band in bands], axis=0)
    n = len(valid) // size
    add_bare_dimension(group, "patch_row", n)
    add_bare_dimension(group, "patch_column", n)
    counts = valid.reshape(n, size, n, size).sum(axis=(1, 3), dtype="u4")
    add_variable(group, "valid_count", ("patch_row", "patch_column"), "u4", data=counts)


def parcel_rasters(seed: int, size_px: int = SIZE_PX) -> tuple[np.ndarray, np.ndarray]:
    """Labels (uint32) and parcels (int64): blocks of 61 pixels, one class each, some with a hole, a fifth empty.

    A line of parcel pixels crosses the first edge between patches.
    """
    rng = np.random.default_rng(seed)
    n = size_px // 61
    numbers = np.arange(1, n * n + 1).reshape(n, n)
    numbers[rng.random((n, n)) < 0.2] = 0
    used = np.unique(numbers[numbers > 0])
    numbers[numbers > 0] = np.searchsorted(used, numbers[numbers > 0]) + 1
    parcels = numbers.repeat(61, axis=0).repeat(61, axis=1).astype("i8")
    parcels[20:30, 25:40] = 0  # a hole
    parcels[100:104, 360:372] = 1  # on both sides of column 366
    codes = np.concatenate([[0], CODES[1 + rng.integers(0, len(CODES) - 1, len(used))]])
    return codes[parcels].astype("u4"), parcels


def write_label_file(
    path: Path,
    *,
    year: int,
    rasters: tuple[np.ndarray, np.ndarray],
    tile: str = "31TCG",
    country: str = "es_ct",
    **attributes: object,
) -> Path:
    """Write a label file; coarser grids take every second and sixth pixel."""
    size_px, code = len(rasters[0]), country[:2].upper()
    about = {"tile": tile, "year": year, "country": country, "country_code": code, "share_alike": 0}
    about |= {"licence": f"Open {code}", "attribution": f"Office {year}", **attributes}
    with create_netcdf(path, about) as file:
        for resolution_m in RESOLUTIONS_M:
            group, step = _add_grid(file, tile, resolution_m, size_px), resolution_m // 10
            for name, dtype, raster in zip(("labels", "parcels"), ("u4", "i8"), rasters, strict=True):
                write_chunks(_add_raster(group, name, dtype, {}), raster[::step, ::step])
    return path


# --- a whole dataset --------------------------------------------------------------------------------------

TileYear = tuple[str, str, int]  # country, tile, year


@dataclass
class Dataset:
    """Inputs and outputs of a small build in `folder`, laid out as the workflow does."""

    folder: Path
    tile_years: list[TileYear]
    scenarios: dict

    def labels(self, tile: str, year: int) -> Path:
        return self.folder / f"build/labels/{tile}_{year}_labels.nc"

    def patches(self, tile: str, year: int) -> Path:
        return self.folder / f"results/sen4agrinet/data/{year}/{tile}"

    def ledger(self, tile: str, year: int) -> Path:
        return self.folder / f"build/layouts/sen4agrinet/{tile}_{year}_ledger.csv"

    def table(self, kind: str, country: str, year: int) -> Path:
        return self.folder / f"build/labels/{country}_{year}_{kind}"

    def result(self, name: str) -> Path:
        return self.folder / "results/sen4agrinet" / name

    @property
    def products(self) -> Path:
        return self.folder / "build/catalogue/products.csv"

    def per_tile_year(self, path: Callable[[str, int], Path]) -> list[Path]:
        return [path(tile, year) for _, tile, year in self.tile_years]

    def per_country_year(self, kind: str) -> list[Path]:
        keys = sorted({(country, year) for country, _, year in self.tile_years})
        return [self.table(kind, country, year) for country, year in keys]

    def series(self, ending: str) -> list[Path]:
        """Tables of parcels by acquisition, by tile and year."""
        return self.per_tile_year(lambda tile, year: self.result(f"parcels/{year}_{tile}{ending}"))

    def composites(self, tile: str, year: int) -> Path:
        return self.folder / f"build/samples/composites/{tile}_{year}_parcels.parquet"

    def catalogue(self, tile: str, year: int) -> Path:
        return self.folder / f"build/catalogue/s2_l1c/{tile}_{year}.json"

    def months(self) -> list[Path]:
        return [self.result(f"{name}_oad_{split}.csv.gz") for name in self.scenarios for split in SPLITS]

    def coco(self) -> list[Path]:
        return [self.result(f"{name}_coco_{split}.json") for name in self.scenarios for split in SPLITS]

    def check(self) -> None:
        """Run check_layout on it."""
        check_layout(
            self.products,
            self.per_tile_year(self.catalogue),
            self.per_tile_year(self.labels),
            self.per_country_year("parcels.parquet"),
            self.per_country_year("tiles.parquet"),
            self.per_country_year("ledger.csv") + self.per_tile_year(self.ledger),
            self.result("splits.csv"),
            self.per_tile_year(self.patches),
            self.coco(),
            self.series(".csv.gz"),
            self.series(".parquet"),
            self.series("_ids.csv"),
            self.per_tile_year(self.composites),
            self.result("parcel_splits.csv"),
            self.months(),
            self.result("rejects.csv"),
            self.result("balance.csv"),
            recipe="sen4agrinet",
            scenarios=self.scenarios,
        )


def build_dataset(
    folder: Path, classes: Path, legend: Path, *, tile_years: list[TileYear], dates: list[str], scenarios: dict
) -> Dataset:
    """Build all tile-years with scenes at `dates` (month-day), splits and COCO files.

    The first patch of the first tile-year lacks its first date, the last patch has no date at all.
    """
    dataset = Dataset(folder, tile_years, scenarios)
    rows = []
    for number, (country, tile, year) in enumerate(tile_years):
        scenes = _write_scenes(folder, tile, year, dates, number)
        rows += [_product_row(tile, year, scene, "yes") for scene in scenes]
        rows.append(_product_row(tile, year, scenes[0].with_stem(f"CLOUDY{tile}{year}"), "no"))
        items = [{"id": row[1]} for row in rows if row[3:5] == [tile, year]]
        query = {"collection": "s2_l1c", "tile": tile, "year": year}
        write_json(dataset.catalogue(tile, year), {"cropstack:query": query, "features": items})
        rasters = parcel_rasters(10 + number)
        write_label_file(dataset.labels(tile, year), tile=tile, year=year, country=country, rasters=rasters)
        _write_tables(dataset, country, tile, year, int(rasters[1].max()))
        write_sen4agrinet(
            scenes, dataset.labels(tile, year), dataset.patches(tile, year), dataset.ledger(tile, year),
            tile=tile, year=year, size_px=SIZE_PX,
        )  # fmt: skip
    write_csv(dataset.products, PRODUCT_COLUMNS, rows)
    assign_splits(
        dataset.per_tile_year(dataset.labels), legend, classes, [], dataset.result("splits.csv"),
        tile_years=[list(key) for key in tile_years], shares={"train": 0.6, "val": 0.2, "test": 0.2},
        scenarios=scenarios, seed=16,
    )  # fmt: skip
    for name in scenarios:
        outputs = [dataset.result(f"{name}_coco_{split}.json") for split in SPLITS]
        folders = dataset.per_tile_year(dataset.patches)
        write_sen4agrinet_coco(dataset.result("splits.csv"), folders, classes, *outputs, scenario=name)
    split_parcels(dataset, classes, legend)
    return dataset


def split_parcels(dataset: Dataset, classes: Path, legend: Path) -> None:
    """Assign the splits of parcels, and write the monthly tables."""
    assign_parcel_splits(
        dataset.result("splits.csv"), dataset.per_tile_year(dataset.labels), dataset.per_country_year("tiles.parquet"),
        dataset.per_country_year("parcels.parquet"), legend, classes, dataset.result("parcel_splits.csv"),
        dataset.result("split_coverage.csv"), dataset.result("leakage.csv"),
        tile_years=[list(key) for key in dataset.tile_years],
    )  # fmt: skip
    _write_months(dataset)


def _write_months(dataset: Dataset) -> None:
    """Monthly tables: parcel ids only."""
    rows = read_csv(dataset.result("parcel_splits.csv"))
    for path in dataset.months():
        scenario, split = path.name.removesuffix(".csv.gz").split("_oad_")
        chosen = [row for row in rows if (row["scenario"], row["split"]) == (scenario, split)]
        chosen.sort(key=lambda row: (row["tile"], row["year"]))
        write_csv(path, ["parcel_id", "label"], ([row["parcel_index"], 110] for row in chosen))


def _write_scenes(folder: Path, tile: str, year: int, dates: list[str], number: int) -> list[Path]:
    scenes = []
    for step, date in enumerate(dates):
        day = date.replace("-", "")
        path = folder / f"build/scenes/s2_l1c/S2A_{year}{day}T105031_R051_T{tile}.nc"
        empty = [(1, 1)] + [(0, 0)] * (step == 0) if number == 0 else []
        sensing = f"{year}-{date}T10:56:27.461123Z"
        scenes.append(write_scene(path, sensing=sensing, seed=100 * number + step, tile=tile, empty=empty))
    return scenes


def _product_row(tile: str, year: int, scene: Path, used: str) -> list:
    reason = "" if used == "yes" else "cloud"
    return [
        "sen4agrinet", f"P_{scene.stem}", "s2_l1c", tile, year, scene.stem, used, reason, 1, 3.5, "02.07",
        f"{year}-12-31T00:00:00Z", f"{year}-01-01T00:00:00Z", "safe", 1, "s", "h", "in_metadata",
    ]  # fmt: skip


def _write_tables(dataset: Dataset, country: str, tile: str, year: int, count: int) -> None:
    """Parcels 1 to `count` on the tile, one too small for a pixel, one on no tile; one more was rejected."""
    total = count + 2
    columns = {
        "id": pa.array([f"{year}-{n}" for n in range(1, total + 1)]),
        "parcel_index": pa.array(range(1, total + 1), pa.int64()),
        "metrics:area": pa.array([37.0] * total, pa.float64()),
        "class_code": pa.array([110] * total, pa.int32()),
    }
    about = {"cropstack": json.dumps({"country": country, "declared": total + 1})}
    pq.write_table(pa.table(columns).replace_schema_metadata(about), dataset.table("parcels.parquet", country, year))
    owners = pa.array([tile] * (count + 1) + [None], pa.string())
    table = pa.table({"parcel_index": columns["parcel_index"], "tile": owners, "covered_share": [1.0] * total})
    pq.write_table(table, dataset.table("tiles.parquet", country, year))
    _write_series(dataset, tile, year, range(1, count + 2))
    row = LedgerRow(f"{year}-x", "harmonise_parcels", "rejected", "sliver", "0.5 m wide; expected 1")
    write_ledger(dataset.table("ledger.csv", country, year), [row])


def _write_series(dataset: Dataset, tile: str, year: int, numbers: range) -> None:
    """Tables of the parcels that a tile owns: their numbers only."""
    for ending, column in ((".csv.gz", "label"), ("_ids.csv", "id")):
        path = dataset.result(f"parcels/{year}_{tile}{ending}")
        write_csv(path, ["parcel_index", column], ([number, 110] for number in numbers))
    for path in (dataset.result(f"parcels/{year}_{tile}.parquet"), dataset.composites(tile, year)):
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"parcel_index": pa.array(numbers, pa.int64())}), path)


SCENARIOS = {
    "scenario1": {"train": "all", "test": "all"},
    "scenario2": {"train": {"es_ct": [2019, 2020]}, "test": {"fr": [2019]}},
    "scenario3": {"train": {"fr": [2019]}, "test": {"es_ct": [2020]}},
}
TILE_YEARS: list[TileYear] = [("es_ct", "31TCG", 2019), ("es_ct", "31TCG", 2020), ("fr", "31TCJ", 2019)]


@pytest.fixture(scope="session")
def build(root: Path) -> SimpleNamespace:
    """The builders."""

    classes, legend = root / "taxonomy/classes.csv", root / "taxonomy/legends/sen4agrinet11.csv"

    def dataset(folder: Path, dates: list[str]) -> Dataset:
        return build_dataset(folder, classes, legend, tile_years=TILE_YEARS, dates=dates, scenarios=SCENARIOS)

    return SimpleNamespace(
        scene=write_scene, scene_pixels=scene_pixels, labels=write_label_file, rasters=parcel_rasters,
        dataset=dataset, set_attributes=set_attributes, size_px=SIZE_PX,
        split_parcels=lambda dataset: split_parcels(dataset, classes, legend),
    )  # fmt: skip
