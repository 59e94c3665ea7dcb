"""Balance a layout with its inputs: whatever went in came out, or stands in `rejects.csv` with a reason."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from cropstack.errors import LayoutError
from cropstack.files import read_csv, read_json, read_ledger
from cropstack.layouts.account_imagery import account_imagery
from cropstack.layouts.account_parcels import Declarations, account_parcels
from cropstack.layouts.account_samples import (
    Scenarios,
    TileParcels,
    account_coco,
    account_parcel_splits,
    account_patch_samples,
    all_patches,
)
from cropstack.layouts.balance import Account, unbalanced, write_balance, write_rejects
from cropstack.layouts.label_tables import LabelFile, country_year, read_declaration, read_labels
from cropstack.layouts.parcel_rows import ParcelTables
from cropstack.layouts.patch_files import TileYear
from cropstack.step import step

PROBLEMS_SHOWN = 10
LOCK_COLUMNS = ["recipe", "product", "tile", "year", "scene", "used", "reason"]
SAMPLE_COLUMNS = ["scenario", "sample", "tile", "year", "row", "column", "split"]


def check_layout(
    products: Path,
    catalogues: list[Path],
    labels: list[Path],
    parcels: list[Path],
    tiles: list[Path],
    ledgers: list[Path],
    splits: Path,
    patches: list[Path],
    coco: list[Path],
    series: list[Path],
    parquets: list[Path],
    ids: list[Path],
    composites: list[Path],
    parcel_splits: Path,
    months: list[Path],
    rejects: Path,
    balance: Path,
    *,
    recipe: str,
    scenarios: Scenarios,
) -> None:
    """Compare what a recipe's files hold with what went into them, and write the balance and all rejects.

    Parameters
    ----------
    catalogues, labels, patches, series, parquets, ids, composites : of every tile and year, in one order. `series`,
        `parquets` and `ids` are the tables of parcels by acquisition, `composites` those by month.
    parcels, tiles : of every country and year, in one order.
    ledgers : ``<area>_ledger.csv`` of every country and year, and of every tile and year.
    months : ``<scenario>_oad_<split>.csv.gz``.
    rejects : receives, with their area, all rows of the ledgers, products not used, parcels without a pixel or beyond
        the tiles, and patches that no scenario uses.
    balance : receives for each flow of `balance.FLOWS`, area, scenario and split how many units entered, how many left,
        and how many were rejected for which reason. A number of units at one end is counted in other files than the
        number at the other.
    scenarios : areas that train and test, by name.

    Raises
    ------
    LayoutError : a flow of which units are lost or too many; anything that went in and neither came out nor has a row
        that says why; or that came from nowhere.
    """
    lock = [row for row in read_csv(products, LOCK_COLUMNS) if row["recipe"] == recipe]
    samples = read_csv(splits, SAMPLE_COLUMNS)
    notes = {path.name.removesuffix("_ledger.csv"): read_ledger(path) for path in ledgers}
    label_files = dict(map(read_labels, labels))
    declarations = {country_year(p): read_declaration(p, t) for p, t in zip(parcels, tiles, strict=True)}
    tables = dict(zip(label_files, map(ParcelTables, series, parquets, ids, composites), strict=True))
    places = all_patches(label_files, patches, chain.from_iterable(notes.values()))
    account = Account(
        problems=list(_strangers(rejects.parent, [*patches, *coco])),
        rejects=[(area, row) for area, rows in notes.items() for row in rows],
    )
    account.add(account_imagery(lock, dict(map(_found, catalogues)), label_files, patches, notes))
    account.add(account_parcels(declarations, label_files, tables, notes))
    account.add(account_patch_samples(samples, places, scenarios))
    account.add(account_coco(coco, samples, places))
    owned = _tile_parcels(label_files, declarations)
    account.add(account_parcel_splits(parcel_splits, months, samples, scenarios, owned))
    _stop(recipe, account)
    write_balance(balance, account.flows)
    write_rejects(rejects, account.rejects)
    print(f"{recipe}: {len(account.flows)} flows balance; {len(account.rejects)} rejects and repairs")


def _found(catalogue: Path) -> tuple[TileYear, list[str]]:
    """Tile and year of a search, and the ids of the products that it found."""
    items = read_json(catalogue)
    query = items["cropstack:query"]
    return (query["tile"], int(query["year"])), [item["id"] for item in items["features"]]


def _tile_parcels(labels: dict[TileYear, LabelFile], declarations: Declarations) -> dict[TileYear, TileParcels]:
    return {
        (tile, year): TileParcels(file.country, declarations[file.country, year].owned_by(tile), file.numbers)
        for (tile, year), file in labels.items()
        if (file.country, year) in declarations
    }


def _strangers(results: Path, made: list[Path]) -> Iterator[str]:
    """Patches and COCO files of an earlier configuration, which a reader of the folder would take for this one's."""
    for path in sorted({*results.glob("data/*/*"), *results.glob("*_coco_*.json")} - set(made)):
        yield f"{path}: is of no area, year or scenario of this configuration. Delete it, or build in another folder."


def _stop(recipe: str, account: Account) -> None:
    """Raise LayoutError if a flow does not balance or anything else is wrong: first the flows, then what is wrong."""
    lines = [*_few(list(unbalanced(account.flows))), *_few(account.problems)]
    if lines:
        print("\n".join([*unbalanced(account.flows), *account.problems]))
        raise LayoutError(f"{recipe} does not balance:\n" + "\n".join(lines))


def _few(lines: list[str]) -> Iterable[str]:
    if len(lines) <= PROBLEMS_SHOWN:
        return lines
    return [*lines[:PROBLEMS_SHOWN], f"... and {len(lines) - PROBLEMS_SHOWN} more, see the log"]


if __name__ == "__main__":
    step(check_layout, snakemake)  # noqa: F821
