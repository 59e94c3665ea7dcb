import csv
import gzip
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
from hypothesis import given
from hypothesis import strategies as st

from cropstack.errors import CropstackError, LayoutError, LedgerRow
from cropstack.files import read_csv, read_ledger, write_csv, write_ledger
from cropstack.layouts.balance import Flow, unbalanced
from cropstack.layouts.comparisons import check_numbers, check_sequence

DATES = ["04-12", "07-01"]
STEM = "2019_31TCJ_patch_00_01"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, build: SimpleNamespace) -> SimpleNamespace:
    return build.dataset(tmp_path_factory.mktemp("balance"), DATES)


@pytest.fixture
def dataset(built: SimpleNamespace, tmp_path: Path) -> SimpleNamespace:
    """A copy that a test may damage."""
    shutil.copytree(
        built.folder, tmp_path / "copy", ignore=shutil.ignore_patterns("rejects.csv", "balance.csv", "scenes")
    )
    return type(built)(tmp_path / "copy", built.tile_years, built.scenarios)


def rejects(dataset: SimpleNamespace) -> list[tuple[str, str, str, str]]:
    columns = ("area", "unit", "stage", "reason")
    return [tuple(row[column] for column in columns) for row in read_csv(dataset.result("rejects.csv"))]


def balance(dataset: SimpleNamespace) -> dict[tuple[str, str, str, str], dict[str, int]]:
    """Counts of each flow by area, scenario and split: entered, left, and each reason."""
    flows: dict[tuple[str, str, str, str], dict[str, int]] = {}
    for row in read_csv(dataset.result("balance.csv")):
        key = row["flow"], row["area"], row["scenario"], row["split"]
        flows.setdefault(key, {})[row["reason"] or row["term"]] = int(row["count"])
    return flows


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
        assert (f"{tile}_{year}", f"P_CLOUDY{tile}{year}", "lock_products", "cloud") in rows
    assert ("31TCG_2019", "2019_31TCG_patch_01_01", "write_sen4agrinet", "no_date") in rows
    assert ("fr_2019", "2019-x", "harmonise_parcels", "sliver") in rows
    assert ("es_ct_2020", "es_ct_2020", "assign_tiles", "outside_tiles") in rows
    without = [row[0] for row in rows if row[2:] == ("rasterise_labels", "no_pixel")]
    assert without == ["31TCG_2019", "31TCG_2020", "31TCJ_2019"]
    assert not [row for row in rows if row[2] == "assign_splits"]


def test_the_balance_says_what_became_of_each_product_patch_and_parcel(built: SimpleNamespace) -> None:
    """Two dates on four patches; the last patch has no date, the first lacks one; one product in three is cloudy."""
    built.check()
    flows = balance(built)
    assert flows["products", "31TCG_2019", "", ""] == {"entered": 3, "left": 2, "cloud": 1}
    assert flows["scenes", "31TCG_2019", "", ""] == {"entered": 2, "left": 2}
    assert flows["patches", "31TCG_2019", "", ""] == {"entered": 4, "left": 3, "no_date": 1}
    assert flows["time_steps", "31TCG_2019", "", ""] == {"entered": 8, "left": 5, "no_valid_pixel": 3}
    with h5py.File(built.labels("31TCG", 2019)) as file:
        drawn = len(np.unique(file["r10m/parcels"][...])) - 1
    assert flows["declared_parcels", "es_ct_2019", "", ""] == {"entered": drawn + 3, "left": drawn + 2, "sliver": 1}
    expected = {"entered": drawn + 2, "left": drawn + 1, "outside_tiles": 1}
    assert flows["parcels_on_tiles", "es_ct_2019", "", ""] == expected
    assert flows["drawn_parcels", "31TCG_2019", "", ""] == {"entered": drawn + 1, "left": drawn, "no_pixel": 1}
    assert flows["parcel_series", "31TCG_2019", "", ""] == {"entered": drawn + 1, "left": drawn + 1}
    assert flows["samples", "31TCG_2019", "scenario1", ""] == {"entered": 4, "left": 4}
    assert flows["samples", "31TCG_2019", "scenario3", ""] == {"entered": 4, "left": 0, "not_in_scenario": 4}
    images = [flows.get(("coco_images", "31TCG_2019", "scenario1", split), {}) for split in ("train", "val", "test")]
    assert sum(flow.get("entered", 0) for flow in images) == 4
    assert sum(flow.get("left", 0) for flow in images) == 3
    assert sum(flow.get("no_date", 0) for flow in images) == 1


