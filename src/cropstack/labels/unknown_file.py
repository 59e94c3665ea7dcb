"""Reading a declaration of which nothing is known yet: its layers, CRS, bounds and attributes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from cropstack.errors import DeclarationError
from cropstack.labels.containers import PARQUET, Layer, gdal_for, geometries, named_errors, read_geo_metadata
from cropstack.labels.crops import decoded

SAMPLE = 50_000  # parcels whose geometry and columns are looked at; crops are read of all
_ADVICE = "Fetch it again."
_ENCODINGS = (None, "UTF-8", "CP1252")  # None: what the driver finds out
_MARGIN_DEGREES = 0.5  # ASSUME: around what a file holds; the office's other years may reach farther


@dataclass(frozen=True)
class UnknownFile:
    """The layers of a declaration, as one.

    Attributes
    ----------
    layers : to be read one after another. encoding : of shapefile attributes, None where the driver knows.
    crs : of all layers. bounds : west, south, east, north in degrees, half a degree around what the file holds.
    sample : attributes of the first parcels; area_m2 : of their geometries, NaN where null.
    """

    layers: list[Layer]
    encoding: str | None
    crs: CRS
    bounds: tuple[float, float, float, float]
    sample: pd.DataFrame
    area_m2: np.ndarray


def look_at(layers: Sequence[Layer]) -> UnknownFile:
    """Find out what can be found out without reading all of it.

    Raises
    ------
    DeclarationError : a layer without parcels, without a CRS or with another one than the first.
    """
    crs = _crs_of(layers[0])
    other = [layer for layer in layers[1:] if _crs_of(layer) != crs]
    if other:
        raise DeclarationError(f"{other[0].origin}: layer {other[0].name} has another CRS than layer {layers[0].name}")
    encoding = _encoding_of(layers[0])
    tables, geometries, bounds, left = [], [], [], SAMPLE
    for layer in layers:
        bounds.append(_total_bounds(layer))
        if left > 0:
            table, geometry = _read_sample(layer, encoding, left)
            tables.append(table)
            geometries.append(geometry)
            left -= len(table)
    sample = pd.concat(tables, ignore_index=True)
    if sample.empty:
        raise DeclarationError(f"{layers[0].origin}: layer {layers[0].name} has no parcels. Fetch the file again.")
    box = np.array(bounds)
    around = _in_degrees(crs, np.fmin.reduce(box[:, :2]), np.fmax.reduce(box[:, 2:]), layers[0].origin)
    area = _area_m2(np.concatenate(geometries), crs)
    return UnknownFile(list(layers), encoding, crs, around, sample, area)


def utm_crs(crs: CRS, bounds: Sequence[float]) -> str | None:
    """CRS in m for data in degrees: the UTM zone (WGS 84) of their middle; None where `crs` is in m."""
    if not crs.is_geographic:
        return None
    west, south, east, north = bounds
    zone = int((west + east) / 2 + 180) // 6 + 1
    return f"EPSG:{(32600 if south + north > 0 else 32700) + zone}"


def read_columns(file: UnknownFile, columns: Sequence[str]) -> pd.DataFrame:
    """Attributes of all parcels."""
    names = list(dict.fromkeys(columns))
    return pd.concat([_read(layer, file.encoding, columns=names) for layer in file.layers], ignore_index=True)


def _read(layer: Layer, encoding: str | None, **how: Any) -> pd.DataFrame:
    if layer.path.suffix.lower() in PARQUET:
        with named_errors(layer, advice=_ADVICE):
            return pq.read_table(layer.path, columns=how["columns"]).to_pandas()
    return _read_arrow(layer, encoding, read_geometry=False, **how).to_pandas()


def _read_arrow(layer: Layer, encoding: str | None, **how: Any) -> pa.Table:
    with named_errors(layer, advice=_ADVICE), gdal_for(layer.path):
        _, table = pyogrio.read_arrow(layer.path, layer=layer.name, encoding=encoding, **how)
    return table


def _read_sample(layer: Layer, encoding: str | None, most: int) -> tuple[pd.DataFrame, np.ndarray]:
    if layer.path.suffix.lower() in PARQUET:
        name = str(read_geo_metadata(layer.path, layer.origin)["name"])
        with named_errors(layer, advice=_ADVICE), pq.ParquetFile(layer.path) as file:
            batches = [next(file.iter_batches(most))] if file.metadata.num_rows else []
            table = pa.Table.from_batches(batches, file.schema_arrow)
    else:
        table = _read_arrow(layer, encoding, max_features=most)
        spatial = [one.name for one in table.schema if (one.metadata or {}).get(b"ARROW:extension:name")]
        name = spatial[0] if spatial else table.column_names[-1]
    geometry = geometries(table[name], layer)
    kept = [one.name for one in table.schema if one.name != name and not pa.types.is_nested(one.type)]
    return table.select(kept).to_pandas(), geometry


def _crs_of(layer: Layer) -> CRS:
    if layer.path.suffix.lower() in PARQUET:
        found: Any = read_geo_metadata(layer.path, layer.origin).get("crs", "OGC:CRS84")
    else:
        with named_errors(layer, advice=_ADVICE), gdal_for(layer.path):
            found = pyogrio.read_info(layer.path, layer=layer.name)["crs"]
    try:
        crs = CRS.from_user_input(found) if found else None
    except CRSError as error:
        raise DeclarationError(f"{layer.origin}: CRS of layer {layer.name} is not understood ({error})") from error
    if crs is None or (crs.to_epsg(min_confidence=25) is None and crs.to_authority() != ("OGC", "CRS84")):
        what = "no CRS" if crs is None else f"the CRS {crs.name}, which is not in the EPSG list"
        raise DeclarationError(f"{layer.origin}: layer {layer.name} has {what}. Ask the office which it is.")
    epsg = crs.to_epsg(min_confidence=25) or 4326
    return CRS.from_epsg(epsg)


def _encoding_of(layer: Layer) -> str | None:
    """Encoding of a shapefile in which its texts are decoded as they were meant."""
    if layer.path.suffix.lower() != ".shp":
        return None
    for encoding in _ENCODINGS:
        try:
            table = _read(layer, encoding, max_features=SAMPLE)
        except DeclarationError:
            continue
        words = {str(value) for name in table for value in table[name].dropna().unique() if isinstance(value, str)}
        if not any(decoded(word) != word or "\N{REPLACEMENT CHARACTER}" in word for word in words):
            return encoding
    return None


def _total_bounds(layer: Layer) -> np.ndarray:
    if layer.path.suffix.lower() in PARQUET:
        name = str(read_geo_metadata(layer.path, layer.origin)["name"])
        with named_errors(layer, advice=_ADVICE):
            wkb = pq.read_table(layer.path, columns=[name])[name]
        box = shapely.bounds(geometries(wkb, layer)).reshape(-1, 4)
        low, high = np.fmin.reduce(box[:, :2], initial=np.inf), np.fmax.reduce(box[:, 2:], initial=-np.inf)
        return np.concatenate([low, high])
    with named_errors(layer, advice=_ADVICE), gdal_for(layer.path):
        info = pyogrio.read_info(layer.path, layer=layer.name, force_total_bounds=True)
    return np.array(info["total_bounds"] if info["total_bounds"] is not None else [np.nan] * 4)


def _in_degrees(crs: CRS, low: np.ndarray, high: np.ndarray, origin: str) -> tuple[float, float, float, float]:
    if not np.isfinite([*low, *high]).all():
        raise DeclarationError(f"{origin}: no parcel has a geometry that can be read. Fetch the file again.")
    box = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform_bounds(*low, *high)
    if not np.isfinite(box).all() or max(abs(box[1]), abs(box[3])) > 90:
        raise DeclarationError(
            f"{origin}: the bounds {np.round([*low, *high], 3).tolist()} are no place in {crs.to_string()} "
            f"({crs.name}). The CRS that the file names is not the one of its coordinates."
        )
    west, south, east, north = box
    outer = np.floor(np.array([west, south]) * 10) / 10 - _MARGIN_DEGREES
    inner = np.ceil(np.array([east, north]) * 10) / 10 + _MARGIN_DEGREES
    return tuple(float(round(value, 1)) for value in (*outer, *inner))  # type: ignore[return-value]


def _area_m2(geometry: np.ndarray, crs: CRS) -> np.ndarray:
    """Areas; of data in degrees in an equal-area projection of the world."""
    if crs.is_geographic:
        move = Transformer.from_crs(crs, "EPSG:6933", always_xy=True)
        geometry = shapely.transform(geometry, lambda xy: np.column_stack(move.transform(xy[:, 0], xy[:, 1])))
    return np.asarray(shapely.area(geometry))
