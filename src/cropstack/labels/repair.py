"""The repair ladder for parcel geometries: vectorised, and every change named.

Steps, in order: null or empty → rejected; Z and M → dropped; invalid → made valid, polygons kept, rejected where the
area then changed too much; slivers → dropped, rejected where nothing else is left.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import shapely

AREA_TOLERANCE = 0.05  # ASSUME: share of its area that a geometry may change by in repair
AREA_SLACK_M2 = 100.0  # ... or one pixel at 10 m, for small parcels
SLIVER_AREA_M2 = 10.0  # ASSUME: a tenth of a pixel at 10 m
SLIVER_WIDTH_M = 1.0  # ASSUME: mean width; narrower strips are gaps of digitising, no fields
_POLYGON, _MULTIPOLYGON = 3, 6


@dataclass
class Changes:
    """What happened to rows: for each reason, the evidence by row.

    `gone` (bool by row) are the rejected ones. A row is rejected once, for the first reason.
    """

    gone: np.ndarray
    rejected: dict[str, dict[int, str]] = field(default_factory=dict)
    repaired: dict[str, dict[int, str]] = field(default_factory=dict)

    def reject(self, reason: str, evidence: dict[int, str]) -> None:
        """Reject rows that no earlier step rejected."""
        new = {row: text for row, text in evidence.items() if not self.gone[row]}
        self.rejected.setdefault(reason, {}).update(new)
        self.gone[list(new)] = True

    def repair(self, reason: str, evidence: dict[int, str]) -> None:
        """Note that rows were repaired."""
        self.repaired.setdefault(reason, {}).update(evidence)


def placed(changes: Changes, rows: np.ndarray, count: int) -> Changes:
    """Changes of some rows, by their place among `count`."""
    gone = np.zeros(count, bool)
    gone[rows] = changes.gone
    rejected, repaired = (
        {reason: {int(rows[row]): text for row, text in evidence.items()} for reason, evidence in reasons.items()}
        for reasons in (changes.rejected, changes.repaired)
    )
    return Changes(gone, rejected, repaired)


def joined(batches: Iterable[Changes]) -> Changes:
    """Changes of batches of rows that stand one after the other."""
    result = Changes(np.zeros(0, bool))
    gone, first = [result.gone], 0
    for batch in batches:
        for of_batch, of_all in ((batch.rejected, result.rejected), (batch.repaired, result.repaired)):
            for reason, evidence in of_batch.items():
                of_all.setdefault(reason, {}).update({first + row: text for row, text in evidence.items()})
        gone.append(batch.gone)
        first += len(batch.gone)
    result.gone = np.concatenate(gone)
    return result


def repair_polygons(geometry: np.ndarray) -> tuple[np.ndarray, Changes]:
    """Repair polygons in a metric CRS.

    Parameters
    ----------
    geometry : shapely geometries of any type or None; coordinates in m.

    Returns
    -------
    Geometries of the same length: Polygon or MultiPolygon, valid, two-dimensional; undefined where rejected. And the
    changes: ``empty_geometry``, ``z_dropped``, ``invalid_geometry``, ``not_polygon``, ``sliver``, ``multipart`` (only
    counted: a parcel of several parts is one parcel).
    """
    geometry = geometry.copy()
    changes = Changes(np.zeros(len(geometry), bool))
    _reject_empty(geometry, changes)
    _drop_z(geometry, changes)
    _make_valid(geometry, changes)
    _keep_polygons(geometry, changes)
    _drop_slivers(geometry, changes)
    parts = shapely.get_num_geometries(geometry)
    several = np.flatnonzero((parts > 1) & ~changes.gone).tolist()
    made = changes.repaired["invalid_geometry"]  # there the repair made the parts, and says so
    changes.repair("multipart", {row: f"{parts[row]} parts, kept as one parcel" for row in several if row not in made})
    return geometry, changes


def _reject_empty(geometry: np.ndarray, changes: Changes) -> None:
    null = shapely.is_missing(geometry)
    empty = shapely.is_empty(geometry)
    changes.reject("empty_geometry", dict.fromkeys(_rows(null), "no geometry, or none that can be read"))
    changes.reject("empty_geometry", dict.fromkeys(_rows(empty), "geometry without points"))
    geometry[null] = shapely.Polygon()


def _drop_z(geometry: np.ndarray, changes: Changes) -> None:
    has_z = shapely.has_z(geometry) | shapely.has_m(geometry)
    geometry[has_z] = shapely.force_2d(geometry[has_z])
    changes.repair("z_dropped", dict.fromkeys(_rows(has_z & ~changes.gone), "Z or M dropped"))


def _make_valid(geometry: np.ndarray, changes: Changes) -> None:
    rows = np.flatnonzero(~shapely.is_valid(geometry))  # coordinates that are no numbers are not valid either
    coordinates, owner = shapely.get_coordinates(geometry[rows], return_index=True)
    unbounded = rows[np.unique(owner[~np.isfinite(coordinates).all(axis=1)])]
    changes.reject("invalid_geometry", dict.fromkeys(unbounded.tolist(), "coordinates that are no numbers"))
    geometry[unbounded] = shapely.Polygon()
    rows = np.setdiff1d(rows, unbounded)
    broken = geometry[rows]
    why, before = shapely.is_valid_reason(broken), shapely.area(broken)
    geometry[rows] = shapely.make_valid(broken, method="structure", keep_collapsed=False)
    after = shapely.area(geometry[rows])
    allowed = np.maximum(AREA_TOLERANCE * before, AREA_SLACK_M2)
    too_much = (np.abs(after - before) > allowed) | (after == 0)
    texts = [f"{why[i]}; area {before[i]:.1f} m2, repaired {after[i]:.1f} m2" for i in range(len(rows))]
    evidence = dict(zip(rows.tolist(), texts, strict=True))
    changes.reject("invalid_geometry", {row: evidence[row] for row in rows[too_much].tolist()})
    changes.repair("invalid_geometry", {row: evidence[row] for row in rows[~too_much].tolist()})


def _keep_polygons(geometry: np.ndarray, changes: Changes) -> None:
    """Polygons out of collections; a multipolygon of one part becomes a polygon."""
    kinds = shapely.get_type_id(geometry)
    for row in _rows(~np.isin(kinds, (_POLYGON, _MULTIPOLYGON)) & ~changes.gone):  # rare among parcels
        parts = shapely.get_parts(shapely.get_parts([geometry[row]]))
        polygons = parts[shapely.get_type_id(parts) == _POLYGON]
        text = {row: f"{geometry[row].geom_type} with {len(polygons)} polygons"}
        geometry[row] = shapely.union_all(polygons) if len(polygons) else shapely.Polygon()
        if len(polygons):
            changes.repair("not_polygon", text)
        else:
            changes.reject("not_polygon", text)
    single = (shapely.get_type_id(geometry) == _MULTIPOLYGON) & (shapely.get_num_geometries(geometry) == 1)
    geometry[single] = shapely.get_geometry(geometry[single], 0)


def is_sliver(polygons: np.ndarray) -> np.ndarray:
    """Bool: polygons too small or too narrow to be a field; the mean width is 2 × area / perimeter."""
    area, perimeter = shapely.area(polygons), shapely.length(polygons)
    width = 2 * area / np.maximum(perimeter, np.finfo(float).tiny)
    return (area < SLIVER_AREA_M2) | (width < SLIVER_WIDTH_M)


def _drop_slivers(geometry: np.ndarray, changes: Changes) -> None:
    rows = np.flatnonzero(is_sliver(geometry) & (shapely.get_num_geometries(geometry) == 1) & ~changes.gone)
    _reject_slivers(rows, geometry, changes)
    rows = np.flatnonzero((shapely.get_num_geometries(geometry) > 1) & ~changes.gone)
    parts, owner = shapely.get_parts(geometry[rows], return_index=True)
    sliver = is_sliver(parts)
    with_slivers = np.unique(owner[sliver])
    of_others = np.isin(owner, with_slivers) & ~sliver
    left = np.unique(owner[of_others])
    _reject_slivers(rows[np.setdiff1d(with_slivers, left)], geometry, changes)
    remaining = shapely.multipolygons(parts[of_others], indices=np.searchsorted(left, owner[of_others]))
    area, kept = shapely.area(geometry[rows[left]]), shapely.area(remaining)
    one = shapely.get_num_geometries(remaining) == 1
    geometry[rows[left]] = np.where(one, shapely.get_geometry(remaining, 0), remaining)
    texts = [f"slivers of {a - b:.1f} m2 dropped, {b:.1f} m2 kept" for a, b in zip(area, kept, strict=True)]
    changes.repair("sliver", dict(zip(rows[left].tolist(), texts, strict=True)))


def _reject_slivers(rows: np.ndarray, geometry: np.ndarray, changes: Changes) -> None:
    area, perimeter = shapely.area(geometry[rows]), shapely.length(geometry[rows])
    texts = [f"area {a:.1f} m2, perimeter {p:.1f} m" for a, p in zip(area, perimeter, strict=True)]
    changes.reject("sliver", dict(zip(rows.tolist(), texts, strict=True)))


def _rows(which: np.ndarray) -> list[int]:
    return [int(row) for row in np.flatnonzero(which)]
