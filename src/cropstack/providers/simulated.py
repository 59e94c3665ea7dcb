"""The provider "simulated": the archive that `simulate_products` wrote, by its listing."""

from pathlib import Path
from typing import Any

from cropstack.errors import CatalogueError, ConfigError
from cropstack.files import read_json
from cropstack.product import Product
from cropstack.providers import Query, Reference, matches
from cropstack.providers.folder import SEARCH_AGAIN, link_product
from cropstack.safe import open_safe, product_from, read_l1c


def search(query: Query) -> list[Product]:
    """Products in the listing ``query.location`` that match, in its order. Hrefs are paths from here.

    Raises
    ------
    ConfigError : no listing.
    ProductError : a listed product cannot be read.
    """
    if query.location is None:
        raise ConfigError('provider "simulated" needs the listing of the simulated archive; build it with snakemake')
    products = [_product(query.location.parent, row) for row in _rows(query.location)]
    return [product for product in products if matches(product, query)]


def fetch(product: Reference, into: Path) -> Path:
    """Link a product into the folder `into`.

    Raises
    ------
    CatalogueError : it is gone, or was simulated anew, since the search.
    """
    path = Path(product.href)
    stamps = {Path(row["path"]).name: row["stamp"] for row in _rows(path.parent.with_suffix(".json"))}
    if not path.exists() or stamps.get(path.name) != product.stamp:
        raise CatalogueError(f"{path}: {product.id} is gone or was simulated anew since the search. {SEARCH_AGAIN}")
    return link_product(product, into)


def _rows(listing: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_json(listing)["products"]
    return rows


def _product(archive: Path, row: dict[str, Any]) -> Product:
    path = archive / row["path"]
    with open_safe(path) as files:
        metadata = read_l1c(files)
    return product_from(metadata, href=path.as_posix(), size_bytes=row["size_bytes"], stamp=row["stamp"])
