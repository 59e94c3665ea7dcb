"""Large tables as CSV: written by Arrow, batch by batch, with equal bytes for equal values."""

import gzip
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from cropstack.files import replace_on_success

GZIP_LEVEL = 1  # numbers as text: a tenth larger than level 6, at an eighth of its time


@contextmanager
def create_csv(path: Path, schema: pa.Schema) -> Iterator[csv.CSVWriter]:
    r"""Create a CSV atomically and yield its writer, for tables of `schema`; gzip without name or time for ``.gz``.

    UTF-8, comma, ``\n``, no quotes; null is empty; floats have the fewest digits that give them back.

    Raises
    ------
    ValueError : text that needs quotes (Arrow would put them around all text): use `write_csv`.
    """
    with replace_on_success(path) as temporary, ExitStack() as stack:
        raw = stack.enter_context(open(temporary, "wb"))
        packed = gzip.GzipFile("", "wb", GZIP_LEVEL, raw, mtime=0) if path.suffix == ".gz" else None
        sink = stack.enter_context(packed) if packed else raw
        sink.write((",".join(schema.names) + "\n").encode())  # Arrow would quote every name
        options = csv.WriteOptions(include_header=False, quoting_style="none")
        yield stack.enter_context(csv.CSVWriter(sink, schema, write_options=options))
