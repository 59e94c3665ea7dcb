"""The simulated world: fields and what grows on them.

Fields belong to places of a UTM zone, not to a tile: land is cut into islets (Voronoi cells of a shaken lattice),
islets that are farmed into strips, strips become fields with digitised outlines. All is hashed from place and
seed, so overlapping and cut tiles agree. Geometry and number of a field stay over the years, its crop rotates.
"""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from cropstack.errors import ConfigError
from cropstack.grid import tile_geobox
from cropstack.simulate.noise import Floats, normal_quantile, normals, smooth_noise, uniforms

LATTICE_M = 400.0  # one islet per lattice cell: 16 ha on average
HALO = 3  # lattice cells around the bounds, so that cells at the edge are the same in the next tile
STRIPS = (1, 2, 3, 4, 5, 7)
STRIP_SHARES = (0.12, 0.18, 0.22, 0.20, 0.13, 0.15)
MAX_STRIPS = 8
VERTEX_GAP_M = 40.0  # longest edge of a digitised outline
CENTIMETRE = 0.01
TINY_SHARE = 0.02  # of the fields; half of them below one pixel, half below five
MIN_AREA_M2 = 25.0  # smaller leftovers at the tips of islets are nobody's field
MIN_WIDTH_M = 2.0  # mean width
HOLE_SHARE = 0.04
HOLE_MIN_HA = 1.5
PLAIN_M = 25_000.0  # the plain around the upper left corner of every 100 km square
SQUARE_M = 100_000.0
FARMED_IN_HILLS = 0.17  # share of islets; with the plain about 60,000 fields in a whole tile
FARMED_IN_PLAIN = 0.45  # what small tiles show
GOLDEN = 0.6180339887498949

PERENNIAL = "perennial"
ARABLE = "arable"

# Shares of fields. Crops that rotate stand in an order in which the golden step of the rotation alternates cereals
# and break crops. ASSUME: shares of the kind that DUN and RPG report for the plains of Lleida and the Garonne, with
# the rare classes of the legend raised so that a demonstration tile has enough of each.
SHARES: dict[str, dict[str, dict[int, float]]] = {
    "es_ct": {
        PERENNIAL: {330: 0.09, 442: 0.05, 361: 0.04, 912: 0.02},
        ARABLE: {
            150: 0.20, 110: 0.15, 170: 0.065, 160: 0.045, 120: 0.09, 140: 0.045, 435: 0.06, 438: 0.05,
            770: 0.055, 510: 0.04, 911: 0.07, 975: 0.06, 981: 0.02, 730: 0.02, 410: 0.015, 234: 0.015,
        },
    },
    "fr": {
        PERENNIAL: {330: 0.07, 912: 0.09, 356: 0.02},
        ARABLE: {
            110: 0.20, 150: 0.10, 170: 0.05, 160: 0.045, 120: 0.12, 140: 0.045, 438: 0.08, 435: 0.07,
            770: 0.05, 510: 0.04, 911: 0.06, 975: 0.03, 410: 0.04, 750: 0.015, 191: 0.02, 231: 0.01,
        },
    },
}  # fmt: skip


@dataclass(frozen=True)
class Fields:
    """Fields of a place: `parcel_id` int64, `geometry` valid polygons in the zone's CRS; same length."""

    parcel_id: NDArray[np.int64]
    geometry: NDArray[np.object_]


def tile_parcels(tile: str, year: int, *, country: str, size_px: int, seed: int) -> gpd.GeoDataFrame:
    """The true fields of a tile and what they bear in a year, before any error of a declaration office.

    Parameters
    ----------
    tile : MGRS cell such as ``31TCG``.
    country : a key of `SHARES`.
    size_px : side of the tile at 10 m.

    Returns
    -------
    Columns parcel_id (int64, stable over years), class_code (int32, a code of the taxonomy), geometry (valid
    polygons in the tile's UTM CRS, coordinates in whole cm, some with holes, none overlapping, those at the edge
    reach beyond it), sorted by parcel_id. About 1,200 fields at 1098 px, 60,000 at 10980.

    Raises
    ------
    ConfigError : a country without crop shares.
    """
    geobox = tile_geobox(tile, 10, size_px=size_px)
    fields = fields_within(geobox.extent.boundingbox.bbox, epsg=_epsg(geobox), seed=seed)
    columns = {
        "parcel_id": fields.parcel_id,
        "class_code": crops_of(fields.parcel_id, year, country=country, seed=seed),
    }
    return gpd.GeoDataFrame(columns, geometry=fields.geometry, crs=_epsg(geobox))


def crops_of(parcel_id: NDArray[np.int64], year: int, *, country: str, seed: int) -> NDArray[np.int32]:
    """Taxonomy code of what each field bears in a year; perennials stay, arable crops rotate."""
    if country not in SHARES:
        raise ConfigError(f'simulated country "{country}" has no crop shares; there are {", ".join(sorted(SHARES))}')
    shares = SHARES[country]
    perennial = sum(shares[PERENNIAL].values())
    kind = uniforms(seed, "land use", parcel_id)
    phase = (uniforms(seed, "rotation", parcel_id) + GOLDEN * year) % 1.0
    rotating = _quantile(shares[ARABLE], phase)
    return np.where(kind < perennial, _quantile(shares[PERENNIAL], kind / perennial), rotating).astype(np.int32)


