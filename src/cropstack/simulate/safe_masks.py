"""Masks of a Level-1C product: GML polygons before processing baseline 04.00, JP2 rasters from it on.

SOURCE: Sentinel-2 Products Specification Document, and the masks of a real product of processing baseline 02.09.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import shapes

from cropstack.bands import NODATA_DN, S2_BANDS, SATURATED_DN, Band
from cropstack.simulate.l1c_product import L1CProduct
from cropstack.simulate.viewing import detector_raster

Bools = NDArray[np.bool_]

# Layers of MSK_QUALIT in order, and how they are called in GML: file and mask type.
QUALITY_LAYERS = {
    "ancillary_lost": ("MSK_TECQUA", "ANC_LOST"),
    "ancillary_degraded": ("MSK_TECQUA", "ANC_DEG"),
    "msi_lost": ("MSK_TECQUA", "MSI_LOST"),
    "msi_degraded": ("MSK_TECQUA", "MSI_DEG"),
    "defective": ("MSK_DEFECT", "QT_DEFECTIVE_PIXELS"),
    "nodata": ("MSK_NODATA", "QT_NODATA_PIXELS"),
    "partially_corrected": ("MSK_NODATA", "QT_PARTIALLY_CORRECTED_PIXELS"),
    "saturated": ("MSK_SATURA", "QT_SATURATED_PIXELS_L1A"),
}
ANCILLARY_FAULTS = ("ancillary_lost", "ancillary_degraded")
MSI_FAULTS = ("msi_lost", "msi_degraded", "defective")
CLASSES = ("opaque", "cirrus", "snow")  # layers of MSK_CLASSI
GML_KINDS = ("MSK_DEFECT", "MSK_DETFOO", "MSK_NODATA", "MSK_SATURA", "MSK_TECQUA")
RASTER_KINDS = ("MSK_DETFOO", "MSK_QUALIT")


@dataclass(frozen=True)
class L1CMasks:
    """What the agency found in the pixels; nodata and saturation are read off the bands themselves.

    Attributes
    ----------
    opaque, cirrus, snow : shape of the 60 m grid.
    faults : by band and layer (a key of `QUALITY_LAYERS`), shape of the band's grid; absent means nowhere.
    """

    opaque: Bools
    cirrus: Bools
    snow: Bools
    faults: Mapping[str, Mapping[str, Bools]] = field(default_factory=dict)


def no_masks(geobox60: GeoBox) -> L1CMasks:
    """Masks of a flawless, cloudless product."""
    clear = np.zeros(tuple(geobox60.shape), bool)
    return L1CMasks(clear, clear, clear)


def mask_files(product: L1CProduct) -> list[tuple[str, Band | None]]:
    """Type and band of the masks that a product has, in the metadata's order; None: one for the whole tile."""
    kinds = RASTER_KINDS if product.has_raster_masks else GML_KINDS
    whole = "MSK_CLASSI" if product.has_raster_masks else "MSK_CLOUDS"
    return [(kind, band) for band in S2_BANDS for kind in kinds] + [(whole, None)]


def quality_layers(pixels: NDArray[np.uint16], faults: Mapping[str, Bools]) -> list[NDArray[np.uint8]]:
    """Layers of MSK_QUALIT of a band in order, each uint8 of 0 and 1; those that are empty are one array."""
    found = {**faults, "nodata": pixels == NODATA_DN, "saturated": pixels == SATURATED_DN}
    empty = np.zeros(pixels.shape, np.uint8)
    return [found[name].view(np.uint8) if name in found and found[name].any() else empty for name in QUALITY_LAYERS]


def class_layers(masks: L1CMasks) -> list[NDArray[np.uint8]]:
    """Layers of MSK_CLASSI, uint8 of 0 and 1 at 60 m."""
    return [getattr(masks, name).astype(np.uint8) for name in CLASSES]


def footprint_layer(product: L1CProduct, band: Band, pixels: NDArray[np.uint16], geobox: GeoBox) -> NDArray[np.uint8]:
    """MSK_DETFOO: number of the detector that saw each pixel, 0 where there is no data."""
    numbers = detector_raster(product.track, band, geobox)
    numbers[pixels == NODATA_DN] = 0
    return numbers


