"""Whether a layout holds everything that went into it: pure comparisons, each a list of what is wrong.

A stem is a patch file's name without ending, ``2019_31TCG_patch_00_01``; a tile-year is (tile, year).
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

import numpy as np
import pandas as pd

from cropstack.layouts.patch_files import Patch, TileYear

Row = Mapping[str, str]


def check_products(rows: Iterable[Row], found: Mapping[TileYear, Collection[str]]) -> Iterator[str]:
    """Every product that a search found has one row: used in a scene, or left out with a reason."""
    known = list(rows)
    times = Counter(row["product"] for row in known)
    yield from (f"product {product} stands in {n} rows; expected 1" for product, n in sorted(times.items()) if n > 1)
    for key, ids in sorted(found.items()):
        for product in sorted(set(ids) - set(times)):
            yield f"product {product} was found by the search of {key}, but has no row in products.csv"
    for row in known:
        if (row["used"], bool(row["reason"])) not in {("yes", False), ("no", True)}:
            yield f'product {row["product"]}: used is "{row["used"]}" and the reason against it "{row["reason"]}"'
        if row["used"] == "yes" and not row["scene"]:
            yield f"product {row['product']} is used, but in no scene"


def scenes_of(rows: Iterable[Row]) -> dict[TileYear, dict[str, str]]:
    """Scenes that products.csv uses, by tile and year; for each the ids of its products in order of precedence."""
    products: dict[TileYear, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["used"] == "yes":
            products[row["tile"], int(row["year"])][row["scene"]].append(row["product"])
    return {key: {scene: " ".join(ids) for scene, ids in scenes.items()} for key, scenes in products.items()}


def check_grid(
    folder: str, stems: Collection[str], found: Collection[str], without_date: Collection[str]
) -> Iterator[str]:
    """Every patch of the grid has a file or a row in the ledger, never both, and there is nothing else."""
    for stem in sorted(set(stems) - set(found) - set(without_date)):
        yield f"{folder}: {stem}.nc is missing, and no row of the ledger says why"
    for stem in sorted(set(found) - set(stems)):
        yield f"{folder}: {stem} is no patch of the grid"
    for stem in sorted(set(found) & set(without_date)):
        yield f"{folder}: {stem}.nc exists, but the ledger says that it has no date"


def check_dates(stem: str, patch: Patch, left_out: Collection[str], scenes: Mapping[str, str]) -> Iterator[str]:
    """Every scene of the tile and year is a time step of the patch or in the ledger, with the products of the lock."""
    steps = Counter(patch.scenes)
    yield from (f"{stem}: scene {scene} stands {n} times" for scene, n in sorted(steps.items()) if n > 1)
    for scene in sorted(set(scenes) - set(steps) - set(left_out)):
        yield f"{stem}: scene {scene} is neither a date of the patch nor left out by the ledger"
    for scene in sorted(set(steps) & set(left_out)):
        yield f"{stem}: scene {scene} is a date of the patch, but the ledger says that it was left out"
    for scene in sorted((set(steps) | set(left_out)) - set(scenes)):
        yield f"{stem}: scene {scene} is not among the used ones of products.csv"
    for scene, products in zip(patch.scenes, patch.products, strict=True):
        if scene in scenes and products != scenes[scene]:
            yield f"{stem}: scene {scene} was made from {products}; products.csv says {scenes[scene]}"
    for band, count in patch.steps.items():
        if count != len(patch.scenes):
            yield f"{stem}: {band} has {count} time steps, but the patch has {len(patch.scenes)} scenes"


def check_owners(origin: str, numbers: np.ndarray, owners: pd.DataFrame, tiles: Collection[str]) -> Iterator[str]:
    """Parcel numbers count from 1, and each has one row that says which selected tile owns it, if any."""
    if not np.array_equal(np.sort(numbers), np.arange(1, len(numbers) + 1)):
        yield f"{origin}: parcel_index does not count from 1 to {len(numbers)}"
    yield from check_numbers(f"{origin}, table of tiles", owners["parcel_index"].to_numpy(), np.sort(numbers))
    for tile in sorted(set(owners["tile"].dropna().unique()) - set(tiles)):
        yield f"{origin}: parcels are owned by {tile}, which is not selected"


def check_numbers(origin: str, found: np.ndarray, expected: np.ndarray) -> Iterator[str]:
    """A table holds exactly the parcels (int64) that it should, each once, in order."""
    numbers, times = np.unique(found, return_counts=True)
    for what, which in (
        ("missing", np.setdiff1d(expected, numbers)),
        ("too many", np.setdiff1d(numbers, expected)),
        ("more than once", np.intersect1d(numbers[times > 1], expected)),
    ):
        if len(which):
            more = f" and {len(which) - 1} more" if len(which) > 1 else ""
            yield f"{origin}: {what}: parcel {which[0]}{more}"
    if np.any(found[:-1] > found[1:]):
        yield f"{origin}: parcels are not in order of their numbers"


def check_sequence(origin: str, found: np.ndarray, expected: np.ndarray) -> Iterator[str]:
    """A table of several tiles holds their parcels (int64) tile by tile; numbers repeat from country to country."""
    if np.array_equal(found, expected):
        return
    both = min(len(found), len(expected))
    differ = np.flatnonzero(found[:both] != expected[:both])
    row = int(differ[0]) if len(differ) else both
    here, there = (f"parcel {numbers[row]}" if row < len(numbers) else "no parcel" for numbers in (found, expected))
    yield f"{origin}: row {row + 1} of {len(found)} is {here}; parcel_splits.csv expects {there} of {len(expected)}"


def check_samples(samples: Iterable[Row], found: Collection[str], without_date: Collection[str]) -> Iterator[str]:
    """Every sample of splits.csv has a file or no date; none stands twice in a scenario; a place has one split."""
    rows = list(samples)
    for stem in sorted({row["sample"] for row in rows} - set(found) - set(without_date)):
        yield f"splits.csv: {stem} has no file"
    times = Counter((row["scenario"], row["sample"]) for row in rows)
    yield from (f"splits.csv: {key} stands {n} times" for key, n in sorted(times.items()) if n > 1)
    splits = defaultdict(set)
    for row in rows:
        splits[row["scenario"], row["tile"], row["row"], row["column"]].add(row["split"])
    for place, here in sorted(splits.items()):
        if len(here) > 1:
            yield f"splits.csv: place {place} is in {sorted(here)}"


def check_coco(
    name: str, annotations: Mapping[str, int], expected: Collection[str], parcels: Mapping[str, int]
) -> Iterator[str]:
    """A COCO file lists exactly the samples of its split that have files, with one annotation per parcel.

    `annotations` and `parcels`: their number by stem.
    """
    for stem in sorted(set(expected) - set(annotations)):
        yield f"{name}: {stem} is missing"
    for stem in sorted(set(annotations) - set(expected)):
        yield f"{name}: {stem} does not belong to this split"
    for stem in sorted(set(annotations) & set(expected)):
        if annotations[stem] != parcels[stem]:
            yield f"{name}: {stem} has {annotations[stem]} annotations and {parcels[stem]} parcels"
