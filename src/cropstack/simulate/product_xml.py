"""Product metadata of Level-1C, MTD_MSIL1C.xml.

SOURCE: Sentinel-2 Products Specification Document 14, and real products before and after processing baseline 04.00.
Left out, as no reader here needs them: spectral response curves and the list of auxiliary files (GIPP).
"""

import math
from datetime import datetime
from typing import NamedTuple

from cropstack.bands import NODATA_DN, QUANTIFICATION, S2_BANDS, SATURATED_DN, Band
from cropstack.simulate.l1c_product import (
    HEADER,
    PSD,
    QUALITY_CHECKS,
    XSI,
    Content,
    L1CProduct,
    datatake_xml,
    iso,
    lines,
    percent,
)


class Spectrum(NamedTuple):
    """Of one band: wavelengths in nm, solar irradiance in W/m²/µm, digital counts per radiance."""

    shortest: int
    longest: int
    central: float
    irradiance: float
    gain: float


# SOURCE: MTD_MSIL1C.xml of real products (S2A of 2020, S2B of 2023), bands in the order of S2_BANDS.
SPECTRA = {
    "S2A": (
        Spectrum(412, 456, 442.7, 1884.69, 4.10704469),
        Spectrum(456, 533, 492.7, 1959.66, 3.7510155),
        Spectrum(538, 583, 559.8, 1823.24, 4.17672732),
        Spectrum(646, 684, 664.6, 1512.06, 4.5073641),
        Spectrum(695, 714, 704.1, 1424.64, 5.18832596),
        Spectrum(731, 749, 740.5, 1287.61, 4.85294746),
        Spectrum(769, 797, 782.8, 1162.08, 4.51488207),
        Spectrum(760, 907, 832.8, 1041.63, 6.1342933),
        Spectrum(837, 881, 864.7, 955.32, 5.11345501),
        Spectrum(932, 958, 945.1, 812.92, 8.49134074),
        Spectrum(1337, 1412, 1373.5, 367.15, 54.75127074),
        Spectrum(1539, 1682, 1613.7, 245.59, 35.08231952),
        Spectrum(2078, 2320, 2202.4, 85.25, 106.16068443),
    ),
    "S2B": (
        Spectrum(411, 456, 442.3, 1874.3, 3.96374669),
        Spectrum(456, 532, 492.3, 1959.75, 3.82020478),
        Spectrum(536, 582, 559.0, 1824.93, 4.23767272),
        Spectrum(646, 685, 665.0, 1512.79, 4.77546721),
        Spectrum(694, 714, 703.8, 1425.78, 5.18343615),
        Spectrum(730, 748, 739.1, 1291.13, 5.08988587),
        Spectrum(766, 794, 779.7, 1175.57, 4.76395679),
        Spectrum(774, 907, 833.0, 1041.28, 6.82067015),
        Spectrum(848, 880, 864.0, 953.93, 5.7604695),
        Spectrum(930, 957, 943.2, 817.58, 9.37540607),
        Spectrum(1339, 1415, 1376.9, 365.41, 56.4054263),
        Spectrum(1538, 1679, 1610.4, 247.08, 37.17859102),
        Spectrum(2065, 2303, 2185.7, 87.75, 108.68988978),
    ),
}


def product_xml(product: L1CProduct, content: Content) -> str:
    """Product metadata."""
    return f"""{HEADER}<n1:Level-1C_User_Product xmlns:n1="{PSD}/User_Product_Level-1C.xsd" {XSI}>
  <n1:General_Info>
    <Product_Info>
      <PRODUCT_START_TIME>{iso(product.datatake)}</PRODUCT_START_TIME>
      <PRODUCT_STOP_TIME>{iso(product.datatake)}</PRODUCT_STOP_TIME>
      <PRODUCT_URI>{product.id}.SAFE</PRODUCT_URI>
      <PROCESSING_LEVEL>Level-1C</PROCESSING_LEVEL>
      <PRODUCT_TYPE>S2MSI1C</PRODUCT_TYPE>
      <PROCESSING_BASELINE>{product.processing_baseline}</PROCESSING_BASELINE>
      <GENERATION_TIME>{iso(product.generated, decimals=6)}</GENERATION_TIME>
      <PREVIEW_IMAGE_URL>Not applicable</PREVIEW_IMAGE_URL>
      <PREVIEW_GEO_INFO>Not applicable</PREVIEW_GEO_INFO>
      <Datatake datatakeIdentifier="{product.datatake_id}">
{datatake_xml(product)}
      </Datatake>
      <Query_Options completeSingleTile="true">
        <PRODUCT_FORMAT>SAFE_COMPACT</PRODUCT_FORMAT>
      </Query_Options>
      <Product_Organisation>
        <Granule_List>
          <Granule datastripIdentifier="{product.datastrip_id}"
                   granuleIdentifier="{product.granule_id}" imageFormat="JPEG2000">
{_image_files(product)}
          </Granule>
        </Granule_List>
      </Product_Organisation>
    </Product_Info>
{_image_characteristics(product)}
  </n1:General_Info>
  <n1:Geometric_Info>
    <Product_Footprint>
      <Product_Footprint>
        <Global_Footprint>
          <EXT_POS_LIST>{content.positions} </EXT_POS_LIST>
        </Global_Footprint>
      </Product_Footprint>
      <RASTER_CS_TYPE>POINT</RASTER_CS_TYPE>
      <PIXEL_ORIGIN>1</PIXEL_ORIGIN>
    </Product_Footprint>
    <Coordinate_Reference_System>
      <GEO_TABLES version="1">EPSG</GEO_TABLES>
      <HORIZONTAL_CS_TYPE>GEOGRAPHIC</HORIZONTAL_CS_TYPE>
    </Coordinate_Reference_System>
  </n1:Geometric_Info>
  <n1:Auxiliary_Data_Info/>
  <n1:Quality_Indicators_Info>
    <Cloud_Coverage_Assessment>{percent(content.cloud)}</Cloud_Coverage_Assessment>{_snow(product, content)}
    <Technical_Quality_Assessment>
      <DEGRADED_ANC_DATA_PERCENTAGE>{percent(content.degraded_ancillary)}</DEGRADED_ANC_DATA_PERCENTAGE>
      <DEGRADED_MSI_DATA_PERCENTAGE>{percent(content.degraded_msi)}</DEGRADED_MSI_DATA_PERCENTAGE>
    </Technical_Quality_Assessment>
    <Quality_Control_Checks>
      <Quality_Inspections>
{lines(f'        <quality_check checkType="{check}">PASSED</quality_check>' for check in QUALITY_CHECKS)}
      </Quality_Inspections>
      <Failed_Inspections/>
    </Quality_Control_Checks>
  </n1:Quality_Indicators_Info>
</n1:Level-1C_User_Product>
"""


