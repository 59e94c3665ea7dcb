"""Balance a layout with its inputs: whatever went in came out, or stands in `rejects.csv` with a reason."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import h5py
import numpy as np

from cropstack.errors import LayoutError, LedgerRow
from cropstack.files import read_ledger, write_ledger
from cropstack.layouts.balance import (
    Row,
    check_coco,
    check_dates,
    check_grid,
    check_parcels,
    check_products,
    check_samples,
    scenes_of,
    unsplit,
)
from cropstack.layouts.coco import read_coco
from cropstack.layouts.label_tables import Declaration, LabelFile, country_year, read_declaration, read_labels
from cropstack.layouts.patch_files import Place, TileYear, differing_masks, patch_stem, read_patch
from cropstack.step import step

PROBLEMS_SHOWN = 10
MARKS = {".snakemake_timestamp"}  # Snakemake puts it into every folder that is an output


def check_layout(
    products: Path,
    labels: list[Path],
    parcels: list[Path],
    tiles: list[Path],
    ledgers: list[Path],
    splits: Path,
    patches: list[Path],
    coco: list[Path],
    rejects: Path,
    *,
    recipe: str,
) -> None:
    """Compare patches, splits and COCO files with the lock, the labels and the parcels, and write all rejects.

    `rejects` has the columns of a ledger: products not used, every row of the ledgers, parcels without a pixel, and
    patches in no split.

    Raises
    ------
    LayoutError : anything that went in and neither came out nor has a row that says why; or that came from nowhere.
    """
    rows = [row for row in _read_csv(products) if row["recipe"] == recipe]
    notes = {path.name: read_ledger(path) for path in ledgers}
    noted = [row for rows_of_file in notes.values() for row in rows_of_file]
    label_files = dict(map(read_labels, labels))
    declarations = {country_year(p): read_declaration(p, t) for p, t in zip(parcels, tiles, strict=True)}
    samples = _read_csv(splits)
    files = {file.stem: file for folder in patches for file in sorted(folder.glob("*.nc"))}
    unsplit_rows, problems = _check_unsplit(label_files, files, samples)
    problems += chain(
        check_products(rows),
        _check_patches(patches, label_files, noted, scenes_of(rows)),
        _check_declarations(declarations, label_files, notes),
        check_samples(samples, files, _units(noted, "no_date")),
        _check_coco(coco, samples, files, label_files),
        _strangers(rejects.parent, [*patches, *coco]),
    )
    if problems:
        print("\n".join(problems))
        more = f"\n... and {len(problems) - PROBLEMS_SHOWN} more, see the log" if len(problems) > PROBLEMS_SHOWN else ""
        raise LayoutError(f"{recipe} does not balance:\n" + "\n".join(problems[:PROBLEMS_SHOWN]) + more)
    gone = [*_unused(rows), *_without_pixel(declarations, label_files), *unsplit_rows]
    write_ledger(rejects, [*noted, *gone])
    print(f"{recipe}: {len(files)} patches balance; {len(noted) + len(gone)} rejects and repairs")


# --- reading ----------------------------------------------------------------------------------------------


def _read_csv(path: Path) -> list[Row]:
    with open(path, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def _units(ledger: Iterable[LedgerRow], reason: str) -> set[str]:
    return {row.unit for row in ledger if row.reason == reason}


# --- checks that need files -------------------------------------------------------------------------------


def _check_patches(
    folders: list[Path],
    labels: dict[TileYear, LabelFile],
    noted: list[LedgerRow],
    scenes: dict[TileYear, dict[str, str]],
) -> Iterator[str]:
    without_date = _units(noted, "no_date")
    left_out = {row.unit: set(row.evidence.split()) for row in noted if row.reason == "no_valid_pixel"}
    keys = {(folder.name, int(folder.parent.name)): folder for folder in folders}
    for key in sorted(set(keys) ^ set(labels) | set(keys) ^ set(scenes)):
        yield f"{key}: expected patches, labels and used scenes; one of them has none"
    for key in sorted(set(keys) & set(labels) & set(scenes)):
        folder, stems = keys[key], {patch_stem(key, place): place for place in labels[key].parcels}
        found = {file.stem if file.suffix == ".nc" else file.name for file in folder.iterdir()} - MARKS
        yield from check_grid(str(folder), stems, found, without_date & set(stems))
        for stem in sorted(found & set(stems)):
            missing = left_out.get(stem, set()) & set(scenes[key])
            yield from check_dates(stem, read_patch(folder / f"{stem}.nc"), missing, scenes[key])
        yield from _check_masks(folder, labels[key].path, {stem: stems[stem] for stem in sorted(found & set(stems))})


def _check_masks(folder: Path, labels: Path, places: dict[str, Place]) -> Iterator[str]:
    """Labels and parcels of each patch are the label file's, byte by byte."""
    with h5py.File(labels) as source:
        for stem, place in places.items():
            for name in differing_masks(folder / f"{stem}.nc", source, place):
                yield f"{stem}: {name} differ from {labels}"