def test_flows_of_the_balance_meet(built: SimpleNamespace) -> None:
    """What leaves one flow enters the next, over all areas."""
    built.check()

    def total(flow: str, term: str, scenario: str = "", split: str = "") -> int:
        rows = read_csv(built.result("balance.csv"))
        here = [row for row in rows if (row["flow"], row["term"], row["scenario"]) == (flow, term, scenario)]
        return sum(int(row["count"]) for row in here if split in ("", row["split"]))

    assert total("declared_parcels", "left") == total("parcels_on_tiles", "entered")
    assert total("parcels_on_tiles", "left") == total("drawn_parcels", "entered") == total("parcel_series", "entered")
    for name in built.scenarios:
        assert total("samples", "left", name) == total("coco_images", "entered", name)
        assert total("split_parcels", "left", name) == total("monthly_parcels", "entered", name)
        rows = [row for row in read_csv(built.result("splits.csv")) if row["scenario"] == name]
        for split in ("train", "val", "test"):
            assert total("coco_images", "entered", name, split) == sum(row["split"] == split for row in rows)


def test_every_row_of_the_balance_adds_up(built: SimpleNamespace) -> None:
    built.check()
    for key, flow in balance(built).items():
        rejected = sum(count for name, count in flow.items() if name not in ("entered", "left"))
        assert flow["entered"] == flow["left"] + rejected, key


def test_a_patch_without_labels_is_listed_as_unsplit(dataset: SimpleNamespace, build: SimpleNamespace) -> None:
    """Without labels in the raster, in no year, a patch is no sample; its file stays."""
    edit_csv(dataset.result("splits.csv"), lambda rows: [r for r in rows if r["sample"] != STEM])
    for path in (dataset.labels("31TCJ", 2019), dataset.patches("31TCJ", 2019) / f"{STEM}.nc"):
        clear_masks(path)
    for path in dataset.coco():
        without_image(path, STEM)
    build.split_parcels(dataset)
    dataset.check()
    assert ("31TCJ_2019", STEM, "assign_splits", "no_labelled_pixel") in rejects(dataset)
    assert balance(dataset)["samples", "31TCJ_2019", "scenario1", ""] == {
        "entered": 4, "left": 3, "no_labelled_pixel": 1,
    }  # fmt: skip


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
    assert not dataset.result("balance.csv").exists()


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
    fails(dataset, r"declared_parcels of fr_2019: 110 entered, 109 left, rejected: none; 1 lost")


def test_a_parcel_without_an_owner_row_is_noticed(dataset: SimpleNamespace) -> None:
    path = dataset.table("tiles.parquet", "es_ct", 2020)
    pq.write_table(pq.read_table(path).slice(1), path)
    fails(dataset, "es_ct_2020, table of tiles: missing: parcel 1")


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
    fails(
        dataset,
        "samples of 31TCJ_2019 scenario1: 4 entered, 3 left, rejected: none; 1 lost(\n.*)*"
        f"{STEM} has labels, but no split",
    )


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


def test_a_product_of_an_earlier_choice_that_nobody_serves_has_entered_and_is_rejected(
    dataset: SimpleNamespace,
) -> None:
    def add(rows: list[dict]) -> list[dict]:
        cloudy = next(r for r in rows if r["product"] == "P_CLOUDY31TCJ2019")
        return [*rows, cloudy | {"product": "P_GONE", "scene": "GONE", "reason": "not_served"}]

    edit_csv(dataset.products, add)
    dataset.check()
    expected = {"entered": 4, "left": 2, "cloud": 1, "not_served": 1}
    assert balance(dataset)["products", "31TCJ_2019", "", ""] == expected


