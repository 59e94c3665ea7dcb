"""Rows of crops.csv for a country that has none: the crops of its declaration, each with a suggested class."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cropstack.errors import ConfigError, nearest
from cropstack.labels.crops import COLUMNS, UNREVIEWED, normalise
from cropstack.labels.guess_columns import Guess, texts
from cropstack.labels.lint_crops import SUGGESTED
from cropstack.labels.suggest import Known, suggest
from cropstack.legend import UNKNOWN

_LIST_COLUMNS = {  # how lists of crops name their columns, in order of preference. SOURCE: EuroCrops, fiboa, offices
    "code": ("code", "original_code", "crop_code", "crop:code"),
    "name": ("name", "original_name", "crop_name", "crop:name"),
    "name_en": ("name_en", "translated_name", "ec_trans_n"),
    "hcat": ("hcat", "hcat3_code", "ec_hcat_c", "hcat:code"),
}


@dataclass(frozen=True)
class DeclaredCrop:
    """A crop of the declaration and how many parcels have it."""

    code: str
    name: str
    name_en: str
    hcat: str
    parcels: int


def declared_crops(table: pd.DataFrame, guess: Guess) -> list[DeclaredCrop]:
    """The crops of all parcels by normalised code, each with the name that most of its parcels have."""
    columns = {"code": guess.code, "name": guess.name, "name_en": guess.name_en, "hcat": guess.hcat}
    frame = pd.DataFrame({role: texts(table[name]) if name else "" for role, name in columns.items()})
    frame["code"] = [normalise(code) for code in frame["code"]]
    crops = []
    for code, group in frame[frame["code"] != ""].groupby("code", sort=True):
        name, english, hcat = (_most(group[role]) for role in ("name", "name_en", "hcat"))
        crops.append(DeclaredCrop(str(code), name, english, hcat, len(group)))
    return crops


def _most(values: pd.Series) -> str:
    count = Counter(value for value in values if value)
    return min(count, key=lambda value: (-count[value], value)) if count else ""


def read_names(path: Path) -> dict[str, dict[str, str]]:
    """The office's list of crops: name, name_en and hcat by normalised code, empty where the list has none.

    Raises
    ------
    ConfigError : no UTF-8 CSV, or without a column of codes.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        first = text.partition("\n")[0]
        reader = csv.DictReader(text.splitlines(), delimiter=max(",;\t", key=first.count))
        rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: not readable as CSV in UTF-8 ({error}). Save it as that.") from error
    header = {name.casefold(): name for name in reader.fieldnames or []}
    column = {role: next((header[n] for n in names if n in header), None) for role, names in _LIST_COLUMNS.items()}
    if column["code"] is None:
        raise ConfigError(
            f"{path}: no column of codes; columns are {', '.join(header.values()) or 'none'}"
            f"{nearest('code', header) or '.'} "
            "Call them code, name, name_en, hcat."
        )
    roles = [role for role in column if role != "code"]
    return {
        normalise(row[column["code"]] or ""): {role: (row.get(column[role] or "") or "").strip() for role in roles}
        for row in rows
    }


def with_names(crops: Sequence[DeclaredCrop], names: Mapping[str, Mapping[str, str]], path: Path) -> list[DeclaredCrop]:
    """Crops with what the office's list says of them.

    Raises
    ------
    ConfigError : the list has none of the codes.
    """
    if not any(crop.code in names for crop in crops):
        codes = ", ".join(crop.code for crop in crops[:5])
        raise ConfigError(f"{path}: has none of the declared codes ({codes} ...). Is it the list of this office?")
    result = []
    for crop in crops:
        said = names.get(crop.code, {})
        name, english, hcat = (said.get(role) or getattr(crop, role) for role in ("name", "name_en", "hcat"))
        result.append(DeclaredCrop(crop.code, name, english, hcat, crop.parcels))
    return result


def suggested_rows(
    crops: Sequence[DeclaredCrop], hcat: Mapping[str, Known], known: Sequence[Known]
) -> list[dict[str, str]]:
    """Rows of crops.csv, all unreviewed: the class of the HCAT code, else of the most similar name, else 998."""
    found = suggest([(crop.name, crop.name_en) if crop.name else (crop.code,) for crop in crops], known, most=1)
    rows = []
    for crop, similar in zip(crops, found, strict=True):
        row = dict.fromkeys(COLUMNS, "") | {"code": crop.code, "name": crop.name or crop.code, "review": UNREVIEWED}
        row |= {"name_en": crop.name_en}
        if crop.hcat in hcat:
            row |= {"class_code": str(hcat[crop.hcat].class_code), "hcat": crop.hcat}
            row["note"] = f"{SUGGESTED} hcat {hcat[crop.hcat].name}"
        elif similar:
            row |= {"class_code": str(similar[0].class_code), "hcat": similar[0].hcat}
            row["note"] = f"{SUGGESTED} {similar[0].name} in {similar[0].origin} ({similar[0].score:.0f})"
        else:
            row |= {"class_code": str(UNKNOWN), "note": f"{SUGGESTED} nothing similar found; look it up"}
        rows.append(row)
    return rows
