"""LUCAS rows as published: positions proven by POINT_ID, types, and every fault a row in the ledger."""

import json
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pyproj import Transformer

from cropstack.errors import ConfigError, LedgerRow, SurveyError
from cropstack.files import read_ledger
from cropstack.labels.read_points import read_points

FIELD = {  # a point in Belgium, visited
    "POINT_ID": "38863102",
    "NUTS0": "BE",
    "TH_LAT": "50.863822271",
    "TH_LONG": "3.812952713",
    "OFFICE_PI": "0",
    "SURVEY_DATE": "12/07/18",
    "CAR_LATITUDE": "50.864415",
    "CAR_EW": "1",
    "CAR_LONGITUDE": "3.812466",
    "GPS_PREC": "5",
    "GPS_ALTITUDE": "115",
    "GPS_LAT": "50.863709",
    "GPS_EW": "1",
    "GPS_LONG": "3.813208",
    "OBS_DIST": "22",
    "OBS_TYPE": "1",
    "LC1": "B11",
    "LC1_PERC": "100",
    "LC2": "8",
    "INSPIRE_PLCC1": "888",
    "REMARK": "at the fence",
}
HEADER = list(FIELD)
OFFICE = FIELD | {  # one in Galicia, seen on an image only
    "POINT_ID": "27582350",
    "NUTS0": "ES",
    "SURVEY_DATE": "21/09/18",
    "OFFICE_PI": "1",
    "OBS_DIST": "",
    "OBS_TYPE": "7",
    **dict.fromkeys(("CAR_LATITUDE", "CAR_LONGITUDE", "GPS_LAT", "GPS_LONG"), "88.888888"),
    **dict.fromkeys(("CAR_EW", "GPS_EW"), "8"),
    **dict.fromkeys(("GPS_PREC", "GPS_ALTITUDE"), "8888"),
}


TO_DEGREES = Transformer.from_crs("EPSG:3035", "EPSG:4326", always_xy=True)


def degrees(point_id: str) -> tuple[float, float]:
    """Longitude and latitude of a grid node."""
    return TO_DEGREES.transform(int(point_id[:4]) * 1000, int(point_id[4:]) * 1000)


LONGITUDE, LATITUDE = degrees(OFFICE["POINT_ID"])  # -8.3 and 42.4
OFFICE |= {"TH_LONG": f"{LONGITUDE:.9f}", "TH_LAT": f"{LATITUDE:.9f}"}
Read = Callable[..., tuple[gpd.GeoDataFrame, list[LedgerRow]]]


@pytest.fixture
def read(tmp_path: Path, root: Path) -> Read:
    """Write rows as the survey of 2018, read them, and return points by POINT_ID and the ledger."""

    def run(*rows: dict[str, str], files: list[Path] | None = None) -> tuple[gpd.GeoDataFrame, list[LedgerRow]]:
        if files is None:
            files = [tmp_path / "EU_2018.csv"]
            columns = list(dict.fromkeys(name for row in rows for name in row))
            pd.DataFrame(rows, columns=columns).to_csv(files[0], index=False)
        points, ledger = tmp_path / "points.parquet", tmp_path / "ledger.csv"
        taxonomy = root / "taxonomy"
        read_points(files, taxonomy / "lucas_columns.csv", taxonomy / "codes/lucas_lc1.csv", points, ledger, year=2018)
        return gpd.read_parquet(points).set_index("point_id"), read_ledger(ledger)

    return run


def reasons(ledger: list[LedgerRow]) -> list[tuple[str, str, str]]:
    return [(row.unit, row.action, row.reason) for row in ledger]


