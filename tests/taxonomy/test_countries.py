"""One contract over all country folders, and the code lists that France and Catalonia have published."""

import csv
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from pyproj import CRS, Transformer

from cropstack.labels.crops import COLUMNS, Crop, match_codes, normalise, read_crops
from cropstack.legend import UNKNOWN, read_classes, read_legend, read_table
from cropstack.schema import read_yaml

ROOT = Path(__file__).parents[2]
COUNTRIES = sorted(path.parent.name for path in ROOT.glob("taxonomy/countries/*/source.yaml"))
CLASSES = read_classes(ROOT / "taxonomy/classes.csv")


def source_of(cc: str) -> dict[str, Any]:
    source: dict[str, Any] = read_yaml(
        ROOT / f"taxonomy/countries/{cc}/source.yaml", ROOT / "workflow/schemas/source.schema.yaml"
    )
    return source


def crops_of(cc: str, year: int) -> dict[str, Crop]:
    return read_crops(ROOT / f"taxonomy/countries/{cc}/crops.csv", CLASSES, year=year)


def rows_of(cc: str) -> list[dict[str, str]]:
    return read_table(ROOT / f"taxonomy/countries/{cc}/crops.csv", COLUMNS)


def years_of(cc: str) -> list[int]:
    return [year for edition in source_of(cc)["editions"] for year in edition["years"]]


# --- every country ------------------------------------------------------------------------------------


def test_there_are_countries() -> None:
    assert {"es_ct", "fr"} <= set(COUNTRIES)


@pytest.mark.parametrize("cc", COUNTRIES)
def test_every_class_code_exists_in_every_year(cc: str) -> None:
    for year in years_of(cc):
        codes = {crop.class_code for crop in crops_of(cc, year).values()}
        assert codes - {None} <= set(CLASSES)


@pytest.mark.parametrize("cc", COUNTRIES)
def test_a_year_has_one_edition(cc: str) -> None:
    years = years_of(cc)
    assert len(years) == len(set(years))


@pytest.mark.parametrize("cc", COUNTRIES)
def test_the_crs_is_in_metres_and_meant_for_the_country(cc: str) -> None:
    source = source_of(cc)
    west, south, east, north = source["bounds"]
    for edition in source["editions"]:
        crs = CRS.from_user_input(edition["crs"])
        assert [axis.unit_name for axis in crs.axis_info] == ["metre", "metre"]
        area = crs.area_of_use
        assert area is not None
        assert area.west <= (west + east) / 2 <= area.east
        assert area.south <= (south + north) / 2 <= area.north
        Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(west, south, errcheck=True)


@pytest.mark.parametrize("cc", COUNTRIES)
def test_names_are_clean(cc: str) -> None:
    for row in rows_of(cc):
        text = row["code"] + row["name"] + row["name_en"]
        assert not set(text) & set("\N{REPLACEMENT CHARACTER}?*Ã\t"), row
        assert unicodedata.is_normalized("NFC", text), row
        assert row["name"], row
        assert row["name_en"].isascii(), row


@pytest.mark.parametrize("cc", COUNTRIES)
def test_rows_are_sorted_and_codes_written_as_they_are_compared(cc: str) -> None:
    codes = [row["code"] for row in rows_of(cc)]
    assert codes == sorted(codes)
    assert codes == [normalise(code) for code in codes]


@pytest.mark.parametrize("cc", COUNTRIES)
def test_998_says_why(cc: str) -> None:
    assert [row["code"] for row in rows_of(cc) if row["class_code"] == "998" and not row["note"]] == []


@pytest.mark.parametrize("cc", ["es_ct", "fr"])
def test_the_eleven_classes_of_the_paper_can_be_declared(cc: str) -> None:
    legend = read_legend(ROOT / "taxonomy/legends/sen4agrinet11.csv", CLASSES)
    codes = {crop.class_code for crop in crops_of(cc, 2019).values()}
    assert [one.name for one in legend if not codes & set(one.codes)] == []


# --- France and Catalonia -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cc", "code", "class_code"),
    [
        ("fr", "MIS", 120),  # published as unknown
        ("fr", "PPH", 912),
        ("fr", "PTR", 911),
        ("fr", "CML", 439),  # camelina, published as tea
        ("fr", "PFR", 340),  # red berries, published among pome and stone fruits
        ("fr", "SOG", 140),
        ("fr", "ZZZ", 998),
        ("es_ct", "BLAT TOU", 110),
        ("es_ct", "CONREU DE FRUITS DEL BOSC", 340),  # berries, published as forest
        ("es_ct", "CAMELINA", 439),
        ("es_ct", "SÈGOL", 160),
        ("es_ct", "PÈSOL", 770),
        ("es_ct", "GUARET SIE AMB ESPÈCIES MEL·LÍFERES", 975),
    ],
)
def test_faults_of_the_published_tables_are_repaired(cc: str, code: str, class_code: int) -> None:
    assert crops_of(cc, 2020)[code].class_code == class_code


