"""Declarations with faults, through the whole step: repaired by name or refused by name, never taken as they are."""

import json
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import py7zr
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from pyproj import CRS

from cropstack.errors import ConfigError, CropstackError, DeclarationError, UnknownCropCode
from cropstack.labels.containers import find_layers, open_declarations
from cropstack.labels.unknown_file import look_at

Square = Callable[..., shapely.Polygon]


def test_unknown_codes_above_the_tolerance_stop_the_build(country: Any, square: Square) -> None:
    rows = [{"ID": str(n), "CULTIU": "ORDI", "geometry": square(n, 0)} for n in range(8)]
    rows += [{"ID": f"x{n}", "CULTIU": "ORDY", "geometry": square(n, 1)} for n in range(2)]
    declared = country.declare(rows)
    with pytest.raises(UnknownCropCode) as error:
        country.harmonise(declared, max_unknown_share=0.19)
    message = (
        "crops.csv has no code 'ORDY' (2 parcels, the first is x0; did you mean \"ORDI\"?): 20.0% of the declared area"
    )
    assert message in str(error.value)
    assert "Add a row for each with its class and HCAT code, or 'exclude'." in str(error.value)
    assert not (country.folder / "parcels.parquet").exists()
    _, ledger = country.harmonise(declared, max_unknown_share=0.2)
    assert [(row.unit, row.reason, row.evidence) for row in ledger] == [
        ("ORDY", "unknown_code", "2 parcels, 2.00 ha; class 998")
    ]


def test_a_row_that_says_998_is_counted_but_not_unknown(country: Any, square: Square) -> None:
    country.crops += "ZZZ,Culture inconnue,Unknown,998,,,,,\n"
    rows = [{"ID": "1", "CULTIU": "ZZZ", "geometry": square(0, 0)}]
    parcels, ledger = country.harmonise(country.declare(rows), max_unknown_share=0.0)
    assert parcels["class_code"].tolist() == [998]
    assert [row.reason for row in ledger] == ["unmapped_code"]


def test_empty_declaration(country: Any, tmp_path: Path) -> None:
    path = tmp_path / "dun2020.gpkg"
    frame = gpd.GeoDataFrame({"ID": [], "CULTIU": [], "HA": []}, geometry=[], crs="EPSG:32631")
    pyogrio.write_dataframe(frame, path, layer="dun", geometry_type="Polygon")
    with pytest.raises(DeclarationError, match=r"dun2020\.gpkg: layer dun has no parcels"):
        country.harmonise(path)


def test_declaration_without_any_usable_parcel(country: Any, square: Square) -> None:
    rows = [{"ID": "1", "CULTIU": "CARRETERA", "geometry": square(0, 0)}]
    with pytest.raises(DeclarationError, match="none of 1 parcels is usable: 1 excluded"):
        country.harmonise(country.declare(rows))


def test_missing_column_names_the_nearest(country: Any, square: Square) -> None:
    country.edition["columns"]["code"] = "CULTIVO"
    with pytest.raises(DeclarationError, match=r'has no column CULTIVO \(code\), but .*did you mean "cultiu"'):
        country.harmonise(country.declare([{"CULTIU": "ORDI", "geometry": square(0, 0)}]))


def test_columns_and_layers_are_found_in_any_case(country: Any, square: Square) -> None:
    country.edition |= {"layer": "DUN", "columns": {"id": "id", "code": "cultiu", "area": "ha"}}
    parcels, _ = country.harmonise(country.declare([{"ID": "1", "CULTIU": "ORDI", "geometry": square(0, 0)}]))
    assert parcels["id"].tolist() == ["1"]


def test_missing_layer(country: Any, square: Square) -> None:
    country.edition["layer"] = "CULTIUS_DUN{year}"
    with pytest.raises(DeclarationError, match='expected layer "CULTIUS_DUN2020", found 0; layers with geometry: dun'):
        country.harmonise(country.declare([{"CULTIU": "ORDI", "geometry": square(0, 0)}]))


def test_wrong_crs_is_refused(country: Any, square: Square) -> None:
    declared = country.declare([{"CULTIU": "ORDI", "geometry": square(0, 0)}], crs="EPSG:32630")
    with pytest.raises(DeclarationError, match=r"has the CRS EPSG:32630 .* expected EPSG:32631"):
        country.harmonise(declared)


