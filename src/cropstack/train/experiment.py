"""One experiment of a recipe: which model learns from which samples in which scenario, and how. Imports no torch."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cropstack.errors import ConfigError, nearest

# Which table a model learns from: patches (pad) or parcels (oad), as Sen4AgriNet names them.
TABLE_OF = {"unet": "pad", "tempcnn": "oad", "ndvi_neighbour": "oad"}
UNTRAINED = {"ndvi_neighbour"}


@dataclass(frozen=True)
class Training:
    """How a model is trained.

    Attributes
    ----------
    schedule : ``plateau`` (halve the rate after 4 epochs without a better validation loss) or ``step`` (a tenth every
        5 epochs).
    weighted : weigh classes by n / (K n_c) over the training set.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    schedule: str
    weighted: bool


@dataclass(frozen=True)
class Experiment:
    """A model in a scenario.

    Attributes
    ----------
    max_samples : largest number of training samples; validation and test take a third of it each. None takes all.
    training : None for a model that is not trained.
    """

    name: str
    model: str
    scenario: str
    max_samples: int | None
    seed: int
    training: Training | None


def experiment_from(settings: Mapping[str, Any]) -> Experiment:
    """An experiment from plain values, as `expand` gives them."""
    training = settings["training"]
    return Experiment(**{**settings, "training": Training(**training) if training else None})


def expand(
    experiments: Sequence[Mapping[str, Any]],
    limits: Mapping[str, Any],
    *,
    scenarios: Collection[str],
    known: Collection[str],
    seed: int,
) -> dict[str, list[dict[str, Any]]]:
    """Plain settings of the experiments to run, by table, sorted by name (``<scenario>_<model>``).

    Parameters
    ----------
    experiments : of a recipe; each names a model and its scenarios.
    limits : the configuration's `training`: for each table max_epochs, max_samples and max_batch_size (None for no
        limit), and leave_out (names).
    scenarios : those that the configured areas can train and test; experiments in others are left out.
    known : all scenarios of the recipe.

    Raises
    ------
    ConfigError : a model that lacks its training settings, or has them and is not trained; a scenario that the recipe
        does not have; a scenario and model twice; a name in leave_out that is no experiment.
    """
    found: dict[str, dict[str, Any]] = {}
    for entry in experiments:
        _check(entry, known)
        for scenario in entry["scenarios"]:
            name = f"{scenario}_{entry['model']}"
            if name in found:
                raise ConfigError(f"recipe: experiments: {name} stands twice; expected once")
            found[name] = _settings(name, scenario, entry, limits, seed)
    unknown = sorted(set(limits["leave_out"]) - set(found))
    if unknown:
        raise ConfigError(
            f'configuration: training.leave_out: no experiment "{unknown[0]}"{nearest(unknown[0], found)}'
        )
    tables: dict[str, list[dict[str, Any]]] = {}
    for name, settings in sorted(found.items()):
        if settings["scenario"] in scenarios and name not in limits["leave_out"]:
            tables.setdefault(TABLE_OF[settings["model"]], []).append(settings)
    return tables


def _check(entry: Mapping[str, Any], known: Collection[str]) -> None:
    model, trained = entry["model"], entry["training"] is not None
    if trained == (model in UNTRAINED):
        expected = "none, it is not trained" if trained else "epochs, batch_size, learning_rate, schedule and weighted"
        raise ConfigError(f"recipe: experiments: {model}: training is {entry['training']}; expected {expected}")
    for scenario in entry["scenarios"]:
        if scenario not in known:
            raise ConfigError(
                f'recipe: experiments: {scenario}_{model}: no scenario "{scenario}"{nearest(scenario, known)}'
            )


def _settings(
    name: str, scenario: str, entry: Mapping[str, Any], limits: Mapping[str, Any], seed: int
) -> dict[str, Any]:
    training, limit = entry["training"], limits[TABLE_OF[entry["model"]]]
    if training is not None:
        training = training | {
            "epochs": _least(training["epochs"], limit["max_epochs"]),
            "batch_size": _least(training["batch_size"], limit["max_batch_size"]),
        }
    most = _least(entry["max_samples"], limit["max_samples"])
    return {
        "name": name, "model": entry["model"], "scenario": scenario, "max_samples": most, "seed": seed,
        "training": training,
    }  # fmt: skip


def _least(*numbers: int | None) -> int | None:
    return min((number for number in numbers if number is not None), default=None)


def fingerprint(experiment: Experiment, **rest: object) -> str:
    """Digest of what a checkpoint depends on: the settings and what else is named."""
    text = json.dumps([asdict(experiment), rest], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def seed_of(experiment: Experiment, *parts: object) -> int:
    """A seed for one random choice of an experiment, so that an interrupted run repeats the same choices."""
    return _seed(experiment.seed, experiment.name, *parts)


def seed_of_samples(experiment: Experiment, split: str) -> int:
    """A seed for the choice of samples: the same for all models of a table and scenario, which are compared on them."""
    return _seed(experiment.seed, TABLE_OF[experiment.model], experiment.scenario, split)


def _seed(*parts: object) -> int:
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
