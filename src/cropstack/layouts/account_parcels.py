"""Parcels from the declaration to their tables: counted in parcel tables, ledgers, label files and series."""

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from cropstack.errors import LedgerRow
from cropstack.layouts.balance import Account, Flow, area_of
from cropstack.layouts.comparisons import check_numbers, check_owners
from cropstack.layouts.label_tables import Declaration, LabelFile, read_parcels
from cropstack.layouts.parcel_rows import ParcelTables, csv_numbers, parquet_numbers
from cropstack.layouts.patch_files import TileYear

NO_PIXEL = "no_pixel"
Declarations = Mapping[tuple[str, int], Declaration]  # by country and year


def account_parcels(
    declarations: Declarations,
    labels: Mapping[TileYear, LabelFile],
    tables: Mapping[TileYear, ParcelTables],
    ledgers: Mapping[str, list[LedgerRow]],
) -> Account:
    """Compare declarations, their tables of tiles, label files and the tables of parcels; `ledgers` by area."""
    account = Account()
    for (country, year), declaration in sorted(declarations.items()):
        here = {tile: file for (tile, y), file in labels.items() if (file.country, y) == (country, year)}
        account.add(_account_country(declaration, here, ledgers[declaration.name]))
        account.rejects += _without_pixel(declaration, here, year)
    without = Counter(area for area, row in account.rejects if row.reason == NO_PIXEL)
    for key, file in sorted(labels.items()):
        if (file.country, key[1]) in declarations:
            owned = declarations[file.country, key[1]].owned_by(key[0])
            account.add(_account_tile(area_of(*key), owned, file, tables[key], without=without[area_of(*key)]))
        else:
            account.problems.append(f"{file.path}: its labels come from {file.country}, of which there are no parcels")
    return account


def _account_country(declaration: Declaration, tiles: dict[str, LabelFile], noted: list[LedgerRow]) -> Account:
    name, numbers, owners = declaration.name, declaration.numbers, declaration.owners
    on_tiles = int(owners["tile"].notna().sum())
    outside = len(owners) - on_tiles
    account = Account(problems=list(check_owners(name, numbers, owners, tiles)))
    for file in tiles.values():
        strange = np.setdiff1d(file.numbers, numbers)
        if len(strange):
            account.problems.append(
                f"{file.path}: {len(strange)} parcel numbers, first {strange[0]}, are not in {name}"
            )
    account.flows = [
        Flow("declared_parcels", name, declaration.declared, len(numbers), rejected_by_reason(noted)),
        Flow("parcels_on_tiles", name, len(numbers), on_tiles, {"outside_tiles": outside}),
    ]
    if outside:
        evidence = f"{outside} of {len(numbers)} parcels touch no selected tile"
        account.rejects = [(name, LedgerRow(name, "assign_tiles", "rejected", "outside_tiles", evidence))]
    return account


def rejected_by_reason(ledger: list[LedgerRow]) -> Counter[str]:
    """Number of rejected units by reason."""
    return Counter(row.reason for row in ledger if row.action == "rejected")


def _account_tile(area: str, owned: np.ndarray, file: LabelFile, tables: ParcelTables, *, without: int) -> Account:
    drawn = np.intersect1d(owned, file.numbers)
    series, months = csv_numbers(tables.series), parquet_numbers(tables.months)
    found = [(tables.series, series), (tables.months, months)]
    found += [(tables.parquet, parquet_numbers(tables.parquet)), (tables.ids, csv_numbers(tables.ids))]
    return Account(
        flows=[
            Flow("drawn_parcels", area, len(owned), len(drawn), {NO_PIXEL: without}),
            Flow("parcel_series", area, len(owned), len(series)),
            Flow("parcel_months", area, len(owned), len(months)),
        ],
        problems=[line for path, numbers in found for line in check_numbers(str(path), numbers, owned)],
    )


def _without_pixel(
    declaration: Declaration, tiles: Mapping[str, LabelFile], year: int
) -> Iterator[tuple[str, LedgerRow]]:
    """Rows for parcels of which no pixel is drawn on their tile; the parcel table is read once for all tiles."""
    without = {tile: np.setdiff1d(declaration.owned_by(tile), file.numbers) for tile, file in tiles.items()}
    known = read_parcels(declaration.path, np.concatenate([np.empty(0, np.int64), *without.values()]))
    for tile, numbers in sorted(without.items()):
        here = known[known["parcel_index"].isin(numbers)]
        for unit, area_m2 in zip(here["id"], here["metrics:area"], strict=True):
            evidence = f"{area_m2:.1f} m2: no 10 m pixel centre on {tile}, whose edge it may touch, or under others"
            yield area_of(tile, year), LedgerRow(unit, "rasterise_labels", "rejected", NO_PIXEL, evidence)
