"""One contract over all country folders, real extracts of 13 offices, and the published lists of two of them."""

import csv
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyarrow.parquet as pq
import pyogrio
import pytest
from pyproj import CRS, Transformer

from cropstack.files import read_ledger
from cropstack.labels.crops import COLUMNS, Crop, match_codes, normalise, read_crops
from cropstack.labels.harmonise_parcels import harmonise_parcels
from cropstack.labels.source_text import is_share_alike
from cropstack.legend import UNKNOWN, read_classes, read_legend, read_table
from cropstack.schema import read_yaml

ROOT = Path(__file__).parents[2]
COUNTRIES = sorted(path.parent.name for path in ROOT.glob("taxonomy/countries/*/source.yaml"))
CLASSES = read_classes(ROOT / "taxonomy/classes.csv")
HCAT = {row["hcat"]: row for row in read_table(ROOT / "taxonomy/hcat3.csv", ["hcat", "name", "class_code", "note"])}


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


def widths_of(cc: str) -> list[int | None]:
    """At how many characters each edition cuts names."""
    return [edition["name_width"] for edition in source_of(cc)["editions"]]


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
def test_bounds_lie_where_the_crs_is_meant_for_and_areas_are_in_metres(cc: str) -> None:
    source = source_of(cc)
    west, south, east, north = source["bounds"]
    assert -180 <= west < east <= 180
    assert -90 <= south < north <= 90
    for edition in source["editions"]:
        metric = CRS.from_user_input(edition["metric_crs"] or edition["crs"])
        assert [axis.unit_name for axis in metric.axis_info] == ["metre", "metre"]
        for crs in (metric, CRS.from_user_input(edition["crs"])):
            area = crs.area_of_use
            assert area is not None
            assert area.west <= (west + east) / 2 <= area.east
            assert area.south <= (south + north) / 2 <= area.north
        Transformer.from_crs("EPSG:4326", metric, always_xy=True).transform(west, south, errcheck=True)


@pytest.mark.parametrize("cc", COUNTRIES)
def test_licence_and_attribution_are_told_and_the_attribution_names_the_year(cc: str) -> None:
    source = source_of(cc)
    assert source["licence"]
    assert "2019" in source["attribution"].format(year=2019)
    assert source["share_alike"] == is_share_alike(source["licence"])


@pytest.mark.parametrize("cc", COUNTRIES)
def test_a_file_holds_one_year(cc: str) -> None:
    for edition in source_of(cc)["editions"]:
        if len(edition["years"]) > 1:
            assert all("{year}" in name for name in edition["files"]), edition["years"]
        if edition["code_pattern"]:
            assert re.compile(edition["code_pattern"]).groups == 1


@pytest.mark.parametrize("cc", COUNTRIES)
def test_every_row_was_reviewed(cc: str) -> None:
    assert [row["code"] for row in rows_of(cc) if row["review"]] == []


@pytest.mark.parametrize("cc", COUNTRIES)
def test_hcat_codes_exist_and_another_class_than_theirs_has_a_note(cc: str) -> None:
    rows = [row for row in rows_of(cc) if row["class_code"] != "exclude"]
    assert [row["code"] for row in rows if row["hcat"] not in HCAT] == []
    differing = [row for row in rows if row["class_code"] != HCAT[row["hcat"]]["class_code"]]
    assert [row["code"] for row in differing if "HCAT3 alone" not in row["note"]] == []


def harmonise(cc: str, files: list[Path], folder: Path, *, year: int) -> gpd.GeoDataFrame:
    """Parcels of a declaration through the real step; the ledger lies beside them."""
    harmonise_parcels(
        files,
        ROOT / f"taxonomy/countries/{cc}/source.yaml",
        ROOT / "workflow/schemas/source.schema.yaml",
        ROOT / f"taxonomy/countries/{cc}/crops.csv",
        ROOT / "taxonomy/classes.csv",
        folder / "parcels.parquet",
        folder / "ledger.csv",
        country=cc,
        year=year,
        max_unknown_share=1.0,
        allow_unreviewed=False,
        simulated=False,
        threads=2,
    )
    return gpd.read_parquet(folder / "parcels.parquet")


