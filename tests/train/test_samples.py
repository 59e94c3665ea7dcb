"""Which samples a model sees: by split, by legend, drawn by hash; and what their values are."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cropstack.errors import ConfigError, CropstackError, SampleError
from cropstack.legend import LegendClass
from cropstack.train.account import Account, check_balance, write_accounts
from cropstack.train.parcels import parcel_parts
from cropstack.train.patches import patch_parts, read_sub_patch
from cropstack.train.samples import Drawn, Part, check_parts, class_lookup, draw

LEGEND = [
    LegendClass(1, "Wheat", "#000000", (110,)),
    LegendClass(2, "Maize", "#000000", (120, 121)),
    LegendClass(3, "Grapes", "#000000", (330,)),
    LegendClass(4, "Peas", "#000000", (770,)),
]
CLASS_OF = class_lookup(LEGEND)
MONTHS = [4, 5, 6, 7, 8, 9, 10]


def test_codes_become_positions_in_the_legend() -> None:
    assert CLASS_OF[[110, 120, 121, 330, 770]].tolist() == [0, 1, 1, 2, 3]
    assert CLASS_OF[[0, 998, 150]].tolist() == [-1, -1, -1]


# --- parcels ------------------------------------------------------------------------------------------


@pytest.fixture
def parcels(make: SimpleNamespace, tmp_path: Path) -> SimpleNamespace:
    """Nine parcels: 4 is outside the legend, 5 has no split, 6 has no value in June."""
    codes = [110, 120, 330, 998, 110, 120, 110, 330, 121]
    store = make.parcels(tmp_path / "31TCJ_2019_parcels.parquet", codes, missing=(6,))
    splits = ["train", "train", "val", "train", "", "test", "test", "train", "val"]
    return SimpleNamespace(store=store, splits=make.parcel_splits(tmp_path / "s.csv", "31TCJ", 2019, splits))


def parts_of(parcels: SimpleNamespace, make: SimpleNamespace, months: list[int] = MONTHS, **changes: object) -> dict:
    return drawn_of(parcels, make, months, **changes).parts


def drawn_of(parcels: SimpleNamespace, make: SimpleNamespace, months: list[int] = MONTHS, **changes: object) -> Drawn:
    experiment = make.experiment("tempcnn", **changes)
    return parcel_parts([parcels.store], parcels.splits, experiment, CLASS_OF, months=months)


def test_parcels_with_a_class_and_a_split(parcels: SimpleNamespace, make: SimpleNamespace) -> None:
    parts = parts_of(parcels, make)
    assert {split: part.units["parcel_index"].tolist() for split, part in parts.items()} == {
        "train": [1, 2, 8], "val": [3, 9], "test": [7],
    }  # fmt: skip
    assert set(parts["train"].units["place"]) == {"2019_31TCJ"}
    assert {split: part.support.tolist() for split, part in parts.items()} == {
        "train": [1, 1, 1, 0], "val": [0, 1, 1, 0], "test": [1, 0, 0, 0],
    }  # fmt: skip


def test_every_parcel_is_used_or_left_out_for_a_reason(parcels: SimpleNamespace, make: SimpleNamespace) -> None:
    (account,) = drawn_of(parcels, make).accounts
    assert account == Account("parcel", 9, {
        ("train", "used"): 3, ("val", "used"): 2, ("test", "used"): 1, ("train", "unknown_class"): 1,
        ("test", "missing_value"): 1, ("", "touches_other_split"): 1,
    })  # fmt: skip
    (limited,) = drawn_of(parcels, make, max_samples=2).accounts
    assert (limited.fates["train", "used"], limited.fates["train", "over_limit"]) == (2, 1)


def test_a_missing_value_counts_only_in_the_months_of_the_series(
    parcels: SimpleNamespace, make: SimpleNamespace
) -> None:
    assert parts_of(parcels, make)["test"].units["parcel_index"].tolist() == [7]
    assert parts_of(parcels, make, months=[7, 8])["test"].units["parcel_index"].tolist() == [
        6,
        7,
    ]  # parcel 6 lacks June


def test_a_parcel_whose_months_are_all_interpolated_teaches_nothing(
    parcels: SimpleNamespace, make: SimpleNamespace
) -> None:
    whole = pq.read_table(parcels.store)
    for month in MONTHS:
        name = f"{month:02d}_filled"
        values = [number == 1 or (number == 2 and month > MONTHS[0]) for number in range(1, 10)]
        whole = whole.set_column(whole.column_names.index(name), name, pa.array(values))
    pq.write_table(whole, parcels.store)
    drawn = drawn_of(parcels, make)
    assert drawn.parts["train"].units["parcel_index"].tolist() == [2, 8]
    assert drawn.accounts[0].fates["train", "no_measured_month"] == 1


def test_parcels_outside_the_legend_and_of_other_areas_are_counted(
    parcels: SimpleNamespace, make: SimpleNamespace
) -> None:
    parcels.splits.write_text(parcels.splits.read_text().replace("31TCJ,2019", "31TCH,2019"))
    other = make.parcels(
        parcels.store.with_name("31TCH_2019_parcels.parquet"), [110, 150, 120, 110, 120, 330, 110, 150, 0]
    )
    experiment = make.experiment("tempcnn")
    drawn = parcel_parts([parcels.store, other], parcels.splits, experiment, CLASS_OF, months=MONTHS)
    assert drawn.accounts[0].given == 18
    assert drawn.accounts[0].fates == {
        ("", "not_in_scenario"): 9, ("", "touches_other_split"): 1, ("train", "used"): 2, ("val", "used"): 1,
        ("test", "used"): 2, ("train", "not_in_legend"): 2, ("val", "not_in_legend"): 1,
    }  # fmt: skip


def test_a_series_is_mean_and_deviation_of_bands_by_month(parcels: SimpleNamespace, make: SimpleNamespace) -> None:
    part = parts_of(parcels, make)["train"]
    inputs, targets = part.samples.read(np.array([2, 0]))
    assert (inputs.shape, inputs.dtype, targets.tolist()) == ((2, 7, 26), np.float32, [2, 0])
    row = pq.read_table(parcels.store).slice(7, 1).to_pylist()[0]  # parcel 8
    assert inputs[0, 0, 0] == np.float32(row["B01_04_mean"]) / np.float32(10000)
    assert inputs[0, 6, 7] == np.float32(row["B04_10_std"]) / np.float32(10000)
    assert inputs[0, 1, 24] == np.float32(row["B8A_05_mean"]) / np.float32(10000)  # sorted by name: B12 before B8A


def test_a_table_without_a_class_is_named(parcels: SimpleNamespace, make: SimpleNamespace) -> None:
    whole = pq.read_table(parcels.store)
    pq.write_table(whole.drop(["class_code"]), parcels.store)
    with pytest.raises(SampleError, match=r"31TCJ_2019_parcels\.parquet: has no column class_code"):
        parts_of(parcels, make)
    codes = pa.array([110, None, *[120] * 7], pa.int32())
    pq.write_table(whole.set_column(1, "class_code", codes), parcels.store)
    with pytest.raises(SampleError, match="1 of 9 parcels have no class_code"):
        parts_of(parcels, make)


# --- patches ------------------------------------------------------------------------------------------


@pytest.fixture
def patches(make: SimpleNamespace, tmp_path: Path) -> SimpleNamespace:
    store = make.patches(tmp_path / "31TCJ_2019_patches.h5")
    return SimpleNamespace(store=store, splits=make.patch_splits(tmp_path / "splits.csv", [("31TCJ", 2019)]))


def patch_parts_of(patches: SimpleNamespace, make: SimpleNamespace, files: ExitStack, **changes: object) -> dict:
    return drawn_patches(patches, make, files, **changes).parts


def drawn_patches(patches: SimpleNamespace, make: SimpleNamespace, files: ExitStack, **changes: object) -> Drawn:
    return patch_parts([patches.store], patches.splits, make.experiment("unet", **changes), CLASS_OF, files)


def test_sub_patches_lie_in_their_patch_and_hold_the_legend(patches: SimpleNamespace, make: SimpleNamespace) -> None:
    with ExitStack() as files, h5py.File(patches.store) as file:
        parts = patch_parts_of(patches, make, files)
        labels = file["labels"][...]
    cells = CLASS_OF[labels].reshape(12, 61, 12, 61).transpose(0, 2, 1, 3)
    holds = (cells != -1).any(axis=(2, 3))
    side = {"train": np.s_[:, :6], "val": np.s_[:6, 6:], "test": np.s_[6:, 6:]}
    for split, part in parts.items():
        expected = np.zeros_like(holds)
        expected[side[split]] = holds[side[split]]
        assert list(zip(part.units["row"], part.units["column"], strict=True)) == list(zip(*np.nonzero(expected)))  # noqa: B905
        known = cells[expected][cells[expected] != -1]
        assert part.support.tolist() == np.bincount(known, minlength=4).tolist()
        assert part.samples.size == len(part.units)


def test_a_sample_is_reflectance_and_classes_of_its_pixels(patches: SimpleNamespace, make: SimpleNamespace) -> None:
    with ExitStack() as files, h5py.File(patches.store) as file:
        part = patch_parts_of(patches, make, files)["test"]
        inputs, targets = part.samples.read(np.array([3, 1]))
        row, column = part.units.loc[1, ["row", "column"]]
        window = np.s_[row * 61 : row * 61 + 61, column * 61 : column * 61 + 61]
        np.testing.assert_array_equal(inputs[1], file["composites"][:, :, *window] / np.float32(10000))
        np.testing.assert_array_equal(targets[1], CLASS_OF[file["labels"][window]])
    assert (inputs.dtype, inputs.shape, part.samples.shape) == (np.float32, (2, 2, 2, 61, 61), (2, 2, 61, 61))
    assert (targets.dtype, (targets == -1).any()) == (np.int64, True)


def test_pixels_without_any_acquisition_are_0_masked_and_counted(
    patches: SimpleNamespace, make: SimpleNamespace
) -> None:
    with h5py.File(patches.store, "r+") as file:
        cells = CLASS_OF[file["labels"][...]].reshape(12, 61, 12, 61)[:, 30, :, 30]
        row, column = np.argwhere(cells[:, :6] != -1)[0]  # of training
        y, x = row * 61 + 20, column * 61 + 20
        file["composites"][:, :, y : y + 2, x : x + 5] = np.nan
        file["composites"][0, 1, y + 2, x] = np.nan  # one month and band is enough
    with ExitStack() as files:
        drawn = drawn_patches(patches, make, files)
        parts, (_, pixels) = drawn.parts, drawn.accounts
        missing = [pixels.fates.get((split, "missing_value"), 0) for split in parts]
        assert missing == [11, 0, 0]
        inputs, targets = parts["train"].samples.read(np.array([0]))
    assert (inputs[0, :, :, 20:22, 20:25] == 0).all()
    assert (targets[0, 20:22, 20:25] == -1).all()
    assert (targets[0, 22, 20], inputs[0, 0, 1, 22, 20]) == (-1, 0)
    assert np.isfinite(inputs).all()
    assert (targets[0, 23:, :] == cells[row, column]).all()


def test_every_sub_patch_and_every_pixel_is_used_or_left_out_for_a_reason(
    patches: SimpleNamespace, make: SimpleNamespace
) -> None:
    """Four patches of 36 sub-patches of one class each; their first row and column of pixels are background."""
    with h5py.File(patches.store, "r+") as file:
        codes = file["labels"][...].reshape(12, 61, 12, 61)[:, 30, :, 30]
        row, column = np.argwhere(CLASS_OF[codes][:, :6] != -1)[0]  # of training
        file["composites"][0, 0, row * 61 : row * 61 + 61, column * 61 : column * 61 + 61] = np.nan
        file["labels"][61 * 11 + 5, 61 * 11 + 5 : 61 * 11 + 8] = [150, 998, 0]  # of test
    holds = (CLASS_OF[codes] != -1)[:, :6]
    with ExitStack() as files:
        drawn = drawn_patches(patches, make, files)
        units, pixels = drawn.accounts
    assert (units.unit, units.given, pixels.unit) == ("sub_patch", 144, "pixel")
    assert units.fates["train", "used"] == holds.sum() - 1
    assert (units.fates["train", "missing_value"], units.fates["train", "no_legend_pixel"]) == (1, (~holds).sum())
    used = sum(part.samples.size for part in drawn.parts.values())
    assert (pixels.given, sum(pixels.fates.values())) == (used * 61**2, used * 61**2)
    assert pixels.fates["val", "background"] == 61 * drawn.parts["val"].samples.size
    assert pixels.fates["val", "used"] == 60 * 61 * drawn.parts["val"].samples.size
    if CLASS_OF[codes[11, 11]] != -1:
        assert [pixels.fates["test", fate] for fate in ("not_in_legend", "unknown_class")] == [1, 1]


def test_patches_without_a_split_are_counted_as_such(patches: SimpleNamespace, make: SimpleNamespace) -> None:
    text = patches.splits.read_text()
    patches.splits.write_text("".join(line for line in text.splitlines(keepends=True) if ",val," not in line))
    with ExitStack() as files:
        assert drawn_patches(patches, make, files).accounts[0].fates["", "no_labelled_pixel"] == 36
    patches.splits.write_text(text.replace("scenario1", "scenario2"))
    with ExitStack() as files:
        assert drawn_patches(patches, make, files).accounts[0].fates == {("", "not_in_scenario"): 144}


def test_reading_a_sample_reads_one_chunk(patches: SimpleNamespace) -> None:
    with h5py.File(patches.store) as file:
        series, labels = read_sub_patch(file, 3, 7)
        assert series.shape == file["composites"].chunks
        assert labels.shape == file["labels"].chunks


# --- drawing ------------------------------------------------------------------------------------------


def table(numbers: range, split: str = "train") -> pd.DataFrame:
    return pd.DataFrame({"place": "2019_31TCJ", "parcel_index": list(numbers), "split": split})


def test_more_samples_keep_those_already_drawn_and_a_new_tile_moves_none(make: SimpleNamespace) -> None:
    units = table(range(1, 1001))
    few, more = (set(draw(units, make.experiment("tempcnn", max_samples=n), "train")) for n in (50, 200))
    assert (len(few), len(more)) == (50, 200)
    assert few < more
    with_tile = pd.concat([units, table(range(1, 1001)).assign(place="2019_31TCH")], ignore_index=True)
    again = draw(with_tile, make.experiment("tempcnn", max_samples=200), "train")
    assert {n for n in again if n < 1000} <= more


def test_drawing_depends_on_the_seed_and_is_not_the_first_rows(make: SimpleNamespace) -> None:
    units = table(range(1, 1001))
    drawn = [draw(units, make.experiment("tempcnn", max_samples=100, seed=seed), "train").tolist() for seed in (16, 17)]
    assert drawn[0] != drawn[1]
    assert 300 < np.mean(drawn[0]) < 700


def test_validation_and_test_take_a_third(make: SimpleNamespace) -> None:
    limited = make.experiment("tempcnn", max_samples=30)
    assert [len(draw(table(range(100), split), limited, split)) for split in ("train", "val", "test")] == [30, 10, 10]
    free = make.experiment("tempcnn")
    assert len(draw(table(range(100), "val"), free, "val")) == 100


# --- checks -------------------------------------------------------------------------------------------


def drawn_as(make: SimpleNamespace, **support: tuple[int, ...]) -> Drawn:
    """Parcels by split and class; five more of the validation have missing values."""
    parts = {}
    for split, numbers in support.items():
        samples = make.samples(np.zeros((sum(numbers), 7, 26), "f4"), np.zeros(sum(numbers), int))
        parts[split] = Part(samples, pd.DataFrame(), np.array(numbers))
    fates = {(split, "used"): sum(numbers) for split, numbers in support.items()} | {("val", "missing_value"): 5}
    return Drawn(parts, [Account("parcel", sum(fates.values()), fates)])


def test_a_split_without_samples_is_named(make: SimpleNamespace) -> None:
    expected = r"scenario1_tempcnn: val of scenario1 holds no sample of the legend \(left out: 5 missing_value\)"
    with pytest.raises(ConfigError, match=expected):
        check_parts(make.experiment("tempcnn"), drawn_as(make, train=(3, 2), val=(0, 0), test=(1, 0)))


def test_training_needs_two_classes_but_a_class_may_be_missing_elsewhere(make: SimpleNamespace) -> None:
    check_parts(make.experiment("tempcnn"), drawn_as(make, train=(3, 2, 0), val=(1, 0, 0), test=(0, 0, 4)))
    with pytest.raises(ConfigError, match="train of scenario1 holds 1 class of the legend; expected two or more"):
        check_parts(make.experiment("tempcnn"), drawn_as(make, train=(5, 0, 0), val=(1, 0, 0), test=(0, 0, 4)))


def test_numbers_that_do_not_add_up_stop_the_training() -> None:
    account = Account("parcel", 10, {("train", "used"): 6, ("", "no_pixel"): 3})
    with pytest.raises(SampleError, match="scenario1_x: 10 parcels were given, 9 are used or left out"):
        check_balance("scenario1_x", account, {"train": 6})
    with pytest.raises(SampleError, match="scenario1_x: train holds 5 parcels; the account says 6"):
        check_balance("scenario1_x", replace(account, given=9), {"train": 5})


def test_an_account_as_a_table(tmp_path: Path) -> None:
    fates = {("train", "missing_value"): 2, ("train", "used"): 6, ("", "no_pixel"): 3, ("val", "used"): 0}
    write_accounts(tmp_path / "samples.csv", [Account("parcel", 11, fates)])
    assert (tmp_path / "samples.csv").read_text().splitlines() == [
        "unit,split,fate,number", "parcel,,given,11", "parcel,train,used,6", "parcel,train,missing_value,2",
        "parcel,,no_pixel,3",
    ]  # fmt: skip


# --- what is refused ----------------------------------------------------------------------------------


def edit(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Change a table of splits as text."""
    change(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda t: pd.concat([t, t[:1]]), "scenario1: tile 31TCJ, year 2019, parcel_index 1 stands twice"),
        (lambda t: t.replace({"split": {"val": "valid"}}), 'scenario1: holds the split "valid".*did you mean "val"'),
        (lambda t: t.replace({"tile": {"31TCJ": "31TCH"}}), "scenario1: holds 31TCH 2019, without composites here"),
        (lambda t: t[1:], "1 parcels lack in the splits, the first is 1. They were made from different declarations"),
        (lambda t: t.replace({"parcel_index": {"1": "77"}}), "1 parcels lack in the splits, the first is 1"),
        (
            lambda t: pd.concat([t, t[:1].assign(parcel_index="77")]),
            "lacks 1 parcels that have a split, the first is 77",
        ),
        (lambda t: t.replace({"parcel_index": {"1": "one"}}), "s.csv: not readable as splits"),
        (lambda t: t.drop(columns="parcel_index"), "s.csv: not readable as splits"),
    ],
)
def test_splits_that_do_not_fit_the_parcels_are_named(
    parcels: SimpleNamespace, make: SimpleNamespace, change: Callable[[pd.DataFrame], pd.DataFrame], text: str
) -> None:
    edit(parcels.splits, change)
    with pytest.raises(CropstackError, match=text):
        parts_of(parcels, make)


