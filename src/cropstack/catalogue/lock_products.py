"""Step: choose the products of every recipe, or repeat an earlier choice, and say why the others are left out."""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from cropstack.catalogue.estimate import estimate
from cropstack.catalogue.select import Choice, choose_products, exclude_products, replay_products
from cropstack.errors import CatalogueError, ConfigError, nearest
from cropstack.files import read_csv, read_json, write_csv
from cropstack.grid import tile_geobox
from cropstack.product import Product, format_time, from_item, scene_id
from cropstack.step import step

COLUMNS = (
    "recipe", "product", "collection", "tile", "year", "scene", "used", "reason", "precedence", "cloud",
    "processing_baseline", "generated", "sensing", "form", "size_bytes", "stamp", "href", "offset_state",
)  # fmt: skip
# A used product that differs in one of these is another one under the same id. Its stamp may differ as well, with the
# times of a copied folder, between a zip and a directory: that is only said.
IDENTITY = ("scene", "processing_baseline", "generated", "sensing", "offset_state")
WANTED = {"", "not_served", "changed"}  # reasons with which a product is used again once it is served as it was
_ANOTHER_FILE = "Correct it, or give another file under `products` in the configuration."
_FORMS = (
    ("used", "yes|no", "yes or no"),
    ("precedence", r"\d{1,6}", "a whole number"),
    ("cloud", r"\d+(\.\d+)?(e[+-]\d+)?", "a number"),
)
Row = dict[str, str]


class RecipeRules(TypedDict):
    """What a recipe asks of products."""

    collection: str
    max_cloud_percent: float


@dataclass(frozen=True)
class Search:
    """The products that a search found of a collection on a tile in a year."""

    collection: str
    tile: str
    year: int
    products: list[Product]


def lock_products(
    catalogues: list[Path],
    replay: Path | list[Path],
    products: Path,
    *,
    recipes: dict[str, RecipeRules],
    exclude: list[str],
    size_px: int,
    keep_scenes: bool,
) -> None:
    """Write one row for each recipe and product, used or not, and print what the used ones will cost.

    Rows are sorted by recipe, tile, time of the scene, scene and precedence.

    Parameters
    ----------
    catalogues : item collections of `search_catalogue`.
    replay : a products.csv whose choice is repeated; empty to choose anew.
    exclude : ids of products to leave out.

    Raises
    ------
    CatalogueError : a recipe has no usable scene of a tile and year.
    ConfigError : the lock to repeat is no products.csv: not UTF-8, without a column, or with a value that cannot be.
    """
    searches = [read_search(path) for path in catalogues]
    earlier = read_lock(replay) if isinstance(replay, Path) else None
    rows: list[Row] = []
    for recipe, rules in sorted(recipes.items()):
        for search in (search for search in searches if search.collection == rules["collection"]):
            if earlier is None:
                rows += lock_rows(recipe, search, rules["max_cloud_percent"], exclude=exclude, size_px=size_px)
            else:
                rows += replay_rows(recipe, search, earlier, exclude=exclude)
    check_scenes(rows, searches, recipes)
    rows = sort_rows(rows)
    write_csv(products, COLUMNS, ([row[column] for column in COLUMNS] for row in rows))
    print(summary(rows, exclude))
    print_new_stamps(rows, earlier or [])
    print(estimate(rows, size_px=size_px, keep_scenes=keep_scenes))


def read_search(path: Path) -> Search:
    """Read an item collection of `search_catalogue`."""
    items = read_json(path)
    return Search(**items["cropstack:query"], products=[from_item(item) for item in items["features"]])


def read_lock(path: Path) -> list[Row]:
    """Read a products.csv.

    Raises
    ------
    ConfigError : not UTF-8, no CSV, without a column, or with a value that cannot be.
    """
    columns = ", ".join(COLUMNS)
    expected = f"a products.csv of an earlier build, with the columns {columns}. {_ANOTHER_FILE}"
    rows = read_csv(path, COLUMNS, expected=expected)
    for number, row in enumerate(rows, 2):
        _check_row(f"{path}: row {number}", row)
    return rows


def _check_row(place: str, row: Row) -> None:
    for column, form, expected in _FORMS:
        if re.fullmatch(form, row[column]) is None:
            raise ConfigError(f'{place}: {column} is "{row[column]}"; expected {expected}. {_ANOTHER_FILE}')
    if (row["used"] == "yes") == bool(row["reason"]):
        raise ConfigError(
            f'{place}: {row["product"]} has used "{row["used"]}" and the reason "{row["reason"]}"; expected a reason '
            f"with no, and none with yes. {_ANOTHER_FILE}"
        )


def lock_rows(
    recipe: str, search: Search, max_cloud_percent: float, *, exclude: Collection[str], size_px: int
) -> list[Row]:
    """Rows of one search, chosen anew."""
    tile = tile_geobox(search.tile, 10, size_px=size_px)
    choices = choose_products(search.products, tile=tile, max_cloud_percent=max_cloud_percent, exclude=exclude)
    return [_row(recipe, search, choice) for choice in choices]