@pytest.mark.parametrize("cc", COUNTRIES)
def test_the_sample_harmonises_with_every_code_mapped_and_one_repair(cc: str, tmp_path: Path) -> None:
    path = ROOT / f"taxonomy/countries/{cc}/sample.geojson"
    if not path.exists():
        pytest.skip(f"taxonomy/countries/{cc} has no sample.geojson")
    year = json.loads(path.read_text(encoding="utf-8"))["year"]
    source = source_of(cc)
    edition = next(one for one in source["editions"] if year in one["years"])
    west, south, east, north = source["bounds"]
    sample = pyogrio.read_dataframe(path)
    assert sample.crs.to_epsg() == 4326
    assert len(sample.cx[west:east, south:north]) == len(sample) >= 5
    layer = (edition["layer"] or "parcels").format(year=year).replace("*", "sample")
    pyogrio.write_dataframe(sample.to_crs(edition["crs"]), tmp_path / "sample.gpkg", layer=layer)
    parcels = harmonise(cc, [tmp_path / "sample.gpkg"], tmp_path, year=year)
    said = json.loads(pq.read_schema(tmp_path / "parcels.parquet").metadata[b"cropstack"])
    assert said["licence"] == source["licence"]
    assert said["attribution"] == source["attribution"].format(year=year)
    assert said["share_alike"] == source["share_alike"]
    assert len(parcels) == len(sample)
    assert UNKNOWN not in parcels["class_code"].tolist()
    assert parcels["class_code"].nunique() > 2
    found = {(row.action, row.reason) for row in read_ledger(tmp_path / "ledger.csv")}
    assert found == {("repaired", "invalid_geometry")}


def test_every_shipped_country_has_a_sample() -> None:
    """A folder of one's own, made by `cropstack country new`, may go without."""
    shipped = {cc for cc, *_ in EXTRACTS}
    assert len(shipped) >= 13
    assert {cc for cc in shipped if not (ROOT / f"taxonomy/countries/{cc}/sample.geojson").exists()} == set()


def is_mojibake(text: str) -> bool:
    """Whether UTF-8 was read as CP1252: "MaÃ¯s"."""
    try:
        return text.encode("cp1252").decode() != text
    except UnicodeError:
        return False


@pytest.mark.parametrize("cc", COUNTRIES)
def test_names_are_clean(cc: str) -> None:
    for row in rows_of(cc):
        text = row["code"] + row["name"] + row["name_en"]
        assert not set(text) & set("\N{REPLACEMENT CHARACTER}?*\t"), row
        assert not is_mojibake(text), row
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
        "AAR": "ESPECIES AROMÀTIQUES HERBÀCIES",
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


# Leaves of HCAT under which France and Catalonia have several classes, and why
SEVERAL_CLASSES = {
    "3301019900": "other cereals: Catalonia's Khorasan wheat is 110",
    "3301020100": "beans: beans (710) and broad beans (720)",
    "3301020600": "peas: France's cowpea is 740",
    "3301029900": "other dry pulses: also mixtures, which follow what prevails",
    "3301061298": "herbs of any use: annual (931), perennial (932) or both (930)",
    "3301061299": "other herbs: spices, medicinal, flowers",
    "3301070000": "fresh vegetables: some are named",
    "3301090202": "fescue: up to five years in France (911), published as permanent in Catalonia (912)",
    "3301099900": "other plants harvested green: flowers, giant cane",
    "3302000000": "permanent grassland: woody fodder prevails in SPL",
    "3303040000": "citrus: Catalonia names them",
    "3303990000": "other permanent crops: bananas, persimmon, vanilla and more",
    "3306990000": "other trees: grazed wood (BOP)",
    "3399000000": "other: margins, wetlands, unknown",
}


def classes_by_hcat(cc: str) -> dict[str, set[str]]:
    """Classes of a country's crops by HCAT code."""
    found: dict[str, set[str]] = {}
    for row in rows_of(cc):
        if row["class_code"] != "exclude":
            found.setdefault(row["hcat"], set()).add(row["class_code"])
    return found


def is_leaf(hcat: str) -> bool:
    """Whether HCAT parts a code no further, but by season. Codes have two digits a level, and zeros at the end."""
    stem = re.sub("(00)+$", "", hcat)
    return all("season" in HCAT[one]["name"] for one in HCAT if one.startswith(stem) and one != hcat)


def test_a_crop_of_hcat_has_one_class_in_france_and_catalonia() -> None:
    fr, es_ct = classes_by_hcat("fr"), classes_by_hcat("es_ct")
    shared = {hcat for hcat in fr.keys() & es_ct.keys() if is_leaf(hcat)}
    assert len(shared) > 90
    canary_seed = "3301011400"  # published as other cereals in France (192), as temporary grass in Catalonia (911)
    differing = {hcat for hcat in shared if len(fr[hcat] | es_ct[hcat]) > 1}
    assert differing == {*SEVERAL_CLASSES, canary_seed}


