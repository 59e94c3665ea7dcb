"""Loss and masks, learning, the guard against NaN, and resuming bit for bit."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from cropstack.errors import CropstackError
from cropstack.models import MODELS
from cropstack.train.checkpoint import Checkpoint, load_weights, save_model
from cropstack.train.fit import class_weights, fit, mean_loss, predict, summed_loss
from cropstack.train.samples import Samples

SHAPE = {"months": 4, "features": 3, "classes": 3}
ONES = torch.ones(3)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def series(make: SimpleNamespace, number: int, seed: int) -> Samples:
    """Parcel series of three classes that overlap."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 3, number)
    inputs = rng.normal(targets[:, None, None] * np.linspace(-1, 1, 4)[None, :, None], 0.7, (number, 4, 3))
    return make.samples(inputs.astype("f4"), targets)


def images(make: SimpleNamespace, number: int) -> Samples:
    """Images of 12 × 12 pixels in three classes, a fifth of the pixels unknown."""
    rng = np.random.default_rng(4)
    targets = rng.integers(0, 3, (number, 3, 3)).repeat(4, axis=1).repeat(4, axis=2)
    inputs = rng.normal(targets[:, None, None], 0.3, (number, 4, 3, 12, 12)).astype("f4")
    targets[rng.random(targets.shape) < 0.2] = -1
    return make.samples(inputs, targets)


def noise(make: SimpleNamespace, number: int) -> Samples:
    """Series whose classes nothing tells: the more sure a model is, the greater its loss."""
    inputs, targets = series(make, number, 3).read(np.arange(number))
    return make.samples(inputs, np.roll(targets, 1))


def train(make: SimpleNamespace, path: Path, val: Samples | None = None, **changes: object) -> SimpleNamespace:
    """A TempCNN trained on 57 series: batches of 8 would leave a rest of one."""
    experiment = make.experiment("tempcnn", training=replace(make.training, **{"epochs": 4, **changes}))
    torch.manual_seed(0)
    network = MODELS["tempcnn"](**SHAPE)
    history = fit(
        network, series(make, 57, 1), val or series(make, 30, 2), experiment,
        weights=ONES, checkpoint=Checkpoint(path / "state.resume", "key"),
    )  # fmt: skip
    save_model(path / "model.ckpt", network, experiment, SHAPE)
    return SimpleNamespace(history=history, model=network, bytes=(path / "model.ckpt").read_bytes())


# --- loss ---------------------------------------------------------------------------------------------


def test_loss_by_hand() -> None:
    """Two known pixels of the classes 0 and 2 with weights 2 and 1, one unknown; background stands first."""
    probabilities = torch.tensor([[[0.1, 0.2, 0.7], [0.5, 0.2, 0.1], [0.3, 0.4, 0.1], [0.1, 0.2, 0.1]]])
    loss = summed_loss(probabilities.log(), torch.tensor([[0, 2, -1]]), torch.tensor([2.0, 3.0, 1.0]))
    assert loss.item() == pytest.approx(-(2 * np.log(0.5) + np.log(0.2)))


def test_an_unknown_pixel_has_no_gradient_and_no_influence(make: SimpleNamespace) -> None:
    _, targets = images(make, 2).read(np.arange(2))
    logits = torch.randn(2, 4, 12, 12, requires_grad=True)
    loss = summed_loss(logits.log_softmax(1), torch.from_numpy(targets), ONES)
    loss.backward()
    masked = torch.from_numpy(targets == -1)[:, None].expand(-1, 4, -1, -1)
    assert masked.any()
    assert (logits.grad[masked] == 0).all()
    assert (logits.grad[~masked] != 0).any()
    changed = torch.where(masked, torch.randn(2, 4, 12, 12), logits.detach())
    torch.testing.assert_close(summed_loss(changed.log_softmax(1), torch.from_numpy(targets), ONES), loss.detach())


def test_a_batch_without_a_known_pixel_has_no_loss() -> None:
    logits = torch.randn(1, 4, 5, 5, requires_grad=True)
    loss = summed_loss(logits.log_softmax(1), torch.full((1, 5, 5), -1), ONES)
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


