"""Tables III and IV, confusion matrices and losses, against scikit-learn."""

import csv
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_score

from cropstack.errors import ConfigError
from cropstack.files import write_csv
from cropstack.legend import LegendClass
from cropstack.report.experiments import read_experiment, read_published
from cropstack.report.scores import scores, ticks

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "workflow/published/sen4agrinet/results.csv"
NAMES = ["Wheat", "Maize", "Peas"]
LEGEND = [LegendClass(i, name, "#000000", (100 + i,)) for i, name in enumerate(NAMES, start=1)]


def predictions(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted classes; peas are never predicted."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 200)
    return truth, np.where(rng.random(200) < 0.6, np.minimum(truth, 1), rng.integers(0, 2, 200))


def write_experiment(folder: Path, *, seed: int, history: list[tuple[int, float, float]]) -> Path:
    """A folder as train_models writes it, its numbers by scikit-learn."""
    truth, predicted = predictions(seed)
    metrics = {
        "overall_accuracy": accuracy_score(truth, predicted),
        "accuracy_weighted": 0.8,
        "precision_weighted": precision_score(truth, predicted, average="weighted", zero_division=0),
        "f1_weighted": f1_score(truth, predicted, average="weighted"),
        "samples_test": len(truth),
    }
    rows = [[name, "", value] for name, value in metrics.items()] + [["f1", "Wheat", 0.5]]
    write_csv(folder / "metrics.csv", ["metric", "class", "value"], rows)
    counts = confusion_matrix(truth, predicted, labels=[0, 1, 2])
    cells = [[NAMES[t], NAMES[p], counts[t, p], 0] for t in range(3) for p in range(3)]
    write_csv(folder / "confusion.csv", ["truth", "predicted", "count", "share_of_predicted"], cells)
    if history:
        columns = ["epoch", "train_loss", "val_loss", "learning_rate"]
        write_csv(folder / "training.csv", columns, [[*row, 0.001] for row in history])
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("experiments")
    losses = [(1, 2.0, 2.1), (2, 1.5, 1.2), (3, 1.1, 1.4)]
    return {
        "scenario1_tempcnn": write_experiment(root / "oad/scenario1_tempcnn", seed=1, history=losses),
        "scenario1_ndvi_neighbour": write_experiment(root / "oad/scenario1_ndvi_neighbour", seed=2, history=[]),
    }


def some_inputs(
    experiments: dict[str, Path], published: dict[str, Path] | None = None, provider: str = "simulated"
) -> Any:
    files = SimpleNamespace(experiments=experiments, published={"results": RESULTS} if published is None else published)
    return SimpleNamespace(files=files, legend=LEGEND, scenes=[SimpleNamespace(provider=provider)])


def rows_of(values: dict[str, Any], table: str) -> dict[tuple[str, str], dict[str, Any]]:
    found = next(item for item in values["tables"] if item["name"].startswith(table))
    return {(row["scenario"], row["model"]): row for row in found["rows"]}


def test_metrics_of_this_build_equal_scikit_learn(folders: dict[str, Path]) -> None:
    row = rows_of(scores(some_inputs(folders)), "Parcels")["scenario1", "TempCNN"]
    truth, predicted = predictions(1)
    ours = {cell["metric"]: cell["ours"] for cell in row["cells"]}
    assert ours["overall_accuracy"] == pytest.approx(accuracy_score(truth, predicted))
    assert ours["f1_weighted"] == pytest.approx(f1_score(truth, predicted, average="weighted"))
    assert row["samples"] == 200


def test_published_values_stand_beside_them(folders: dict[str, Path]) -> None:
    rows = rows_of(scores(some_inputs(folders)), "Parcels")
    cells = {cell["metric"]: cell["published"] for cell in rows["scenario1", "TempCNN"]["cells"]}
    assert cells == {"overall_accuracy": 90.08, "f1_weighted": 89.97, "precision_weighted": 90.01}


def test_model_that_was_not_trained_is_shown_as_published_only(folders: dict[str, Path]) -> None:
    row = rows_of(scores(some_inputs(folders)), "Patches")["scenario3", "ConvSTAR"]
    assert not row["trained"]
    assert [(cell["ours"], cell["published"]) for cell in row["cells"]] == [(None, 69.07), (None, 34.45), (None, 67.43)]


def test_model_of_ours_has_no_published_value(folders: dict[str, Path]) -> None:
    row = rows_of(scores(some_inputs(folders)), "Parcels")["scenario1", "nearest NDVI series (ours)"]
    assert row["trained"]
    assert [cell["published"] for cell in row["cells"]] == [None, None, None]


def test_confusion_is_normalised_over_predictions_as_in_scikit_learn(folders: dict[str, Path]) -> None:
    matrix = next(item for item in scores(some_inputs(folders))["experiments"] if item["key"] == "scenario1_tempcnn")
    truth, predicted = predictions(1)
    expected = confusion_matrix(truth, predicted, labels=[0, 1, 2], normalize="pred")
    cells = re.findall(r'data-key="confusion/scenario1_tempcnn/(\w+)/(\w+)" data-value="([\d.]+)"', matrix["drawing"])
    found = {(t, p): float(value) for t, p, value in cells}
    for t, p in found:
        assert found[t, p] == pytest.approx(expected[NAMES.index(t), NAMES.index(p)], abs=1e-6)
    assert {p for _, p in found} == {"Wheat", "Maize"}  # the column of peas is empty: they are never predicted
    assert matrix["tested"] == 200


def test_losses_are_drawn_and_the_epoch_kept_is_the_one_of_lowest_validation_loss(folders: dict[str, Path]) -> None:
    (curve,) = scores(some_inputs(folders))["curves"]  # the neighbour is not trained
    assert (curve["epochs"], curve["best"], curve["lowest"]) == (3, 2, 1.2)
    assert curve["drawing"].count("<polyline") == 2


def test_without_experiments_only_published_values_are_shown() -> None:
    values = scores(some_inputs({}))
    assert (values["trained"], values["experiments"], values["curves"]) == (0, [], [])
    assert {len(table["rows"]) for table in values["tables"]} == {9}


def test_without_experiments_and_published_values_there_is_no_section() -> None:
    assert scores(some_inputs({}, published={})) == {}


def test_without_published_values_experiments_have_our_headings(folders: dict[str, Path]) -> None:
    (table,) = scores(some_inputs(folders, published={}))["tables"]
    assert table["headings"] == ["Accuracy", "F1 W", "Precision W"]
    assert [row["model"] for row in table["rows"]] == ["nearest NDVI series (ours)", "tempcnn"]


def test_values_from_real_products_are_not_called_simulated(folders: dict[str, Path]) -> None:
    assert scores(some_inputs(folders))["simulated"]
    assert not scores(some_inputs(folders, provider="folder"))["simulated"]


def test_published_tables_are_complete_and_of_the_meaning_that_each_table_has() -> None:
    published = read_published(RESULTS)
    assert len(published) == 2 * 3 * 3 * 3  # tables, scenarios, models, metrics
    means = {(value.table, value.source, value.metric) for value in published if value.heading == "Acc. W"}
    assert means == {("pad", "Table III", "accuracy_weighted"), ("oad", "Table IV", "overall_accuracy")}
    (best,) = [v for v in published if (v.scenario, v.model, v.metric) == ("scenario2", "lstm", "f1_weighted")]
    assert best.value == 91.34


@pytest.mark.parametrize("value", ["high", "101", "-1", "nan"])
def test_published_value_that_is_no_percentage_is_named(tmp_path: Path, value: str) -> None:
    with open(RESULTS, encoding="utf-8", newline="") as handle:
        header, first, *_ = csv.reader(handle)
    write_csv(tmp_path / "results.csv", header, [[*first[:6], value, first[7]]])
    with pytest.raises(ConfigError, match=f'scenario1 unet: accuracy_weighted is "{value}"'):
        read_published(tmp_path / "results.csv")


def test_published_value_twice_is_named(tmp_path: Path) -> None:
    with open(RESULTS, encoding="utf-8", newline="") as handle:
        header, first, *_ = csv.reader(handle)
    write_csv(tmp_path / "results.csv", header, [first, first])
    with pytest.raises(ConfigError, match="pad scenario1 unet accuracy_weighted stands twice"):
        read_published(tmp_path / "results.csv")


def test_experiment_is_named_by_its_folder(folders: dict[str, Path]) -> None:
    experiment = read_experiment(folders["scenario1_ndvi_neighbour"])
    assert (experiment.table, experiment.scenario, experiment.model) == ("oad", "scenario1", "ndvi_neighbour")
    assert experiment.history == []


def test_ticks_are_round_and_reach_the_top() -> None:
    assert ticks(2.3) == [0, 0.5, 1, 1.5, 2, 2.5]
    assert ticks(40) == [0, 10, 20, 30, 40]
    assert ticks(0.0031) == [0, 0.001, 0.002, 0.003, 0.004]
