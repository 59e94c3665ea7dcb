"""Real reflectance as Level-1C products. Both sets of pixels are set down on 31TCG, where there are declarations."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
import rasterio
from numpy.typing import NDArray

from cropstack.bands import S2_BAND, S2_BANDS
from cropstack.grid import tile_geobox
from cropstack.simulate.l1c_product import L1CProduct
from cropstack.simulate.render import product_of, render
from cropstack.simulate.safe_l1c import write_l1c
from cropstack.simulate.safe_masks import L1CMasks
from cropstack.simulate.schedule import (
    CYCLE_DAYS,
    CYCLE_ORBITS,
    DATATAKE_START,
    EDGE_DAYS,
    EDGE_ORBIT,
    EDGE_ORBITS,
    FIRST_PASS,
    MAIN_EAST_M,
    MAIN_ORBIT,
    Acquisition,
    Delivery,
)
from cropstack.simulate.surface import surface_of
from cropstack.simulate.viewing import track_past

TILE, COUNTRY, SEED = "31TCG", "es_ct", 11
Pixels = NDArray[np.uint16]

# Classes of the scene classification of Level-2A: medium and high probability of cloud, thin cirrus.
OPAQUE, CIRRUS = (8, 9), 10


# --- a Level-2A product of Morocco ------------------------------------------------------------------------

MOROCCO = (
    "imagery/rio-tiler-pds/sentinel-cogs/sentinel-s2-l2a-cogs/29/R/KH/2020/2/S2A_29RKH_20200219_0_L2A"  # one in ten px
)
MOROCCO_SIZE_PX = 1098
MOROCCO_OFFSETS = {"02.09": 0, "05.00": -1000}  # in order of time


def morocco_bands(realdata: Path) -> dict[str, Pixels]:
    """All 12 bands of S2A_29RKH_20200219, reduced tenfold: as delivered, without offset."""
    names = [band.name for band in S2_BANDS if band.name != "B10"]
    return {name: _read(realdata / MOROCCO / f"{name}.tif") for name in names}


def morocco_product(processing_baseline: str) -> L1CProduct:
    """The real overpass of 2020-02-19, or the next one of its orbit, reprocessed three years later."""
    reprocessed = MOROCCO_OFFSETS[processing_baseline] != 0
    datatake = datetime(2020, 2, 29 if reprocessed else 19, 11, 21, 11, tzinfo=UTC)
    return L1CProduct(
        tile=TILE,
        platform="S2A",
        datatake=datatake,
        datastrip=datatake + timedelta(minutes=9, seconds=54),
        sensing=datatake + timedelta(minutes=13, seconds=14, milliseconds=405),
        generated=datetime(2023, 5, 17, 3, 4, 5, tzinfo=UTC) if reprocessed else datatake + timedelta(hours=2),
        relative_orbit=37,
        absolute_orbit=24_344 + reprocessed * CYCLE_ORBITS,
        processing_baseline=processing_baseline,
        station="S2RP" if reprocessed else "MPS_",
        track=track_past(tile_geobox(TILE, 10, size_px=MOROCCO_SIZE_PX), east_m=0.0),
    )


def write_morocco(folder: Path, realdata: Path, processing_baseline: str) -> Path:
    """The 12 bands as a Level-1C product: pixels of 100, 200 and 600 m taken as such of 10, 20 and 60 m.

    B10, which Level-2A lacks, is simulated: digital numbers from 0 to 2499, and one saturated pixel.
    """
    product = morocco_product(processing_baseline)
    bands = {name: pixels - np.int16(product.offset) for name, pixels in morocco_bands(realdata).items()}
    bands = {name: pixels.astype(np.uint16) for name, pixels in bands.items()}
    bands["B10"] = (np.arange(183 * 183, dtype=np.uint16) % 2500).reshape(183, 183)
    bands["B10"][100, 100] = 65_535
    classes = _read(realdata / MOROCCO / "SCL.tif")[::3, ::3]
    return _write(folder, bands, product, masks_of(classes))


# --- a data cube of Belgium -------------------------------------------------------------------------------

BELGIUM = "imagery/openeo-gfmap/results/cdse_sentinel2_l2a.nc"
BELGIUM_SIZE_PX = 732
BELGIUM_PIXELS = {"B01": 6, "B04": 1, "B08": 1, "B11": 2}  # of the cube, per native pixel and axis
CORNER = (330, 336)  # row and column at 10 m: whole pixels of 60 m, and all four patches get a part


def belgium_cube(realdata: Path) -> tuple[list[date], dict[str, Pixels]]:
    """Days and, by band and ``SCL``, uint16 (12, 66, 64) at 10 m: reflectance × 10 000, no nodata."""
    with netCDF4.Dataset(realdata / BELGIUM) as file:
        file.set_auto_maskandscale(False)
        days = [date(1990, 1, 1) + timedelta(days=int(day)) for day in file["t"][:]]
        names = (*BELGIUM_PIXELS, "SCL")
        return days, {name: file[f"S2-L2A-{name}"][:].view(np.uint16) for name in names}


def belgium_window(name: str) -> tuple[slice, slice]:
    """Rows and columns of a band on its native grid where the cube is set in."""
    size = S2_BAND[name].resolution_m // 10
    first = [start // size for start in CORNER]
    return slice(first[0], first[0] + -(-66 // size)), slice(first[1], first[1] + -(-64 // size))


def overpass(day: date) -> Acquisition:
    """The satellite and orbit that really saw the place that day; delivered as then, no cloud but the cube's."""
    platform, orbit, absolute = next(
        (platform, orbit, absolute + orbits + ((day - first).days - days) // CYCLE_DAYS * CYCLE_ORBITS)
        for platform, (first, absolute) in FIRST_PASS.items()
        for orbit, days, orbits in ((MAIN_ORBIT, 0, 0), (EDGE_ORBIT, EDGE_DAYS, EDGE_ORBITS))
        if ((day - first).days - days) % CYCLE_DAYS == 0
    )
    datatake = datetime.combine(day, DATATAKE_START[orbit], tzinfo=UTC)
    generated = datatake.replace(microsecond=0) + timedelta(hours=3)
    delivery = Delivery("05.09", generated, "EPAE", faults=("saturated", "dark"))
    return Acquisition("plain", platform, datatake, orbit, absolute, MAIN_EAST_M, 0.0, (delivery,))


def write_belgium(folder: Path, realdata: Path) -> list[Path]:
    """A product for each of the 12 days: the cube's four bands, + 1000, in surroundings that are simulated.

    So are the other nine bands. B01 and B11 were resampled to 10 m and go back to their native pixels.
    """
    days, cube = belgium_cube(realdata)
    surface = surface_of(TILE, days[0].year, country=COUNTRY, size_px=BELGIUM_SIZE_PX, seed=SEED)
    written = []
    for number, day in enumerate(days):
        acquisition = overpass(day)
        delivery = acquisition.deliveries[0]
        product = product_of(TILE, acquisition, delivery, size_px=BELGIUM_SIZE_PX)
        picture = render(surface, acquisition, delivery, product, seed=SEED)
        for name, step in BELGIUM_PIXELS.items():
            picture.bands[name][belgium_window(name)] = cube[name][number, ::step, ::step] + 1000
        classes = np.zeros(picture.masks.opaque.shape, np.uint16)
        classes[belgium_window("B01")] = cube["SCL"][number, ::6, ::6]
        written.append(_write(folder, picture.bands, product, masks_of(classes)))
    return written


# --- both -------------------------------------------------------------------------------------------------


def masks_of(classes: Pixels) -> L1CMasks:
    """Masks from a Level-2A scene classification at 60 m."""
    return L1CMasks(np.isin(classes, OPAQUE), classes == CIRRUS, np.zeros(classes.shape, bool))


def _write(folder: Path, bands: Mapping[str, Pixels], product: L1CProduct, masks: L1CMasks) -> Path:
    path = folder / f"{product.id}.SAFE"
    write_l1c(path, bands, product=product, masks=masks)
    return path


def _read(path: Path) -> Pixels:
    with rasterio.open(path) as file:
        return file.read(1)
