from collections.abc import Callable
from pathlib import Path

import pytest

NAME = "S2A_MSIL1C_20190412T105031_N0207_R051_T31TCG_20190412T111111"

PRODUCT = """<?xml version="1.0"?>
<n1:Level-1C_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-1C.xsd"><n1:General_Info>
<Product_Info><PRODUCT_START_TIME>{sensing}</PRODUCT_START_TIME><PRODUCT_URI>{name}.SAFE</PRODUCT_URI>
<PROCESSING_LEVEL>Level-1C</PROCESSING_LEVEL><PROCESSING_BASELINE>02.07</PROCESSING_BASELINE>
<GENERATION_TIME>2019-04-12T11:11:11.000Z</GENERATION_TIME>
<Datatake datatakeIdentifier="GS2A_20190412T105031_019872_N02.07"><SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME>
<SENSING_ORBIT_NUMBER>51</SENSING_ORBIT_NUMBER><SENSING_ORBIT_DIRECTION>DESCENDING</SENSING_ORBIT_DIRECTION></Datatake>
</Product_Info><QUANTIFICATION_VALUE unit="none">10000</QUANTIFICATION_VALUE></n1:General_Info>
<EXT_POS_LIST>42.4 0.5 42.4 1.8 41.4 1.8 41.4 0.5 42.4 0.5</EXT_POS_LIST>
<Cloud_Coverage_Assessment>3.5</Cloud_Coverage_Assessment></n1:Level-1C_User_Product>
"""
GRID = "".join(
    f'<Size resolution="{m}"><NROWS>{109800 // m}</NROWS><NCOLS>{109800 // m}</NCOLS></Size>'
    f'<Geoposition resolution="{m}"><ULX>300000</ULX><ULY>4700040</ULY><XDIM>{m}</XDIM><YDIM>-{m}</YDIM></Geoposition>'
    for m in (10, 20, 60)
)
TILE = """<n1:Level-1C_Tile_ID xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_Level-1C_Tile_Metadata.xsd">
<TILE_ID>S2A_OPER_MSI_L1C_TL_SGS__20190412T111111_A019872_T{tile}_N02.07</TILE_ID><SENSING_TIME>{sensing}</SENSING_TIME>
<HORIZONTAL_CS_CODE>EPSG:32631</HORIZONTAL_CS_CODE>{grid}</n1:Level-1C_Tile_ID>
"""


@pytest.fixture
def write_safe() -> Callable[..., Path]:
    """Write a SAFE directory with metadata and one small file for a band; its id is `name` wherever it lies."""

    def write(path: Path, *, name: str = NAME, tile: str = "31TCG", sensing: str = "2019-04-12T10:50:34.123Z") -> Path:
        granule = path / "GRANULE" / "L1C"
        (granule / "IMG_DATA").mkdir(parents=True)
        (path / "MTD_MSIL1C.xml").write_text(PRODUCT.format(name=name, sensing=sensing))
        (granule / "MTD_TL.xml").write_text(TILE.format(tile=tile, sensing=sensing, grid=GRID))
        (granule / "IMG_DATA" / f"T{tile}_B02.jp2").write_bytes(b"pixels")
        (path / "manifest.safe").write_text("<XFDU/>")
        return path

    return write
