"""Samples of the patch table: sub-patches of monthly composites with their labels (Sen4AgriNet, section VI-A).

A composites file is chunked by sub-patch, all months and bands of one together: a sample is one chunk.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from cropstack.bands import QUANTIFICATION
from cropstack.errors import SampleError
from cropstack.files import open_netcdf, read_attributes, reading
from cropstack.grid import PATCH_PX
from cropstack.legend import BACKGROUND as BACKGROUND_CODE
from cropstack.legend import UNKNOWN as UNKNOWN_CODE
from cropstack.train.account import (
    BACKGROUND,
    MISSING_VALUE,
    NO_LABELLED_PIXEL,
    NO_LEGEND_PIXEL,
    NOT_IN_LEGEND,
    NOT_IN_SCENARIO,
    OVER_LIMIT,
    UNKNOWN_CLASS,
    USED,
    Account,
    count,
)
from cropstack.train.experiment import Experiment
from cropstack.train.samples import SPLITS, UNKNOWN, Drawn, Part, Samples, classes_of, draw, read_splits, tile_year_of

Files = dict[str, h5py.File]  # open composites by place, such as 2019_31TCG
PLACE = ["place", "row", "column"]  # what identifies a sub-patch


def patch_parts(
    stores: list[Path], splits: Path, experiment: Experiment, class_of: np.ndarray, files: ExitStack
) -> Drawn:
    """Sub-patches of composites files that hold a class of the legend, by split. `files` closes them.

    Raises
    ------
    SampleError : files that do not belong together or cannot be; see `read_splits`, `open_stores`, `sub_patches`.
    """
    chosen = read_splits(splits, experiment.scenario, ["row", "column"], stores)
    opened = open_stores(stores, files)
    units = pd.concat([sub_patches(file, place, chosen, class_of) for place, file in opened.items()], ignore_index=True)
    usable = np.flatnonzero(units["fate"] == "")
    parts: dict[str, Part] = {}
    pixels: Counter[tuple[str, str]] = Counter()
    for split in SPLITS:
        drawn = usable[draw(units.loc[usable, [*PLACE, "split"]], experiment, split)]
        parts[split], known, fates = _part(opened, units.iloc[drawn], class_of)
        units.loc[drawn, "fate"] = np.where(known, USED, MISSING_VALUE)
        pixels.update({(split, fate): number for fate, number in fates.items()})
    fates_of_units = count(units["split"].to_list(), units["fate"].replace("", OVER_LIMIT).to_list())
    per_item = np.prod(next(iter(parts.values())).samples.shape[2:], dtype=int)
    return Drawn(
        parts,
        [
            Account("sub_patch", sum(_number(file) for file in opened.values()), fates_of_units),
            Account("pixel", int(per_item) * sum(part.samples.size for part in parts.values()), pixels),
        ],
    )


def open_stores(stores: list[Path], files: ExitStack) -> Files:
    """Open composites files, closed by `files`.

    Raises
    ------
    SampleError : a file of another tile or year than its name says, or of other months, bands or size than the first.
    CropstackError : a cut or damaged file.
    """
    opened: Files = {}
    forms: list[tuple[object, ...]] = []
    for store in stores:
        file = files.enter_context(open_netcdf(store))
        with reading(store, "composites of patches"):
            attributes, composites = read_attributes(file), file["composites"]
            found = (attributes["tile"], attributes["year"])
            forms.append(
                (file["month"][...].tolist(), composites.attrs["bands"], composites.chunks, file["labels"].chunks)
            )
        tile, year = tile_year_of(store)
        if found != (tile, year):
            raise SampleError(f"{store}: holds {found[0]} {found[1]}; expected {tile} {year}. Delete it and run again.")
        if forms[-1] != forms[0]:
            raise SampleError(
                f"{store}: has months, bands and chunks {forms[-1]}; expected {forms[0]}, as {stores[0]}. "
                "Delete both and run again."
            )
        opened[f"{year}_{tile}"] = file
    return opened


def sub_patches(file: h5py.File, place: str, splits: pd.DataFrame, class_of: np.ndarray) -> pd.DataFrame:
    """All sub-patches of a file: place, row and column (counted in sub-patches on the tile), split and fate.

    The fate is empty where a pixel is of the legend and the patch has a split. `splits` is as `read_splits` gives it.

    Raises
    ------
    SampleError : a patch that is not on the tile, or a class code that cannot be.
    """
    year, tile = place.split("_")
    here = splits[(splits["tile"] == tile) & (splits["year"] == int(year)) & (splits["split"] != "")]
    split_of = {(row, column): split for row, column, split in here[["row", "column", "split"]].itertuples(index=False)}
    patches = [length // PATCH_PX[10] for length in file["labels"].shape]
    strange = sorted(set(split_of) - set(np.ndindex(*patches)))
    if strange:
        raise SampleError(
            f"{file.filename}: has no patch {strange[0]}, which has a split; expected numbers below {patches}. "
            "Make splits and composites from the same labels."
        )
    unsplit = NO_LABELLED_PIXEL if split_of else NOT_IN_SCENARIO
    tables = [
        _sub_patches(file, patch, "" if patch in split_of else unsplit, class_of).assign(split=split_of.get(patch, ""))
        for patch in np.ndindex(*patches)
    ]
    return pd.concat(tables, ignore_index=True).assign(place=place)


def _sub_patches(file: h5py.File, patch: tuple[int, ...], fate: str, class_of: np.ndarray) -> pd.DataFrame:
    """Row, column and fate of the sub-patches of a patch, whose labels are read where `fate` is empty."""
    size = _sub_patch_px(file)
    side = PATCH_PX[10] // size
    corners = np.argwhere(np.ones((side, side), bool)) + np.array(patch) * side
    table = pd.DataFrame({"row": corners[:, 0], "column": corners[:, 1], "fate": fate})
    if not fate:
        with reading(file.filename, "composites of patches"):
            labels = file["labels"][tuple(_span(number, PATCH_PX[10]) for number in patch)]
        known = classes_of(labels, class_of, origin=file.filename) != UNKNOWN
        holds = known.reshape(side, size, side, size).any(axis=(1, 3)).ravel()
        table["fate"] = np.where(holds, "", NO_LEGEND_PIXEL)
    return table


def patch_samples(files: Files, units: pd.DataFrame, class_of: np.ndarray) -> Samples:
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
    """Series (months, bands, y, x) float32 in reflectance, NaN where nothing is valid, and label codes (y, x).

    Raises
    ------
    SampleError : an infinite value. CropstackError : the file is damaged.
    """
    with reading(file.filename, "composites of patches"):
        window = [_span(number, _sub_patch_px(file)) for number in (row, column)]
        series, labels = file["composites"][:, :, *window] / np.float32(QUANTIFICATION), file["labels"][*window]
    if np.isinf(series).any():
        raise SampleError(
            f"{file.filename}: sub-patch {row}, {column} holds an infinite value. Delete it and run again."
        )
    return series, labels


def _part(files: Files, units: pd.DataFrame, class_of: np.ndarray) -> tuple[Part, np.ndarray, Counter[str]]:
    """A split of those `units` that have a known target; whether each has; pixels of those by fate."""
    support, fates = np.zeros(class_of.max() + 1, np.int64), Counter[str]()
    known = np.zeros(len(units), bool)
    for position, (place, row, column) in enumerate(_rows(units)):
        series, codes = read_sub_patch(files[place], row, column)
        masks = pixel_fates(codes, class_of[codes], np.isnan(series).any(axis=(0, 1)))
        known[position] = masks[USED].any()
        if known[position]:
            support += np.bincount(class_of[codes][masks[USED]], minlength=len(support))
            fates.update({fate: int(mask.sum()) for fate, mask in masks.items()})
    kept = units.loc[known, PLACE].reset_index(drop=True)
    return Part(patch_samples(files, kept, class_of), kept, support), known, fates


def pixel_fates(codes: np.ndarray, classes: np.ndarray, missing: np.ndarray) -> dict[str, np.ndarray]:
    """What becomes of each pixel: masks (y, x) by `USED` and reason, one true at each pixel."""
    background, unknown, known = codes == BACKGROUND_CODE, codes == UNKNOWN_CODE, classes != UNKNOWN
    return {
        USED: known & ~missing,
        MISSING_VALUE: known & missing,
        BACKGROUND: background & ~known,
        UNKNOWN_CLASS: unknown & ~known,
        NOT_IN_LEGEND: ~(known | background | unknown),
    }


def _number(file: h5py.File) -> int:
    """Number of sub-patches of a file, from its chunks."""
    height, width = file["labels"].shape
    return (height // _sub_patch_px(file)) * (width // _sub_patch_px(file))


def _rows(units: pd.DataFrame) -> Iterator[tuple[str, int, int]]:
    return zip(units["place"].to_list(), units["row"].to_list(), units["column"].to_list(), strict=True)


def _sub_patch_px(file: h5py.File) -> int:
    return int(file["composites"].chunks[-1])


def _span(number: int, size: int) -> slice:
    return slice(number * size, (number + 1) * size)
