"""A country that the repository has never seen: from its file to parcels, with a table to review in between."""

import csv
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
import yaml

from cropstack.errors import ConfigError, DeclarationError
from cropstack.labels.country_check import check_country
from cropstack.labels.country_new import Made, new_country
from cropstack.labels.harmonise_parcels import harmonise_parcels
from cropstack.labels.lint_crops import Row, read_rows
from cropstack.legend import read_classes
from cropstack.schema import read_yaml

# What ARTEA's codes of 2023 mean, and the class that a reviewer gives them
TUSCANY = """code,name,name_en,class_code,note
1001,Avena,Oats,170,
1002,Frumento duro,Durum wheat,110,
1003,Frumento tenero,Soft wheat,110,
1005,Mais,Maize,120,
1007,Orzo,Barley,150,
1095,Bosco,Forest,972,
1464,Erbaio,Forage crops,911,
1482,Fava,Broad beans,720,
1700,Terreni ritirati dalla produzione,Fallow land,975,
2302,Vite,Grapes,330,
2402,Oliva da trasformazione,Olives,442,
3080,Noce,Walnuts,366,
336,Prato polifita,Mixed meadow,911,
338,Giaggiolo (iris) pallida,Iris,932,orris: its roots are grown for perfume
562,Erba medica,Alfalfa,911,
666,Seminativi,Arable land,981,
679,Frutteti familiari,Family orchards,300,
"""
REVIEW = {row["code"]: row for row in csv.DictReader(TUSCANY.splitlines())}


@pytest.fixture
def repository(root: Path, tmp_path: Path) -> Path:
    """A repository with the taxonomy, France and Catalonia; made-up countries are written here."""
    folder = tmp_path / "repository"
    (folder / "taxonomy/countries").mkdir(parents=True)
    for name in ("taxonomy/classes.csv", "taxonomy/hcat3.csv", "taxonomy/countries/fr", "taxonomy/countries/es_ct"):
        (folder / name).symlink_to(root / name)
    (folder / "workflow").symlink_to(root / "workflow")
    return folder


def make(repository: Path, *files: Path, cc: str = "xx", names: Path | None = None, **given: str | int | None) -> Made:
    texts = {key: given.get(key) for key in ("name", "licence", "attribution")}
    return new_country(
        *(repository, cc, files),
        year=given.get("year"),  # type: ignore[arg-type]
        layer=given.get("layer"),  # type: ignore[arg-type]
        code=given.get("code"),  # type: ignore[arg-type]
        names=names,
        texts=texts,  # type: ignore[arg-type]
    )


def rows_of(repository: Path, cc: str = "xx") -> dict[str, Row]:
    classes = read_classes(repository / "taxonomy/classes.csv")
    return {row.code: row for row in read_rows(repository / f"taxonomy/countries/{cc}/crops.csv", classes)}


