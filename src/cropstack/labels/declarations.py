"""Reading the parcels of a declaration as its office published it, batch by batch: layers, columns, filters, CRS."""

import re
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyogrio
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from cropstack.errors import ConfigError, DeclarationError, nearest
from cropstack.labels.batch_geometry import BatchGeometry, batch_geometry
from cropstack.labels.containers import (
    PARQUET,
    Layer,
    find_layers,
    gdal_for,
    geometries,
    named_errors,
    open_declarations,
    read_geo_metadata,
)
from cropstack.labels.plain_texts import plain_texts
from cropstack.labels.position import Position

M2 = {"ha": 10_000.0, "m2": 1.0}
ROWS_AT_ONCE = 65_536
_YEAR = re.compile(r"(?<!\d)(?:19[89]|20[0-4])\d(?!\d)")  # 2056 and 2154 are CRS
_MAX_EMPTY = 0.1  # ASSUME: offices publish a few parcels without geometry; a file that was cut has many
_WHOLE_FLOATS = 2**53  # above it neighbouring integers share a float64
_ADVICE = "Check encoding in source.yaml, or fetch it again."


@dataclass(frozen=True)
class Declared:
    """Parcels as declared, one entry a row.

    Attributes
    ----------
    geometry : in `crs`, which is in m.
    id, code, name : text without surrounding spaces, empty where null or not published.
    area_m2 : float64 declared area, NaN where none.
    outside : bool, where the middle of the bounding box lies outside the country's bounds.
    filtered : rows that `filters` of the edition leave out, by column and value; they are in no other attribute.
    """

    geometry: BatchGeometry
    id: np.ndarray
    code: np.ndarray
    name: np.ndarray
    area_m2: np.ndarray
    outside: np.ndarray
    crs: CRS
    filtered: Counter[tuple[str, str]]


@dataclass(frozen=True)
class Source:
    """What is read of a layer: its column names by role (id, code ...), those of filters, the CRS it is in, and the
    number of its rows as the file states it, negative where it does not.
    """

    layer: Layer
    columns: dict[str, str]
    filters: dict[str, list[str]]
    crs: CRS
    encoding: str | None
    rows: int


def metric_crs(edition: dict[str, Any], *, origin: str) -> CRS:
    """The CRS in m of an edition of source.yaml: its own, or the one to transform to.

    Raises
    ------
    ConfigError : there is none, or two.
    """
    declared, other = CRS.from_user_input(edition["crs"]), edition["metric_crs"]
    if not declared.is_geographic:
        if other is not None:
            raise ConfigError(f"{origin}: metric_crs {other} beside crs {edition['crs']}, which is in m. Leave it out.")
        return declared
    if other is None or CRS.from_user_input(other).is_geographic:
        raise ConfigError(
            f"{origin}: crs {edition['crs']} is in degrees; expected metric_crs, one in m to which geometries are "
            f"transformed, found {other}. Areas need it."
        )
    return CRS.from_user_input(other)


def years_in(name: str) -> set[int]:
    """Years from 1980 to 2049 that the name of a file or layer bears, each as a number of four digits by itself."""
    return {int(text) for text in _YEAR.findall(name)}


def read_declared(
    files: list[Path],
    edition: dict[str, Any],
    *,
    year: int,
    bounds: list[float],
    crs: CRS,
    rows_at_once: int = ROWS_AT_ONCE,
    scratch: Path | None = None,
) -> Generator[Declared, None, None]:
    """Read a declaration in batches.

    Parameters
    ----------
    files : as published.
    edition : of source.yaml, validated; `crs` is its `metric_crs`.
    bounds : of the country: west, south, east, north in degrees.
    scratch : where archives are unpacked, as `open_declarations` takes it.

    Raises
    ------
    DeclarationError : unreadable files, no features, fewer than the file states, many without geometry, a name that
        bears another year, a column that is missing, a CRS that is missing or not the expected one, parcels outside
        the country, ids that lost their last digits. What depends on all rows is raised after the last batch.
    """
    name = edition["layer"] and edition["layer"].format(year=year)
    wanted = {
        column: [value.replace("{year}", str(year)) for value in values]
        for column, values in edition["filters"].items()
    }
    origin = str(files[0])
    position = Position(CRS.from_user_input(edition["crs"]), bounds)
    count, empty, left_out = 0, 0, Counter[tuple[str, str]]()
    with open_declarations(files, scratch=scratch) as datasets:
        advice = f"Put the file of {year} there, or set layer in source.yaml."
        layers = find_layers(datasets, name, origin=origin, advice=advice)
        for source in [_check_layer(layer, edition | {"filters": wanted}, year) for layer in layers]:
            for batch in _read_batches(source, edition, crs, rows_at_once, position):
                count += len(batch.id)
                left_out += batch.filtered
                empty += int(np.isnan(batch.geometry.box[:, 0]).sum())
                yield batch
    if count == 0:
        why = ""
        if left_out:
            (column, value), _ = left_out.most_common(1)[0]
            why = f"; filters leave out all {left_out.total()} rows, most with {column} {value}"
        raise DeclarationError(f"{origin}: layer {layers[0].name} has no parcels{why}. Fetch the file again.")
    if empty > _MAX_EMPTY * count:
        raise DeclarationError(
            f"{origin}: {empty} of {count} parcels have no geometry; expected at most {_MAX_EMPTY:.0%}. Fetch the file "
            "again: it may be cut."
        )
    position.check(origin=f"{origin}: layer {layers[0].name}")