def test_balanced_weights_equal_those_of_scikit_learn_and_are_0_for_absent_classes() -> None:
    targets = np.array([0] * 7 + [1] * 2 + [3])
    weights = class_weights(np.bincount(targets)).numpy()
    peer = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=targets)
    np.testing.assert_allclose(weights, [peer[0], peer[1], 0, peer[2]], rtol=1e-6)


def test_the_mean_loss_does_not_depend_on_batches(make: SimpleNamespace) -> None:
    """Pixels weigh equal, also where samples differ in known ones."""
    model, samples = MODELS["unet"](**SHAPE), images(make, 7)
    losses = [mean_loss(model, samples, size, ONES) for size in (2, 3, 7)]
    assert losses[0] == pytest.approx(losses[2], rel=1e-5)
    assert losses[1] == pytest.approx(losses[2], rel=1e-5)


# --- learning -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["unet", "tempcnn"])
def test_a_tiny_batch_is_learned_by_heart(make: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    """Labels are drawn at random, so nothing but memory can help. Validation is the batch itself."""
    rng = np.random.default_rng(0)
    shape = (4, 4, 3, 8, 8) if model == "unet" else (12, 4, 3)
    targets = rng.integers(0, 3, (4, 8, 8) if model == "unet" else 12)
    samples = make.samples(rng.random(shape).astype("f4"), targets)
    training = replace(make.training, epochs=60, batch_size=12, schedule="plateau", learning_rate=3e-3)
    experiment = make.experiment(model, training=training)
    torch.manual_seed(0)
    network = MODELS[model](**SHAPE)
    monkeypatch.setattr(Checkpoint, "save", lambda self, state: None)  # 60 times 30 MB to disk
    fit(network, samples, samples, experiment, weights=ONES, checkpoint=Checkpoint(Path("none"), ""))
    predicted, truth = predict(network, samples, classes=3, batch_size=4)
    np.testing.assert_array_equal(truth, targets)
    assert (predicted == truth).mean() > 0.99


def step_by_hand(model: nn.Module, optimiser: torch.optim.Adam, inputs: np.ndarray, targets: np.ndarray) -> float:
    """One step on the known targets; their classes weigh 1, 2 and 3. Returns the gradient's norm before the cut."""
    known = np.flatnonzero(targets != -1)
    optimiser.zero_grad()
    chosen = model(torch.from_numpy(inputs[known]))[range(len(known)), targets[known]]
    (-chosen * (1 + torch.from_numpy(targets[known]))).mean().backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    norm = float(np.sqrt(sum((gradient**2).sum().item() for gradient in gradients)))
    for gradient in gradients:
        gradient *= min(1, 10 / norm)
    optimiser.step()
    return norm


@pytest.mark.parametrize(("level", "cut"), [(1, [False, False]), (3, [False, True]), (5, [True, True])])
def test_steps_follow_the_mean_over_known_targets_and_a_gradient_of_at_most_ten(
    make: SimpleNamespace, tmp_path: Path, level: int, cut: list[bool]
) -> None:
    """Two batches with 1 and 4 known targets, because Adam forgives a factor unless it changes between steps."""
    inputs = (level * np.random.default_rng(6).normal(size=(8, 4, 3))).astype("f4")
    samples, batches = make.samples(inputs, np.array([0, 1, 2, 0, -1, -1, 1, -1])), []

    def read(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        batches.append(samples.read(index))
        return batches[-1]

    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3), nn.LogSoftmax(dim=1))
    twin = deepcopy(model)
    training = replace(make.training, epochs=1, batch_size=4, learning_rate=0.1)
    fit(
        model, Samples(8, samples.shape, read), samples, make.experiment("tempcnn", training=training),
        weights=torch.tensor([1.0, 2.0, 3.0]), checkpoint=Checkpoint(tmp_path / "r", ""),
    )  # fmt: skip
    assert sorted((targets != -1).sum() for _, targets in batches) == [1, 4]
    optimiser = torch.optim.Adam(twin.parameters(), lr=0.1)
    assert [step_by_hand(twin, optimiser, *batch) > 10 for batch in batches] == cut
    torch.testing.assert_close(model.state_dict(), twin.state_dict())