def _check_declarations(
    declarations: dict[tuple[str, int], Declaration],
    labels: dict[TileYear, LabelFile],
    ledgers: dict[str, list[LedgerRow]],
) -> Iterator[str]:
    """Declared parcels are harmonised or rejected, and the rasters hold no others."""
    for (country, year), declaration in sorted(declarations.items()):
        rejected = [row for row in ledgers[f"{declaration.name}_ledger.csv"] if row.action == "rejected"]
        if declaration.declared != len(declaration.table) + len(rejected):
            kept = f"{len(declaration.table)} harmonised and {len(rejected)} rejected"
            yield f"{declaration.name}: {declaration.declared} parcels declared, but {kept}"
        here = {tile: file for (tile, y), file in labels.items() if (file.country, y) == (country, year)}
        numbers = declaration.table["parcel_index"].to_numpy()
        yield from check_parcels(declaration.name, numbers.tolist(), declaration.owners, here)
        for file in here.values():
            strange = np.setdiff1d(file.numbers, numbers)
            if len(strange):
                yield f"{file.path}: {len(strange)} parcel numbers, first {strange[0]}, are not in {declaration.name}"
    for (tile, year), file in sorted(labels.items()):
        if (file.country, year) not in declarations:
            yield f"{file.path}: labels of {tile} {year} come from {file.country}, of which there are no parcels"


def _check_unsplit(
    labels: dict[TileYear, LabelFile], files: dict[str, Path], samples: list[Row]
) -> tuple[list[LedgerRow], list[str]]:
    places: dict[str, set[Place]] = defaultdict(set)
    for (tile, _), file in labels.items():
        places[tile] |= file.labelled
    stems = {patch_stem(key, place): (key, place) for key, file in labels.items() for place in file.parcels}
    here = {stem: stems[stem] for stem in stems if stem in files}
    labelled = {stem: place in places[key[0]] for stem, (key, place) in here.items()}
    return unsplit(labelled, {stem: key for stem, (key, _) in here.items()}, samples)


def _strangers(results: Path, made: list[Path]) -> Iterator[str]:
    """Patches and COCO files of an earlier configuration, which a reader of the folder would take for this one's."""
    for path in sorted({*results.glob("data/*/*"), *results.glob("*_coco_*.json")} - set(made)):
        yield f"{path}: is of no area, year or scenario of this configuration. Delete it, or build in another folder."


def _check_coco(
    coco: list[Path], samples: list[Row], files: dict[str, Path], labels: dict[TileYear, LabelFile]
) -> Iterator[str]:
    parcels = {patch_stem(key, place): n for key, file in labels.items() for place, n in file.parcels.items()}
    for path in coco:
        scenario, split = path.stem.split("_coco_")
        head, annotations = read_coco(path)
        found = {Path(image["file_name"]).stem: annotations[image["id"]] for image in head["images"]}
        expected = {r["sample"] for r in samples if (r["scenario"], r["split"]) == (scenario, split)} & set(files)
        yield from check_coco(path.name, found, expected, parcels)
        numbers = Counter(image["id"] for image in head["images"])
        if len(numbers) != len(found) or max(numbers.values(), default=1) > 1 or set(annotations) - set(numbers):
            yield f"{path.name}: image ids are not unique, or annotations have no image"


# --- rejects ----------------------------------------------------------------------------------------------


def _unused(rows: list[Row]) -> Iterator[LedgerRow]:
    for row in rows:
        if row["used"] != "yes":
            evidence = (
                f"scene {row['scene']}, cloud {row['cloud']} %, processing baseline {row['processing_baseline']}, "
                f"generated {row['generated']}"
            )
            yield LedgerRow(row["product"], "lock_products", "rejected", row["reason"], evidence)


def _without_pixel(
    declarations: dict[tuple[str, int], Declaration], labels: dict[TileYear, LabelFile]
) -> Iterator[LedgerRow]:
    """Parcels of which no pixel is in a patch: one row for those beyond the selected tiles, one each for the others."""
    for (_, year), declaration in sorted(declarations.items()):
        table = declaration.table
        owner = table["parcel_index"].map(declaration.owners)
        outside = int(owner.isna().sum())
        if outside:
            evidence = f"{outside} of {len(table)} parcels touch no selected tile"
            yield LedgerRow(declaration.name, "assign_tiles", "rejected", "outside_tiles", evidence)
        for tile in sorted(owner.dropna().unique()):
            owned = table[(owner == tile) & ~table["parcel_index"].isin(labels[tile, year].numbers)]
            for unit, area_m2 in zip(owned["id"], owned["metrics:area"], strict=True):
                evidence = f"{area_m2:.1f} m2: no 10 m pixel centre on {tile}, or under other parcels; expected one"
                yield LedgerRow(unit, "rasterise_labels", "rejected", "no_pixel", evidence)


if __name__ == "__main__":
    step(check_layout, snakemake)  # noqa: F821
