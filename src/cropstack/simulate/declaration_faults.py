"""Faults of declarations, put in on purpose and listed in a truth table.

Every fault hits parcels of its own, chosen by hash, so that a count in the truth table is a count of repairs or
rejects. Geometry is in metres in the declaration's CRS.
"""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from cropstack.errors import ConfigError
from cropstack.simulate.native_crops import NativeCrop
from cropstack.simulate.noise import uniforms

NONE = "none"  # nothing to repair or reject: the fault only tries the reader
ELIGIBLE_M2 = 10_000.0  # faults hit parcels of more than 1 ha without holes
REACH_M = 14.0  # how far an overlapping parcel is drawn into its neighbour's land
MIN_OVERLAP_M2 = 100.0
LANE_M = 4.0  # between the parts of a multipart parcel
SLIVER_M = 0.3  # width of a sliver
SLIVER_SHARE = 0.4  # of the edge along which it lies
AREA_FACTOR = 1.4
ALTITUDE_M = 245.0
LOOP_M = 6.0  # height of the loop of a line that crosses itself


@dataclass(frozen=True)
class Fault:
    """`position` is the row in the declaration from 0; `expected` the reason in a ledger, or `NONE`.

    `unit` is the ledger's unit where that is not the parcel but its crop code.
    """

    kind: str
    position: int
    detail: str
    expected: str
    unit: str | None = None


# Share of parcels and the ledger's reason by kind of fault. Codes come first: they take the smallest of the chosen
# parcels, so that a declaration of a hundred parcels is not refused for its unknown area.
RATES = {
    "unknown_code": (0.010, "unknown_code"),
    "missing_code": (0.003, "unknown_code"),
    "overlap": (0.010, "overlap"),
    "self_intersection": (0.010, "invalid_geometry"),
    "multipart": (0.008, "multipart"),
    "null_geometry": (0.003, "empty_geometry"),
    "empty_geometry": (0.003, "empty_geometry"),
    "z_coordinates": (0.004, "z_dropped"),
    "wrong_area": (0.004, "area_mismatch"),
    "duplicate": (0.008, "duplicate"),
    "sliver": (0.008, "sliver"),
}


def put_faults(
    parcels: gpd.GeoDataFrame, *, unknown: tuple[NativeCrop, ...], altitudes: bool, year: int, seed: int
) -> tuple[gpd.GeoDataFrame, list[Fault]]:
    """Return the parcels with faults, copies and slivers appended at the end, and the list of faults.

    A copy has the parcel_id of its original, a sliver the negative one of the parcel that it lies beside.

    Parameters
    ----------
    parcels : columns parcel_id, code, group, area_m2, geometry; valid polygons.
    unknown : crops outside every table.
    altitudes : whether the file form can hold a few parcels with Z among others without.

    Raises
    ------
    ConfigError : too few parcels for one of each kind.
    """
    frame = parcels.reset_index(drop=True).copy()
    pairs, chosen = _choose(frame, altitudes=altitudes, year=year, seed=seed)
    faults = [Fault("hole", row, "hole in the polygon", NONE) for row in _with_holes(frame)]
    faults += _overlap(frame, pairs) + _spoil_geometry(frame, chosen)
    faults += _spoil_codes(frame, chosen, unknown) + _spoil_areas(frame, chosen["wrong_area"])
    copies = frame.loc[chosen["duplicate"]]
    slivers = frame.loc[chosen["sliver"]]
    strips = [_sliver(polygon) for polygon in slivers.geometry]
    slivers = slivers.assign(geometry=strips, parcel_id=-slivers["parcel_id"], area_m2=shapely.area(strips))
    appended = [("duplicate", f"copy of row {origin + 1}") for origin in chosen["duplicate"]]
    appended += [("sliver", f"beside row {origin + 1}") for origin in chosen["sliver"]]
    faults += [_fault(kind, row, detail) for row, (kind, detail) in enumerate(appended, start=len(frame))]
    everything = pd.concat([frame, copies, slivers], ignore_index=True)
    return gpd.GeoDataFrame(everything, geometry="geometry", crs=frame.crs), faults


def _fault(kind: str, position: int, detail: str, unit: str | None = None) -> Fault:
    return Fault(kind, position, detail, RATES[kind][1], unit)


# --- choice --------------------------------------------------------------------------------------------


