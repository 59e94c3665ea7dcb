"""Samples of each scenario: patches and parcels by split, and the files that list them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cropstack.errors import LedgerRow
from cropstack.layouts.balance import Account, Flow, area_of
from cropstack.layouts.coco import read_coco
from cropstack.layouts.comparisons import Row, check_coco, check_numbers, check_samples, check_sequence
from cropstack.layouts.label_tables import LabelFile
from cropstack.layouts.parcel_rows import csv_numbers, read_parcel_splits, scenarios_in
from cropstack.layouts.patch_files import Place, TileYear, patch_stem

SPLITS = ("train", "val", "test")
PARCEL_REASONS = {"no_pixel", "not_owned", "touches_other_split"}  # why a parcel has no split
Areas = str | dict[str, list[int]]  # "all", or years by country
Scenarios = Mapping[str, Mapping[str, Areas]]  # areas that train and test, by scenario


@dataclass(frozen=True)
class Patches:
    """Places of the patch grid in all tiles and years, by stem.

    `labelled`: whether the place has a labelled pixel in some year; `parcels`: how many distinct ones the label file
    draws there; `files`: stems of the patch files; `without_date`: stems that the ledger excuses.
    """

    area: dict[str, str]
    country_year: dict[str, tuple[str, int]]
    labelled: dict[str, bool]
    parcels: dict[str, int]
    files: set[str]
    without_date: set[str]


def all_patches(labels: Mapping[TileYear, LabelFile], folders: Iterable[Path], noted: Iterable[LedgerRow]) -> Patches:
    """Places of all label files, and the patch files in `folders`."""
    labelled: dict[str, set[Place]] = defaultdict(set)
    for (tile, _), file in labels.items():
        labelled[tile] |= file.labelled
    stems = {patch_stem(key, place): (key, place) for key, file in labels.items() for place in file.parcels}
    return Patches(
        area={stem: area_of(*key) for stem, (key, _) in stems.items()},
        country_year={stem: (labels[key].country, key[1]) for stem, (key, _) in stems.items()},
        labelled={stem: place in labelled[key[0]] for stem, (key, place) in stems.items()},
        parcels={stem: labels[key].parcels[place] for stem, (key, place) in stems.items()},
        files={file.stem for folder in folders for file in folder.glob("*.nc")},
        without_date={row.unit for row in noted if row.reason == "no_date"},
    )


def in_scenario(areas: Mapping[str, Areas], country: str, year: int) -> bool:
    """Whether a scenario trains or tests with a country's year."""
    return any(part == "all" if isinstance(part, str) else year in part.get(country, []) for part in areas.values())


# --- patches ----------------------------------------------------------------------------------------------


def account_patch_samples(samples: Sequence[Row], patches: Patches, scenarios: Scenarios) -> Account:
    """Compare splits.csv with the places of the patch grid: each labelled one has a split in its scenarios."""
    account = Account(problems=list(check_samples(samples, patches.files, patches.without_date)))
    for name in sorted({row["scenario"] for row in samples} - set(scenarios)):
        account.problems.append(f'splits.csv: scenario "{name}" is not one of this configuration')
    for name, areas in sorted(scenarios.items()):
        rows = Counter(row["sample"] for row in samples if row["scenario"] == name)
        here = {stem: in_scenario(areas, *key) for stem, key in patches.country_year.items()}
        expected = {stem for stem, inside in here.items() if inside and patches.labelled[stem]}
        account.problems += (
            f"splits.csv: {name}: {stem} has labels, but no split" for stem in sorted(expected - set(rows))
        )
        for stem in sorted(set(rows) - expected):
            account.problems.append(f"splits.csv: {name}: {stem} has a split, but no labels or no part in the scenario")
        account.flows += _sample_flows(name, rows, here, patches)
    account.rejects = list(_unsplit(samples, patches))
    return account


