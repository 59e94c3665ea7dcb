"""The repair ladder for parcel geometries: vectorised, and every change named.

Steps, in order: null or empty → rejected; Z and M → dropped; invalid → made valid, polygons kept, rejected where the
area then changed too much; slivers → dropped, rejected where nothing else is left.
"""

from dataclasses import dataclass, field

import numpy as np
import shapely

AREA_TOLERANCE = 0.05  # ASSUME: share of its area that a geometry may change by in repair
AREA_SLACK_M2 = 100.0  # ... or one pixel at 10 m, for small parcels
SLIVER_AREA_M2 = 10.0  # ASSUME: a tenth of a pixel at 10 m
SLIVER_WIDTH_M = 1.0  # ASSUME: mean width; narrower strips are gaps of digitising, no fields
_POLYGON, _MULTIPOLYGON = 3, 6


@dataclass
class Repaired:
    """Geometries after repair, and what happened to them.

    Attributes
    ----------
    geometry : Polygon or MultiPolygon, valid, two-dimensional; undefined where rejected.
    rejected, repaired : for each reason, the evidence by row.
    """

    geometry: np.ndarray
    rejected: dict[str, dict[int, str]] = field(default_factory=dict)
    repaired: dict[str, dict[int, str]] = field(default_factory=dict)

    def reject(self, reason: str, evidence: dict[int, str]) -> None:
        """Reject rows that no earlier step rejected."""
        gone = self.is_rejected
        new = {row: text for row, text in evidence.items() if not gone[row]}
        self.rejected.setdefault(reason, {}).update(new)

    @property
    def is_rejected(self) -> np.ndarray:
        """Bool by row."""
        gone = np.zeros(len(self.geometry), bool)
        for evidence in self.rejected.values():
            gone[list(evidence)] = True
        return gone


def repair_polygons(geometry: np.ndarray) -> Repaired:
    """Repair polygons in a metric CRS.

    Parameters
    ----------
    geometry : shapely geometries of any type or None; coordinates in m.

    Returns
    -------
    Repaired, of the same length. Reasons: ``empty_geometry``, ``z_dropped``, ``invalid_geometry``, ``not_polygon``,
    ``sliver``, ``multipart`` (only counted: a parcel of several parts is one parcel).
    """
    result = Repaired(geometry.copy())
    _reject_empty(result)
    _drop_z(result)
    _make_valid(result)
    _keep_polygons(result)
    _drop_slivers(result)
    parts = shapely.get_num_geometries(result.geometry)
    several = np.flatnonzero((parts > 1) & ~result.is_rejected)
    result.repaired["multipart"] = {
        int(row): f"{parts[row]} parts, kept as one parcel"
        for row in several
        if row not in result.repaired["invalid_geometry"]  # there the repair made the parts, and says so
    }
    return result


def _reject_empty(result: Repaired) -> None:
    null = shapely.is_missing(result.geometry)
    empty = shapely.is_empty(result.geometry)
    result.reject("empty_geometry", {int(row): "no geometry, or none that can be read" for row in np.flatnonzero(null)})
    result.reject("empty_geometry", {int(row): "geometry without points" for row in np.flatnonzero(empty)})
    result.geometry[null] = shapely.Polygon()
    coordinates, owner = shapely.get_coordinates(result.geometry, return_index=True)
    unbounded = np.zeros(len(result.geometry), bool)
    unbounded[owner[~np.isfinite(coordinates).all(axis=1)]] = True
    rows = np.flatnonzero(unbounded)
    result.reject("invalid_geometry", {int(row): "coordinates that are no numbers" for row in rows})
    result.geometry[unbounded] = shapely.Polygon()


def _drop_z(result: Repaired) -> None:
    has_z = shapely.has_z(result.geometry) | shapely.has_m(result.geometry)
    result.geometry[has_z] = shapely.force_2d(result.geometry[has_z])
    result.repaired["z_dropped"] = {int(row): "Z or M dropped" for row in np.flatnonzero(has_z & ~result.is_rejected)}


def _make_valid(result: Repaired) -> None:
    rows = np.flatnonzero(~shapely.is_valid(result.geometry))
    broken = result.geometry[rows]
    why = shapely.is_valid_reason(broken)
    before = shapely.area(broken)
    result.geometry[rows] = shapely.make_valid(broken, method="structure", keep_collapsed=False)
    after = shapely.area(result.geometry[rows])
    change = np.abs(after - before)
    allowed = np.maximum(AREA_TOLERANCE * before, AREA_SLACK_M2)
    evidence = {
        int(row): f"{why[i]}; area {before[i]:.1f} m2, repaired {after[i]:.1f} m2" for i, row in enumerate(rows)
    }
    too_much = rows[(change > allowed) | (after == 0)]
    result.reject("invalid_geometry", {int(row): evidence[int(row)] for row in too_much})
    result.repaired["invalid_geometry"] = {row: text for row, text in evidence.items() if row not in set(too_much)}


def _keep_polygons(result: Repaired) -> None:
    """Polygons out of collections; a multipolygon of one part becomes a polygon."""
    kinds = shapely.get_type_id(result.geometry)
    others = np.flatnonzero(~np.isin(kinds, (_POLYGON, _MULTIPOLYGON)) & ~result.is_rejected)
    for row in others:  # rare: lines, points and collections among parcels
        old = result.geometry[row]
        parts = shapely.get_parts(shapely.get_parts([old]))
        polygons = parts[shapely.get_type_id(parts) == _POLYGON]
        result.geometry[row] = shapely.union_all(polygons) if len(polygons) else shapely.Polygon()
        text = {int(row): f"{old.geom_type} with {len(polygons)} polygons"}
        if len(polygons):
            result.repaired.setdefault("not_polygon", {}).update(text)
        else:
            result.reject("not_polygon", text)
    kinds = shapely.get_type_id(result.geometry)
    single = (kinds == _MULTIPOLYGON) & (shapely.get_num_geometries(result.geometry) == 1)
    result.geometry[single] = shapely.get_geometry(result.geometry[single], 0)


def is_sliver(polygons: np.ndarray) -> np.ndarray:
    """Bool: polygons too small or too narrow to be a field; the mean width is 2 × area / perimeter."""
    area, perimeter = shapely.area(polygons), shapely.length(polygons)
    width = 2 * area / np.maximum(perimeter, np.finfo(float).tiny)
    return (area < SLIVER_AREA_M2) | (width < SLIVER_WIDTH_M)


def _drop_slivers(result: Repaired) -> None:
    parts, owner = shapely.get_parts(result.geometry, return_index=True)
    sliver = is_sliver(parts)
    rows = np.unique(owner[sliver])
    if not len(rows):
        return
    area = shapely.area(result.geometry)
    of_slivers = np.isin(owner, rows) & ~sliver
    left = np.unique(owner[of_slivers])
    for row in np.setdiff1d(rows, left):
        result.reject("sliver", {int(row): f"area {area[row]:.1f} m2, perimeter {result.geometry[row].length:.1f} m"})
    remaining = shapely.multipolygons(parts[of_slivers], indices=np.searchsorted(left, owner[of_slivers]))
    one = shapely.get_num_geometries(remaining) == 1
    result.geometry[left] = np.where(one, shapely.get_geometry(remaining, 0), remaining)
    lost = area[left] - shapely.area(remaining)
    result.repaired["sliver"] = {
        int(row): f"slivers of {lost[i]:.1f} m2 dropped, {area[row] - lost[i]:.1f} m2 kept"
        for i, row in enumerate(left)
    }
