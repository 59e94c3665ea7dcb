"""Rows of a LUCAS survey as published, and the ledger of what is wrong with them."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from cropstack.errors import LedgerRow, SurveyError, nearest
from cropstack.labels.plain_texts import plain_texts
from cropstack.labels.survey_columns import Column

STAGE = "read_points"
REQUIRED = ("point_id", "th_lat", "th_long", "lc1")
ADDED = ("repairs", "geometry")
_DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Surveyed:
    """Rows of survey files: trimmed texts by lower-case column, in the order of the files.

    Attributes
    ----------
    table : strings, blank where null or where a file lacks the column.
    place : file and line of each row, for messages.
    broken : ledger rows of lines that have not the cells of their header.
    """

    table: pa.Table
    place: np.ndarray
    broken: list[LedgerRow]


class Faults:
    """What is wrong with rows: each is rejected once, for the first reason, or kept with the reasons of its repairs."""

    def __init__(self, units: np.ndarray) -> None:
        self.units = units
        self.rejected = np.zeros(len(units), bool)
        self._rejects: list[LedgerRow] = []
        self._repairs: list[tuple[int, LedgerRow]] = []

    def reject(self, where: np.ndarray, reason: str, evidence: Callable[[int], str]) -> None:
        """Leave out rows; those rejected before keep their first reason."""
        for row in np.flatnonzero(where & ~self.rejected).tolist():
            self._rejects.append(LedgerRow(self.units[row], STAGE, "rejected", reason, evidence(row)))
        self.rejected |= where

    def repair(self, where: np.ndarray, reason: str, evidence: Callable[[int], str]) -> None:
        """Note a repair of rows that are not rejected so far."""
        for row in np.flatnonzero(where & ~self.rejected).tolist():
            self._repairs.append((row, LedgerRow(self.units[row], STAGE, "repaired", reason, evidence(row))))

    def ledger(self) -> list[LedgerRow]:
        """Rows rejected, and repairs of the others."""
        return self._rejects + [row for index, row in self._repairs if not self.rejected[index]]

    def repairs(self) -> np.ndarray:
        """Reasons of each row's repairs, sorted, separated by spaces."""
        reasons: list[set[str]] = [set() for _ in self.units]
        for index, row in self._repairs:
            reasons[index].add(row.reason)
        return np.array([" ".join(sorted(some)) for some in reasons], object)


def read_surveys(files: list[Path], columns: dict[str, Column]) -> Surveyed:
    """Read CSV files with a header: comma, semicolon, tab or bar between cells, UTF-8, names in any case.

    Raises
    ------
    SurveyError : a file that is no such CSV, lacks a column without which a row is no point, or names one twice.
    """
    tables, places, broken = [], [], []
    for file in files:
        table, place, some = _read_survey(file, columns)
        tables.append(table)
        places.append(place)
        broken += some
    whole = pa.concat_tables(tables, promote_options="default")
    texts = [plain_texts(column) for column in whole.columns]  # null where a file lacks the column
    return Surveyed(pa.table(texts, names=whole.column_names), np.concatenate(places), broken)


def _read_survey(file: Path, columns: dict[str, Column]) -> tuple[pa.Table, np.ndarray, list[LedgerRow]]:
    lines = _lines(file)
    delimiter, header = _header(file, lines)
    names, numbers = _names(file, header, columns), sorted(lines)[1:]
    table, broken = _parse(file, lines, numbers, names, delimiter)
    if table is None or len(table) + len(broken) != len(numbers):  # a quote that stays open swallows lines
        is_open = {number: _is_open(lines[number], delimiter) for number in numbers}
        swallowing = [
            _broken(file, number, "quotes", f"a quote stays open: {_text(lines[number])[:80]}")
            for number in numbers
            if is_open[number]
        ]
        numbers = [number for number in numbers if not is_open[number]]
        table, broken = _parse(file, lines, numbers, names, delimiter)
        if table is None or len(table) + len(broken) != len(numbers):
            raise _unreadable(file, "its lines are no rows")
        broken = swallowing + broken
    kept = np.setdiff1d(numbers, [int(row.unit.rpartition(":")[2]) for row in broken])
    return table, np.array([f"{file.name}:{number}" for number in kept], object), broken


def _lines(file: Path) -> dict[int, bytes]:
    """Lines that hold something, by their numbers in the file; no cell has a line break."""
    try:
        data = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
        data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from error
    lines = {number: line for number, line in enumerate(data.splitlines(), 1) if line.strip()}
    if not lines:
        raise _unreadable(file, "it is empty")
    return lines


def _header(file: Path, lines: dict[int, bytes]) -> tuple[str, list[str]]:
    """The delimiter, and the names in lower case."""
    first = _text(lines[min(lines)])
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        return delimiter, [name.strip().casefold() for name in next(csv.reader([first], delimiter=delimiter))]
    except csv.Error as error:
        raise _unreadable(file, error) from error


def _parse(
    file: Path, lines: dict[int, bytes], numbers: list[int], names: list[str], delimiter: str
) -> tuple[pa.Table | None, list[LedgerRow]]:
    """A table of texts and the lines with other cells than the header's; no table where quotes are not closed."""
    broken: list[LedgerRow] = []

    def skip(row: arrow_csv.InvalidRow) -> str:
        evidence = f"{row.actual_columns} cells; expected {row.expected_columns}: {row.text[:80]}"
        broken.append(_broken(file, numbers[row.number - 1], "cells", evidence))
        return "skip"

    try:
        table = arrow_csv.read_csv(
            pa.py_buffer(b"\n".join([lines[number] for number in numbers]) + b"\n"),
            arrow_csv.ReadOptions(column_names=names, use_threads=False),
            arrow_csv.ParseOptions(delimiter=delimiter, invalid_row_handler=skip),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowException:
        return None, []
    return table, broken


def _is_open(line: bytes, delimiter: str) -> bool:
    try:
        next(csv.reader([_text(line)], delimiter=delimiter, strict=True))
    except csv.Error:
        return True
    return False


def _text(line: bytes) -> str:
    return line.decode()


def _broken(file: Path, number: int, reason: str, evidence: str) -> LedgerRow:
    return LedgerRow(f"{file.name}:{number}", STAGE, "rejected", reason, evidence)


def _names(file: Path, header: list[str], columns: dict[str, Column]) -> list[str]:
    """Names of the columns as the taxonomy calls them."""
    known = {alias: column.name for column in columns.values() for alias in column.aliases}
    names = [known.get(name, name) for name in header]
    for name in REQUIRED:
        if name not in names:
            hint = nearest(name, names)
            raise SurveyError(
                f"{file}: has no column {name}{hint or '.'} It is needed: give the column this name, or add its name "
                "to aliases in taxonomy/lucas_columns.csv."
            )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SurveyError(f"{file}: the column {twice[0] or '(no name)'} stands twice in the header. Remove one.")
    for name in ADDED:
        if name in names:
            raise SurveyError(f"{file}: has a column {name}, which is added to the points. Rename or remove it.")
    return names


def _unreadable(file: Path, error: Exception | str) -> SurveyError:
    first = next(iter(str(error).splitlines()), "") or type(error).__name__
    return SurveyError(
        f"{file}: not readable as CSV in UTF-8 ({first[:200]}); expected a table of LUCAS points with a header. "
        "Fetch it again, unpack it, or save it as UTF-8."
    )