def test_a_scene_without_a_valid_pixel_in_any_patch_is_rejected_as_such(dataset: SimpleNamespace) -> None:
    """Its swath touches the tile and no patch: each patch says in the ledger that it has no pixel of it."""
    scene, stems = "CLOUDY31TCJ2019", [f"2019_31TCJ_patch_0{row}_0{column}" for row in (0, 1) for column in (0, 1)]

    def use(rows: list[dict]) -> list[dict]:
        return [r | {"used": "yes", "reason": ""} if r["product"] == f"P_{scene}" else r for r in rows]

    edit_csv(dataset.products, use)
    evidence = f"no valid pixel on 1 of 3 dates: {scene}"
    rows = [LedgerRow(stem, "write_sen4agrinet", "rejected", "no_valid_pixel", evidence) for stem in stems]
    write_ledger(dataset.ledger("31TCJ", 2019), rows)
    dataset.check()
    flows = balance(dataset)
    assert flows["products", "31TCJ_2019", "", ""] == {"entered": 3, "left": 2, "no_valid_pixel": 1}
    assert flows["scenes", "31TCJ_2019", "", ""] == {"entered": 3, "left": 2, "no_valid_pixel": 1}
    assert flows["time_steps", "31TCJ_2019", "", ""] == {"entered": 12, "left": 8, "no_valid_pixel": 4}


# --- one unit more or less ----------------------------------------------------------------------------------


def test_a_lost_patch_breaks_the_balance_of_patches(dataset: SimpleNamespace) -> None:
    (dataset.patches("31TCJ", 2019) / f"{STEM}.nc").unlink()
    fails(dataset, "patches of 31TCJ_2019: 4 entered, 3 left, rejected: none; 1 lost")


def test_a_lost_time_step_breaks_the_balance_of_time_steps(dataset: SimpleNamespace) -> None:
    """The pixels of one date are gone from one band; everything else of the file stays."""
    with h5py.File(dataset.patches("31TCJ", 2019) / f"{STEM}.nc", "r+") as file:
        band = file["B05/B05"]
        values, attributes = band[:1], dict(band.attrs)
        del file["B05/B05"], attributes["DIMENSION_LIST"]
        file["B05"].create_dataset("B05", data=values, chunks=values.shape)
    fails(
        dataset, "time_steps of 31TCJ_2019: 8 entered, 7 left, .*; 1 lost(\n.*)*B05 has 1 time steps, but .* 2 scenes"
    )


def test_a_product_that_the_lock_forgot_breaks_the_balance_of_products(dataset: SimpleNamespace) -> None:
    edit_csv(dataset.products, lambda rows: [r for r in rows if r["product"] != "P_CLOUDY31TCJ2019"])
    fails(
        dataset, "products of 31TCJ_2019: 3 entered, 2 left, rejected: none; 1 lost(\n.*)*P_CLOUDY31TCJ2019 was found"
    )


def edit_numbers(path: Path, change: Callable[[list[int]], list[int]]) -> None:
    """Change the parcels that a table of parcel numbers holds."""
    if path.suffix == ".parquet":
        numbers = change(pq.read_table(path)["parcel_index"].to_pylist())
        pq.write_table(pa.table({"parcel_index": pa.array(numbers, pa.int64())}), path)
    else:
        with gzip.open(path, "rt") if path.suffix == ".gz" else open(path) as handle:
            header, *rows = csv.reader(handle)
        rest = rows[0][1:]
        write_csv(path, header, [[number, *rest] for number in change([int(row[0]) for row in rows])])


TABLES = ["results/sen4agrinet/parcels/2020_31TCG.csv.gz", "build/samples/composites/31TCG_2020_parcels.parquet"]
COPIES = ["results/sen4agrinet/parcels/2020_31TCG.parquet", "results/sen4agrinet/parcels/2020_31TCG_ids.csv"]


@pytest.mark.parametrize("table", [*TABLES, *COPIES])
def test_a_parcel_lost_from_a_table_is_named(dataset: SimpleNamespace, table: str) -> None:
    edit_numbers(dataset.folder / table, lambda numbers: numbers[:16] + numbers[17:])
    flow = {TABLES[0]: "parcel_series", TABLES[1]: "parcel_months"}.get(table)
    line = rf"{flow} of 31TCG_2020: 103 entered, 102 left, rejected: none; 1 lost(\n.*)*" if flow else ""
    fails(dataset, f"{line}{Path(table).name}: missing: parcel 17$")