def test_missing_crs_is_refused(country: Any, square: Square, tmp_path: Path) -> None:
    path = tmp_path / "dun2020.shp"
    frame = gpd.GeoDataFrame({"ID": ["1"], "CULTIU": ["ORDI"], "HA": [1.0]}, geometry=[square(0, 0)], crs="EPSG:32631")
    pyogrio.write_dataframe(frame, path)
    path.with_suffix(".prj").unlink()
    with pytest.raises(DeclarationError, match=r"has no CRS; expected EPSG:32631\. Is its \.prj file missing"):
        country.harmonise(path)


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        (".shx", r"/dun2020\.zip: GDAL cannot open p\.shp \(Unable to open p\.shx"),
        (".dbf", r"/dun2020\.zip: layer p has no column HA \(area\), but none \(is its \.dbf file missing\?\)\. Set"),
    ],
)
def test_archive_with_half_a_shapefile_is_named(
    country: Any, square: Square, zipped: Any, tmp_path: Path, lost: str, message: str
) -> None:
    frame = gpd.GeoDataFrame({"ID": ["1"], "CULTIU": ["ORDI"], "HA": [1.0]}, geometry=[square(0, 0)], crs="EPSG:32631")
    pyogrio.write_dataframe(frame, tmp_path / "p.shp")
    members = {f"shapes/{path.name}": path.read_bytes() for path in tmp_path.glob("p.*") if path.suffix != lost}
    with pytest.raises(DeclarationError, match=message) as error:
        country.harmonise(zipped(tmp_path / "dun2020.zip", members))
    assert "cropstack-" not in str(error.value)  # the folder where archives are unpacked


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda xy: xy[:, ::-1], "Its axes are swapped"),
        (lambda xy: xy * 0 + [[4.0, 45.0]] + (xy - [[600_000, 4_990_000]]) * 1e-5, "degrees under a metric CRS"),
        (lambda xy: xy - [[0, 3_000_000]], "The CRS that the file names is not the one"),
    ],
)
def test_coordinates_that_are_not_in_the_crs(country: Any, square: Square, change: Any, cause: str) -> None:
    shape = shapely.transform(square(0, 0), change)
    with pytest.raises(DeclarationError, match=f"100% of the parcels lie outside .*{cause}"):
        country.harmonise(country.declare([{"CULTIU": "ORDI", "geometry": shape}]))


def test_year_without_edition_and_crs_in_degrees(country: Any, square: Square) -> None:
    declared = country.declare([{"CULTIU": "ORDI", "geometry": square(0, 0)}])
    with pytest.raises(ConfigError, match=r"no edition for 2031; there are \[2020\]"):
        country.harmonise(declared, year=2031)
    country.edition["crs"] = "EPSG:4326"
    with pytest.raises(ConfigError, match=r"2020: crs EPSG:4326 is in degrees; expected metric_crs, one in m"):
        country.harmonise(declared)
    country.edition |= {"crs": "EPSG:32631", "metric_crs": "EPSG:2154"}
    with pytest.raises(ConfigError, match=r"metric_crs EPSG:2154 beside crs EPSG:32631, which is in m"):
        country.harmonise(declared)


def test_metres_under_a_crs_in_degrees(country: Any, square: Square) -> None:
    declared = country.declare([{"CULTIU": "ORDI", "geometry": square(0, 0)}], crs="EPSG:4326")
    country.edition |= {"crs": "EPSG:4326", "metric_crs": "EPSG:32631"}
    with pytest.raises(
        DeclarationError, match=r"100% of the parcels lie outside .* These are metres under a CRS in deg"
    ):
        country.harmonise(declared)


def test_axes_swapped_in_degrees(country: Any, square: Square) -> None:
    degrees = gpd.GeoSeries([square(0, 0)], crs="EPSG:32631").to_crs("EPSG:4326")[0]
    swapped = shapely.transform(degrees, lambda xy: xy[:, ::-1])
    declared = country.declare([{"CULTIU": "ORDI", "geometry": swapped}], crs="EPSG:4326")
    country.edition |= {"crs": "EPSG:4326", "metric_crs": "EPSG:32631"}
    country.bounds = [4.0, 44.0, 5.0, 46.0]
    with pytest.raises(DeclarationError, match="Its axes are swapped"):
        country.harmonise(declared)


