"""products.csv: one row for each recipe and product, reproducible, replayable."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cropstack.catalogue.lock_products import COLUMNS, lock_products, read_lock
from cropstack.catalogue.search_catalogue import item_collection
from cropstack.errors import CatalogueError, ConfigError
from cropstack.files import write_json
from cropstack.product import Product, parse_time

Make = Callable[..., Product]
RECIPES = {"sen4agrinet": {"collection": "s2_l1c", "max_cloud_percent": 10}}


def search(path: Path, products: list[Product], *, year: int = 2019) -> Path:
    write_json(path, item_collection(products, collection="s2_l1c", tile="31TCG", year=year))
    return path


def lock(folder: Path, products: list[Product], **changes: Any) -> list[dict[str, str]]:
    found = search(folder / "31TCG_2019.json", products)
    values = {"replay": [], "recipes": RECIPES, "exclude": [], "size_px": 10980, "keep_scenes": True} | changes
    lock_products([found], products=folder / "products.csv", **values)  # type: ignore[arg-type]
    return read_lock(folder / "products.csv")


def test_rows_of_a_scene_stand_in_order_of_precedence_though_the_first_was_sensed_later(
    product: Make, tmp_path: Path
) -> None:
    later, newer = parse_time("2019-04-12T10:50:50Z"), parse_time("2019-04-12T18:00:00Z")
    split = [
        product("west", part=(0, 0.6)),
        product("east", part=(0.5, 1), sensing=later, generated=newer),
        product("next", day=5),
        product("before", day=-5),
    ]
    rows = lock(tmp_path, split)
    assert [(row["product"], row["precedence"], row["used"]) for row in rows] == [
        ("before", "1", "yes"),
        ("east", "1", "yes"),
        ("west", "2", "yes"),
        ("next", "1", "yes"),
    ]
    assert rows[1]["scene"] == rows[2]["scene"] == "S2A_20190412T105031_R051_T31TCG"


def test_lock_holds_what_later_steps_ask_for(product: Make, tmp_path: Path) -> None:
    (row,) = lock(tmp_path, [product("A", cloud=3.34127623995939)])
    assert row == {
        "recipe": "sen4agrinet",
        "product": "A",
        "collection": "s2_l1c",
        "tile": "31TCG",
        "year": "2019",
        "scene": "S2A_20190412T105031_R051_T31TCG",
        "used": "yes",
        "reason": "",
        "precedence": "1",
        "cloud": "3.34127623995939",
        "processing_baseline": "02.07",
        "generated": "2019-04-12T12:00:00.000000Z",
        "sensing": "2019-04-12T10:50:34.123456Z",
        "form": "safe",
        "size_bytes": "800000000",
        "stamp": "stamp of A",
        "href": "A.SAFE",
        "offset_state": "in_metadata",
    }
    assert tuple(row) == COLUMNS


def test_two_recipes_choose_for_themselves(product: Make, tmp_path: Path) -> None:
    recipes = RECIPES | {"breizhcrops": {"collection": "s2_l1c", "max_cloud_percent": 101}}
    rows = lock(tmp_path, [product("clear"), product("cloudy", day=5, cloud=80.0)], recipes=recipes)
    assert [(row["recipe"], row["product"], row["reason"]) for row in rows] == [
        ("breizhcrops", "clear", ""),
        ("breizhcrops", "cloudy", ""),
        ("sen4agrinet", "clear", ""),
        ("sen4agrinet", "cloudy", "cloud"),
    ]


def test_order_of_the_catalogues_changes_no_byte(product: Make, tmp_path: Path) -> None:
    a = search(tmp_path / "a.json", [product("A")])
    b = search(tmp_path / "b.json", [product("B", day=365)], year=2020)
    for name, catalogues in (("one", [a, b]), ("two", [b, a])):
        lock_products(
            catalogues, [], tmp_path / name, recipes=RECIPES, exclude=[], size_px=10980, keep_scenes=True  # type: ignore[arg-type]
        )  # fmt: skip
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_replaying_a_lock_writes_the_same_bytes(product: Make, tmp_path: Path) -> None:
    found = [
        product("original"),
        product("reprocessed", processing_baseline="05.00"),
        product("cloudy", day=5, cloud=50.0),
        product("excluded", day=10),
    ]
    lock(tmp_path, found, exclude=["excluded"])
    pinned = (tmp_path / "products.csv").rename(tmp_path / "pinned.csv")
    lock(tmp_path, found, replay=pinned)
    assert (tmp_path / "products.csv").read_bytes() == pinned.read_bytes()


def test_replay_reports_what_is_no_longer_served_and_ignores_what_is_new(product: Make, tmp_path: Path) -> None:
    lock(tmp_path, [product("stays"), product("gone", day=5)])
    pinned = (tmp_path / "products.csv").rename(tmp_path / "pinned.csv")
    rows = lock(tmp_path, [product("stays"), product("better", processing_baseline="05.00")], replay=pinned)
    assert [(row["product"], row["used"], row["reason"]) for row in rows] == [
        ("stays", "yes", ""),
        ("better", "no", "not_in_lock"),
        ("gone", "no", "not_served"),
    ]
    assert rows[2]["href"] == "gone.SAFE"
    again = (tmp_path / "products.csv").rename(tmp_path / "again.csv")
    back = lock(tmp_path, [product("stays"), product("gone", day=5)], replay=again)
    assert [row["reason"] for row in back] == ["", ""]  # what was wanted then is wanted still


def test_replay_of_another_year_names_the_key_products(product: Make, tmp_path: Path) -> None:
    pinned = pinned_lock(tmp_path, [product("earlier")])
    with pytest.raises(CatalogueError, match="none is in both: 1 not_in_lock, 1 not_served"):
        lock(tmp_path, [product("another", day=5)], replay=pinned)


def test_replay_of_another_table_names_the_missing_column(product: Make, tmp_path: Path) -> None:
    other = tmp_path / "splits.csv"
    other.write_text("scenario,sample\n")
    with pytest.raises(ConfigError, match=r"splits\.csv: has no column recipe; expected a products\.csv"):
        lock(tmp_path, [product("A")], replay=other)


def test_no_scene_under_the_cloud_limit_names_tile_year_and_counts(product: Make, tmp_path: Path) -> None:
    cloudy = [product(f"P{n}", day=5 * n, cloud=20.0 + n) for n in range(3)]
    with pytest.raises(CatalogueError) as error:
        lock(tmp_path, [*cloudy, product("bad", day=30)], exclude=["bad"])
    assert "no usable scene of 31TCG in 2019 for sen4agrinet" in str(error.value)
    assert "4 products found, left out: 3 cloud, 1 excluded; the clearest has 5 % cloud" in str(error.value)
    assert not (tmp_path / "products.csv").exists()


def test_empty_search_says_that_nothing_was_found(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"31TCG in 2019 for sen4agrinet: no product was found\. Check provider"):
        lock(tmp_path, [])


def test_excluded_id_that_no_search_found_is_named(
    product: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock(tmp_path, [product("S2A_MSIL1C_A")], exclude=["S2A_MSIL1C_B"])
    assert 'exclude: no product "S2A_MSIL1C_B" was found; did you mean "S2A_MSIL1C_A"?' in capsys.readouterr().out


def test_estimate_of_a_full_tile_and_a_cut_one(
    product: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    year = [product(f"P{n}", day=5 * n) for n in range(40)]
    lock(tmp_path, year)
    said = capsys.readouterr().out
    assert "40 products make 40 scenes of 1 tile-years" in said
    assert "to fetch 32.0 GB" in said
    assert "disk: scenes 32.0 GB, patches 32.0 GB" in said
    assert "CPU: 1.0 hours" in said  # 40 × 91 s
    lock(tmp_path, year, size_px=1098, keep_scenes=False)
    said = capsys.readouterr().out
    assert "disk: scenes none kept, patches 320 MB" in said
    assert "a new date or label costs reading its whole tile-year again, up to 0.6 minutes of CPU (31TCG 2019)" in said


def test_products_csv_is_plain_csv(product: Make, tmp_path: Path) -> None:
    lock(tmp_path, [product("A")])
    with open(tmp_path / "products.csv", newline="") as handle:
        assert next(csv.reader(handle)) == list(COLUMNS)
    assert b"\r" not in (tmp_path / "products.csv").read_bytes()


def pinned_lock(folder: Path, products: list[Product], old: str = "", new: str = "") -> Path:
    """A lock of these products, edited by hand."""
    lock(folder, products)
    path = (folder / "products.csv").rename(folder / "pinned.csv")
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",yes,,1,", ",Yes,,1,", r'pinned\.csv: row 2: used is "Yes"; expected yes or no'),
        (",yes,,1,", ",no,,1,", r'row 2: A has used "no" and the reason ""; expected a reason'),
        (",yes,,1,", ",yes,cloud,1,", r'row 2: A has used "yes" and the reason "cloud"'),
        (",yes,,1,", ",yes,,first,", r'row 2: precedence is "first"; expected a whole number'),
        (",1,5.0,", ",1,much,", r'row 2: cloud is "much"; expected a number'),
    ],
)
def test_lock_with_a_value_that_cannot_be_is_refused(
    product: Make, tmp_path: Path, old: str, new: str, message: str
) -> None:
    pinned = pinned_lock(tmp_path, [product("A")], old, new)
    with pytest.raises(ConfigError, match=message):
        lock(tmp_path, [product("A")], replay=pinned)


def test_lock_that_is_not_utf8_is_refused(product: Make, tmp_path: Path) -> None:
    (tmp_path / "pinned.csv").write_bytes(b"recipe,caf\xe9\n")
    with pytest.raises(ConfigError, match=r"pinned\.csv: is no CSV in UTF-8"):
        lock(tmp_path, [product("A")], replay=tmp_path / "pinned.csv")


def test_replay_leaves_out_another_product_under_a_used_id_until_the_first_is_back(
    product: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [product("stays"), product("A", day=5)]
    anew = product("A", day=5, generated=parse_time("2022-01-01T00:00:00Z"), stamp="anew")
    first = pinned_lock(tmp_path, before)
    rows = lock(tmp_path, [before[0], anew], replay=first)
    assert [(row["product"], row["used"], row["reason"]) for row in rows] == [
        ("stays", "yes", ""),
        ("A", "no", "changed"),
    ]
    assert rows[1]["stamp"] == "stamp of A"  # what the choice was made of
    assert "A: not used, what is served under this id is not what the earlier choice used" in capsys.readouterr().out
    second = (tmp_path / "products.csv").rename(tmp_path / "second.csv")
    assert [row["reason"] for row in lock(tmp_path, [before[0], anew], replay=second)] == ["", "changed"]
    lock(tmp_path, before, replay=second)
    assert (tmp_path / "products.csv").read_bytes() == first.read_bytes()


def test_replay_on_another_machine_uses_a_copy_with_other_times_and_says_so(
    product: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a committed lock would reproduce nothing where the folder was copied without its times."""
    rows = lock(tmp_path, [product("A", stamp="copy")], replay=pinned_lock(tmp_path, [product("A")]))
    assert [(row["used"], row["stamp"]) for row in rows] == [("yes", "copy")]
    assert "A: used with another stamp than in the earlier choice" in capsys.readouterr().out
