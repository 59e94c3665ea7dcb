"""Taxonomy and legends: what crop classes exist, and the classes that a recipe uses.

The taxonomy is `taxonomy/classes.csv`: the 168 classes of Sen4AgriNet (FAO ICC extended with CORINE classes,
section V-A). A legend is an ordered choice of codes in `taxonomy/legends/<name>.csv`; they are codes of classes, or of
another scheme: a national list, LUCAS, HCAT.
"""

import csv
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cropstack.errors import ConfigError, nearest

BACKGROUND = 0  # no parcel declared
UNKNOWN = 998  # a parcel whose crop is outside the taxonomy

CLASS_SCHEME = "class"  # the codes of classes.csv
HCAT_SCHEME = "hcat3"  # the codes of hcat3.csv
SOURCES = ("FAO ICC", "CLC", "fallow", "barren", "no data")
CLASS_COLUMNS = ["code", "name", "level", "parent", "group", "source", "coco_id", "hcat3", "hcat4", "lucas_lc1"]
HCAT_COLUMNS = ["hcat", "name", "class_code", "note"]
LEGEND_COLUMNS = ["id", "name", "colour", "scheme", "codes"]
_HCAT = re.compile(r"3[0-9]{9}")
_LUCAS_LC1 = re.compile(r"[A-H][0-9X]{2}[0-9A-E]?")
_COLOUR = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True)
class CropClass:
    """One class: `code` 100 to 998; `coco_id` is its rank, 1 to 168.

    `hcat3` and `hcat4` are the codes of HCAT that stand for the class, None where there is none; `lucas_lc1` are the
    land covers of LUCAS 2018 under which a surveyor may find it.
    """

    code: int
    name: str
    level: str
    parent: int | None
    group: int
    source: str
    coco_id: int
    hcat3: str | None
    hcat4: str | None
    lucas_lc1: tuple[str, ...]


@dataclass(frozen=True)
class LegendClass:
    """One class of a legend: `id` counts from 1; `codes` are the taxonomy codes that it takes."""

    id: int
    name: str
    colour: str
    codes: tuple[int, ...]


@dataclass(frozen=True)
class CodedClass:
    """One class of a legend of any scheme: `id` is the one of the published loader, `codes` are codes of the scheme."""

    id: int
    name: str
    colour: str
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Legend:
    """A legend of any scheme; its classes are in the order of their ids."""

    scheme: str
    classes: tuple[CodedClass, ...]


def read_table(path: Path, columns: list[str]) -> list[dict[str, str]]:
    """Read a UTF-8 CSV whose header is exactly `columns`; an unknown column names its nearest known one."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle)
            found, rows = list(reader.fieldnames or []), list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: is no CSV in UTF-8 ({error}). Save it as UTF-8.") from error
    if found != columns:
        extra = [name for name in found if name not in columns]
        hint = nearest(extra[0], columns) if extra else ""
        hint = ". Save it with commas." if ";" in "".join(found) else hint
        raise ConfigError(f"{path}: columns are {found}; expected {columns}{hint}")
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
    ConfigError : a code twice, a parent that does not exist, a circle of parents, text for a number, an unknown source,
        a code of HCAT or LUCAS that cannot be one.
    """
    classes: dict[int, CropClass] = {}
    for row in read_table(path, CLASS_COLUMNS):
        crop = _crop_class(path, row)
        if crop.code in classes:
            names = f"{classes[crop.code].name}, {crop.name}"
            raise ConfigError(f"{path}: code {crop.code} stands twice ({names}). Keep one.")
        classes[crop.code] = crop
    for crop in classes.values():
        _check_parents(path, crop, classes)
    return classes


def _crop_class(path: Path, row: Mapping[str, str]) -> CropClass:
    code, group, coco_id = (_whole_number(path, name, row[name]) for name in ("code", "group", "coco_id"))
    parent = _whole_number(path, "parent", row["parent"]) if row["parent"] else None
    if row["source"] not in SOURCES:
        hint = nearest(row["source"], SOURCES)
        raise ConfigError(f'{path}: class {code} has the source "{row["source"]}"; expected one of {SOURCES}{hint}')
    hcat3, hcat4 = (row[name] or None for name in ("hcat3", "hcat4"))
    for column, hcat in (("hcat3", hcat3), ("hcat4", hcat4)):
        if hcat is not None and not _HCAT.fullmatch(hcat):
            raise ConfigError(f'{path}: class {code} has {column} "{hcat}"; expected ten digits that begin with 3')
    lucas_lc1 = tuple(row["lucas_lc1"].split())
    for lc1 in lucas_lc1:
        if not _LUCAS_LC1.fullmatch(lc1):
            raise ConfigError(f'{path}: class {code} has lucas_lc1 "{lc1}"; expected codes such as B11, with spaces')
    return CropClass(code, row["name"], row["level"], parent, group, row["source"], coco_id, hcat3, hcat4, lucas_lc1)


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
    """Read a legend whose codes are classes of the taxonomy, for steps that see class codes only.

    Raises
    ------
    ConfigError : as `read_any_legend`; a legend of another scheme; ids that do not count from 1 (0 is the background).
    """
    legend = read_any_legend(path, {CLASS_SCHEME: [str(code) for code in classes]})
    if legend.classes[0].id != 1:
        raise ConfigError(f"{path}: ids count from 0, which is the background of class codes; count from 1")
    return [LegendClass(one.id, one.name, one.colour, tuple(map(int, one.codes))) for one in legend.classes]


