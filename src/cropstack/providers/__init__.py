"""Providers: services and folders that serve an archive, one module each.

A provider is a module of this folder with two functions::

    search(query: Query) -> list[Product]             what is there of one tile in one year
    fetch(product: Reference, into: Path) -> Path     bring one product into a folder, as ``<id>.SAFE`` or ``<id>.zip``

Its name is the module's, entered in one table: the values of ``provider`` in ``workflow/schemas/config.schema.yaml``.
Nothing here lists the modules, and the rules digest only the code of the provider in use: a new provider
reruns no search and no fetch of another. `Query`, `Reference` and these functions are all that a provider shares with
the rest; network clients live nowhere else.
"""

import pkgutil
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from cropstack.errors import ConfigError, nearest
from cropstack.product import Product


@dataclass(frozen=True)
class Query:
    """What is searched: products of a collection on a tile whose sensing time lies in a calendar year (UTC).

    `location` is where a local provider looks, a folder or a listing; None for a service, which knows its own address.
    """

    collection: str
    tile: str
    year: int
    location: Path | None = None


@dataclass(frozen=True)
class Reference:
    """What fetching needs of a product: columns of the lock. `href` is complete: a path from here, or a URL."""

    id: str
    href: str
    form: str
    stamp: str


class Provider(Protocol):
    """The two functions of a provider module."""

    def search(self, query: Query) -> list[Product]:
        """Products that match, as the provider describes them; hrefs relative to ``query.location`` if a folder.

        Raises ProductError when a product of that tile cannot be read, CatalogueError when the search itself fails.
        """

    def fetch(self, product: Reference, into: Path) -> Path:
        """Bring a product into the folder `into` and return its path there.

        Raises CatalogueError when it is gone or its stamp differs from ``product.stamp``. Interrupted, it leaves
        nothing under the final name.
        """


def load(name: str) -> Provider:
    """The provider of that name."""
    known = [module.name for module in pkgutil.iter_modules(__path__)]
    if name not in known:
        raise ConfigError(f'no provider "{name}"{nearest(name, known) or "; there are " + ", ".join(known)}')
    return cast(Provider, import_module(f"cropstack.providers.{name}"))


def matches(product: Product, query: Query) -> bool:
    """Whether a product answers a query."""
    return (product.collection, product.tile, product.sensing.year) == (query.collection, query.tile, query.year)
