"""Assign patches to train, validation and test, for each scenario of a recipe.

The unit is a place (tile, row, column): its years stay together. Its stratum is its tile and the legend class with
most pixels over the selected years; strata too small to fill every split are pooled within their tile.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from cropstack.errors import ConfigError, LayoutError
from cropstack.files import read_csv, write_csv
from cropstack.legend import LegendClass, read_classes, read_legend
from cropstack.splits.patch_contents import PatchContent, legend_pixels, read_patches, stratum_class
from cropstack.splits.strata import SPLITS, Place, cut, pool_small, smallest_stratum
from cropstack.step import step

COLUMNS = ["scenario", "sample", "country", "tile", "year", "row", "column", "split", "stratum"]
SHARES_TOLERANCE = 1e-6
PINNED_COLUMNS = ["scenario", "tile", "row", "column", "split"]
ANOTHER_SPLITS = "a splits.csv of an earlier build. Give another file under `splits` in the configuration."

Areas = str | dict[str, list[int]]
Sample = tuple[str, str, int, int, int]  # country, tile, year, row, column
Contents = dict[Sample, PatchContent]
Row = list[str | int]


def assign_splits(
    labels: list[Path],
    legend: Path,
    classes: Path,
    pinned: Path | list[Path],
    splits: Path,
    *,
    tile_years: list[list[Any]],
    shares: dict[str, float],
    scenarios: dict[str, dict[str, Areas]],
    seed: int,
) -> None:
    """Write the split of every sample in every scenario, sorted by scenario and sample.

    Places without a labelled pixel in any year are not split; all years of the others are samples.

    Parameters
    ----------
    labels : label files, in the order of `tile_years` (country, tile, year).
    pinned : a `splits.csv` of an earlier build whose places keep their split; an empty list for none.
    shares : of train, val and test; they add up to 1.
    scenarios : for each the areas that train and test: "all", or years by country. Where both are the same areas,
        places are cut by `shares`. Else places of the training areas are cut into train and val in the proportion
        of their shares, and all samples of the test areas are test.

    Raises
    ------
    ConfigError : shares that do not add up to 1; a table that pins nothing; a scenario whose training and test areas
        share places (one would be in two splits) or that has no sample to train or test; a pinned split that the
        scenario rules out.
    """
    if abs(sum(shares.values()) - 1) > SHARES_TOLERANCE:
        raise ConfigError(f"recipe: splits.shares are {shares}; expected numbers that add up to 1")
    crops = read_legend(legend, read_classes(classes))
    contents = read_contents(labels, tile_years)
    strata = strata_of(contents, crops, smallest=smallest_stratum(shares))
    pins = read_pinned(pinned) if isinstance(pinned, Path) else {}
    if isinstance(pinned, Path) and not any(strata.keys() & pins.get(name, {}).keys() for name in scenarios):
        raise ConfigError(f"{pinned}: pins no place of {', '.join(sorted(scenarios))}; expected {ANOTHER_SPLITS}")
    rows: list[tuple[str, str, Row]] = []
    for name, areas in sorted(scenarios.items()):
        here = {sample: content for sample, content in contents.items() if place_of(sample) in strata}
        assigned = split_samples(name, areas, here, strata, shares=shares, seed=seed, pins=pins.get(name, {}))
        rows += [(name, stem_of(s), [*s, split, strata[place_of(s)]]) for s, split in assigned.items()]
        print("\n".join(chain(coverage(name, assigned, contents, crops), leakage(name, assigned, contents))))
    write_csv(splits, COLUMNS, ([name, stem, *row] for name, stem, row in sorted(rows)))


def read_contents(labels: list[Path], tile_years: list[list[Any]]) -> Contents:
    """Contents of all patches, labelled or not, by sample."""
    return {
        (country, tile, year, row, column): content
        for path, (country, tile, year) in zip(labels, tile_years, strict=True)
        for (row, column), content in read_patches(path, tile=tile, year=year).items()
    }


def place_of(sample: Sample) -> Place:
    """Tile, row and column of a sample."""
    _, tile, _, row, column = sample
    return tile, row, column


def stem_of(sample: Sample) -> str:
    """Name of a sample, its file's: ``2019_31TCG_patch_00_01``."""
    _, tile, year, row, column = sample
    return f"{year}_{tile}_patch_{row:02d}_{column:02d}"


def strata_of(contents: Contents, legend: list[LegendClass], *, smallest: int) -> dict[Place, str]:
    """Stratum of every place that has a labelled pixel in some year."""
    years: dict[Place, list[Counter[int]]] = defaultdict(list)
    for sample, content in contents.items():
        if content.pixels:
            years[place_of(sample)].append(content.pixels)
    return pool_small({place: stratum_class(pixels, legend) for place, pixels in years.items()}, smallest=smallest)