def _sample_flows(scenario: str, rows: Counter[str], here: dict[str, bool], patches: Patches) -> Iterator[Flow]:
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    left: Counter[str] = Counter()
    for stem, inside in here.items():
        reason = "not_in_scenario" if not inside else "" if patches.labelled[stem] else "no_labelled_pixel"
        reasons[patches.area[stem]][reason] += 1
    for stem, times in rows.items():
        left[patches.area.get(stem, "")] += times
    for area in sorted({*reasons, *left}):
        rejected = {reason: count for reason, count in reasons[area].items() if reason}
        yield Flow("samples", area, reasons[area].total(), left[area], rejected, scenario)


def _unsplit(samples: Sequence[Row], patches: Patches) -> Iterator[tuple[str, LedgerRow]]:
    """Rows for patch files that no scenario uses."""
    split = {row["sample"] for row in samples}
    for stem in sorted((patches.files & set(patches.area)) - split):
        reason, evidence = "in_no_scenario", "no scenario of the recipe has its country and year"
        if not patches.labelled[stem]:
            reason, evidence = "no_labelled_pixel", "no labelled pixel in any selected year; expected at least one"
        yield patches.area[stem], LedgerRow(stem, "assign_splits", "rejected", reason, evidence)


def account_coco(paths: Iterable[Path], samples: Sequence[Row], patches: Patches) -> Account:
    """Compare the COCO files with splits.csv and the label files: an image per sample, an annotation per parcel."""
    account = Account()
    for path in paths:
        scenario, split = path.stem.split("_coco_")
        stems = [row["sample"] for row in samples if (row["scenario"], row["split"]) == (scenario, split)]
        coco = read_coco(path)
        images = coco.head["images"]
        found = {Path(image["file_name"]).stem: coco.annotations[image["id"]] for image in images}
        account.problems += check_coco(path.name, found, set(stems) - patches.without_date, patches.parcels)
        numbers = Counter(image["id"] for image in images)
        if len(numbers) != len(images) or len(found) != len(images) or set(coco.annotations) - set(numbers):
            account.problems.append(f"{path.name}: image ids are not unique, or annotations have no image")
        for annotation in coco.doubled:
            account.problems.append(f"{path.name}: annotation {annotation} repeats an id or the pixels of another")
        account.flows += _coco_flows(scenario, split, stems, images, coco.annotations, patches)
    return account


def _coco_flows(
    scenario: str,
    split: str,
    stems: list[str],
    images: list[dict[str, Any]],
    annotations: Counter[int],
    patches: Patches,
) -> Iterator[Flow]:
    area_of_image = {image["id"]: patches.area.get(Path(image["file_name"]).stem, "") for image in images}
    left_images = Counter(patches.area.get(Path(image["file_name"]).stem, "") for image in images)
    left_annotations: Counter[str] = Counter()
    for image, count in annotations.items():
        left_annotations[area_of_image.get(image, "")] += count
    by_area: dict[str, list[str]] = defaultdict(list)
    for stem in stems:
        by_area[patches.area.get(stem, "")].append(stem)
    for area in sorted({*by_area, *left_images, *left_annotations}):
        here = [stem for stem in by_area[area] if stem in patches.parcels]
        undated = [stem for stem in here if stem in patches.without_date]
        entered, rejected = len(by_area[area]), {"no_date": len(undated)}
        yield Flow("coco_images", area, entered, left_images[area], rejected, scenario, split)
        parcels = sum(patches.parcels[stem] for stem in here)
        rejected = {"no_date": sum(patches.parcels[stem] for stem in undated)}
        yield Flow("coco_annotations", area, parcels, left_annotations[area], rejected, scenario, split)


# --- parcels ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TileParcels:
    """Parcels of a tile and year: those that it owns and those drawn on it, int64, sorted."""

    country: str
    owned: np.ndarray
    drawn: np.ndarray


