"""Parquet tables of parcels, with what they are about beside the columns."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cropstack.errors import SampleError
from cropstack.files import reading, replace_on_success


def write_table(path: Path, columns: dict[str, np.ndarray], about: dict[str, Any]) -> None:
    """Write columns in order; `about` becomes the JSON under the key ``cropstack`` of the file's metadata."""
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    metadata = {"cropstack": json.dumps(about, ensure_ascii=False)}
    with replace_on_success(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd", write_page_checksum=True)


def read_about(path: Path) -> dict[str, Any]:
    """What `write_table` was told; empty for a table of another origin. CropstackError where it cannot be read."""
    with reading(path, "a table"):
        found: dict[str, Any] = json.loads((pq.read_schema(path).metadata or {}).get(b"cropstack", b"{}"))
    return found


def read_columns(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    """Columns by name.

    Raises
    ------
    SampleError : a column is missing. CropstackError : the file is cut or damaged.
    """
    with reading(path, "a table"):
        missing = [name for name in names if name not in pq.read_schema(path).names]
        if missing:
            raise SampleError(f"{path}: has no column {missing[0]} ({len(missing)} missing). Delete it and run again.")
        table = pq.read_table(path, columns=names, page_checksum_verification=True)
        return {name: table[name].to_numpy() for name in names}