def _choose(
    parcels: gpd.GeoDataFrame, *, altitudes: bool, year: int, seed: int
) -> tuple[list[tuple[int, int]], dict[str, list[int]]]:
    """Pairs of rows that shall overlap, and rows by every other kind of fault; no row twice."""
    count = {kind: max(1, round(rate * len(parcels))) for kind, (rate, _) in RATES.items()}
    if not altitudes:
        del count["z_coordinates"]
    order = _shuffled_eligible(parcels, year=year, seed=seed)
    pairs = _neighbours(parcels, order, count.pop("overlap"))
    taken = {row for pair in pairs for row in pair}
    free = [row for row in order if row not in taken]
    few = free[: 3 * sum(count.values())]
    smallest_first = np.argsort(parcels.geometry.iloc[few].area.to_numpy(), kind="stable")
    free = [few[index] for index in smallest_first]
    if len(free) < sum(count.values()):
        raise ConfigError(
            f"simulated declarations have {len(order)} parcels above 1 ha, too few for their faults "
            f"({sum(count.values())} and {len(pairs)} pairs); take a larger tile_size_px or more tiles"
        )
    ends = np.cumsum(list(count.values())).tolist()
    return pairs, {kind: free[end - count[kind] : end] for kind, end in zip(count, ends, strict=True)}


def _with_holes(parcels: gpd.GeoDataFrame) -> list[int]:
    holes = shapely.get_num_interior_rings(parcels.geometry.to_numpy())
    return [int(row) for row in np.flatnonzero(holes > 0)]


def _shuffled_eligible(parcels: gpd.GeoDataFrame, *, year: int, seed: int) -> list[int]:
    geometry = parcels.geometry.to_numpy()
    eligible = (shapely.area(geometry) > ELIGIBLE_M2) & (shapely.get_num_interior_rings(geometry) == 0)
    draw = uniforms(seed, "fault", parcels["parcel_id"].to_numpy(), year)
    order = np.argsort(draw, kind="stable")
    return [int(row) for row in order[eligible[order]]]


def _neighbours(parcels: gpd.GeoDataFrame, order: list[int], count: int) -> list[tuple[int, int]]:
    """The first `count` pairs of eligible neighbours in `order`, no row twice."""
    geometry = parcels.geometry.to_numpy()
    tree = shapely.STRtree(geometry)
    eligible, taken = set(order), set[int]()
    pairs: list[tuple[int, int]] = []
    for victim in order:
        if len(pairs) == count:
            break
        near = sorted(tree.query(geometry[victim], predicate="dwithin", distance=REACH_M / 2).tolist())
        for other in near:
            if other == victim or other not in eligible or {victim, other} & taken:
                continue
            grown = _into(geometry, tree, victim, other)
            if shapely.area(shapely.intersection(grown, geometry[other])) > MIN_OVERLAP_M2:
                pairs.append((victim, other))
                taken |= {victim, other}
                break
    return pairs


# --- geometry ------------------------------------------------------------------------------------------


def _overlap(frame: gpd.GeoDataFrame, pairs: list[tuple[int, int]]) -> list[Fault]:
    """Draw the first of each pair into the land of the second; the fault is the smaller one's, as in a ledger."""
    geometry = frame.geometry.to_numpy().copy()
    tree = shapely.STRtree(geometry)
    faults = []
    for victim, other in pairs:
        grown = _into(geometry, tree, victim, other)
        shared = shapely.area(shapely.intersection(grown, geometry[other]))
        frame.loc[victim, ["geometry", "area_m2"]] = [grown, shapely.area(grown)]
        smaller, larger = (victim, other) if shapely.area(grown) < shapely.area(geometry[other]) else (other, victim)
        faults.append(_fault("overlap", smaller, f"{shared:.0f} m2 with row {larger + 1}"))
    return faults


def _into(geometry: np.ndarray, tree: shapely.STRtree, victim: int, other: int) -> BaseGeometry:
    """The victim with a strip that reaches into its neighbour; other parcels keep their land."""
    near = shapely.buffer(geometry[victim], REACH_M, join_style="mitre")
    strip = shapely.intersection(near, shapely.buffer(geometry[other], REACH_M, join_style="mitre"))
    around = [row for row in tree.query(strip).tolist() if row not in (victim, other)]
    strip = shapely.difference(strip, shapely.buffer(shapely.union_all(geometry[around]), 0.5))
    parts = shapely.get_parts(shapely.union(geometry[victim], strip))
    largest = parts[int(np.argmax(shapely.area(parts)))]
    return Polygon(shapely.get_exterior_ring(largest))


