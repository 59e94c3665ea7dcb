"""Harmonised parcels: their columns, identity, order and relations (derived ids, duplicates, overlaps).

Nothing here depends on the order of rows in a file: parcels are ordered by id, then by geometry, then by crop.
"""

import hashlib
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from pyproj import Transformer

KEY_PRECISION_M = 0.01  # coordinates are compared and hashed at 1 cm
OVERLAP_AREA_M2 = 10.0  # ASSUME: overlaps below a tenth of a pixel at 10 m are left to rounding
NEAR_M = 100.0  # a densified edge is still a polyline
_PAIRS_AT_ONCE = 200_000


@dataclass
class Parcels:
    """Columns of the result, by row.

    `declared_code` is the code as declared, `code` the one of crops.csv that it stands for; `repairs` are reasons
    separated by spaces.
    """

    id: np.ndarray
    declared_code: np.ndarray
    code: np.ndarray
    name: np.ndarray
    geometry: np.ndarray
    area_m2: np.ndarray
    class_code: np.ndarray
    hcat: np.ndarray
    repairs: np.ndarray


def geometry_keys(geometry: np.ndarray) -> np.ndarray:
    """Bytes that are equal for equal shapes, whatever vertex comes first: WKB of normalised geometry at 1 cm."""
    rounded = shapely.transform(geometry, lambda xy: np.round(xy / KEY_PRECISION_M) * KEY_PRECISION_M)
    return np.asarray(shapely.to_wkb(shapely.normalize(rounded), byte_order=1), object)


def derived_ids(keys: np.ndarray, *, year: int) -> np.ndarray:
    """Ids for declarations that publish none: 16 hexadecimal digits of SHA-256 over year and geometry."""
    return np.array([hashlib.sha256(b"%d:" % year + key).hexdigest()[:16] for key in keys], object)


def stable_order(ids: np.ndarray, keys: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Indices that sort parcels by id (shorter first, so that numbers sort as numbers), geometry, crop code."""
    text = pa.array(ids, pa.string())
    columns = {"length": pc.utf8_length(text), "id": text}
    columns |= {"key": pa.array(keys, pa.binary()), "code": pa.array(codes, pa.string())}
    return pc.sort_indices(pa.table(columns), [(name, "ascending") for name in columns]).to_numpy().astype(np.int64)


def first_of_duplicates(keys: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """For each row the first row with the same geometry and crop; its own index where there is none before."""
    group = pd.DataFrame({"key": keys, "code": codes}).groupby(["key", "code"], sort=False).ngroup().to_numpy()
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    return np.asarray(first[inverse], np.int64)


def unique_ids(ids: np.ndarray) -> np.ndarray:
    """Ids with ``-2``, ``-3`` ... appended to the second, third ... of the same; never one that is taken."""
    taken = set(ids)
    last: dict[str, int] = {}
    result = ids.copy()
    for row in np.flatnonzero(pd.Series(ids, dtype=object).duplicated().to_numpy()):
        number = last.get(ids[row], 1) + 1
        while f"{ids[row]}-{number}" in taken:
            number += 1
        last[ids[row]] = number
        result[row] = f"{ids[row]}-{number}"
        taken.add(result[row])
    return result


def overlaps(geometry: np.ndarray) -> list[tuple[int, int, float]]:
    """Pairs of polygons that share more than `OVERLAP_AREA_M2`: (smaller, larger, shared area in m²).

    The smaller one is drawn on top in label rasters; of two equal ones the later.
    """
    tree = shapely.STRtree(geometry)
    left, right = tree.query(geometry)
    once = left < right
    left, right = left[once], right[once]
    starts = range(0, len(left), _PAIRS_AT_ONCE)
    slices = [slice(start, start + _PAIRS_AT_ONCE) for start in starts]
    parts = [_shared_area(geometry[left[some]], geometry[right[some]]) for some in slices]
    shared = np.concatenate([np.zeros(0), *parts])
    area = shapely.area(geometry)
    found = np.flatnonzero(shared > OVERLAP_AREA_M2)
    swap = area[left[found]] < area[right[found]]
    smaller, larger = np.where(swap, left[found], right[found]), np.where(swap, right[found], left[found])
    return sorted(zip(smaller.tolist(), larger.tolist(), shared[found].tolist(), strict=True))


def _shared_area(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Area of intersections; neighbours that only touch are told apart first, which is cheaper."""
    shapely.prepare(left)
    touching = shapely.touches(left, right) | ~shapely.intersects(left, right)
    area = np.zeros(len(left))
    area[~touching] = shapely.area(shapely.intersection(left[~touching], right[~touching]))
    return area


def near_box(parcels: gpd.GeoSeries, box: tuple[float, float, float, float], crs: str) -> np.ndarray:
    """Bool: parcels whose bounding box comes near a box (left, bottom, right, top in `crs`).

    Cheap, in the parcels' own CRS; a few more are found than touch the box, never fewer.
    """
    transformer = Transformer.from_crs(crs, parcels.crs, always_xy=True)
    left, bottom, right, top = transformer.transform_bounds(*box, densify_pts=21)
    bounds = shapely.bounds(parcels.to_numpy())
    across = (bounds[:, 2] >= left - NEAR_M) & (bounds[:, 0] <= right + NEAR_M)
    return np.asarray(across & (bounds[:, 3] >= bottom - NEAR_M) & (bounds[:, 1] <= top + NEAR_M))
