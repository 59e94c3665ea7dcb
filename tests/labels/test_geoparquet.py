"""The written parcels are GeoParquet 1.1 and fiboa, as other tools read and check them."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import geopandas as gpd
import jsonschema
import pyarrow.parquet as pq
import pyproj
import pytest
import shapely
from pyproj.datadir import get_data_dir

# SOURCE: GeoParquet 1.1.0, file metadata: what it demands of a file without epoch, covering and spherical edges
GEO = {
    "type": "object",
    "required": ["version", "primary_column", "columns"],
    "properties": {
        "version": {"const": "1.1.0"},
        "primary_column": {"const": "geometry"},
        "columns": {
            "required": ["geometry"],
            "additionalProperties": {
                "required": ["encoding", "geometry_types", "crs", "bbox"],
                "properties": {
                    "encoding": {"const": "WKB"},
                    "geometry_types": {
                        "type": "array",
                        "uniqueItems": True,
                        "items": {"enum": ["Polygon", "MultiPolygon"]},
                    },
                    "crs": {"type": "object"},
                    "bbox": {"type": "array", "minItems": 4, "maxItems": 4, "items": {"type": "number"}},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}


@pytest.fixture
def written(country: Any, square: Any) -> Path:
    """Parcels with a part, a hole, a name that is nowhere and one without any."""
    shapes = {"1": square(0, 0), "2": shapely.MultiPolygon([square(2, 0), square(4, 0)])}
    shapes |= {"3": square(6, 0) - square(6, 0, 50).buffer(-10), "4": square(8, 0)}
    rows = [{"ID": one, "CULTIU": "ORDI", "HA": 1.0, "geometry": shape} for one, shape in shapes.items()]
    country.harmonise(country.declare([*rows[:3], rows[3] | {"CULTIU": None}]), max_unknown_share=1.0)
    path: Path = country.folder / "parcels.parquet"
    return path


def test_metadata_follow_geoparquet_1_1_and_the_crs_projjson(written: Path) -> None:
    geo = json.loads(pq.read_schema(written).metadata[b"geo"])
    jsonschema.validate(geo, GEO)
    projjson = json.loads((Path(get_data_dir()) / "projjson.schema.json").read_text(encoding="utf-8"))
    crs = geo["columns"]["geometry"]["crs"]
    jsonschema.Draft7Validator(projjson).validate(crs)
    assert pyproj.CRS.from_json_dict(crs).to_epsg() == 32631


def test_metadata_say_what_the_geometries_are(written: Path) -> None:
    column = json.loads(pq.read_schema(written).metadata[b"geo"])["columns"]["geometry"]
    frame = gpd.read_parquet(written)
    assert column["geometry_types"] == sorted(set(frame.geom_type))
    assert column["bbox"] == frame.total_bounds.tolist()
    assert (shapely.get_coordinate_dimension(frame.geometry) == 2).all()
    assert frame.crs.to_epsg() == 32631


def test_a_file_with_one_kind_of_geometry_names_only_that(country: Any, square: Any) -> None:
    country.harmonise(country.declare([{"ID": "1", "CULTIU": "ORDI", "geometry": square(0, 0)}]))
    geo = json.loads(pq.read_schema(country.folder / "parcels.parquet").metadata[b"geo"])
    assert geo["columns"]["geometry"]["geometry_types"] == ["Polygon"]


def test_columns_have_the_types_of_fiboa_and_name_its_schemas(written: Path) -> None:
    schema = pq.read_schema(written)
    types = {field.name: (str(field.type), field.nullable) for field in schema}
    assert types == {
        "id": ("string", False),
        "crop:code": ("string", False),
        "crop:name": ("string", True),
        "metrics:area": ("float", True),
        "determination:datetime": ("timestamp[ms, tz=UTC]", True),
        "class_code": ("int32", True),
        "hcat:code": ("string", True),
        "parcel_index": ("int64", True),
        "repairs": ("string", True),
        "geometry": ("binary", False),
    }
    collection = json.loads(schema.metadata[b"collection"])
    assert collection["collection"] == "es_ct_2020"
    assert set(collection["schemas"]) == {"es_ct_2020"}
    assert sorted(collection["schemas:custom"]["properties"]) == ["class_code", "hcat:code", "parcel_index", "repairs"]


def test_fiboa_finds_nothing_to_say(written: Path) -> None:
    """`fiboa validate` fetches the schemas that the file names; its version pins a pyarrow that is not ours."""
    program = os.environ.get("CROPSTACK_FIBOA")
    if not program:
        pytest.skip("no fiboa: name its program (fiboa-cli 0.21, in an environment of its own) in CROPSTACK_FIBOA")
    done = subprocess.run([program, "validate", "-n", "-1", written], capture_output=True, text=True, check=False)
    said = re.sub("\x1b\\[[0-9;]*m", "", done.stdout + done.stderr)
    assert f"{written}: VALID" in said, said
    assert "\n - " not in said, said  # a line for each error, warning and remark
    assert done.returncode == 0, said
