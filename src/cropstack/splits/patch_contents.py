"""What the patches of a label file hold: pixels by class, and parcels."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cropstack.errors import LayoutError
from cropstack.files import open_netcdf, read_attributes, reading
from cropstack.grid import PATCH_PX
from cropstack.legend import BACKGROUND, LegendClass

OTHER = "other"  # stratum of places that hold none of the legend's classes


@dataclass(frozen=True)
class PatchContent:
    """`pixels` by class code, without background; `parcels` int64, each number once, without 0. On the 10 m grid."""

    pixels: Counter[int]
    parcels: np.ndarray


Window = tuple[int, int, np.ndarray, np.ndarray]  # patch row and column, labels, parcels


def label_windows(path: Path, *, tile: str, year: int) -> Iterator[Window]:
    """Yield the patches of a label file in row order, on the 10 m grid. Reads patch by patch: its chunks.

    Raises
    ------
    LayoutError : the file is of another tile or year. CropstackError : it is cut or damaged.
    """
    size = PATCH_PX[10]
    with open_netcdf(path) as file:
        with reading(path, "labels"):
            attributes = read_attributes(file)
            found = (str(attributes["tile"]), str(attributes["year"]))
            labels, parcels = file["r10m/labels"], file["r10m/parcels"]
        if found != (tile, str(year)):
            raise LayoutError(f"{path}: holds {' '.join(found)}; expected {tile} {year}. Build it again.")
        for y in range(0, labels.shape[0], size):
            for x in range(0, labels.shape[1], size):
                window = slice(y, y + size), slice(x, x + size)
                with reading(path, "labels"):
                    codes, numbers = labels[window], parcels[window]
                yield y // size, x // size, codes, numbers


def read_patches(path: Path, *, tile: str, year: int) -> dict[tuple[int, int], PatchContent]:
    """Contents of the patches of a label file by (row, column); raises as `label_windows` does."""
    windows = label_windows(path, tile=tile, year=year)
    return {(row, column): _content(labels, parcels) for row, column, labels, parcels in windows}


def _content(labels: np.ndarray, parcels: np.ndarray) -> PatchContent:
    counts = np.bincount(labels.ravel())
    counts[BACKGROUND] = 0
    numbers = pd.unique(parcels.ravel())  # four times faster here than sorting
    pixels = {code: int(counts[code]) for code in np.flatnonzero(counts).tolist()}
    return PatchContent(Counter(pixels), np.sort(numbers[numbers != 0]))


def legend_pixels(pixels: Counter[int], legend: list[LegendClass]) -> Counter[str]:
    """Pixels by legend class, in its order; codes outside the legend are left out."""
    return Counter({crop.name: sum(pixels[code] for code in crop.codes) for crop in legend})


def stratum_class(years: Iterable[Counter[int]], legend: list[LegendClass]) -> str:
    """The legend class with most pixels over the years of a place, the earlier one of equals; `OTHER` if none has any.

    Classes outside the legend do not count: models see none of them.
    """
    pixels = legend_pixels(sum(years, Counter()), legend)
    name = max(pixels, key=lambda crop: pixels[crop])  # max takes the first of equals
    return name if pixels[name] else OTHER
