"""Points of a LUCAS survey with all their columns, typed and repaired, and a ledger of what was changed or left out.

Reasons in the ledger, each with POINT_ID as unit, or with file and line where there is none:

======================= ============ ==========================================================================
reason                  action       meaning
======================= ============ ==========================================================================
``quotes``              rejected     a line with a quote that stays open
``cells``               rejected     not as many cells as the header
``point_id``            rejected     POINT_ID is not eight digits, or no place in Europe
``not_a_number``        rejected     text, or a fraction, where the column has (whole) numbers
``no_land_cover``       rejected     LC1 is blank or "8"
``unknown_land_cover``  rejected     LC1 is none of `taxonomy/codes/lucas_lc1.csv`
``position``            rejected     TH_LAT and TH_LONG are not where POINT_ID says, however they are read; or they are
                                     blank, and the surveyor stood elsewhere
``duplicate``           rejected     the same row as one that is kept
``conflicting_rows``    rejected     POINT_ID stands more than once, with different values: nobody knows which
``filter``              filtered     rows of other survey years; unit is the year
``swapped_axes``        repaired     longitude and latitude were exchanged
``wrong_sign``          repaired     a longitude west of Greenwich had no sign, or one east of it had one
``metres_as_degrees``   repaired     metres of EPSG:3035 stood in columns of degrees
``missing_position``    repaired     TH_LAT or TH_LONG is blank; from POINT_ID
``observer_position``   repaired     GPS_* or CAR_* is far from the point, however it is read, or half: left empty
``survey_date``         repaired     no date, or one far from the survey's year: left empty
``decimal_comma``       repaired     numbers with a decimal comma; unit is the column
======================= ============ ==========================================================================
"""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely
from pyproj import CRS

from cropstack.errors import LedgerRow, SurveyError, nearest
from cropstack.files import replace_on_success, write_ledger
from cropstack.labels.survey_columns import (
    NUMBERS,
    Column,
    Numbers,
    months_first,
    read_columns,
    relevant,
    to_dates,
    to_numbers,
)
from cropstack.labels.survey_position import REASONS, Reading, best_reading, grid_nodes, to_degrees
from cropstack.labels.survey_rows import STAGE, Faults, Surveyed, read_surveys
from cropstack.legend import read_table
from cropstack.step import step

POSITION_M = 100.0  # ASSUME: coordinates cut to three decimals stay within it
OBSERVER_M = 10_000.0  # ASSUME: nobody surveys a point from farther away
OBSERVER_MARGIN_M = 1_000.0  # near Greenwich both signs are near the point
CODES = "taxonomy/codes/lucas_lc1.csv"
_OBSERVERS = [("gps_long", "gps_lat", "gps_ew"), ("car_longitude", "car_latitude", "car_ew")]
_WEST = "2"
_LICENCE = "Reuse with attribution (Commission Decision 2011/833/EU)"


def read_points(surveys: list[Path], columns: Path, codes: Path, points: Path, ledger: Path, *, year: int) -> None:
    """Write the points of a survey as GeoParquet at their theoretical positions, and the ledger.

    All published columns stay, in lower case, blank and "not relevant" as null: texts, int64, float64 and dates as
    `columns` says; `th_*`, `gps_*` and `car_*` in signed degrees (WGS 84). Then ``repairs``, the reasons of the row's
    repairs, and ``geometry``, the theoretical position. Sorted by ``point_id``.

    Parameters
    ----------
    surveys : the survey's CSV files as published, by country or for all.
    columns : `taxonomy/lucas_columns.csv`; columns that it lacks stay text.
    codes : the codes of land cover.
    year : of the survey; where a file holds several (``year`` or ``survey_year``), rows of others are left out.

    Raises
    ------
    SurveyError : a file that cannot be read, with dates that begin with the month or are mostly of another year, or
        without a usable point.
    ConfigError : `columns` or `codes` contradict themselves.
    """
    kinds = read_columns(columns)
    land_covers = [row["code"] for row in read_table(codes, ["code", "name", "group"])]
    found, rows = _of_year(read_surveys(surveys, kinds), kinds, year)
    units = np.array(found.table["point_id"].to_pylist(), object)
    faults = Faults(np.where(units == "", found.place, units))
    nodes = grid_nodes(units)
    faults.reject(
        np.isnan(nodes[:, 0]),
        "point_id",
        lambda i: f'{found.place[i]}: POINT_ID "{units[i]}"; expected eight digits that are a place in Europe',
    )
    typed = {name: found.table[name] for name in found.table.column_names}
    rows += _type_columns(typed, kinds, faults)
    _check_land_cover(typed, land_covers, faults)
    blank = _locate_points(typed, nodes, faults)
    _locate_observers(typed, nodes, blank, faults)
    _type_dates(typed, kinds, faults, found.place, year)
    _check_duplicates(typed, units, faults)
    kept = _kept(typed, faults)
    if not len(kept):
        raise SurveyError(_nothing_left(surveys[0], year, len(units), [*found.broken, *faults.ledger(), *rows]))
    with replace_on_success(points) as temporary:
        pq.write_table(_with_metadata(kept, year), temporary, compression="zstd")
        write_ledger(ledger, [*rows, *found.broken, *faults.ledger()])
    rejected, others = int(faults.rejected.sum()) + len(found.broken), sum(row.action == "filtered" for row in rows)
    print(f"{year}: {len(kept)} of {len(kept) + rejected} points, {rejected} rejected; {others} other years left out")


