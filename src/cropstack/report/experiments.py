"""What experiments left behind, and what a paper published, as the report reads them."""

from dataclasses import dataclass
from pathlib import Path

from cropstack.errors import ConfigError
from cropstack.files import read_csv
from cropstack.legend import read_table

PUBLISHED = ["table", "scenario", "model", "name", "metric", "heading", "value", "source"]


@dataclass(frozen=True)
class Experiment:
    """A model that was tested: `table` is pad or oad, `metrics` are of all classes, shares 0 to 1.

    `confusion` counts by class (truth, then predicted), in the order of `classes`; `history` has a row per epoch
    (epoch, train_loss, val_loss) and is empty for a model that is not trained.
    """

    table: str
    scenario: str
    model: str
    metrics: dict[str, float]
    classes: list[str]
    confusion: list[list[int]]
    history: list[tuple[int, float, float]]

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.scenario}_{self.model}"


@dataclass(frozen=True)
class Published:
    """A value of a paper in percent: `metric` is the name that our metrics.csv has for it, `heading` the paper's."""

    table: str
    scenario: str
    model: str
    name: str
    metric: str
    heading: str
    value: float
    source: str


def read_experiment(folder: Path) -> Experiment:
    """Read a folder ``<table>/<scenario>_<model>`` as `train_models` wrote it."""
    scenario, _, model = folder.name.partition("_")
    metrics = {row["metric"]: float(row["value"]) for row in read_csv(folder / "metrics.csv") if not row["class"]}
    cells = read_csv(folder / "confusion.csv")
    classes = list(dict.fromkeys(row["truth"] for row in cells))
    count = {(row["truth"], row["predicted"]): int(row["count"]) for row in cells}
    confusion = [[count[truth, predicted] for predicted in classes] for truth in classes]
    training = folder / "training.csv"
    losses = read_csv(training) if training.exists() else []
    history = [(int(row["epoch"]), float(row["train_loss"]), float(row["val_loss"])) for row in losses]
    return Experiment(folder.parent.name, scenario, model, metrics, classes, confusion, history)


def read_published(path: Path) -> list[Published]:
    """Read `workflow/published/<recipe>/results.csv`.

    Raises
    ------
    ConfigError : another column, a value that is no number of percent, a value twice.
    """
    found: dict[tuple[str, str, str, str], Published] = {}
    for row in read_table(path, PUBLISHED):
        text = {name: row[name] for name in PUBLISHED if name != "value"}
        entry = Published(**text, value=_percent(path, row))
        key = (entry.table, entry.scenario, entry.model, entry.metric)
        if key in found:
            raise ConfigError(f"{path}: {' '.join(key)} stands twice; expected once. Keep one.")
        found[key] = entry
    return list(found.values())


def _percent(path: Path, row: dict[str, str]) -> float:
    try:
        value = float(row["value"])
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise ConfigError(
            f'{path}: {row["scenario"]} {row["model"]}: {row["metric"]} is "{row["value"]}"; expected 0 to 100 percent'
        )
    return value
