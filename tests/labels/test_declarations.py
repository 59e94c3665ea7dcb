"""Declarations as read, batch by batch: text, numbers, filters, CRS, and what is refused."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from pyproj import CRS

from cropstack.errors import ConfigError, DeclarationError
from cropstack.labels.declarations import Declared, metric_crs, read_declared

Square = Callable[..., shapely.Polygon]
EDITION: dict[str, Any] = {
    "layer": None,
    "encoding": None,
    "crs": "EPSG:32631",
    "metric_crs": None,
    "columns": {"id": "ID", "code": "CULTIU", "name": None, "area": "HA"},
    "code_pattern": None,
    "filters": {},
    "area_unit": "ha",
}


def read(
    path: Path, *, year: int = 2020, rows_at_once: int = 100, bounds: tuple[float, ...] = (0, 44, 6, 47), **edition: Any
) -> list[Declared]:
    return list(
        read_declared(
            *([path], EDITION | edition),
            year=year,
            bounds=list(bounds),
            crs=CRS("EPSG:32631"),
            rows_at_once=rows_at_once,
        )
    )


@pytest.mark.parametrize(
    ("crs", "other", "message"),
    [
        ("EPSG:4326", None, "crs EPSG:4326 is in degrees; expected metric_crs"),
        ("EPSG:4326", "EPSG:4258", "found EPSG:4258"),
        ("EPSG:2154", "EPSG:3035", "metric_crs EPSG:3035 beside crs EPSG:2154, which is in m"),
    ],
)
def test_areas_need_one_crs_in_metres(crs: str, other: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        metric_crs({"crs": crs, "metric_crs": other}, origin="source.yaml: 2020")


# --- rows ---------------------------------------------------------------------------------------------


@pytest.fixture
def five(country: Any, square: Square) -> Path:
    rows = [{"ID": n, "CULTIU": f" crop {n % 2} ", "HA": n / 2, "geometry": square(n, 0)} for n in range(5)]
    path: Path = country.declare(rows)
    return path


@pytest.mark.parametrize(("rows_at_once", "sizes"), [(2, [2, 2, 1]), (5, [5]), (100, [5])])
def test_batches_hold_all_rows_in_the_order_of_the_file(five: Path, rows_at_once: int, sizes: list[int]) -> None:
    batches = read(five, rows_at_once=rows_at_once)
    assert [len(batch.id) for batch in batches] == sizes
    assert [one for batch in batches for one in batch.id] == ["0", "1", "2", "3", "4"]
    assert [area for batch in batches for area in batch.area_m2] == [0.0, 5_000.0, 10_000.0, 15_000.0, 20_000.0]
    assert {code for batch in batches for code in batch.code} == {"crop 0", "crop 1"}


def test_geoparquet_in_batches(five: Path, tmp_path: Path) -> None:
    frame = gpd.read_file(five)
    frame.to_parquet(tmp_path / "dun.parquet")
    batches = read(tmp_path / "dun.parquet", rows_at_once=2)
    assert [batch.id.tolist() for batch in batches] == [["0", "1"], ["2", "3"], ["4"]]


def test_columns_that_are_not_published_are_empty(five: Path) -> None:
    (batch,) = read(five, columns={"id": None, "code": "CULTIU"}, area_unit=None)
    assert batch.id.tolist() == batch.name.tolist() == [""] * 5
    assert np.isnan(batch.area_m2).all()


@pytest.mark.parametrize(("unit", "first"), [("ha", 5_000.0), ("m2", 0.5)])
def test_declared_areas_become_square_metres(five: Path, unit: str, first: float) -> None:
    assert read(five, area_unit=unit)[0].area_m2[1] == first


def test_filters_count_what_they_leave_out(five: Path) -> None:
    (batch,) = read(five, filters={"cultiu": ["crop 1"]})
    assert batch.id.tolist() == ["1", "3"]
    assert dict(batch.filtered) == {("CULTIU", "crop 0"): 3}


@pytest.mark.parametrize("ids", [[2.0**53 + 2, 1.0], [1.5, 2.0], [np.inf, 1.0]])
def test_ids_that_lost_digits_are_refused(country: Any, square: Square, ids: list[float]) -> None:
    rows = [{"ID": one, "CULTIU": "ORDI", "geometry": square(n, 0)} for n, one in enumerate(ids)]
    with pytest.raises(DeclarationError, match="column ID is stored as floating point and has lost digits"):
        read(country.declare(rows))


def test_whole_floats_up_to_2_53_are_ids_and_null_is_none(country: Any, square: Square) -> None:
    ids = [2.0**53, None, 7.0]
    rows = [{"ID": one, "CULTIU": "ORDI", "geometry": square(n, 0)} for n, one in enumerate(ids)]
    assert read(country.declare(rows))[0].id.tolist() == ["9007199254740992", "", "7"]


def test_filters_may_name_the_year(five: Path, tmp_path: Path) -> None:
    path = five.rename(tmp_path / "fields.gpkg")
    (batch,) = read(path, year=1, filters={"cultiu": ["crop {year}"]})
    assert len(batch.id) == 2
    with pytest.raises(DeclarationError, match=r"filters leave out all 5 rows, most with CULTIU crop 0\. Fetch"):
        read(path, year=2, filters={"cultiu": ["crop {year}"]})


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_filters_take_geoparquet_of_any_binary_type(five: Path, tmp_path: Path, kind: pa.DataType) -> None:
    gpd.read_file(five).to_parquet(tmp_path / "dun.parquet")
    table = pq.read_table(tmp_path / "dun.parquet")
    fields = [field.with_type(kind) if field.name == "geometry" else field for field in table.schema]
    table = table.cast(pa.schema(fields, table.schema.metadata))
    pq.write_table(table, tmp_path / "dun.parquet")
    (batch,) = read(tmp_path / "dun.parquet", filters={"cultiu": ["crop 1"]})
    assert batch.id.tolist() == ["1", "3"]
    assert batch.geometry.area_m2.tolist() == [10_000.0, 10_000.0]


@pytest.mark.parametrize(
    ("file", "layer", "year", "named"),
    [
        ("Marker_2026.gpkg", "fields", 2025, "2026"),
        ("fields.gpkg", "GSAA2024", 2023, "2024"),
        ("fields_2023-05-15.gpkg", "fields", 2022, "2023"),
        ("fields_2023_of_2024.gpkg", "fields", 2023, None),
        ("fields_2056_20221.gpkg", "fields", 2023, None),  # a CRS and a number
    ],
)
def test_a_name_that_bears_another_year_is_refused(
    five: Path, tmp_path: Path, file: str, layer: str, year: int, named: str | None
) -> None:
    gpd.read_file(five).to_file(tmp_path / file, layer=layer)
    if named is None:
        assert len(read(tmp_path / file, year=year)) == 1
    else:
        message = f"layer {layer} of {file} bears the year {named}; expected {year}. Put the declaration of {year}"
        with pytest.raises(DeclarationError, match=re.escape(message)):
            read(tmp_path / file, year=year)


def test_text_that_is_no_utf8_is_named(tmp_path: Path, square: Square) -> None:
    frame = gpd.GeoDataFrame({"ID": ["1"], "CULTIU": ["x"], "HA": [1.0]}, geometry=[square(0, 0)], crs="EPSG:32631")
    frame.to_parquet(tmp_path / "dun.parquet")
    data = (tmp_path / "dun.parquet").read_bytes()
    table = pq.read_table(pa.BufferReader(data))
    bad = pa.array([b"ARR\xd2S"], pa.binary()).view(pa.string())
    pq.write_table(table.set_column(1, "CULTIU", bad), tmp_path / "dun.parquet")
    with pytest.raises(DeclarationError, match=re.escape("column CULTIU holds b'ARR\\xd2S', which is no UTF-8")):
        read(tmp_path / "dun.parquet")


def test_degrees_become_metres(five: Path, tmp_path: Path) -> None:
    gpd.read_file(five).to_crs("EPSG:4326").to_file(tmp_path / "degrees.gpkg")
    (batch,) = read(tmp_path / "degrees.gpkg", crs="EPSG:4326", metric_crs="EPSG:32631")
    assert batch.geometry.area_m2 == pytest.approx(10_000, abs=1e-3)
    assert batch.crs.to_epsg() == 32631


def test_geometry_that_cannot_be_read_is_null_and_not_the_end(tmp_path: Path, five: Path) -> None:
    frame = gpd.read_file(five)
    pd.concat([frame] * 5).to_parquet(tmp_path / "dun.parquet")
    table = pq.read_table(tmp_path / "dun.parquet")
    wkb = table["geometry"].to_pylist()
    unclosed = shapely.to_wkb(shapely.box(0, 0, 1, 1), byte_order=1)[:-16]
    broken = pa.array([wkb[0], b"\x01\x03", unclosed, *wkb[3:]], pa.binary())
    column = table.schema.get_field_index("geometry")
    field = table.schema.field("geometry").with_type(pa.binary())
    pq.write_table(table.set_column(column, field, broken), tmp_path / "dun.parquet")
    (batch,) = read(tmp_path / "dun.parquet")
    assert batch.geometry.is_plain.tolist() == [True, False, False, *[True] * 22]
    assert batch.geometry.others.tolist() == [None, None]