def _quantile(shares: dict[int, float], u: Floats) -> NDArray[np.int32]:
    edges = np.cumsum(list(shares.values()))
    index = np.searchsorted(edges / edges[-1], u, side="right")
    return np.array(list(shares), np.int32)[np.minimum(index, len(shares) - 1)]


def _epsg(geobox: GeoBox) -> int:
    return int(geobox.crs.to_epsg())


# --- geometry ------------------------------------------------------------------------------------------


def fields_within(bounds: tuple[float, float, float, float], *, epsg: int, seed: int) -> Fields:
    """Fields that touch `bounds` (left, bottom, right, top in m of the zone `epsg`), sorted by number."""
    islets, column, row = _islets(bounds, epsg=epsg, seed=seed)
    strips, owner, number = _strips(islets, column, row, epsg=epsg, seed=seed)
    parcel_id = ((epsg % 100 * 2_500 + column[owner]) * 25_000 + row[owner]) * MAX_STRIPS + number
    outlines = _digitise(strips, parcel_id, seed=seed)
    kept = shapely.get_type_id(outlines) == shapely.GeometryType.POLYGON
    kept &= shapely.area(outlines) > MIN_AREA_M2
    kept &= 2 * shapely.area(outlines) > MIN_WIDTH_M * shapely.length(outlines)
    kept &= shapely.intersects(outlines, shapely.box(*bounds))
    order = np.argsort(parcel_id[kept], kind="stable")
    return Fields(parcel_id[kept][order], outlines[kept][order])


def _islets(
    bounds: tuple[float, float, float, float], *, epsg: int, seed: int
) -> tuple[NDArray[np.object_], NDArray[np.int64], NDArray[np.int64]]:
    """Farmed Voronoi cells of the shaken lattice around `bounds`, with column and row of their lattice cell."""
    first = np.floor(np.array(bounds[:2]) / LATTICE_M).astype(np.int64) - HALO
    last = np.floor(np.array(bounds[2:]) / LATTICE_M).astype(np.int64) + HALO
    column, row = (a.ravel() for a in np.meshgrid(np.arange(first[0], last[0] + 1), np.arange(first[1], last[1] + 1)))
    x = (column + uniforms(seed, "islet x", epsg, column, row)) * LATTICE_M
    y = (row + uniforms(seed, "islet y", epsg, column, row)) * LATTICE_M
    points = np.asarray(shapely.points(x, y))
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(points)))
    cell, point = shapely.STRtree(points).query(cells, predicate="contains")
    inside = _near(x[point], y[point], bounds) & _is_farmed(x[point], y[point], column[point], row[point], epsg, seed)
    return cells[cell][inside], column[point][inside], row[point][inside]


def _near(x: Floats, y: Floats, bounds: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    """Whether a point's cell can reach the bounds: cells reach less than two lattice sides."""
    left, bottom, right, top = bounds
    reach = (HALO - 1) * LATTICE_M
    return (x > left - reach) & (x < right + reach) & (y > bottom - reach) & (y < top + reach)


def _is_farmed(
    x: Floats, y: Floats, column: NDArray[np.int64], row: NDArray[np.int64], epsg: int, seed: int
) -> NDArray[np.bool_]:
    """Farmland in patches of a kilometre or two between woods and villages, dense in the plain."""
    to_corner = np.hypot(x % SQUARE_M, -y % SQUARE_M) / PLAIN_M
    share = FARMED_IN_HILLS + (FARMED_IN_PLAIN - FARMED_IN_HILLS) * np.exp(-(to_corner**4))
    wish = smooth_noise(seed, f"farmland {epsg}", x, y, scale_m=1_500.0)
    wish = wish + 0.25 * normals(seed, "farm", epsg, column, row)
    # ASSUME: the sum of both noises is close to normal with standard deviation 0.35.
    return wish < 0.35 * normal_quantile(share)


def _strips(
    islets: NDArray[np.object_], column: NDArray[np.int64], row: NDArray[np.int64], *, epsg: int, seed: int
) -> tuple[NDArray[np.object_], NDArray[np.int64], NDArray[np.int64]]:
    """Cut each islet into parallel strips of unequal width: pieces, their islet, and their number in it."""
    draw = uniforms(seed, "strip count", epsg, column, row)
    count = np.array(STRIPS)[np.searchsorted(np.cumsum(STRIP_SHARES)[:-1], draw, side="right")]
    owner = np.repeat(np.arange(len(islets)), count)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    width = np.exp(0.35 * normals(seed, "strip width", epsg, column[owner], row[owner], number))
    end = np.cumsum(width) - np.repeat((np.cumsum(width) - width)[np.cumsum(count) - count], count)
    total = np.repeat(end[np.cumsum(count) - 1], count)
    angle = np.pi * uniforms(seed, "strip angle", epsg, column, row)[owner]
    pieces = shapely.intersection(islets[owner], _bands(islets, owner, (end - width) / total, end / total, angle))
    polygon = shapely.get_type_id(pieces) == shapely.GeometryType.POLYGON
    return pieces[polygon], owner[polygon], number[polygon]


def _bands(
    islets: NDArray[np.object_], owner: NDArray[np.int64], start: Floats, end: Floats, angle: Floats
) -> NDArray[np.object_]:
    """Rectangles across an islet from share `start` to `end` of its diameter, turned by `angle`."""
    radius = shapely.minimum_bounding_radius(islets)[owner]
    middle = shapely.centroid(shapely.minimum_bounding_circle(islets))[owner]
    low, high = (2 * start - 1) * radius, (2 * end - 1) * radius
    across = [(low, -radius), (high, -radius), (high, radius), (low, radius)]
    corners = np.stack([np.stack(corner, -1) for corner in across], 1)
    turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], -1).reshape(-1, 2, 2)
    centre = np.stack([shapely.get_x(middle), shapely.get_y(middle)], -1)[:, None]
    return np.asarray(shapely.polygons(np.einsum("nij,nkj->nki", turn, corners) + centre))


