"""Crop tables, and how damaged names find their row."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cropstack.errors import ConfigError, DeclarationError
from cropstack.labels.crops import Crop, match_codes, read_crops
from cropstack.legend import CropClass, read_classes


@pytest.fixture
def classes(root: Path) -> dict[int, CropClass]:
    return read_classes(root / "taxonomy/classes.csv")


@pytest.fixture
def crops(tmp_path: Path, crop_table: str, classes: dict[int, CropClass]) -> dict[str, Crop]:
    (tmp_path / "crops.csv").write_text(crop_table, encoding="utf-8")
    return read_crops(tmp_path / "crops.csv", classes, year=2020)


@pytest.mark.parametrize(
    ("declared", "code", "repair"),
    [
        ("BLAT TOU", "BLAT TOU", ""),
        (" blat  tou ", "BLAT TOU", ""),
        ("ARRO\u0300S", "ARRÒS", ""),  # decomposed accent
        ("ARRÒS".encode().decode("cp1252"), "ARRÒS", "mojibake"),
        ("ARR\ufffdS", "ARRÒS", "mojibake"),
        ("ARR?S", "ARRÒS", "mojibake"),
        ("ARROS", "ARRÒS", "unaccented"),
        ("GUARET SIE/ SUP. LLIURE SEMBRA", "GUARET SIE/ SUP. LLIURE SEMBRA", ""),  # 30 characters and whole
        ("GUIXES NO SIE O PEDREROL NO SI", "GUIXES NO SIE O PEDREROL NO SIE", "truncated"),
        ("GUIXES NO SIE O PEDREROL NO S*", "GUIXES NO SIE O PEDREROL NO SIE", "truncated"),
    ],
)
def test_damaged_names_find_their_row(crops: dict[str, Crop], declared: str, code: str, repair: str) -> None:
    match = match_codes([declared], crops, name_width=30)[declared]
    assert (match.crop.code, match.repair) == (code, repair)


@pytest.mark.parametrize("declared", ["", "BLAT", "BLAT DE", "GUIXES NO SIE", "B?AT", "ORDIS", "AR\ufffd\ufffdS X"])
def test_a_name_that_could_be_another_finds_none(crops: dict[str, Crop], declared: str) -> None:
    assert match_codes([declared], crops, name_width=30) == {}


def test_names_are_not_completed_where_none_are_cut(crops: dict[str, Crop]) -> None:
    assert match_codes(["GUIXES NO SIE O PEDREROL NO SI"], crops, name_width=None) == {}


def test_cut_name_with_two_completions_finds_none(
    tmp_path: Path, crop_table: str, classes: dict[int, CropClass]
) -> None:
    rows = crop_table + "GUIXES NO SIE O PEDREROL NO SIEGA,x,x,120,,,,,\n"
    (tmp_path / "crops.csv").write_text(rows, encoding="utf-8")
    crops = read_crops(tmp_path / "crops.csv", classes, year=2020)
    assert match_codes(["GUIXES NO SIE O PEDREROL NO SI"], crops, name_width=30) == {}


def test_name_cut_by_bytes_of_utf8(tmp_path: Path, crop_table: str, classes: dict[int, CropClass]) -> None:
    name = "ESPECIES AROMÀTIQUES HERBÀCIES"  # published as 28 characters, 30 bytes
    (tmp_path / "crops.csv").write_text(crop_table + f"{name},{name},Herbs,931,,,,,\n", encoding="utf-8")
    crops = read_crops(tmp_path / "crops.csv", classes, year=2020)
    match = match_codes(["ESPECIES AROMÀTIQUES HERBÀCI"], crops, name_width=30)["ESPECIES AROMÀTIQUES HERBÀCI"]
    assert (match.crop.code, match.repair) == (name, "truncated")


def test_a_code_may_change_its_meaning_from_one_year_to_the_next(
    tmp_path: Path, crop_table: str, classes: dict[int, CropClass]
) -> None:
    rows = crop_table.splitlines()[0] + "\nCSE,CSE,Hemp,923,,,2018,,\nCSE,CSE,Other,980,,2019,,,\n"
    (tmp_path / "crops.csv").write_text(rows, encoding="utf-8")
    found = [read_crops(tmp_path / "crops.csv", classes, year=year)["CSE"].class_code for year in (2018, 2019)]
    assert found == [923, 980]


def test_a_row_may_leave_out_parcels_with_neither_code_nor_name(country: Any, square: Callable[..., object]) -> None:
    """A name alone is a crop, though an unknown one."""
    country.edition["columns"]["name"] = "NOM"
    found = [("ORDI", "Ordi", 100), ("", "", 10), (None, None, 10), ("", "Ordi", 10), ("GIRASOL", "", 10)]
    rows = [{"CULTIU": c, "NOM": n, "geometry": square(i, 0, side)} for i, (c, n, side) in enumerate(found)]
    declared = country.declare(rows)
    parcels, _ = country.harmonise(declared)
    assert sorted(parcels["class_code"]) == [150, 998, 998, 998, 998]
    country.crops += ",,No crop declared,exclude,,,,,\n"
    parcels, ledger = country.harmonise(declared)
    assert sorted(parcels["class_code"]) == [150, 998, 998]
    assert [row.evidence for row in ledger if row.reason == "excluded"] == ["no crop declared, 0.0100 ha"] * 2
    assert sorted(row.unit for row in ledger if row.reason == "unknown_code") == ["", "GIRASOL"]


def test_excluding_much_of_what_is_declared_stops_the_build(country: Any, square: Callable[..., object]) -> None:
    rows = [{"CULTIU": code, "geometry": square(i, 0)} for i, code in enumerate(["CARRETERA", *["ORDI"] * 7])]
    message = r"excludes 12.5% of the declared area, most of it 'CARRETERA'; expected at most 10%"
    with pytest.raises(DeclarationError, match=message):
        country.harmonise(country.declare(rows))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("SOIA,SOIA,Soya,411,,,,,", "class_code '411' is in no row of classes.csv, nor 'exclude'; did you mean"),
        ("SOIA,SOIA,Soya,,,,,,", "class_code '' is in no row"),
        ("SOIA,SOIA,Soya,410,33010,,,,", "hcat '33010' is no HCAT code"),
        ("SOIA,SOIA,Soya,410,,20,,,", "valid_from '20' is no year"),
        ("ordi,ORDI,Barley,150,,,,,", "code 'ordi' stands twice for 2020"),
        (",x,x,150,,,,,", r"the code is empty. Parcels without .* 'exclude' leaves out those"),
        ("SOIA,SOIA,Soya,410,,,,yes,", "review 'yes' is unknown; expected nothing or 'unreviewed'"),
    ],
)
def test_bad_rows_of_a_crop_table(
    tmp_path: Path, crop_table: str, classes: dict[int, CropClass], row: str, message: str
) -> None:
    (tmp_path / "crops.csv").write_text(crop_table + row + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="line 9, .*" + message):
        read_crops(tmp_path / "crops.csv", classes, year=2020)


def test_rows_that_nobody_has_reviewed_stop_the_build(country: Any, square: Callable[..., object]) -> None:
    country.crops = country.crops.replace("3301010400,,,,", "3301010400,,,unreviewed,")  # barley
    rows = [{"CULTIU": code, "geometry": square(i, 0)} for i, code in enumerate(["ORDI", "BLAT TOU", "ORDI"])]
    declared = country.declare(rows)
    message = r"crops.csv: 1 codes of 2 parcels are marked 'unreviewed': 'ORDI' \(2 parcels\). Check their class_code"
    with pytest.raises(ConfigError, match=message):
        country.harmonise(declared)
    parcels, ledger = country.harmonise(declared, allow_unreviewed=True)
    assert len(parcels) == 3
    assert [(row.unit, row.reason) for row in ledger] == [("ORDI", "unreviewed_code")]
    assert "2 parcels, 2.00 ha" in ledger[0].evidence


def test_unreviewed_rows_that_no_parcel_uses_stop_nothing(country: Any, square: Callable[..., object]) -> None:
    country.crops = country.crops.replace("3301010400,,,,", "3301010400,,,unreviewed,")
    parcels, ledger = country.harmonise(country.declare([{"CULTIU": "BLAT TOU", "geometry": square(0, 0)}]))
    assert (len(parcels), ledger) == (1, [])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, r"crops.csv is missing. Write it: the columns are code, name, name_en"),
        (b"code,name\nORDI,ORDI\n", "columns are .*; expected"),
        (b"code;name;name_en\nORDI;ORDI;Barley\n", r"columns are .*; expected .*\. Save it with commas\."),
        ("ARRÒS,ARRÒS,Rice,130,,,,,\n".encode("cp1252"), "is no CSV in UTF-8 .*Save it as UTF-8"),
    ],
)
def test_tables_that_a_spreadsheet_spoilt(
    tmp_path: Path, crop_table: str, classes: dict[int, CropClass], data: bytes | None, message: str
) -> None:
    path = tmp_path / "crops.csv"
    if data is not None:
        path.write_bytes(data if data.startswith(b"code") else crop_table.encode() + data)
    with pytest.raises(ConfigError, match=message):
        read_crops(path, classes, year=2020)
