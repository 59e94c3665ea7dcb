"""Samples that a model sees, by split; which of them, and what each class has."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.dataset as pa_dataset

from cropstack.errors import ConfigError
from cropstack.legend import LegendClass
from cropstack.train.experiment import Experiment, seed_of

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
    left_out : parcels, or pixels of known class, left out because of missing values.
    """

    samples: Samples
    units: pd.DataFrame
    support: np.ndarray
    left_out: int


def class_lookup(legend: list[LegendClass]) -> np.ndarray:
    """Array (1000,) from taxonomy code to class, 0 to classes - 1 in the legend's order, `UNKNOWN` outside it."""
    lookup = np.full(CODES, UNKNOWN, np.int64)
    for position, crop in enumerate(legend):
        lookup[list(crop.codes)] = position
    return lookup


def tile_year_of(path: Path) -> tuple[str, int]:
    """Tile and year in the name of a composites file, such as ``31TCG_2019_patches.h5``."""
    tile, year, _ = path.stem.split("_")
    return tile, int(year)


def read_splits(path: Path, scenario: str, columns: list[str]) -> pd.DataFrame:
    """Rows of a table of splits: `columns` (whole numbers, but tile is text) and split; rows without one left out."""
    types = {"scenario": pa.string(), "split": pa.string(), "tile": pa.string()}
    options = pa_csv.ConvertOptions(column_types={name: types.get(name, pa.int64()) for name in [*types, *columns]})
    table = pa_dataset.dataset(path, format=pa_dataset.CsvFileFormat(convert_options=options))
    chosen = (pa_dataset.field("scenario") == scenario) & (pa_dataset.field("split") != "")
    return table.to_table(columns=[*columns, "split"], filter=chosen).to_pandas()


def limit_of(experiment: Experiment, split: str) -> int | None:
    """Largest number of samples of a split."""
    if experiment.max_samples is None or split == "train":
        return experiment.max_samples
    return max(experiment.max_samples // 3, 1)


def draw(units: pd.DataFrame, experiment: Experiment, split: str) -> np.ndarray:
    """Positions of the samples of a split, ascending.

    The first by hash where there are more than allowed: more samples keep those already drawn, and samples that come
    or go move no other.
    """
    here = np.flatnonzero(units["split"] == split)
    key = f"{seed_of(experiment, 'draw', split):016x}"
    # The seed enters the hash of text only.
    named = units.iloc[here].drop(columns="split")
    rank = pd.util.hash_pandas_object(named, index=False, hash_key=key, categorize=False).to_numpy()
    return np.sort(here[np.argsort(rank, kind="stable")[: limit_of(experiment, split)]])


def check_parts(experiment: Experiment, parts: dict[str, Part]) -> None:
    """Fail where nothing can be learned or tested.

    Raises
    ------
    ConfigError : a split without samples of the legend, or a training set with fewer than two classes.
    """
    advice = "Take more tiles or years, or name it in training.leave_out."
    for split, part in parts.items():
        if part.support.sum() == 0:
            raise ConfigError(
                f"experiment {experiment.name}: {split} of {experiment.scenario} holds no sample of the legend "
                f"({part.left_out} left out for missing values). {advice}"
            )
    present = int((parts["train"].support > 0).sum())
    if present < 2:
        raise ConfigError(
            f"experiment {experiment.name}: train of {experiment.scenario} holds {present} class of the legend; "
            f"expected two or more. {advice}"
        )
