"""From ground and sky to the digital numbers of a product."""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cropstack.bands import NODATA_DN, QUANTIFICATION, S2_BANDS, SATURATED_DN, Band
from cropstack.grid import PATCH_PX, pixel_centres, tile_geobox
from cropstack.simulate.atmosphere import CIRRUS, CLOUD, Sky, sky_over
from cropstack.simulate.l1c_product import OFFSET, L1CProduct
from cropstack.simulate.safe_masks import Bools, L1CMasks
from cropstack.simulate.schedule import Acquisition, Delivery
from cropstack.simulate.surface import TEXTURE_STEP, Surface
from cropstack.simulate.viewing import detector_raster, lon_lat, sun_angles, track_past

STRIP_PX = 3 * PATCH_PX[10]  # rows at 10 m rendered at once: whole pixels of 60 m
NOISE_DN = {10: 14.0, 20: 11.0, 60: 7.0}  # ASSUME: with the texture, 10 m bands compress about 2.1 : 1 as real ones
MAX_DN = 32_767
OVERLAP_M = 600.0  # of the two parts of a split datatake
DARK_DN = (975, 40)  # least digital number of dark pixels, and how many values they take: around 1000, offset and all
LAKE_PX = 4  # of 60 m


Counts = dict[str, dict[str, int]]  # pixels by fault and band


@dataclass(frozen=True)
class Picture:
    """Pixels of a product: digital numbers by band, masks, and how many pixels have which fault (for the truth)."""

    bands: dict[str, NDArray[np.uint16]]
    masks: L1CMasks
    counts: Counts


def product_of(tile: str, acquisition: Acquisition, delivery: Delivery, *, size_px: int) -> L1CProduct:
    """Name and circumstances of a delivery of a tile."""
    return L1CProduct(
        tile=tile,
        platform=acquisition.platform,
        datatake=acquisition.datatake,
        datastrip=acquisition.datatake + delivery.datastrip_after,
        sensing=acquisition.sensing,
        generated=delivery.generated,
        relative_orbit=acquisition.relative_orbit,
        absolute_orbit=acquisition.absolute_orbit,
        processing_baseline=delivery.processing_baseline,
        station=delivery.station,
        track=track_past(tile_geobox(tile, 10, size_px=size_px), east_m=acquisition.east_m),
    )


def render(
    surface: Surface, acquisition: Acquisition, delivery: Delivery, product: L1CProduct, *, seed: int
) -> Picture:
    """The pixels of a delivery. All deliveries of an acquisition show the same ground, sky and noise.

    From processing baseline 04.00 on digital numbers are reflectance × 10 000 + 1000, before that without the 1000;
    at least 1 where there is data.
    """
    sky = _sky(surface, acquisition, product, seed=seed)
    spectra = surface.reflectance(acquisition.datatake.timetuple().tm_yday)
    bands = {
        band.name: _band(surface, sky, spectra[:, band.number], band, acquisition, delivery, product, seed=seed)
        for band in S2_BANDS
    }
    faults, counts = _spoil(bands, delivery)
    valid = bands["B01"] != NODATA_DN
    masks = L1CMasks(valid & (sky.cloud > 0), valid & (sky.cirrus > 0), np.zeros(valid.shape, bool), faults)
    return Picture(bands, masks, counts)


def _sky(surface: Surface, acquisition: Acquisition, product: L1CProduct, *, seed: int) -> Sky:
    left, bottom, right, top = surface.geobox.extent.boundingbox.bbox
    middle = lon_lat(surface.geobox, (left + right) / 2, (bottom + top) / 2)
    zenith, azimuth = sun_angles(product.sensing, *middle)
    return sky_over(
        tile_geobox(product.tile, 60, size_px=surface.geobox.shape[0]),
        cloud_share=acquisition.cloud,
        sun_zenith_deg=float(zenith),
        sun_azimuth_deg=float(azimuth),
        moment=_moment(acquisition),
        seed=seed,
    )


def _moment(acquisition: Acquisition) -> int:
    return zlib.crc32(f"{acquisition.platform} {acquisition.datatake:%Y%m%dT%H%M%S}".encode())


