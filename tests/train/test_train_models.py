"""The step: folders of experiments, their files, equal bytes, kills."""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import accuracy_score, f1_score

from cropstack.errors import ConfigError
from cropstack.models import MODELS
from cropstack.train.checkpoint import Checkpoint, load_weights
from cropstack.train.train_models import train_models

MONTHS = [4, 5, 6, 7, 8, 9, 10]


@pytest.fixture(scope="module")
def oad(make: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """180 parcels on one tile; no parcel of Grapes in train, one in test."""
    folder = tmp_path_factory.mktemp("oad")
    rng = np.random.default_rng(2)
    codes, splits = rng.choice([110, 120], 180), rng.choice(["train", "train", "val", "test", ""], 180)
    codes[np.flatnonzero(splits == "test")[0]] = 330
    store = make.parcels(folder / "31TCJ_2019_parcels.parquet", codes.tolist())
    return SimpleNamespace(
        composites=[store], splits=make.parcel_splits(folder / "parcel_splits.csv", "31TCJ", 2019, splits.tolist()),
        experiments=[
            make.experiment("tempcnn", training=replace(make.training, epochs=12)), make.experiment("ndvi_neighbour"),
        ],
    )  # fmt: skip


@pytest.fixture(scope="module")
def pad(make: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("pad")
    training = replace(make.training, epochs=2, batch_size=4)
    return SimpleNamespace(
        composites=[make.patches(folder / "31TCJ_2019_patches.h5")],
        splits=make.patch_splits(folder / "splits.csv", [("31TCJ", 2019)]),
        experiments=[make.experiment("unet", training=training, max_samples=9)],
    )  # fmt: skip


def run(inputs: SimpleNamespace, make: SimpleNamespace, output: Path, resume: Path) -> Path:
    settings: list[dict[str, Any]] = [asdict(experiment) for experiment in inputs.experiments]
    train_models(
        inputs.composites, inputs.splits, make.legend, make.classes, output,
        settings=settings, months=MONTHS, resume=str(resume), threads=1,
    )  # fmt: skip
    return output


@pytest.fixture(scope="module")
def trained(
    oad: SimpleNamespace, pad: SimpleNamespace, make: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    for name, inputs in (("oad", oad), ("pad", pad)):
        run(inputs, make, folder / name, folder / f"resume_{name}")
    return folder


def metrics(folder: Path) -> dict[tuple[str, str], str]:
    with open(folder / "metrics.csv", newline="") as handle:
        return {(row["metric"], row["class"]): row["value"] for row in csv.DictReader(handle)}


def digests(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_each_experiment_has_its_folder(trained: Path) -> None:
    files = ["confusion.csv", "metrics.csv", "model.ckpt", "predictions.parquet", "samples.csv", "training.csv"]
    assert sorted(os.listdir(trained / "oad")) == ["scenario1_ndvi_neighbour", "scenario1_tempcnn"]
    assert sorted(os.listdir(trained / "oad/scenario1_tempcnn")) == files
    assert sorted(os.listdir(trained / "pad/scenario1_unet")) == files
    untrained = sorted(set(files) - {"model.ckpt", "training.csv"})
    assert sorted(os.listdir(trained / "oad/scenario1_ndvi_neighbour")) == untrained
    assert not list(trained.glob("resume_*/*"))


@pytest.mark.parametrize("name", ["oad/scenario1_tempcnn", "oad/scenario1_ndvi_neighbour", "pad/scenario1_unet"])
def test_metrics_follow_from_the_predictions(trained: Path, name: str) -> None:
    table = pq.read_table(trained / name / "predictions.parquet")
    predicted, truth = (np.array(table[column].to_pylist()).ravel() for column in ("predicted", "truth"))
    predicted, truth = predicted[truth != 0], truth[truth != 0]
    found = metrics(trained / name)
    assert float(found["overall_accuracy", ""]) == pytest.approx(accuracy_score(truth, predicted), abs=1e-6)
    weighted = f1_score(truth, predicted, average="weighted", zero_division=0)
    assert float(found["f1_weighted", ""]) == pytest.approx(weighted, abs=1e-6)
    with open(trained / name / "confusion.csv", newline="") as handle:
        cells = {(row["truth"], row["predicted"]): row for row in csv.DictReader(handle)}
    assert len(cells) == 11 * 11
    assert int(cells["Maize", "Wheat"]["count"]) == ((truth == 2) & (predicted == 1)).sum()
    crops = {crop for crop, _ in cells}
    answered = {answer for (_, answer), cell in cells.items() if int(cell["count"])}
    for answer in crops:
        shares = sum(float(cells[crop, answer]["share_of_predicted"]) for crop in crops)
        assert shares == pytest.approx(int(answer in answered), abs=1e-5)


def test_a_class_that_a_split_lacks_is_visible(trained: Path) -> None:
    found = metrics(trained / "oad/scenario1_tempcnn")
    assert [found[f"support_{split}", "Grapes"] for split in ("train", "val", "test")] == ["0", "0", "1"]
    assert found["recall", "Grapes"] == "0.000000"
    assert found["support_train", "Peas"] == "0"
    assert found["classes_missing_train", ""] == "9"  # all but wheat and maize
    assert int(found["samples_train", ""]) == int(found["support_train", "Wheat"]) + int(
        found["support_train", "Maize"]
    )


def test_predictions_name_their_samples(trained: Path, oad: SimpleNamespace, pad: SimpleNamespace) -> None:
    parcels = pq.read_table(trained / "oad/scenario1_tempcnn/predictions.parquet")
    assert parcels.column_names == ["place", "parcel_index", "predicted", "truth"]
    codes = pq.read_table(oad.composites[0])["class_code"].to_numpy()
    ids = {110: 1, 120: 2, 330: 7}
    assert parcels["truth"].to_pylist() == [ids[codes[number - 1]] for number in parcels["parcel_index"].to_pylist()]
    pixels = pq.read_table(trained / "pad/scenario1_unet/predictions.parquet")
    assert pixels.column_names == ["place", "row", "column", "predicted", "truth"]
    assert len(pixels["truth"][0].as_py()) == 61 * 61
    assert min(min(row) for row in pixels["predicted"].to_pylist()) >= 1


def test_classes_that_differ_are_learned(trained: Path) -> None:
    found = metrics(trained / "oad/scenario1_tempcnn")
    assert float(found["overall_accuracy", ""]) > 0.9
    assert float(found["overall_accuracy", ""]) > float(found["majority_share", ""]) + 0.15


def test_weighted_losses_count_a_crop_by_its_share_of_the_training_set(make: SimpleNamespace, tmp_path: Path) -> None:
    """Train holds 24 parcels of Wheat and 8 of Maize; validation holds Grapes only, which then weigh nothing."""
    store = make.parcels(tmp_path / "31TCJ_2019_parcels.parquet", [110] * 24 + [120] * 8 + [330] * 6)
    splits = ["train"] * 32 + ["val"] * 3 + ["test"] * 3
    losses = {}
    for weighted in (True, False):
        training = replace(make.training, epochs=1, weighted=weighted)
        inputs = SimpleNamespace(
            composites=[store], splits=make.parcel_splits(tmp_path / "parcel_splits.csv", "31TCJ", 2019, splits),
            experiments=[make.experiment("tempcnn", training=training)],
        )  # fmt: skip
        folder = run(inputs, make, tmp_path / str(weighted), tmp_path / "resume") / "scenario1_tempcnn"
        losses[weighted] = pd.read_csv(folder / "training.csv").loc[0]
    assert losses[True]["val_loss"] == 0 < losses[False]["val_loss"]
    assert losses[True]["train_loss"] != losses[False]["train_loss"]


def test_the_saved_model_can_be_used(trained: Path) -> None:
    load_weights(trained / "oad/scenario1_tempcnn/model.ckpt", MODELS["tempcnn"](months=7, features=26, classes=11))
    load_weights(trained / "pad/scenario1_unet/model.ckpt", MODELS["unet"](months=2, features=2, classes=11))


DRIVER = """
import json, sys
from pathlib import Path
from cropstack.train.train_models import train_models

for job in json.loads(sys.argv[1]):
    files = [Path(file) for file in job["files"]]
    train_models([Path(file) for file in job["composites"]], *files, **job["params"])
"""


def test_same_inputs_same_bytes_in_another_process(
    trained: Path, oad: SimpleNamespace, pad: SimpleNamespace, make: SimpleNamespace, tmp_path: Path
) -> None:
    jobs = [
        {
            "composites": [str(path) for path in inputs.composites],
            "files": [str(path) for path in (inputs.splits, make.legend, make.classes, tmp_path / name)],
            "params": {
                "settings": [asdict(experiment) for experiment in inputs.experiments],
                "months": MONTHS, "resume": str(tmp_path / "resume"), "threads": 1,
            },
        }
        for name, inputs in (("oad", oad), ("pad", pad))
    ]  # fmt: skip
    subprocess.run([sys.executable, "-c", DRIVER, json.dumps(jobs)], check=True, capture_output=True)
    for name in ("oad", "pad"):
        assert digests(tmp_path / name) == digests(trained / name)


@pytest.mark.parametrize("table", ["oad", "pad"])
def test_a_killed_and_resumed_step_equals_an_undisturbed_one(
    trained: Path, oad: SimpleNamespace, pad: SimpleNamespace, make: SimpleNamespace, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, table: str,
) -> None:  # fmt: skip
    class Killed(Exception):
        pass

    save = Checkpoint.save

    def save_and_die(self: Checkpoint, state: object) -> None:
        save(self, state)
        raise Killed

    inputs = {"oad": oad, "pad": pad}[table]
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", save_and_die)
        with pytest.raises(Killed):
            run(inputs, make, tmp_path / "out", tmp_path / "resume")
    assert not (tmp_path / "out").exists()
    assert len(list((tmp_path / "resume").iterdir())) == 1
    run(inputs, make, tmp_path / "out", tmp_path / "resume")
    assert digests(tmp_path / "out") == digests(trained / table)


def test_a_scenario_without_test_samples_stops_and_leaves_nothing(
    oad: SimpleNamespace, make: SimpleNamespace, tmp_path: Path
) -> None:
    splits = shutil.copy(oad.splits, tmp_path / "splits.csv")
    splits.write_text(splits.read_text().replace(",test,", ",,"))
    changed = SimpleNamespace(**{**vars(oad), "splits": splits})
    with pytest.raises(ConfigError, match="scenario1_tempcnn: test of scenario1 holds no sample of the legend"):
        run(changed, make, tmp_path / "out", tmp_path / "resume")
    assert sorted(os.listdir(tmp_path)) == ["splits.csv"]
