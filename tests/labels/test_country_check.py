"""What `country check` says of declarations of a small made-up country, in tables, findings and exit status."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
import yaml

from cropstack.errors import ConfigError, CropstackError, DeclarationError
from cropstack.labels.country_check import Report, check_country

SIDE_M = 100.0  # a declared square has 1 ha


class Office:
    """A repository with the country ``xx``; `declare` publishes parcels of 1 ha, `check` checks them."""

    def __init__(self, root: Path, folder: Path, crops: str, square: Callable[..., shapely.Polygon]) -> None:
        self.root, self.square, self.crops = folder, square, crops
        self.edition: dict[str, Any] = {
            "years": [2019, 2020],
            "files": ["dun{year}.gpkg"],
            "crs": "EPSG:32631",
            "columns": {"id": None, "code": "CULTIU", "name": "NOM", "area": "HA"},
            "area_unit": "ha",
        }
        self.country = folder / "taxonomy/countries/xx"
        self.country.mkdir(parents=True)
        for name in ("classes.csv", "hcat3.csv"):
            (folder / "taxonomy" / name).symlink_to(root / "taxonomy" / name)
        (folder / "workflow").symlink_to(root / "workflow")

    def declare(
        self, *codes: str | tuple[str, str], year: int = 2020, name: str = "", side_m: float = SIDE_M, ha: float = 1.0
    ) -> Path:
        """A GeoPackage with a square for each code, or code and name."""
        pairs = [code if isinstance(code, tuple) else (code, None) for code in codes]
        rows = [
            {"CULTIU": code, "NOM": label, "HA": ha, "geometry": self.square(i, 0, side_m)}
            for i, (code, label) in enumerate(pairs)
        ]
        path = self.root / (name or f"dun{year}.gpkg")
        gpd.GeoDataFrame(rows, geometry="geometry", crs="EPSG:32631").to_file(path, engine="pyogrio", driver="GPKG")
        return path

    def check(self, *files: Path, years: tuple[int, ...] = (), min_mapped: float = 0.95) -> Report:
        meaning = {"name": "DUN", "country_code": "ES", "bounds": [0.0, 44.0, 6.0, 47.0]}
        meaning |= {"licence": "open", "attribution": "DUN {year}", "editions": [self.edition]}
        (self.country / "source.yaml").write_text(yaml.safe_dump(meaning))
        (self.country / "crops.csv").write_text(self.crops, encoding="utf-8")
        return check_country(self.root, "xx", list(files), years=years, min_mapped=min_mapped)


@pytest.fixture
def office(root: Path, tmp_path: Path, crop_table: str, square: Callable[..., shapely.Polygon]) -> Office:
    return Office(root, tmp_path, crop_table, square)


def problems(report: Report) -> dict[str, str]:
    return {one.rule: one.text for one in report.findings if one.level == "problem"}


def notes(report: Report) -> dict[str, str]:
    return {one.rule: one.text for one in report.findings if one.level == "note"}


def line(report: Report, start: str) -> list[str]:
    """Words of the first line that begins so."""
    return next(one for one in report.lines if one.startswith(start)).split()


# --- what is mapped -----------------------------------------------------------------------------------


def test_a_folder_without_declarations_is_checked_alone(office: Office) -> None:
    report = office.check()
    assert not report.has_problems
    assert report.lines[-1] == "7 rows to 6 classes, 0 unreviewed"
    assert report.text().endswith("\nok\n")


def test_codes_are_counted_by_parcels_and_by_area(office: Office) -> None:
    report = office.check(office.declare("ORDI", "ORDI", "ARRÒS", "CARRETERA", "GIRASOL"), min_mapped=0.7)
    assert line(report, "mapped") == ["mapped", "2", "3", "60.00", "%", "3.00", "60.00", "%"]
    assert line(report, "no row") == ["no", "row", "1", "1", "20.00", "%", "1.00", "20.00", "%"]
    assert line(report, "excluded") == ["excluded", "1", "1", "20.00", "%", "1.00", "20.00", "%"]
    assert "mapped" not in problems(report)  # 3 of the 4 that are parcels


def test_too_little_with_a_class_is_a_problem(office: Office) -> None:
    report = office.check(office.declare("ORDI", "ORDI", "ORDI", "GIRASOL"))
    assert (
        "75.00% of the parcels and 75.00% of the area have a class (998 is none); expected 95%"
        in (problems(report)["mapped"])
    )


def test_many_small_parcels_do_not_hide_behind_a_large_one(office: Office) -> None:
    """By area all is well, by count nothing is."""
    large, small = office.square(0, 0, 3000.0), [office.square(20 + i, 0, 10.0) for i in range(9)]
    rows = [{"CULTIU": "ORDI", "geometry": large}, *({"CULTIU": "GIRASOL", "geometry": one} for one in small)]
    path = office.root / "dun2020.gpkg"
    frame = gpd.GeoDataFrame([{"NOM": None, "HA": None} | row for row in rows], geometry="geometry", crs="EPSG:32631")
    frame.to_file(path, engine="pyogrio", driver="GPKG")
    assert "10.00% of the parcels and 99.99% of the area" in problems(office.check(path))["mapped"]


def test_998_is_not_called_mapped(office: Office) -> None:
    office.crops += "ALTRES,Altres,Something,998,,,,,the office does not say\n"
    report = office.check(office.declare(*["ALTRES"] * 9, "ORDI"))
    assert line(report, "998")[:3] == ["998", "1", "9"]
    assert set(problems(report)) == {"mapped"}


def test_exclude_on_a_large_area_is_a_problem(office: Office) -> None:
    report = office.check(office.declare(*["CARRETERA"] * 9, "ORDI"))
    assert problems(report) == {
        "excluded": "2020: 90.0% of the parcels and 90.0% of the area are excluded ('CARRETERA') and count in no share "
        "of what is mapped; exclude is for what is no parcel"
    }


def test_excluded_parcels_are_noted_and_names_without_code_are_not_among_them(office: Office) -> None:
    office.crops += ",,No crop,exclude,,,,,none is declared\n"
    report = office.check(office.declare(*["ORDI"] * 30, ("", ""), ("", "Ordi")))
    assert line(report, "excluded")[:3] == ["excluded", "1", "1"]
    assert line(report, "no row")[:4] == ["no", "row", "1", "1"]
    assert "2020: 3.1% of the parcels and 3.1% of the area are excluded ('')" in notes(report)["excluded"]


def test_unreviewed_rows_in_use_are_a_problem(office: Office) -> None:
    office.crops = office.crops.replace("3301010400,,,,", "3301010400,,,unreviewed,")
    report = office.check(office.declare("ORDI", "ORDI", "ARRÒS"))
    texts = [one.text for one in report.findings if one.rule == "unreviewed"]
    assert texts[0].startswith("rows marked unreviewed")
    assert texts[1] == "2020: 2 parcels have codes whose rows nobody has reviewed: 'ORDI'"


def test_parcels_without_a_code_have_no_class(office: Office) -> None:
    report = office.check(office.declare("ORDI", ""))
    assert line(report, "(none declared)")[2:4] == ["1", "1.00"]
    assert "mapped" in problems(report)


# --- nearest ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "declared", "hint"),
    [
        ("CIVADA,Civada,Oats,170,,,2019,,\n", "CIVADA", "'CIVADA' holds -2019 only"),  # other years only
        ("01,Civada,Oats,170,,,,,\n", "1", "did you mean '01' (170)?"),  # zeros that a spreadsheet took
        ("CIVADA-VERDA,Civada,Oats,170,,,,,\n", "CIVADA VERDA", "did you mean 'CIVADA-VERDA' (170)?"),
        ("CIVADES,Civada,Oats,170,,,,,\n", "CIVADESS", "did you mean 'CIVADES' (170)?"),
        ("", ("77", "Rapeseed"), "435 as Rapeseed in classes (100)"),  # by the name beside the code
        ("", "Sunflower", "438 as sunflower in hcat3 (100)"),  # by the name that is the code
    ],
)
def test_a_code_without_a_row_shows_the_nearest(office: Office, row: str, declared: Any, hint: str) -> None:
    office.crops += row
    report = office.check(office.declare(declared, "ORDI"))
    code = declared if isinstance(declared, str) else declared[0]
    assert next(one for one in report.lines if one.startswith(f"{code} ")).endswith(hint)


# --- what a declaration shows -------------------------------------------------------------------------


def test_rows_that_no_parcel_uses_are_noted(office: Office) -> None:
    report = office.check(office.declare("ORDI", "ARRÒS"))
    assert notes(report)["never_used"].startswith("2020: 5 of 7 rows of crops.csv are never declared: 'BLAT TOU'")


def test_one_code_with_two_names_is_a_problem(office: Office) -> None:
    names = ["Ordi", "Ordi", "Ordi d'hivern", "Blat de moro"]
    report = office.check(office.declare(*(("ORDI", name) for name in names)))
    assert problems(report)["two_names"] == "2020: one code, different crops: 'ORDI' is 'Ordi' and 'Blat de moro'"


def test_a_code_under_another_name_than_in_the_table_is_a_problem(office: Office) -> None:
    """The office gave the code to another crop; the table would label it as the old one."""
    report = office.check(office.declare(("ORDI", "Gira-sol"), ("ARRÒS", "Arròs bomba")))
    assert problems(report) == {
        "other_name": "2020: codes of another name: 'ORDI' is declared as 'Gira-sol', crops.csv has 'ORDI'"
    }


def test_names_in_another_encoding_are_a_problem(office: Office) -> None:
    report = office.check(office.declare("ARRÒS".encode().decode("cp1252"), "ORDI"))
    assert problems(report)["mojibake"].endswith("(mojibake): 'ARRÃ’S'. Set encoding in source.yaml")


def test_a_few_damaged_names_are_a_note(office: Office) -> None:
    report = office.check(office.declare("ARROS", *["ORDI"] * 19))
    assert not report.has_problems
    assert notes(report)["unaccented"].startswith(
        "2020: names of 5.0% of the parcels found their row only after repair"
    )


def test_hectares_taken_for_square_metres_are_a_problem(office: Office) -> None:
    office.edition["area_unit"] = "m2"
    report = office.check(office.declare("ORDI", "ARRÒS"))
    assert problems(report)["hectare_slip"].startswith("2020: declared areas of 2 of 2 parcels are off by 10 000")


def test_declared_areas_of_another_column_are_a_problem(office: Office) -> None:
    assert "area" in problems(office.check(office.declare("ORDI", "ARRÒS", ha=7.0)))


def test_parcels_of_an_implausible_size_are_a_problem(office: Office) -> None:
    report = office.check(office.declare("ORDI", "ARRÒS", side_m=3.0, ha=0.0009))
    assert problems(report)["parcel_size"].startswith("2020: the median parcel has 0.0009 ha; expected 0.05 to 100")
    assert notes(report)["parcel_size"] == "2020: 2 parcels are below 100 m2 or above 1000 ha"


def test_a_class_that_takes_nearly_all_area_is_noted(office: Office) -> None:
    codes = ["ORDI", "BLAT TOU", "BLAT DE MORO", "ARRÒS", "GUARET SIE/ SUP. LLIURE SEMBRA"]
    report = office.check(office.declare(*codes, *["ORDI"] * 60))
    assert notes(report)["one_class"] == "2020: class 150 takes 93.8% of the mapped area, from 5 codes"


# --- drift --------------------------------------------------------------------------------------------


def changes(report: Report) -> list[tuple[str, str]]:
    start = next(i for i, one in enumerate(report.lines) if one.startswith("2019 to 2020"))
    words = ("new", "gone", "respelled", "share")
    return [(one.split()[0], word) for one in report.lines[start + 2 :] for word in words if f" {word} " in f" {one} "]


def test_codes_that_come_and_go_and_shares_that_move(office: Office) -> None:
    before = office.declare("ORDI", "ORDI", "ORDI", "ARRÒS", year=2019)
    after = office.declare("ORDI", "BLAT TOU", "BLAT TOU", "BLAT TOU", year=2020)
    report = office.check(after, before)
    assert "2019 to 2020: 1 codes new, 1 gone, 0 respelled, 1 with a share that moved by over 2%" in report.lines
    assert changes(report) == [("BLAT", "new"), ("ARRÒS", "gone"), ("ORDI", "share")]


def test_a_year_in_another_encoding_is_no_year_of_new_crops(office: Office) -> None:
    before = office.declare("ARRÒS", "ORDI", year=2019)
    after = office.declare("ARRÒS".encode().decode("cp1252"), "ORDI", year=2020)
    report = office.check(before, after)
    assert changes(report) == [("ARRÒS", "respelled")]
    assert notes(report)["respelled"] == "2019 to 2020: 1 codes are spelled otherwise: 'ARRÒS' and 'ARRÃ’S'"


def test_a_code_that_stays_while_its_name_changes(office: Office) -> None:
    office.crops += "7,Civada,Oats,170,,,,,\n"
    before = office.declare(("7", "Civada"), year=2019)
    after = office.declare(("7", "Gira-sol"), year=2020)
    report = office.check(before, after)
    assert "'7' from 'Civada' to 'Gira-sol'" in problems(report)["renamed"]


def test_a_code_whose_rows_are_parted_by_year_may_change_its_name(office: Office) -> None:
    office.crops += "7,Civada,Oats,170,,,2019,,\n7,Gira-sol,Sunflower,438,,2020,,,\n"
    before = office.declare(("7", "Civada"), year=2019)
    after = office.declare(("7", "Gira-sol"), year=2020)
    assert not office.check(before, after).has_problems


# --- years, samples, bad input ------------------------------------------------------------------------


def test_the_year_comes_from_the_name_that_the_edition_gives(office: Office) -> None:
    assert "2019: " in office.check(office.declare("ORDI", year=2019)).text()
    assert "2020: " in office.check(office.declare("ORDI", name="extract_2020_v2.gpkg")).text()
    with pytest.raises(ConfigError, match=r"its name does not tell the year; source.yaml knows \[2019, 2020\]"):
        office.check(office.declare("ORDI", name="extract.gpkg"))
    assert "2019: " in office.check(office.declare("ORDI", name="extract.gpkg"), years=(2019,)).text()


def test_a_file_that_is_missing_is_named_before_its_year_is_asked_for(office: Office, tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"fields\.gpkg: no such file"):
        office.check(tmp_path / "fields.gpkg")


def test_years_and_files_must_pair(office: Office) -> None:
    with pytest.raises(ConfigError, match="--year: 2 years for 1 files"):
        office.check(office.declare("ORDI"), years=(2019, 2020))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"year": 2019, "features": [{"properties": {"cultiu": "ORDI", "HA": 1}}]}', None),
        ('{"features": [{"properties": {"cultiu": "GIRASOL", "HA": 1}}]}', "codes without a class: 'GIRASOL'"),
        ('{"features": [{"properties": {"cultiu": ""}}]}', "no feature with the columns HA of 2020; found ['cultiu']"),
        ('{"features": []}', "no feature with the columns CULTIU, HA of 2020; found []"),
    ],
)
def test_the_sample_fits_its_table(office: Office, text: str, problem: str | None) -> None:
    (office.country / "sample.geojson").write_text(text)
    office.edition["columns"]["name"] = None
    found = problems(office.check())
    assert ("sample" in found) == (problem is not None)
    assert problem is None or found["sample"].endswith(problem)


def test_bad_input_has_a_name(office: Office, tmp_path: Path) -> None:
    declared = office.declare("ORDI")
    office.edition["columns"]["code"] = "CROP"
    with pytest.raises(DeclarationError, match="has no column CROP"):
        office.check(declared)
    office.edition["columns"]["code"] = "CULTIU"
    (tmp_path / "broken2020.gpkg").write_bytes(b"no database")
    with pytest.raises(DeclarationError, match=r"broken2020\.gpkg"):
        office.check(tmp_path / "broken2020.gpkg")
    with pytest.raises(ConfigError, match="no edition for 2031"):
        office.check(declared, years=(2031,))
    with pytest.raises(CropstackError, match="no country 'yy'; there are xx"):
        check_country(office.root, "yy", [], years=(), min_mapped=0.95)
    with pytest.raises(ConfigError, match=r"classes.csv is missing. Run in the repository"):
        check_country(tmp_path / "elsewhere", "xx", [], years=(), min_mapped=0.95)


def test_the_report_fits_100_columns(office: Office) -> None:
    office.crops = office.crops.replace("Barley", "Barley " * 30)
    report = office.check(office.declare("ORDI", ("77", "a very long name of a crop " * 9)))
    assert max(len(one) for one in report.text().splitlines() if str(office.root) not in one) <= 100