def _band(
    surface: Surface,
    sky: Sky,
    spectrum: NDArray[np.float32],
    band: Band,
    acquisition: Acquisition,
    delivery: Delivery,
    product: L1CProduct,
    *,
    seed: int,
) -> NDArray[np.uint16]:
    """Digital numbers of a band, strip by strip; coarse bands are means of what 10 m pixels would see."""
    factor = band.resolution_m // 10
    side = surface.geobox.shape[0]
    pixels = np.empty((side // factor, side // factor), np.uint16)
    for start in range(0, side, STRIP_PX):
        strip = slice(start, min(start + STRIP_PX, side))
        seen = _seen(surface, sky, spectrum, band, strip)
        seen = seen.reshape(seen.shape[0] // factor, factor, seen.shape[1] // factor, factor).mean((1, 3))
        noise = np.random.default_rng([seed, _moment(acquisition), band.number, start])
        seen *= QUANTIFICATION * delivery.gain
        seen += NOISE_DN[band.resolution_m] * noise.standard_normal(seen.shape, dtype=np.float32)
        seen -= product.offset
        pixels[strip.start // factor : strip.stop // factor] = np.clip(np.rint(seen, out=seen), 1, MAX_DN)
    pixels[~_covered(product, band, delivery, side)] = NODATA_DN
    return pixels


def _seen(surface: Surface, sky: Sky, spectrum: NDArray[np.float32], band: Band, strip: slice) -> NDArray[np.float32]:
    """Reflectance at 10 m of a strip of rows: ground, its texture, shadow, cloud, cirrus, haze."""
    seen = spectrum[surface.index[strip]]
    seen *= 1 + np.float32(TEXTURE_STEP) * surface.texture[strip]
    rows = slice(strip.start // 6, strip.stop // 6)
    cloud, shadow, cirrus = (_fine(field[rows]) for field in (sky.cloud, sky.shadow, sky.cirrus))
    seen *= (1 - shadow) * (1 - cloud)
    seen += CLOUD[band.number] * cloud + CIRRUS[band.number] * cirrus + sky.haze[band.number]
    return seen


def _fine(field: NDArray[np.float32]) -> NDArray[np.float32]:
    return field.repeat(6, axis=0).repeat(6, axis=1)


def _covered(product: L1CProduct, band: Band, delivery: Delivery, side: int) -> Bools:
    """Pixels that the swath and the delivered part of the datatake cover."""
    geobox = tile_geobox(product.tile, band.resolution_m, size_px=side)
    covered = detector_raster(product.track, band, geobox) > 0
    if delivery.part == "whole":
        return covered
    x, y = pixel_centres(geobox)
    middle = product.track.along((x[0] + x[-1]) / 2, (y[0] + y[-1]) / 2)
    for row, northing in enumerate(y):
        beyond = product.track.along(x, northing) - middle
        covered[row] &= beyond < OVERLAP_M / 2 if delivery.part == "first" else beyond > -OVERLAP_M / 2
    return covered


# --- faults -------------------------------------------------------------------------------------------


def _spoil(bands: dict[str, NDArray[np.uint16]], delivery: Delivery) -> tuple[dict[str, dict[str, Bools]], Counts]:
    """Put a delivery's faults into its pixels, in the north where both parts of a split have data.

    Returns the faulty pixels by band and layer of the quality mask, and counts by fault and band (or layer).
    """
    faults: dict[str, dict[str, Bools]] = {}
    counts: Counts = {}
    if "dark" in delivery.faults:
        counts["dark"] = {band.name: _darken(bands[band.name], band) for band in S2_BANDS}
    if "saturated" in delivery.faults:
        counts["saturated"] = {name: _saturate(bands[name]) for name in ("B02", "B03", "B04", "B11")}
    if "degraded" in delivery.faults:
        faults["B05"] = {"msi_degraded": _rows_of(bands["B05"])}
        faults["B12"] = {"defective": _column_of(bands["B12"])}
        counts["degraded"] = {
            f"{name} {layer}": int(mask.sum()) for name, layers in faults.items() for layer, mask in layers.items()
        }
    return faults, counts


def _saturate(pixels: NDArray[np.uint16]) -> int:
    """A glasshouse that glints: three by three pixels."""
    row, column = pixels.shape[0] // 8, pixels.shape[1] * 2 // 3
    pixels[row : row + 3, column : column + 3] = SATURATED_DN
    return 9


def _darken(pixels: NDArray[np.uint16], band: Band) -> int:
    """Put a deep lake of reflectance around 0 into a band; returns how many of its pixels the offset takes below 1."""
    corner, middle, size = (count * 60 // band.resolution_m for count in _lake_in_60m(pixels.shape[0], band))
    lake = pixels[corner : corner + size, middle : middle + size]
    lake[...] = DARK_DN[0] + lake % DARK_DN[1]
    return int(((pixels != NODATA_DN) & (pixels <= -OFFSET)).sum())


def _lake_in_60m(side: int, band: Band) -> tuple[int, int, int]:
    """First row, first column and side of the lake in pixels of 60 m."""
    coarse = side * band.resolution_m // 60
    return coarse // 6, coarse // 2, LAKE_PX


def _rows_of(pixels: NDArray[np.uint16]) -> Bools:
    """Two lines of a third of the tile's width in which a detector lost packets."""
    mask = np.zeros(pixels.shape, bool)
    row, width = pixels.shape[0] // 4, pixels.shape[1]
    mask[row : row + 2, width // 2 : width * 5 // 6] = True
    return mask


def _column_of(pixels: NDArray[np.uint16]) -> Bools:
    """A defective detector element: a column along the upper third."""
    mask = np.zeros(pixels.shape, bool)
    mask[: pixels.shape[0] // 3, pixels.shape[1] * 3 // 4] = True
    return mask
