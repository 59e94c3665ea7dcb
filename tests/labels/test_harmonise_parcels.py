"""Declarations become parcels: every fault is repaired or rejected, and named in the ledger."""

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import h5py
import numpy as np
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely

from cropstack.errors import ConfigError, DeclarationError, UnknownCropCode
from cropstack.files import read_attributes
from cropstack.labels.harmonise_parcels import harmonise_parcels
from cropstack.labels.plain_polygons import plain_polygons
from cropstack.labels.rasterise_labels import rasterise_labels

Square = Callable[..., shapely.Polygon]
COLUMNS = [
    *("id", "crop:code", "crop:name", "metrics:area", "determination:datetime", "class_code", "hcat:code"),
    *("parcel_index", "repairs", "geometry"),
]


def test_parcels_have_the_columns_of_fiboa_and_ours(country: Any, square: Square) -> None:
    declared = country.declare([{"ID": "7", "CULTIU": "ORDI", "HA": 1.0, "geometry": square(0, 0)}])
    parcels, ledger = country.harmonise(declared)
    assert ledger == []
    assert list(parcels.columns) == COLUMNS
    row = parcels.iloc[0]
    assert (row["id"], row["crop:code"], row["class_code"], row["hcat:code"]) == ("7", "ORDI", 150, "3301010400")
    assert (row["metrics:area"], row["parcel_index"], row["repairs"]) == (10_000.0, 1, "")
    assert row["determination:datetime"].isoformat() == "2020-01-01T00:00:00+00:00"
    assert parcels.crs.to_epsg() == 32631


def test_file_is_geoparquet_1_1_with_types_and_provenance(country: Any, square: Square) -> None:
    country.harmonise(country.declare([{"ID": "7", "CULTIU": "ORDI", "geometry": square(0, 0)}]))
    schema = pq.read_schema(country.folder / "parcels.parquet")
    geo = json.loads(schema.metadata[b"geo"])
    assert (geo["version"], geo["columns"]["geometry"]["geometry_types"]) == ("1.1.0", ["Polygon"])
    types = {name: str(schema.field(name).type) for name in ("id", "class_code", "parcel_index")}
    assert types == {"id": "string", "class_code": "int32", "parcel_index": "int64"}
    assert json.loads(schema.metadata[b"cropstack"])["attribution"] == "DUN 2020"


def test_parcels_and_labels_name_the_licence_of_the_crop_tables(country: Any, square: Square, root: Path) -> None:
    """The tables are CC BY-SA 4.0 (taxonomy/README.md), so their classes are, whatever the declaration's licence."""
    parcels, labels = country.folder / "parcels.parquet", country.folder / "labels.nc"
    country.harmonise(country.declare([{"ID": "7", "CULTIU": "ORDI", "geometry": square(0, 0)}]))
    rasterise_labels(
        parcels, [], root / "taxonomy/clc.csv", labels, tile="31TFK", year=2020, size_px=1098, corine_year=None
    )
    said = json.loads(pq.read_schema(parcels).metadata[b"cropstack"])
    assert (said["licence"], said["mapping_licence"]) == ("open", "CC BY-SA 4.0")
    assert all(name in said["mapping_attribution"] for name in ("Sen4AgriNet", "EuroCrops"))
    with h5py.File(labels) as file:
        about = read_attributes(file)
    assert {name: about[name] for name in about if name.startswith("mapping")} == {
        name: said[name] for name in ("mapping_licence", "mapping_attribution")
    }