def test_a_sound_row_keeps_all_columns_in_their_types(read: Read) -> None:
    points, ledger = read(FIELD, OFFICE)
    assert ledger == []
    assert list(points.columns) == [name.lower() for name in HEADER[1:]] + ["repairs", "geometry"]
    field, office = points.loc["38863102"], points.loc["27582350"]
    assert (field.lc1, field.lc1_perc, field.obs_dist, field.gps_altitude) == ("B11", 100, 22.0, 115)
    assert str(field.survey_date) == "2018-07-12"
    assert (field.remark, field.obs_type, field.office_pi) == ("at the fence", "1", "0")
    assert (office.obs_type, office.repairs) == ("7", "")
    assert office.geometry.x == pytest.approx(LONGITUDE, abs=1e-8)
    assert office.geometry.y == pytest.approx(LATITUDE, abs=1e-8)


def test_8_and_88_888888_mean_nothing_where_the_column_says_so(read: Read) -> None:
    points, _ = read(OFFICE | {"LC1_PERC": "8", "OFFICE_PI": "8", "GPS_LAT": "88.88888800"})
    office = points.loc[OFFICE["POINT_ID"]]
    empty = ["car_latitude", "car_longitude", "car_ew", "gps_lat", "gps_long", "gps_ew", "gps_prec", "gps_altitude"]
    assert office[[*empty, "lc2", "inspire_plcc1", "obs_dist"]].isna().all()
    assert (office.lc1_perc, office.office_pi) == (8, "8")


def test_the_real_rows_of_2018_lie_on_the_grid(read: Read, realdata: Path) -> None:
    points, ledger = read(files=[realdata / "lucas/oslo-mapping/EU_2018_two_rows.csv"])
    assert ledger == []
    assert len(points.columns) == 97 - 1 + 2
    assert points.lc1.to_dict() == {"38863060": "A22", "38863102": "A11"}
    on_grid = points.to_crs("EPSG:3035").geometry
    assert on_grid.x.tolist() == pytest.approx([3_886_000, 3_886_000], abs=0.01)
    assert on_grid.y.tolist() == pytest.approx([3_060_000, 3_102_000], abs=0.01)
    assert points.cprn_impervious_perc.tolist()[1] == 38


def test_the_file_is_geoparquet_with_attribution(read: Read, tmp_path: Path) -> None:
    read(FIELD)
    metadata = pq.read_schema(tmp_path / "points.parquet").metadata
    assert json.loads(metadata[b"cropstack"])["attribution"] == "LUCAS 2018, © European Union, Eurostat"
    assert json.loads(metadata[b"geo"])["columns"]["geometry"]["geometry_types"] == ["Point"]
    assert gpd.read_parquet(tmp_path / "points.parquet").crs.to_string() == "OGC:CRS84"


# --- positions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("th_long", "th_lat", "repairs"),
    [
        (f"{LATITUDE}", f"{LONGITUDE}", "swapped_axes"),
        (f"{-LONGITUDE}", f"{LATITUDE}", "wrong_sign"),
        (f"{LATITUDE}", f"{-LONGITUDE}", "swapped_axes wrong_sign"),
        ("2758000", "2350000", "metres_as_degrees"),
        ("2350000", "2758000", "metres_as_degrees swapped_axes"),
        ("", f"{LATITUDE}", "missing_position"),
        ("88.888888", "88.888888", "missing_position"),
    ],
)
def test_a_position_that_the_grid_explains_is_repaired(read: Read, th_long: str, th_lat: str, repairs: str) -> None:
    points, ledger = read(FIELD, OFFICE | {"TH_LONG": th_long, "TH_LAT": th_lat})
    office = points.loc[OFFICE["POINT_ID"]]
    assert (office.th_long, office.th_lat) == pytest.approx((LONGITUDE, LATITUDE), abs=1e-6)
    assert (office.geometry.x, office.geometry.y) == (office.th_long, office.th_lat)
    assert office.repairs == repairs
    assert reasons(ledger) == [(OFFICE["POINT_ID"], "repaired", reason) for reason in sorted(repairs.split())]


