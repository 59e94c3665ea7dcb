"""Large CSV by Arrow: one way to write a value, and equal bytes."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from cropstack.arrow_csv import create_csv

TABLE = pa.table(
    {"name": ["a", None], "number": pa.array([1, -2], pa.int64()), "value": pa.array([0.1, None], pa.float32())}
)
TEXT = b"name,number,value\na,1,0.1\n,-2,\n"


def write(path: Path, table: pa.Table = TABLE) -> bytes:
    with create_csv(path, table.schema) as writer:
        for row in range(len(table)):
            writer.write_table(table.slice(row, 1))
    return path.read_bytes()


def test_text_has_no_quotes_null_is_empty_and_floats_are_short(tmp_path: Path) -> None:
    assert write(tmp_path / "table.csv") == TEXT


def test_gzip_holds_neither_name_nor_time(tmp_path: Path) -> None:
    packed = write(tmp_path / "table.csv.gz")
    assert gzip.decompress(packed) == TEXT
    assert packed == write(tmp_path / "other.csv.gz")
    assert packed[3:8] == bytes(5)  # flags and time


def test_text_that_needs_quotes_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="structural characters"):
        write(tmp_path / "table.csv", pa.table({"name": ["a,b"]}))
    assert list(tmp_path.iterdir()) == []
