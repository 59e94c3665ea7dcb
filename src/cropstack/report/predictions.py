"""Predictions of a model of patches, put back in their places on a patch."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from cropstack.grid import PATCH_PX
from cropstack.legend import LegendClass

UNIT_COLUMNS = ["place", "row", "column"]
NO_CLASS = 0  # a legend id where nothing is predicted, or the truth is in no class of the legend
FILE = "predictions.parquet"


def is_of_patches(folder: Path) -> bool:
    """Whether an experiment predicted sub-patches, and not parcels."""
    file = folder / FILE
    return file.exists() and set(UNIT_COLUMNS) <= set(pq.read_schema(file).names)


def predicted_patches(folder: Path) -> Counter[str]:
    """Number of sub-patches predicted on each patch, by sample name."""
    file = folder / FILE
    side = _sub_patches_per_side(file)
    table = pq.read_table(file, columns=UNIT_COLUMNS)
    rows, columns = (table[name].to_numpy() // side for name in ("row", "column"))
    names = zip(table["place"].to_pylist(), rows.tolist(), columns.tolist(), strict=True)
    return Counter(f"{place}_patch_{row:02d}_{column:02d}" for place, row, column in names)


def read_predicted(folder: Path, sample: str) -> tuple[np.ndarray, np.ndarray]:
    """Legend ids on a patch, predicted and true, each (366, 366) int16; `NO_CLASS` where no sub-patch was predicted."""
    file = folder / FILE
    side = _sub_patches_per_side(file)
    size = PATCH_PX[10] // side
    place, _, row, column = (*sample.rsplit("_", 3),)
    first = int(row) * side, int(column) * side
    window = pc.field("place") == place
    for name, start in zip(("row", "column"), first, strict=True):
        window &= (pc.field(name) >= start) & (pc.field(name) < start + side)
    predicted, truth = (np.full((PATCH_PX[10],) * 2, NO_CLASS, np.int16) for _ in range(2))
    for item in ds.dataset(file).to_table(filter=window).to_pylist():
        y, x = ((item[name] - start) * size for name, start in zip(("row", "column"), first, strict=True))
        for raster, name in ((predicted, "predicted"), (truth, "truth")):
            raster[y : y + size, x : x + size] = np.reshape(item[name], (size, size))
    return predicted, truth


def _sub_patches_per_side(file: Path) -> int:
    pixels = pq.read_schema(file).field("predicted").type.list_size
    return PATCH_PX[10] // round(pixels**0.5)


def codes_of(ids: np.ndarray, legend: list[LegendClass]) -> np.ndarray:
    """Legend ids as the first class code of each class, so that they are drawn like labels; 0 stays 0."""
    table = np.zeros(max(entry.id for entry in legend) + 1, np.uint32)
    for entry in legend:
        table[entry.id] = entry.codes[0]
    return table[ids]