@pytest.mark.parametrize(("th_long", "th_lat"), [("3.9", "42.4"), ("0", "0"), ("500", "700"), ("-8.3", "1e3")])
def test_a_position_that_nothing_explains_is_rejected(read: Read, th_long: str, th_lat: str) -> None:
    points, ledger = read(FIELD, OFFICE | {"TH_LONG": th_long, "TH_LAT": th_lat})
    assert points.index.tolist() == [FIELD["POINT_ID"]]
    assert reasons(ledger) in [[(OFFICE["POINT_ID"], "rejected", reason)] for reason in ("position", "not_a_number")]


def test_east_and_west_of_the_observer_stand_in_their_own_column(read: Read) -> None:
    west = {"GPS_LONG": f"{-LONGITUDE + 0.0001:.6f}", "GPS_LAT": f"{LATITUDE:.6f}", "GPS_EW": "2"}
    points, ledger = read(OFFICE | west)
    assert ledger == []
    assert points.gps_long.iloc[0] == pytest.approx(LONGITUDE, abs=2e-4)


@pytest.mark.parametrize(
    ("gps_long", "gps_lat", "east_west", "reason"),
    [
        (-LONGITUDE, LATITUDE, "1", "wrong_sign"),
        (LATITUDE, LONGITUDE, "8", "swapped_axes"),
        (2_758_010.0, 2_350_020.0, "8", "metres_as_degrees"),
        (2.0, LATITUDE, "1", "observer_position"),
    ],
)
def test_an_observer_far_from_the_point_is_put_right_or_left_empty(
    read: Read, gps_long: float, gps_lat: float, east_west: str, reason: str
) -> None:
    points, ledger = read(OFFICE | {"GPS_LONG": f"{gps_long}", "GPS_LAT": f"{gps_lat}", "GPS_EW": east_west})
    assert reasons(ledger) == [(OFFICE["POINT_ID"], "repaired", reason)]
    if reason == "observer_position":
        assert points[["gps_long", "gps_lat"]].isna().all(axis=None)
    else:
        assert points.gps_long.iloc[0] == pytest.approx(LONGITUDE, abs=1e-3)


@pytest.mark.parametrize(
    ("gps_long", "gps_lat", "reason"),
    [
        (LATITUDE, -LONGITUDE, "swapped_axes wrong_sign"),
        (LATITUDE, LONGITUDE, "swapped_axes"),
        (2_758_010.0, 2_350_020.0, "metres_as_degrees"),
    ],
)
def test_a_west_in_its_own_column_hides_no_other_fault(
    read: Read, gps_long: float, gps_lat: float, reason: str
) -> None:
    points, ledger = read(OFFICE | {"GPS_LONG": f"{gps_long}", "GPS_LAT": f"{gps_lat}", "GPS_EW": "2"})
    assert points.gps_long.iloc[0] == pytest.approx(LONGITUDE, abs=1e-3)
    assert points.gps_lat.iloc[0] == pytest.approx(LATITUDE, abs=1e-3)
    assert [row.reason for row in ledger] == reason.split()
    assert ledger[0].evidence == f"GPS_LONG {gps_long:.10g}, GPS_LAT {gps_lat:.10g} as published"


def test_half_a_position_is_none_and_is_named(read: Read) -> None:
    points, ledger = read(FIELD | {"GPS_LAT": "88.888888"})
    assert points[["gps_long", "gps_lat"]].isna().all(axis=None)
    assert reasons(ledger) == [(FIELD["POINT_ID"], "repaired", "observer_position")]
    assert ledger[0].evidence == "GPS_LONG 3.813208, GPS_LAT nan: one is none; left empty"


def beside(point_id: str, metres: float) -> tuple[str, str]:
    """Longitude and latitude of a place so far east of a grid node."""
    longitude, latitude = TO_DEGREES.transform(int(point_id[:4]) * 1000 + metres, int(point_id[4:]) * 1000)
    return f"{longitude:.9f}", f"{latitude:.9f}"


