"""Quality masks of Level-1C products become bits of the scene file's flags.

| flag | GML vectors (before processing baseline 04.00) | JP2 rasters (from 04.00 on) |
|---|---|---|
| opaque_cloud, cirrus | MSK_CLOUDS: OPAQUE, CIRRUS | MSK_CLASSI layers 1, 2 (60 m, pixels repeated) |
| snow | not delivered | MSK_CLASSI layer 3 |
| defective | MSK_DEFECT; MSK_TECQUA without ANC_LOST, ANC_DEG | MSK_QUALIT layers 3 lost, 4 degraded, 5 defective |
| nodata, saturated | the band itself | the band itself |

Which generation a product has is what its metadata lists, not its processing baseline. Lost or degraded ancillary data
(positions, times) spoil no pixel and set no flag. MSK_QUALIT is read only if DEGRADED_MSI_DATA_PERCENTAGE is above 0,
and only its image tiles that are not all alike: decoding it blindly costs more than the bands. A cloud mask that is
not there is an error: 0 means clear, and a scene cannot say "unknown". An empty GML is no error: nothing is masked.

SOURCE: PSD, masks of Level-1C; layers and mask types seen in real products of both generations.
"""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import rasterio
from lxml import etree
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize
from rasterio.windows import Window

from cropstack.bands import FLAGS, S2_BANDS, bands_at
from cropstack.errors import CorruptFile, GridMismatch, MissingBand
from cropstack.grid import RESOLUTIONS_M
from cropstack.safe import FETCH_AGAIN, L1CMetadata, SafeFiles, finite_number, parse_xml
from cropstack.scenes.images import check_grid, open_image
from cropstack.scenes.jp2 import ImageTile, check_image, image_tiles

CLASSES = ("opaque_cloud", "cirrus", "snow")  # layers of MSK_CLASSI
QUALITY_LAYERS = [3, 4, 5]  # of MSK_QUALIT, counted from 1
_CLOUD_TYPES = {"OPAQUE": "opaque_cloud", "CIRRUS": "cirrus"}

Polygon = dict[str, Any]  # GeoJSON


def check_masks(files: SafeFiles, metadata: L1CMetadata) -> None:
    """Check that the masks which `mask_flags` will read are there and whole.

    Raises
    ------
    MissingBand : names all that are missing.
    CorruptFile, GridMismatch : truncated, not to be understood, or on another grid.
    """
    if not {("MSK_CLASSI", None), ("MSK_CLOUDS", None)} & set(metadata.masks):
        raise MissingBand(
            f"{files.path}: the metadata lists neither MSK_CLASSI nor MSK_CLOUDS; without a cloud mask no pixel "
            f"could be called clear. {FETCH_AGAIN}"
        )
    needed = _needed_masks(metadata)
    missing = [name for name, _ in needed if name not in files]
    if missing:
        raise MissingBand(f"{files.path}: {len(missing)} masks have no file: {', '.join(missing)}. {FETCH_AGAIN}")
    for name, resolution in needed:
        if name.endswith(".jp2"):
            _check_raster(files, metadata, name, resolution)
    if ("MSK_CLASSI", None) not in metadata.masks:  # vectors are read now as later: they cost little
        _cloud_polygons(files, metadata)
        for resolution in RESOLUTIONS_M:
            _defect_polygons(files, metadata, resolution)


def mask_flags(files: SafeFiles, metadata: L1CMetadata, grid: GeoBox) -> np.ndarray:
    """Flags from the masks on one grid of the tile: uint8, shape (y, x); bits opaque_cloud, cirrus, snow, defective."""
    resolution = round(grid.resolution.x)
    flags = np.zeros(tuple(grid.shape), np.uint8)
    if ("MSK_CLASSI", None) in metadata.masks:
        flags |= _class_flags(files, metadata.masks["MSK_CLASSI", None], resolution)
        if metadata.degraded_percent > 0:
            for band in bands_at(resolution):
                _add_quality(files, metadata, band.name, flags)
        return flags
    for flag, polygons in _cloud_polygons(files, metadata).items():
        burn(flags, polygons, grid, flag)
    burn(flags, _defect_polygons(files, metadata, resolution), grid, "defective")
    return flags