def clouds_gml(product: L1CProduct, masks: L1CMasks, geobox: GeoBox) -> str:
    """MSK_CLOUDS_B00.gml: polygons of type OPAQUE and CIRRUS."""
    features: list[str] = []
    for kind, mask in (("OPAQUE", masks.opaque), ("CIRRUS", masks.cirrus)):
        rings = list(_polygons(mask.astype(np.uint8), geobox))
        features += [_feature(f"{kind}.{n}", f"{kind}.{n}", kind, part, flat=True) for n, (_, part) in enumerate(rings)]
    return _document(product, "MSK_CLOUDS", "B00", features, geobox)


def footprint_gml(product: L1CProduct, band: Band, numbers: NDArray[np.uint8], geobox: GeoBox) -> str:
    """MSK_DETFOO of a band: a polygon of type DETECTOR_FOOTPRINT for each detector."""
    features = [
        _feature(
            f"detector_footprint-{band.name}-{number:02d}-{n}",
            f"DETECTOR_FOOTPRINT.{n}",
            "DETECTOR_FOOTPRINT",
            part,
            flat=False,
        )
        for n, (number, part) in enumerate(sorted(_polygons(numbers, geobox), key=lambda found: found[0]))
    ]
    return _document(product, "MSK_DETFOO", band.name, features, geobox)


def quality_gml(product: L1CProduct, kind: str, band: Band, layers: list[NDArray[np.uint8]], geobox: GeoBox) -> str:
    """One of the other masks of a band: polygons of the layers of MSK_QUALIT that belong to `kind`; often none."""
    features = []
    for index, (file, mask_type) in enumerate(QUALITY_LAYERS.values()):
        if file == kind:
            parts = [part for _, part in _polygons(layers[index], geobox)]
            features += [
                _feature(f"{mask_type}-D01.{n}", f"{mask_type}.{n}", mask_type, part, flat=False)
                for n, part in enumerate(parts)
            ]
    return _document(product, kind, band.name, features, geobox)


Rings = list[list[tuple[float, float]]]


def _polygons(values: NDArray[np.uint8], geobox: GeoBox) -> Iterator[tuple[int, Rings]]:
    """Value and rings (outer first) of each connected area of equal values, 0 left out."""
    if values.any():
        for geometry, value in shapes(values, values > 0, connectivity=4, transform=geobox.affine):
            yield int(value), geometry["coordinates"]


def _feature(name: str, polygon: str, mask_type: str, rings: Rings, *, flat: bool) -> str:
    """A mask feature; the agency writes cloud polygons in two dimensions (`flat`), the others in three."""
    boundaries = "".join(
        f'          <gml:{side}><gml:LinearRing><gml:posList srsDimension="{2 if flat else 3}">'
        f"{_positions(ring, flat=flat)}</gml:posList></gml:LinearRing></gml:{side}>\n"
        for side, ring in zip(["exterior"] + ["interior"] * (len(rings) - 1), rings, strict=True)
    )
    return f"""    <eop:MaskFeature gml:id="{name}">
      <eop:maskType codeSpace="urn:gs2:S2PDGS:maskType">{mask_type}</eop:maskType>
      <eop:extentOf>
        <gml:Polygon gml:id="{polygon}_Polygon">
{boundaries}        </gml:Polygon>
      </eop:extentOf>
    </eop:MaskFeature>
"""


def _positions(ring: list[tuple[float, float]], *, flat: bool) -> str:
    return " ".join(f"{x:.0f} {y:.0f}" if flat else f"{x:.0f} {y:.0f} 0" for x, y in ring)


def _document(product: L1CProduct, kind: str, band: str, features: list[str], geobox: GeoBox) -> str:
    """A mask file; one without features has neither envelope nor members, as real ones."""
    name = product.pdi(kind, f"A{product.absolute_orbit:06d}_T{product.tile}_{band}_MSIL1C")
    left, bottom, right, top = geobox.extent.boundingbox.bbox
    envelope = f"""  <gml:boundedBy>
    <gml:Envelope srsName="urn:ogc:def:crs:EPSG:8.7:{geobox.crs.to_epsg()}">
      <gml:lowerCorner>{left:.0f} {bottom:.0f}</gml:lowerCorner>
      <gml:upperCorner>{right:.0f} {top:.0f}</gml:upperCorner>
    </gml:Envelope>
  </gml:boundedBy>
"""
    members = f"{envelope}  <eop:maskMembers>\n{''.join(features)}  </eop:maskMembers>"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<eop:Mask xmlns:eop="http://www.opengis.net/eop/2.0" xmlns:gml="http://www.opengis.net/gml/3.2" gml:id="{name}">
  <gml:name>{kind} pixels mask from data-strip {name}</gml:name>
{members if features else "  <eop:maskMembers/>"}
</eop:Mask>
"""