def read_pinned(path: Path) -> dict[str, dict[Place, str]]:
    """Split by place and scenario of an earlier `splits.csv`.

    Raises
    ------
    ConfigError : no CSV in UTF-8 with the columns, a row or column that is no number, a place with two splits in one
        scenario.
    """
    pins: dict[str, dict[Place, str]] = defaultdict(dict)
    for number, row in enumerate(read_csv(path, PINNED_COLUMNS, expected=ANOTHER_SPLITS), 2):
        if not row["row"].isdecimal() or not row["column"].isdecimal():
            found = f'row "{row["row"]}" and column "{row["column"]}"'
            raise ConfigError(f"{path}: line {number} has {found}, which should be numbers; expected {ANOTHER_SPLITS}")
        place = (row["tile"], int(row["row"]), int(row["column"]))
        if pins[row["scenario"]].setdefault(place, row["split"]) != row["split"]:
            raise ConfigError(f"{path}: {row['scenario']}: the place {place} has two splits; expected one")
    return pins


def split_samples(
    scenario: str,
    areas: dict[str, Areas],
    samples: Iterable[Sample],
    strata: dict[Place, str],
    *,
    shares: dict[str, float],
    seed: int,
    pins: dict[Place, str],
) -> dict[Sample, str]:
    """Split of each sample of one scenario; samples outside its areas are left out."""
    train, test = (_within(samples, areas[role]) for role in ("train", "test"))
    if not train or not test:
        raise ConfigError(f"{scenario}: no labelled patch in {areas}. Add tiles and years, or leave the scenario out.")
    if train == test:
        splits = _cut_places(scenario, train, strata, shares=shares, seed=seed, pins=pins)
        return {sample: splits[place_of(sample)] for sample in train}
    both = {place_of(sample) for sample in train} & {place_of(sample) for sample in test}
    if both:
        raise ConfigError(
            f"{scenario}: tile {min(both)[0]} both trains and tests, so {len(both)} places would be in two splits. "
            "Give the areas different tiles, or the same areas to both."
        )
    without_test = {split: share for split, share in shares.items() if split != "test"}
    splits = _cut_places(scenario, train, strata, shares=without_test, seed=seed, pins=pins)
    splits |= _cut_places(scenario, test, strata, shares={"test": 1.0}, seed=seed, pins=pins)
    return {sample: splits[place_of(sample)] for sample in train | test}


def _within(samples: Iterable[Sample], areas: Areas) -> set[Sample]:
    if isinstance(areas, str):
        return set(samples)
    return {sample for sample in samples if sample[2] in areas.get(sample[0], [])}


def _cut_places(
    scenario: str,
    samples: set[Sample],
    strata: dict[Place, str],
    *,
    shares: dict[str, float],
    seed: int,
    pins: dict[Place, str],
) -> dict[Place, str]:
    places = {place_of(sample) for sample in samples}
    here = {place: split for place, split in pins.items() if place in places}
    for place, split in here.items():
        if split not in shares:
            expected = " or ".join(shares)
            raise ConfigError(f'pinned splits: {scenario}: {place} has the split "{split}"; expected {expected}')
    return cut({place: strata[place] for place in places}, shares, seed=seed, pinned=here)


# --- what the log says ------------------------------------------------------------------------------------


def coverage(
    scenario: str, assigned: dict[Sample, str], contents: Contents, legend: list[LegendClass]
) -> Iterator[str]:
    """Lines with samples and pixels of each class by split."""
    pixels = {split: Counter[str]() for split in SPLITS}
    for sample, split in assigned.items():
        pixels[split] += legend_pixels(contents[sample].pixels, legend)
    samples = Counter(assigned.values())
    yield f"{scenario}: " + ", ".join(f"{samples[split]} {split}" for split in SPLITS) + "; pixels by class:"
    for crop in legend:
        yield f"  {crop.name:<12}" + " ".join(f"{pixels[split][crop.name]:>12}" for split in SPLITS)


def leakage(scenario: str, assigned: dict[Sample, str], contents: Contents) -> Iterator[str]:
    """One line: parcels that an edge cuts between patches of different splits; no place may lie in two.

    Raises
    ------
    LayoutError : a place in two splits.
    """
    splits: dict[Place, set[str]] = defaultdict(set)
    parts: dict[tuple[str, int], list[Sample]] = defaultdict(list)
    for sample, split in assigned.items():
        splits[place_of(sample)].add(split)
        parts[sample[1], sample[2]].append(sample)
    shared = total = 0
    for samples in parts.values():
        parcels, cut_parcels = _parcels_in_two_splits([(contents[s].parcels, assigned[s]) for s in samples])
        total, shared = total + parcels, shared + cut_parcels
    twice = sorted(place for place, found in splits.items() if len(found) > 1)
    if twice:
        raise LayoutError(f"{scenario}: {len(twice)} places are in two splits, the first {twice[0]}. Report this.")
    yield f"{scenario}: 0 places in two splits; {shared} of {total} parcels lie in patches of two splits"


def _parcels_in_two_splits(parts: list[tuple[np.ndarray, str]]) -> tuple[int, int]:
    """Number of parcels in all parts, and of those that occur under two splits."""
    pairs = np.unique(np.concatenate([parcels * len(SPLITS) + SPLITS.index(split) for parcels, split in parts]))
    _, times = np.unique(pairs // len(SPLITS), return_counts=True)
    return len(times), int((times > 1).sum())


if __name__ == "__main__":
    step(assign_splits, snakemake)  # noqa: F821
