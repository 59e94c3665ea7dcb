"""Builders of small Level-1C products, written with rasterio and plain text, not by our own simulator."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio

from cropstack.bands import S2_BANDS
from cropstack.files import write_json
from cropstack.grid import tile_geobox

TILE = "31TCG"
SIZE_PX = 732  # two patches a side
GML = """<?xml version="1.0" encoding="UTF-8"?>
<eop:Mask xmlns:eop="http://www.opengis.net/eop/2.0" xmlns:gml="http://www.opengis.net/gml/3.2" gml:id="M">
  <gml:boundedBy><gml:Envelope srsName="urn:ogc:def:crs:EPSG:8.7:{epsg}"/></gml:boundedBy>
  <eop:maskMembers>{members}</eop:maskMembers>
</eop:Mask>
"""
MEMBER = """<eop:MaskFeature gml:id="{kind}.{n}"><eop:maskType>{kind}</eop:maskType><eop:extentOf>
<gml:Polygon gml:id="{kind}.{n}_Polygon">{rings}</gml:Polygon></eop:extentOf></eop:MaskFeature>"""
RING = (
    '<gml:{side}><gml:LinearRing><gml:posList srsDimension="{dim}">{text}</gml:posList></gml:LinearRing></gml:{side}>'
)


@dataclass
class L1C:
    """A product to be written; every part can be changed before."""

    baseline: str = "02.07"
    start: str = "2019-04-12T10:50:31.024Z"
    generated: str = "2019-04-12T13:08:31.000000Z"
    sensing: str = "2019-04-12T10:56:27.461Z"
    cloud: float = 4.25
    degraded: float = 0
    size_px: int = SIZE_PX
    seed: int = 1
    offsets: dict[int, int] = field(default_factory=dict)  # by band_id
    bands: dict[str, np.ndarray] = field(default_factory=dict)  # digital numbers in place of the seed's
    clouds: list[tuple[str, list[list[tuple[float, float]]]]] = field(default_factory=list)  # type, rings of pixels
    defects: dict[str, list[tuple[str, list[list[tuple[float, float]]]]]] = field(default_factory=dict)  # by file stem
    classes: np.ndarray | None = None  # (3, y, x) at 60 m
    quality: dict[str, np.ndarray] = field(default_factory=dict)  # (8, y, x) by band

    @property
    def name(self) -> str:
        def compact(text: str) -> str:
            return text[:19].replace("-", "").replace(":", "")

        return (
            f"S2A_MSIL1C_{compact(self.start)}_N{self.baseline.replace('.', '')}_R051_T{TILE}_{compact(self.generated)}"
        )

    @property
    def rasters(self) -> bool:
        """Masks as rasters, as from processing baseline 04.00 on."""
        return self.baseline >= "04.00"


def digital_numbers(product: L1C, name: str, resolution: int) -> np.ndarray:
    """What the builder writes into a band: noise, a block of nodata, some saturated and some very dark pixels."""
    if name in product.bands:
        return product.bands[name]
    size = product.size_px * 10 // resolution
    rng = np.random.default_rng([product.seed, ord(name[-1]), resolution])
    dn = rng.integers(1001, 4000, (size, size)).astype(np.uint16)
    dn[: size // 10, : size // 10] = 0
    dn[size // 2, : size // 4] = 65535
    dn[size // 3, :20] = np.arange(1, 1001, 50)
    return dn


def write_raster(path: Path, layers: np.ndarray, resolution: int, **options: Any) -> None:
    """Lossless JPEG 2000 in several image tiles, georeferenced as the tile's grid."""
    grid = tile_geobox(TILE, resolution, size_px=SIZE_PX)
    layers = np.atleast_3d(layers.T).T
    profile = {"crs": f"EPSG:{grid.crs.to_epsg()}", "transform": grid.affine, **options}
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        rasterio.Env(GDAL_PAM_ENABLED="NO"),
        rasterio.open(
            path,
            "w",
            driver="JP2OpenJPEG",
            height=layers.shape[1],
            width=layers.shape[2],
            count=layers.shape[0],
            dtype=layers.dtype,
            QUALITY="100",
            REVERSIBLE="YES",
            YCBCR420="NO",
            blockxsize=128,
            blockysize=128,
            **profile,
        ) as dataset,
    ):
        dataset.write(layers)