def test_background_is_no_answer(make: SimpleNamespace) -> None:
    model, samples = MODELS["unet"](**SHAPE), images(make, 3)
    with torch.no_grad():
        model.head.bias[:] = torch.tensor([1e6, 0.0, 5e5, 0.0])
    predicted, truth = predict(model, samples, classes=3, batch_size=2)
    assert (predicted == 1).all()
    np.testing.assert_array_equal(truth, samples.read(np.arange(3))[1])


def test_the_model_of_the_best_epoch_is_kept(make: SimpleNamespace, tmp_path: Path) -> None:
    val = noise(make, 30)
    done = train(make, tmp_path, val, epochs=8)
    losses = [row["val_loss"] for row in done.history]
    assert min(losses) < 0.9 * losses[-1]  # else this shows nothing
    assert mean_loss(done.model, val, 8, ONES) == pytest.approx(min(losses), rel=1e-5)


def test_steps_of_five_epochs_take_a_tenth_of_the_rate(make: SimpleNamespace, tmp_path: Path) -> None:
    done = train(make, tmp_path, epochs=11, schedule="step")
    assert [row["learning_rate"] for row in done.history] == pytest.approx([1e-3] * 5 + [1e-4] * 5 + [1e-5])


def test_a_plateau_of_more_than_four_epochs_halves_the_rate(make: SimpleNamespace, tmp_path: Path) -> None:
    history = train(make, tmp_path, noise(make, 30), epochs=14, schedule="plateau").history
    rate, best, bad = 1e-3, np.inf, 0
    for row in history:
        assert row["learning_rate"] == pytest.approx(rate)
        better = row["val_loss"] < best * (1 - 1e-4)
        best, bad = (row["val_loss"], 0) if better else (best, bad + 1)
        if bad > 4:
            rate, bad = rate / 2, 0
    assert history[-1]["learning_rate"] < 1e-3


def test_nan_in_a_sample_stops_the_training(make: SimpleNamespace, tmp_path: Path) -> None:
    inputs, targets = series(make, 20, 1).read(np.arange(20))
    inputs[3, 1, 1] = np.nan
    with pytest.raises(CropstackError, match="scenario1_tempcnn: epoch 1: training loss nan"):
        fit(
            MODELS["tempcnn"](**SHAPE), make.samples(inputs, targets), series(make, 9, 2), make.experiment("tempcnn"),
            weights=ONES, checkpoint=Checkpoint(tmp_path / "r", ""),
        )  # fmt: skip
    assert not (tmp_path / "r").exists()


# --- checkpoints --------------------------------------------------------------------------------------


class Killed(Exception):
    pass


@pytest.mark.parametrize("schedule", ["plateau", "step"])
@pytest.mark.parametrize("after", [1, 3])
def test_a_killed_and_resumed_training_equals_an_undisturbed_one(
    make: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schedule: str, after: int
) -> None:
    """Dropout, order, moments of Adam, rate and the best epoch so far: model.ckpt is equal byte for byte."""
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole = train(make, tmp_path / "whole", schedule=schedule)

    save = Checkpoint.save

    def save_and_die(self: Checkpoint, state: object) -> None:
        save(self, state)
        if len(state.history) == after:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", save_and_die)
        with pytest.raises(Killed):
            train(make, tmp_path / "killed", schedule=schedule)
    torch.manual_seed(99)  # another process starts with other random numbers
    resumed = train(make, tmp_path / "killed", schedule=schedule)
    assert resumed.history == whole.history
    assert resumed.bytes == whole.bytes