def account_parcel_splits(
    parcel_splits: Path,
    months: Iterable[Path],
    samples: Sequence[Row],
    scenarios: Scenarios,
    tiles: Mapping[TileYear, TileParcels],
) -> Account:
    """Compare parcel_splits.csv with the parcels of the tiles, and the monthly tables with it.

    Parcels have a split or a reason in tiles and years of which `samples` (splits.csv) has a patch.
    """
    strange = sorted(scenarios_in(parcel_splits) - set(scenarios))
    account = Account(
        problems=[f'parcel_splits.csv: scenario "{name}" is not one of this configuration' for name in strange]
    )
    outputs = {path.name.removesuffix(".csv.gz"): path for path in months}
    for name, areas in sorted(scenarios.items()):
        rows = read_parcel_splits(parcel_splits, name)
        frames = by_tile_year(rows)
        with_patches = {(row["tile"], int(row["year"])) for row in samples if row["scenario"] == name}
        for key in sorted({*frames, *tiles}):
            left_out = ""
            if key not in with_patches:
                inside = key in tiles and in_scenario(areas, tiles[key].country, key[1])
                left_out = "no_labelled_pixel" if inside else "not_in_scenario"
            account.add(_account_tile(name, key, frames.get(key, rows[:0]), tiles.get(key), left_out))
        account.problems += _check_twice(name, rows)
        for split in SPLITS:
            account.add(_account_months(name, split, frames, outputs[f"{name}_oad_{split}"]))
    return account


def _account_months(scenario: str, split: str, frames: Mapping[TileYear, pd.DataFrame], path: Path) -> Account:
    chosen = [frame.loc[frame["split"] == split, "parcel_index"].to_numpy() for _, frame in sorted(frames.items())]
    expected, found = np.concatenate([np.empty(0, np.int64), *chosen]), csv_numbers(path)
    return Account(
        flows=[Flow("monthly_parcels", "", len(expected), len(found), scenario=scenario, split=split)],
        problems=list(check_sequence(str(path), found, expected)),
    )


def by_tile_year(rows: pd.DataFrame) -> dict[TileYear, pd.DataFrame]:
    """Rows of parcel_splits.csv by tile and year."""
    groups = rows.groupby(["tile", "year"], observed=True)
    return {(str(frame["tile"].iloc[0]), int(frame["year"].iloc[0])): frame for _, frame in groups}


def _account_tile(scenario: str, key: TileYear, rows: pd.DataFrame, tile: TileParcels | None, left_out: str) -> Account:
    """Rows of one tile and year; `left_out` is the reason why it has none, if it should not."""
    area = area_of(*key)
    origin = f"parcel_splits.csv: {scenario} {area}"
    none = np.empty(0, np.int64)
    owned, drawn = (tile.owned, tile.drawn) if tile else (none, none)
    every = np.union1d(owned, drawn)
    numbers, without = rows["parcel_index"].to_numpy(), (rows["split"] == "").to_numpy()
    reasons = Counter(rows["reason"][without].astype(str).tolist())
    rejected = reasons + Counter({left_out: len(every)}) if left_out else reasons
    account = Account(flows=[Flow("split_parcels", area, len(every), int((~without).sum()), rejected, scenario)])
    both = np.flatnonzero(without == (rows["reason"] == "").to_numpy())
    if len(both):
        account.problems.append(f"{origin}: parcel {numbers[both[0]]} has a split and a reason against it, or neither")
    account.problems += check_numbers(origin, numbers, none if left_out else every)
    account.problems += [f'{origin}: unknown reason "{name}"' for name in sorted(set(reasons) - PARCEL_REASONS)]
    for reason, expected in (("no_pixel", np.setdiff1d(owned, drawn)), ("not_owned", np.setdiff1d(drawn, owned))):
        found = numbers[(rows["reason"] == reason).to_numpy()]
        account.problems += check_numbers(f"{origin}, {reason}", found, none if left_out else expected)
    return account


def _check_twice(scenario: str, rows: pd.DataFrame) -> Iterator[str]:
    """A parcel has one split at the most, whatever tiles show it."""
    place = ["country", "year", "parcel_index"]
    chosen = rows[rows["split"] != ""]
    for row in chosen[chosen.duplicated(place)].head(1).itertuples():
        here = chosen[(chosen[place] == [row.country, row.year, row.parcel_index]).all(axis=1)]
        yield (
            f"parcel_splits.csv: {scenario}: parcel {row.parcel_index} of {row.country} {row.year} has "
            f"{len(here)} splits: {', '.join(here['split'].astype(str) + ' on ' + here['tile'].astype(str))}"
        )
