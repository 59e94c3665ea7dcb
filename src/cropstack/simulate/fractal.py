"""Noise with details: smooth noises of several sizes laid over one another on a grid."""

import numpy as np
from odc.geo.geobox import GeoBox

from cropstack.grid import pixel_centres
from cropstack.simulate.noise import Floats, smooth_noise


def fractal_noise(
    geobox: GeoBox, stream: str, scales: tuple[tuple[float, float], ...], *, seed: int, pad: int = 0
) -> Floats:
    """Noise over a grid and `pad` pixels around it, mean 0, belonging to places: it continues in the next tile.

    Parameters
    ----------
    scales : size in m and weight of each noise; one of weight 1 has a standard deviation near 0.3.
    """
    x, y = (np.pad(axis, pad, mode="linear_ramp", end_values=_ends(axis, pad)) for axis in pixel_centres(geobox))
    x, y = np.meshgrid(x, y)
    field = np.zeros(x.shape)
    for scale, weight in scales:
        field += weight * smooth_noise(seed, f"{stream} {scale:.0f}", x, y, scale_m=scale)
    return field


def _ends(axis: Floats, pad: int) -> tuple[float, float]:
    step = axis[1] - axis[0]
    return axis[0] - pad * step, axis[-1] + pad * step
