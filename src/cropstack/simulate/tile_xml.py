"""Tile metadata of Level-1C, MTD_TL.xml: grids, angles, masks.

SOURCE: Sentinel-2 Products Specification Document 14, and real products before and after processing baseline 04.00.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from odc.geo.geobox import GeoBox

from cropstack.bands import S2_BANDS, Band
from cropstack.grid import RESOLUTIONS_M
from cropstack.simulate.l1c_product import HEADER, PSD, XSI, Content, L1CProduct, iso, lines, percent
from cropstack.simulate.noise import Floats
from cropstack.simulate.viewing import (
    DETECTORS,
    Track,
    detectors,
    lon_lat,
    mean_angles,
    sun_angles,
    view_angles,
)

GRID_STEP_M = 5000
GRID_NODES = 23


def tile_xml(product: L1CProduct, content: Content, geobox: GeoBox, masks: Iterable[tuple[str, Band | None]]) -> str:
    """Tile metadata; `geobox` is the tile's 10 m grid, `masks` lists (type, band)."""
    snow = f"\n      <SNOW_PIXEL_PERCENTAGE>{percent(content.snow)}</SNOW_PIXEL_PERCENTAGE>"
    degraded = f"<DEGRADED_MSI_DATA_PERCENTAGE>{percent(content.degraded_msi)}</DEGRADED_MSI_DATA_PERCENTAGE>"
    return f"""{HEADER}<n1:Level-1C_Tile_ID xmlns:n1="{PSD}/S2_PDI_Level-1C_Tile_Metadata.xsd" {XSI}>
  <n1:General_Info>
    <TILE_ID metadataLevel="Brief">{product.granule_id}</TILE_ID>
    <DATASTRIP_ID metadataLevel="Standard">{product.datastrip_id}</DATASTRIP_ID>
    <DOWNLINK_PRIORITY metadataLevel="Standard">NOMINAL</DOWNLINK_PRIORITY>
    <SENSING_TIME metadataLevel="Standard">{iso(product.sensing, decimals=6)}</SENSING_TIME>
    <Archiving_Info metadataLevel="Expertise">
      <ARCHIVING_CENTRE>{product.station}</ARCHIVING_CENTRE>
      <ARCHIVING_TIME>{iso(product.generated, decimals=6)}</ARCHIVING_TIME>
    </Archiving_Info>
  </n1:General_Info>
  <n1:Geometric_Info>
{_geocoding(geobox)}
{_tile_angles(product, geobox)}
  </n1:Geometric_Info>
  <n1:Quality_Indicators_Info metadataLevel="Standard">
    <Image_Content_QI>
      <CLOUDY_PIXEL_PERCENTAGE>{percent(content.cloud)}</CLOUDY_PIXEL_PERCENTAGE>
      {degraded}{snow if product.has_raster_masks else ""}
    </Image_Content_QI>
    <Pixel_Level_QI geometry="FULL_RESOLUTION">
{lines(_mask_file(product, kind, band) for kind, band in masks)}
    </Pixel_Level_QI>
    <PVI_FILENAME>{product.preview}</PVI_FILENAME>
  </n1:Quality_Indicators_Info>
</n1:Level-1C_Tile_ID>
"""


def _mask_file(product: L1CProduct, kind: str, band: Band | None) -> str:
    if band is None:
        return f'      <MASK_FILENAME type="{kind}">{product.mask(kind, "B00")}</MASK_FILENAME>'
    return f'      <MASK_FILENAME bandId="{band.number}" type="{kind}">{product.mask(kind, band.name)}</MASK_FILENAME>'


def _geocoding(geobox: GeoBox) -> str:
    epsg = int(geobox.crs.to_epsg())
    side = geobox.shape[0] * 10
    left, top = geobox.affine.c, geobox.affine.f
    sizes = lines(
        f'      <Size resolution="{r}">\n        <NROWS>{side // r}</NROWS>\n'
        f"        <NCOLS>{side // r}</NCOLS>\n      </Size>"
        for r in RESOLUTIONS_M
    )
    positions = lines(
        f'      <Geoposition resolution="{r}">\n        <ULX>{left:.0f}</ULX>\n        <ULY>{top:.0f}</ULY>\n'
        f"        <XDIM>{r}</XDIM>\n        <YDIM>-{r}</YDIM>\n      </Geoposition>"
        for r in RESOLUTIONS_M
    )
    return f"""    <Tile_Geocoding metadataLevel="Brief">
      <HORIZONTAL_CS_NAME>WGS84 / UTM zone {epsg % 100:02d}{"N" if epsg < 32700 else "S"}</HORIZONTAL_CS_NAME>
      <HORIZONTAL_CS_CODE>EPSG:{epsg}</HORIZONTAL_CS_CODE>
{sizes}
{positions}
    </Tile_Geocoding>"""