def test_a_crop_that_the_published_tables_part_is_named_in_the_readme() -> None:
    text = " ".join((ROOT / "taxonomy/README.md").read_text(encoding="utf-8").split())
    fr, es_ct = crops_of("fr", 2020), crops_of("es_ct", 2020)
    for a, b in (("CGH", "ESCAIOLA"), ("FET", "FESTUCA")):
        assert f"(`{a}`, {fr[a].class_code})" in text
        assert f"(`{b}`, {es_ct[b].class_code})" in text


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
        ("es_ct", "s4a_mapping_catalonia.csv", "original_name", set(), set()),
        ("es_ct", "fiboa/es_cat.csv", "original_name", set(), set()),
    ],
)
def test_published_codes_are_mapped(
    reference: Path, cc: str, file: str, name: str, without: set[str], unknown: set[str]
) -> None:
    codes = column(reference / file, name)
    for width in widths_of(cc):
        matches = match_codes(codes, crops_of(cc, 2020), name_width=width)
        assert set(codes) - set(matches) == without
        assert {code for code, match in matches.items() if match.crop.class_code == UNKNOWN} == unknown


def test_catalonia_has_editions_of_2015_to_2025() -> None:
    assert sorted(years_of("es_ct")) == list(range(2015, 2026))


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
    matches = match_codes(codes, crops_of(cc, 2020), name_width=widths_of(cc)[0])
    published = dict(zip(codes, column(reference / file, "s4a_code"), strict=True))
    deviating = {
        m.crop.code: published[code] for code, m in matches.items() if str(m.crop.class_code) != published[code]
    }
    assert len(deviating) > 25
    assert {code for code, was in deviating.items() if f"Sen4AgriNet has {was}" not in notes[code]} == set()


@pytest.mark.parametrize("name", ["fr_2018.csv", "fr_other_years.csv"])
def test_hcat_of_france_is_that_of_eurocrops_or_says_so(reference: Path, name: str) -> None:
    file = reference / "eurocrops" / name
    published = dict(zip(column(file, "original_code"), column(file, "HCAT3_code"), strict=True))
    differing = [row for row in rows_of("fr") if published.get(row["code"], row["hcat"]) not in (row["hcat"], "")]
    assert [row["code"] for row in differing if "EuroCrops has HCAT" not in row["note"]] == []


# --- real extracts -------------------------------------------------------------------------------------

# Country, year, file below lpis/fiboa-cli, declared parcels, and least share of them with a class other than 998.
EXTRACTS = [
    ("at", 2025, "at/inspire_schlaege_2025-1_polygon.gpkg.zip", 100, 1.0),
    ("be_vlg", 2023, "be_vlg/Landbouwgebruikspercelen_2023_-_Definitief_(extractie_28-03-2024)_GPKG.zip", 100, 1.0),
    ("be_wal", 2022, "be_wal/LU_ExistingLandUse_SIGEC2022.gml.zip", 10, 1.0),
    ("de_bb", 2025, "de_bb/antrag.zip", 71, 1.0),  # 29 more get no support and have no code: filtered
    ("dk", 2026, "dk/Marker_2026.zip", 100, 1.0),
    ("es_ct", 2023, "es_cat/Cultius_DUN2023_GPKG.zip", 100, 1.0),
    ("fr", 2022, "fr/RPG_2-0__GPKG_LAMB93_FXX_2022-01-01.7z.001", 100, 1.0),
    ("hr", 2024, "hr/land_parcels.gpkg", 100, 1.0),
    ("ie", 2024, "ie/GSAA_2024.zip", 100, 1.0),
    ("lv", 2024, "lv/1_100.xml", 100, 1.0),
    ("nl", 2023, "nl/brpgewaspercelen_definitief_2023.gpkg", 100, 1.0),
    ("pt", 2023, "pt/Continente.gpkg", 81, 1.0),  # 19 more declare no crop at all: excluded
    ("si", 2023, "si/KMRS_2023.rar", 100, 1.0),
]


@pytest.mark.parametrize(("cc", "year", "file", "declared", "least"), EXTRACTS, ids=[row[0] for row in EXTRACTS])
def test_a_real_extract_harmonises_and_every_declared_code_is_mapped(
    realdata: Path, tmp_path: Path, cc: str, year: int, file: str, declared: int, least: float
) -> None:
    parcels = harmonise(cc, [realdata / "lpis/fiboa-cli" / file], tmp_path, year=year)
    ledger = read_ledger(tmp_path / "ledger.csv")
    rejected = {row.unit for row in ledger if row.action == "rejected"}
    assert len(parcels) >= declared - len(rejected)
    assert sum(row.reason == "excluded" for row in ledger) == (19 if cc == "pt" else 0)
    known = parcels["class_code"] != UNKNOWN
    assert known.mean() >= least
    assert known[parcels["crop:code"].fillna("") != ""].all()


def test_every_real_extract_has_its_country(realdata: Path) -> None:
    folders = {path.name for path in (realdata / "lpis/fiboa-cli").iterdir() if path.is_dir()}
    assert folders - {"it_1"} == {file.split("/")[0] for _, _, file, _, _ in EXTRACTS}  # Tuscany: no folder