def test_layer_without_features_beside_one_with(country: Any, square: Square, tmp_path: Path) -> None:
    declared = country.declare([{"ID": "1", "CULTIU": "ORDI", "geometry": square(0, 0)}])
    empty = gpd.GeoDataFrame({"ID": [], "CULTIU": [], "HA": []}, geometry=[], crs="EPSG:32631")
    pyogrio.write_dataframe(empty, tmp_path / "page_2.gpkg", layer="dun", geometry_type="Polygon")
    country.edition["layer"] = "dun"
    parcels, ledger = country.harmonise(declared, tmp_path / "page_2.gpkg")
    assert (parcels["id"].tolist(), ledger) == (["1"], [])


# --- archives -----------------------------------------------------------------------------------------


def test_7z_of_which_a_part_is_missing(country: Any, square: Square, tmp_path: Path) -> None:
    declared = country.declare([{"ID": "1", "CULTIU": "ORDI", "geometry": square(0, 0)}])
    with py7zr.SevenZipFile(tmp_path / "rpg.7z", "w") as archive:
        archive.write(declared, "rpg/PARCELLES.gpkg")
    data = (tmp_path / "rpg.7z").read_bytes()
    thirds = [data[number * len(data) // 3 : (number + 1) * len(data) // 3] for number in range(3)]
    files = [tmp_path / f"rpg.7z.{number:03d}" for number in (1, 2, 3)]
    for file, third in zip(files, thirds, strict=True):
        file.write_bytes(third)
    parcels, _ = country.harmonise(*files)
    assert parcels["id"].tolist() == ["1"]
    with pytest.raises(DeclarationError, match=r"rpg\.7z\.002: this part of the archive is missing"):
        country.harmonise(files[0], files[2])


def test_zip_in_a_zip_is_read_and_a_way_out_of_it_refused(
    country: Any, square: Square, zipped: Any, tmp_path: Path
) -> None:
    declared = country.declare([{"ID": "1", "CULTIU": "ORDI", "geometry": square(0, 0)}]).read_bytes()
    inner = zipped(tmp_path / "inner.zip", {"dun.gpkg": declared}).read_bytes()
    parcels, _ = country.harmonise(zipped(tmp_path / "outer.zip", {"inner.zip": inner}))
    assert parcels["id"].tolist() == ["1"]
    with pytest.raises(DeclarationError, match=r'"\.\./\.\./out\.gpkg" would be written outside its folder'):
        country.harmonise(zipped(tmp_path / "slip.zip", {"../../out.gpkg": declared}))
    assert not list(tmp_path.parent.glob("out.gpkg"))


# --- geometries and areas -----------------------------------------------------------------------------


def measured(dimensions: str, left: float, values: str) -> shapely.Polygon:
    """A square of 100 m with the given Z and M at each corner."""
    corners = [(left, 4_990_000), (left + 100, 4_990_000), (left + 100, 4_990_100), (left, 4_990_100)]
    ring = ", ".join(f"{x} {y} {values}" for x, y in [*corners, corners[0]])
    return shapely.from_wkt(f"POLYGON {dimensions} (({ring}))")


def test_m_and_zm_coordinates_are_dropped_and_named(country: Any, tmp_path: Path) -> None:
    shapes = [measured("ZM", 600_000, "245 3"), measured("M", 600_400, "3"), measured("Z", 600_800, "245")]
    columns = {
        "ID": ["zm", "m", "z"],
        "CULTIU": ["ORDI"] * 3,
        "HA": [1.0] * 3,
        "geometry": pa.array(shapely.to_wkb(shapes, flavor="iso", output_dimension=4), pa.binary()),
    }
    pyogrio.write_arrow(
        *(pa.table(columns), tmp_path / "dun.gpkg"),
        layer="dun",
        driver="GPKG",
        geometry_name="geometry",
        geometry_type="Unknown",
        crs="EPSG:32631",
    )
    parcels, ledger = country.harmonise(tmp_path / "dun.gpkg")
    assert [(row.unit, row.reason) for row in ledger] == [(one, "z_dropped") for one in ("m", "z", "zm")]
    assert not (shapely.has_z(parcels.geometry) | shapely.has_m(parcels.geometry)).any()
    assert parcels["metrics:area"].tolist() == [10_000.0] * 3


def curved() -> bytes:
    """WKB of a circle through (600000, 4990000) and (600100, 4990000) as one arc: CURVEPOLYGON of CIRCULARSTRING."""
    arc = [600_000.0, 4_990_000.0, 600_100.0, 4_990_000.0, 600_000.0, 4_990_000.0]
    return struct.pack("<BII", 1, 10, 1) + struct.pack("<BII6d", 1, 8, 3, *arc)


def collected() -> bytes:
    """The same in a GEOMETRYCOLLECTION."""
    return struct.pack("<BII", 1, 7, 1) + curved()


@pytest.mark.parametrize("shape", [curved, collected])
@pytest.mark.parametrize("name", ["dun2020.gpkg", "dun2020.parquet"])
def test_curved_geometries_are_refused_by_name(
    country: Any, tmp_path: Path, name: str, shape: Callable[[], bytes]
) -> None:
    table = pa.table({"ID": ["1"], "CULTIU": ["ORDI"], "HA": [1.0], "geometry": pa.array([shape()])})
    if name.endswith(".gpkg"):
        kind = {"geometry_name": "geometry", "geometry_type": "Unknown", "crs": "EPSG:32631"}
        pyogrio.write_arrow(table, tmp_path / name, layer="dun", driver="GPKG", **kind)
    else:
        geo = {
            "primary_column": "geometry",
            "columns": {"geometry": {"encoding": "WKB", "crs": CRS(32631).to_json_dict()}},
        }
        pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), tmp_path / name)
    message = f"{name}: layer dun.* has curved geometries; expected polygons with straight edges. .*CONVERT_TO_LINEAR"
    with pytest.raises(DeclarationError, match=message):
        country.harmonise(tmp_path / name)
    with open_declarations([tmp_path / name]) as datasets, pytest.raises(DeclarationError, match=message):
        look_at(find_layers(datasets, None, origin=name))