@pytest.mark.parametrize(("metres", "kept"), [(99, 1), (101, 0)])
def test_a_point_may_lie_100_m_from_its_node(read: Read, metres: float, kept: int) -> None:
    longitude, latitude = beside(OFFICE["POINT_ID"], metres)
    points, _ = read(FIELD, OFFICE | {"TH_LONG": longitude, "TH_LAT": latitude})
    assert len(points) == 1 + kept


@pytest.mark.parametrize(("metres", "kept"), [(9_990, True), (10_010, False)])
def test_an_observer_may_stand_10_km_from_the_point(read: Read, metres: float, kept: bool) -> None:
    longitude, latitude = beside(FIELD["POINT_ID"], metres)
    points, _ = read(FIELD | {"GPS_LONG": longitude, "GPS_LAT": latitude})
    assert points.gps_long.notna().iloc[0] == kept


def test_near_greenwich_a_sign_is_not_guessed(read: Read) -> None:
    node = "35502608"
    longitude, latitude = degrees(node)
    row = FIELD | {"POINT_ID": node, "TH_LONG": f"{longitude}", "TH_LAT": f"{latitude}"}
    moved = {"GPS_LONG": f"{-longitude}", "GPS_LAT": f"{latitude}", "CAR_LATITUDE": "", "CAR_LONGITUDE": ""}
    points, ledger = read(row | moved)
    assert ledger == []
    assert points.gps_long.iloc[0] == pytest.approx(-longitude)


# --- rows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "reason", "evidence"),
    [
        ({"POINT_ID": "3886310"}, "point_id", 'EU_2018.csv:3: POINT_ID "3886310"; expected eight digits'),
        ({"POINT_ID": "38863102.0"}, "point_id", "expected eight digits"),
        ({"POINT_ID": "99999999", "TH_LAT": ""}, "point_id", "expected eight digits that are a place in Europe"),
        (
            {"TH_LAT": "", "GPS_LAT": "48", "GPS_LONG": "2"},
            "position",
            "TH_LONG or TH_LAT is blank, and GPS_LONG 2, GPS_LAT",
        ),
        ({"LC1": ""}, "no_land_cover", 'LC1 is blank or "8"'),
        ({"LC1": "8"}, "no_land_cover", 'LC1 is blank or "8"'),
        (
            {"LC1": "B56"},
            "unknown_land_cover",
            'LC1 "B56"; expected one of taxonomy/codes/lucas_lc1.csv; did you mean "B',
        ),
        ({"TH_LAT": "42°26'"}, "not_a_number", 'th_lat "42°26\'"; expected a number'),
        ({"OBS_DIST": "near"}, "not_a_number", 'obs_dist "near"; expected a number'),
        ({"LC1_PERC": "12.5"}, "not_a_number", 'lc1_perc "12.5"; expected a whole number'),
        ({"GPS_PREC": "9" * 30}, "not_a_number", f'gps_prec "{"9" * 30}"; expected a whole number'),
        ({"GPS_ALTITUDE": "nan"}, "not_a_number", 'gps_altitude "nan"'),
    ],
)
def test_a_row_that_cannot_be_trusted_is_rejected_with_its_reason(
    read: Read, fault: dict[str, str], reason: str, evidence: str
) -> None:
    bad = OFFICE | fault
    points, ledger = read(FIELD, bad)
    assert points.index.tolist() == [FIELD["POINT_ID"]]
    assert reasons(ledger) == [(bad["POINT_ID"], "rejected", reason)]
    assert evidence in ledger[0].evidence


def test_a_row_without_point_id_is_named_by_its_line(read: Read) -> None:
    _, ledger = read(FIELD, OFFICE | {"POINT_ID": ""})
    assert reasons(ledger) == [("EU_2018.csv:3", "rejected", "point_id")]


