"""Harmonised parcels as GeoParquet."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from pyproj import CRS

from cropstack.files import replace_on_success
from cropstack.labels.parcels import Parcels

ROWS_A_GROUP = 50_000


def write_geoparquet(path: Path, parcels: Parcels, crs: CRS, *, year: int, provenance: dict[str, Any]) -> None:
    """Write GeoParquet 1.1 in the columns of vecorel and fiboa, plus class, index and repairs."""
    count = len(parcels.id)
    time = pa.array([datetime(year, 1, 1, tzinfo=UTC)] * count, pa.timestamp("us", tz="UTC"))
    columns = {
        "id": pa.array(parcels.id, pa.string()),
        "crop:code": pa.array(parcels.code, pa.string()),
        "crop:name": pa.array(parcels.name, pa.string()),
        "metrics:area": pa.array(parcels.area_m2, pa.float64()),
        "determination:datetime": time,
        "class_code": pa.array(parcels.class_code, pa.int32()),
        "hcat:code": pa.array(parcels.hcat, pa.string()),
        "parcel_index": pa.array(np.arange(1, count + 1), pa.int64()),
        "repairs": pa.array(parcels.repairs, pa.string()),
        "geometry": pa.array(shapely.to_wkb(parcels.geometry, byte_order=1), pa.binary()),
    }
    metadata = {"geo": json.dumps(_geo(parcels.geometry, crs)), "cropstack": json.dumps(provenance, ensure_ascii=False)}
    table = pa.table(columns).replace_schema_metadata(metadata)
    with replace_on_success(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", row_group_size=ROWS_A_GROUP)


def _geo(geometry: np.ndarray, crs: CRS) -> dict[str, Any]:
    """GeoParquet metadata. SOURCE: GeoParquet 1.1.0, file metadata."""
    kinds = {3: "Polygon", 6: "MultiPolygon"}
    column = {
        "encoding": "WKB",
        "geometry_types": sorted(kinds[int(kind)] for kind in np.unique(shapely.get_type_id(geometry))),
        "crs": crs.to_json_dict(),
        "bbox": [float(value) for value in shapely.total_bounds(geometry)],
    }
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
