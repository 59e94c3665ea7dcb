"""Train the experiments of one table: patches (``pad``) or parcels (``oad``).

One process trains all of them, because importing the training stack costs seconds. Each becomes a folder with
samples.csv (what was given, used and left out), training.csv (losses by epoch), model.ckpt, metrics.csv, confusion.csv
and predictions.parquet; a model that is not trained has no training.csv and no model.ckpt.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cropstack.files import replace_on_success, sha256, write_csv
from cropstack.legend import LegendClass, read_classes, read_legend
from cropstack.models import MODELS
from cropstack.models.ndvi_neighbour import ndvi, nearest_class
from cropstack.step import code_of, step
from cropstack.train.account import write_accounts
from cropstack.train.checkpoint import Checkpoint, save_model
from cropstack.train.experiment import TABLE_OF, Experiment, experiment_from, fingerprint, seed_of
from cropstack.train.fit import class_weights, fit, predict
from cropstack.train.outputs import write_predictions, write_scores
from cropstack.train.parcels import BANDS, STATISTICS, parcel_parts
from cropstack.train.patches import patch_parts
from cropstack.train.samples import Drawn, Part, check_parts, class_lookup

Answers = tuple[np.ndarray, np.ndarray]  # predicted and true classes of the test samples


def train_models(
    composites: list[Path],
    splits: Path,
    legend: Path,
    classes: Path,
    experiments: Path,
    *,
    settings: list[dict[str, Any]],
    months: list[int],
    resume: str,
    threads: int,
) -> None:
    """Train and test every experiment of `settings`, all of one table, into folders of `experiments`.

    Parameters
    ----------
    composites : monthly composites of patches or of parcels, one file per tile and year, which its name tells.
    splits : of patches or of parcels.
    settings : as `expand` gives them.
    months : calendar months of a parcel's series; patches have those that are stored.
    resume : folder for checkpoints; a killed run continues from there.

    Raises
    ------
    ConfigError : see `check_parts`. SampleError : see `parcel_parts` and `patch_parts`. CropstackError : see `fit`; a
    cut or damaged file.
    """
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    crops = read_legend(legend, read_classes(classes))
    chosen = [experiment_from(values) for values in settings]
    made_of = {"inputs": [sha256(path) for path in [*composites, splits, legend]], "months": months, "threads": threads}
    checkpoints = {experiment.name: checkpoint_of(experiment, Path(resume), made_of) for experiment in chosen}
    with replace_on_success(experiments) as folder:
        for experiment in chosen:
            with ExitStack() as files:
                drawn = draw_samples(composites, splits, experiment, crops, months, files)
                run_experiment(experiment, drawn, crops, folder / experiment.name, checkpoints[experiment.name])
    for checkpoint in checkpoints.values():
        checkpoint.remove()


def checkpoint_of(experiment: Experiment, folder: Path, made_of: dict[str, Any]) -> Checkpoint:
    """Where an experiment's state between epochs is kept, with the key of all that it depends on."""
    key = fingerprint(experiment, code=code_of("train.train_models"), torch=torch.__version__, **made_of)
    return Checkpoint(folder / f"{experiment.name}.resume", key)


def draw_samples(
    composites: list[Path],
    splits: Path,
    experiment: Experiment,
    legend: list[LegendClass],
    months: list[int],
    files: ExitStack,
) -> Drawn:
    """Train, validation and test samples of an experiment, checked; `files` closes what stays open to be read."""
    class_of = class_lookup(legend)
    if TABLE_OF[experiment.model] == "pad":
        drawn = patch_parts(composites, splits, experiment, class_of, files)
    else:
        drawn = parcel_parts(composites, splits, experiment, class_of, months=months)
    check_parts(experiment, drawn)
    return drawn


def run_experiment(
    experiment: Experiment,
    drawn: Drawn,
    legend: list[LegendClass],
    folder: Path,
    checkpoint: Checkpoint,
) -> None:
    """Train one model, test it and write its folder."""
    folder.mkdir(parents=True)
    parts = drawn.parts
    write_accounts(folder / "samples.csv", drawn.accounts)
    sizes = ", ".join(f"{part.samples.size} {split}" for split, part in parts.items())
    print(f"{experiment.name}: {sizes}")
    if experiment.model == "ndvi_neighbour":
        predicted, truth = nearest_neighbour(parts)
    else:
        predicted, truth = train_and_test(experiment, parts, len(legend), folder, checkpoint)
    write_scores(folder, predicted, truth, parts, legend)
    write_predictions(folder / "predictions.parquet", parts["test"], predicted, truth)


def train_and_test(
    experiment: Experiment, parts: dict[str, Part], classes: int, folder: Path, checkpoint: Checkpoint
) -> Answers:
    """Train a model, write training.csv and model.ckpt, and predict the test samples."""
    assert experiment.training is not None  # `expand` has refused others
    torch.manual_seed(seed_of(experiment, "weights"))
    train, val, test = (parts[split].samples for split in ("train", "val", "test"))
    built_with = {"months": train.shape[0], "features": train.shape[1], "classes": classes}
    model = MODELS[experiment.model](**built_with)
    weights = class_weights(parts["train"].support) if experiment.training.weighted else torch.ones(classes)
    history = fit(model, train, val, experiment, weights=weights, checkpoint=checkpoint)
    write_csv(folder / "training.csv", list(history[0]), [list(row.values()) for row in history])
    save_model(folder / "model.ckpt", model, experiment, built_with)
    return predict(model, test, classes=classes, batch_size=experiment.training.batch_size)


def nearest_neighbour(parts: dict[str, Part]) -> Answers:
    """Class of the training parcel with the nearest series of mean NDVI."""
    red, infrared = (BANDS.index(band) * len(STATISTICS) for band in ("B04", "B08"))
    series, targets = {}, {}
    for split in ("train", "test"):
        inputs, targets[split] = parts[split].samples.read(np.arange(parts[split].samples.size))
        series[split] = ndvi(inputs[..., red], inputs[..., infrared])
    predicted = nearest_class(series["train"], targets["train"], series["test"])
    return predicted.astype(np.int16), targets["test"].astype(np.int16)


if __name__ == "__main__":
    step(train_models, snakemake)  # noqa: F821