@pytest.mark.parametrize(
    ("primary", "found"), [("ID", "string"), ("HA", "double"), ("area", "no column"), ("box", "struct<x: double>")]
)
def test_geoparquet_that_names_another_column_as_its_geometry(
    country: Any, tmp_path: Path, primary: str, found: str
) -> None:
    table = pa.table({"ID": ["1"], "CULTIU": ["ORDI"], "HA": [1.0], "box": [{"x": 1.0}]})
    geo = {"primary_column": primary, "columns": {primary: {"encoding": "WKB"}}}
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), tmp_path / "dun2020.parquet")
    with pytest.raises(DeclarationError, match=f"its geometry is {primary}, which is {found}; expected a binary col"):
        country.harmonise(tmp_path / "dun2020.parquet")


def test_geometries_that_are_no_polygons(country: Any, square: Square) -> None:
    line = shapely.LineString([(600_000, 4_990_000), (600_900, 4_990_900)])
    shapes: dict[str, shapely.Geometry | None] = {
        "null": None,
        "empty": shapely.Polygon(),
        "line": line,
        "point": shapely.Point(600_500, 4_990_500),
        "empty collection": shapely.GeometryCollection(),
        "lines": shapely.GeometryCollection([line]),
        "mixed": shapely.GeometryCollection([square(0, 0), line]),
        **{f"sound {n}": square(n, 3) for n in range(30)},
    }
    rows = [{"ID": one, "CULTIU": "ORDI", "geometry": shape} for one, shape in shapes.items()]
    parcels, ledger = country.harmonise(country.declare(rows))
    assert set(parcels["id"]) == {"mixed", *(f"sound {n}" for n in range(30))}
    assert {(row.unit, row.action, row.reason) for row in ledger} == {
        ("null", "rejected", "empty_geometry"),
        ("empty", "rejected", "empty_geometry"),
        ("empty collection", "rejected", "empty_geometry"),
        ("line", "rejected", "not_polygon"),
        ("point", "rejected", "not_polygon"),
        ("lines", "rejected", "not_polygon"),
        ("mixed", "repaired", "not_polygon"),
    }
    assert parcels["metrics:area"].tolist() == [10_000.0] * 31


# --- files that were cut or damaged -------------------------------------------------------------------------


