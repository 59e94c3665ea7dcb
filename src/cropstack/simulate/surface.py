"""The ground of a simulated tile in a year: which field or other cover each pixel belongs to, and its texture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize
from scipy.ndimage import zoom

from cropstack.grid import tile_geobox
from cropstack.simulate.fractal import fractal_noise
from cropstack.simulate.phenology import ParcelOffsets, crop_reflectance, no_offsets, parcel_offsets
from cropstack.simulate.world import tile_parcels

FOREST, BUILT, WATER, GRASS = 972, 971, 974, 912
COVERS = (FOREST, GRASS, BUILT, WATER)  # what lies outside fields; codes of the taxonomy
WILD_SCALES = ((2_500.0, 1.0), (700.0, 0.6), (250.0, 0.35))  # of the noises that place them: side in m, weight
VILLAGE_SCALES = ((1_500.0, 1.0), (300.0, 0.5))
RIVER_SCALES = ((9_000.0, 1.0), (2_500.0, 0.15))
FOREST_ABOVE, BUILT_ABOVE = 0.05, 0.62
RIVER_HALF_WIDTH = 0.009  # the zero line of its noise is a river
TEXTURE_STEP = 0.004  # reflectance changes by this share for one unit of texture
TEXTURE = ((64, 0.045), (16, 0.03), (4, 0.015), (1, 0.007))  # side in pixels, standard deviation


@dataclass(frozen=True)
class Surface:
    """The ground of a tile in a year.

    Attributes
    ----------
    geobox : its 10 m grid.
    index : row of `codes` and `offsets` by pixel; shape of the grid.
    texture : int8, shape of the grid, in units of `TEXTURE_STEP`.
    codes : taxonomy codes of all fields, then of `COVERS`.
    offsets : how fields differ from their crop's mean; the covers do not.
    """

    geobox: GeoBox
    year: int
    country: str
    index: NDArray[np.unsignedinteger]
    texture: NDArray[np.int8]
    codes: NDArray[np.int32]
    offsets: ParcelOffsets

    def reflectance(self, day_of_year: float) -> NDArray[np.float32]:
        """Top-of-atmosphere reflectance of fields and covers on a day, shape (len(codes), 13)."""
        return crop_reflectance(day_of_year, self.year, self.country, self.codes, self.offsets)


def surface_of(tile: str, year: int, *, country: str, size_px: int, seed: int) -> Surface:
    """Lay the fields of a tile, its other covers and its texture on the 10 m grid (pixel-centre rule)."""
    geobox = tile_geobox(tile, 10, size_px=size_px)
    fields = tile_parcels(tile, year, country=country, size_px=size_px, seed=seed)
    rows = len(fields) + len(COVERS)
    index = _covers(tile_geobox(tile, 60, size_px=size_px), seed=seed).astype(np.min_scalar_type(rows)) + len(fields)
    index = index.repeat(6, axis=0).repeat(6, axis=1)
    burnt = rasterize(
        zip(fields.geometry, range(1, len(fields) + 1), strict=True),
        out_shape=tuple(geobox.shape),
        transform=geobox.affine,
        dtype="int32",
    )
    np.copyto(index, burnt - 1, where=burnt > 0, casting="unsafe")
    offsets = parcel_offsets(fields["parcel_id"].to_numpy(), year, seed)
    return Surface(
        geobox=geobox,
        year=year,
        country=country,
        index=index,
        texture=_texture(tuple(geobox.shape), seed=seed),
        codes=np.concatenate([fields["class_code"].to_numpy(np.int32), np.array(COVERS, np.int32)]),
        offsets=_joined(offsets, no_offsets(len(COVERS))),
    )


def _joined(first: ParcelOffsets, second: ParcelOffsets) -> ParcelOffsets:
    names = ParcelOffsets.__annotations__
    return ParcelOffsets(**{name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in names})


def _covers(geobox: GeoBox, *, seed: int) -> NDArray[np.uint8]:
    """Number in `COVERS` of what lies between the fields, at 60 m."""
    wild = fractal_noise(geobox, "wild", WILD_SCALES, seed=seed)
    village = fractal_noise(geobox, "village", VILLAGE_SCALES, seed=seed)
    river = fractal_noise(geobox, "river", RIVER_SCALES, seed=seed)
    cover = np.where(wild > FOREST_ABOVE, COVERS.index(FOREST), COVERS.index(GRASS))
    cover = np.where(village > BUILT_ABOVE, COVERS.index(BUILT), cover)
    return np.where(np.abs(river) < RIVER_HALF_WIDTH, COVERS.index(WATER), cover).astype(np.uint8)


def _texture(shape: tuple[int, int], *, seed: int) -> NDArray[np.int8]:
    """Noise of several sizes: tracks, moisture, stones."""
    generator = np.random.default_rng([seed, 1])
    field = np.zeros(shape, np.float32)
    for side, deviation in TEXTURE:
        field += deviation * _zoomed(generator, shape, side)
    return np.clip(np.rint(field / TEXTURE_STEP), -127, 127).astype(np.int8)


def _zoomed(generator: np.random.Generator, shape: tuple[int, int], side: int) -> NDArray[np.float32]:
    coarse = generator.standard_normal([n // side + 3 for n in shape], dtype=np.float32)
    if side == 1:
        return coarse[: shape[0], : shape[1]]
    fine: NDArray[np.float32] = zoom(coarse, side, order=1, mode="nearest", grid_mode=True)
    return fine[: shape[0], : shape[1]]
