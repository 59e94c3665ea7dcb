"""Simulated declarations: every fault seen by another tool, encodings, layers, equal bytes."""

import csv
import struct
import time
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import py7zr
import pyogrio
import pytest
import shapely
import yaml

from cropstack.errors import ConfigError
from cropstack.files import read_ledger
from cropstack.labels.harmonise_parcels import harmonise_parcels
from cropstack.legend import read_table
from cropstack.simulate.declaration_faults import RATES
from cropstack.simulate.native_crops import ES_CT_2019, ES_CT_2020, FR, UNKNOWN
from cropstack.simulate.simulate_declarations import simulate_declarations, true_fields
from cropstack.simulate.world import SHARES

SHP, GPKG = "Cultius_DUN2019_SHP.zip", "Cultius_DUN2020_GPKG.zip"
RPG = "RPG_2-0__GPKG_LAMB93_FXX_2019-01-01.7z.001"
COLUMNS_OF_2023 = ["campanya", "provincia", "comarca", "municipi", "idmun", "grup", "cultiu", "seca_regad"]
COLUMNS_OF_2023 += ["sist_regad", "varietat", "producte2n", "ha"]


@dataclass(frozen=True)
class Edition:
    """A simulated declaration: the archive, its unpacked parcels and its truth table."""

    path: Path
    file: Path
    parcels: gpd.GeoDataFrame
    truth: list[dict[str, str]]

    def units(self, fault: str) -> list[str]:
        return [row["unit"] for row in self.truth if row["fault"] == fault]

    @property
    def drawn(self) -> gpd.GeoSeries:
        """Geometries with points."""
        present = np.array([geometry is not None and not geometry.is_empty for geometry in self.parcels.geometry])
        return self.parcels.geometry[present]

    def rows(self, fault: str) -> gpd.GeoDataFrame:
        """Parcels that the truth table names, where its unit is a row."""
        return self.parcels.iloc[[int(unit.removeprefix("row ")) - 1 for unit in self.units(fault)]]


def simulate(root: Path, path: Path, *, country: str, year: int, size_px: int = 1098, seed: int = 11) -> None:
    tile = {"es_ct": "31TCG", "fr": "31TCJ"}[country]
    source = root / f"taxonomy/countries/{country}/source.yaml"
    simulate_declarations(source, path, country=country, year=year, tiles=[tile], size_px=size_px, seed=seed)


