"""JPEG 2000 files with Sentinel-2's internal layout, by GDAL's OpenJPEG driver."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import ColorInterp

# SOURCE: Sentinel-2 Products Specification Document for 10 and 20 m; the codestream of a real B01 for 60 m: lossless
# 5/3, one layer, LRCP, 15 bits. Previews have 320 m.
BLOCK_PX = {10: 1024, 20: 640, 60: 192, 320: 1024}
PRECINCT_PX = {10: 256, 20: 128, 60: 64, 320: 256}
CODE_BLOCK_PX = {10: 64, 20: 64, 60: 4, 320: 64}
RESOLUTIONS = {10: 6, 20: 6, 60: 5, 320: 6}
BITS = 15
MAX_15_BITS = 2**BITS - 1


Layer = NDArray[np.uint8] | NDArray[np.uint16]


def write_jp2(path: Path, layers: Sequence[Layer], geobox: GeoBox, *, threads: int = 1) -> None:
    """Write layers losslessly with GMLJP2 and GeoJP2 georeference; the bytes do not depend on `threads`.

    Parameters
    ----------
    layers : all uint8 or all uint16, each of the grid's shape. Three layers on a 10 m or preview grid become red,
        green, blue. uint16 gets 15 bits a pixel as in real products, 16 where a value (saturated 65535) needs them.
    """
    resolution = round(geobox.resolution.x)
    with rasterio.Env(GDAL_NUM_THREADS=str(threads), GDAL_PAM_ENABLED="NO"):
        with rasterio.open(path, "w", **_options(layers, geobox, resolution)) as file:
            for index, layer in enumerate(layers, start=1):
                file.write(layer, index)
            if len(layers) == 3 and resolution in (10, 320):
                file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]


def _options(layers: Sequence[Layer], geobox: GeoBox, resolution: int) -> dict[str, object]:
    block, precinct = BLOCK_PX[resolution], PRECINCT_PX[resolution]
    resolutions = min(RESOLUTIONS[resolution], min(layers[0].shape).bit_length() - 1)  # fewer for tiny pictures
    options: dict[str, object] = {
        "driver": "JP2OpenJPEG",
        "count": len(layers),
        "height": layers[0].shape[0],
        "width": layers[0].shape[1],
        "dtype": layers[0].dtype.name,
        "crs": f"EPSG:{geobox.crs.to_epsg()}",
        "transform": geobox.affine,
        "QUALITY": "100",
        "REVERSIBLE": "YES",
        "YCC": "NO",
        "RESOLUTIONS": str(resolutions),
        "PROGRESSION": "LRCP",
        "CODEBLOCK_WIDTH": str(CODE_BLOCK_PX[resolution]),
        "CODEBLOCK_HEIGHT": str(CODE_BLOCK_PX[resolution]),
        "PRECINCTS": ",".join([f"{{{precinct},{precinct}}}"] * resolutions),
        "blockxsize": block,
        "blockysize": block,
    }
    if layers[0].dtype == np.uint16:
        options["NBITS"] = "16" if max(int(layer.max()) for layer in layers) > MAX_15_BITS else str(BITS)
    return options