# --- layers -----------------------------------------------------------------------------------------------


def _check_layer(layer: Layer, edition: dict[str, Any], year: int) -> Source:
    """A layer that has the columns and the CRS which its edition names, and bears no other year."""
    named = years_in(f"{layer.path.stem} {layer.name}")
    if named and year not in named:
        raise DeclarationError(
            f"{layer.origin}: layer {layer.name} of {layer.path.name} bears the year {min(named)}; expected {year}. "
            f"Put the declaration of {year} there; if this is it in spite of its name, rename file and layer."
        )
    encoding = edition["encoding"] if layer.path.suffix.lower() == ".shp" else None  # others say it themselves
    fields, crs, rows = _describe(layer, encoding)
    found = {name.casefold(): name for name in fields}
    columns = {role: _column(layer, found, name, role) for role, name in edition["columns"].items() if name is not None}
    filters = {_column(layer, found, name, "filters"): values for name, values in edition["filters"].items()}
    return Source(layer, columns, filters, _check_crs(layer, crs, edition["crs"]), encoding, rows)


def _column(layer: Layer, found: dict[str, str], name: str, role: str) -> str:
    if name.casefold() in found:
        return found[name.casefold()]
    names = ", ".join(found.values()) or "none (is its .dbf file missing?)"
    key = role if role == "filters" else f"columns.{role}"
    raise DeclarationError(
        f"{layer.origin}: layer {layer.name} has no column {name} ({role}), but {names}"
        f"{nearest(name.casefold(), found) or '.'} Set {key} in source.yaml."
    )


def _describe(layer: Layer, encoding: str | None) -> tuple[list[str], str | dict[str, Any] | None, int]:
    """Names of the columns, the CRS and the number of rows as the file gives them."""
    if layer.path.suffix.lower() in PARQUET:
        geo: dict[str, Any] = dict(read_geo_metadata(layer.path, layer.origin))
        fields = [name for name in pq.read_schema(layer.path).names if name != geo["name"]]
        crs = geo.get("crs", "OGC:CRS84")  # SOURCE: GeoParquet 1.1.0, crs
        return fields, crs, pq.read_metadata(layer.path).num_rows
    with named_errors(layer, advice=_ADVICE), gdal_for(layer.path):
        info = pyogrio.read_info(layer.path, layer=layer.name, encoding=encoding)
    return [str(name) for name in info["fields"]], info["crs"], int(info["features"])


def _check_crs(layer: Layer, found: str | dict[str, Any] | None, expected: str) -> CRS:
    if not found:
        raise DeclarationError(
            f"{layer.origin}: layer {layer.name} has no CRS; expected {expected}. Is its .prj file missing?"
        )
    try:
        crs, wanted = CRS.from_user_input(found), CRS.from_user_input(expected)
    except CRSError as error:
        raise DeclarationError(f"{layer.origin}: CRS of layer {layer.name} is not understood ({error})") from error
    if crs.to_epsg(min_confidence=25) != wanted.to_epsg() and not crs.equals(wanted, ignore_axis_order=True):
        raise DeclarationError(
            f"{layer.origin}: layer {layer.name} has the CRS {crs.to_string()[:80]} ({crs.name}); expected {expected} "
            f"({wanted.name}). If the publisher changed it, add an edition with this crs to source.yaml."
        )
    return wanted


# --- rows -------------------------------------------------------------------------------------------------


def _read_batches(
    source: Source, edition: dict[str, Any], crs: CRS, rows_at_once: int, position: Position
) -> Iterator[Declared]:
    transformer = None if crs == source.crs else Transformer.from_crs(source.crs, crs, always_xy=True)
    pattern = edition["code_pattern"] and re.compile(edition["code_pattern"])
    rows = 0
    for table, geometry_column in _read_tables(source, rows_at_once):
        rows += table.num_rows
        table, filtered = _filter(table, source)
        geometry, box = _geometry(table[geometry_column], source.layer, transformer)
        outside = position.add(box)
        text = {role: _text(table, source.columns.get(role), source.layer) for role in ("id", "code", "name")}
        if pattern:
            text["code"] = _codes_in(text["code"], pattern)
        area = _numbers(table, source.columns.get("area"), source.layer) * M2.get(edition["area_unit"], np.nan)
        yield Declared(geometry, text["id"], text["code"], text["name"], area, outside, crs, filtered)
    if rows < source.rows:  # GDAL ends where a page is damaged, and raises nothing
        layer = source.layer
        raise DeclarationError(
            f"{layer.origin}: layer {layer.name} states {source.rows} rows, of which {rows} can be read: the file is "
            "damaged or cut. Fetch it again."
        )


