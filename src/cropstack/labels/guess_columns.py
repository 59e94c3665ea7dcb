"""Which columns of an unknown declaration hold the id, the crop's code and name, and the declared area.

Names give hints, in the languages of Europe; values decide: an id is never twice the same, a crop code often is, a name
goes with its code, an area equals that of the geometry in m² or ha.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

AREA_UNITS = {"m2": 1.0, "ha": 10_000.0}
_AREA_TOLERANCE = 0.2  # ASSUME: declared areas leave out what does not count; the median is nearer than this
_HCAT = re.compile(r"3[0-9]{9}")
_LETTERS = re.compile(r"[^\W\d_]{3}")
_IDENTIFIER = re.compile(r"://|^ID is|[0-9A-Fa-f]{12}")
# Words in names of columns, with weights. SOURCE: declarations of 18 paying agencies (field.md §4).
_CROP = re.compile(
    r"crop|kult|cult|cul_|gewas|gws|afg|snar|product|kmrs|rastl|plodin|specificlanduse|land_?use|original|specie"
)
_CODE = re.compile(r"code|kod|cod|sifra|(?:^|_)(?:nr|no|id)(?:$|_)|product|afg|snar|kmrs")
_NAME = re.compile(r"name?(?:$|_)|nam|bez|desc|title|text|txt|navn|naziv|nombre|rastl|omsch|cult|gewas$|portugu|afgr")
_ENGLISH = re.compile(r"(?:^|_)en(?:$|_)|trans|english|name_en|lat_e$")
_OTHER = re.compile(
    r"date|dat_|time|year|jahr|any|_v$|_n\d?$|_d\d|bind|sort|egs|gloez|group|grp|grup|categ|typ|form|status|namespace|"
    r"hilucs|dataset|href|len|perim|farm|journal|cvr|prov|muni|comarca|biocert|part"
)
_ID = re.compile(r"(?:^|_)id(?:$|_)|id$|ident|marknr|parcel|ref")
_COMPUTED = re.compile(r"shape")  # of the geometry, by the program that wrote the file
_ROW_NUMBER = re.compile(r"objectid|^fid$|gml_id|ogc_fid|inspire")


@dataclass(frozen=True)
class Guess:
    """Names of columns by role, None where there is none; `others` are those that would have done too, by role."""

    code: str
    name: str | None
    name_en: str | None
    hcat: str | None
    id: str | None
    area: str | None
    area_unit: str | None
    others: dict[str, list[str]]


def guess_columns(table: pd.DataFrame, area_m2: np.ndarray, *, code: str | None = None) -> Guess | None:
    """Guess the roles of columns; None where no column can hold a crop.

    Parameters
    ----------
    table : attributes of parcels, a row each. area_m2 : of their geometries, NaN where null.
    code : the column that holds the crop, None where it is to be guessed.
    """
    columns = {str(name): texts(table[name]) for name in table.columns}
    columns = {name: values for name, values in columns.items() if (values != "").any()}
    if code is not None and code not in columns:
        return None
    areas = _ranked({name: _area_score(name, table[name], area_m2) for name in columns})
    hcat = next((name for name in columns if _share(columns[name], _HCAT) > 0.9), None)
    left = {name: values for name, values in columns.items() if name == code or (name not in areas and name != hcat)}
    codes = [code] if code else _ranked({name: _code_score(name, values) for name, values in left.items()})
    english = next((name for name in left if _ENGLISH.search(name.casefold()) and _wordy(left[name]) > 0.5), None)
    names = _ranked({name: _name_score(name, values) for name, values in left.items() if name != english})
    if not codes and not names:
        return None
    if codes:
        names = [name for name in names if name != codes[0] and _goes_with(left[codes[0]], left[name])]
    crop, name = (codes[0], next(iter(names), None)) if codes else (names[0], None)
    ids = _ranked({other: _id_score(other, values) for other, values in left.items() if other not in (crop, name)})
    others = {
        "code": codes[1:] if codes else names[1:],
        "id": ids[1:],
        "area": areas[1:],
        "name": names[1:],
    }
    area = next(iter(areas), None)
    unit = None if area is None else _unit(table[area], area_m2)[0]
    return Guess(crop, name, english, hcat, next(iter(ids), None), area, unit, others)


def texts(values: pd.Series) -> np.ndarray:
    """Values as text without surrounding spaces, whole numbers without decimals, empty where null."""
    numbers = values.dtype.kind == "f"
    if numbers and (values.dropna() == np.floor(values.dropna())).all():
        values = values.astype("Int64")
    text = values.astype("string").fillna("").str.strip()
    return text.to_numpy(object)


def _ranked(score: dict[str, float]) -> list[str]:
    """Columns with a score above 0, best first; of equal ones the first in the file."""
    order = list(score)
    return sorted((name for name in order if score[name] > 0), key=lambda name: (-score[name], order.index(name)))


def _share(values: np.ndarray, pattern: re.Pattern[str]) -> float:
    """Share of the filled values that match wholly."""
    filled = [value for value in values if value]
    return sum(bool(pattern.fullmatch(value)) for value in filled) / len(filled) if filled else 0.0


def _hits(name: str, patterns: Iterable[tuple[re.Pattern[str], float]]) -> float:
    return sum(weight for pattern, weight in patterns if pattern.search(name.casefold()))


def _repeats(values: np.ndarray) -> bool:
    """Whether values come back, as crops do; a column of one value says nothing, but a short extract may have one."""
    filled = values[values != ""]
    return len(set(filled)) <= max(1, 0.6 * len(filled))


def _code_score(name: str, values: np.ndarray) -> float:
    filled = [value for value in values if value]
    short = np.mean([len(value) <= 8 and " " not in value for value in filled])
    decimal = np.mean([bool(re.fullmatch(r"-?\d+[.,]\d+", value)) for value in filled])
    if short < 0.95 or decimal > 0.05 or not _repeats(values):
        return 0.0
    if not _CROP.search(name.casefold()) and name.casefold() not in ("code", "cod", "kod"):
        return 0.0
    hints = _hits(name, [(_CROP, 3), (_CODE, 2), (_NAME, -2), (_OTHER, -3)])
    return hints + min(len(set(filled)), 10) / 5 + len(filled) / len(values) - 1


def _wordy(values: np.ndarray) -> float:
    """Share of the filled values that are words."""
    filled = [value for value in values if value]
    good = [
        bool(re.search(r"[^\W\d_]{3}", value)) and not re.search(r"://|^ID is|[0-9A-Fa-f]{12}", value)
        for value in filled
    ]
    return float(np.mean(good)) if filled else 0.0


def _name_score(name: str, values: np.ndarray) -> float:
    if _wordy(values) < 0.8 or not _repeats(values):
        return 0.0
    return _hits(name, [(_CROP, 3), (_NAME, 2), (_OTHER, -4)]) + min(len(set(values)), 10) / 5 - 1


def _goes_with(codes: np.ndarray, names: np.ndarray) -> bool:
    """Whether nearly every code has one name, and nearly every name one code."""
    pairs = len(set(zip(codes, names, strict=True)))
    return pairs <= 1.1 * min(len(set(codes)), len(set(names))) + 1


def _id_score(name: str, values: np.ndarray) -> float:
    if len(set(values)) < len(values) or (values == "").any():
        return 0.0
    if np.mean([bool(re.search(r"^-?\d+\.\d+$|://|\s", value)) for value in values]) > 0.05:
        return 0.0
    return 1 + _hits(name, [(_ID, 2), (_ROW_NUMBER, -1.5), (_OTHER, -2)])


def _area_score(name: str, values: pd.Series, area_m2: np.ndarray) -> float:
    unit, distance = _unit(values, area_m2)
    filled = (values > 0).mean() if unit else 0.0
    return 0.0 if unit is None else filled - distance - _hits(name, [(_COMPUTED, 0.3)])


def _unit(values: pd.Series, area_m2: np.ndarray) -> tuple[str | None, float]:
    """Unit in which a column equals the area of the geometry, and how far the median is from it."""
    if values.dtype.kind not in "fiu":
        return None, 1.0
    numbers = values.to_numpy(float, na_value=np.nan)
    good = (area_m2 > 0) & (numbers > 0)
    if good.sum() < 0.5 * len(numbers):
        return None, 1.0
    ratio = numbers[good] / area_m2[good]
    found = {unit: float(np.median(np.abs(ratio * factor - 1))) for unit, factor in AREA_UNITS.items()}
    unit = min(found, key=lambda one: found[one])
    return (unit, found[unit]) if found[unit] < _AREA_TOLERANCE else (None, 1.0)
