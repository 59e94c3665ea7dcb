"""Samples of the patch table: sub-patches of monthly composites with their labels (Sen4AgriNet, section VI-A).

A composites file is chunked by sub-patch, all months and bands of one together: a sample is one chunk.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from cropstack.bands import QUANTIFICATION
from cropstack.grid import PATCH_PX
from cropstack.train.experiment import Experiment
from cropstack.train.samples import SPLITS, UNKNOWN, Part, Samples, draw, read_splits, tile_year_of


def patch_parts(
    stores: list[Path], splits: Path, experiment: Experiment, class_of: np.ndarray, files: ExitStack
) -> dict[str, Part]:
    """Sub-patches of composites files that hold a class of the legend, by split. `files` closes them."""
    chosen = read_splits(splits, experiment.scenario, ["tile", "year", "row", "column"])
    opened = [files.enter_context(h5py.File(store)) for store in stores]
    units = pd.concat(
        [
            sub_patches(file, f"{year}_{tile}", chosen[(chosen["tile"] == tile) & (chosen["year"] == year)], class_of)
            for file, (tile, year) in zip(opened, map(tile_year_of, stores), strict=True)
        ],
        ignore_index=True,
    )
    by_place = {f"{year}_{tile}": file for file, (tile, year) in zip(opened, map(tile_year_of, stores), strict=True)}
    return {split: _part(by_place, units.iloc[draw(units, experiment, split)], class_of) for split in SPLITS}


def sub_patches(file: h5py.File, place: str, splits: pd.DataFrame, class_of: np.ndarray) -> pd.DataFrame:
    """Sub-patches with a pixel of the legend: place, row and column (counted in sub-patches on the tile), split.

    `splits` has row, column and split of the tile's patches.
    """
    size = _sub_patch_px(file)
    side = PATCH_PX[10] // size
    found: list[np.ndarray] = []
    for row, column in zip(splits["row"].to_list(), splits["column"].to_list(), strict=True):
        labels = file["labels"][_span(row, PATCH_PX[10]), _span(column, PATCH_PX[10])]
        known = (class_of[labels] != UNKNOWN).reshape(side, size, side, size).any(axis=(1, 3))
        found.append(np.argwhere(known) + (row * side, column * side))
    times = [len(corners) for corners in found]
    corners = np.concatenate([np.empty((0, 2), np.int64), *found])
    columns = {"place": place, "row": corners[:, 0], "column": corners[:, 1]}
    return pd.DataFrame(columns | {"split": np.repeat(splits["split"].to_numpy(object), times)})


def patch_samples(files: dict[str, h5py.File], units: pd.DataFrame, class_of: np.ndarray) -> Samples:
    """Samples of inputs (months, bands, y, x), reflectance, and targets (y, x).

    A pixel without any valid acquisition is 0 in the input and `UNKNOWN` in the target. `files` by place.
    """
    rows = list(_rows(units))

    def read(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        items = [read_sub_patch(files[place], row, column) for place, row, column in (rows[i] for i in index)]
        series = np.stack([series for series, _ in items])
        targets = class_of[np.stack([labels for _, labels in items])]
        missing = np.isnan(series).any(axis=(1, 2))
        targets[missing] = UNKNOWN
        return np.nan_to_num(series, copy=False, nan=0.0), targets

    file = next(iter(files.values()))
    return Samples(len(rows), (*file["composites"].shape[:2], *[_sub_patch_px(file)] * 2), read)


def read_sub_patch(file: h5py.File, row: int, column: int) -> tuple[np.ndarray, np.ndarray]:
    """Series (months, bands, y, x) float32 in reflectance, NaN where nothing is valid, and label codes (y, x)."""
    window = [_span(number, _sub_patch_px(file)) for number in (row, column)]
    return file["composites"][:, :, *window] / np.float32(QUANTIFICATION), file["labels"][*window]


def _part(files: dict[str, h5py.File], units: pd.DataFrame, class_of: np.ndarray) -> Part:
    support, left_out = np.zeros(class_of.max() + 1, np.int64), 0
    for place, row, column in _rows(units):
        series, labels = read_sub_patch(files[place], row, column)
        classes = class_of[labels]
        known, missing = classes != UNKNOWN, np.isnan(series).any(axis=(0, 1))
        support += np.bincount(classes[known & ~missing], minlength=len(support))
        left_out += int((known & missing).sum())
    named = units[["place", "row", "column"]].reset_index(drop=True)
    return Part(patch_samples(files, units, class_of), named, support, left_out)


def _rows(units: pd.DataFrame) -> Iterator[tuple[str, int, int]]:
    return zip(units["place"].to_list(), units["row"].to_list(), units["column"].to_list(), strict=True)


def _sub_patch_px(file: h5py.File) -> int:
    return int(file["composites"].chunks[-1])


def _span(number: int, size: int) -> slice:
    return slice(number * size, (number + 1) * size)