def _geometry(wkb: pa.ChunkedArray, layer: Layer, transformer: Transformer | None) -> tuple[BatchGeometry, np.ndarray]:
    """Geometries as the transformer leaves them, and their bounds before."""
    decode = partial(geometries, layer=layer)
    if transformer is None:
        geometry = batch_geometry(wkb, decode)
        return geometry, geometry.box
    declared = decode(wkb)
    moved = shapely.transform(declared, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1])))
    again = pa.chunked_array([pa.array(shapely.to_wkb(moved, byte_order=1), pa.large_binary())])
    return batch_geometry(again, decode), shapely.bounds(declared)


def _read_tables(source: Source, rows_at_once: int) -> Iterator[tuple[pa.Table, str]]:
    """Tables of at most `rows_at_once` rows, and the name of their column with WKB."""
    layer = source.layer
    columns = sorted({*source.columns.values(), *source.filters})
    with named_errors(layer, advice=_ADVICE):
        if layer.path.suffix.lower() in PARQUET:
            name = str(read_geo_metadata(layer.path, layer.origin)["name"])
            with pq.ParquetFile(layer.path) as file:
                for batch in file.iter_batches(rows_at_once, columns=[*columns, name]):
                    table = pa.Table.from_batches([batch])
                    column = table.schema.get_field_index(name)
                    yield table.set_column(column, name, table[name].cast(pa.large_binary())), name
            return
        with (
            gdal_for(layer.path),
            pyogrio.open_arrow(
                layer.path,
                layer=layer.name,
                columns=columns,
                encoding=source.encoding,
                batch_size=rows_at_once,
                use_pyarrow=True,
            ) as (_, reader),
        ):
            for batch in reader:
                table = pa.Table.from_batches([batch])
                yield table, _geometry_column(table)


def _geometry_column(table: pa.Table) -> str:
    names = [field.name for field in table.schema if (field.metadata or {}).get(b"ARROW:extension:name")]
    return str(names[0] if names else table.column_names[-1])


def _filter(table: pa.Table, source: Source) -> tuple[pa.Table, Counter[tuple[str, str]]]:
    """Rows that have one of the values in each column of `filters`, and the count of the others."""
    filtered: Counter[tuple[str, str]] = Counter()
    for column, values in source.filters.items():
        texts = _text(table, column, source.layer)
        wanted = np.isin(texts.astype(str), values)
        filtered.update((column, text) for text in texts[~wanted])
        table = table.filter(pa.array(wanted))
    return table, filtered


def _codes_in(texts: np.ndarray, pattern: re.Pattern[str]) -> np.ndarray:
    """The group of the pattern in each text, the whole text where it does not match."""
    distinct, index = np.unique(texts.astype(str), return_inverse=True)
    found = [pattern.search(text) for text in distinct]
    codes = [match[1].strip() if match else text for match, text in zip(found, distinct.tolist(), strict=True)]
    return np.asarray(np.array(codes, object)[index])


def _text(table: pa.Table, column: str | None, layer: Layer) -> np.ndarray:
    """Trimmed texts of a column; control characters, which would break lines of the tables made of them, are spaces."""
    if column is None:
        return np.full(table.num_rows, "", object)
    values = table[column]
    if pa.types.is_floating(values.type):
        values = _whole_numbers(values, column, layer)
    try:
        if pa.types.is_string(values.type):
            values = pc.cast(values, pa.binary())  # and back: only then are the bytes checked
        texts = plain_texts(pc.cast(values, pa.string()))
    except pa.ArrowException as error:
        if pa.types.is_binary(values.type):
            raise DeclarationError(
                f"{layer.origin}: column {column} holds {_undecodable(values)!r}, which is no UTF-8. Set encoding in "
                "source.yaml (CP1252 is the usual one); rows in UTF-8 among them are then recognised as mojibake."
            ) from error
        raise DeclarationError(f"{layer.origin}: column {column} is no text ({error}). Choose another.") from error
    return np.asarray(texts.to_numpy(zero_copy_only=False), object)


def _undecodable(values: pa.ChunkedArray) -> bytes:
    """The first that is no UTF-8."""
    for value in pc.drop_null(values).to_pylist():
        try:
            value.decode()
        except UnicodeDecodeError:
            return bytes(value)
    return b""


def _whole_numbers(values: pa.ChunkedArray, column: str, layer: Layer) -> pa.ChunkedArray:
    numbers = pc.drop_null(values).to_numpy()
    if np.any(np.abs(numbers) > _WHOLE_FLOATS) or np.any(numbers != np.floor(numbers)):
        raise DeclarationError(
            f"{layer.origin}: column {column} is stored as floating point and has lost digits (largest "
            f"{np.abs(numbers).max():.17g}); expected text or integers. Ask the publisher for another format."
        )
    return pc.cast(values, pa.int64())


def _numbers(table: pa.Table, column: str | None, layer: Layer) -> np.ndarray:
    if column is None:
        return np.full(table.num_rows, np.nan)
    try:
        numbers = pc.cast(table[column], pa.float64())
    except pa.ArrowException as error:
        raise DeclarationError(f"{layer.origin}: column {column} (area) is no number ({error})") from error
    return np.asarray(pc.fill_null(numbers, np.nan).to_numpy(zero_copy_only=False), float)