def replay_rows(recipe: str, search: Search, earlier: list[Row], *, exclude: Collection[str]) -> list[Row]:
    """Rows of one search, chosen as in an earlier lock.

    What that used and the search lacks is ``not_served``; what is served otherwise than it was (see `IDENTITY`) is
    ``changed``. Both keep their earlier row, and are used again by a later replay that finds them as they were.
    """
    key = (recipe, search.collection, search.tile, str(search.year))
    old = [row for row in earlier if (row["recipe"], row["collection"], row["tile"], row["year"]) == key]
    locked = {row["product"]: "" if row["reason"] in WANTED else row["reason"] for row in old}
    choices = exclude_products(replay_products(search.products, locked=locked), exclude)
    served = {choice.product.id: _row(recipe, search, choice) for choice in choices}
    kept = {}
    for row in (row for row in old if row["reason"] in WANTED):
        now = served.get(row["product"])
        if now is None:
            kept[row["product"]] = {**row, "used": "no", "reason": "not_served"}
        elif now["used"] == "yes" and any(now[column] != row[column] for column in IDENTITY):
            kept[row["product"]] = {**row, "used": "no", "reason": "changed"}
    return list((served | kept).values())


def check_scenes(rows: list[Row], searches: list[Search], recipes: dict[str, RecipeRules]) -> None:
    """Raise CatalogueError naming each recipe, tile and year without a scene, and why its products were left out."""
    lines = []
    for recipe, rules in sorted(recipes.items()):
        for search in (search for search in searches if search.collection == rules["collection"]):
            key = (recipe, search.tile, str(search.year))
            here = [row for row in rows if (row["recipe"], row["tile"], row["year"]) == key]
            if not any(row["used"] == "yes" for row in here):
                lines.append(f"no usable scene of {search.tile} in {search.year} for {recipe}: {_explain(here, rules)}")
    if lines:
        raise CatalogueError("\n".join(lines))


def sort_rows(rows: list[Row]) -> list[Row]:
    """Rows by recipe, tile, time of the scene's first product, scene and precedence."""
    first: dict[str, str] = {}
    for row in rows:
        first[row["scene"]] = min(row["sensing"], first.get(row["scene"], row["sensing"]))

    def order(row: Row) -> tuple[str, str, str, str, int, str]:
        scene = row["scene"]
        return row["recipe"], row["tile"], first[scene], scene, int(row["precedence"]), row["product"]

    return sorted(rows, key=order)


def summary(rows: list[Row], exclude: Collection[str]) -> str:
    """How many products are used and left out, and ids of `exclude` that no search found."""
    lines = [f"{sum(row['used'] == 'yes' for row in rows)} of {len(rows)} products used; left out: {_counts(rows)}"]
    known = {row["product"] for row in rows}
    lines += [f'exclude: no product "{id_}" was found{nearest(id_, known)}' for id_ in sorted(set(exclude) - known)]
    return "\n".join(lines)


def print_new_stamps(rows: list[Row], earlier: list[Row]) -> None:
    """Name what changed since an earlier lock, and the used products whose stamp is another than there."""
    stamps = {(row["recipe"], row["product"]): row["stamp"] for row in earlier}
    for row in rows:
        if row["reason"] == "changed":
            print(f"{row['product']}: not used, what is served under this id is not what the earlier choice used")
        elif row["used"] == "yes" and stamps.get((row["recipe"], row["product"]), row["stamp"]) != row["stamp"]:
            print(f"{row['product']}: used with another stamp than in the earlier choice, a copy or replaced files")


def _row(recipe: str, search: Search, choice: Choice) -> Row:
    product = choice.product
    return {
        "recipe": recipe,
        "product": product.id,
        "collection": product.collection,
        "tile": product.tile,
        "year": str(search.year),
        "scene": scene_id(product),
        "used": "no" if choice.reason else "yes",
        "reason": choice.reason,
        "precedence": str(choice.precedence),
        "cloud": str(product.cloud),
        "processing_baseline": product.processing_baseline,
        "generated": format_time(product.generated),
        "sensing": format_time(product.sensing),
        "form": product.form,
        "size_bytes": str(product.size_bytes),
        "stamp": product.stamp,
        "href": product.href,
        "offset_state": product.offset_state,
    }


def _counts(rows: list[Row]) -> str:
    counts = Counter(row["reason"] for row in rows if row["used"] != "yes")
    return ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items())) or "none"


def _explain(rows: list[Row], rules: RecipeRules) -> str:
    if not rows:
        return "no product was found. Check provider and folder, or take the tile and year out of `areas`."
    if {row["reason"] for row in rows} <= {"not_in_lock", "not_served"}:
        return (
            f"of the products found and those of the file under `products` none is in both: {_counts(rows)}. "
            "Name another file, or null to choose anew."
        )
    clearest = min(float(row["cloud"]) for row in rows)
    return (
        f"{len(rows)} products found, left out: {_counts(rows)}; the clearest has {clearest:g} % cloud, the recipe "
        f"wants less than {rules['max_cloud_percent']:g} %. Add products, raise max_cloud_percent there, shorten "
        "`exclude`, or take the tile and year out of `areas`."
    )


if __name__ == "__main__":
    step(lock_products, snakemake)  # noqa: F821
