"""Reading the parcels of a declaration as its office published it: layer, columns, CRS."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from cropstack.errors import DeclarationError, nearest
from cropstack.labels.containers import Layer, without_folder

M2 = {"ha": 10_000.0, "m2": 1.0}
_WHOLE_FLOATS = 2**53  # above it neighbouring integers share a float64
_MAX_SHARE_OUTSIDE = 0.01  # ASSUME: more parcels outside the country than this mean a wrong CRS


@dataclass(frozen=True)
class Declared:
    """Parcels as declared, one entry a row.

    Attributes
    ----------
    geometry : shapely geometries of any type, None where null, in `crs`.
    id, code, name : text without surrounding spaces, empty where null or not published.
    area_m2 : float64 declared area, NaN where none.
    """

    geometry: np.ndarray
    id: np.ndarray
    code: np.ndarray
    name: np.ndarray
    area_m2: np.ndarray
    crs: CRS


def read_layer(layer: Layer, edition: dict[str, Any], *, bounds: list[float]) -> Declared:
    """Read one layer.

    Parameters
    ----------
    edition : of source.yaml, validated.
    bounds : of the country: west, south, east, north in degrees.

    Raises
    ------
    DeclarationError : no features, a column that is missing, a CRS that is missing or not the expected one,
        parcels outside the country, ids that lost their last digits.
    """
    crs, columns = _check_layer(layer, edition)
    table = _read_table(layer, edition, list(columns.values()))
    if table.num_rows == 0:
        raise DeclarationError(f"{layer.origin}: layer {layer.name} has no parcels. Fetch the file again.")
    geometry = shapely.from_wkb(_geometry_of(table), on_invalid="fix")
    check_position(geometry, crs, bounds, origin=f"{layer.origin}: layer {layer.name}")
    text = {role: _text(table, columns.get(role), layer) for role in ("id", "code", "name")}
    area = _numbers(table, columns.get("area"), layer) * M2.get(edition["area_unit"], np.nan)
    return Declared(geometry, text["id"], text["code"], text["name"], area, crs)


def _check_layer(layer: Layer, edition: dict[str, Any]) -> tuple[CRS, dict[str, str]]:
    """CRS of a layer and, for each role (id, code ...) that is published, the column as the file spells it."""
    info = pyogrio.read_info(layer.path, layer=layer.name, encoding=_encoding(layer, edition))
    found = {str(name).casefold(): str(name) for name in info["fields"]}
    columns = {}
    for role, name in edition["columns"].items():
        if name is None:
            continue
        if name.casefold() not in found:
            names = ", ".join(found.values()) or "none (is its .dbf file missing?)"
            raise DeclarationError(
                f"{layer.origin}: layer {layer.name} has no column {name} ({role}), but {names}"
                f"{nearest(name.casefold(), found)}. Set columns.{role} in source.yaml."
            )
        columns[role] = found[name.casefold()]
    return _check_crs(layer, info["crs"], edition["crs"]), columns


def _check_crs(layer: Layer, found: str | None, expected: str) -> CRS:
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


def _encoding(layer: Layer, edition: dict[str, Any]) -> str | None:
    """Only shapefiles leave the encoding open; GeoPackages are UTF-8."""
    return edition["encoding"] if layer.path.suffix.lower() == ".shp" else None


def _read_table(layer: Layer, edition: dict[str, Any], columns: list[str]) -> pa.Table:
    try:
        _, table = pyogrio.read_arrow(
            layer.path, layer=layer.name, columns=sorted(set(columns)), encoding=_encoding(layer, edition)
        )
    except (DataSourceError, DataLayerError, UnicodeDecodeError, LookupError, pa.ArrowInvalid) as error:
        raise DeclarationError(
            f"{layer.origin}: layer {layer.name} cannot be read ({without_folder(error, layer.path)}). Check "
            "encoding in source.yaml, or fetch it again."
        ) from error
    return table


def _geometry_of(table: pa.Table) -> np.ndarray:
    names = [field.name for field in table.schema if (field.metadata or {}).get(b"ARROW:extension:name")]
    column = table[names[0] if names else table.column_names[-1]]
    return np.asarray(column.to_numpy(zero_copy_only=False), object)


def _text(table: pa.Table, column: str | None, layer: Layer) -> np.ndarray:
    if column is None:
        return np.full(table.num_rows, "", object)
    values = table[column]
    if pa.types.is_floating(values.type):
        values = _whole_numbers(values, column, layer)
    texts = pc.utf8_trim_whitespace(pc.fill_null(pc.cast(values, pa.string()), ""))
    return np.asarray(texts.to_numpy(zero_copy_only=False), object)


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
    except pa.ArrowInvalid as error:
        raise DeclarationError(f"{layer.origin}: column {column} (area) is no number ({error})") from error
    return np.asarray(pc.fill_null(numbers, np.nan).to_numpy(zero_copy_only=False), float)


def outside(geometry: np.ndarray, crs: CRS, bounds: list[float]) -> np.ndarray:
    """Bool: the middle of the bounding box lies outside the country's bounds. Null and empty count as inside."""
    west, south, east, north = bounds
    box = shapely.bounds(geometry)
    x, y = (box[:, 0] + box[:, 2]) / 2, (box[:, 1] + box[:, 3]) / 2
    longitude, latitude = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)
    inside = (west <= longitude) & (longitude <= east) & (south <= latitude) & (latitude <= north)
    return ~inside & ~np.isnan(x)


def check_position(geometry: np.ndarray, crs: CRS, bounds: list[float], *, origin: str) -> None:
    """Refuse parcels of which more than a few lie outside their country.

    Raises
    ------
    DeclarationError : with the likely cause: degrees under a metric CRS, axes swapped, another CRS.
    """
    share = outside(geometry, crs, bounds).mean()
    if share <= _MAX_SHARE_OUTSIDE:
        return
    box = shapely.total_bounds(geometry)
    swapped = outside(shapely.transform(geometry, lambda xy: xy[:, ::-1]), crs, bounds).mean()
    if not crs.is_geographic and np.abs(box).max() <= 360:
        cause = "These are degrees under a metric CRS: ask the publisher, or correct the CRS of the file"
    elif swapped <= _MAX_SHARE_OUTSIDE:
        cause = "Its axes are swapped: x holds northings, y eastings"
    else:
        cause = "The CRS that the file names is not the one of its coordinates, or bounds in source.yaml are wrong"
    raise DeclarationError(
        f"{origin}: {share:.0%} of the parcels lie outside {bounds} (west, south, east, north in degrees); their "
        f"bounds are {np.round(box, 3).tolist()} in {crs.to_string()}. {cause}."
    )
