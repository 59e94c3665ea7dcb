"""Samples that a model sees, by split; which of them, and what each class has."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.dataset as pa_dataset

from cropstack.errors import ConfigError, SampleError, nearest
from cropstack.files import reading
from cropstack.legend import LegendClass
from cropstack.train.account import Account, check_balance
from cropstack.train.experiment import Experiment, seed_of_samples

SPLITS = ("train", "val", "test")
UNKNOWN = -1  # target that is left out of loss and metrics
CODES = 1000  # taxonomy codes have three digits
CHUNK = 64  # samples read at a time where a whole set is gone through


@dataclass(frozen=True)
class Samples:
    """Samples in memory or read on demand.

    Attributes
    ----------
    shape : of one input, float32: (months, features, …).
    read : inputs (n, *shape) and targets (n, …) int64 by index (n,). Targets are 0 to classes - 1, or `UNKNOWN`.
    """

    size: int
    shape: tuple[int, ...]
    read: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

    def in_order(self, batch_size: int = CHUNK) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """All samples, batch by batch."""
        for start in range(0, self.size, batch_size):
            yield self.read(np.arange(start, min(start + batch_size, self.size)))


@dataclass(frozen=True)
class Part:
    """One split of one experiment.

    Attributes
    ----------
    units : what identifies a sample, one row each.
    support : samples (parcels) or pixels (patches) by class, int64 (classes,).
    """

    samples: Samples
    units: pd.DataFrame
    support: np.ndarray


@dataclass(frozen=True)
class Drawn:
    """What an experiment learns from and is judged by, by split, and what became of all the rest.

    The first account is of samples; the second, of patches only, of the pixels in them.
    """

    parts: dict[str, Part]
    accounts: list[Account]


def class_lookup(legend: list[LegendClass]) -> np.ndarray:
    """Array (1000,) from taxonomy code to class, 0 to classes - 1 in the legend's order, `UNKNOWN` outside it."""
    lookup = np.full(CODES, UNKNOWN, np.int64)
    for position, crop in enumerate(legend):
        lookup[list(crop.codes)] = position
    return lookup


def classes_of(codes: np.ndarray, class_of: np.ndarray, *, origin: str | Path) -> np.ndarray:
    """Class of each taxonomy code; SampleError names a code that cannot be one and the file that it comes from."""
    if codes.size and not 0 <= codes.min() <= codes.max() < CODES:
        wrong = codes.min() if codes.min() < 0 else codes.max()
        raise SampleError(f"{origin}: holds the class code {wrong}; expected 0 to {CODES - 1}. Make the labels again.")
    found: np.ndarray = class_of[codes]
    return found


def tile_year_of(path: Path) -> tuple[str, int]:
    """Tile and year in the name of a composites file, such as ``31TCG_2019_patches.h5``."""
    tile, year, _ = path.stem.split("_")
    return tile, int(year)


def read_splits(
    path: Path, scenario: str, key: list[str], stores: Collection[Path], *, text: tuple[str, ...] = ()
) -> pd.DataFrame:
    """Rows of a scenario in a table of splits: tile, year, `key` (whole numbers), split (empty: none) and `text`.

    Raises
    ------
    SampleError : a sample twice, a split that does not exist, a tile and year of which there are no composites.
    CropstackError : no CSV with these columns and values.
    """
    names = ["tile", "year", *key, "split", *text]
    types = dict.fromkeys(["year", *key], pa.int64()) | dict.fromkeys(["scenario", "tile", "split", *text], pa.string())
    options = pa_csv.ConvertOptions(column_types=types)
    with reading(path, "splits"):
        table = pa_dataset.dataset(path, format=pa_dataset.CsvFileFormat(convert_options=options))
        found = table.to_table(columns=names, filter=pa_dataset.field("scenario") == scenario).to_pandas()
    _check_splits(f"{path}: {scenario}", found, key, {tile_year_of(store) for store in stores})
    return found


def _check_splits(origin: str, table: pd.DataFrame, key: list[str], tile_years: set[tuple[str, int]]) -> None:
    for split in sorted(set(table["split"].unique()) - {*SPLITS, ""}):
        expected = f"{', '.join(SPLITS)} or none"
        raise SampleError(f'{origin}: holds the split "{split}"; expected {expected}{nearest(split, SPLITS)}')
    place = ["tile", "year", *key]
    twice = table.loc[table.duplicated(place), place]
    if len(twice):
        found = ", ".join(f"{name} {value}" for name, value in twice.iloc[0].items())
        raise SampleError(f"{origin}: {found} stands twice; expected once. Delete it and run again.")
    chosen = table.loc[table["split"] != "", ["tile", "year"]].drop_duplicates()
    for tile, year in chosen.itertuples(index=False):
        if (tile, year) not in tile_years:
            raise SampleError(f"{origin}: holds {tile} {year}, without composites here. Delete it and run again.")


def limit_of(experiment: Experiment, split: str) -> int | None:
    """Largest number of samples of a split."""
    if experiment.max_samples is None or split == "train":
        return experiment.max_samples
    return max(experiment.max_samples // 3, 1)


def draw(units: pd.DataFrame, experiment: Experiment, split: str) -> np.ndarray:
    """Positions of the samples of a split, ascending.

    The first by hash where there are more than allowed: more samples keep those already drawn, samples that come or go
    move no other, and models of one table and scenario draw the same.
    """
    here = np.flatnonzero(units["split"] == split)
    key = f"{seed_of_samples(experiment, split):016x}"
    # The seed enters the hash of text only.
    named = units.iloc[here].drop(columns="split")
    rank = pd.util.hash_pandas_object(named, index=False, hash_key=key, categorize=False).to_numpy()
    return np.sort(here[np.argsort(rank, kind="stable")[: limit_of(experiment, split)]])


def check_parts(experiment: Experiment, drawn: Drawn) -> None:
    """Fail where nothing can be learned or tested, or the numbers of samples do not add up.

    Raises
    ------
    ConfigError : a split without samples of the legend, or a training set with fewer than two classes.
    SampleError : see `check_balance`.
    """
    samples, *pixels = drawn.accounts
    check_balance(experiment.name, samples, {split: part.samples.size for split, part in drawn.parts.items()})
    for account in pixels:
        check_balance(experiment.name, account, {name: int(part.support.sum()) for name, part in drawn.parts.items()})
    advice = "Take more tiles or years, or name it in training.leave_out."
    for split, part in drawn.parts.items():
        if part.support.sum() == 0:
            raise ConfigError(
                f"experiment {experiment.name}: {split} of {experiment.scenario} holds no sample of the legend "
                f"(left out: {samples.left_out(split)}). {advice}"
            )
    present = int((drawn.parts["train"].support > 0).sum())
    if present < 2:
        raise ConfigError(
            f"experiment {experiment.name}: train of {experiment.scenario} holds {present} class of the legend; "
            f"expected two or more. {advice}"
        )