def test_another_seed_gives_another_model(make: SimpleNamespace, tmp_path: Path) -> None:
    one = train(make, tmp_path, epochs=1)
    experiment = make.experiment("tempcnn", seed=17, training=replace(make.training, epochs=1))
    torch.manual_seed(0)
    network = MODELS["tempcnn"](**SHAPE)
    checkpoint = Checkpoint(tmp_path / "other", "key")
    fit(network, series(make, 57, 1), series(make, 30, 2), experiment, weights=ONES, checkpoint=checkpoint)
    assert not torch.equal(network.head.weight, one.model.head.weight)


def test_a_checkpoint_of_another_training_is_refused(make: SimpleNamespace, tmp_path: Path) -> None:
    train(make, tmp_path, epochs=1)
    model = MODELS["tempcnn"](**SHAPE)
    with pytest.raises(
        CropstackError, match=r"state\.resume: is the checkpoint of another model, setting, code or data"
    ):
        fit(
            model, series(make, 57, 1), series(make, 30, 2), make.experiment("tempcnn"),
            weights=ONES, checkpoint=Checkpoint(tmp_path / "state.resume", "another key"),
        )  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut"])
def test_an_unreadable_checkpoint_is_named(make: SimpleNamespace, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.resume").write_bytes(content)
    with pytest.raises(CropstackError, match=r"state\.resume: not readable as a checkpoint"):
        train(make, tmp_path)


def test_a_checkpoint_with_changed_bytes_is_named(make: SimpleNamespace, tmp_path: Path) -> None:
    """Weights that still load would be trained on: torch does not compare the checksums that it writes."""
    train(make, tmp_path, epochs=1)
    data = bytearray((tmp_path / "state.resume").read_bytes())
    data[len(data) // 2] ^= 0x40
    (tmp_path / "state.resume").write_bytes(data)
    with pytest.raises(CropstackError, match=r"state\.resume: not readable as a checkpoint \(.*data/\d+\)"):
        train(make, tmp_path)


@pytest.mark.parametrize("lost", ["parts", "history"])
def test_a_checkpoint_that_lacks_a_part_is_named(make: SimpleNamespace, tmp_path: Path, lost: str) -> None:
    train(make, tmp_path, epochs=1)
    content = torch.load(tmp_path / "state.resume")
    del content[lost]
    torch.save(content, tmp_path / "state.resume")
    with pytest.raises(CropstackError, match=rf"state\.resume: lacks a part of its model \('{lost}'\)"):
        train(make, tmp_path)


@pytest.mark.parametrize(("number", "batch_size", "sizes"), [(57, 8, [8] + [7] * 7), (3, 2, [3]), (2, 512, [2])])
def test_no_batch_holds_a_single_series(
    make: SimpleNamespace, tmp_path: Path, number: int, batch_size: int, sizes: list[int]
) -> None:
    """Batch normalisation cannot take one."""
    samples, asked = series(make, number, 1), []

    def read(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        asked.append(len(index))
        return samples.read(index)

    experiment = make.experiment("tempcnn", training=replace(make.training, epochs=1, batch_size=batch_size))
    counted = Samples(number, samples.shape, read)
    checkpoint = Checkpoint(tmp_path / "r", "")
    fit(MODELS["tempcnn"](**SHAPE), counted, series(make, 5, 2), experiment, weights=ONES, checkpoint=checkpoint)
    assert asked == sizes


def test_weights_of_another_model_are_refused(make: SimpleNamespace, tmp_path: Path) -> None:
    done = train(make, tmp_path, epochs=1)
    same = MODELS["tempcnn"](**SHAPE)
    load_weights(tmp_path / "model.ckpt", same)
    torch.testing.assert_close(same.state_dict(), done.model.state_dict())
    with pytest.raises(CropstackError, match=r"model\.ckpt: holds tempcnn .*expected UNet of the same size"):
        load_weights(tmp_path / "model.ckpt", MODELS["unet"](**SHAPE))
    with pytest.raises(CropstackError, match="expected TempCNN of the same size"):
        load_weights(tmp_path / "model.ckpt", MODELS["tempcnn"](**SHAPE | {"classes": 4}))