def _spoil_geometry(frame: gpd.GeoDataFrame, chosen: dict[str, list[int]]) -> list[Fault]:
    spoil = {
        "self_intersection": (_with_loop, "the outline crosses itself"),
        "multipart": (_in_two, f"two parts, {LANE_M:g} m apart"),
        "null_geometry": (lambda polygon: None, "no geometry"),
        "empty_geometry": (lambda polygon: Polygon(), "geometry without points"),
        "z_coordinates": (lambda polygon: shapely.force_3d(polygon, ALTITUDE_M), f"altitude {ALTITUDE_M:g} m"),
    }
    faults = []
    for kind, (change, detail) in spoil.items():
        for row in chosen.get(kind, []):
            frame.loc[row, "geometry"] = change(frame.geometry.iloc[row])
            faults.append(_fault(kind, row, detail))
        if kind == "multipart":
            frame.loc[chosen[kind], "area_m2"] = frame.geometry.loc[chosen[kind]].area
    return faults


def _with_loop(polygon: BaseGeometry) -> BaseGeometry:
    """The polygon with a small loop inside its longest edge, as a double click leaves it."""
    ring = shapely.get_coordinates(shapely.normalize(polygon))
    edge = np.diff(ring, axis=0)
    length = np.hypot(*edge.T)
    number = int(np.argmax(length))
    along = edge[number]
    inward = np.array([along[1], -along[0]]) / length[number]  # a normalised shell runs clockwise
    steps = [(0.6, LOOP_M / 2), (0.5, 1.5 * LOOP_M), (0.4, LOOP_M / 2)]
    loop = [ring[number] + share * along + height * inward for share, height in steps]
    return Polygon(np.round(np.concatenate([ring[: number + 1], loop, ring[number + 1 :]]), 3))


def _in_two(polygon: BaseGeometry) -> BaseGeometry:
    """The polygon cut by a lane across its longer side."""
    corners = shapely.get_coordinates(shapely.oriented_envelope(polygon))
    sides = np.diff(corners[:3], axis=0)
    long = int(np.argmax(np.hypot(*sides.T)))
    middle = (corners[long] + corners[long + 1]) / 2
    across = sides[1 - long] * (1.0 if long == 0 else -1.0)
    lane = shapely.buffer(shapely.linestrings([middle - across, middle + 2 * across]), LANE_M / 2, cap_style="flat")
    return MultiPolygon(list(shapely.get_parts(shapely.difference(polygon, lane))))


def _sliver(polygon: BaseGeometry) -> BaseGeometry:
    """A strip of `SLIVER_M` along the outside of the polygon's longest edge."""
    ring = shapely.get_coordinates(shapely.normalize(polygon))
    edge = np.diff(ring, axis=0)
    length = np.hypot(*edge.T)
    number = int(np.argmax(length))
    outward = np.array([-edge[number][1], edge[number][0]]) / length[number]
    start = ring[number] + 0.3 * edge[number] + 0.2 * outward
    end = start + SLIVER_SHARE * edge[number]
    return Polygon([start, end, end + SLIVER_M * outward, start + SLIVER_M * outward])


def _spoil_codes(frame: gpd.GeoDataFrame, chosen: dict[str, list[int]], unknown: tuple[NativeCrop, ...]) -> list[Fault]:
    faults = []
    for number, row in enumerate(chosen["unknown_code"]):
        crop = unknown[number % len(unknown)]
        frame.loc[row, ["code", "group"]] = [crop.code, crop.group]
        faults.append(_fault("unknown_code", row, f"row {row + 1}", crop.code))
    for row in chosen["missing_code"]:
        frame.loc[row, ["code", "group"]] = [None, None]
        faults.append(_fault("missing_code", row, f"row {row + 1}", ""))
    return faults


def _spoil_areas(frame: gpd.GeoDataFrame, rows: list[int]) -> list[Fault]:
    """Declare more land than the polygon has."""
    frame.loc[rows, "area_m2"] *= AREA_FACTOR
    return [_fault("wrong_area", row, f"declared {AREA_FACTOR:g} times its area") for row in rows]
