"""Clouds with their shadows, cirrus and haze over a tile at one moment."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from cropstack.bands import S2_BANDS
from cropstack.simulate.fractal import fractal_noise
from cropstack.simulate.noise import Floats, uniforms

# Top-of-atmosphere reflectance of thick cloud, and what cirrus of one unit adds, by band B01..B12.
# ASSUME: water clouds darken in the short-wave infrared; band 10 sees only what floats above the water vapour.
CLOUD = np.array([0.62, 0.62, 0.60, 0.62, 0.62, 0.63, 0.64, 0.63, 0.65, 0.34, 0.004, 0.50, 0.38], np.float32)
CIRRUS = np.array([0.80, 0.80, 0.78, 0.78, 0.78, 0.78, 0.78, 0.78, 0.78, 0.60, 0.45, 0.55, 0.40], np.float32)
CLOUD_SCALES = ((6_000.0, 1.0), (2_200.0, 0.5), (800.0, 0.3))  # side in m, weight
CIRRUS_SCALES = ((9_000.0, 1.0), (3_500.0, 0.35))
CIRRUS_SHARE = 0.3  # of all cloudy pixels, about
CIRRUS_DEPTH = (0.02, 0.10)
EDGE_SOFTNESS = 0.08  # of the noise: how far from its edge a cloud is fully opaque
CLOUD_HEIGHT_M = 1_200.0
SHADOW_DEPTH = 0.6  # direct light that a thick cloud takes away
PAD_PX = 60  # clouds this many pixels of 60 m outside the tile still throw shadows into it
HAZE_MAX = 0.012  # reflectance that haze adds at 443 nm
HAZE_EXPONENT = 1.4
WATER_VAPOUR_BAND = 10  # haze lies below what band 10 sees


@dataclass(frozen=True)
class Sky:
    """What is between ground and satellite, on the tile's 60 m grid.

    Attributes
    ----------
    cloud : opacity of clouds, float32 0..1; shadow : light that their shadows take, float32 0..1.
    cirrus : depth of cirrus, float32 from 0.
    haze : reflectance that haze adds by band, float32, shape (13,).
    """

    cloud: NDArray[np.float32]
    shadow: NDArray[np.float32]
    cirrus: NDArray[np.float32]
    haze: NDArray[np.float32]


def sky_over(
    geobox: GeoBox, *, cloud_share: float, sun_zenith_deg: float, sun_azimuth_deg: float, moment: int, seed: int
) -> Sky:
    """The sky over a tile.

    Parameters
    ----------
    geobox : the tile's 60 m grid.
    cloud_share : of the tile that is cloudy; about a third of it cirrus, which may lie over the rest.
    moment : a number of the overpass; other moments have other clouds.
    """
    inner = (slice(PAD_PX, -PAD_PX),) * 2
    heaps = fractal_noise(geobox, f"cloud {moment}", CLOUD_SCALES, seed=seed, pad=PAD_PX)
    veils = fractal_noise(geobox, f"cirrus {moment}", CIRRUS_SCALES, seed=seed)
    base = _upper(heaps[inner], cloud_share * (1 - CIRRUS_SHARE))
    cloud = np.clip((heaps - base) / EDGE_SOFTNESS, 0, 1).astype(np.float32)
    shadow = SHADOW_DEPTH * _shifted(cloud, *_shadow_shift(sun_zenith_deg, sun_azimuth_deg))
    return Sky(
        cloud=cloud[inner],
        shadow=shadow[inner],
        cirrus=_cirrus(veils, cloud_share * CIRRUS_SHARE),
        haze=_haze(HAZE_MAX * uniforms(seed, "haze", moment).item()),
    )


def _upper(field: Floats, share: float) -> float:
    """Value that a share of the field exceeds."""
    return float(np.quantile(field, 1 - share))


def _cirrus(veils: Floats, share: float) -> NDArray[np.float32]:
    base, top = _upper(veils, share), veils.max()
    if top <= base:
        return np.zeros(veils.shape, np.float32)
    thin, thick = CIRRUS_DEPTH
    depth = thin + (thick - thin) * (veils - base) / (top - base)
    return np.where(veils > base, depth, 0).astype(np.float32)


def _shadow_shift(zenith_deg: float, azimuth_deg: float) -> tuple[int, int]:
    """Rows down and columns right from a cloud to its shadow, in pixels of 60 m."""
    length = min(CLOUD_HEIGHT_M * np.tan(np.radians(zenith_deg)) / 60, PAD_PX)
    azimuth = np.radians(azimuth_deg)
    return round(length * np.cos(azimuth)), round(-length * np.sin(azimuth))


def _shifted(field: NDArray[np.float32], down: int, right: int) -> NDArray[np.float32]:
    return np.roll(field, (down, right), axis=(0, 1))


def _haze(amount: float) -> NDArray[np.float32]:
    wavelength = np.array([band.wavelength_nm for band in S2_BANDS])
    haze = amount * (443 / wavelength) ** HAZE_EXPONENT
    haze[WATER_VAPOUR_BAND] = 0
    return haze.astype(np.float32)
