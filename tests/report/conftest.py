"""A small dataset as the page reads it: two tiles of 2 × 2 patches, made through files.py."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from cropstack.errors import LedgerRow
from cropstack.files import (
    add_bare_dimension,
    add_dimension,
    add_group,
    add_variable,
    create_netcdf,
    write_chunks,
    write_csv,
    write_ledger,
    write_text,
)

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "src/cropstack/report/page.html"
STYLE = ROOT / "src/cropstack/report/style.css"
LEGEND = ROOT / "taxonomy/legends/sen4agrinet11.csv"
CLASSES = ROOT / "taxonomy/classes.csv"

TILE_YEARS = [("es_ct", "31TCG", 2019), ("fr", "31TCJ", 2019)]
DAYS = [20, 95, 150, 210, 270]  # after 1 January: one before the season that the page shows, four in it
CODES = [110, 120, 330, 435, 998, 0, 520, 770]  # 520 is in the taxonomy and in no class of the legend
PRODUCT_COLUMNS = (
    *("recipe", "product", "collection", "tile", "year", "scene"),
    *("used", "reason", "precedence", "cloud", "sensing"),
)
SPLIT_COLUMNS = ("scenario", "sample", "country", "tile", "year", "row", "column", "split", "stratum")


def _scene(tile: str, day: int) -> str:
    date = np.datetime64("2019-01-01") + day
    return f"S2A_{str(date).replace('-', '')}T105031_R051_T{tile}"


def write_patch(path: Path, *, tile: str, seed: int) -> None:
    """A patch with stripes of classes, one parcel each, and bands that grow brighter towards the south."""
    stripes = np.repeat(np.arange(8), [46, 46, 46, 46, 46, 46, 45, 45])
    codes = np.roll(np.array(CODES), seed)
    labels = np.broadcast_to(codes[stripes], (366, 366)).astype(np.uint32)
    parcels = np.where(labels > 0, 1 + np.broadcast_to(stripes, (366, 366)), 0).astype(np.int64)
    rng = np.random.default_rng(seed)
    with create_netcdf(path, {"patch_year": "2019", "patch_tile": tile}) as file:
        for band, level in (("B02", 900), ("B03", 1000), ("B04", 1100)):
            _band(file, band, level, rng)
        for name, array in (("labels", labels), ("parcels", parcels)):
            group = _grid(add_group(file, name))
            write_chunks(add_variable(group, name, ("y", "x"), array.dtype, chunks=(366, 366)), array)
        _acquisitions(file, tile)


def _grid(group: h5py.Group) -> h5py.Group:
    add_bare_dimension(group, "y", 366)
    add_bare_dimension(group, "x", 366)
    return group


def _band(file: h5py.File, name: str, level: int, rng: np.random.Generator) -> None:
    group = add_group(file, name)
    times = (np.datetime64("2019-01-01", "us") + np.array(DAYS, "timedelta64[D]")).astype(np.int64)
    add_dimension(group, "time", times, {"units": "microseconds since 1970-01-01 00:00:00"})
    variable = add_variable(_grid(group), name, ("time", "y", "x"), "u2", chunks=(1, 366, 366), fill=0)
    for step in range(len(DAYS)):
        field = level + np.arange(366)[:, None] + rng.integers(0, 200, (366, 366))
        write_chunks(variable, field.astype(np.uint16), origin=(step,))


def _acquisitions(file: h5py.File, tile: str) -> None:
    group = add_group(file, "acquisitions")
    add_bare_dimension(group, "time", len(DAYS))
    scenes = [_scene(tile, day) for day in DAYS]
    texts = {
        "scene": scenes,
        "products": [f"{scene}_PRODUCT" for scene in scenes],
        "processing_baselines": ["02.07"] * 4 + ["05.00"],
        "offset_applied": ["0"] * 4 + ["-1000"],
        "provider": ["simulated"] * len(DAYS),
    }
    for name, values in texts.items():
        data = np.array([value.encode() for value in values])
        add_bare_dimension(group, f"{name}_length", data.itemsize)
        characters = data.view("S1").reshape(len(values), -1)
        add_variable(group, name, ("time", f"{name}_length"), "S1", data=characters)


def _products(tile: str) -> list[list[Any]]:
    rows = []
    for number, day in enumerate([*DAYS, 60, 125]):
        reason = {5: "cloud", 6: "older_processing_baseline"}.get(number, "")
        cloud = 43.5 if reason == "cloud" else 1.5 * number
        sensing = f"{np.datetime64('2019-01-01') + day}T10:56:29.000000Z"
        scene = _scene(tile, day)
        used = "no" if reason else "yes"
        rows.append(["sen4agrinet", f"{scene}_PRODUCT", "s2_l1c", tile, 2019, scene, used, reason, 1, cloud, sensing])
    return rows


def _parcels(path: Path, codes: list[int], areas: list[float]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = {"class_code": pyarrow.array(codes, "int32"), "metrics:area": pyarrow.array(areas, "float64")}
    pyarrow.parquet.write_table(pyarrow.table(table), path)


LEDGERS = {
    "es_ct": [
        LedgerRow(f"p{i}", "harmonise_parcels", "repaired", "self_intersection", "bow-tie <made> valid")
        for i in range(5)
    ]
    + [LedgerRow("q", "harmonise_parcels", "rejected", "duplicate", "same as p1")],
    "fr": [],
}


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Arguments of write_index for the small dataset, without `page`."""
    root = tmp_path_factory.mktemp("dataset")
    for country, tile, year in TILE_YEARS:
        for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
            name = f"{year}_{tile}_patch_{row:02d}_{column:02d}"
            write_patch(root / f"data/{year}/{tile}/{name}.nc", tile=tile, seed=2 * row + column)
        _parcels(root / f"{country}_{year}_parcels.parquet", [110, 110, 998], [30_000.0, 50_000.0, 20_000.0])
        write_ledger(root / f"{country}_{year}_ledger.csv", LEDGERS[country])
        source = f'name: Parcels of {country}\nlicence: Free "as air"\nattribution: Office of {country}, {{year}}\n'
        write_text(root / f"taxonomy/{country}/source.yaml", source)
    write_csv(root / "products.csv", PRODUCT_COLUMNS, [row for _, tile, _ in TILE_YEARS for row in _products(tile)])
    write_csv(root / "splits.csv", SPLIT_COLUMNS, _splits())
    left_out = LedgerRow("2019_31TCG_patch_01_01", "write_sen4agrinet", "rejected", "no_valid_pixel", "on 1 of 6 dates")
    write_ledger(root / "rejects.csv", [left_out])
    return {
        "products": root / "products.csv",
        "ledgers": sorted(root.glob("*_ledger.csv")),
        "parcels": sorted(root.glob("*_parcels.parquet")),
        "sources": sorted(root.glob("taxonomy/*/source.yaml")),
        "legend": LEGEND,
        "classes": CLASSES,
        "patches": [root / f"data/{year}/{tile}" for _, tile, year in TILE_YEARS],
        "splits": root / "splits.csv",
        "rejects": root / "rejects.csv",
        "template": PAGE,
        "style": STYLE,
        "tile_years": TILE_YEARS,
        "size_px": 732,
    }


def _splits() -> list[list[Any]]:
    rows = []
    for country, tile, year in TILE_YEARS:
        for (row, column), split in zip(((0, 0), (0, 1), (1, 0)), ("train", "val", "test"), strict=True):
            sample = f"{year}_{tile}_patch_{row:02d}_{column:02d}"
            rows.append(["scenario1", sample, country, tile, year, row, column, split, f"{tile}_110"])
    return rows