def _of_year(found: Surveyed, kinds: dict[str, Column], year: int) -> tuple[Surveyed, list[LedgerRow]]:
    """The rows of a survey, and how many there are of others. A row that names no year is the survey's own."""
    if "survey_year" not in found.table.column_names:
        return found, []
    years = to_numbers(found.table["survey_year"], kinds["survey_year"]).values
    is_here = np.isnan(years) | (years == year)
    others, counts = np.unique(years[~is_here], return_counts=True)
    rows = [
        LedgerRow(f"survey_year: {other:.0f}", STAGE, "filtered", "filter", f"{count} rows of other years")
        for other, count in zip(others.tolist(), counts.tolist(), strict=True)
    ]
    return Surveyed(found.table.filter(pa.array(is_here)), found.place[is_here], found.broken), rows


# --- types ------------------------------------------------------------------------------------------------


def _type_columns(typed: dict[str, pa.ChunkedArray], kinds: dict[str, Column], faults: Faults) -> list[LedgerRow]:
    """Numbers and nulls in place of texts; the ledger of decimal commas, which files have in all rows or in none."""
    rows: list[LedgerRow] = []
    for name, texts in typed.items():
        column = kinds.get(name, Column(name, "text", (), ()))
        if column.type in NUMBERS:
            numbers = to_numbers(texts, column)
            _reject_words(numbers, texts, column, faults)
            rows += _comma_row(numbers, texts, column, faults)
            array = pa.array(numbers.values, mask=np.isnan(numbers.values))
            typed[name] = pa.chunked_array([array.cast(pa.int64()) if column.type == "integer" else array])
        elif column.type == "text":
            typed[name] = relevant(texts, column)
    return rows


def _reject_words(numbers: Numbers, texts: pa.ChunkedArray, column: Column, faults: Faults) -> None:
    expected = "a whole number" if column.type == "integer" else "a number"
    faults.reject(numbers.is_bad, "not_a_number", lambda i: f'{column.name} "{texts[i]}"; expected {expected}')


def _comma_row(numbers: Numbers, texts: pa.ChunkedArray, column: Column, faults: Faults) -> list[LedgerRow]:
    found = np.flatnonzero(numbers.has_comma).tolist()
    if not found:
        return []
    evidence = f"{len(found)} rows, the first {faults.units[found[0]]}: {texts[found[0]]}; read as a decimal mark"
    return [LedgerRow(column.name, STAGE, "repaired", "decimal_comma", evidence)]


def _type_dates(
    typed: dict[str, pa.ChunkedArray], kinds: dict[str, Column], faults: Faults, place: np.ndarray, year: int
) -> None:
    files = np.array([one.rpartition(":")[0] for one in place], object)
    for name in [name for name in typed if name in kinds and kinds[name].type == "date"]:
        for file in sorted(set(files)):
            _check_order(typed[name].filter(pa.array(files == file)), name, file)
        typed[name] = _days(typed[name], name, faults, year)


def _check_order(texts: pa.ChunkedArray, name: str, file: str) -> None:
    """Each file has an order of its own."""
    if count := months_first(texts):
        raise SurveyError(
            f"{file}: {name}: {count} dates such as 09/21/18 begin with the month, more than with the day; expected "
            "DD/MM/YY, DD/MM/YYYY or YYYY-MM-DD. Rewrite the column: which of the others do nobody can tell."
        )