def write_product(product: L1C, folder: Path) -> Path:
    """Write a SAFE directory and return it."""
    root = folder / f"{product.name}.SAFE"
    granule = f"GRANULE/L1C_T{TILE}_A019872_20190412T105627"
    for band in S2_BANDS:
        dn = digital_numbers(product, band.name, band.resolution_m)
        write_raster(root / granule / f"IMG_DATA/T{TILE}_20190412T105031_{band.name}.jp2", dn, band.resolution_m)
    masks = _write_masks(product, root, granule)
    (root / "MTD_MSIL1C.xml").write_text(product_xml(product, granule), encoding="utf-8")
    (root / granule / "MTD_TL.xml").write_text(tile_xml(product, masks), encoding="utf-8")
    return root


def _write_masks(product: L1C, root: Path, granule: str) -> str:
    """Write the masks; return their MASK_FILENAME elements."""
    lines = []

    def add(kind: str, band: Any, suffix: str) -> Path:
        name = f"{granule}/QI_DATA/{kind}_{band.name if band else 'B00'}.{suffix}"
        number = f'bandId="{band.number}" ' if band else ""
        lines.append(f'<MASK_FILENAME {number}type="{kind}">{name}</MASK_FILENAME>')
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        return root / name

    if product.rasters:
        coarse = product.size_px // 6
        classes = np.zeros((3, coarse, coarse), np.uint8) if product.classes is None else product.classes
        write_raster(add("MSK_CLASSI", None, "jp2"), classes, 60)
        for name, layers in product.quality.items():
            band = next(band for band in S2_BANDS if band.name == name)
            write_raster(add("MSK_QUALIT", band, "jp2"), layers, band.resolution_m)
        return "".join(lines)
    add("MSK_CLOUDS", None, "gml").write_text(gml(product.clouds))
    for band in S2_BANDS:
        for kind in ("MSK_DEFECT", "MSK_TECQUA"):
            add(kind, band, "gml").write_text(gml(product.defects.get(f"{kind}_{band.name}", []), dim=3))
    return "".join(lines)


def upper_left() -> tuple[int, int]:
    """Corner (x, y) of the tile in m."""
    transform = tile_geobox(TILE, 10, size_px=SIZE_PX).affine
    return round(transform.c), round(transform.f)


def gml(features: list[tuple[str, list[list[tuple[float, float]]]]], *, dim: int = 2, epsg: int = 32631) -> str:
    """A mask of polygons whose rings are given in 10 m pixels (column, row) of the tile."""
    left, top = upper_left()
    members = []
    for n, (kind, rings) in enumerate(features):
        parts = []
        for side, ring in zip(["exterior"] + ["interior"] * len(rings), rings, strict=False):
            points = [(left + 10 * x, top - 10 * y) + (0.0,) * (dim - 2) for x, y in [*ring, ring[0]]]
            text = " ".join(f"{value:.10g}" for point in points for value in point)
            parts.append(RING.format(side=side, dim=dim, text=text))
        members.append(MEMBER.format(kind=kind, n=n, rings="".join(parts)))
    return GML.format(epsg=epsg, members="".join(members))


def product_xml(product: L1C, granule: str) -> str:
    """MTD_MSIL1C.xml with the elements that a reader may ask for."""
    images = "".join(
        f"<IMAGE_FILE>{granule}/IMG_DATA/T{TILE}_20190412T105031_{band.name}</IMAGE_FILE>" for band in S2_BANDS
    )
    offsets = "".join(f'<RADIO_ADD_OFFSET band_id="{n}">{o}</RADIO_ADD_OFFSET>' for n, o in product.offsets.items())
    listed = f"<Radiometric_Offset_List>{offsets}</Radiometric_Offset_List>" if offsets else ""
    identifier = f"GS2A_20190412T105031_019872_N{product.baseline}"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-1C_User_Product xmlns:n1="https://psd-99.sentinel2.eo.esa.int/PSD/User_Product_Level-1C.xsd">