def test_a_patch_outside_the_tile_is_named(patches: SimpleNamespace, make: SimpleNamespace) -> None:
    edit(patches.splits, lambda t: t.replace({"row": {"1": "7"}}))
    with ExitStack() as files, pytest.raises(SampleError, match=r"has no patch \(7, 0\).*numbers below \[2, 2\]"):
        patch_parts_of(patches, make, files)


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("class_code", 5000, "holds the class code 5000; expected 0 to 999"),
        ("class_code", -1, "holds the class code -1; expected 0 to 999"),
        ("B04_06_mean", np.inf, "B04_06_mean holds an infinite value"),
        ("parcel_index", 1, "a parcel_index stands twice"),
        ("B04_06_mean", "dark", r"parcels\.parquet: not readable as composites of parcels"),
    ],
)
def test_values_that_cannot_be_are_named(
    parcels: SimpleNamespace, make: SimpleNamespace, column: str, value: object, text: str
) -> None:
    whole = pq.read_table(parcels.store)
    place = whole.schema.get_field_index(column)
    values = pa.array([value] * len(whole), None if isinstance(value, str) else whole.schema.types[place])
    pq.write_table(whole.set_column(place, column, values), parcels.store)
    with pytest.raises(CropstackError, match=text):
        parts_of(parcels, make)