@pytest.mark.parametrize(("added", "message"), [(4000, "too many: parcel 4000"), (17, "more than once: parcel 17")])
def test_a_row_too_many_in_a_table_is_named(dataset: SimpleNamespace, added: int, message: str) -> None:
    edit_numbers(dataset.folder / TABLES[0], lambda numbers: sorted([*numbers, added]))
    fails(dataset, f"parcel_series of 31TCG_2020: 103 entered, 104 left, .* 1 too many(\n.*)*{message}")


def test_parcels_in_another_order_are_noticed(dataset: SimpleNamespace) -> None:
    edit_numbers(dataset.folder / TABLES[0], lambda numbers: numbers[::-1])
    fails(dataset, "2020_31TCG.csv.gz: parcels are not in order of their numbers")


def test_a_table_cut_short_is_noticed(dataset: SimpleNamespace) -> None:
    path = dataset.folder / TABLES[0]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CropstackError, match=r"2020_31TCG\.csv\.gz: not readable as a table of parcels"):
        dataset.check()


def test_a_parcel_in_two_splits_is_named(dataset: SimpleNamespace) -> None:
    def twice(rows: list[dict]) -> list[dict]:
        row = next(r for r in rows if (r["scenario"], r["split"]) == ("scenario1", "train"))
        at = rows.index(row)
        return [*rows[:at], row, row | {"split": "test"}, *rows[at + 1 :]]

    edit_csv(dataset.result("parcel_splits.csv"), twice)
    fails(
        dataset,
        r"split_parcels of 31TCG_2019 scenario1: .* 1 too many(\n.*)*"
        r"parcel \d+ of es_ct 2019 has 2 splits: train on 31TCG, test on 31TCG",
    )


def test_a_parcel_that_lost_its_split_without_a_reason_is_named(dataset: SimpleNamespace) -> None:
    def forget(rows: list[dict]) -> list[dict]:
        return [r | {"split": ""} if (r["scenario"], r["parcel_index"], r["tile"]) == key else r for r in rows]

    key = next(
        (r["scenario"], r["parcel_index"], r["tile"])
        for r in read_csv(dataset.result("parcel_splits.csv"))
        if r["split"]
    )
    edit_csv(dataset.result("parcel_splits.csv"), forget)
    fails(dataset, f"parcel {key[1]} has a split and a reason against it, or neither")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"split": "", "reason": "lost_it"}, 'scenario1 31TCG_2019: unknown reason "lost_it"'),
        ({"scenario": "scenario9"}, 'parcel_splits.csv: scenario "scenario9" is not one of this configuration'),
    ],
)
def test_an_invented_reason_or_scenario_is_named(
    dataset: SimpleNamespace, changed: dict[str, str], message: str
) -> None:
    def change(rows: list[dict]) -> list[dict]:
        row = next(r for r in rows if (r["scenario"], r["tile"], r["year"], r["split"]) == one)
        return [r | changed if r is row else r for r in rows]

    one = ("scenario1", "31TCG", "2019", "train")
    edit_csv(dataset.result("parcel_splits.csv"), change)
    fails(dataset, message)


@pytest.mark.parametrize("data", [b"", b"scenario,country,tile,year,parcel_index,split,reason\nscenario1,es_ct\n"])
def test_damaged_splits_of_parcels_are_named(dataset: SimpleNamespace, data: bytes) -> None:
    dataset.result("parcel_splits.csv").write_bytes(data)
    with pytest.raises(CropstackError, match=r"parcel_splits\.csv: not readable as splits of parcels"):
        dataset.check()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n: n[:3] + n[4:], r"\d+ entered, \d+ left, rejected: none; 1 lost(\n.*)*row 4 of \d+ is parcel"),
        (lambda n: [*n, 1], r"1 too many(\n.*)*expects no parcel of"),
        (lambda n: n[:-1], r"1 lost(\n.*)*is no parcel; parcel_splits.csv expects parcel"),
    ],
)
def test_a_parcel_more_or_less_in_a_monthly_table_is_named(
    dataset: SimpleNamespace, change: Callable[[list[int]], list[int]], message: str
) -> None:
    edit_numbers(dataset.result("scenario1_oad_train.csv.gz"), change)
    fails(dataset, f"monthly_parcels of scenario1 train: .*{message}")


