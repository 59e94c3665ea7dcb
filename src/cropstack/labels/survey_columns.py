"""Columns of a LUCAS survey: what the taxonomy says of each, and texts turned into its type."""

import math
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cropstack.errors import ConfigError
from cropstack.legend import read_table

TYPES = ("text", "integer", "number", "degrees", "date")
NUMBERS = ("integer", "number", "degrees")
_NUMBER = r"^[+-]?\d{1,300}([.,]\d*)?$"
_WHOLE_FLOATS = 2**53  # above it neighbouring integers share a float64
_DAY_FIRST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})")
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")


@dataclass(frozen=True)
class Column:
    """A column: its name in lower case, its type (`TYPES`), the texts that mean "not relevant", its other names."""

    name: str
    type: str
    not_relevant: tuple[str, ...]
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class Numbers:
    """A column of numbers, one entry a row.

    Attributes
    ----------
    values : float64, NaN where blank, not relevant or bad.
    is_bad : the text is no number, or not a whole one where one is expected.
    has_comma : its decimal mark is a comma.
    """

    values: np.ndarray
    is_bad: np.ndarray
    has_comma: np.ndarray


def read_columns(path: Path) -> dict[str, Column]:
    """Columns by name.

    Raises
    ------
    ConfigError : an unknown type, or a name or alias that stands twice.
    """
    columns: dict[str, Column] = {}
    names: set[str] = set()
    for row in read_table(path, ["column", "type", "not_relevant", "aliases"]):
        column = Column(row["column"], row["type"], tuple(row["not_relevant"].split()), tuple(row["aliases"].split()))
        if column.type not in TYPES:
            raise ConfigError(f'{path}: {column.name} has the type "{column.type}"; expected one of {", ".join(TYPES)}')
        for name in (column.name, *column.aliases):
            if name in names:
                raise ConfigError(f'{path}: "{name}" stands twice. Remove one.')
            names.add(name)
        columns[column.name] = column
    return columns


def relevant(texts: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    """The texts, null where blank or not relevant."""
    nothing = pa.array(["", *column.not_relevant])
    return pc.if_else(pc.is_in(texts, nothing), pa.scalar(None, pa.string()), texts)


def to_numbers(texts: pa.ChunkedArray, column: Column) -> Numbers:
    """Read a column of numbers; what is not relevant is compared as a number, so ``88.88888800`` is 88.888888."""
    given = pc.not_equal(texts, "")
    is_number = pc.match_substring_regex(texts, _NUMBER)
    has_comma = pc.and_(is_number, pc.match_substring(texts, ","))
    plain = pc.if_else(is_number, pc.replace_substring(texts, ",", "."), pa.scalar(None, pa.string()))
    values = _array(pc.fill_null(pc.cast(plain, pa.float64()), math.nan)).astype(float)
    is_bad = _array(pc.and_(given, pc.invert(is_number))).astype(bool)
    values[np.isin(values, [float(text) for text in column.not_relevant])] = np.nan
    if column.type == "integer":
        is_bad |= ~np.isnan(values) & ((values != np.floor(values)) | (np.abs(values) > _WHOLE_FLOATS))
    values[is_bad] = np.nan
    return Numbers(values, is_bad, _array(has_comma).astype(bool))


def to_dates(texts: pa.ChunkedArray) -> tuple[pa.Array, np.ndarray]:
    """Days, null where blank, and where the text is none: neither DD/MM/YY, DD/MM/YYYY nor YYYY-MM-DD.

    A time of day behind the date is left out. Two digits are years from 2000.
    """
    encoded = pc.dictionary_encode(texts).combine_chunks()
    days = [_day(text) for text in encoded.dictionary.to_pylist()]
    found = pa.array(days, pa.date32()).take(encoded.indices)
    return found, _array(pc.and_(pc.is_null(found), pc.not_equal(texts, ""))).astype(bool)


def months_first(texts: pa.ChunkedArray) -> int:
    """Number of dates that are one only with the month first; 0 where more are so only with the day first."""
    count = {True: 0, False: 0}
    for one in pc.value_counts(texts).to_pylist():
        match = _DAY_FIRST.fullmatch(re.split(r"[ T]", one["values"], maxsplit=1)[0])
        if match and (int(match[1]) > 12) != (int(match[2]) > 12):
            count[int(match[2]) > 12] += one["counts"]
    return count[True] if count[True] > count[False] else 0


def _day(text: str) -> date | None:
    first = re.split(r"[ T]", text, maxsplit=1)[0]
    try:
        if match := _YEAR_FIRST.fullmatch(first):
            return date(int(match[1]), int(match[2]), int(match[3]))
        if match := _DAY_FIRST.fullmatch(first):
            year = int(match[3])
            return date(year + 2000 if year < 100 else year, int(match[2]), int(match[1]))
    except ValueError:  # the 30th of February
        return None
    return None


def _array(values: pa.ChunkedArray | pa.Array) -> np.ndarray:
    return np.array(values.to_numpy(zero_copy_only=False) if isinstance(values, pa.Array) else values.to_numpy())
