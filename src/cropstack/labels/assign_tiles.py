"""The tile that owns each parcel.

Tiles overlap by 9.8 km, so every parcel lies whole in some tile of a complete set; its series is taken from that one
tile, so that it never mixes two grids.
"""

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from pyproj import Transformer

from cropstack.files import replace_on_success
from cropstack.grid import tile_geobox
from cropstack.labels.parcels import near_box
from cropstack.step import step

_MARGIN_STEP_M = 0.01  # margins are compared in whole cm, so that equal ones are equal on every machine


@dataclass(frozen=True)
class Square:
    """A tile's extent: left, bottom, right, top in m in `crs`."""

    tile: str
    crs: str
    box: tuple[float, float, float, float]


def assign_tiles(parcels: Path, tiles: Path, *, selected: list[str], size_px: int) -> None:
    """Write parcel_index (int64), tile (text, null where none touches the parcel), covered_share (float64, 0 to 1).

    Parameters
    ----------
    selected : tiles that may own parcels; size_px : their side at 10 m.
    """
    table = gpd.read_parquet(parcels, columns=["parcel_index", "geometry"])
    owner, share = owners(table.geometry, [_square(tile, size_px) for tile in selected])
    columns = {
        "parcel_index": pa.array(table["parcel_index"].to_numpy(), pa.int64()),
        "tile": pa.array(owner, pa.string()),
        "covered_share": pa.array(share, pa.float64()),
    }
    with replace_on_success(tiles) as temporary:
        pq.write_table(pa.table(columns), temporary, compression="zstd")
    print(f"{sum(tile is not None for tile in owner)} of {len(owner)} parcels lie on {', '.join(sorted(selected))}")


def _square(tile: str, size_px: int) -> Square:
    geobox = tile_geobox(tile, 10, size_px=size_px)
    return Square(tile, str(geobox.crs), geobox.extent.boundingbox.bbox)


def owners(parcels: gpd.GeoSeries, squares: list[Square]) -> tuple[np.ndarray, np.ndarray]:
    """Owner tile (text or None) and covered share of each parcel.

    The owner is the tile that holds the parcel whole, of the parcel's own UTM zone first, then with the parcel's
    bounding box farthest from its edge, then first by name. Where none holds it whole it is the one that covers most
    of it, and the share is below 1; where none touches it there is no owner and the share is 0.
    """
    zone = _zones(parcels)
    best = np.full((len(parcels), 4), -np.inf)  # whole, own zone, margin or share; higher is better
    best[:, 3] = 0.0
    owner = np.full(len(parcels), None, object)
    for square in sorted(squares, key=lambda one: one.tile):  # a later one must be better: ties go to the first name
        rows, rank, share = _rank(parcels, square, zone)
        better = _is_better(rank, best[rows, :3])
        best[rows[better], :3], best[rows[better], 3] = rank[better], share[better]
        owner[rows[better]] = square.tile
    return owner, best[:, 3]


def _zones(parcels: gpd.GeoSeries) -> np.ndarray:
    """UTM zone in which the middle of each parcel's bounding box lies."""
    box = shapely.bounds(parcels.to_numpy())
    x, y = (box[:, 0] + box[:, 2]) / 2, (box[:, 1] + box[:, 3]) / 2
    longitude, _ = Transformer.from_crs(parcels.crs, "EPSG:4326", always_xy=True).transform(x, y)
    return np.floor((np.asarray(longitude) + 180) / 6).astype(int) + 1


def _rank(parcels: gpd.GeoSeries, square: Square, zone: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that touch a square; their rank (whole, own zone or share, margin or own zone); their covered share."""
    rows = np.flatnonzero(near_box(parcels, square.box, square.crs))
    there = parcels.iloc[rows].to_crs(square.crs).to_numpy()
    left, bottom, right, top = square.box
    box = shapely.bounds(there)
    margin = np.min([box[:, 0] - left, box[:, 1] - bottom, right - box[:, 2], top - box[:, 3]], axis=0)
    whole = margin >= 0
    share = np.ones(len(rows))
    share[~whole] = shapely.area(shapely.intersection(there[~whole], shapely.box(*square.box)))
    share[~whole] /= shapely.area(there[~whole])
    own = (zone[rows] == int(square.tile[:2])).astype(float)
    rank = np.where(
        whole[:, None],
        np.column_stack([np.ones(len(rows)), own, np.round(margin / _MARGIN_STEP_M)]),
        np.column_stack([np.zeros(len(rows)), share, own]),
    )
    touching = share > 0
    return rows[touching], rank[touching], np.minimum(share[touching], 1.0)


def _is_better(rank: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Lexicographic comparison by row."""
    better = rank[:, 2] > best[:, 2]
    for column in (1, 0):
        better = (rank[:, column] > best[:, column]) | ((rank[:, column] == best[:, column]) & better)
    return np.asarray(better)


if __name__ == "__main__":
    step(assign_tiles, snakemake)  # noqa: F821