def test_parcels_of_a_tile_without_labels_are_rejected_as_such(
    dataset: SimpleNamespace, build: SimpleNamespace
) -> None:
    """A tile that owns a parcel or two and draws none has no patch with labels, so its parcels have no split."""
    count = len(pq.read_table(dataset.table("parcels.parquet", "fr", 2019))) - 1
    with h5py.File(dataset.labels("31TCJ", 2019), "r+") as file:
        for name in ("labels", "parcels"):
            file[f"r10m/{name}"][...] = 0
    for path in dataset.patches("31TCJ", 2019).glob("*.nc"):
        with h5py.File(path, "r+") as file:
            for name in ("labels", "parcels"):
                file[f"{name}/{name}"][...] = 0
    for coco in dataset.coco():
        without_image(coco, "31TCJ")
    edit_csv(dataset.result("splits.csv"), lambda rows: [r for r in rows if r["tile"] != "31TCJ"])
    build.split_parcels(dataset)
    dataset.check()
    flows = balance(dataset)
    expected = {"entered": count, "left": 0, "no_labelled_pixel": count}
    assert flows["split_parcels", "31TCJ_2019", "scenario1", ""] == expected
    assert flows["drawn_parcels", "31TCJ_2019", "", ""] == {"entered": count, "left": 0, "no_pixel": count}


def test_a_doubled_annotation_is_named(dataset: SimpleNamespace) -> None:
    path = dataset.result("scenario2_coco_test.json")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:2], *lines[1:]]))
    fails(dataset, r"coco_annotations of 31TCJ_2019 scenario2 test: .* 1 too many(\n.*)*annotation \d+ repeats an id")


def test_an_annotation_in_place_of_another_is_named(dataset: SimpleNamespace) -> None:
    """The number is right, the pixels are those of the parcel before."""
    path = dataset.result("scenario2_coco_test.json")
    lines = path.read_text().splitlines(keepends=True)
    first, second = (json.loads(line.rstrip(",\n")) for line in lines[1:3])
    lines[2] = json.dumps(first | {"id": second["id"]}) + ",\n"
    path.write_text("".join(lines))
    fails(dataset, f"annotation {second['id']} repeats an id or the pixels of another")


def test_a_sample_of_no_scenario_is_noticed(dataset: SimpleNamespace) -> None:
    edit_csv(dataset.result("splits.csv"), lambda rows: [*rows, rows[-1] | {"scenario": "scenario9"}])
    fails(dataset, 'scenario "scenario9" is not one of this configuration')


# --- the balance itself -------------------------------------------------------------------------------------

COUNTS = st.integers(0, 1000)


@given(COUNTS, st.dictionaries(st.sampled_from(["cloud", "no_date", "sliver"]), COUNTS), st.integers(-5, 5))
def test_a_flow_balances_exactly_if_nothing_is_lost(left: int, rejected: dict[str, int], lost: int) -> None:
    flow = Flow("patches", "31TCG_2019", left + sum(rejected.values()) + lost, left, rejected)
    lines = list(unbalanced([flow]))
    assert len(lines) == (lost != 0)
    for line in lines:
        assert "patches of 31TCG_2019" in line
        assert line.endswith(f"{lost} lost" if lost > 0 else f"{-lost} too many")


@given(st.lists(st.integers(1, 30), unique=True), st.lists(st.integers(1, 30)))
def test_a_table_passes_only_with_exactly_its_parcels_in_order(expected: list[int], found: list[int]) -> None:
    expected = sorted(expected)
    arrays = (np.array(numbers, np.int64) for numbers in (found, expected))
    assert (list(check_numbers("t", *arrays)) == []) == (found == expected)
    same = np.array(expected, np.int64)
    assert list(check_numbers("t", same, same)) == list(check_sequence("t", same, same)) == []
    assert bool(list(check_sequence("t", np.array(found, np.int64), same))) == (found != expected)