<n1:General_Info><Product_Info>
<PRODUCT_START_TIME>{product.start}</PRODUCT_START_TIME><PRODUCT_URI>{product.name}.SAFE</PRODUCT_URI>
<PROCESSING_LEVEL>Level-1C</PROCESSING_LEVEL><PROCESSING_BASELINE>{product.baseline}</PROCESSING_BASELINE>
<GENERATION_TIME>{product.generated}</GENERATION_TIME>
<Datatake datatakeIdentifier="{identifier}"><SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME>
<SENSING_ORBIT_NUMBER>51</SENSING_ORBIT_NUMBER><SENSING_ORBIT_DIRECTION>DESCENDING</SENSING_ORBIT_DIRECTION></Datatake>
<Product_Organisation><Granule_List><Granule>{images}</Granule></Granule_List></Product_Organisation></Product_Info>
<Product_Image_Characteristics><QUANTIFICATION_VALUE unit="none">10000</QUANTIFICATION_VALUE>{listed}
</Product_Image_Characteristics></n1:General_Info>
<n1:Geometric_Info><Global_Footprint><EXT_POS_LIST>42.4 0.5 42.4 1.9 41.4 1.9 41.4 0.5 42.4 0.5 </EXT_POS_LIST>
</Global_Footprint></n1:Geometric_Info>
<n1:Quality_Indicators_Info><Cloud_Coverage_Assessment>{product.cloud}</Cloud_Coverage_Assessment>
</n1:Quality_Indicators_Info></n1:Level-1C_User_Product>
"""


def tile_xml(product: L1C, masks: str) -> str:
    """MTD_TL.xml with grid, angles and masks."""
    left, top = upper_left()
    geocoding = "".join(
        f'<Size resolution="{r}"><NROWS>{product.size_px * 10 // r}</NROWS><NCOLS>{product.size_px * 10 // r}</NCOLS>'
        f'</Size><Geoposition resolution="{r}"><ULX>{left}</ULX><ULY>{top}</ULY><XDIM>{r}</XDIM><YDIM>-{r}</YDIM>'
        "</Geoposition>"
        for r in (10, 20, 60)
    )
    angles = "".join(
        f'<Mean_Viewing_Incidence_Angle bandId="{band.number}"><ZENITH_ANGLE>{7 + band.number}</ZENITH_ANGLE>'
        f"<AZIMUTH_ANGLE>{(354 + band.number) % 360}</AZIMUTH_ANGLE></Mean_Viewing_Incidence_Angle>"
        for band in S2_BANDS
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-1C_Tile_ID xmlns:n1="https://psd-99.sentinel2.eo.esa.int/PSD/S2_PDI_Level-1C_Tile_Metadata.xsd">
<n1:General_Info><TILE_ID>S2A_OPER_MSI_L1C_TL_SGS__20190412T130831_A019872_T{TILE}_N{product.baseline}</TILE_ID>
<SENSING_TIME>{product.sensing}</SENSING_TIME></n1:General_Info>
<n1:Geometric_Info><Tile_Geocoding><HORIZONTAL_CS_CODE>EPSG:32631</HORIZONTAL_CS_CODE>{geocoding}</Tile_Geocoding>
<Tile_Angles><Mean_Sun_Angle><ZENITH_ANGLE>35.5</ZENITH_ANGLE><AZIMUTH_ANGLE>152.25</AZIMUTH_ANGLE></Mean_Sun_Angle>
<Mean_Viewing_Incidence_Angle_List>{angles}</Mean_Viewing_Incidence_Angle_List></Tile_Angles></n1:Geometric_Info>
<n1:Quality_Indicators_Info><Image_Content_QI>
<DEGRADED_MSI_DATA_PERCENTAGE>{product.degraded}</DEGRADED_MSI_DATA_PERCENTAGE></Image_Content_QI>
<Pixel_Level_QI>{masks}</Pixel_Level_QI></n1:Quality_Indicators_Info></n1:Level-1C_Tile_ID>
"""


def fetch(product: Path, archive: Path) -> Path:
    """What fetch_product leaves: a link and its ``fetched.json``."""
    name = product.name.removesuffix(".SAFE").removesuffix(".zip")
    link = archive / product.name
    archive.mkdir(parents=True, exist_ok=True)
    link.symlink_to(product)
    fetched = archive / f"{name}.fetched.json"
    write_json(
        fetched, {"product": name, "path": link.name, "form": "safe", "provider": "folder", "digest": f"sha256:{name}"}
    )
    return fetched


@pytest.fixture(scope="session")
def l1c() -> SimpleNamespace:
    """The builder: test modules cannot import each other."""
    return SimpleNamespace(
        TILE=TILE,
        SIZE_PX=SIZE_PX,
        Product=L1C,
        write=write_product,
        write_raster=write_raster,
        digital_numbers=digital_numbers,
        gml=gml,
        upper_left=upper_left(),
        fetch=fetch,
    )


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """One product of each mask generation, written once; copy before changing it."""
    folder = tmp_path_factory.mktemp("templates")
    after = L1C(baseline="05.00", offsets=dict.fromkeys(range(13), -1000))
    return {"02.07": write_product(L1C(), folder), "05.00": write_product(after, folder)}


@pytest.fixture
def copy_of(templates: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """A function: own copy of the template of a processing baseline."""

    def copy(baseline: str) -> Path:
        return Path(shutil.copytree(templates[baseline], tmp_path / "in" / templates[baseline].name))

    return copy
