from typing import Any

import pytest

from cropstack.errors import ConfigError
from cropstack.train.experiment import expand, experiment_from, fingerprint, seed_of, seed_of_samples

TRAINING = {"epochs": 10, "batch_size": 32, "learning_rate": 0.001, "schedule": "plateau", "weighted": True}
UNET = {"model": "unet", "scenarios": ["scenario1", "scenario2"], "max_samples": 1000, "training": TRAINING}
NEIGHBOUR = {"model": "ndvi_neighbour", "scenarios": ["scenario1"], "max_samples": None, "training": None}
FREE = {"max_epochs": None, "max_samples": None, "max_batch_size": None}
NO_LIMITS: dict[str, Any] = {"pad": FREE, "oad": FREE, "leave_out": []}
ALL = ["scenario1", "scenario2"]


def tables(*entries: dict, scenarios: list[str] = ALL, **limits: object) -> dict:
    return expand(entries, NO_LIMITS | limits, scenarios=scenarios, known=ALL, seed=16)


def test_an_entry_becomes_an_experiment_for_each_scenario_in_its_table() -> None:
    found = tables(UNET, NEIGHBOUR)
    assert [settings["name"] for settings in found["pad"]] == ["scenario1_unet", "scenario2_unet"]
    assert [settings["name"] for settings in found["oad"]] == ["scenario1_ndvi_neighbour"]
    assert experiment_from(found["pad"][0]).training.epochs == 10
    assert experiment_from(found["oad"][0]).training is None


def test_limits_of_a_table_only_shorten() -> None:
    def limited(**limits: int) -> dict[str, Any]:
        found = tables(UNET, NEIGHBOUR, pad=FREE | limits)
        assert found["oad"][0]["max_samples"] is None
        return found["pad"][0]

    few = limited(max_epochs=3, max_samples=192, max_batch_size=8)
    assert (few["max_samples"], few["training"]["epochs"], few["training"]["batch_size"]) == (192, 3, 8)
    many = limited(max_epochs=99, max_samples=5000, max_batch_size=512)
    assert many == limited()
    assert (many["max_samples"], many["training"]) == (1000, TRAINING)
    assert tables(NEIGHBOUR, oad=FREE | {"max_samples": 50})["oad"][0]["max_samples"] == 50


def test_scenarios_outside_the_configured_areas_and_named_experiments_are_left_out() -> None:
    assert [one["name"] for one in tables(UNET, scenarios=["scenario1"])["pad"]] == ["scenario1_unet"]
    assert [one["name"] for one in tables(UNET, leave_out=["scenario1_unet"])["pad"]] == ["scenario2_unet"]
    assert tables(UNET, scenarios=[]) == {}


def test_contradictions_are_named() -> None:
    with pytest.raises(ConfigError, match="unet: training is None; expected epochs, batch_size"):
        tables(UNET | {"training": None})
    with pytest.raises(ConfigError, match=r"ndvi_neighbour: training is .*; expected none, it is not trained"):
        tables(NEIGHBOUR | {"training": TRAINING})
    with pytest.raises(ConfigError, match="scenario1_unet stands twice"):
        tables(UNET, UNET)
    with pytest.raises(ConfigError, match=r'no scenario "scenario9"; did you mean "scenario'):
        tables(UNET | {"scenarios": ["scenario9"]})
    with pytest.raises(ConfigError, match=r'leave_out: no experiment "scenario1_unett"; did you mean "scenario1_unet"'):
        tables(UNET, leave_out=["scenario1_unett"])


def test_models_of_a_scenario_are_compared_on_the_same_samples() -> None:
    first, second = tables(UNET, NEIGHBOUR | {"scenarios": ["scenario1"]})["oad"][0], tables(UNET)["pad"]
    other = experiment_from(first | {"model": "tempcnn", "name": "scenario1_tempcnn", "training": TRAINING})
    one, unet, elsewhere = (experiment_from(settings) for settings in (first, *second[:2]))
    assert seed_of_samples(one, "test") == seed_of_samples(other, "test") != seed_of_samples(one, "train")
    assert len({seed_of_samples(each, "test") for each in (one, unet, elsewhere)}) == 3


def test_seeds_and_fingerprints_differ_by_what_they_are_for() -> None:
    one, other = (experiment_from(settings) for settings in tables(UNET)["pad"])
    assert seed_of(one, "order", 1) != seed_of(one, "order", 2)
    assert seed_of(one, "order", 1) != seed_of(other, "order", 1)
    assert seed_of(one, "order", 1) == seed_of(one, "order", 1)
    assert fingerprint(one, inputs=["a"]) != fingerprint(one, inputs=["b"])
    assert fingerprint(one, inputs=["a"]) != fingerprint(other, inputs=["a"])
