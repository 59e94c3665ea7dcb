"""The step around a provider: an item collection, sorted, each id once."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from cropstack.catalogue import search_catalogue as module
from cropstack.catalogue.lock_products import read_search
from cropstack.errors import CatalogueError, ProductError
from cropstack.product import Product
from cropstack.providers import Query

Make = Callable[..., Product]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Run the step against a provider that serves these products."""

    def run(products: list[Product], *, listing: Path | list[Path] = (), folder: str | None = None) -> Path:  # type: ignore[assignment]
        asked: list[Query] = []

        def answer(query: Query) -> list[Product]:
            asked.append(query)
            return products

        monkeypatch.setattr(module, "load", lambda name: SimpleNamespace(search=answer))
        items = tmp_path / "31TCG_2019.json"
        module.search_catalogue(
            listing, items, provider="stand_in", folder=folder, collection="s2_l1c", tile="31TCG", year=2019
        )
        (query,) = asked
        assert query.location == (listing if isinstance(listing, Path) else folder and Path(folder))
        return items

    return run


def test_item_collection_is_sorted_and_comes_back_whole(product: Make, run: Callable[..., Path]) -> None:
    late, early = product("A", day=5), product("B")
    items = run([late, early], folder="somewhere")
    assert json.loads(items.read_text())["type"] == "FeatureCollection"
    assert read_search(items).products == [early, late]


def test_answers_in_another_order_give_the_same_bytes(product: Make, run: Callable[..., Path]) -> None:
    a, b = product("A"), product("B")  # sensed in the same second
    assert run([a, b]).read_bytes() == run([b, a]).read_bytes()


def test_of_copies_the_first_stays_and_the_other_is_named(
    product: Make, run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    items = run([product("A", href="A.SAFE"), product("A", href="backup/A.zip")])
    assert [p.href for p in read_search(items).products] == ["A.SAFE"]
    assert "backup/A.zip: left out, a copy of A at A.SAFE" in capsys.readouterr().out


def test_two_different_products_with_one_id_are_refused(product: Make, run: Callable[..., Path]) -> None:
    with pytest.raises(ProductError, match=r"^A\.SAFE and old/A\.zip both have the id A and differ in cloud; expected"):
        run([product("A", href="A.SAFE"), product("A", href="old/A.zip", cloud=6.0, size_bytes=1)])


def test_empty_answer_still_names_tile_and_year(run: Callable[..., Path], tmp_path: Path) -> None:
    found = read_search(run([], listing=tmp_path / "listing.json"))
    assert (found.tile, found.year, found.products) == ("31TCG", 2019, [])


def test_product_of_another_year_is_the_providers_fault(product: Make, run: Callable[..., Path]) -> None:
    with pytest.raises(CatalogueError, match="answered a search for s2_l1c 31TCG 2019 with A"):
        run([product("A", day=365)])
