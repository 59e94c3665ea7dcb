"""Taxonomy and legends: what crop classes exist, and the classes that a recipe uses.

The taxonomy is `taxonomy/classes.csv`: the 168 classes of Sen4AgriNet (FAO ICC extended with CORINE classes,
section V-A). A legend is an ordered choice of them in `taxonomy/legends/<name>.csv`.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from cropstack.errors import ConfigError, nearest

BACKGROUND = 0  # no parcel declared
UNKNOWN = 998  # a parcel whose crop is outside the taxonomy


@dataclass(frozen=True)
class CropClass:
    """One class: `code` 100 to 998; `coco_id` is its rank, 1 to 168."""

    code: int
    name: str
    level: str
    parent: int | None
    group: int
    source: str
    coco_id: int


@dataclass(frozen=True)
class LegendClass:
    """One class of a legend: `id` counts from 1; `codes` are the taxonomy codes that it takes."""

    id: int
    name: str
    colour: str
    codes: tuple[int, ...]


def read_table(path: Path, columns: list[str]) -> list[dict[str, str]]:
    """Read a UTF-8 CSV whose header is exactly `columns`; an unknown column names its nearest known one."""
    with open(path, encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle)
        found = list(reader.fieldnames or [])
        if found != columns:
            extra = [name for name in found if name not in columns]
            hint = nearest(extra[0], columns) if extra else ""
            raise ConfigError(f"{path}: columns are {found}; expected {columns}{hint}")
        rows = list(reader)
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise ConfigError(f"{path}: row {line} has not the {len(columns)} columns of the header. Quote commas.")
    return rows


def _whole_number(path: Path, column: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f'{path}: {column} is "{text}"; expected a whole number') from None


def read_classes(path: Path) -> dict[int, CropClass]:
    """Read `taxonomy/classes.csv`: classes by code.

    Raises
    ------
    ConfigError : a code twice, a parent that does not exist, a circle of parents, text for a number.
    """
    rows = read_table(path, ["code", "name", "level", "parent", "group", "source", "coco_id"])
    classes: dict[int, CropClass] = {}
    for row in rows:
        code, group, coco_id = (_whole_number(path, name, row[name]) for name in ("code", "group", "coco_id"))
        if code in classes:
            raise ConfigError(f"{path}: code {code} stands twice ({classes[code].name}, {row['name']}). Keep one.")
        parent = _whole_number(path, "parent", row["parent"]) if row["parent"] else None
        classes[code] = CropClass(code, row["name"], row["level"], parent, group, row["source"], coco_id)
    for crop in classes.values():
        _check_parents(path, crop, classes)
    return classes


def _check_parents(path: Path, crop: CropClass, classes: dict[int, CropClass]) -> None:
    chain = [crop.code]
    while (parent := classes[chain[-1]].parent) is not None:
        if parent not in classes:
            name = classes[chain[-1]].name
            raise ConfigError(f"{path}: class {chain[-1]} ({name}) has the parent {parent}, which is no class. Add it.")
        if parent in chain:
            circle = " > ".join(str(code) for code in [*chain, parent])
            raise ConfigError(f"{path}: class {crop.code} ({crop.name}) has parents in a circle: {circle}. Cut it.")
        chain.append(parent)


def read_legend(path: Path, classes: dict[int, CropClass]) -> list[LegendClass]:
    """Read a legend: columns id, name, colour (#rrggbb), codes (separated by spaces).

    Raises
    ------
    ConfigError : ids that do not count from 1, a code outside the taxonomy or in two classes.
    """
    legend: list[LegendClass] = []
    owner: dict[int, str] = {}
    for number, row in enumerate(read_table(path, ["id", "name", "colour", "codes"]), start=1):
        if row["id"] != str(number):
            raise ConfigError(f'{path}: id "{row["id"]}" in row {number}; ids must count from 1')
        codes = tuple(_whole_number(path, "codes", code) for code in row["codes"].split())
        for code in codes:
            if code not in classes:
                raise ConfigError(f"{path}: class {row['name']} takes code {code}, which is not in the taxonomy")
            if code in owner:
                raise ConfigError(f"{path}: code {code} belongs to both {owner[code]} and {row['name']}. Keep one.")
            owner[code] = row["name"]
        legend.append(LegendClass(number, row["name"], row["colour"], codes))
    return legend
