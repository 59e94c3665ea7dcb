"""The section that shows what went in and what came out."""

from pathlib import Path

from cropstack.files import write_csv
from cropstack.report.balance import Account, read_accounts, sum_up

COLUMNS = ["flow", "area", "scenario", "split", "term", "reason", "count"]


def rows(*lines: str) -> list[dict[str, str]]:
    return [dict(zip(COLUMNS, line.split(","), strict=True)) for line in lines]


def test_areas_are_summed_and_reasons_kept_apart() -> None:
    table = rows(
        "patches,31TCG_2019,,,entered,,9",
        "patches,31TCG_2019,,,left,,8",
        "patches,31TCG_2019,,,rejected,no_date,1",
        "patches,31TCJ_2019,,,entered,,4",
        "patches,31TCJ_2019,,,left,,4",
        "products,31TCG_2019,,,entered,,17",
        "products,31TCG_2019,,,left,,13",
        "products,31TCG_2019,,,rejected,cloud,3",
        "products,31TCG_2019,,,rejected,duplicate,1",
    )
    products, patches = sum_up(table)
    assert products.reasons == {"cloud": 3, "duplicate": 1}
    assert (patches.counts, patches.reasons) == ({"entered": 13, "left": 12}, {"no_date": 1})
    assert patches.ends == ("places of the patch grid", "patch files")
    assert round(patches.percent, 1) == 92.3


def test_scenarios_and_splits_are_kept_apart() -> None:
    table = rows(
        "coco_images,a,s2,val,entered,,2", "coco_images,a,s1,val,entered,,3", "coco_images,a,s1,test,entered,,5"
    )
    assert [(total.key, total.counts["entered"]) for total in sum_up(table)] == [
        ("coco_images/s1/test", 5),
        ("coco_images/s1/val", 3),
        ("coco_images/s2/val", 2),
    ]


def test_a_flow_that_nothing_enters_is_complete() -> None:
    (total,) = sum_up(rows("coco_images,a,s1,val,entered,,0", "coco_images,a,s1,val,left,,0"))
    assert total.percent == 100


def test_samples_of_an_experiment_are_used_or_left_out(tmp_path: Path) -> None:
    lines = [
        ("parcel", "", "given", 12),
        ("parcel", "", "touches_other_split", 2),
        ("parcel", "train", "used", 6),
        ("parcel", "train", "not_in_legend", 1),
        ("parcel", "val", "not_in_legend", 1),
        ("parcel", "test", "used", 2),
    ]
    write_csv(tmp_path / "samples.csv", ["unit", "split", "fate", "number"], lines)
    used, left_out = {"train": 6, "val": 0, "test": 2}, {"not_in_legend": 2, "touches_other_split": 2}
    assert read_accounts("scenario1_tempcnn", tmp_path) == [Account("scenario1_tempcnn", "parcel", 12, used, left_out)]