def test_of_equal_rows_one_stays_and_of_rows_that_differ_none(read: Read) -> None:
    other = FIELD | {"POINT_ID": "38863060", "TH_LAT": "50.487792576", "TH_LONG": "3.862541317"}
    gps = {"GPS_LAT": "50.4879", "GPS_LONG": "3.8626", "CAR_LATITUDE": "", "CAR_LONGITUDE": ""}
    points, ledger = read(FIELD, FIELD, OFFICE, other | gps, other | gps | {"LC1": "B16", "LC1_PERC": "90"})
    assert points.index.tolist() == [OFFICE["POINT_ID"], FIELD["POINT_ID"]]
    assert reasons(ledger) == [
        ("38863060", "rejected", "conflicting_rows"),
        ("38863060", "rejected", "conflicting_rows"),
        ("38863102", "rejected", "duplicate"),
    ]
    assert ledger[0].evidence == "rows of this POINT_ID differ in lc1, lc1_perc"


def test_a_row_that_goes_in_the_end_leaves_no_repair_behind(read: Read) -> None:
    swapped = OFFICE | {"TH_LONG": OFFICE["TH_LAT"], "TH_LAT": OFFICE["TH_LONG"]}
    _, ledger = read(FIELD, swapped, swapped | {"LC1": "B16"})
    assert [row.reason for row in ledger] == ["conflicting_rows", "conflicting_rows"]


def test_a_second_row_that_is_rejected_does_no_harm(read: Read) -> None:
    points, ledger = read(FIELD, FIELD | {"LC1": ""})
    assert points.index.tolist() == [FIELD["POINT_ID"]]
    assert reasons(ledger) == [(FIELD["POINT_ID"], "rejected", "no_land_cover")]


def test_decimal_commas_are_read_and_counted_by_column(read: Read) -> None:
    points, ledger = read(FIELD | {"TH_LAT": "50,863822271", "TH_LONG": "3,812952713"}, OFFICE)
    assert points.loc[FIELD["POINT_ID"], "th_lat"] == 50.863822271
    assert reasons(ledger) == [("th_lat", "repaired", "decimal_comma"), ("th_long", "repaired", "decimal_comma")]
    assert ledger[0].evidence == "1 rows, the first 38863102: 50,863822271; read as a decimal mark"


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("21/09/18", "2018-09-21"),
        ("21-09-2018", "2018-09-21"),
        ("2018-09-21T00:00:00", "2018-09-21"),
        ("14/03/19", "2019-03-14"),
        ("", None),
        ("30/02/18", "left"),
        ("09/21/18", "left"),
        ("21/09/15", "left"),
        ("21/09/20", "left"),
        ("summer", "left"),
    ],
)
def test_days_are_read_as_day_month_year(read: Read, text: str, day: str | None) -> None:
    points, ledger = read(FIELD | {"SURVEY_DATE": text}, OFFICE)
    found = points.loc[FIELD["POINT_ID"], "survey_date"]
    assert (None if pd.isna(found) else str(found)) == (None if day == "left" else day)
    assert [row.reason for row in ledger] == (["survey_date"] if day == "left" else [])


def test_dates_that_begin_with_the_month_are_refused(read: Read) -> None:
    with pytest.raises(SurveyError, match=r"EU_2018\.csv: survey_date: 2 dates such as 09/21/18 begin with the month"):
        read(
            FIELD | {"SURVEY_DATE": "09/21/18"},
            OFFICE | {"SURVEY_DATE": "10/31/18"},
            FIELD | {"SURVEY_DATE": "04/05/18"},
        )


def test_each_file_has_an_order_of_dates_of_its_own(read: Read, tmp_path: Path) -> None:
    """A file that is plainly of the other order does not hide behind a longer one."""
    files = []
    for name, days in (("DE", ["21/06/18", "22/06/18", "23/06/18"]), ("ES", ["06/21/18", "05/06/18"])):
        rows = [FIELD | {"POINT_ID": OFFICE["POINT_ID"], "SURVEY_DATE": day} for day in days]
        pd.DataFrame(rows).to_csv(tmp_path / f"{name}.csv", index=False)
        files.append(tmp_path / f"{name}.csv")
    with pytest.raises(SurveyError, match=r"ES\.csv: survey_date: 1 dates"):
        read(files=files)