def _days(texts: pa.ChunkedArray, name: str, faults: Faults, year: int) -> pa.ChunkedArray:
    days, is_bad = to_dates(texts)
    years = pc.year(days).fill_null(year).to_numpy(zero_copy_only=False)
    is_bad |= (years < year) | (years > year + 1)  # the survey of 2018 ran into March 2019
    expected = f"a date of {year} or {year + 1}, as DD/MM/YY, DD/MM/YYYY or YYYY-MM-DD"
    there = int(pc.sum(pc.not_equal(texts, "")).as_py() or 0)
    if is_bad.sum() > there / 2:
        first = int(is_bad.argmax())
        raise SurveyError(
            f'{name}: {is_bad.sum()} of {there} dates are none of the survey of {year}, the first "{texts[first]}"; '
            f"expected {expected}. Put the files below archive/lucas under their own year, or rewrite the column."
        )
    faults.repair(is_bad, "survey_date", lambda i: f'{name} "{texts[i]}" left empty; expected {expected}')
    return pa.chunked_array([pc.if_else(pa.array(is_bad), pa.scalar(None, pa.date32()), days)])


def _check_land_cover(typed: dict[str, pa.ChunkedArray], known: list[str], faults: Faults) -> None:
    codes = typed["lc1"] = pc.utf8_upper(typed["lc1"])  # BX1 is printed Bx1 too
    blank = pc.is_null(codes).to_numpy()
    faults.reject(blank, "no_land_cover", lambda i: 'LC1 is blank or "8"; expected a code such as B11')
    faults.reject(
        ~blank & ~pc.is_in(codes, pa.array(known)).to_numpy(),
        "unknown_land_cover",
        lambda i: f'LC1 "{codes[i]}"; expected one of {CODES}{nearest(str(codes[i]), known)}',
    )


# --- positions --------------------------------------------------------------------------------------------


def _locate_points(typed: dict[str, pa.ChunkedArray], nodes: np.ndarray, faults: Faults) -> np.ndarray:
    """Put `th_long` and `th_lat` right by the grid; where they were blank (bool)."""
    longitude, latitude = _floats(typed["th_long"]), _floats(typed["th_lat"])
    reading = best_reading(longitude, latitude, nodes, margin_m=POSITION_M)
    text = "TH_LONG {0:.10g}, TH_LAT {1:.10g}"
    faults.reject(
        reading.distance_m > POSITION_M,
        "position",
        lambda i: (
            f"{text.format(longitude[i], latitude[i])}: {_apart(reading.distance_m[i])} the grid node of POINT_ID; "
            "no exchange, sign or unit explains it"
        ),
    )
    blank = np.isnan(reading.distance_m)
    faults.repair(blank, "missing_position", lambda i: "TH_LONG or TH_LAT is blank; taken from POINT_ID")
    _repair_readings(reading.reason, ~blank, text, longitude, latitude, faults)
    from_id = to_degrees(nodes)
    typed["th_long"] = _numbers(np.where(blank, from_id[0], reading.longitude))
    typed["th_lat"] = _numbers(np.where(blank, from_id[1], reading.latitude))
    return blank


def _locate_observers(typed: dict[str, pa.ChunkedArray], nodes: np.ndarray, blank: np.ndarray, faults: Faults) -> None:
    """Sign the positions of the surveyor and of the car, which are published with E or W in a column of its own.

    Where the point's own position is `blank` and the surveyor stood far from POINT_ID, one of the two is wrong.
    """
    for x, y, east_west in _OBSERVERS:
        if x in typed and y in typed:
            longitude, latitude = _floats(typed[x]), _floats(typed[y])
            is_west = np.zeros(len(nodes), bool)
            if east_west in typed:
                is_west = pc.equal(typed[east_west], _WEST).fill_null(False).to_numpy()
            reading = best_reading(longitude, latitude, nodes, margin_m=OBSERVER_MARGIN_M, is_west=is_west)
            text = f"{x.upper()} {{0:.10g}}, {y.upper()} {{1:.10g}}"
            is_none = _check_observer(reading, longitude, latitude, text, blank, faults)
            typed[x] = _numbers(np.where(is_none, np.nan, reading.longitude))
            typed[y] = _numbers(np.where(is_none, np.nan, reading.latitude))