def burn(flags: np.ndarray, polygons: list[Polygon], grid: GeoBox, flag: str) -> None:
    """Set a flag where the pixel centre lies in a polygon, in place."""
    if polygons:
        flags |= rasterize(
            polygons, tuple(grid.shape), transform=grid.affine, default_value=FLAGS[flag], dtype=np.uint8
        )


def repeat_pixels(coarse: np.ndarray, factor: int) -> np.ndarray:
    """Each pixel as a square of `factor` × `factor`."""
    if factor == 1:
        return coarse
    height, width = coarse.shape
    rows = np.repeat(coarse, factor, axis=1)
    fine = np.empty((height, factor, width * factor), coarse.dtype)
    fine[:] = rows[:, None]
    return fine.reshape(height * factor, width * factor)


def gml_polygons(files: SafeFiles, name: str, *, epsg: int) -> Iterator[tuple[str, Polygon]]:
    """Mask type and polygon of each feature of a GML mask, in its own order.

    Raises
    ------
    CorruptFile : broken XML or coordinates. GridMismatch : another CRS than `epsg`.
    """
    root = parse_xml(files, name)
    label = f"{files.path}: {name}"
    for envelope in root.iter("{*}Envelope"):
        _check_crs(label, envelope.get("srsName", ""), epsg)
    for feature in root.iter("{*}MaskFeature"):
        kind = (feature.findtext("{*}maskType") or "").strip()
        for polygon in feature.iter("{*}Polygon"):
            rings = [_ring(label, element) for element in polygon.iter("{*}LinearRing")]  # exterior first
            if not rings:
                raise CorruptFile(f"{label}: a polygon of {kind} without a ring. {FETCH_AGAIN}")
            yield kind, {"type": "Polygon", "coordinates": rings}


# --- which masks --------------------------------------------------------------------------------------


def _needed_masks(metadata: L1CMetadata) -> list[tuple[str, int]]:
    """File and resolution of every mask to read."""
    if ("MSK_CLASSI", None) not in metadata.masks:
        kinds = ["MSK_DEFECT", "MSK_TECQUA"]
        clouds = metadata.masks["MSK_CLOUDS", None]
    else:
        kinds = ["MSK_QUALIT"] if metadata.degraded_percent > 0 else []
        clouds = metadata.masks["MSK_CLASSI", None]
    found = [(metadata.masks.get((kind, band.name)), band.resolution_m) for band in S2_BANDS for kind in kinds]
    return [(clouds, 60), *((name, resolution) for name, resolution in found if name is not None)]


def _check_raster(files: SafeFiles, metadata: L1CMetadata, name: str, resolution: int) -> None:
    layers = len(CLASSES) if "MSK_CLASSI" in name else 8
    check_image(files.content(name), label=f"{files.path}: {name}")
    with open_image(files, name) as dataset:
        if dataset.count != layers:
            raise CorruptFile(f"{files.path}: {name} has {dataset.count} layers; expected {layers}. {FETCH_AGAIN}")
        check_grid(files, name, dataset, metadata, resolution, what="the mask")


# --- rasters ------------------------------------------------------------------------------------------


