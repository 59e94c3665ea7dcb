"""Composites, splits and legends in small, with classes that a model can tell apart."""

import json
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cropstack.train.experiment import Experiment, Training
from cropstack.train.samples import Samples

BANDS = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B8A"]
CODES = [110, 120, 330, 998]  # Wheat, Maize and Grapes of the legend; 998 is outside it
SIZE_PX = 732  # two patches a side
TRAINING = Training(epochs=3, batch_size=8, learning_rate=1e-3, schedule="plateau", weighted=True)


def experiment(model: str, **changes: object) -> Experiment:
    settings = {
        "name": f"scenario1_{model}", "model": model, "scenario": "scenario1", "max_samples": None, "seed": 16,
        "training": None if model == "ndvi_neighbour" else TRAINING,
    }  # fmt: skip
    return Experiment(**{**settings, **changes})


def separable(rng: np.random.Generator, codes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Digital numbers (n, *shape) float32 that differ by class in every value, with noise."""
    level = np.searchsorted(CODES, codes).reshape(-1, *[1] * len(shape))
    month = np.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    return (1000 + 700 * level * (1 + month % 2) + rng.normal(0, 150, (len(codes), *shape))).astype("f4")


def write_parcels(path: Path, codes: list[int], seed: int = 1, missing: tuple[int, ...] = ()) -> Path:
    """Monthly composites of parcels 1 to n; those in `missing` have no value in June."""
    rng = np.random.default_rng(seed)
    values = separable(rng, np.array(codes), (12, 26))
    values[[number - 1 for number in missing], 5] = np.nan
    columns = {
        "parcel_index": pa.array(range(1, len(codes) + 1), pa.int64()),
        "class_code": pa.array(codes, pa.int32()),
    }
    for month in range(12):
        for position, band in enumerate(BANDS):
            columns[f"{band}_{month + 1:02d}_mean"] = pa.array(values[:, month, 2 * position])
            columns[f"{band}_{month + 1:02d}_std"] = pa.array(values[:, month, 2 * position + 1])
        columns[f"{month + 1:02d}_filled"] = pa.array([False] * len(codes))
    path.parent.mkdir(parents=True, exist_ok=True)
    tile, year, _ = path.stem.split("_")
    about = {"cropstack": json.dumps({"tile": tile, "year": int(year)})}
    pq.write_table(pa.table(columns).replace_schema_metadata(about), path)
    return path


def write_patches(path: Path, *, seed: int = 1, size: int = 61, months: int = 2, bands: int = 2) -> Path:
    """Composites of 2 × 2 patches: each sub-patch has one class, an eighth of them none; a border of background."""
    rng = np.random.default_rng(seed)
    side = SIZE_PX // size
    codes = rng.choice([0, *CODES, *CODES[:3]], (side, side))
    labels = codes.repeat(size, axis=0).repeat(size, axis=1).astype("u4")
    flat = np.where(labels == 0, 998, labels).ravel()
    series = separable(rng, flat, (months, bands)).reshape(SIZE_PX, SIZE_PX, months, bands).transpose(2, 3, 0, 1)
    labels[::size] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    tile, year, _ = path.stem.split("_")
    with h5py.File(path, "w") as file:
        file.attrs.update({"tile": tile, "year": int(year)})
        file["month"] = np.arange(4, 4 + months)
        file.create_dataset("composites", data=series, chunks=(months, bands, size, size)).attrs["bands"] = "B04 B08"
        file.create_dataset("labels", data=labels, chunks=(size, size))
    return path


def write_patch_splits(path: Path, tile_years: list[tuple[str, int]]) -> Path:
    """Two patches train, one validates, one tests."""
    of = {(0, 0): "train", (0, 1): "val", (1, 0): "train", (1, 1): "test"}
    rows = [
        ("scenario1", f"{y}_{t}_patch_{r:02d}_{c:02d}", "fr", t, y, r, c, split, "x")
        for t, y in tile_years
        for (r, c), split in of.items()
    ]
    columns = ["scenario", "sample", "country", "tile", "year", "row", "column", "split", "stratum"]
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return path


def write_parcel_splits(path: Path, tile: str, year: int, splits: list[str]) -> Path:
    """Splits of parcels 1 to n; "" is left out."""
    table = pd.DataFrame({"parcel_index": range(1, len(splits) + 1), "split": splits})
    table["reason"] = np.where(table["split"] == "", "touches_other_split", "")
    table = table.assign(scenario="scenario1", country="fr", tile=tile, year=year)
    table[["scenario", "country", "tile", "year", "parcel_index", "split", "reason"]].to_csv(path, index=False)
    return path


def in_memory(inputs: np.ndarray, targets: np.ndarray) -> Samples:
    return Samples(len(inputs), inputs.shape[1:], lambda index: (inputs[index], targets[index]))


@pytest.fixture(scope="session")
def make(root: Path) -> SimpleNamespace:
    """The builders."""
    return SimpleNamespace(
        experiment=experiment, parcels=write_parcels, patches=write_patches, patch_splits=write_patch_splits,
        parcel_splits=write_parcel_splits, samples=in_memory, training=TRAINING,
        legend=root / "taxonomy/legends/sen4agrinet11.csv", classes=root / "taxonomy/classes.csv",
    )  # fmt: skip