def _check_observer(
    reading: Reading, longitude: np.ndarray, latitude: np.ndarray, text: str, blank: np.ndarray, faults: Faults
) -> np.ndarray:
    """Note what is wrong; where nothing is left (bool)."""

    def evidence(i: int) -> str:
        return f"{text.format(longitude[i], latitude[i])}: {_apart(reading.distance_m[i])} the point"

    is_far = reading.distance_m > OBSERVER_M
    is_half = np.isnan(longitude) != np.isnan(latitude)
    faults.reject(is_far & blank, "position", lambda i: f"TH_LONG or TH_LAT is blank, and {evidence(i)} of POINT_ID")
    faults.repair(is_far, "observer_position", lambda i: f"{evidence(i)}; left empty")
    faults.repair(
        is_half, "observer_position", lambda i: f"{text.format(longitude[i], latitude[i])}: one is none; left empty"
    )
    is_none = is_far | np.isnan(reading.distance_m)
    _repair_readings(reading.reason, ~is_none, text, longitude, latitude, faults)
    return is_none


def _repair_readings(
    reason: np.ndarray, where: np.ndarray, text: str, longitude: np.ndarray, latitude: np.ndarray, faults: Faults
) -> None:
    for number, names in enumerate(REASONS):
        for name in names.split():
            faults.repair(
                where & (reason == number), name, lambda i: text.format(longitude[i], latitude[i]) + " as published"
            )


def _apart(distance_m: float) -> str:
    return f"{distance_m / 1000:.1f} km from" if np.isfinite(distance_m) else "outside Europe, far from"


def _floats(values: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(pc.fill_null(values, np.nan).to_numpy(), float)


def _numbers(values: np.ndarray) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, mask=np.isnan(values))])


# --- rows -------------------------------------------------------------------------------------------------


def _check_duplicates(typed: dict[str, pa.ChunkedArray], units: np.ndarray, faults: Faults) -> None:
    """Of equal rows the first stays; rows that contradict each other all go."""
    places: dict[str, list[int]] = {}
    for row in np.flatnonzero(~faults.rejected).tolist():
        places.setdefault(units[row], []).append(row)
    equal, differ = np.zeros(len(units), bool), np.zeros(len(units), bool)
    columns = ["" for _ in units]
    for rows in [rows for rows in places.values() if len(rows) > 1]:
        names = [name for name, values in typed.items() if len({values[row] for row in rows}) > 1]
        differ[rows] = bool(names)
        equal[rows[1:]] = not names
        for row in rows:
            columns[row] = ", ".join(names[:5])
    faults.reject(equal, "duplicate", lambda i: "the same row stands before it")
    faults.reject(differ, "conflicting_rows", lambda i: f"rows of this POINT_ID differ in {columns[i]}")


def _kept(typed: dict[str, pa.ChunkedArray], faults: Faults) -> pa.Table:
    repairs = pa.array(faults.repairs(), pa.string())
    points = shapely.points(_floats(typed["th_long"]), _floats(typed["th_lat"]))
    geometry = pa.array(shapely.to_wkb(points), pa.binary())
    table = pa.table({**typed, "repairs": repairs, "geometry": geometry})
    return table.filter(pa.array(~faults.rejected)).sort_by("point_id").combine_chunks()


def _with_metadata(table: pa.Table, year: int) -> pa.Table:
    """GeoParquet metadata, licence and attribution. SOURCE: GeoParquet 1.1.0, file metadata."""
    x, y = _floats(table["th_long"]), _floats(table["th_lat"])
    geometry = {
        "encoding": "WKB",
        "geometry_types": ["Point"],
        "crs": CRS("OGC:CRS84").to_json_dict(),
        "bbox": [x.min(), y.min(), x.max(), y.max()],
    }
    own = {"year": year, "licence": _LICENCE, "attribution": f"LUCAS {year}, © European Union, Eurostat"}
    metadata = {
        "geo": {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": geometry}},
        "cropstack": own,
    }
    return table.replace_schema_metadata({k: json.dumps(v, ensure_ascii=False) for k, v in metadata.items()})


def _nothing_left(file: Path, year: int, count: int, ledger: list[LedgerRow]) -> str:
    why = "".join(f"; the first: {row.unit}, {row.reason}: {row.evidence}" for row in ledger[:1])
    return f"{file}: none of its {count} rows of {year} is a usable point{why}. Is it the primary data of that survey?"


if __name__ == "__main__":
    step(read_points, snakemake)  # noqa: F821
