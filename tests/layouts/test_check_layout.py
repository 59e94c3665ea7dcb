import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cropstack.errors import LayoutError
from cropstack.files import read_ledger, write_ledger

DATES = ["04-12", "07-01"]
STEM = "2019_31TCJ_patch_00_01"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, build: SimpleNamespace) -> SimpleNamespace:
    return build.dataset(tmp_path_factory.mktemp("balance"), DATES)


@pytest.fixture
def dataset(built: SimpleNamespace, tmp_path: Path) -> SimpleNamespace:
    """A copy that a test may damage."""
    shutil.copytree(built.folder, tmp_path / "copy", ignore=shutil.ignore_patterns("rejects.csv", "scenes"))
    return type(built)(tmp_path / "copy", built.tile_years, built.scenarios)


def rejects(dataset: SimpleNamespace) -> list[tuple[str, str, str]]:
    return [(row.unit, row.stage, row.reason) for row in read_ledger(dataset.result("rejects.csv"))]


def edit_csv(path: Path, change: Callable[[list[dict]], list[dict]]) -> None:
    with open(path, newline="") as handle:
        rows = list(csv.DictReader(handle))
    with open(path, "w", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(change(rows))


def test_a_sound_dataset_balances_and_every_reject_is_listed(built: SimpleNamespace) -> None:
    built.check()
    rows = rejects(built)
    assert rows == sorted(rows)
    for tile, year in (("31TCG", 2019), ("31TCG", 2020), ("31TCJ", 2019)):
        assert (f"P_CLOUDY{tile}{year}", "lock_products", "cloud") in rows
    assert ("2019_31TCG_patch_01_01", "write_sen4agrinet", "no_date") in rows
    assert ("2019-x", "harmonise_parcels", "sliver") in rows
    assert ("es_ct_2020", "assign_tiles", "outside_tiles") in rows
    assert sum(row[1:] == ("rasterise_labels", "no_pixel") for row in rows) == 3  # one a country and year
    assert not [row for row in rows if row[1] == "assign_splits"]


def test_a_patch_without_labels_is_listed_as_unsplit(dataset: SimpleNamespace, root: Path) -> None:
    """Without labels in the raster, in no year, a patch is no sample; its file stays."""
    edit_csv(dataset.result("splits.csv"), lambda rows: [r for r in rows if r["sample"] != STEM])
    for path in (dataset.labels("31TCJ", 2019), dataset.patches("31TCJ", 2019) / f"{STEM}.nc"):
        clear_masks(path)
    for path in dataset.coco():
        without_image(path, STEM)
    dataset.check()
    assert (STEM, "assign_splits", "no_labelled_pixel") in rejects(dataset)


def clear_masks(path: Path) -> None:
    """Set labels and parcels of patch (0, 1) to 0."""
    with h5py.File(path, "r+") as file:
        for name in ("labels", "parcels"):
            if "r10m" in file:
                file[f"r10m/{name}"][:366, 366:] = 0
            else:
                file[f"{name}/{name}"][...] = 0


def without_image(path: Path, stem: str) -> None:
    data = json.loads(path.read_text())
    gone = {image["id"] for image in data["images"] if stem in image["file_name"]}
    head = {key: data[key] for key in ("info", "licenses", "categories")}
    head["images"] = [image for image in data["images"] if image["id"] not in gone]
    lines = [json.dumps(a) for a in data["annotations"] if a["image_id"] not in gone]
    path.write_text(json.dumps(head)[:-1] + ', "annotations": [' + "\n" * bool(lines) + ",\n".join(lines) + "]}\n")


def fails(dataset: SimpleNamespace, message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        dataset.check()
    assert not dataset.result("rejects.csv").exists()


def test_a_deleted_patch_is_noticed(dataset: SimpleNamespace) -> None:
    (dataset.patches("31TCJ", 2019) / f"{STEM}.nc").unlink()
    fails(dataset, f"{STEM}.nc is missing, and no row of the ledger says why")


def test_a_patch_beyond_the_grid_is_noticed(dataset: SimpleNamespace) -> None:
    folder = dataset.patches("31TCJ", 2019)
    shutil.copy(folder / f"{STEM}.nc", folder / "2019_31TCJ_patch_00_02.nc")
    fails(dataset, "2019_31TCJ_patch_00_02 is no patch of the grid")


def test_patches_of_a_year_that_was_taken_out_are_noticed(dataset: SimpleNamespace) -> None:
    stale = dataset.result("data/2018/31TCG")
    stale.mkdir(parents=True)
    fails(dataset, r"data/2018/31TCG: is of no area, year or scenario of this configuration")


def test_the_mark_that_snakemake_leaves_in_a_folder_is_no_patch(dataset: SimpleNamespace) -> None:
    (dataset.patches("31TCJ", 2019) / ".snakemake_timestamp").touch()
    dataset.check()


def test_a_scene_that_vanished_without_a_row_is_noticed(dataset: SimpleNamespace) -> None:
    ledger = dataset.ledger("31TCG", 2019)
    write_ledger(ledger, [row for row in read_ledger(ledger) if row.unit != "2019_31TCG_patch_00_00"])
    fails(dataset, "patch_00_00: scene S2A_20190412T105031_R051_T31TCG is neither a date of the patch nor left out")


def test_a_used_product_that_is_in_no_patch_is_noticed(dataset: SimpleNamespace) -> None:
    def use(rows: list[dict]) -> list[dict]:
        return [r | {"used": "yes", "reason": ""} if r["product"] == "P_CLOUDY31TCJ2019" else r for r in rows]

    edit_csv(dataset.products, use)
    fails(dataset, "scene CLOUDY31TCJ2019 is neither a date of the patch nor left out")


def test_a_product_used_in_two_scenes_is_noticed(dataset: SimpleNamespace) -> None:
    edit_csv(dataset.products, lambda rows: [*rows, rows[0] | {"scene": rows[1]["scene"]}])
    fails(dataset, "stands in 2 rows; expected 1")


def test_a_product_left_out_without_a_reason_is_noticed(dataset: SimpleNamespace) -> None:
    edit_csv(dataset.products, lambda rows: [r | {"reason": ""} for r in rows])
    fails(dataset, 'P_CLOUDY31TCG2019: used is "no" and the reason against it ""')


def test_a_scene_made_from_other_products_is_noticed(dataset: SimpleNamespace) -> None:
    name = "P_S2A_20190701T105031_R051_T31TCJ"
    edit_csv(
        dataset.products,
        lambda rows: [r | {"product": "P_OTHER"} if r["product"] == name else r for r in rows],
    )
    fails(dataset, f"was made from {name}; products.csv says P_OTHER")


def test_labels_that_differ_from_the_label_file_are_noticed(dataset: SimpleNamespace) -> None:
    with h5py.File(dataset.patches("31TCJ", 2019) / f"{STEM}.nc", "r+") as file:
        file["labels/labels"][0, 0] = 100
    fails(dataset, f"{STEM}: labels differ from")


def test_a_parcel_number_without_a_parcel_is_noticed(dataset: SimpleNamespace) -> None:
    path = dataset.table("parcels.parquet", "fr", 2019)
    table = pq.read_table(path)
    pq.write_table(table.slice(0, 50), path)
    fails(dataset, "parcel numbers, first 51, are not in fr_2019")


def test_a_parcel_lost_between_declaration_and_table_is_noticed(dataset: SimpleNamespace) -> None:
    write_ledger(dataset.table("ledger.csv", "fr", 2019), [])
    fails(dataset, "fr_2019: .* parcels declared, but .* harmonised and 0 rejected")


def test_a_parcel_without_an_owner_row_is_noticed(dataset: SimpleNamespace) -> None:
    path = dataset.table("tiles.parquet", "es_ct", 2020)
    pq.write_table(pq.read_table(path).slice(1), path)
    fails(dataset, "es_ct_2020: 1 parcels have no row in the table of tiles")


def test_an_owner_that_is_not_selected_is_noticed(dataset: SimpleNamespace) -> None:
    path = dataset.table("tiles.parquet", "es_ct", 2020)
    table = pq.read_table(path)
    tiles = pa.array(["31TDF", *table["tile"].to_pylist()[1:]])
    pq.write_table(table.set_column(1, "tile", tiles), path)
    fails(dataset, "parcels are owned by 31TDF, which is not selected")


def test_a_sample_without_a_file_is_noticed(dataset: SimpleNamespace) -> None:
    edit_csv(dataset.result("splits.csv"), lambda rows: [*rows, rows[0] | {"sample": "2019_31TCJ_patch_07_07"}])
    fails(dataset, "2019_31TCJ_patch_07_07 has no file")


def test_a_place_in_two_splits_is_noticed(dataset: SimpleNamespace) -> None:
    def move(rows: list[dict]) -> list[dict]:
        first = next(r for r in rows if (r["scenario"], r["tile"], r["year"]) == ("scenario1", "31TCG", "2020"))
        other = "val" if first["split"] != "val" else "test"
        return [r | {"split": other} if r is first else r for r in rows]

    edit_csv(dataset.result("splits.csv"), move)
    fails(dataset, "splits.csv: place .* is in")


def test_a_labelled_patch_without_a_split_is_noticed(dataset: SimpleNamespace) -> None:
    edit_csv(dataset.result("splits.csv"), lambda rows: [r for r in rows if r["sample"] != STEM])
    fails(dataset, f"{STEM} has labels and a file, but no split")


def test_a_coco_file_that_lacks_a_patch_is_noticed(dataset: SimpleNamespace) -> None:
    without_image(dataset.result("scenario2_coco_test.json"), STEM)
    fails(dataset, f"scenario2_coco_test.json: {STEM} is missing")


def test_a_coco_file_that_lacks_an_annotation_is_noticed(dataset: SimpleNamespace) -> None:
    path = dataset.result("scenario2_coco_test.json")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:1] + lines[2:]))
    fails(dataset, "annotations and .* parcels")


def test_parcels_under_others_are_listed_with_their_area(built: SimpleNamespace) -> None:
    built.check()
    with h5py.File(built.labels("31TCJ", 2019)) as file:
        drawn = set(np.unique(file["r10m/parcels"][...]).tolist())
    rows = [row for row in read_ledger(built.result("rejects.csv")) if row.reason == "no_pixel"]
    numbers = [int(row.unit.split("-")[1]) for row in rows]
    assert not drawn & {number for number in numbers if number > max(drawn)}
    assert all(row.evidence.startswith("37.0 m2: no 10 m pixel centre") for row in rows)
