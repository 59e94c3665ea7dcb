"""Harmonised parcels: their identity and order (digests, ids, duplicates), and which are near a box.

Nothing here depends on the order of rows in a file: parcels are ordered by id, then by digest of their geometry, then
by crop.
"""

import hashlib
from dataclasses import dataclass
from itertools import pairwise

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from pyproj import Transformer

from cropstack.labels.normal_rings import normal_rings

KEY_PRECISION_M = 0.01  # coordinates are compared and hashed at 1 cm
NEAR_M = 100.0  # a densified edge is still a polyline


@dataclass(frozen=True)
class Parcels:
    """The parcels that are kept, in their order, without their geometries.

    Attributes
    ----------
    row : int64, their rows in the declaration.
    id : text, unique.
    code, name : int32, crop code and name as declared: indices of `codes` and `names`.
    area_m2 : float64, of the geometry.
    box : float64 (parcels, 4), bounds of the geometry in m.
    is_multi : bool, MultiPolygon.
    """

    row: np.ndarray
    id: pa.StringArray
    code: np.ndarray
    codes: list[str]
    name: np.ndarray
    names: list[str]
    area_m2: np.ndarray
    box: np.ndarray
    is_multi: np.ndarray


def geometry_keys(geometry: np.ndarray) -> np.ndarray:
    """Bytes that are equal for equal shapes, whatever vertex comes first: WKB of normalised geometry at 1 cm."""
    rounded = shapely.transform(geometry, lambda xy: np.round(xy / KEY_PRECISION_M) * KEY_PRECISION_M)
    return np.asarray(shapely.to_wkb(shapely.normalize(rounded), byte_order=1), object)


def geometry_digests(geometry: np.ndarray, wkb: np.ndarray, offsets: np.ndarray, *, year: int) -> np.ndarray:
    """The first 16 bytes of SHA-256 over year and key of each geometry: uint64 (n, 2) that sort as the bytes do.

    `wkb` (uint8) are the geometries as little-endian WKB one after the other, `offsets` int64 (n + 1) where each
    begins; objects are needed of all that are no polygon of one ring.
    """
    rings, done = normal_rings(wkb, offsets, KEY_PRECISION_M)
    data = rings.tobytes()
    keys = [data[start:end] for start, end in pairwise(offsets.tolist())]
    for row, key in zip(np.flatnonzero(~done).tolist(), geometry_keys(geometry[~done]), strict=True):
        keys[row] = key
    prefix, sha256 = b"%d:" % year, hashlib.sha256
    digests = b"".join([sha256(prefix + key).digest() for key in keys])
    return np.frombuffer(digests, ">u8").reshape(-1, 4)[:, :2].astype(np.uint64)


def derived_ids(digests: np.ndarray) -> np.ndarray:
    """Ids for declarations that publish none: the digest's first 16 hexadecimal digits."""
    return np.array([f"{first:016x}" for first in digests[:, 0].tolist()], object)


def stable_order(ids: pa.StringArray, digests: np.ndarray, code_ranks: np.ndarray) -> np.ndarray:
    """Indices that sort parcels by id (shorter first, so that numbers sort as numbers), digest, crop code."""
    columns = {"length": pc.utf8_length(ids), "id": ids}
    columns |= {"first": pa.array(digests[:, 0]), "second": pa.array(digests[:, 1]), "code": pa.array(code_ranks)}
    return pc.sort_indices(pa.table(columns), [(name, "ascending") for name in columns]).to_numpy().astype(np.int64)


def first_of_duplicates(digests: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """For each row the first row with the same geometry and crop; its own index where there is none before."""
    frame = pd.DataFrame({"first": digests[:, 0], "second": digests[:, 1], "code": codes})
    result = np.arange(len(frame))
    several = frame[frame.duplicated(keep=False)]
    result[several.index] = several.index.to_series().groupby([several[name] for name in several]).transform("first")
    return result


def unique_ids(ids: pa.StringArray) -> pa.StringArray:
    """Ids with ``-2``, ``-3`` ... appended to the second, third ... of the same; never one that is taken.

    Equal ones stand together, as `stable_order` puts them.
    """
    again = 1 + np.flatnonzero(pc.equal(ids[1:], ids[:-1]))
    if not len(again):
        return ids
    texts = ids.take(pa.array(again)).to_pylist()
    taken = _numbered(ids, set(texts))
    last: dict[str, int] = {}
    renamed = []
    for text in texts:
        number = last.get(text, 1) + 1
        while f"{text}-{number}" in taken:
            number += 1
        last[text] = number
        renamed.append(f"{text}-{number}")
    where = np.zeros(len(ids), bool)
    where[again] = True
    return pc.replace_with_mask(ids, pa.array(where), pa.array(renamed, pa.string()))


def _numbered(ids: pa.StringArray, of: set[str]) -> set[str]:
    """Those ids that are one of `of` with a number appended."""
    numbered = ids.filter(pc.match_substring_regex(ids, "-[0-9]+$")).to_pylist()
    return {text for text in numbered if text.rpartition("-")[0] in of}


def near_box(parcels: gpd.GeoSeries, box: tuple[float, float, float, float], crs: str) -> np.ndarray:
    """Bool: parcels whose bounding box comes near a box (left, bottom, right, top in `crs`).

    Cheap, in the parcels' own CRS; a few more are found than touch the box, never fewer.
    """
    transformer = Transformer.from_crs(crs, parcels.crs, always_xy=True)
    left, bottom, right, top = transformer.transform_bounds(*box, densify_pts=21)
    bounds = shapely.bounds(parcels.to_numpy())
    across = (bounds[:, 2] >= left - NEAR_M) & (bounds[:, 0] <= right + NEAR_M)
    return np.asarray(across & (bounds[:, 3] >= bottom - NEAR_M) & (bounds[:, 1] <= top + NEAR_M))
