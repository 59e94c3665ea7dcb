"""Which samples a model sees: by split, by legend, drawn by hash; and what their values are."""

from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cropstack.errors import ConfigError, SampleError
from cropstack.legend import LegendClass
from cropstack.train.parcels import parcel_parts
from cropstack.train.patches import patch_parts, read_sub_patch
from cropstack.train.samples import Part, check_parts, class_lookup, draw

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


def test_a_parcel_without_a_value_is_left_out_and_counted(parcels: SimpleNamespace, make: SimpleNamespace) -> None:
    assert [part.left_out for part in parts_of(parcels, make).values()] == [0, 0, 1]
    others = parts_of(parcels, make, months=[7, 8])
    assert others["test"].left_out == 0  # the missing value is in June
    assert others["test"].units["parcel_index"].tolist() == [6, 7]


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
        parts = patch_parts_of(patches, make, files)
        assert [part.left_out for part in parts.values()] == [11, 0, 0]
        inputs, targets = parts["train"].samples.read(np.array([0]))
    assert (inputs[0, :, :, 20:22, 20:25] == 0).all()
    assert (targets[0, 20:22, 20:25] == -1).all()
    assert (targets[0, 22, 20], inputs[0, 0, 1, 22, 20]) == (-1, 0)
    assert np.isfinite(inputs).all()
    assert (targets[0, 23:, :] == cells[row, column]).all()


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


def part(make: SimpleNamespace, *support: int) -> Part:
    number = sum(support)
    samples = make.samples(np.zeros((number, 7, 26), "f4"), np.zeros(number, int))
    return Part(samples, pd.DataFrame(), np.array(support), 5)


def test_a_split_without_samples_is_named(make: SimpleNamespace) -> None:
    parts = {"train": part(make, 3, 2), "val": part(make, 0, 0), "test": part(make, 1, 0)}
    expected = r"scenario1_tempcnn: val of scenario1 holds no sample of the legend \(5 left out for missing values\)"
    with pytest.raises(ConfigError, match=expected):
        check_parts(make.experiment("tempcnn"), parts)


def test_training_needs_two_classes_but_a_class_may_be_missing_elsewhere(make: SimpleNamespace) -> None:
    good = {"train": part(make, 3, 2, 0), "val": part(make, 1, 0, 0), "test": part(make, 0, 0, 4)}
    check_parts(make.experiment("tempcnn"), good)
    with pytest.raises(ConfigError, match="train of scenario1 holds 1 class of the legend; expected two or more"):
        check_parts(make.experiment("tempcnn"), good | {"train": part(make, 5, 0, 0)})