def test_a_survey_of_another_year_is_refused(read: Read) -> None:
    message = '2 of 3 dates are none of the survey of 2018, the first "21/06/15"; expected a date of 2018 or 2019'
    days = ["21/06/15", "22/06/15", "23/06/18", ""]
    with pytest.raises(SurveyError, match=message):
        read(*[FIELD | {"SURVEY_DATE": day} for day in days])


def test_control_characters_in_cells_are_spaces(read: Read) -> None:
    points, _ = read(FIELD | {"REMARK": "a\x0bb\tc"})
    assert points.remark.iloc[0] == "a b c"


def test_land_cover_in_lower_case_is_the_same(read: Read) -> None:
    points, ledger = read(FIELD | {"LC1": " Bx1 "})
    assert (points.lc1.iloc[0], ledger) == ("BX1", [])


def test_rows_of_other_years_are_filtered_and_counted(read: Read) -> None:
    points, ledger = read(FIELD | {"YEAR": "2018.0"}, *[OFFICE | {"YEAR": "2015"}] * 3, OFFICE | {"YEAR": ""})
    assert points.index.tolist() == [OFFICE["POINT_ID"], FIELD["POINT_ID"]]  # who names no year is of the survey's
    assert points.survey_year.tolist()[1] == 2018
    assert reasons(ledger) == [("survey_year: 2015", "filtered", "filter")]
    assert ledger[0].evidence == "3 rows of other years"


# --- files --------------------------------------------------------------------------------------------


def test_files_of_countries_are_one_survey_whatever_their_order_and_delimiter(read: Read, tmp_path: Path) -> None:
    frame = pd.DataFrame([FIELD, OFFICE])
    frame[:1].to_csv(tmp_path / "be.csv", index=False, sep=";", encoding="utf-8-sig")
    renamed = frame[1:].rename(columns={"TH_LONG": "th_lon", "GPS_LONG": "gps_lon"}).drop(columns="REMARK")
    renamed[renamed.columns[::-1]].to_csv(tmp_path / "es.csv", index=False, sep="\t")
    points, ledger = read(files=[tmp_path / "be.csv", tmp_path / "es.csv"])
    whole, _ = read(FIELD, OFFICE)
    assert ledger == []
    assert points.drop(columns="remark").equals(whole.drop(columns="remark"))
    assert points.remark.isna().tolist() == [True, False]


def test_lines_with_other_cells_are_rejected_by_line(read: Read, tmp_path: Path) -> None:
    file = tmp_path / "EU_2018.csv"
    pd.DataFrame([FIELD, OFFICE]).to_csv(file, index=False)
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], lines[1], "38863060,BE", lines[2] + ",1", lines[2]]) + "\n")
    points, ledger = read(files=[file])
    assert sorted(points.index) == [OFFICE["POINT_ID"], FIELD["POINT_ID"]]
    assert reasons(ledger) == [("EU_2018.csv:3", "rejected", "cells"), ("EU_2018.csv:4", "rejected", "cells")]
    assert ledger[0].evidence == f"2 cells; expected {len(HEADER)}: 38863060,BE"


def test_the_same_rows_give_the_same_bytes(read: Read, tmp_path: Path) -> None:
    read(FIELD, OFFICE | {"TH_LONG": ""})
    first = [(tmp_path / name).read_bytes() for name in ("points.parquet", "ledger.csv")]
    read(OFFICE | {"TH_LONG": ""}, FIELD)
    assert [(tmp_path / name).read_bytes() for name in ("points.parquet", "ledger.csv")] == first


