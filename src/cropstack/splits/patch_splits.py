"""The table of `assign_splits`, read again."""

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from cropstack.errors import LayoutError
from cropstack.files import reading
from cropstack.splits.strata import SPLITS

KEY = ["scenario", "tile", "year", "row", "column"]
NUMBERS = ["year", "row", "column"]


def read_patch_splits(path: Path, tile_years: Collection[tuple[str, int]]) -> pd.DataFrame:
    """Splits of patches: scenario, tile, year, row, column, split.

    Raises
    ------
    CropstackError : no CSV with these columns. LayoutError : no row, text for a number, a split that does not exist, a
        patch twice in a scenario, or a tile and year without labels here.
    """
    with reading(path, "splits"):
        table = pd.read_csv(path, usecols=[*KEY, "split"], dtype=str, na_filter=False)[[*KEY, "split"]]
    again = "Delete it and run again."
    if table.empty:
        raise LayoutError(f"{path}: has no row; expected a patch a row. {again}")
    for column in NUMBERS:
        wrong = table[column][~table[column].str.fullmatch("[0-9]{1,9}")]
        if len(wrong):
            raise LayoutError(
                f'{path}: row {wrong.index[0] + 2} has {column} "{wrong.iloc[0]}"; expected a number. {again}'
            )
        table[column] = table[column].astype("int64")
    _check(path, table[~table["split"].isin(SPLITS)], f"has another split than {', '.join(SPLITS)}. {again}")
    _check(path, table[table.duplicated(KEY)], f"names a patch of its scenario for the second time. {again}")
    here = pd.MultiIndex.from_frame(table[["tile", "year"]]).isin(list(tile_years))
    _check(path, table[~here], "is of a tile and year that has no labels here. Check areas in the configuration.")
    return table


def _check(path: Path, wrong: pd.DataFrame, problem: str) -> None:
    if len(wrong):
        found = ",".join(map(str, wrong.iloc[0]))
        raise LayoutError(f"{path}: row {wrong.index[0] + 2} ({found}) {problem}")