def source_of(repository: Path, cc: str = "xx") -> dict:
    return yaml.safe_load((repository / f"taxonomy/countries/{cc}/source.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def declaration(tmp_path: Path, square: Callable[..., shapely.Polygon]) -> Path:
    """An office that publishes everything that EuroCrops adds: English names and HCAT codes."""
    rows = [
        (1, "w1 ", "Weichweizen", "Soft wheat", "3301010100", 1.0),
        (2, "W1", "Weichweizen", "Soft wheat", "3301010100", 1.0),
        (3, "w2", "Sonnenblume", "Sunflowers", "", 1.0),
        (4, "w3", "Qqq", "Wwwwwww", "", 1.0),
        (5, "w3", "Qqq", "Wwwwwww", "", 1.0),
        *((6 + i, "W1", "Weichweizen", "Soft wheat", "3301010100", 1.0) for i in range(5)),
    ]
    columns = ["parcel_id", "crop_code", "crop_name", "EC_trans_n", "EC_hcat_c", "area_ha"]
    frame = gpd.GeoDataFrame(rows, columns=columns, geometry=[square(i, 0) for i in range(10)], crs="EPSG:32631")
    path = tmp_path / "parcels_2021.gpkg"
    frame.to_file(path, engine="pyogrio", driver="GPKG", layer="parcels_2021")
    return path


# --- what is written ----------------------------------------------------------------------------------


def test_suggestions_come_from_hcat_codes_then_from_names(repository: Path, declaration: Path) -> None:
    made = make(repository, declaration, licence="CC0", attribution="Office {year}")
    rows = rows_of(repository)
    assert {code: row.class_code for code, row in rows.items()} == {"W1": "110", "W2": "438", "W3": "998"}
    assert (rows["W1"].name, rows["W1"].name_en, rows["W1"].hcat) == ("Weichweizen", "Soft wheat", "3301010100")
    assert rows["W1"].note == "suggested: hcat common soft wheat"
    assert rows["W2"].note.startswith("suggested: ")
    assert all(row.unreviewed for row in rows.values())
    assert "suggestions: 1 by HCAT code, 1 by name, 1 none" in made.lines


def test_source_yaml_says_what_the_file_tells(repository: Path, declaration: Path) -> None:
    make(repository, declaration, licence="CC0", attribution="Office {year}")
    source = read_yaml(
        repository / "taxonomy/countries/xx/source.yaml", repository / "workflow/schemas/source.schema.yaml"
    )
    edition = source["editions"][0]
    assert (source["name"], source["country_code"], source["licence"]) == ("parcels", "XX", "CC0")
    assert (edition["years"], edition["files"], edition["layer"]) == ([2021], ["parcels_{year}.gpkg"], "parcels_{year}")
    assert (edition["crs"], edition["area_unit"]) == ("EPSG:32631", "ha")
    assert edition["columns"] == {"id": "parcel_id", "code": "crop_code", "name": "crop_name", "area": "area_ha"}
    west, south, east, north = source["bounds"]
    assert (west, south, east, north) == (3.7, 44.5, 4.8, 45.6)  # squares at 4.27 E, 45.05 N


@pytest.mark.parametrize(("licence", "expected"), [("CC BY-SA 4.0", True), ("ODbL 1.0", True), ("CC BY 4.0", False)])
def test_share_alike_follows_the_licence(repository: Path, declaration: Path, licence: str, expected: bool) -> None:
    make(repository, declaration, licence=licence, attribution="Office {year}")
    path = repository / "taxonomy/countries/xx/source.yaml"
    assert yaml.safe_load(path.read_text())["share_alike"] is expected
    path.write_text(path.read_text().replace("share_alike: true", "share_alike: false"))
    rules = {one.rule for one in check_country(repository, "xx", [], years=(), min_mapped=0.95).findings}
    assert ("share_alike" in rules) == expected


def test_a_licence_that_is_not_given_is_asked_for(repository: Path, declaration: Path) -> None:
    made = make(repository, declaration)
    assert any("fill in licence and attribution" in line for line in made.lines)
    with pytest.raises(ConfigError, match=r"'TODO: .*' does not match.*is still to be given"):
        check_country(repository, "xx", [], years=(), min_mapped=0.95)


def test_a_stray_brace_in_the_attribution_is_refused(repository: Path, declaration: Path) -> None:
    with pytest.raises(ConfigError, match=r'attribution: .*"\{year\}" is replaced, any other brace is written twice'):
        make(repository, declaration, licence="CC0", attribution="Office {x}")


def test_files_in_degrees_get_a_crs_in_metres(repository: Path, declaration: Path) -> None:
    path = declaration.with_name("degrees_2021.geojson")
    gpd.read_file(declaration).to_crs("EPSG:4326").to_file(path, engine="pyogrio", driver="GeoJSON")
    make(repository, path, licence="CC0", attribution="Office")
    edition = source_of(repository)["editions"][0]
    assert (edition["crs"], edition["metric_crs"]) == ("EPSG:4326", "EPSG:32631")
    assert (edition["columns"]["area"], edition["area_unit"]) == ("area_ha", "ha")
    report = check_country(repository, "xx", [path], years=(), min_mapped=0.5)
    assert {one.rule for one in report.findings if one.level == "problem"} == {"unreviewed", "unknown_class"}


def test_a_shapefile_without_its_encoding_is_read_as_it_was_meant(
    repository: Path, tmp_path: Path, square: Callable[..., shapely.Polygon]
) -> None:
    rows = {"KULTUR": ["RÜBE", "RÜBE", "MÄHWIESE", "MÄHWIESE"], "geometry": [square(i, 0) for i in range(4)]}
    path = tmp_path / "felder_2021.shp"
    gpd.GeoDataFrame(rows, geometry="geometry", crs="EPSG:32631").to_file(path, engine="pyogrio", encoding="UTF-8")
    path.with_suffix(".cpg").unlink()
    make(repository, path, licence="CC0", attribution="Office")
    assert set(rows_of(repository)) == {"RÜBE", "MÄHWIESE"}


def test_names_cut_at_the_width_of_their_column_are_noticed(
    repository: Path, tmp_path: Path, square: Callable[..., shapely.Polygon]
) -> None:
    names = ["CULTIU DE LA PRIMERA VARIETAT ", "CULTIU DE LA SEGONA VARIETAT I", "CULTIU DE LA TERCERA VARIETAT X"]
    cut = [name[:28] for name in names]
    rows = {"CULTIU": cut * 2, "geometry": [square(i, 0) for i in range(6)]}
    path = tmp_path / "dun_2021.gpkg"
    gpd.GeoDataFrame(rows, geometry="geometry", crs="EPSG:32631").to_file(path, engine="pyogrio")
    make(repository, path, licence="CC0", attribution="Office")
    assert source_of(repository)["editions"][0]["name_width"] == 28


def test_a_wrong_guess_is_corrected_by_naming_the_column(repository: Path, declaration: Path) -> None:
    make(repository, declaration, code="crop_name")
    assert set(rows_of(repository)) == {"WEICHWEIZEN", "SONNENBLUME", "QQQ"}
    assert source_of(repository)["editions"][0]["columns"]["code"] == "crop_name"


def test_texts_that_mean_something_to_yaml_or_csv_survive(
    repository: Path, tmp_path: Path, square: Callable[..., shapely.Polygon]
) -> None:
    codes = ["=CMD()", 'A, "B"', "A\nB", "#: {YEAR}", "- X"] * 2
    rows = {'crop: "#x': codes, "geometry": [square(i, 0) for i in range(10)]}
    path = tmp_path / "a{b}_2021.gpkg"
    gpd.GeoDataFrame(rows, geometry="geometry", crs="EPSG:32631").to_file(path, engine="pyogrio")
    make(repository, path, licence="a: #b", attribution="{year}: 'x'", code='crop: "#x')
    assert set(rows_of(repository)) == {"=CMD()", 'A, "B"', "A B", "#: {YEAR}", "- X"}
    source = source_of(repository)
    assert (source["licence"], source["attribution"]) == ("a: #b", "{year}: 'x'")
    assert source["editions"][0]["files"] == ["a{{b}}_{year}.gpkg"]
    assert source["editions"][0]["columns"]["code"] == 'crop: "#x'
    report = check_country(repository, "xx", [path], years=(), min_mapped=0.0)
    assert report.lines[2:4] != []


# --- what is refused ----------------------------------------------------------------------------------


def test_a_folder_that_exists_is_never_touched(repository: Path, declaration: Path) -> None:
    folder = repository / "taxonomy/countries/xx"
    folder.mkdir()
    (folder / "crops.csv").write_text("mine")
    with pytest.raises(ConfigError, match=r"exists and is left as it is. Check it: cropstack country check xx"):
        make(repository, declaration, licence="CC0", attribution="Office")
    assert [path.name for path in folder.iterdir()] == ["crops.csv"]
    assert (folder / "crops.csv").read_text() == "mine"


def test_nothing_is_left_where_it_fails(repository: Path, declaration: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full when the second file is written."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cropstack.labels.country_new.write_csv", full)
    with pytest.raises(OSError, match="No space left"):
        make(repository, declaration, licence="CC0", attribution="Office")
    assert sorted(path.name for path in (repository / "taxonomy").iterdir()) == [
        "classes.csv",
        "countries",
        "hcat3.csv",
    ]
    assert sorted(path.name for path in (repository / "taxonomy/countries").iterdir()) == ["es_ct", "fr"]


@pytest.mark.parametrize("cc", ["XX", "italy", "../xx", "x", "it-52", ""])
def test_a_country_is_named_as_in_iso_3166(repository: Path, declaration: Path, cc: str) -> None:
    with pytest.raises(ConfigError, match="is no name of a country"):
        make(repository, declaration, cc=cc)


def test_a_file_whose_name_tells_no_year(repository: Path, declaration: Path) -> None:
    path = declaration.rename(declaration.with_name("parcels.gpkg"))
    with pytest.raises(ConfigError, match=r"parcels.gpkg: the name tells no year. Give .*: --year"):
        make(repository, path)
    make(repository, path, year=2021)
    assert source_of(repository)["editions"][0]["files"] == ["parcels.gpkg"]


def test_of_several_layers_one_is_to_be_named(repository: Path, declaration: Path) -> None:
    frame = gpd.read_file(declaration)
    frame.to_file(declaration, engine="pyogrio", driver="GPKG", layer="blocks_2021")
    with pytest.raises(DeclarationError, match=r"blocks_2021, parcels_2021.*Name it: --layer"):
        make(repository, declaration)
    make(repository, declaration, layer="parcels_2021")
    assert source_of(repository)["editions"][0]["layer"] == "parcels_{year}"


def test_a_file_without_crops(repository: Path, tmp_path: Path, square: Callable[..., shapely.Polygon]) -> None:
    path = tmp_path / "roads_2021.gpkg"
    frame = gpd.GeoDataFrame({"length": [1.5], "geometry": [square(0, 0)]}, geometry="geometry", crs="EPSG:32631")
    frame.to_file(path, engine="pyogrio")
    with pytest.raises(DeclarationError, match=r"no column looks like a crop; there are length. Name it: --code"):
        make(repository, path)
    with pytest.raises(DeclarationError, match=r'no column lenght with values.*did you mean "length"'):
        make(repository, path, code="lenght")


def test_a_file_without_a_crs(repository: Path, tmp_path: Path, square: Callable[..., shapely.Polygon]) -> None:
    path = tmp_path / "parcels_2021.shp"
    frame = gpd.GeoDataFrame({"crop": ["a", "a"], "geometry": [square(0, 0), square(1, 0)]}, geometry="geometry")
    with pytest.warns(UserWarning, match="crs"):
        frame.to_file(path, engine="pyogrio")
    with pytest.raises(DeclarationError, match=r"has no CRS\. Ask the office which it is"):
        make(repository, path)


# --- the office's list of crops -----------------------------------------------------------------------


def test_a_list_of_crops_gives_codes_their_names(repository: Path, declaration: Path, tmp_path: Path) -> None:
    names = tmp_path / "list.csv"
    names.write_text("\ufefforiginal_code;original_name;translated_name\nW3;Gerste;Barley\nW9;x;y\n", encoding="utf-8")
    make(repository, declaration, names=names)
    row = rows_of(repository)["W3"]
    assert (row.name, row.name_en, row.class_code) == ("Gerste", "Barley", "150")
    assert "W9" not in rows_of(repository)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"number,name\n1,x\n", "no column of codes; columns are number, name"),
        (b"code,name\nZ1,x\n", r"has none of the declared codes \(W1, W2, W3 ...\)"),
        ("code,name\nW1,é\n".encode("cp1252"), "not readable as CSV in UTF-8"),
        pytest.param(b"code,name\nW1," + b"x" * 140_000 + b"\n", "field larger than field limit", id="one long field"),
    ],
)
def test_lists_that_help_nothing(
    repository: Path, declaration: Path, tmp_path: Path, data: bytes, message: str
) -> None:
    names = tmp_path / "list.csv"
    names.write_bytes(data)
    with pytest.raises(ConfigError, match=message):
        make(repository, declaration, names=names)
    assert not (repository / "taxonomy/countries/xx").exists()


