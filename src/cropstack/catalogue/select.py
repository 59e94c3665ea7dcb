"""Which products of a tile and year make its scenes, and why the others do not."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby

import numpy as np
import shapely
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from cropstack.product import Product, scene_id

MIN_ADDED_SHARE = 0.005  # of the tile: what a further product of a scene adds. ASSUME: less is the footprints' noise
MIN_AREA_M2 = 100.0  # one pixel at 10 m: less is no coverage at all


@dataclass(frozen=True)
class Choice:
    """A product, its place in its scene (1 wins in overlaps), and why it is not used; empty when it is."""

    product: Product
    precedence: int
    reason: str


def choose_products(
    products: list[Product], *, tile: GeoBox, max_cloud_percent: float, exclude: Collection[str]
) -> list[Choice]:
    """Decide for each product of one collection, tile and year.

    Products of a scene are taken by precedence, highest processing baseline, then latest generation, each only if
    it covers at least 0.5 % of the tile that the others do not. A scene's cloud cover is its products', weighted
    by the area of their footprints on the tile; from `max_cloud_percent` on none of them is used.

    Parameters
    ----------
    tile : grid at 10 m, possibly cut.

    Returns
    -------
    One choice for each product, by scene id and precedence. Reasons: ``excluded, offset_unknown, outside_tile,
    duplicate, older_processing_baseline, cloud``.

    Source: the collapse of reprocessed and the mosaic of split acquisitions, design.md §3.
    """
    choices: list[Choice] = []
    for _, group in groupby(sorted(products, key=scene_id), key=scene_id):
        scene = by_precedence(list(group))
        areas = [area_on_tile(product.footprint, tile) for product in scene]
        barred = [_bar(product, area, exclude) for product, area in zip(scene, areas, strict=True)]
        reasons = _drop_cloudy(scene, areas, _drop_covered(scene, areas, barred, tile), max_cloud_percent)
        choices += [Choice(p, n, reason) for n, (p, reason) in enumerate(zip(scene, reasons, strict=True), 1)]
    return choices


def replay_products(products: list[Product], *, locked: dict[str, str]) -> list[Choice]:
    """Repeat the choice of an earlier lock.

    Parameters
    ----------
    locked : what the lock says of each product by id, empty for used, else the reason; in the lock's order, which is
        that of precedence within a scene.

    Returns
    -------
    One choice for each product found, by scene id and precedence; ``not_in_lock`` for one that the lock did not know.
    """
    rank = {product: n for n, product in enumerate(locked)}
    choices: list[Choice] = []
    for _, group in groupby(sorted(products, key=scene_id), key=scene_id):
        scene = sorted(by_precedence(list(group)), key=lambda p: rank.get(p.id, len(rank)))
        choices += [Choice(p, n, locked.get(p.id, "not_in_lock")) for n, p in enumerate(scene, 1)]
    return choices


def exclude_products(choices: list[Choice], exclude: Collection[str]) -> list[Choice]:
    """The choices with the excluded products not used."""
    return [replace(choice, reason="excluded") if choice.product.id in exclude else choice for choice in choices]


def by_precedence(products: list[Product]) -> list[Product]:
    """Highest processing baseline first, then latest generation, then by id."""
    ordered = sorted(products, key=lambda product: product.id)
    return sorted(ordered, key=lambda p: (_number(p.processing_baseline), p.generated), reverse=True)


def area_on_tile(footprint: BaseGeometry, tile: GeoBox) -> BaseGeometry:
    """The part of a footprint (degrees) on a tile, in the tile's CRS (m).

    Vertices are projected, edges then are straight in the tile's CRS, as the agency's are along a tile's sides.
    """
    projected = shapely.transform(footprint, _projection(tile.crs.epsg))
    bounds = tile.boundingbox
    return _polygons(shapely.make_valid(projected).intersection(shapely.box(*bounds)))


@cache
def _projection(epsg: int) -> Callable[[np.ndarray], np.ndarray]:
    """From (longitude, latitude) in degrees to (x, y) in m, both of shape (n, 2)."""
    transformer = Transformer.from_crs(4326, epsg, always_xy=True)
    return lambda points: np.column_stack(transformer.transform(points[:, 0], points[:, 1]))


def _polygons(geometry: BaseGeometry) -> BaseGeometry:
    """Only the surfaces of a geometry; an intersection can leave points and lines as well."""
    return shapely.union_all([part for part in shapely.get_parts(geometry) if part.area > 0])


def _number(processing_baseline: str) -> tuple[int, ...]:
    return tuple(int(part) for part in processing_baseline.split("."))


def _bar(product: Product, area: BaseGeometry, exclude: Collection[str]) -> str:
    if product.id in exclude:
        return "excluded"
    if product.offset_state == "unknown":
        return "offset_unknown"
    return "outside_tile" if area.area < MIN_AREA_M2 else ""


def _drop_covered(scene: list[Product], areas: list[BaseGeometry], reasons: list[str], tile: GeoBox) -> list[str]:
    """Reasons with those of products that add too little to the ones before them."""
    needed = MIN_ADDED_SHARE * tile.boundingbox.span_x * tile.boundingbox.span_y
    covered: BaseGeometry = shapely.Polygon()
    baselines: set[str] = set()
    found = list(reasons)
    for n, (product, area) in enumerate(zip(scene, areas, strict=True)):
        if found[n]:
            continue
        if baselines and shapely.difference(area, covered).area < needed:
            found[n] = "duplicate" if product.processing_baseline in baselines else "older_processing_baseline"
        else:
            covered = _polygons(shapely.union(covered, area))
            baselines.add(product.processing_baseline)
    return found


def _drop_cloudy(
    scene: list[Product], areas: list[BaseGeometry], reasons: list[str], max_cloud_percent: float
) -> list[str]:
    """Reasons with ``cloud`` for all products in use if together they are too cloudy."""
    used = [n for n, reason in enumerate(reasons) if not reason]
    weight = sum(areas[n].area for n in used)
    if not used or sum(scene[n].cloud * areas[n].area for n in used) / weight < max_cloud_percent:
        return reasons
    return ["cloud" if n in used else reason for n, reason in enumerate(reasons)]