def damage(path: Path, how: str) -> None:
    """Cut a file, overwrite its middle, or replace it by text."""
    data = path.read_bytes()
    middle = len(data) // 2
    damaged = {"cut": data[:middle], "text": b"hello", "hole": data[:middle] + b"\xa5" * 4000 + data[middle + 4000 :]}
    path.write_bytes(damaged[how])


@pytest.mark.parametrize("how", ["cut", "text", "hole"])
def test_damaged_composites_are_named(
    parcels: SimpleNamespace, patches: SimpleNamespace, make: SimpleNamespace, how: str
) -> None:
    if how != "hole":  # a hole of 4000 bytes is more than this table has
        damage(parcels.store, how)
        with pytest.raises(CropstackError, match=r"31TCJ_2019_parcels\.parquet: not readable as composites of parcels"):
            parts_of(parcels, make)
    with h5py.File(patches.store, "r+") as file:  # in checked chunks, as the step writes them
        series = file["composites"][...]
        about = file["composites"].attrs["bands"]
        del file["composites"]
        file.create_dataset("composites", data=series, chunks=(2, 2, 61, 61), compression="gzip").attrs["bands"] = about
    damage(patches.store, how)
    with ExitStack() as files, pytest.raises(CropstackError, match=r"31TCJ_2019_patches\.h5: not readable as"):
        patch_parts_of(patches, make, files)


@pytest.mark.parametrize("table", ["parcels", "patches"])
def test_composites_under_the_name_of_another_tile_are_refused(
    parcels: SimpleNamespace, patches: SimpleNamespace, make: SimpleNamespace, table: str
) -> None:
    inputs = {"parcels": parcels, "patches": patches}[table]
    inputs.store = inputs.store.rename(inputs.store.with_name(inputs.store.name.replace("31TCJ", "31TCH")))
    inputs.splits.write_text(inputs.splits.read_text().replace("31TCJ", "31TCH"))
    with ExitStack() as files, pytest.raises(SampleError, match="holds 31TCJ 2019; expected 31TCH 2019"):
        parts_of(parcels, make) if table == "parcels" else patch_parts_of(patches, make, files)


def test_composites_of_other_months_do_not_mix(patches: SimpleNamespace, make: SimpleNamespace) -> None:
    other = make.patches(patches.store.with_name("31TCH_2019_patches.h5"), months=3)
    experiment = make.experiment("unet")
    with (
        ExitStack() as files,
        pytest.raises(SampleError, match=r"31TCH_2019_patches\.h5: has months, bands and chunks"),
    ):
        patch_parts([patches.store, other], patches.splits, experiment, CLASS_OF, files)