def test_every_fault_has_its_row_in_the_ledger(country: Any, square: Square) -> None:
    loop = shapely.Polygon([*list(square(8, 0).exterior.coords)[:-1], *[(601_551, 4_990_000), (601_553, 4_990_002)]])
    faults: dict[str, tuple[str, shapely.Geometry | None]] = {
        "1": ("ORDI", square(0, 0)),
        "2": ("ORDI", square(0, 0)),  # same crop, same place as 1
        "3": ("ORDI", None),
        "4": ("ORDI", shapely.box(600_400, 4_990_000, 600_400.3, 4_990_100)),
        "5": ("ORDI", shapely.force_3d(square(3, 0), 10)),
        "6": ("ORDI", shapely.MultiPolygon([square(4, 0), square(4, 1)])),
        "7": ("CARRETERA", square(5, 0)),
        "8": ("ORDI", shapely.box(601_200, 4_990_000, 601_300, 4_990_100)),
        "9": ("ORDI", shapely.box(601_290, 4_990_000, 601_320, 4_990_100)),  # 1000 m² on 8
        "10": ("XXX", square(10, 0, 10)),
        "11": ("", square(10, 1, 10)),
        "12": ("ARROS", square(12, 0)),
        "13": ("ORDI", loop),
    }
    rows: list[dict[str, Any]] = [
        {"ID": one, "CULTIU": code, "geometry": geometry} for one, (code, geometry) in faults.items()
    ]
    rows.append({"ID": "1", "CULTIU": "ORDI", "geometry": square(14, 0)})
    rows.append({"ID": None, "CULTIU": "ORDI", "HA": 2.0, "geometry": square(16, 0)})
    parcels, ledger = country.harmonise(country.declare(rows))
    found = {(row.unit, row.action, row.reason) for row in ledger}
    derived = next(row.unit for row in ledger if row.reason == "missing_id")
    # parcel 1 stands twice, at two places: which of them keeps its id depends on the geometry alone
    assert found == {
        ("2", "rejected", "duplicate"),
        ("3", "rejected", "empty_geometry"),
        ("4", "rejected", "sliver"),
        ("5", "repaired", "z_dropped"),
        ("6", "repaired", "multipart"),
        ("7", "rejected", "excluded"),
        ("9", "repaired", "overlap"),
        ("XXX", "repaired", "unknown_code"),
        ("", "repaired", "unknown_code"),
        ("ARROS", "repaired", "unaccented"),
        ("13", "repaired", "invalid_geometry"),
        ("1-2", "repaired", "duplicate_id"),
        (derived, "repaired", "missing_id"),
        (derived, "repaired", "area_mismatch"),
    }
    by_id = parcels.set_index("id")
    assert set(by_id.index) == {"1", "1-2", "5", "6", "8", "9", "10", "11", "12", "13", derived}
    assert by_id.loc[["10", "11", "12"], "class_code"].tolist() == [998, 998, 130]
    assert by_id.loc["12", "crop:code"] == "ARRÒS"
    assert by_id.loc[derived, "repairs"] == "area_mismatch missing_id"
    assert parcels.geometry.is_valid.all()
    assert parcels["parcel_index"].tolist() == list(range(1, 12))