def read_any_legend(path: Path, schemes: Mapping[str, Collection[str]]) -> Legend:
    """Read a legend: columns id, name, colour (#rrggbb), scheme (one for all rows), codes (separated by spaces).

    Parameters
    ----------
    schemes : the codes of each scheme that the caller can use, as `read_schemes` gives them.

    Raises
    ------
    ConfigError : no row; ids that do not count from 0 or 1; a name or colour twice; a scheme that the caller cannot
        use; a class without codes; a code that is unknown, or in two classes.
    """
    rows = read_table(path, LEGEND_COLUMNS)
    if not rows:
        raise ConfigError(f"{path}: no class; expected a row for each")
    scheme = rows[0]["scheme"]
    if scheme not in schemes:
        hint = nearest(scheme, schemes)
        raise ConfigError(
            f'{path}: the legend is made of codes of "{scheme}"; expected one of {sorted(schemes)} here{hint or "."} '
            "Choose a legend of that scheme."
        )
    _check_rows(path, rows)
    _check_codes(path, rows, schemes[scheme])
    return Legend(
        scheme,
        tuple(CodedClass(int(row["id"]), row["name"], row["colour"], tuple(row["codes"].split())) for row in rows),
    )


def _check_rows(path: Path, rows: list[dict[str, str]]) -> None:
    first = 0 if rows[0]["id"] == "0" else 1
    for number, row in enumerate(rows, start=first):
        if row["id"] != str(number):
            raise ConfigError(f'{path}: id "{row["id"]}" where {number} is due; ids must count from 0 or 1')
        if row["scheme"] != rows[0]["scheme"]:
            raise ConfigError(
                f'{path}: {row["name"]} has the scheme "{row["scheme"]}", the first row "{rows[0]["scheme"]}". '
                "A legend has one scheme."
            )
        if not _COLOUR.fullmatch(row["colour"]):
            raise ConfigError(f'{path}: {row["name"]} has the colour "{row["colour"]}"; expected #rrggbb in lower case')
    for column in ("name", "colour"):
        values = [row[column] for row in rows]
        if twice := [value for value in values if values.count(value) > 1]:
            raise ConfigError(f'{path}: the {column} "{twice[0]}" stands twice. Give each class its own.')


def _check_codes(path: Path, rows: list[dict[str, str]], known: Collection[str]) -> None:
    owner: dict[str, str] = {}
    for row in rows:
        if not row["codes"].split():
            raise ConfigError(f"{path}: {row['name']} takes no code. Name one, or delete the row and count on.")
        for code in row["codes"].split():
            if code not in known:
                hint = nearest(code, known)
                raise ConfigError(f"{path}: {row['name']} takes code {code}, which {row['scheme']} has not{hint}")
            if code in owner:
                raise ConfigError(f"{path}: code {code} belongs to both {owner[code]} and {row['name']}. Keep one.")
            owner[code] = row["name"]


def read_schemes(taxonomy: Path) -> dict[str, list[str]]:
    """Codes of every scheme that a legend can be made of: classes, HCAT3, and each table of `taxonomy/codes/`."""
    return {
        CLASS_SCHEME: [str(code) for code in read_classes(taxonomy / "classes.csv")],
        HCAT_SCHEME: [row["hcat"] for row in read_table(taxonomy / "hcat3.csv", HCAT_COLUMNS)],
        **{
            path.stem: [row["code"] for row in read_table(path, ["code", "name", "group"])]
            for path in sorted((taxonomy / "codes").glob("*.csv"))
        },
    }


def gaps(legend: Legend, codes: Iterable[str]) -> list[str]:
    """Codes that no class of the legend takes, in the order given: their parcels or points have no label."""
    taken = {code for one in legend.classes for code in one.codes}
    return [code for code in codes if code not in taken]
