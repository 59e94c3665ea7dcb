"""Tables of Sentinel-2 MSI bands and of the flags that scene files carry.

SOURCE: Sentinel-2 Products Specification Document (band order and resolutions); wavelengths of Sentinel-2A from
the Spectral_Information of its Level-1C metadata.
"""

from dataclasses import dataclass

import numpy as np

NODATA_DN = 0
SATURATED_DN = 65535
QUANTIFICATION = 10_000  # digital numbers per unit reflectance, as in every product up to now; read_s2 checks it


@dataclass(frozen=True)
class Band:
    """`number` is the ``band_id`` of product metadata, `physical` its ``physicalBand``."""

    name: str
    number: int
    physical: str
    resolution_m: int
    wavelength_nm: float
    long_name: str


S2_BANDS = (
    Band("B01", 0, "B1", 60, 442.7, "coastal aerosol"),
    Band("B02", 1, "B2", 10, 492.4, "blue"),
    Band("B03", 2, "B3", 10, 559.8, "green"),
    Band("B04", 3, "B4", 10, 664.6, "red"),
    Band("B05", 4, "B5", 20, 704.1, "red edge 1"),
    Band("B06", 5, "B6", 20, 740.5, "red edge 2"),
    Band("B07", 6, "B7", 20, 782.8, "red edge 3"),
    Band("B08", 7, "B8", 10, 832.8, "near infrared"),
    Band("B8A", 8, "B8A", 20, 864.7, "narrow near infrared"),
    Band("B09", 9, "B9", 60, 945.1, "water vapour"),
    Band("B10", 10, "B10", 60, 1373.5, "cirrus"),
    Band("B11", 11, "B11", 20, 1613.7, "short-wave infrared 1"),
    Band("B12", 12, "B12", 20, 2202.4, "short-wave infrared 2"),
)
S2_BAND = {band.name: band for band in S2_BANDS}

# Bits of the `flags` variable of a scene file, by name; 0 is clear.
FLAGS = {
    "nodata": 1,
    "opaque_cloud": 2,
    "cirrus": 4,
    "shadow": 8,
    "snow": 16,
    "saturated": 32,
    "defective": 64,
}


def bands_at(resolution_m: int) -> list[Band]:
    """Sentinel-2 bands of one native resolution, in `band_id` order."""
    return [band for band in S2_BANDS if band.resolution_m == resolution_m]


def reflectance_attributes(band: Band) -> dict[str, str | float]:
    """CF attributes of a band variable that holds top-of-atmosphere reflectance × 10 000."""
    return {
        "long_name": f"top-of-atmosphere reflectance, {band.long_name}",
        "standard_name": "toa_bidirectional_reflectance",
        "units": "1e-4",
        "grid_mapping": "spatial_ref",
        "radiation_wavelength": band.wavelength_nm,
    }


def flag_attributes() -> dict[str, object]:
    """CF attributes of a `flags` variable."""
    return {
        "long_name": "pixel quality",
        "standard_name": "quality_flag",
        "flag_masks": np.array(list(FLAGS.values()), "u1"),
        "flag_meanings": " ".join(FLAGS),
        "grid_mapping": "spatial_ref",
    }
