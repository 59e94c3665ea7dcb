"""Sizes of the papers' models, and which inputs reach which outputs."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from cropstack.models import MODELS
from cropstack.models.ndvi_neighbour import ndvi, nearest_class
from cropstack.train.experiment import TABLE_OF, UNTRAINED

SIZES = {"unet": {"months": 6, "features": 4, "classes": 11}, "tempcnn": {"months": 7, "features": 26, "classes": 11}}
PARAMETERS = {"unet": 1_878_220, "tempcnn": 719_755}  # of the published code, instantiated
INPUTS = {"unet": (6, 4, 61, 61), "tempcnn": (7, 26)}
OUTPUTS = {"unet": (12, 61, 61), "tempcnn": (11,)}
DROPOUT = {"unet": [], "tempcnn": [0.2] * 4}  # SOURCE: S4A-Models ae5a376, model/PAD_unet.py and oad_experiments.py
# Of the published code (S4A-Models ae5a376) with PyTorch 2.13.0, its metrics and loggers stubbed: `UNet` of
# model/PAD_unet.py and `TempCNN(26, 11, 7)` of model/OAD_TempCNN.py, filled and asked as the test does with ours.
ANSWERS = {
    "unet": [-4.789149, -2.358342, -2.443037, -4.209903, -0.927524, -4.079664],
    "tempcnn": [-3.383617, -1.323828, -2.081736, -4.347180, -2.862951, -4.558308],
}


@pytest.fixture(params=sorted(MODELS))
def named(request: pytest.FixtureRequest) -> tuple[str, nn.Module]:
    torch.manual_seed(1)
    return request.param, MODELS[request.param](**SIZES[request.param])


def test_every_model_has_a_module_and_a_table(root: Path) -> None:
    modules = {file.stem for file in (root / "src/cropstack/models").glob("*.py")} - {"__init__"}
    assert modules == set(TABLE_OF) == set(MODELS) | UNTRAINED
    for name in modules:
        importlib.import_module(f"cropstack.models.{name}")


def test_parameters_are_exactly_the_published_ones(named: tuple[str, nn.Module]) -> None:
    name, model = named
    assert sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad) == PARAMETERS[name]


def test_answers_equal_those_of_the_published_code(named: tuple[str, nn.Module]) -> None:
    """Every second class of a series and of the last pixel of 13 × 13, which pooling cuts and padding refills."""
    name, model = named
    model.double().eval()
    shape = {"unet": (6, 4, 13, 13), "tempcnn": (7, 26)}[name]
    with torch.no_grad():
        for parameter in model.parameters():
            bound = (6 / parameter[0].numel()) ** 0.5 if parameter.ndim > 1 else 1
            values = np.random.default_rng(parameter.numel()).uniform(-bound, bound, parameter.shape)
            parameter[:] = torch.from_numpy(values)
        output = model(torch.from_numpy(np.random.default_rng(0).random((1, *shape))))
    answers = output.reshape(OUTPUTS[name][0], -1)[::2, -1]
    np.testing.assert_allclose(answers.numpy(), ANSWERS[name], atol=1e-5)


def test_dropout_is_that_of_the_published_code(named: tuple[str, nn.Module]) -> None:
    name, model = named
    assert [layer.p for layer in model.modules() if isinstance(layer, nn.Dropout)] == DROPOUT[name]


def test_outputs_are_log_probabilities_of_every_pixel_or_series(named: tuple[str, nn.Module]) -> None:
    name, model = named
    output = model(torch.rand(3, *INPUTS[name]))
    assert output.shape == (3, *OUTPUTS[name])
    torch.testing.assert_close(output.exp().sum(dim=1), torch.ones(3, *OUTPUTS[name][1:]))


def test_every_parameter_gets_a_gradient(named: tuple[str, nn.Module]) -> None:
    name, model = named
    (model(torch.rand(4, *INPUTS[name])) * torch.rand(4, *OUTPUTS[name])).sum().backward()
    # A bias before batch normalisation is taken away with the mean: its gradient is 0 but for rounding.
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 1e-9 for parameter in weights)


def test_samples_of_a_batch_do_not_mix_when_testing(named: tuple[str, nn.Module]) -> None:
    name, model = named
    model.eval()
    inputs = torch.rand(2, *INPUTS[name])
    with torch.no_grad():
        both, alone = model(inputs)[1], model(inputs[1:])[0]
    torch.testing.assert_close(both, alone)


@pytest.mark.parametrize("size", [61, 64, 7])
def test_a_unet_keeps_the_size_of_a_sub_patch(size: int) -> None:
    model = MODELS["unet"](months=2, features=3, classes=4).eval()
    assert model(torch.rand(1, 2, 3, size, size)).shape == (1, 5, size, size)


def test_a_pixel_of_a_unet_sees_its_surroundings_but_not_the_far_corner() -> None:
    model = MODELS["unet"](months=1, features=1, classes=2).eval()
    inputs = torch.rand(1, 1, 1, 61, 61, requires_grad=True)
    model(inputs)[0, 1, 5, 5].backward()
    seen = inputs.grad[0, 0, 0] != 0
    assert seen[5, 5]
    assert seen[10, 10]
    assert not seen[50:, 50:].any()


def test_a_tempcnn_knows_the_order_of_months() -> None:
    model = MODELS["tempcnn"](months=7, features=26, classes=11).eval()
    series = torch.rand(1, 7, 26)
    assert not torch.allclose(model(series), model(series.flip(1)))


def test_ndvi_of_reflectance() -> None:
    red, infrared = np.array([0.1, 0.2, 0.0], "f4"), np.array([0.3, 0.2, 0.0], "f4")
    np.testing.assert_allclose(ndvi(red, infrared), [0.5, 0.0, 0.0], atol=1e-7)


def test_nearest_class_equals_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(5)
    known, classes, asked = rng.random((300, 7)), rng.integers(0, 11, 300), rng.random((100, 7))
    peer = KNeighborsClassifier(n_neighbors=1).fit(known, classes)
    np.testing.assert_array_equal(nearest_class(known, classes, asked), peer.predict(asked))
