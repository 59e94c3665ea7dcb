"""Products, scenes, patches and time steps: counted in the catalogue, the lock, the ledgers and the patch files."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import h5py

from cropstack.errors import LedgerRow
from cropstack.layouts.balance import Account, Flow, area_of
from cropstack.layouts.comparisons import Row, check_dates, check_grid, check_products, scenes_of
from cropstack.layouts.label_tables import LabelFile
from cropstack.layouts.patch_files import Patch, Place, TileYear, patch_stem, read_patch

MARKS = {".snakemake_timestamp"}  # Snakemake puts it into every folder that is an output
NOT_SERVED = "not_served"  # of an earlier lock: no search found it


def account_imagery(
    lock: Sequence[Row],
    found: Mapping[TileYear, Collection[str]],
    labels: Mapping[TileYear, LabelFile],
    folders: Iterable[Path],
    ledgers: Mapping[str, list[LedgerRow]],
) -> Account:
    """Compare the patch files of all tiles and years with the lock, the searches and the label files.

    Parameters
    ----------
    lock : rows of products.csv of one recipe.
    found : ids of the products that the searches found.
    folders : ``<year>/<tile>`` with patch files.
    ledgers : what was noted of an area.
    """
    account = Account(problems=list(check_products(lock, found)), rejects=list(_unused(lock)))
    scenes = scenes_of(lock)
    folder_of = {(folder.name, int(folder.parent.name)): folder for folder in folders}
    for key in sorted({*folder_of, *labels, *scenes, *found}):
        if not all(key in given for given in (folder_of, labels, scenes, found)):
            account.problems.append(f"{key}: expected a search, used scenes, labels and patches; one of them is none")
            continue
        rows = [row for row in lock if (row["tile"], int(row["year"])) == key]
        noted = ledgers[area_of(*key)]
        account.add(_account_tile(key, rows, set(found[key]), scenes[key], labels[key], folder_of[key], noted))
    return account


def _account_tile(
    key: TileYear,
    lock: list[Row],
    found: set[str],
    scenes: dict[str, str],
    labels: LabelFile,
    folder: Path,
    noted: list[LedgerRow],
) -> Account:
    area, stems = area_of(*key), {patch_stem(key, place): place for place in labels.parcels}
    files = {file.stem if file.suffix == ".nc" else file.name for file in folder.iterdir()} - MARKS
    without_date = {row.unit for row in noted if row.reason == "no_date"} & set(stems)
    left_out = {row.unit: set(row.evidence.split()) & set(scenes) for row in noted if row.reason == "no_valid_pixel"}
    patches = read_patches(folder, labels.path, {stem: stems[stem] for stem in sorted(files & set(stems))})
    unseen = [scene for scene in scenes if all(scene in left_out.get(stem, ()) for stem in stems)]
    unused = Counter(row["reason"] for row in lock if row["used"] != "yes")
    unused["no_valid_pixel"] += sum(len(scenes[scene].split()) for scene in unseen)
    asked = found | {row["product"] for row in lock if row["reason"] == NOT_SERVED}
    seen = {product for patch in patches.values() for ids in patch.products for product in ids.split()}
    shown = {scene for patch in patches.values() for scene in patch.scenes}
    steps = sum(min([len(patch.scenes), *patch.steps.values()]) for patch in patches.values())
    dropped = sum(len(left) for stem, left in left_out.items() if stem in stems)
    account = Account(problems=list(check_grid(str(folder), stems, files, without_date)))
    for stem, patch in patches.items():
        account.problems += check_dates(stem, patch, left_out.get(stem, set()), scenes)
        account.problems += (f"{stem}: {name} differ from {labels.path}" for name in patch.differing)
    account.flows = [
        Flow("products", area, len(asked), len(seen), unused),
        Flow("scenes", area, len(scenes), len(shown), {"no_valid_pixel": len(unseen)}),
        Flow("patches", area, len(stems), len(files), {"no_date": len(without_date)}),
        Flow("time_steps", area, len(scenes) * len(stems), steps, {"no_valid_pixel": dropped}),
    ]
    return account


def read_patches(folder: Path, labels: Path, places: dict[str, Place]) -> dict[str, Patch]:
    """What the patch files of a folder say, by stem; `places` by stem."""
    with h5py.File(labels) as source:
        return {stem: read_patch(folder / f"{stem}.nc", source, place) for stem, place in places.items()}


def _unused(lock: Iterable[Row]) -> Iterator[tuple[str, LedgerRow]]:
    for row in lock:
        if row["used"] != "yes":
            evidence = (
                f"scene {row['scene']}, cloud {row['cloud']} %, processing baseline {row['processing_baseline']}, "
                f"generated {row['generated']}"
            )
            rejected = LedgerRow(row["product"], "lock_products", "rejected", row["reason"], evidence)
            yield area_of(row["tile"], int(row["year"])), rejected
