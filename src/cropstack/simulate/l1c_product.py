"""What tells one Level-1C product from another, and the names that follow from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cropstack.simulate.viewing import Track

OFFSET_FROM = "04.00"  # processing baseline that brought the radiometric offset and raster masks
OFFSET = -1000
SHA3_FROM = "03.01"  # processing baseline from which manifests list SHA3-256 instead of MD5
COMPACT = "%Y%m%dT%H%M%S"

# Parts of all XML texts.
PSD = "https://psd-14.sentinel2.eo.esa.int/PSD"
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
HEADER = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
QUALITY_CHECKS = ("FORMAT_CORRECTNESS", "GENERAL_QUALITY", "GEOMETRIC_QUALITY", "RADIOMETRIC_QUALITY", "SENSOR_QUALITY")


@dataclass(frozen=True)
class L1CProduct:
    """Everything that tells one Level-1C product from another, pixels apart.

    Attributes
    ----------
    tile : MGRS cell such as ``31TCG``.
    platform : ``S2A`` or ``S2B``.
    datatake : start of the datatake, UTC.
    datastrip : start of the datastrip, UTC: the datatake's own, or later where the datatake was split.
    sensing : when the tile was seen, UTC.
    generated : when the product was made, UTC; also the last part of its name.
    relative_orbit, absolute_orbit : numbers of the overpass.
    processing_baseline : ``02.07``; from 04.00 on digital numbers carry an offset and masks are rasters.
    station : processing centre, four characters, ``SGS_``.
    track : the satellite's path.
    """

    tile: str
    platform: str
    datatake: datetime
    datastrip: datetime
    sensing: datetime
    generated: datetime
    relative_orbit: int
    absolute_orbit: int
    processing_baseline: str
    station: str
    track: Track

    @property
    def offset(self) -> int:
        """RADIO_ADD_OFFSET of all bands; 0 where the metadata has none."""
        return OFFSET if self.processing_baseline >= OFFSET_FROM else 0

    @property
    def has_raster_masks(self) -> bool:
        """Masks are JP2 rasters, not GML."""
        return self.processing_baseline >= OFFSET_FROM

    @property
    def id(self) -> str:
        """PRODUCT_URI without ``.SAFE``."""
        baseline = self.processing_baseline.replace(".", "")
        return (
            f"{self.platform}_MSIL1C_{self.datatake:{COMPACT}}_N{baseline}_R{self.relative_orbit:03d}_T{self.tile}"
            f"_{self.generated:{COMPACT}}"
        )

    @property
    def datatake_id(self) -> str:
        """Identifier of the datatake."""
        return f"G{self.platform}_{self.datatake:{COMPACT}}_{self.absolute_orbit:06d}_N{self.processing_baseline}"

    @property
    def granule(self) -> str:
        """Folder of the granule, relative to the product."""
        return f"GRANULE/L1C_T{self.tile}_A{self.absolute_orbit:06d}_{self.datastrip:{COMPACT}}"

    @property
    def granule_id(self) -> str:
        """Identifier of the granule."""
        return self.pdi("MSI_L1C_TL", f"A{self.absolute_orbit:06d}_T{self.tile}_N{self.processing_baseline}")

    @property
    def datastrip_folder(self) -> str:
        """Folder of the datastrip, relative to the product."""
        return f"DATASTRIP/DS_{self.station}_{self.generated:{COMPACT}}_S{self.datastrip:{COMPACT}}"

    @property
    def datastrip_id(self) -> str:
        """Identifier of the datastrip."""
        return self.pdi("MSI_L1C_DS", f"S{self.datastrip:{COMPACT}}_N{self.processing_baseline}")

    def pdi(self, kind: str, rest: str) -> str:
        """Identifier of a part of the product."""
        return f"{self.platform}_OPER_{kind}_{self.station}_{self.generated:{COMPACT}}_{rest}"

    def image(self, band: str) -> str:
        """File of a band, or of ``TCI``."""
        return f"{self.granule}/IMG_DATA/T{self.tile}_{self.datatake:{COMPACT}}_{band}.jp2"

    @property
    def preview(self) -> str:
        """File of the preview image."""
        return f"{self.granule}/QI_DATA/T{self.tile}_{self.datatake:{COMPACT}}_PVI.jp2"

    def mask(self, kind: str, band: str) -> str:
        """File of a mask: kind ``MSK_QUALIT``, band ``B00`` for the whole tile."""
        return f"{self.granule}/QI_DATA/{kind}_{band}.{'jp2' if self.has_raster_masks else 'gml'}"


@dataclass(frozen=True)
class Content:
    """What the metadata says about the pixels.

    Attributes
    ----------
    footprint : corners (longitude, latitude) of the area with data, closed.
    cloud, snow, degraded_msi, degraded_ancillary : percent.
    """

    footprint: tuple[tuple[float, float], ...]
    cloud: float
    snow: float
    degraded_msi: float
    degraded_ancillary: float

    @property
    def positions(self) -> str:
        """The footprint as metadata write it: latitude first."""
        return " ".join(f"{latitude:.9f} {longitude:.9f}" for longitude, latitude in self.footprint)


def iso(time: datetime, *, decimals: int = 3) -> str:
    """``2019-04-12T10:50:31.024Z``."""
    return f"{time:%Y-%m-%dT%H:%M:%S}.{f'{time.microsecond:06d}'[:decimals]}Z"


def percent(value: float) -> str:
    """Ten decimals at most: a single degraded pixel of a whole tile is still not 0."""
    return f"{value:.10f}".rstrip("0").rstrip(".") or "0"


def lines(texts: Iterable[str]) -> str:
    """Texts on a line each."""
    return "\n".join(texts)


def datatake_xml(product: L1CProduct) -> str:
    """Elements that describe the datatake, the same in product and datastrip metadata."""
    return f"""        <SPACECRAFT_NAME>Sentinel-{product.platform[1:]}</SPACECRAFT_NAME>
        <DATATAKE_TYPE>INS-NOBS</DATATAKE_TYPE>
        <DATATAKE_SENSING_START>{iso(product.datatake)}</DATATAKE_SENSING_START>
        <SENSING_ORBIT_NUMBER>{product.relative_orbit}</SENSING_ORBIT_NUMBER>
        <SENSING_ORBIT_DIRECTION>DESCENDING</SENSING_ORBIT_DIRECTION>"""