def _tile_angles(product: L1CProduct, geobox: GeoBox) -> str:
    """Grids with 5 km steps over a whole tile, also where `geobox` is cut, and means over `geobox`."""
    left, bottom, right, top = geobox.extent.boundingbox.bbox
    steps = np.arange(GRID_NODES) * float(GRID_STEP_M)
    x, y = left + steps[None, :], top - steps[:, None]
    sun = sun_angles(product.sensing, *lon_lat(geobox, *np.broadcast_arrays(x, y)))
    inside = np.meshgrid(np.linspace(left, right, GRID_NODES), np.linspace(bottom, top, GRID_NODES))
    mean_sun = mean_angles(*sun_angles(product.sensing, *lon_lat(geobox, *inside)))
    grids = [_view_grids(product.track, band, x, y, inside) for band in S2_BANDS]
    means = [_mean_view(product.track, band, inside) for band in S2_BANDS]
    return f"""    <Tile_Angles metadataLevel="Standard">
      <Sun_Angles_Grid>
{_grid("Zenith", sun[0])}
{_grid("Azimuth", sun[1])}
      </Sun_Angles_Grid>
      <Mean_Sun_Angle>
{_angle(mean_sun)}
      </Mean_Sun_Angle>
{lines(grid for grid in grids if grid)}
      <Mean_Viewing_Incidence_Angle_List>
{lines(means)}
      </Mean_Viewing_Incidence_Angle_List>
    </Tile_Angles>"""


def _view_grids(track: Track, band: Band, x: Floats, y: Floats, inside: Sequence[Floats]) -> str:
    """One grid for each detector that sees the (cut) tile, NaN where it does not look."""
    zenith, azimuth = view_angles(track, band, x, y)
    seen_by, here = detectors(track, band, x, y), detectors(track, band, *inside)
    grids = []
    for detector in range(1, DETECTORS + 1):
        if (here == detector).any():
            values = (np.where(seen_by == detector, angle, np.nan) for angle in (zenith, azimuth))
            rows = lines(_grid(name, angle) for name, angle in zip(("Zenith", "Azimuth"), values, strict=True))
            grids.append(
                f'      <Viewing_Incidence_Angles_Grids bandId="{band.number}" detectorId="{detector}">\n{rows}\n'
                "      </Viewing_Incidence_Angles_Grids>"
            )
    return lines(grids)


def _mean_view(track: Track, band: Band, inside: Sequence[Floats]) -> str:
    seen = detectors(track, band, *inside) > 0
    zenith, azimuth = view_angles(track, band, *inside)
    mean = mean_angles(zenith[seen], azimuth[seen])
    return (
        f'        <Mean_Viewing_Incidence_Angle bandId="{band.number}">\n{_angle(mean)}\n'
        "        </Mean_Viewing_Incidence_Angle>"
    )


def _angle(angle: tuple[float, float]) -> str:
    return (
        f'          <ZENITH_ANGLE unit="deg">{angle[0]:.12f}</ZENITH_ANGLE>\n'
        f'          <AZIMUTH_ANGLE unit="deg">{angle[1]:.12f}</AZIMUTH_ANGLE>'
    )


def _grid(name: str, values: Floats) -> str:
    rows = lines(
        f"            <VALUES>{' '.join('NaN' if math.isnan(v) else f'{v:.6g}' for v in row)}</VALUES>"
        for row in values.tolist()
    )
    return f"""        <{name}>
          <COL_STEP unit="m">{GRID_STEP_M}</COL_STEP>
          <ROW_STEP unit="m">{GRID_STEP_M}</ROW_STEP>
          <Values_List>
{rows}
          </Values_List>
        </{name}>"""