# --- the whole way ------------------------------------------------------------------------------------


def review(path: Path) -> None:
    """What a person does: names where the file has none, a class for every code, and no row left unreviewed."""
    with open(path, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        row |= REVIEW[row["code"]] | {"review": ""}
    with open(path, "w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def test_tuscany_from_its_file_to_parcels(repository: Path, realdata: Path, tmp_path: Path) -> None:
    """docs/new_country.md: the declaration of 2023 as EuroCrops publishes it has codes, but no names."""
    declared = realdata / "lpis/fiboa-cli/it_1/iti1_2023.parquet"
    made = make(repository, declared, cc="it_52", licence="CC BY 4.0", attribution="ARTEA, EuroCrops {year}")
    assert "suggestions: 0 by HCAT code, 0 by name, 17 none" in made.lines
    assert check_country(repository, "it_52", [declared], years=(), min_mapped=0.95).has_problems

    folder = repository / "taxonomy/countries/it_52"
    review(folder / "crops.csv")
    report = check_country(repository, "it_52", [declared], years=(), min_mapped=0.95)
    assert [one.text for one in report.findings if one.level == "problem"] == []

    harmonise_parcels(
        [declared],
        folder / "source.yaml",
        repository / "workflow/schemas/source.schema.yaml",
        folder / "crops.csv",
        repository / "taxonomy/classes.csv",
        tmp_path / "parcels.parquet",
        tmp_path / "ledger.csv",
        country="it_52",
        year=2023,
        max_unknown_share=0.0,
        allow_unreviewed=False,
        simulated=False,
        threads=2,
    )
    parcels = gpd.read_parquet(tmp_path / "parcels.parquet")
    assert len(parcels) == 100
    assert parcels["id"].is_unique
    assert parcels["class_code"].value_counts()[[442, 330, 972]].tolist() == [19, 14, 12]  # olives, grapes, forest
    assert parcels["metrics:area"].sum() == pytest.approx(157.94e4, rel=1e-3)


def test_the_list_of_crops_makes_the_review_short(root: Path, repository: Path, realdata: Path) -> None:
    """With the office's list 14 of the 17 codes find a class by name, 11 of them the one that a person gives."""
    names = root / "docs/artea.csv"
    make(repository, realdata / "lpis/fiboa-cli/it_1/iti1_2023.parquet", cc="it_52", names=names)
    rows = rows_of(repository, "it_52")
    right = [code for code, row in rows.items() if row.class_code == REVIEW[code]["class_code"]]
    assert len([row for row in rows.values() if row.class_code != "998"]) >= 14
    assert len(right) >= 11