def test_order_of_rows_in_the_file_changes_nothing(country: Any, square: Square) -> None:
    crops = ["XXX", "ORDI", "ARRÒS"]
    rows = [{"ID": str(n // 2), "CULTIU": crops[n % 3], "geometry": square(n % 5, n // 5)} for n in range(25)]
    rows += [rows[3], rows[7] | {"ID": "99"}, rows[8] | {"CULTIU": "BLAT TOU"}]
    outputs = set()
    shuffled = random.Random(1).sample(rows, len(rows))
    for number, order in enumerate((rows, rows[::-1], shuffled)):
        country.harmonise(country.declare(order, name=f"{number}.gpkg"), max_unknown_share=1.0)
        outputs.add(b"".join((country.folder / name).read_bytes() for name in ("parcels.parquet", "ledger.csv")))
    assert len(outputs) == 1


@pytest.mark.parametrize(
    "ids", [["2147483649", "9007199254740993", "18446744073709551617"], ["007", "7", "A7"], ["001541", "9Y9", "é1"]]
)
def test_ids_stay_text_beyond_2_31_and_2_53(country: Any, square: Square, ids: list[str]) -> None:
    rows = [{"ID": one, "CULTIU": "ORDI", "geometry": square(n, 0)} for n, one in enumerate(ids)]
    parcels, _ = country.harmonise(country.declare(rows))
    assert sorted(parcels["id"]) == sorted(ids)


def test_integer_ids_above_2_53_keep_every_digit(country: Any, square: Square) -> None:
    big = 2**53 + 1
    rows = [{"ID": big + n, "CULTIU": "ORDI", "geometry": square(n, 0)} for n in range(2)]
    parcels, _ = country.harmonise(country.declare(rows))
    assert parcels["id"].tolist() == ["9007199254740993", "9007199254740994"]


def test_ids_stored_as_floats_that_lost_digits_are_refused(country: Any, square: Square) -> None:
    rows = [{"ID": 2.0**53 + 2, "CULTIU": "ORDI", "geometry": square(0, 0)}]
    with pytest.raises(DeclarationError, match=r"column ID is stored as floating point .*9007199254740994"):
        country.harmonise(country.declare(rows))
    parcels, _ = country.harmonise(country.declare([rows[0] | {"ID": 41.0}], name="b.gpkg"))
    assert parcels["id"].tolist() == ["41"]


def test_a_small_repair_keeps_parcels_without_ids_stable_over_files(country: Any, square: Square) -> None:
    country.edition["columns"] = {"id": None, "code": "cultiu"}
    first, _ = country.harmonise(country.declare([{"CULTIU": "ORDI", "geometry": square(0, 0)}]))
    rows = [{"CULTIU": "ORDI", "geometry": square(n, 0)} for n in (1, 0)]
    second, _ = country.harmonise(country.declare(rows, name="b.gpkg"))
    assert first["id"].iloc[0] in second["id"].tolist()


@pytest.mark.parametrize(("declared_ha", "named"), [(1.049, False), (1.051, True), (0.951, False), (0.949, True)])
def test_a_declared_area_may_differ_by_a_twentieth(
    country: Any, square: Square, declared_ha: float, named: bool
) -> None:
    _, ledger = country.harmonise(
        country.declare([{"ID": "1", "CULTIU": "ORDI", "HA": declared_ha, "geometry": square(0, 0)}])
    )
    assert [row.reason for row in ledger] == ["area_mismatch"] * named


@pytest.mark.parametrize(("declared_ha", "named"), [(10_400.0, True), (10_600.0, False)])
def test_an_area_off_by_ten_thousand_is_so_within_a_twentieth(
    country: Any, square: Square, declared_ha: float, named: bool
) -> None:
    rows = [{"ID": str(n), "CULTIU": "ORDI", "HA": 1.0, "geometry": square(n, 0)} for n in range(4)]
    _, ledger = country.harmonise(country.declare([rows[0] | {"HA": declared_ha}, *rows[1:]]))
    assert [("hectare slip" in row.evidence) for row in ledger] == [named]


def test_declared_hectares_read_as_square_metres(country: Any, square: Square) -> None:
    rows = [{"ID": str(n), "CULTIU": "ORDI", "HA": 1.0, "geometry": square(n, 0)} for n in range(4)]
    _, ledger = country.harmonise(country.declare([rows[0] | {"HA": 10_000.0}, *rows[1:]]))
    assert [(row.unit, row.evidence) for row in ledger] == [
        ("0", "declared 100000000.0 m2, geometry 10000.0 m2 (hectare slip)")
    ]
    country.edition["area_unit"] = "m2"
    with pytest.raises(DeclarationError, match=r"/b\.gpkg: declared .* off by 10 000 .* Correct area_unit"):
        country.harmonise(country.declare(rows, name="b.gpkg"))


def test_a_parcel_abroad_is_rejected_alone(country: Any, square: Square) -> None:
    rows = [{"ID": str(n), "CULTIU": "ORDI", "geometry": square(n % 10, n // 10)} for n in range(100)]
    rows.append({"ID": "away", "CULTIU": "ORDI", "geometry": shapely.box(300_000, 5_600_000, 300_100, 5_600_100)})
    parcels, ledger = country.harmonise(country.declare(rows))
    assert len(parcels) == 100
    assert [(row.unit, row.reason, row.evidence) for row in ledger] == [
        ("away", "outside_country", "at 300050, 5600050 in EPSG:32631")
    ]


# --- ways of declaring ---------------------------------------------------------------------------------


def test_declaration_in_degrees_is_transformed_and_measured_in_m(country: Any, square: Square) -> None:
    frame = gpd.GeoSeries([square(0, 0)], crs="EPSG:32631").to_crs("EPSG:4326")
    declared = country.declare([{"ID": "1", "CULTIU": "ORDI", "HA": 1.0, "geometry": frame[0]}], crs="EPSG:4326")
    country.edition |= {"crs": "EPSG:4326", "metric_crs": "EPSG:32631"}
    parcels, ledger = country.harmonise(declared)
    assert (parcels.crs.to_epsg(), ledger) == (32631, [])
    assert parcels["metrics:area"].iloc[0] == pytest.approx(10_000, abs=0.01)


def test_rows_that_filters_leave_out_are_counted_by_value(country: Any, square: Square) -> None:
    rows = [{"ID": str(n), "CULTIU": "ORDI", "KIND": "field", "geometry": square(n, 0)} for n in range(2)]
    rows += [{"ID": f"d{n}", "CULTIU": "ditch", "KIND": "ditch", "geometry": square(n, 1)} for n in range(3)]
    country.edition["filters"] = {"kind": ["field"]}
    declared = country.declare(rows)
    parcels, ledger = country.harmonise(declared, max_unknown_share=0.0)
    assert parcels["id"].tolist() == ["0", "1"]
    assert [(row.unit, row.action, row.evidence) for row in ledger] == [
        ("KIND: ditch", "filtered", "3 rows left out by filters of source.yaml")
    ]
    country.edition["filters"] = {"kind": ["hedge"]}
    with pytest.raises(DeclarationError, match="has no parcels; filters leave out all 5 rows"):
        country.harmonise(declared)


def test_code_is_the_group_of_code_pattern(country: Any, square: Square) -> None:
    country.edition["code_pattern"] = r"#(\w+)$"
    rows = [{"ID": str(n), "CULTIU": text, "geometry": square(n, 0)} for n, text in enumerate(["list#ORDI", "ORDI"])]
    parcels, _ = country.harmonise(country.declare(rows), max_unknown_share=0.0)
    assert parcels["crop:code"].tolist() == ["ORDI", "ORDI"]


def test_pages_of_a_service_are_one_declaration(country: Any, square: Square) -> None:
    pages = [
        country.declare([{"ID": str(n), "CULTIU": "ORDI", "geometry": square(n, 0)}], name=f"page_{n}.gpkg")
        for n in range(3)
    ]
    country.edition["layer"] = "dun"
    parcels, _ = country.harmonise(*pages)
    assert parcels["id"].tolist() == ["0", "1", "2"]


def test_geoparquet_is_read_like_a_geopackage(country: Any, square: Square, tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame({"ID": ["1"], "CULTIU": ["ORDI"], "HA": [1.0]}, geometry=[square(0, 0)], crs="EPSG:32631")
    frame.to_parquet(tmp_path / "dun.parquet")
    parcels, ledger = country.harmonise(tmp_path / "dun.parquet")
    assert (parcels["id"].tolist(), ledger) == (["1"], [])
    frame.drop(columns="geometry").to_parquet(tmp_path / "table.parquet")
    with pytest.raises(DeclarationError, match=r"table\.parquet has no GeoParquet metadata"):
        country.harmonise(tmp_path / "table.parquet")


def test_class_outside_the_taxonomy(country: Any, square: Square) -> None:
    country.crops = country.crops.replace(",150,", ",151,")
    with pytest.raises(ConfigError, match=r"class_code '151' is in no row of classes\.csv"):
        country.harmonise(country.declare([{"CULTIU": "ORDI", "geometry": square(0, 0)}]))


# --- real declarations --------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["CP1252", "UTF-8"])
def test_zipped_shapefile_with_names_cut_at_30_characters(
    country: Any, square: Square, tmp_path: Path, zipped: Any, encoding: str
) -> None:
    country.edition |= {"encoding": encoding, "name_width": 30, "columns": {"id": None, "code": "CULTIU"}}
    names = ["ARRÒS", "GUIXES NO SIE O PEDREROL NO SIE"[:30], "GUARET SIE/ SUP. LLIURE SEMBRA"]
    frame = gpd.GeoDataFrame({"CULTIU": names}, geometry=[square(n, 0) for n in range(3)], crs="EPSG:32631")
    pyogrio.write_dataframe(frame, tmp_path / "c.shp", encoding=encoding)
    (tmp_path / "c.cpg").unlink(missing_ok=True)  # old shapefiles have none: source.yaml says the encoding
    members = {path.name: path.read_bytes() for path in tmp_path.glob("c.*")}
    parcels, ledger = country.harmonise(zipped(tmp_path / "dun.zip", members))
    assert sorted(parcels["class_code"]) == [130, 790, 975]
    assert [(row.reason, row.evidence.split("; ")[1]) for row in ledger] == [
        ("truncated", "read as GUIXES NO SIE O PEDREROL NO SIE")
    ]


@pytest.mark.parametrize(
    ("cc", "year", "file", "parcels", "reasons"),
    [
        ("fr", 2022, "fr/RPG_2-0__GPKG_LAMB93_FXX_2022-01-01.7z.001", 100, {}),
        ("es_ct", 2023, "es_cat/Cultius_DUN2023_GPKG.zip", 99, {"sliver": 1}),  # 71.5 m², 0.73 m wide
    ],
)
def test_real_declarations_harmonise(
    root: Path, realdata: Path, tmp_path: Path, cc: str, year: int, file: str, parcels: int, reasons: dict[str, int]
) -> None:
    folder = root / "taxonomy/countries" / cc
    harmonise_parcels(
        [realdata / "lpis/fiboa-cli" / file],
        folder / "source.yaml",
        root / "workflow/schemas/source.schema.yaml",
        folder / "crops.csv",
        root / "taxonomy/classes.csv",
        tmp_path / "parcels.parquet",
        tmp_path / "ledger.csv",
        country=cc,
        year=year,
        max_unknown_share=0.0,
        allow_unreviewed=False,
        simulated=False,
        threads=2,
    )
    table = gpd.read_parquet(tmp_path / "parcels.parquet")
    assert len(table) == parcels
    assert 998 not in table["class_code"].tolist()
    assert table.geometry.is_valid.all()
    lines = (tmp_path / "ledger.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert Counter(line.split(",")[3] for line in lines) == reasons


# --- streams ------------------------------------------------------------------------------------------


@pytest.fixture
def many(country: Any, square: Square) -> Path:
    """Forty parcels with overlaps, twins, ids that stand twice or not at all, in two crops and no order."""
    rows = [
        {
            "ID": None if n % 9 == 8 else str(n // 2),
            "CULTIU": ("ORDI", "BLAT TOU", "XXX")[n % 3],
            "HA": 1.0 + (n % 7 == 0),
            "geometry": square(n % 6, n // 6, 100 + 130 * (n % 5 == 0)),
        }
        for n in range(36)
    ]
    random.Random(1).shuffle(rows)
    return country.declare([*rows, rows[3], rows[11] | {"ID": "twin"}, rows[5] | {"geometry": None}])


def test_sizes_of_batches_and_number_of_threads_change_no_byte(
    country: Any, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = set()
    for rows, block, threads in ((7, 5, 1), (7, 5, 3), (10_000, 10_000, 1)):
        monkeypatch.setattr("cropstack.labels.harmonise_parcels.ROWS_AT_ONCE", rows)
        monkeypatch.setattr("cropstack.labels.keep_parcels.PARCELS_AT_ONCE", block)
        _, ledger = country.harmonise(many, max_unknown_share=1.0, threads=threads)
        outputs.add(b"".join((country.folder / name).read_bytes() for name in ("parcels.parquet", "ledger.csv")))
    assert len(outputs) == 1
    assert {row.reason for row in ledger} == {
        *("overlap", "duplicate", "duplicate_id", "missing_id", "area_mismatch", "empty_geometry", "unknown_code")
    }


def test_polygons_that_never_become_objects_come_out_alike(
    country: Any, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    country.harmonise(many, max_unknown_share=1.0)
    before = (country.folder / "parcels.parquet").read_bytes(), (country.folder / "ledger.csv").read_bytes()
    seen = []

    def none_plain(wkb: np.ndarray, offsets: np.ndarray, *least: float) -> tuple[np.ndarray, ...]:
        plain, starts, area, box = plain_polygons(wkb, offsets, *least)
        seen.append(int(plain.sum()))
        return np.zeros_like(plain), starts, area, box

    monkeypatch.setattr("cropstack.labels.batch_geometry.plain_polygons", none_plain)
    country.harmonise(many, max_unknown_share=1.0)
    assert sum(seen) == 38  # all but the one without geometry
    assert before == ((country.folder / "parcels.parquet").read_bytes(), (country.folder / "ledger.csv").read_bytes())


def test_row_groups_hold_the_parcels_in_their_order(country: Any, many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = country.harmonise(many, max_unknown_share=1.0)
    monkeypatch.setattr("cropstack.labels.geoparquet.ROWS_A_GROUP", 10)
    in_groups, _ = country.harmonise(many, max_unknown_share=1.0)
    assert pq.ParquetFile(country.folder / "parcels.parquet").num_row_groups == -(-len(whole) // 10)
    assert in_groups.equals(whole)


def test_a_build_that_fails_leaves_nothing_behind(country: Any, square: Square) -> None:
    declared = country.declare([{"ID": "1", "CULTIU": "XXX", "geometry": square(0, 0)}])
    before = {path.name for path in country.folder.iterdir()} | {"source.yaml", "crops.csv"}
    with pytest.raises(UnknownCropCode):
        country.harmonise(declared, max_unknown_share=0.0)
    assert {path.name for path in country.folder.iterdir()} == before


def test_declared_parcels_are_kept_or_rejected(country: Any, many: Path) -> None:
    parcels, ledger = country.harmonise(many, max_unknown_share=1.0)
    said = json.loads(pq.read_schema(country.folder / "parcels.parquet").metadata[b"cropstack"])
    assert said["declared"] == len(parcels) + sum(row.action == "rejected" for row in ledger) == 39


def test_simulated_parcels_do_not_pass_for_an_offices(
    country: Any, square: Callable[..., shapely.Polygon], tmp_path: Path
) -> None:
    country.harmonise(country.declare([{"geometry": square(0, 0), "CULTIU": "ORDI"}]), simulated=True)
    about = json.loads(pq.read_schema(tmp_path / "parcels.parquet").metadata[b"cropstack"])
    assert (about["licence"], about["attribution"]) == (
        "none, simulated",
        "Simulated declarations in the form of DUN 2020",
    )
