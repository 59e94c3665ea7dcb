"""The simulated archive, by its listing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cropstack.errors import CatalogueError, ConfigError
from cropstack.providers import Query, Reference, simulated

Write = Callable[..., Path]
NAME = "S2A_MSIL1C_20190412T105031_N0207_R051_T31TCG_20190412T111111"


@pytest.fixture
def listing(tmp_path: Path, write_safe: Write) -> Path:
    write_safe(tmp_path / "simulated" / "31TCG_2019" / f"{NAME}.SAFE")
    path = tmp_path / "simulated" / "31TCG_2019.json"
    row = {"path": f"31TCG_2019/{NAME}.SAFE", "size_bytes": 1234, "stamp": "seed 11"}
    path.write_text(json.dumps({"products": [row], "truth": []}))
    return path


def test_listed_products_are_found_with_the_listings_size_and_stamp(listing: Path) -> None:
    (product,) = simulated.search(Query("s2_l1c", "31TCG", 2019, listing))
    assert (product.id, product.size_bytes, product.stamp) == (NAME, 1234, "seed 11")
    assert Path(product.href) == listing.parent / "31TCG_2019" / f"{NAME}.SAFE"
    assert simulated.search(Query("s2_l1c", "31TCG", 2020, listing)) == []
    assert simulated.search(Query("s2_l1c", "31TCJ", 2019, listing)) == []


def test_listed_product_is_linked(listing: Path, tmp_path: Path) -> None:
    (product,) = simulated.search(Query("s2_l1c", "31TCG", 2019, listing))
    path = simulated.fetch(Reference(product.id, product.href, product.form, product.stamp), tmp_path / "products")
    assert path.readlink() == Path("../simulated/31TCG_2019") / f"{NAME}.SAFE"  # the archive can be moved as a whole
    assert (path / "MTD_MSIL1C.xml").exists()


def test_product_simulated_anew_since_the_search_is_refused(listing: Path, tmp_path: Path) -> None:
    (product,) = simulated.search(Query("s2_l1c", "31TCG", 2019, listing))
    listing.write_text(listing.read_text().replace("seed 11", "seed 12"))
    with pytest.raises(CatalogueError, match="simulated anew since the search"):
        simulated.fetch(Reference(product.id, product.href, product.form, product.stamp), tmp_path / "products")
    assert not (tmp_path / "products").exists()


def test_search_without_a_listing_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="needs the listing"):
        simulated.search(Query("s2_l1c", "31TCG", 2019))
