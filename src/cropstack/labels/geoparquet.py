"""Harmonised parcels as GeoParquet, written row group by row group."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyproj import CRS

from cropstack.labels.ahead import ahead
from cropstack.labels.crops import Crop, Match
from cropstack.labels.parcels import Parcels
from cropstack.labels.spill import Spill
from cropstack.legend import UNKNOWN

ROWS_A_GROUP = 50_000
SCHEMAS = [  # whose columns and types these are; names, never fetched
    "https://vecorel.org/specification/v0.1.0/schema.yaml",
    "https://fiboa.org/specification/v0.3.0/schema.yaml",
    "https://fiboa.org/crop-extension/v0.2.0/schema.yaml",
]
COLUMNS = [
    pa.field("id", pa.string(), nullable=False),
    pa.field("crop:code", pa.string(), nullable=False),
    pa.field("crop:name", pa.string()),
    pa.field("metrics:area", pa.float32()),
    pa.field("determination:datetime", pa.timestamp("ms", tz="UTC")),
    pa.field("class_code", pa.int32()),
    pa.field("hcat:code", pa.string()),
    pa.field("parcel_index", pa.int64()),
    pa.field("repairs", pa.string()),
    pa.field("geometry", pa.binary(), nullable=False),
]
_REPEATING = ["crop:code", "crop:name", "determination:datetime", "class_code", "hcat:code", "repairs"]
_OWN_COLUMNS = {"class_code": "int32", "hcat:code": "string", "parcel_index": "int64", "repairs": "string"}


@dataclass(frozen=True)
class Repairs:
    """The reasons of each parcel's repairs: indices of `texts`, which hold reasons separated by spaces."""

    index: np.ndarray
    texts: list[str]


def write_geoparquet(
    path: Path,
    parcels: Parcels,
    spill: Spill,
    matches: dict[str, Match],
    repairs: Repairs,
    *,
    crs: CRS,
    year: int,
    provenance: dict[str, Any],
) -> None:
    """Write GeoParquet 1.1 in the columns of vecorel and fiboa, plus class, index and repairs.

    Geometries are read from `spill` in groups of `ROWS_A_GROUP`. Not atomic: `path` is a temporary one.
    """
    metadata = {"geo": _geo(parcels, crs), "collection": _collection(provenance["country"], year)}
    texts = {
        name: json.dumps(value, ensure_ascii=False) for name, value in (metadata | {"cropstack": provenance}).items()
    }
    schema = pa.schema(COLUMNS, texts)
    meaning = _meaning(parcels, matches)

    def row_group(first: int) -> pa.Table:
        """Columns of `COLUMNS` for the parcels from `first` on."""
        some = slice(first, first + ROWS_A_GROUP)
        count = len(parcels.row[some])
        columns = {name: texts.take(pa.array(parcels.code[some])) for name, texts in meaning.items()}
        columns |= {
            "id": parcels.id[some],
            "crop:name": _names(columns["crop:name"], parcels, some),
            "metrics:area": parcels.area_m2[some].astype(np.float32),
            "determination:datetime": pa.repeat(datetime(year, 1, 1, tzinfo=UTC), count),
            "parcel_index": np.arange(first + 1, first + 1 + count),
            "repairs": pa.array(repairs.texts, pa.string()).take(pa.array(repairs.index[some])),
            "geometry": spill.read(parcels.row[some]).cast(pa.binary()),
        }
        return pa.table(columns).select(schema.names).cast(schema)

    starts = (first for first in range(0, len(parcels.id), ROWS_A_GROUP))
    with (
        pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=_REPEATING) as writer,
        ahead(starts, row_group, threads=1) as tables,
    ):
        for table in tables:
            writer.write_table(table, row_group_size=ROWS_A_GROUP)


def _meaning(parcels: Parcels, matches: dict[str, Match]) -> dict[str, pa.Array]:
    """What each of the declared codes stands for, by column; a code without a row stands for itself."""
    crops = [matches[code].crop if code in matches else Crop(code, "", "", UNKNOWN, None) for code in parcels.codes]
    return {
        "crop:code": pa.array([crop.code for crop in crops], pa.string()),
        "crop:name": pa.array([crop.name for crop in crops], pa.string()),
        "class_code": pa.array([crop.class_code for crop in crops], pa.int32()),
        "hcat:code": pa.array([crop.hcat for crop in crops], pa.string()),
    }


def _names(of_crop: pa.Array, parcels: Parcels, some: slice) -> pa.Array:
    """Names of crops.csv, those declared where it has none."""
    declared = pa.array(parcels.names, pa.string()).take(pa.array(parcels.name[some]))
    return pc.if_else(pc.equal(of_crop, ""), declared, of_crop)


def _collection(country: str, year: int) -> dict[str, Any]:
    """Vecorel's metadata of a collection. SOURCE: Vecorel 0.1.0, GeoParquet encoding; fiboa 0.3.0."""
    name = f"{country}_{year}"
    own = {column: {"type": kind} for column, kind in _OWN_COLUMNS.items()}
    return {
        "collection": name,
        "schemas": {name: SCHEMAS},
        "schemas:custom": {"properties": own},
        "crop:code_list": f"taxonomy/countries/{country}/crops.csv",
    }


def _geo(parcels: Parcels, crs: CRS) -> dict[str, Any]:
    """GeoParquet metadata. SOURCE: GeoParquet 1.1.0, file metadata."""
    multi = {True: "MultiPolygon", False: "Polygon"}
    box = parcels.box
    column = {
        "encoding": "WKB",
        "geometry_types": sorted(multi[kind] for kind in np.unique(parcels.is_multi).tolist()),
        "crs": crs.to_json_dict(),
        "bbox": [*box[:, :2].min(axis=0).tolist(), *box[:, 2:].max(axis=0).tolist()],
    }
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
