"""Training of a torch model: loss, epochs, learning rate, and the guard against NaN."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cropstack.errors import CropstackError
from cropstack.train.checkpoint import Checkpoint, State
from cropstack.train.experiment import Experiment, Training, seed_of
from cropstack.train.samples import UNKNOWN, Samples

CLIP_NORM = 10.0  # SOURCE: S4A-Models, gradient clipping of the patch experiments; here of those with parcels too
LONG_EPOCH = 250  # batches; of a longer one the progress is shown
PLATEAU: dict[str, Any] = {"factor": 0.5, "patience": 4}  # SOURCE: S4A-Models
STEP: dict[str, Any] = {"step_size": 5, "gamma": 0.1}  # SOURCE: Sen4AgriNet, section VI-B


def class_weights(counts: np.ndarray) -> Tensor:
    """Balanced weights n / (K n_c), float32 (classes,), of the K classes that occur; 0 for the others."""
    present = counts > 0
    weights = np.zeros(len(counts), np.float32)
    weights[present] = counts.sum() / (present.sum() * counts[present])
    return torch.from_numpy(weights)


def summed_loss(log_probabilities: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Negative log-likelihood, weighted by class, summed over the known targets.

    Parameters
    ----------
    log_probabilities : (n, classes, …) or, with a background first, (n, 1 + classes, …).
    targets : (n, …), 0 to classes - 1, or `UNKNOWN`, which adds nothing and gets no gradient.
    weights : (classes,).

    Source: Sen4AgriNet, section VI-A (pixels of no parcel and of unknown class are masked).
    """
    classes = log_probabilities[:, -len(weights) :]
    return nn.functional.nll_loss(classes, targets, weight=weights, ignore_index=UNKNOWN, reduction="sum")


def fit(
    model: nn.Module, train: Samples, val: Samples, experiment: Experiment, *, weights: Tensor, checkpoint: Checkpoint
) -> list[dict[str, float]]:
    """Train `model` in place and leave it as it was after the epoch with the lowest validation loss.

    The state is saved after each epoch; a killed run continues there and ends with the same bits on the same machine
    with the same number of threads. Losses are means over known targets (S4A-Models divides by all pixels of parcels,
    also those outside the legend, which have no loss).

    Returns
    -------
    One row per epoch: epoch, train_loss, val_loss, learning_rate.

    Raises
    ------
    CropstackError : the loss is NaN or infinite; the checkpoint is another experiment's.
    """
    training = _training_of(experiment)
    optimiser = torch.optim.Adam(model.parameters(), lr=training.learning_rate)
    schedule = _schedule(optimiser, training)
    state = State({"model": model, "optimiser": optimiser, "schedule": schedule}, [], {})
    checkpoint.restore(state)
    for epoch in range(len(state.history) + 1, training.epochs + 1):
        rate = optimiser.param_groups[0]["lr"]
        train_loss = _train_epoch(model, train, experiment, epoch, optimiser, weights)
        val_loss = mean_loss(model, val, training.batch_size, weights)
        _guard(experiment, epoch, train_loss, val_loss)
        _advance(schedule, val_loss)
        row = {"epoch": epoch, "train_loss": train_loss, "val_loss": val_loss, "learning_rate": rate}
        if val_loss < min((earlier["val_loss"] for earlier in state.history), default=math.inf):
            state.best = {name: value.clone() for name, value in model.state_dict().items()}
        state.history.append(row)
        checkpoint.save(state)
        print(f"{experiment.name}: epoch {epoch}/{training.epochs}, loss {train_loss:.4f}, validation {val_loss:.4f}")
    model.load_state_dict(state.best)
    return state.history


def predict(model: nn.Module, samples: Samples, *, classes: int, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and true classes of all samples in order, int16 in the shape of the targets; truth may be `UNKNOWN`.

    Background is no answer: it was never a target, and only known targets are judged.
    """
    model.eval()
    predicted: list[np.ndarray] = []
    truth: list[np.ndarray] = []
    with torch.no_grad():
        for inputs, targets in samples.in_order(batch_size):
            predicted.append(model(torch.from_numpy(inputs))[:, -classes:].argmax(dim=1).numpy().astype(np.int16))
            truth.append(targets.astype(np.int16))
    return np.concatenate(predicted), np.concatenate(truth)


def mean_loss(model: nn.Module, samples: Samples, batch_size: int, weights: Tensor) -> float:
    """Loss over all samples, divided by the number of known targets; the model is in evaluation mode."""
    model.eval()
    with torch.no_grad():
        total, known = 0.0, 0
        for inputs, targets in samples.in_order(batch_size):
            total += summed_loss(model(torch.from_numpy(inputs)), torch.from_numpy(targets), weights).item()
            known += int((targets != UNKNOWN).sum())
    return total / known


def _training_of(experiment: Experiment) -> Training:
    if experiment.training is None:
        raise CropstackError(f"experiment {experiment.name}: {experiment.model} is not trained. Do not fit it.")
    return experiment.training


def _train_epoch(
    model: nn.Module, train: Samples, experiment: Experiment, epoch: int, optimiser: Any, weights: Tensor
) -> float:
    torch.manual_seed(seed_of(experiment, "epoch", epoch))  # dropout
    order = np.random.default_rng(seed_of(experiment, "order", epoch)).permutation(train.size)
    model.train()
    total, known = 0.0, 0
    batch_size = _training_of(experiment).batch_size
    for number, (inputs, targets) in enumerate(_batches(train, order, batch_size), 1):
        here = int((targets != UNKNOWN).sum())
        optimiser.zero_grad()
        loss = summed_loss(model(inputs), targets, weights)
        (loss / max(here, 1)).backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimiser.step()
        total, known = total + loss.item(), known + here
        if number % LONG_EPOCH == 0:
            print(f"{experiment.name}: epoch {epoch}, {number * batch_size} of {train.size} samples", flush=True)
    return total / known


def _batches(samples: Samples, order: np.ndarray, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of nearly equal size, at most `batch_size`: batch normalisation cannot take a rest of one sample.

    Where that would leave one all the same (three in batches of two), a batch holds one more.
    """
    number = min(math.ceil(len(order) / batch_size), max(len(order) // 2, 1))
    for index in np.array_split(order, number):
        inputs, targets = samples.read(index)
        yield torch.from_numpy(inputs), torch.from_numpy(targets)


def _guard(experiment: Experiment, epoch: int, train_loss: float, val_loss: float) -> None:
    if not (math.isfinite(train_loss) and math.isfinite(val_loss)):
        raise CropstackError(
            f"experiment {experiment.name}: epoch {epoch}: training loss {train_loss}, validation loss {val_loss}; "
            "expected finite numbers. Lower its learning_rate in the recipe."
        )


def _schedule(optimiser: torch.optim.Optimizer, training: Training) -> Any:
    if training.schedule == "plateau":
        return torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, **PLATEAU)
    return torch.optim.lr_scheduler.StepLR(optimiser, **STEP)


def _advance(schedule: Any, val_loss: float) -> None:
    if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
        schedule.step(val_loss)
    else:
        schedule.step()
