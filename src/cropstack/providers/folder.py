"""The provider "folder": SAFE directories and zips that the user already has, at any depth of a folder."""

import os
import re
import zipfile
from pathlib import Path

from cropstack.errors import CatalogueError, ConfigError, CropstackError, ProductError
from cropstack.files import replace_on_success
from cropstack.listing import find_products, size_bytes, stamp
from cropstack.product import Product
from cropstack.providers import Query, Reference, matches
from cropstack.safe import PRODUCT_METADATA, SafeFiles, open_safe, parse_xml, product_from, read_l1c

COLLECTION = "s2_l1c"
SEARCH_AGAIN = "Search again: snakemake catalogue -R search_catalogue"

# SOURCE: naming of compact products, since December 2016: start of the datatake, baseline, orbit, tile, discriminator.
_NAME = re.compile(r"S2[A-Z]_MSIL1C_(\d{4})(\d{4})T\d{6}_N\d{4}_R\d{3}_T(\d{2}[A-Z]{3})_")
_OTHER = re.compile(r"S\d[A-Z]_(?!MSIL1C)")  # another level, another Sentinel, or a name from before December 2016
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]*")


def search(query: Query) -> list[Product]:
    """Level-1C products of a tile and year below ``query.location``, by time, directories before zips.

    Only metadata is read, and where a name follows the agency's convention only of those that it lets through; the
    id is PRODUCT_URI's all the same. Hrefs are relative to the folder. What is no Level-1C product is named in
    the log and left alone.

    Raises
    ------
    ConfigError : no folder, one that cannot be listed, or a collection other than s2_l1c.
    ProductError : what by name or content is a Level-1C product, of this tile as far as it tells, cannot be read.
    """
    folder = _folder(query)
    found = [_search_one(folder, candidate.path, query) for candidate in find_products(folder)]
    products = [product for product in found if product is not None]
    return sorted(products, key=lambda p: (p.sensing, p.id, p.href.lower().endswith(".zip"), p.href))


def fetch(product: Reference, into: Path) -> Path:
    """Link a product into the folder `into`.

    Raises
    ------
    CatalogueError : it is gone, or its files changed, since the search.
    """
    path = Path(product.href)
    if not path.exists():
        raise CatalogueError(f"{path}: {product.id} was found here and is gone. {SEARCH_AGAIN}")
    if stamp(path) != product.stamp:
        raise CatalogueError(f"{path}: its files changed since {product.id} was found here. {SEARCH_AGAIN}")
    return link_product(product, into)


def link_product(product: Reference, into: Path) -> Path:
    """A symbolic link ``<id>.SAFE`` or ``<id>.zip`` to a product on disk, relative inside the project."""
    target, here = Path(product.href).resolve(), into.resolve()
    link = into / f"{product.id}{'.zip' if target.is_file() else '.SAFE'}"
    inside = any(target.is_relative_to(root) for root in (Path.cwd(), here.parent))
    with replace_on_success(link) as temporary:
        temporary.symlink_to(os.path.relpath(target, here) if inside else target)
    return link


def _folder(query: Query) -> Path:
    if query.location is None:
        raise ConfigError('provider "folder" needs the key "folder": the directory with the products')
    if query.collection != COLLECTION:
        raise ConfigError(f'provider "folder" serves the collection "{COLLECTION}", not "{query.collection}"')
    return query.location


def _search_one(folder: Path, name: str, query: Query) -> Product | None:
    """The product at `name` if it answers the query."""
    path = folder / name
    base = path.resolve().name if name == "." else path.name
    if _OTHER.match(base) or not _may_match(base, query):
        return None
    if not _NAME.match(base) and not _holds_l1c(path):
        print(f"{path}: left alone, no {PRODUCT_METADATA} in it")
        return None
    try:
        with open_safe(path) as files:
            return _read(files, path, name, query)
    except CropstackError as error:
        raise type(error)(f"{error} Or move {path} out of the folder.") from error


def _may_match(name: str, query: Query) -> bool:
    """Whether a product of this name may answer the query; a name outside the convention may.

    The name holds the start of the datatake, which at New Year can lie in the year before the tile's sensing time.
    """
    found = _NAME.match(name)
    if found is None:
        return True
    year = int(found[1])
    return found[3] == query.tile and (year == query.year or (year, found[2]) == (query.year - 1, "1231"))


def _holds_l1c(path: Path) -> bool:
    if path.is_dir():
        return (path / PRODUCT_METADATA).is_file()
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.rpartition("/")[2] == PRODUCT_METADATA for name in archive.namelist())


def _read(files: SafeFiles, path: Path, name: str, query: Query) -> Product | None:
    uri = _product_uri(files)
    if not _may_match(uri, query):
        return None
    metadata = read_l1c(files)
    product = product_from(metadata, href=Path(name).as_posix(), size_bytes=size_bytes(path), stamp=stamp(path))
    return product if matches(product, query) else None


def _product_uri(files: SafeFiles) -> str:
    """PRODUCT_URI, which becomes a file name and a part of the workflow's graph."""
    uri = next(parse_xml(files, PRODUCT_METADATA).iter("{*}PRODUCT_URI"), None)
    text = "" if uri is None else (uri.text or "").strip()
    if not _ID.fullmatch(text):
        raise ProductError(
            f'{files.path}: {PRODUCT_METADATA} has the PRODUCT_URI "{text}"; expected letters, digits, "_" and "." '
            "only, such as S2A_MSIL1C_20190412T105031_N0207_R051_T31TCG_20190412T111111.SAFE. Fetch the product again."
        )
    return text
