"""Step: search a provider for the products of one collection, tile and year."""

from dataclasses import fields
from pathlib import Path

from cropstack.errors import CatalogueError, ProductError
from cropstack.files import write_json
from cropstack.product import Product, to_item
from cropstack.providers import Query, load
from cropstack.step import step

_OF_A_COPY = {"href", "stamp", "size_bytes"}  # what two copies of one product may differ in


def search_catalogue(
    listing: Path | list[Path],
    catalogue: Path,
    *,
    provider: str,
    folder: str | None,
    collection: str,
    tile: str,
    year: int,
) -> None:
    """Write what the provider serves as a STAC ItemCollection, sorted by sensing time and id, each id once.

    An empty answer is written too: `lock_products` says what that means for the recipes. Of copies of one product the
    first in the provider's order stays, the others are named in the log.

    Parameters
    ----------
    listing : of the simulated archive; empty for other providers.
    folder : for the provider "folder", the directory with the products.

    Raises
    ------
    CatalogueError : the provider answered with another collection, tile or year.
    ProductError : two different products with one id.
    """
    products = load(provider).search(Query(collection, tile, year, _location(listing, folder)))
    strangers = [p.id for p in products if (p.collection, p.tile, p.sensing.year) != (collection, tile, year)]
    if strangers:
        raise CatalogueError(
            f'provider "{provider}" answered a search for {collection} {tile} {year} with {strangers[0]}. '
            "This is a fault of the provider's module."
        )
    kept = first_copies(products)
    write_json(catalogue, item_collection(kept, collection=collection, tile=tile, year=year))
    print(f"{provider}: {len(kept)} products of {collection} on {tile} in {year}")


def first_copies(products: list[Product]) -> list[Product]:
    """The first product of each id; its copies are printed.

    Raises
    ------
    ProductError : two products with one id that are no copies: something else than place, stamp or size differs.
    """
    kept: dict[str, Product] = {}
    for product in products:
        first = kept.setdefault(product.id, product)
        if first is product:
            continue
        unlike = [f.name for f in fields(Product) if getattr(first, f.name) != getattr(product, f.name)]
        if not _OF_A_COPY.issuperset(unlike):
            named = ", ".join(name for name in unlike if name not in _OF_A_COPY)
            raise ProductError(
                f"{first.href} and {product.href} both have the id {product.id} and differ in {named}; expected "
                "copies of one product. Take the wrong one away."
            )
        print(f"{product.href}: left out, a copy of {product.id} at {first.href}")
    return list(kept.values())


def item_collection(products: list[Product], *, collection: str, tile: str, year: int) -> dict[str, object]:
    """STAC ItemCollection of products; the query stands in it, so that an empty answer names its tile and year."""
    return {
        "type": "FeatureCollection",
        "cropstack:query": {"collection": collection, "tile": tile, "year": year},
        "features": [to_item(product) for product in sorted(products, key=lambda p: (p.sensing, p.id))],
    }


def _location(listing: Path | list[Path], folder: str | None) -> Path | None:
    if isinstance(listing, Path):
        return listing
    return Path(folder) if folder else None


if __name__ == "__main__":
    step(search_catalogue, snakemake)  # noqa: F821
