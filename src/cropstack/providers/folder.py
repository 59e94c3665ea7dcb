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
from cropstack.safe import PRODUCT_METADATA, L1CMetadata, SafeFiles, open_safe, parse_xml, product_from, read_l1c

COLLECTION = "s2_l1c"
# Without both, Snakemake takes the old choice for up to date and searches nothing.
SEARCH_AGAIN = (
    f"Delete build/catalogue/products.csv and build/catalogue/{COLLECTION}/*.json, and run the same command again: "
    "the folder is searched anew, and no scene that is still right is read again."
)

# SOURCE: naming of compact products, since December 2016: start of the datatake, baseline, orbit, tile, discriminator.
_NAME = re.compile(r"S2[A-Z]_MSIL1C_(\d{4})(\d{4})T\d{6}_N\d{4}_R\d{3}_T(\d{2}[A-Z]{3})_")
_OTHER = re.compile(r"S\d[A-Z]_(?!MSIL1C)")  # another level, another Sentinel, or a name from before December 2016
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]{0,199}")  # a file name, also with what steps append to it


def search(query: Query) -> list[Product]:
    """Level-1C products of a tile and year below ``query.location``, by time, directories before zips.

    Only metadata is read, and where a name follows the agency's convention only of those that it lets through; the
    id is PRODUCT_URI's all the same. Hrefs are relative to the folder. What is no Level-1C product is named in
    the log and left alone.

    Raises
    ------
    ConfigError : no folder, one that cannot be listed, or a collection other than s2_l1c.
    ProductError : what by name or content is a Level-1C product, of this tile as far as it tells, cannot be read,
        contradicts itself in tile or time, or lies at a path that is not UTF-8.
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
    shown = os.fsencode(path).decode(errors="replace")
    if not _NAME.match(base) and not _holds_l1c(path):
        print(f"{shown}: left alone, no {PRODUCT_METADATA} in it")
        return None
    if shown != str(path):
        raise ProductError(f"{shown}: the path is not UTF-8, which products.csv could not hold. Rename it.")
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
        if _NAME.match(path.name):
            raise ProductError(
                f"{path}: {PRODUCT_METADATA} has the PRODUCT_URI {uri}; expected the tile and time of its name."
            )
        return None
    metadata = read_l1c(files)
    _check_name(files, uri, metadata)
    product = product_from(metadata, href=Path(name).as_posix(), size_bytes=size_bytes(path), stamp=stamp(path))
    return product if matches(product, query) else None


def _check_name(files: SafeFiles, uri: str, metadata: L1CMetadata) -> None:
    """Compare tile and year of a conventional PRODUCT_URI with TILE_ID and SENSING_TIME."""
    found = _NAME.match(uri)
    if found is None:
        return
    if found[3] != metadata.tile:
        raise ProductError(f"{files.path}: TILE_ID names the tile {metadata.tile}; PRODUCT_URI is {uri}.")
    if not _may_match(uri, Query(COLLECTION, metadata.tile, metadata.sensing.year)):
        raise ProductError(
            f"{files.path}: SENSING_TIME is {metadata.sensing.isoformat()}; expected the year of PRODUCT_URI {uri}."
        )


def _product_uri(files: SafeFiles) -> str:
    """PRODUCT_URI, which becomes a file name and a part of the workflow's graph."""
    uri = next(parse_xml(files, PRODUCT_METADATA).iter("{*}PRODUCT_URI"), None)
    text = "" if uri is None else (uri.text or "").strip()
    if not _ID.fullmatch(text):
        raise ProductError(
            f'{files.path}: {PRODUCT_METADATA} has the PRODUCT_URI "{text}"; expected up to 200 letters, digits, "_" '
            'and ".", such as S2A_MSIL1C_20190412T105031_N0207_R051_T31TCG_20190412T111111.SAFE. Fetch it again.'
        )
    return text
