"""Section "Scores": metrics beside the published ones, confusion matrices, losses (tables III, IV; figures 11, 12)."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from cropstack.report.charts import Axis, Line, draw_line_key, draw_lines, draw_matrix
from cropstack.report.experiments import Experiment, Published, read_experiment, read_published
from cropstack.report.inputs import Inputs

TABLES = {"pad": "Patches (PAD)", "oad": "Parcels (OAD)"}
# Of a table for which nothing is published.
METRICS = {"overall_accuracy": "Accuracy", "f1_weighted": "F1 W", "precision_weighted": "Precision W"}
OWN_MODELS = {"ndvi_neighbour": "nearest NDVI series (ours)"}
TICKS = 5  # at most so many steps of an axis


def scores(inputs: Inputs) -> dict[str, Any]:
    """Values of the section; none where nothing was trained and nothing is published."""
    experiments = [read_experiment(path) for path in inputs.files.experiments.values()]
    results = inputs.files.published.get("results")
    published = read_published(results) if results else []
    if not experiments and not published:
        return {}
    return {
        "trained": len(experiments),
        "simulated": any(scene.provider == "simulated" for scene in inputs.scenes),
        "tables": [_table(table, experiments, published) for table in TABLES if _found(table, experiments, published)],
        "legend": [{"mark": crop.id, "name": crop.name} for crop in inputs.legend],
        "experiments": [_matrix(experiment, published) for experiment in experiments],
        "curves": [_curves(experiment, published) for experiment in experiments if experiment.history],
        "line_keys": [{"key": Markup(draw_line_key(i)), "name": name} for i, name in enumerate(("train", "val"))],
    }


def _found(table: str, experiments: Sequence[Experiment], published: Sequence[Published]) -> bool:
    return table in {item.table for item in experiments} | {value.table for value in published}


# --- metrics ------------------------------------------------------------------------------------------


def _table(table: str, experiments: Sequence[Experiment], published: Sequence[Published]) -> dict[str, Any]:
    """One table: a row for each scenario and model that was trained or published."""
    here = [value for value in published if value.table == table]
    ours = {(item.scenario, item.model): item for item in experiments if item.table == table}
    metrics = {value.metric: value.heading for value in here} or METRICS
    pairs = dict.fromkeys([(value.scenario, value.model) for value in here] + sorted(ours))
    sources = sorted({value.source for value in here})
    return {
        "name": TABLES[table],
        "source": " and ".join(sources),
        "headings": list(metrics.values()),
        "rows": [
            _row(table, scenario, model, metrics, ours.get((scenario, model)), here)
            for scenario, model in sorted(pairs, key=lambda pair: pair[0])
        ],
    }


def _row(
    table: str,
    scenario: str,
    model: str,
    metrics: dict[str, str],
    ours: Experiment | None,
    published: Sequence[Published],
) -> dict[str, Any]:
    theirs = {value.metric: value.value for value in published if (value.scenario, value.model) == (scenario, model)}
    return {
        "scenario": scenario,
        "model": model_name(model, published),
        "key": f"{scenario}_{model}",
        "published_key": f"{table}/{scenario}/{model}",
        "trained": ours is not None,
        "samples": int(ours.metrics["samples_test"]) if ours else 0,
        "cells": [
            {"metric": metric, "ours": ours.metrics[metric] if ours else None, "published": theirs.get(metric)}
            for metric in metrics
        ],
    }


def model_name(model: str, published: Sequence[Published]) -> str:
    """Name of a model as its paper writes it, else as we do, else as the recipe does."""
    return next((value.name for value in published if value.model == model), OWN_MODELS.get(model, model))


# --- drawings -----------------------------------------------------------------------------------------


def _matrix(experiment: Experiment, published: Sequence[Published]) -> dict[str, Any]:
    title = f"{TABLES[experiment.table]}, {experiment.scenario}, {model_name(experiment.model, published)}"
    key = f"confusion/{experiment.name}"
    return {
        "title": title,
        "key": experiment.name,
        "drawing": Markup(draw_matrix(f"Confusion matrix: {title}", key, experiment.classes, experiment.confusion)),
        "tested": sum(map(sum, experiment.confusion)),
        "unit": "pixels" if experiment.table == "pad" else "parcels",
    }


def _curves(experiment: Experiment, published: Sequence[Published]) -> dict[str, Any]:
    title = f"{TABLES[experiment.table]}, {experiment.scenario}, {model_name(experiment.model, published)}"
    last = experiment.history[-1][0]
    top = max(max(train, val) for _, train, val in experiment.history)
    lines = [
        Line(name, [(row[0], row[column]) for row in experiment.history]) for column, name in ((1, "train"), (2, "val"))
    ]
    epochs = Axis(1, max(last, 2), [(tick or 1, f"{tick or 1:.0f}") for tick in ticks(last)])
    losses = Axis(0, ticks(top)[-1], [(tick, f"{tick:g}") for tick in ticks(top)])
    best, _, lowest = min(experiment.history, key=lambda row: row[2])
    return {
        "title": title,
        "key": experiment.name,
        "drawing": Markup(draw_lines(f"Loss by epoch: {title}", lines, epochs, losses)),
        "epochs": last,
        "best": best,
        "lowest": lowest,
    }


def ticks(top: float) -> list[float]:
    """Round numbers from 0 to the first that is not below `top`, at most five steps apart."""
    power = 10.0**-6
    while True:
        for step in (power, 2 * power, 5 * power):
            if top <= TICKS * step:
                steps = next(n for n in range(1, TICKS + 1) if n * step >= top * (1 - 1e-12))
                return [round(n * step, 9) for n in range(steps + 1)]
        power *= 10