def damaged(country: Any, path: Path, square: Square, *, damage: Callable[[Path], None]) -> str:
    """What is said of a file of 3000 parcels after `damage`."""
    rows = [{"ID": str(n), "CULTIU": "ORDI", "HA": 1.0, "geometry": square(n % 60, n // 60)} for n in range(3000)]
    gpd.GeoDataFrame(rows, crs="EPSG:32631").to_file(path, layer=path.stem, engine="pyogrio")
    damage(path)
    with pytest.raises(DeclarationError) as error:
        country.harmonise(path)
    assert not (country.folder / "parcels.parquet").exists()
    return str(error.value)


def cut(suffix: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        part = path.with_suffix(suffix)
        os.truncate(part, part.stat().st_size // 2)

    return damage


def zero_a_page(path: Path) -> None:
    """The middle one, which holds features; SQLite notices when it comes there."""
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(bytes(4096))


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("dun.gpkg", zero_a_page, r"states 3000 rows, of which \d+ can be read: the file is damaged or cut"),
        ("dun.shp", cut(".dbf"), r"states 3000 rows, of which \d+ can be read: the file is damaged or cut"),
        ("dun.shp", cut(".shp"), r"\d+ of 3000 parcels have no geometry; expected at most 10%"),
    ],
)
def test_a_file_whose_rows_end_early_is_refused(
    country: Any, tmp_path: Path, square: Square, name: str, damage: Callable[[Path], None], message: str
) -> None:
    assert re.search(message, damaged(country, tmp_path / name, square, damage=damage))


def test_a_hole_is_no_fault_and_what_fills_it_no_overlap(country: Any, square: Square) -> None:
    field, island = square(0, 0), shapely.box(600_040, 4_990_040, 600_060, 4_990_060)
    shapes = {"field": field - island, "island": island, "over": shapely.box(600_035, 4_990_040, 600_045, 4_990_060)}
    rows = [{"ID": one, "CULTIU": "ORDI", "geometry": shape} for one, shape in shapes.items()]
    parcels, ledger = country.harmonise(country.declare(rows))
    assert parcels.set_index("id")["metrics:area"].to_dict() == {"field": 9_600.0, "island": 400.0, "over": 200.0}
    assert [(row.unit, row.reason, row.evidence) for row in ledger] == [
        ("over", "overlap", "shares 100.0 m2 with field, 100.0 m2 with island; drawn on top")
    ]


def test_of_many_overlaps_the_ledger_shows_the_first(country: Any, square: Square) -> None:
    rows = [{"ID": f"{n:03}", "CULTIU": "ORDI", "geometry": square(0, 0, 100 - n)} for n in range(30)]
    _, ledger = country.harmonise(country.declare(rows))
    smallest = next(row for row in ledger if row.unit == "029")
    assert smallest.evidence.count(" m2 with ") == 20
    assert smallest.evidence.endswith(" and 9 more; drawn on top")


def test_line_breaks_in_ids_and_crops_are_spaces(country: Any, square: Square) -> None:
    rows = [{"ID": "a\r\nb", "CULTIU": "OR\rDI", "geometry": square(0, 0)}]
    rows += [{"ID": str(n), "CULTIU": "ORDI", "geometry": square(n, 1)} for n in range(30)]
    parcels, ledger = country.harmonise(country.declare(rows))
    assert sorted(set(parcels["id"]) - set(map(str, range(30)))) == ["a b"]
    assert [(row.unit, row.reason) for row in ledger] == [("OR DI", "unknown_code")]


def test_declared_area_of_zero_is_replaced_and_named(country: Any, square: Square) -> None:
    rows = [{"ID": str(n), "CULTIU": "ORDI", "HA": 0.0, "geometry": square(n, 0)} for n in range(3)]
    rows.append({"ID": "small", "CULTIU": "ORDI", "HA": 0.0, "geometry": square(3, 0, 5)})  # 25 m²: 0.00 ha
    parcels, ledger = country.harmonise(country.declare(rows))
    assert [(row.unit, row.reason, row.evidence) for row in ledger] == [
        (str(n), "area_mismatch", "declared 0.0 m2, geometry 10000.0 m2") for n in range(3)
    ]
    assert parcels["metrics:area"].tolist() == [10_000.0] * 3 + [25.0]


def test_no_declared_area_anywhere_is_no_fault(country: Any, square: Square) -> None:
    rows = [{"ID": str(n), "CULTIU": "ORDI", "geometry": square(n, 0)} for n in range(3)]
    parcels, ledger = country.harmonise(country.declare(rows))
    assert (ledger, parcels["metrics:area"].tolist()) == ([], [10_000.0] * 3)


def test_declared_area_that_is_no_number(country: Any, square: Square) -> None:
    rows = [{"ID": "1", "CULTIU": "ORDI", "HA": "1,00 ha", "geometry": square(0, 0)}]
    with pytest.raises(DeclarationError, match=r"column HA \(area\) is no number .*1,00 ha"):
        country.harmonise(country.declare(rows))


# --- ids and names ------------------------------------------------------------------------------------


def test_an_id_on_every_parcel_alike_leaves_each_its_own(country: Any, square: Square) -> None:
    rows = [{"ID": "farm", "CULTIU": "ORDI", "geometry": square(n, 0)} for n in range(4)]
    parcels, ledger = country.harmonise(country.declare(rows))
    assert parcels["id"].tolist() == ["farm", "farm-2", "farm-3", "farm-4"]
    assert [(row.unit, row.evidence) for row in ledger] == [
        (f"farm-{n}", "id farm stands more than once") for n in (2, 3, 4)
    ]


def test_names_decoded_with_the_wrong_table_find_their_crop(country: Any, square: Square) -> None:
    declared = {"ARRÃ’S": "mojibake", "ARR\N{REPLACEMENT CHARACTER}S": "mojibake", "ARROS": "unaccented", "ARRÒS": ""}
    rows = [{"ID": str(n), "CULTIU": name, "geometry": square(n, 0)} for n, name in enumerate(declared)]
    parcels, ledger = country.harmonise(country.declare(rows), max_unknown_share=0.0)
    assert parcels["class_code"].tolist() == [130] * 4
    assert parcels["repairs"].tolist() == list(declared.values())
    found = {row.unit: (row.reason, row.evidence) for row in ledger}
    assert found == {name: (reason, "1 parcels, 1.00 ha; read as ARRÒS") for name, reason in declared.items() if reason}


def test_shapefile_in_another_encoding_than_source_yaml_says(country: Any, square: Square, tmp_path: Path) -> None:
    country.edition["encoding"] = "UTF-8"
    frame = gpd.GeoDataFrame({"ID": ["1"], "CULTIU": ["ARRÒS"], "HA": [1.0]}, geometry=[square(0, 0)], crs="EPSG:32631")
    pyogrio.write_dataframe(frame, tmp_path / "dun.shp", encoding="CP1252")
    (tmp_path / "dun.cpg").unlink(missing_ok=True)
    with pytest.raises(DeclarationError, match=r"column CULTIU holds b'ARR\\xd2S', which is no UTF-8\. Set encoding"):
        country.harmonise(tmp_path / "dun.shp")


def test_rows_in_utf8_and_in_cp1252_in_one_shapefile(country: Any, square: Square, tmp_path: Path) -> None:
    country.edition["encoding"] = "CP1252"
    names = ["ARRÒS", "ARRÒS".encode().decode("cp1252")]  # the second row's bytes are UTF-8
    frame = gpd.GeoDataFrame(
        {"ID": ["1", "2"], "CULTIU": names, "HA": [1.0, 1.0]}, geometry=[square(0, 0), square(1, 0)], crs="EPSG:32631"
    )
    pyogrio.write_dataframe(frame, tmp_path / "dun.shp", encoding="CP1252")
    (tmp_path / "dun.cpg").unlink(missing_ok=True)
    parcels, _ = country.harmonise(tmp_path / "dun.shp", max_unknown_share=0.0)
    assert list(zip(parcels["class_code"], parcels["repairs"], strict=True)) == [(130, ""), (130, "mojibake")]


# --- the disk -----------------------------------------------------------------------------------------


def test_a_full_disk_is_named_and_nothing_stays_on_it(country: Any, square: Square, small_disk: Path) -> None:
    round_fields = [square(n % 50, n // 50).buffer(20, quad_segs=64) for n in range(1000)]  # 4 kB each
    rows = [{"ID": str(n), "CULTIU": "ORDI", "geometry": shape} for n, shape in enumerate(round_fields)]
    declared = country.declare(rows)
    country.folder = small_disk
    with pytest.raises(CropstackError, match=r"parcels\.parquet: could not be written \(No space left on device\)"):
        country.harmonise(declared)
    assert sorted(path.name for path in small_disk.iterdir()) == ["crops.csv", "source.yaml"]