def _image_files(product: L1CProduct) -> str:
    names = [product.image(band.name) for band in S2_BANDS] + [product.image("TCI")]
    return lines(f"            <IMAGE_FILE>{name.removesuffix('.jp2')}</IMAGE_FILE>" for name in names)


def _image_characteristics(product: L1CProduct) -> str:
    spectra = list(zip(S2_BANDS, SPECTRA[product.platform], strict=True))
    irradiance = lines(
        f'          <SOLAR_IRRADIANCE bandId="{band.number}" unit="W/m²/µm">{s.irradiance}</SOLAR_IRRADIANCE>'
        for band, s in spectra
    )
    gains = lines(f'      <PHYSICAL_GAINS bandId="{band.number}">{s.gain}</PHYSICAL_GAINS>' for band, s in spectra)
    return f"""    <Product_Image_Characteristics>
      <Special_Values>
        <SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT>
        <SPECIAL_VALUE_INDEX>{NODATA_DN}</SPECIAL_VALUE_INDEX>
      </Special_Values>
      <Special_Values>
        <SPECIAL_VALUE_TEXT>SATURATED</SPECIAL_VALUE_TEXT>
        <SPECIAL_VALUE_INDEX>{SATURATED_DN}</SPECIAL_VALUE_INDEX>
      </Special_Values>
      <Image_Display_Order>
        <RED_CHANNEL>3</RED_CHANNEL>
        <GREEN_CHANNEL>2</GREEN_CHANNEL>
        <BLUE_CHANNEL>1</BLUE_CHANNEL>
      </Image_Display_Order>
      <QUANTIFICATION_VALUE unit="none">{QUANTIFICATION}</QUANTIFICATION_VALUE>{_offsets(product)}
      <Reflectance_Conversion>
        <U>{_sun_distance_factor(product.datatake):.12f}</U>
        <Solar_Irradiance_List>
{irradiance}
        </Solar_Irradiance_List>
      </Reflectance_Conversion>
      <Spectral_Information_List>
{lines(_spectrum(band, s) for band, s in spectra)}
      </Spectral_Information_List>
{gains}
    </Product_Image_Characteristics>"""


def _offsets(product: L1CProduct) -> str:
    if not product.offset:
        return ""
    rows = lines(
        f'        <RADIO_ADD_OFFSET band_id="{band.number}">{product.offset}</RADIO_ADD_OFFSET>' for band in S2_BANDS
    )
    return f"\n      <Radiometric_Offset_List>\n{rows}\n      </Radiometric_Offset_List>"


def _spectrum(band: Band, spectrum: Spectrum) -> str:
    return f"""        <Spectral_Information bandId="{band.number}" physicalBand="{band.physical}">
          <RESOLUTION>{band.resolution_m}</RESOLUTION>
          <Wavelength>
            <MIN unit="nm">{spectrum.shortest}</MIN>
            <MAX unit="nm">{spectrum.longest}</MAX>
            <CENTRAL unit="nm">{spectrum.central:g}</CENTRAL>
          </Wavelength>
        </Spectral_Information>"""


def _sun_distance_factor(time: datetime) -> float:
    """Inverse square of the sun's distance in astronomical units (PSD, Reflectance_Conversion)."""
    return float((1 - 0.01673 * math.cos(0.0172 * (time.timetuple().tm_yday - 2))) ** -2)


def _snow(product: L1CProduct, content: Content) -> str:
    if not product.has_raster_masks:
        return ""
    return f"\n    <Snow_Coverage_Assessment>{percent(content.snow)}</Snow_Coverage_Assessment>"