def many(count: int) -> list[str]:
    """Lines of a survey: a header and points in a column 2 km apart, every cell in quotes."""
    rows = []
    for number in range(count):
        node = f"3886{2200 + 2 * number:04d}"
        longitude, latitude = degrees(node)
        rows.append(f'"{node}","{latitude:.9f}","{longitude:.9f}","B11","x"')
    return ['"POINT_ID","TH_LAT","TH_LONG","LC1","REMARK"', *rows]


@pytest.mark.parametrize("stray", [[40], [40, 41], [40, 90], [10, 20, 30]])
def test_a_quote_that_stays_open_costs_its_own_line_only(read: Read, tmp_path: Path, stray: list[int]) -> None:
    lines = many(200)
    for number in stray:
        lines[number] = lines[number].replace('"x"', '"x')
    file = tmp_path / "EU_2018.csv"
    file.write_text("\n".join(lines) + "\n")
    points, ledger = read(files=[file])
    assert len(points) == 200 - len(stray)
    assert reasons(ledger) == sorted((f"EU_2018.csv:{number + 1}", "rejected", "quotes") for number in stray)


def test_lines_are_numbered_as_in_the_file(read: Read, tmp_path: Path) -> None:
    lines = many(3)
    lines[2] = '"38862202","1"'
    file = tmp_path / "EU_2018.csv"
    file.write_text("\r\n".join(["", lines[0], "", lines[1], "  ", *lines[2:], ""]))
    points, ledger = read(files=[file])
    assert len(points) == 2
    assert reasons(ledger) == [("EU_2018.csv:6", "rejected", "cells")]


@pytest.mark.parametrize("delimiter", list(",;\t|"))
def test_every_usual_delimiter_is_read(read: Read, tmp_path: Path, delimiter: str) -> None:
    file = tmp_path / "EU_2018.csv"
    file.write_text("\n".join(many(5)).replace(",", delimiter))
    assert len(read(files=[file])[0]) == 5


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\n \n", "it is empty"),
        (b"PK\x03\x04\xff\xfe\x00", "not readable as CSV in UTF-8"),
        ("POINT_ID,TH_LAT,TH_LONG,LC1,N\nx,1,2,B11,Bélgica\n".encode("cp1252"), "codec can't decode byte 0xe9"),
        (b"POINT_ID,TH_LAT,TH_LNG,LC1\n", 'has no column th_long; did you mean "th_lng"'),
        (b"POINT_ID,TH_LAT,TH_LONG,TH_LON,LC1\n", "the column th_long stands twice"),
        (b"POINT_ID,TH_LAT,TH_LONG,LC1,Geometry\n", "has a column geometry, which is added to the points"),
        (b"POINT_ID,TH_LAT,TH_LONG,LC1\n", "none of its 0 rows of 2018 is a usable point"),
        (b"POINT_ID,TH_LAT,TH_LONG,LC1\n7,1,2,B11\n", "none of its 1 rows of 2018 .*; the first: 7, point_id"),
        (b"POINT_ID,TH_LAT,TH_LONG,LC1,YEAR\n7,1,2,B11,15\n", "0 rows of 2018 .*; the first: survey_year: 15, filter"),
    ],
)
def test_a_file_without_points_is_named(read: Read, tmp_path: Path, data: bytes, message: str) -> None:
    file = tmp_path / "EU_2018.csv"
    file.write_bytes(data)
    with pytest.raises(SurveyError, match=message) as caught:
        read(files=[file])
    assert str(file) in str(caught.value)
    assert not (tmp_path / "points.parquet").exists()


def test_a_table_of_columns_that_contradicts_itself_is_named(tmp_path: Path, root: Path) -> None:
    columns = tmp_path / "columns.csv"
    for row, message in [("lc1,code,,", 'type "code"'), ("lc1,text,,\nlc2,text,,lc1", '"lc1" stands twice')]:
        columns.write_text(f"column,type,not_relevant,aliases\n{row}\n")
        with pytest.raises(ConfigError, match=message):
            read_points([], columns, root / "taxonomy/codes/lucas_lc1.csv", tmp_path / "p", tmp_path / "l", year=2018)
