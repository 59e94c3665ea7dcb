"""Assign parcels to train, validation and test: each to the split of the patch that holds most of it.

A parcel that touches patches of two splits would leak from one to the other: it is left out and counted.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cropstack.arrow_csv import create_csv
from cropstack.errors import LayoutError
from cropstack.files import reading, write_csv
from cropstack.legend import LegendClass, read_classes, read_legend
from cropstack.splits.parcel_pieces import read_pieces, split_parcels
from cropstack.splits.patch_splits import read_patch_splits
from cropstack.splits.strata import SPLITS
from cropstack.step import step

TileYear = tuple[str, str, int]  # country, tile, year

SCHEMA = pa.schema(
    {
        "scenario": pa.string(), "country": pa.string(), "tile": pa.string(), "year": pa.int64(),
        "parcel_index": pa.int64(), "split": pa.string(), "reason": pa.string(),
    }
)  # fmt: skip
LEAKAGE = ["scenario", "check", "number"]
COVERAGE = ["scenario", "split", "reason", "class", "patches", "patch_pixels", "parcels", "parcel_pixels"]
OTHER = "other"  # classes outside the legend
NONE = [0, 0]


def assign_parcel_splits(
    splits: Path,
    labels: list[Path],
    tiles: list[Path],
    parcels: list[Path],
    legend: Path,
    classes: Path,
    parcel_splits: Path,
    coverage: Path,
    leakage: Path,
    *,
    tile_years: list[list[Any]],
) -> None:
    """Write the split of every parcel in every scenario, and what each split holds of each class.

    Parameters
    ----------
    splits : table of `assign_splits`.
    labels : label files, in the order of `tile_years` (country, tile, year).
    tiles, parcels : tables of `assign_tiles` and `harmonise_parcels`, named ``<country>_<year>_tiles.parquet`` and
        ``<country>_<year>_parcels.parquet``.
    parcel_splits : scenario, country, tile, year, parcel_index, split (empty: left out), reason (``not_owned``,
        ``no_pixel``, ``touches_other_split``); sorted by scenario, country, tile, year and parcel. A parcel that two
        tiles show has a row for each, and at most one with a split.
    coverage : for each scenario and split, and for each reason against one, by class of the legend: patches with the
        class, its pixels in them, parcels, and pixels of these. Classes that a split lacks stand there with 0.
    leakage : numbers by scenario and check, see `audit`.

    Raises
    ------
    LayoutError : files that do not belong together; a parcel on a patch without a split; see `read_patch_splits`.
    CropstackError : a cut or damaged file.
    """
    crops = read_legend(legend, read_classes(classes))
    keys: list[TileYear] = [(str(country), str(tile), int(year)) for country, tile, year in tile_years]
    pieces = {key: read_pieces(path, tile=key[1], year=key[2]) for key, path in zip(keys, labels, strict=True)}
    owned = {key: owned_classes(tiles, parcels, key, drawn=pieces[key]) for key in keys}
    patches = read_patch_splits(splits, [(tile, year) for _, tile, year in keys])
    rows: list[list[object]] = []
    audited: list[list[object]] = []
    with create_csv(parcel_splits, SCHEMA) as writer:
        for scenario, of_scenario in patches.groupby("scenario"):
            here = with_splits(pieces, of_scenario, origin=f"{splits}: {scenario}")
            assigned = {key: split_parcels(here[key], owned[key]) for key in sorted(here)}
            for key, table in assigned.items():
                writer.write_table(_as_rows(str(scenario), key, table))
            rows += coverage_rows(str(scenario), here, assigned, crops)
            checks = audit(here, assigned)
            audited += [[scenario, check, number] for check, number in checks.items()]
            print(f"{scenario}: " + ", ".join(f"{number} {check}" for check, number in checks.items()))
    write_csv(coverage, COVERAGE, rows)
    write_csv(leakage, LEAKAGE, audited)


def owned_classes(tiles: list[Path], parcels: list[Path], key: TileYear, *, drawn: pd.DataFrame) -> pd.Series:
    """Class codes by number of the parcels that a tile owns in a year, sorted.

    Those `drawn` have the class of their pixels, given as 0 here; only for the others, parcels are read.

    Raises
    ------
    LayoutError : a parcel stands twice, or has no class.
    """
    country, tile, year = key
    with reading(table_of := _of_country(tiles, f"{country}_{year}_tiles.parquet"), "a table of tiles"):
        table = pq.read_table(table_of, columns=["parcel_index"], filters=[("tile", "=", tile)])
    owned, times = np.unique(table["parcel_index"].to_numpy(), return_counts=True)
    if (times > 1).any():
        twice = owned[times > 1][0]
        raise LayoutError(f"{table_of}: parcel {twice} stands twice; expected once. Delete build/labels and run again.")
    codes = pd.Series(0, index=owned)
    undrawn = np.setdiff1d(owned, drawn["parcel_index"])
    if len(undrawn):
        codes[undrawn] = _class_codes(_of_country(parcels, f"{country}_{year}_parcels.parquet"), undrawn)
    return codes


def _of_country(paths: list[Path], name: str) -> Path:
    found = [path for path in paths if path.name == name]
    if len(found) != 1:
        raise LayoutError(f"{name}: given {len(found)} times; expected once. Name it once.")
    return found[0]


def _class_codes(path: Path, numbers: np.ndarray) -> np.ndarray:
    with reading(path, "a table of parcels"):
        chosen = [("parcel_index", "in", numbers.tolist())]
        table = pq.read_table(path, columns=["parcel_index", "class_code"], filters=chosen).to_pandas()
    if table["parcel_index"].duplicated().any():
        raise LayoutError(f"{path}: a parcel stands twice; expected once. Delete build/labels and run again.")
    codes = table.set_index("parcel_index")["class_code"].reindex(numbers)
    if codes.isna().any():
        first = numbers[codes.isna().to_numpy()][0]
        raise LayoutError(f"{path}: parcel {first} is not there or has no class. Delete build/labels and run again.")
    return codes.to_numpy(np.int64)


def with_splits(
    pieces: dict[TileYear, pd.DataFrame], patches: pd.DataFrame, *, origin: str
) -> dict[TileYear, pd.DataFrame]:
    """Pieces with their patch's split, of the tiles and years that a scenario has.

    Raises
    ------
    LayoutError : a patch with parcels has no split.
    """
    found: dict[TileYear, pd.DataFrame] = {}
    for (tile, year), of_tile in patches.groupby(["tile", "year"]):
        for key in (key for key in pieces if key[1:] == (tile, year)):
            joined = pieces[key].merge(of_tile[["row", "column", "split"]], on=["row", "column"], how="left")
            lost = joined[joined["split"].isna()]
            if len(lost):
                row, column = lost.iloc[0][["row", "column"]]
                raise LayoutError(
                    f"{origin}: patch {row}, {column} of {tile} {year} holds parcels and has no split. "
                    "Make splits and labels from the same declarations."
                )
            found[key] = joined
    return found


def _as_rows(scenario: str, key: TileYear, parcels: pd.DataFrame) -> pa.Table:
    country, tile, year = key
    named = parcels.assign(scenario=scenario, country=country, tile=tile, year=year)
    filled = named[SCHEMA.names].replace({"split": {"": None}, "reason": {"": None}})
    return pa.Table.from_pandas(filled, schema=SCHEMA, preserve_index=False)


# --- coverage and leakage -----------------------------------------------------------------------------


def coverage_rows(
    scenario: str,
    pieces: dict[TileYear, pd.DataFrame],
    parcels: dict[TileYear, pd.DataFrame],
    legend: list[LegendClass],
) -> list[list[object]]:
    """Rows of the table of coverage: by split, then by reason, then by class, with 0 where there is nothing."""
    name_of = {code: crop.name for crop in legend for code in crop.codes}
    all_pieces = pd.concat([table.assign(key=str(key)) for key, table in pieces.items()])
    all_pieces["class"] = all_pieces["class_code"].map(name_of).fillna(OTHER)
    in_patches = all_pieces.groupby(["split", "class", "key", "row", "column"])["pixels"].sum()
    patches = _numbers(in_patches.groupby(["split", "class"]).agg(["size", "sum"]))
    all_parcels = pd.concat(parcels.values())
    all_parcels["class"] = all_parcels["class_code"].map(name_of).fillna(OTHER)
    found = _numbers(all_parcels.groupby(["split", "reason", "class"])["pixels"].agg(["size", "sum"]))
    reasons = sorted(set(all_parcels["reason"]) - {""})
    return [
        [scenario, split, reason, name, *patches.get((split, name), NONE), *found.get((split, reason, name), NONE)]
        for split, reason in [(split, "") for split in SPLITS] + [("", reason) for reason in reasons]
        for name in [*(crop.name for crop in legend), OTHER]
    ]


def _numbers(table: pd.DataFrame) -> dict[tuple[str, ...], list[int]]:
    """Rows of a grouped table by key."""
    return dict(zip(table.index.to_list(), table.to_numpy().tolist(), strict=True))


def audit(pieces: dict[TileYear, pd.DataFrame], parcels: dict[TileYear, pd.DataFrame]) -> dict[str, int]:
    """What lies in two splits, recounted from the pieces.

    Returns
    -------
    ``parcels_with_a_split``; ``parcels_in_two_splits``, which have a split and pixels in patches of another on their
    own tile, or a split on two tiles: always 0; ``parcels_without_a_split``; ``parcels_seen_in_another_split``: their
    ground lies in patches of another split on an overlapping tile. No series is taken there, but a model of patches
    sees the same field twice.

    Raises
    ------
    LayoutError : a parcel with a split lies in another split too.
    """
    place = ["country", "year", "parcel_index"]
    named = [
        (
            table.assign(country=key[0], tile=key[1], year=key[2]),
            pieces[key].assign(country=key[0], tile=key[1], year=key[2]),
        )
        for key, table in parcels.items()
    ]
    every = pd.concat([table for table, _ in named])
    chosen = every.query("split != ''")[[*place, "tile", "split"]]
    seen = pd.concat([table for _, table in named])[[*place, "tile", "split"]]
    both = chosen.merge(seen, on=place, suffixes=("", "_seen"))
    other = both[both["split"] != both["split_seen"]]
    leaked = int((other["tile"] == other["tile_seen"]).sum()) + int(chosen.duplicated(place).sum())
    if leaked:
        raise LayoutError(f"{leaked} parcels have a split and lie in patches of another; expected 0. Report this.")
    return {
        "parcels_with_a_split": len(chosen),
        "parcels_in_two_splits": leaked,
        "parcels_without_a_split": len(every) - len(chosen),
        "parcels_seen_in_another_split": len(other.drop_duplicates(place)),
    }


if __name__ == "__main__":
    step(assign_parcel_splits, snakemake)  # noqa: F821