def unpack(path: Path, folder: Path) -> Path:
    """Folder or GeoPackage inside; ends in .shp or .gpkg."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            archive.extractall(folder)
    else:
        with py7zr.SevenZipFile(path) as archive:
            archive.extractall(folder)
    return next(file for file in sorted(folder.rglob("*")) if file.suffix in (".shp", ".gpkg"))


def read_truth(path: Path) -> list[dict[str, str]]:
    with open(f"{path}.truth.csv", encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def edition(root: Path, folder: Path, name: str, country: str, year: int, encoding: str | None = None) -> Edition:
    simulate(root, folder / name, country=country, year=year)
    file = unpack(folder / name, folder / "unpacked")
    layer = pyogrio.list_layers(file)[0][0]
    parcels = pyogrio.read_dataframe(file, layer=layer, encoding=encoding, on_invalid="ignore")
    return Edition(folder / name, file, parcels, read_truth(folder / name))


@pytest.fixture(scope="module")
def dun_2019(root, tmp_path_factory):
    return edition(root, tmp_path_factory.mktemp("dun2019"), SHP, "es_ct", 2019, "CP1252")


@pytest.fixture(scope="module")
def dun_2020(root, tmp_path_factory):
    return edition(root, tmp_path_factory.mktemp("dun2020"), GPKG, "es_ct", 2020)


@pytest.fixture(scope="module")
def rpg_2019(root, tmp_path_factory):
    return edition(root, tmp_path_factory.mktemp("rpg2019"), RPG, "fr", 2019)


# --- what each office publishes ------------------------------------------------------------------------


def test_the_dun_of_2019_is_a_zipped_shapefile_with_names_in_cp1252_cut_at_30(dun_2019):
    table = dun_2019.file.with_suffix(".dbf").read_bytes()
    names = [table[32 * n : 32 * n + 11].rstrip(b"\0") for n in range(1, struct.unpack_from("<H", table, 8)[0] // 32)]
    assert table[32 * (1 + names.index(b"CULTIU")) + 16] == 30
    assert "SÈGOL".encode("cp1252") in table
    assert "SÈGOL".encode() not in table
    assert "D’ESTIU".encode("cp1252") in table  # 0x92, which Latin-1 lacks
    assert "GUARET NO SIE/ SUP. LLIURE SEM" in set(dun_2019.parcels["CULTIU"])
    assert dun_2019.parcels["CULTIU"].str.len().max() == 30
    assert {"SÈGOL", "PÈSOLS SIE", "RAÏM DE TAULA"} <= set(dun_2019.parcels["CULTIU"])
    assert not dun_2019.file.with_suffix(".cpg").exists()


def test_every_cut_name_is_in_the_truth_table(dun_2019):
    whole = {crop.code for crops in ES_CT_2019.values() for crop in crops}
    cut = set(dun_2019.parcels["CULTIU"].dropna()) - whole - {crop.code for crop in UNKNOWN["es_ct"]}
    assert len(cut) >= 3
    assert sorted(cut) == sorted(dun_2019.units("name_cut"))


def test_the_dun_is_in_its_own_crs_and_has_no_ids_and_no_codes(dun_2019, dun_2020):
    for declared in (dun_2019, dun_2020):
        assert declared.parcels.crs.to_epsg() == 25831
        assert not {"id", "codi"} & {name.lower() for name in declared.parcels.columns}


def test_the_dun_of_2020_has_the_columns_and_layers_of_the_real_one_of_2023(dun_2020, realdata, tmp_path):
    real = unpack(realdata / "lpis/fiboa-cli/es_cat/Cultius_DUN2023_GPKG.zip", tmp_path)
    layers = zip(pyogrio.list_layers(dun_2020.file), pyogrio.list_layers(real), strict=True)
    for (ours, kind), (theirs, real_kind) in layers:
        assert ours == theirs.replace("2023", "2020")
        assert (kind or "none").removesuffix(" Z") == (real_kind or "none")
        info, expected = pyogrio.read_info(dun_2020.file, layer=ours), pyogrio.read_info(real, layer=theirs)
        assert list(info["fields"]) == list(expected["fields"])
        assert list(info["dtypes"]) == list(expected["dtypes"])
        assert info["geometry_name"] == expected["geometry_name"]


def test_the_dun_of_2020_has_one_layer_of_parcels_and_three_of_attributes(dun_2020):
    layers = pyogrio.list_layers(dun_2020.file)
    assert [kind is not None for _, kind in layers] == [True, False, False, False]
    assert [name for name in dun_2020.parcels.columns if name != "geometry"] == COLUMNS_OF_2023
    words = pyogrio.read_dataframe(dun_2020.file, layer="Cultiu_DUN2020_CAT_CAS_ANG")
    assert list(words.columns) == ["CATALÀ", "CASTELLÀ", "ANGLÈS"]


def test_the_rpg_is_a_geopackage_in_7z_with_the_fields_of_the_real_one(rpg_2019, realdata, root, tmp_path):
    real = unpack(realdata / "lpis/fiboa-cli/fr/RPG_2-0__GPKG_LAMB93_FXX_2022-01-01.7z.001", tmp_path / "real")
    expected = pyogrio.read_info(real)
    assert sorted(rpg_2019.parcels.columns) == sorted([*(name.upper() for name in expected["fields"]), "geometry"])
    assert rpg_2019.parcels.crs.to_epsg() == 2154
    simulate(root, tmp_path / "x_2022-01-01.7z.001", country="fr", year=2022)
    ours = pyogrio.read_info(unpack(tmp_path / "x_2022-01-01.7z.001", tmp_path / "ours"))
    assert sorted(ours["fields"]) == sorted(expected["fields"])
    assert (ours["layer_name"], ours["geometry_name"]) == (expected["layer_name"], expected["geometry_name"])
    assert ours["ogr_subtypes"][list(ours["fields"]).index("surf_parc")] == "OFSTFloat32"


def test_names_inside_the_archives_are_those_of_the_real_ones(dun_2020, rpg_2019):
    with zipfile.ZipFile(dun_2020.path) as archive:
        assert archive.namelist() == ["Cultius_DUN2020_GPKG/CULTIUS_DUN2020.gpkg"]
    with py7zr.SevenZipFile(rpg_2019.path) as archive:
        (name,) = archive.getnames()
    assert name.startswith("RPG_2-0__GPKG_LAMB93_FXX_2019-01-01/RPG/1_DONNEES_LIVRAISON_2020-08-01/")


def test_native_codes_mean_their_class_in_the_countries_tables(root):
    for country, table in (("fr", FR), ("es_ct", ES_CT_2019), ("es_ct", ES_CT_2020)):
        path = root / f"taxonomy/countries/{country}/crops.csv"
        columns = ["code", "name", "name_en", "class_code", "hcat", "valid_from", "valid_to", "review", "note"]
        meaning = {row["code"]: row["class_code"] for row in read_table(path, columns)}
        for class_code, crops in table.items():
            assert {meaning.get(crop.code) for crop in crops} == {str(class_code)}
        assert not {crop.code for crop in UNKNOWN[country]} & set(meaning)
        assert set().union(*SHARES[country].values()) <= set(table)


# --- faults, each confirmed by another tool ------------------------------------------------------------


def test_the_truth_table_counts_every_kind_of_fault(dun_2019, dun_2020, rpg_2019):
    for declared, missing in ((dun_2019, {"z_coordinates"}), (dun_2020, set()), (rpg_2019, set())):
        count = Counter(row["fault"] for row in declared.truth)
        assert set(RATES) - missing <= set(count)
        original = len(declared.parcels) - count["duplicate"] - count["sliver"]
        for kind in set(RATES) - missing:
            assert count[kind] == max(1, round(RATES[kind][0] * original))
        assert {row["expected"] for row in declared.truth if row["fault"] == "hole"} == {"none"}


def test_self_intersections_are_what_geos_calls_invalid_and_nothing_else_is(dun_2019, dun_2020, rpg_2019):
    for declared in (dun_2019, dun_2020, rpg_2019):
        reasons = [text for text in shapely.is_valid_reason(declared.drawn.to_numpy()) if text != "Valid Geometry"]
        assert len(reasons) == len(declared.units("self_intersection"))
        assert all(text.startswith("Self-intersection") for text in reasons)


def test_a_loop_costs_less_than_a_pixel_of_area(dun_2020):
    looped = dun_2020.rows("self_intersection").geometry.to_numpy()
    repaired = shapely.make_valid(looped, method="structure", keep_collapsed=False)
    assert (shapely.get_num_geometries(repaired) == 1).all()
    assert (abs(shapely.area(repaired) - dun_2020.rows("self_intersection")["ha"] * 1e4) < 100).all()


def test_duplicates_are_equal_in_geometry_and_crop(dun_2019, dun_2020, rpg_2019):
    for declared, crop in ((dun_2019, "CULTIU"), (dun_2020, "cultiu"), (rpg_2019, "CODE_CULTU")):
        keys = declared.parcels.loc[declared.drawn.index, [crop]].assign(wkb=declared.drawn.to_wkb())
        assert keys.duplicated().sum() == len(declared.units("duplicate"))
    assert rpg_2019.parcels["ID_PARCEL"].duplicated().sum() == len(rpg_2019.units("duplicate"))


def test_slivers_are_the_only_parcels_narrower_than_a_metre(dun_2019, dun_2020, rpg_2019):
    for declared in (dun_2019, dun_2020, rpg_2019):
        width = 2 * declared.drawn.area / declared.drawn.length
        assert (width < 1).sum() == len(declared.units("sliver"))


def test_null_and_empty_geometry_as_gdal_reads_it(dun_2019, dun_2020, rpg_2019):
    for declared in (dun_2020, rpg_2019):
        assert declared.parcels.geometry.isna().sum() == len(declared.units("null_geometry")) > 0
        assert declared.parcels.geometry.is_empty.sum() == len(declared.units("empty_geometry")) > 0
    both = len(dun_2019.units("null_geometry")) + len(dun_2019.units("empty_geometry"))
    assert dun_2019.parcels.geometry.isna().sum() == both  # shapefiles have one kind of nothing


def test_unknown_and_missing_codes(dun_2020, rpg_2019):
    for declared, column, country in ((dun_2020, "cultiu", "es_ct"), (rpg_2019, "CODE_CULTU", "fr")):
        unknown = {crop.code for crop in UNKNOWN[country]}
        assert declared.parcels[column].isin(unknown).sum() == len(declared.units("unknown_code"))
        assert declared.parcels[column].isna().sum() == len(declared.units("missing_code"))


def test_multipart_parcels_have_two_parts_and_z_is_on_few(dun_2019, dun_2020, rpg_2019):
    for declared in (dun_2019, dun_2020, rpg_2019):
        geometry = declared.parcels.geometry.to_numpy()
        assert (shapely.get_num_geometries(geometry) == 2).sum() == len(declared.units("multipart")) > 0
        assert shapely.has_z(geometry).sum() == len(declared.units("z_coordinates"))


def test_overlaps_are_pairs_of_more_than_100_m2(dun_2019, dun_2020, rpg_2019):
    for declared in (dun_2019, dun_2020, rpg_2019):
        copies = declared.parcels.geometry.to_wkb().duplicated()
        geometry = shapely.make_valid(shapely.force_2d(declared.parcels.geometry[~copies].to_numpy()))
        first, second = shapely.STRtree(geometry).query(geometry, predicate="intersects")
        pairs = first < second
        shared = shapely.area(shapely.intersection(geometry[first[pairs]], geometry[second[pairs]]))
        assert (shared > 10).sum() == (shared > 100).sum() == len(declared.units("overlap"))


def test_holes_and_wrong_areas(dun_2020):
    parts = shapely.get_parts(dun_2020.parcels.geometry.to_numpy())
    assert (shapely.get_num_interior_rings(parts) > 0).sum() == len(dun_2020.units("hole")) > 10
    geometry = dun_2020.parcels[dun_2020.parcels.is_valid & ~dun_2020.parcels.geometry.is_empty]
    off = abs(geometry["ha"] * 1e4 - geometry.area) > 0.05 * geometry.area + 100
    assert off.sum() == len(dun_2020.units("wrong_area")) > 0


def test_french_ids_are_text_beyond_32_bits_with_letters_and_leading_zeros(rpg_2019):
    ids = rpg_2019.parcels["ID_PARCEL"]
    assert sorted(ids[~ids.str.isdigit()]) == sorted(rpg_2019.units("id_with_letters"))
    digits = ids[ids.str.isdigit()]
    assert sorted(digits[digits.str.startswith("0")]) == sorted(rpg_2019.units("id_with_leading_zeros"))
    assert sorted(digits[digits.astype("int64") >= 2**31]) == sorted(rpg_2019.units("id_beyond_int32"))
    odd = ("id_with_letters", "id_with_leading_zeros", "id_beyond_int32")
    assert min(len(rpg_2019.units(kind)) for kind in odd) >= 3
    assert digits.astype("int64").nunique() == digits.nunique()
    assert ids.str.len().max() <= 10


def test_what_is_no_fault_is_the_true_field(root, dun_2020):
    meaning = yaml.safe_load((root / "taxonomy/countries/es_ct/source.yaml").read_text(encoding="utf-8"))
    crs = meaning["editions"][0]["crs"]
    fields = true_fields(["31TCG"], 2020, country="es_ct", size_px=1098, seed=11, crs=crs)
    faulty = {row["unit"] for row in dun_2020.truth} | {row["detail"] for row in dun_2020.truth}
    faulty |= {row["detail"].rpartition("with ")[2] for row in dun_2020.truth}  # the other side of an overlap
    sound = [row for row in range(len(fields)) if f"row {row + 1}" not in faulty]
    assert len(sound) > 0.85 * len(fields)
    assert dun_2020.parcels.geometry.iloc[sound].geom_equals(fields.geometry.iloc[sound]).all()


def by_reason(rows: Counter[tuple[str, str]]) -> Counter[str]:
    return Counter(reason for reason, _ in rows.elements())


def test_the_ledger_of_labels_shows_every_fault_count_by_count(root, tmp_path, dun_2019, dun_2020, rpg_2019):
    for country, year, declared in (("es_ct", 2019, dun_2019), ("es_ct", 2020, dun_2020), ("fr", 2019, rpg_2019)):
        folder, ledger = root / f"taxonomy/countries/{country}", tmp_path / f"{country}_{year}.csv"
        harmonise_parcels(
            [declared.path],
            folder / "source.yaml",
            root / "workflow/schemas/source.schema.yaml",
            folder / "crops.csv",
            root / "taxonomy/classes.csv",
            tmp_path / "parcels.parquet",
            ledger,
            country=country,
            year=year,
            max_unknown_share=0.05,
            allow_unreviewed=False,
            simulated=False,
            threads=2,
        )
        found = Counter((row.reason, row.unit) for row in read_ledger(ledger))
        expected = Counter((row["expected"], row["unit"]) for row in declared.truth if row["expected"] != "none")
        expected.update({key: 1 - expected[key] for key in expected if key[0] == "unknown_code"})  # one row a code
        assert by_reason(found) == by_reason(expected)
        if country == "fr":  # the office that publishes ids
            assert found == expected


# --- equal bytes, and errors ---------------------------------------------------------------------------


@pytest.mark.parametrize(("country", "year", "name"), [("es_ct", 2019, SHP), ("es_ct", 2020, GPKG), ("fr", 2019, RPG)])
def test_two_writes_in_different_seconds_are_equal(root, tmp_path, country, year, name):
    simulate(root, tmp_path / "a" / name, country=country, year=year, size_px=732)
    time.sleep(2.1)  # zip and DOS times count in steps of two seconds
    simulate(root, tmp_path / "b" / name, country=country, year=year, size_px=732)
    for file in (name, f"{name}.truth.csv"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    simulate(root, tmp_path / "c" / name, country=country, year=year, size_px=732, seed=12)
    assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "c" / name).read_bytes()


def test_the_clock_of_gdal_is_given_back(root, tmp_path):
    simulate(root, tmp_path / GPKG, country="es_ct", year=2020, size_px=732)
    assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") is None


def test_a_year_without_edition_and_a_country_without_office_are_refused(root, tmp_path):
    with pytest.raises(ConfigError, match="no edition for 1999"):
        simulate(root, tmp_path / SHP, country="es_ct", year=1999)
    source = root / "taxonomy/countries/fr/source.yaml"
    with pytest.raises(ConfigError, match="no office is simulated"):
        simulate_declarations(source, tmp_path / RPG, country="xx", year=2019, tiles=["31TCJ"], size_px=366, seed=1)
    assert not list(tmp_path.iterdir())