def test_france_and_catalonia_agree_on_crops_that_they_share() -> None:
    pairs = {
        "CMM": "CAMAMILLA",
        "CRD": "CORIANDRE",
        "EPE": "ESPELTA",
        "FEV": "FAVA",
        "FNO": "FONOLL",
        "LAV": "LAVANDA O ESPÍGOL",
        "NOX": "NOGUERES",
        "PEP": "VIVER ARBRE I ARBUST",
        "ROM": "ROMANÍ",
        "SAI": "TREPADELLA",
        "SRS": "FAJOL",
        "TTH": "TRITICALE",
        "VES": "VECES",
    }
    fr, es_ct = crops_of("fr", 2020), crops_of("es_ct", 2020)
    differing = {a: b for a, b in pairs.items() if fr[a].class_code != es_ct[b].class_code}
    assert differing == {}


@pytest.fixture
def reference(realdata: Path) -> Path:
    folder = realdata.parent / "reference"
    if not folder.is_dir():
        pytest.skip(f"no reference tables at {folder}")
    return folder


def column(path: Path, name: str) -> list[str]:
    with open(path, encoding="utf-8", newline="") as handle:
        return [row[name] for row in csv.DictReader(handle)]


@pytest.mark.parametrize(
    ("cc", "file", "name", "without", "unknown"),
    [
        # None is a missing code, written as text; ZZZ and CNE themselves say that the crop is not known
        ("fr", "s4a_mapping_france.csv", "rpg_code", {"None"}, {"CNE", "ZZZ"}),
        ("fr", "breizhcrops_codes.csv", "code_cultu", set(), {"ZZZ"}),
        ("fr", "eurocrops/fr_2018.csv", "original_code", set(), set()),
        ("fr", "eurocrops/fr_other_years.csv", "original_code", set(), {"CNE", "ZZZ"}),
        # two names that no declaration has: slips for VEÇA I CIVADA and CÀRTAM O SAFRANÓ
        (
            *("es_ct", "s4a_mapping_catalonia.csv", "original_name"),
            {"VERA I CIVADA", "CARTAM O SAFRANS"},
            set(),
        ),
        ("es_ct", "fiboa/es_cat.csv", "original_name", set(), set()),
    ],
)
def test_published_codes_are_mapped(
    reference: Path, cc: str, file: str, name: str, without: set[str], unknown: set[str]
) -> None:
    codes = column(reference / file, name)
    matches = match_codes(codes, crops_of(cc, 2020), name_width=30 if cc == "es_ct" else None)
    assert set(codes) - set(matches) == without
    assert {code for code, match in matches.items() if match.crop.class_code == UNKNOWN} == unknown


@pytest.mark.parametrize(
    ("cc", "file", "name"),
    [
        ("fr", "s4a_mapping_france.csv", "rpg_code"),
        ("es_ct", "s4a_mapping_catalonia.csv", "original_name"),
    ],
)
def test_every_deviation_from_sen4agrinet_has_a_note(reference: Path, cc: str, file: str, name: str) -> None:
    notes = {row["code"]: row["note"] for row in rows_of(cc)}
    codes = column(reference / file, name)
    matches = match_codes(codes, crops_of(cc, 2020), name_width=30 if cc == "es_ct" else None)
    published = dict(zip(codes, column(reference / file, "s4a_code"), strict=True))
    deviating = {
        m.crop.code: published[code] for code, m in matches.items() if str(m.crop.class_code) != published[code]
    }
    assert len(deviating) > 25
    assert {code for code, was in deviating.items() if f"Sen4AgriNet has {was}" not in notes[code]} == set()


def test_hcat_codes_are_those_of_hcat3(reference: Path) -> None:
    known = set(column(reference / "eurocrops/HCAT3.csv", "HCAT3_code"))
    assert {row["hcat"] for cc in COUNTRIES for row in rows_of(cc)} <= known


def test_hcat_of_france_is_that_of_eurocrops_or_says_so(reference: Path) -> None:
    file = reference / "eurocrops/fr_2018.csv"
    published = dict(zip(column(file, "original_code"), column(file, "HCAT3_code"), strict=True))
    differing = [row for row in rows_of("fr") if published.get(row["code"], row["hcat"]) not in (row["hcat"], "")]
    assert [row["code"] for row in differing if "EuroCrops has HCAT" not in row["note"]] == []
