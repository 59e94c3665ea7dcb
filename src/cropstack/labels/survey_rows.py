"""Rows of a LUCAS survey as published, and the ledger of what is wrong with them."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from cropstack.errors import LedgerRow, SurveyError, nearest
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
    filled = [pc.fill_null(column, "") for column in whole.columns]
    return Surveyed(pa.table(filled, names=whole.column_names), np.concatenate(places), broken)


def _read_survey(file: Path, columns: dict[str, Column]) -> tuple[pa.Table, np.ndarray, list[LedgerRow]]:
    delimiter, header = _header(file)
    names = _names(file, header, columns)
    broken: list[LedgerRow] = []

    def skip(row: arrow_csv.InvalidRow) -> str:
        evidence = f"{row.actual_columns} cells; expected {row.expected_columns}: {row.text[:80]}"
        broken.append(LedgerRow(f"{file.name}:{row.number}", STAGE, "rejected", "cells", evidence))
        return "skip"

    try:
        table = arrow_csv.read_csv(
            file,
            arrow_csv.ReadOptions(column_names=names, skip_rows=1, use_threads=False),
            arrow_csv.ParseOptions(delimiter=delimiter, invalid_row_handler=skip),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowException as error:
        raise _unreadable(file, error) from error
    skipped = np.array([int(row.unit.rpartition(":")[2]) for row in broken], int)
    lines = np.setdiff1d(np.arange(2, 2 + len(table) + len(skipped)), skipped)
    return _trimmed(table), np.array([f"{file.name}:{line}" for line in lines], object), broken


def _header(file: Path) -> tuple[str, list[str]]:
    """The delimiter, and the names in lower case."""
    try:
        with open(file, encoding="utf-8-sig", newline="") as handle:
            first = handle.readline(100_000)
        if not first.strip():
            raise ValueError("its first line is empty")
        delimiter = max(_DELIMITERS, key=first.count)
        return delimiter, [name.strip().casefold() for name in next(csv.reader([first], delimiter=delimiter))]
    except (OSError, ValueError, csv.Error) as error:
        raise _unreadable(file, error) from error


def _names(file: Path, header: list[str], columns: dict[str, Column]) -> list[str]:
    """Names of the columns as the taxonomy calls them."""
    known = {alias: column.name for column in columns.values() for alias in column.aliases}
    names = [known.get(name, name) for name in header]
    for name in REQUIRED:
        if name not in names:
            hint = nearest(name, names)
            raise SurveyError(
                f"{file}: has no column {name}{hint}. It is needed: give the column this name, or add its name to "
                "aliases in taxonomy/lucas_columns.csv."
            )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SurveyError(f"{file}: the column {twice[0] or '(no name)'} stands twice in the header. Remove one.")
    for name in ADDED:
        if name in names:
            raise SurveyError(f"{file}: has a column {name}, which is added to the points. Rename or remove it.")
    return names


def _trimmed(table: pa.Table) -> pa.Table:
    """Control characters, which would break lines of the tables made of them, are spaces."""
    clean = [
        pc.utf8_trim_whitespace(pc.replace_substring_regex(column, r"[\x00-\x1f\x7f]+", " "))
        for column in table.columns
    ]
    return pa.table(clean, names=table.column_names)


def _unreadable(file: Path, error: Exception) -> SurveyError:
    first = next(iter(str(error).splitlines()), "") or type(error).__name__
    return SurveyError(
        f"{file}: not readable as CSV in UTF-8 ({first[:200]}); expected a table of LUCAS points with a header. "
        "Fetch it again, unpack it, or save it as UTF-8."
    )
