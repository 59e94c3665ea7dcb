"""What every provider holds to. Modules are found by listing the folder; none is named here."""

import inspect
import typing
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import cropstack.providers
from cropstack.errors import ConfigError, CropstackError
from cropstack.product import Product
from cropstack.providers import Provider, Query, Reference, load
from cropstack.step import code_of

FOLDER = Path(cropstack.providers.__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=NAMES)
def provider(request: pytest.FixtureRequest) -> Provider:
    return load(request.param)


def test_table_of_the_configuration_names_exactly_the_modules() -> None:
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    assert sorted(schema["properties"]["provider"]["enum"]) == NAMES
    assert len(NAMES) >= 2


@pytest.mark.parametrize(
    ("function", "parameters", "returns"),
    [("search", {"query": Query}, list[Product]), ("fetch", {"product": Reference, "into": Path}, Path)],
)
def test_functions_have_the_signatures_of_the_seam(
    provider: ModuleType, function: str, parameters: dict[str, type], returns: type
) -> None:
    found = typing.get_type_hints(getattr(provider, function))
    assert found == parameters | {"return": returns}
    assert list(inspect.signature(getattr(provider, function)).parameters) == list(parameters)


def test_fetching_what_is_not_there_is_a_named_error_and_leaves_nothing(provider: Provider, tmp_path: Path) -> None:
    missing = Reference("S2A_MSIL1C_X", str(tmp_path / "nowhere" / "S2A_MSIL1C_X.SAFE"), "safe", "stamp")
    with pytest.raises(CropstackError, match=r"S2A_MSIL1C_X|nowhere"):
        provider.fetch(missing, tmp_path / "products")
    assert list(tmp_path.rglob("*")) == []


def test_unknown_provider_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match='no provider "foldr"; did you mean "folder"'):
        load("foldr")


@pytest.mark.parametrize("step", ["catalogue.search_catalogue", "catalogue.fetch_product"])
def test_code_of_a_step_holds_only_the_provider_in_use(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a new provider, or a change in one, would fetch the archives of all others again."""
    alone = code_of(step)
    digests = {name: code_of(step, f"providers.{name}") for name in NAMES}
    assert len({alone, *digests.values()}) == len(NAMES) + 1
    tree = cropstack.step._tree
    monkeypatch.setattr(
        "cropstack.step._tree", lambda name: tree(name) + ("x" if name == "cropstack.providers.simulated" else "")
    )
    assert code_of(step, "providers.folder") == digests["folder"]
    assert code_of(step, "providers.simulated") != digests["simulated"]