def _digitise(pieces: NDArray[np.object_], parcel_id: NDArray[np.int64], *, seed: int) -> NDArray[np.object_]:
    """Outlines as a person draws them: off the track, in short edges, a little unsteady, some with holes."""
    inset = 1.5 + 5.0 * uniforms(seed, "inset", parcel_id)
    outlines = shapely.buffer(pieces, -inset, join_style="mitre")
    outlines = _shrink_some(outlines, parcel_id, seed=seed)
    outlines = shapely.segmentize(shapely.normalize(outlines), VERTEX_GAP_M)
    shaken = _shake(outlines, parcel_id, amplitude_m=0.4 * inset, seed=seed)
    outlines = np.where(shapely.is_valid(shaken), shaken, outlines)  # a sharp corner can cross itself
    outlines = _punch_some(outlines, parcel_id, seed=seed)
    return np.asarray(shapely.set_precision(outlines, CENTIMETRE))


def _shrink_some(outlines: NDArray[np.object_], parcel_id: NDArray[np.int64], *, seed: int) -> NDArray[np.object_]:
    """Scale some fields about their centre to less than one or less than five pixels of 10 m."""
    u = uniforms(seed, "tiny", parcel_id)
    target_m2 = np.where(u < TINY_SHARE / 2, 30.0 + 60.0 * u / TINY_SHARE, 150.0 + 250.0 * u / TINY_SHARE)
    tiny = (u < TINY_SHARE) & (shapely.area(outlines) > 2 * target_m2)
    centre = np.zeros((len(outlines), 2))
    centre[tiny] = shapely.get_coordinates(shapely.centroid(outlines[tiny]))
    scale = np.ones(len(outlines))
    scale[tiny] = np.sqrt(target_m2[tiny] / shapely.area(outlines[tiny]))
    coordinates, owner = shapely.get_coordinates(outlines, return_index=True)
    moved = (coordinates - centre[owner]) * scale[owner, None] + centre[owner]
    return np.asarray(shapely.set_coordinates(outlines.copy(), np.where(tiny[owner, None], moved, coordinates)))


def _shake(
    outlines: NDArray[np.object_], parcel_id: NDArray[np.int64], *, amplitude_m: Floats, seed: int
) -> NDArray[np.object_]:
    """Move every vertex by up to `amplitude_m`, less on tiny fields; rings stay closed."""
    coordinates, owner = shapely.get_coordinates(outlines, return_index=True)
    first = np.searchsorted(owner, owner)  # index of the field's first vertex
    last = np.searchsorted(owner, owner, side="right") - 1
    number = np.where(np.arange(len(owner)) == last, 0, np.arange(len(owner)) - first)
    amplitude = np.minimum(amplitude_m, 0.02 * np.sqrt(shapely.area(outlines)))[owner] / np.sqrt(2)
    offset = [2 * uniforms(seed, f"vertex {axis}", parcel_id[owner], number) - 1 for axis in "xy"]
    moved = coordinates + amplitude[:, None] * np.stack(offset, -1)
    return np.asarray(shapely.set_coordinates(outlines.copy(), moved))


def _punch_some(outlines: NDArray[np.object_], parcel_id: NDArray[np.int64], *, seed: int) -> NDArray[np.object_]:
    """Cut a pond or a grove of 8 to 25 m radius out of some larger fields."""
    wanted = (uniforms(seed, "hole", parcel_id) < HOLE_SHARE) & (shapely.area(outlines) > HOLE_MIN_HA * 1e4)
    radius = 8.0 + 17.0 * uniforms(seed, "hole radius", parcel_id[wanted])
    ponds = shapely.buffer(shapely.centroid(outlines[wanted]), radius, quad_segs=2)
    outlines = outlines.copy()
    outlines[wanted] = shapely.difference(outlines[wanted], ponds)
    return outlines