def _class_flags(files: SafeFiles, name: str, resolution: int) -> np.ndarray:
    with open_image(files, name) as dataset:
        layers = dataset.read()
    coarse = np.zeros(layers.shape[1:], np.uint8)
    for layer, flag in zip(layers, CLASSES, strict=True):
        coarse |= (layer != 0) * np.uint8(FLAGS[flag])
    return repeat_pixels(coarse, 60 // resolution)


def _add_quality(files: SafeFiles, metadata: L1CMetadata, band: str, flags: np.ndarray) -> None:
    name = metadata.masks.get(("MSK_QUALIT", band))
    if name is None:
        return
    with open_image(files, name) as dataset:
        for rows, columns in marked_windows(dataset, image_tiles(files.content(name), label=f"{files.path}: {name}")):
            window = Window.from_slices(rows, columns)
            marked = dataset.read(QUALITY_LAYERS, window=window).any(axis=0)
            flags[rows, columns] |= marked * np.uint8(FLAGS["defective"])


def marked_windows(dataset: rasterio.DatasetReader, tiles: list[ImageTile]) -> list[tuple[slice, slice]]:
    """Windows of a quality mask that may hold marked pixels.

    Most image tiles of such a mask are empty, and empty tiles of one size are alike byte by byte: of each kind one
    is decoded, and if that is empty, so are all.
    """
    if not tiles:  # no JPEG 2000
        return [(slice(0, dataset.height), slice(0, dataset.width))]
    kinds: dict[tuple[bytes, int, int], list[ImageTile]] = {}
    for tile in tiles:
        size = tile.rows.stop - tile.rows.start, tile.columns.stop - tile.columns.start
        kinds.setdefault((tile.digest, *size), []).append(tile)
    found: list[tuple[slice, slice]] = []
    for alike in kinds.values():
        window = Window.from_slices(alike[0].rows, alike[0].columns)
        if len(alike) == 1 or dataset.read(QUALITY_LAYERS, window=window).any():
            found += [(tile.rows, tile.columns) for tile in alike]
    return found


# --- vectors ------------------------------------------------------------------------------------------


def _cloud_polygons(files: SafeFiles, metadata: L1CMetadata) -> dict[str, list[Polygon]]:
    name = metadata.masks["MSK_CLOUDS", None]
    polygons: dict[str, list[Polygon]] = {flag: [] for flag in _CLOUD_TYPES.values()}
    for kind, polygon in gml_polygons(files, name, epsg=metadata.epsg):
        if kind not in _CLOUD_TYPES:
            raise CorruptFile(
                f'{files.path}: {name} has the mask type "{kind}"; expected {", ".join(_CLOUD_TYPES)}. {FETCH_AGAIN}'
            )
        polygons[_CLOUD_TYPES[kind]].append(polygon)
    return polygons


def _defect_polygons(files: SafeFiles, metadata: L1CMetadata, resolution: int) -> list[Polygon]:
    names = [metadata.masks.get((kind, b.name)) for b in bands_at(resolution) for kind in ("MSK_DEFECT", "MSK_TECQUA")]
    return [
        polygon
        for name in names
        if name is not None
        for kind, polygon in gml_polygons(files, name, epsg=metadata.epsg)
        if not kind.startswith("ANC_")
    ]


def _ring(label: str, element: etree._Element) -> list[tuple[float, float]]:
    """(x, y) of a LinearRing; its posList has two or three numbers a point."""
    positions = element.find("{*}posList")
    words = [] if positions is None else (positions.text or "").split()
    dimension = "2" if positions is None else positions.get("srsDimension", "2")
    if dimension not in ("2", "3"):
        raise CorruptFile(f'{label}: srsDimension of a posList is "{dimension}"; expected 2 or 3. {FETCH_AGAIN}')
    step = int(dimension)
    values = [finite_number(label, "a number of a posList", word) for word in words]
    if len(values) % step or len(values) < 4 * step:
        raise CorruptFile(f"{label}: a ring of {len(values)} numbers in {step} dimensions. {FETCH_AGAIN}")
    return list(zip(values[0::step], values[1::step], strict=True))


def _check_crs(label: str, name: str, epsg: int) -> None:
    found = re.search(r"(\d+)$", name)
    if found is not None and int(found[1]) != epsg:
        raise GridMismatch(f"{label} is in {name}; expected EPSG:{epsg}, the tile's. {FETCH_AGAIN}")
