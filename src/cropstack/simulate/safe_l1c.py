"""Complete Sentinel-2 Level-1C products in SAFE format, from arrays.

Knows nothing of the simulated world: real reflectance can be written as a product too. Of a real product's files
only AUX_DATA (weather forecasts) and the HTML presentation are left out.
"""

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import shapes

from cropstack.bands import NODATA_DN, S2_BANDS, SATURATED_DN, Band
from cropstack.errors import GridMismatch, MissingBand, ProductError
from cropstack.files import replace_on_success
from cropstack.grid import RESOLUTIONS_M, tile_geobox
from cropstack.simulate.jp2 import Layer, write_jp2
from cropstack.simulate.l1c_product import QUALITY_CHECKS, SHA3_FROM, Content, L1CProduct
from cropstack.simulate.package_xml import ListedFile, datastrip_xml, inspire_xml, manifest_xml, report_xml
from cropstack.simulate.product_xml import product_xml
from cropstack.simulate.safe_masks import (
    ANCILLARY_FAULTS,
    GML_KINDS,
    MSI_FAULTS,
    L1CMasks,
    class_layers,
    clouds_gml,
    footprint_gml,
    footprint_layer,
    mask_files,
    quality_gml,
    quality_layers,
)
from cropstack.simulate.tile_xml import tile_xml
from cropstack.simulate.viewing import lon_lat

Pixels = NDArray[np.uint16]

TCI_WHITE = 3558  # SOURCE: Products Specification Document: reflectance × 10 000 shown as 255
TCI_BANDS = ("B04", "B03", "B02")
PREVIEW_STEP = 32  # the preview has 320 m pixels
FOOTPRINT_STEP = 6  # the footprint is drawn from pixels 60 m apart
SIMPLIFY_M = 90.0  # its staircase along the swath's edge becomes a line


def write_l1c(
    path: Path, bands: Mapping[str, Pixels], *, product: L1CProduct, masks: L1CMasks, threads: int = 1
) -> None:
    """Write a Level-1C product atomically; the same inputs give the same bytes, whatever `threads`.

    Parameters
    ----------
    path : the ``.SAFE`` directory; real ones are called ``<product.id>.SAFE``.
    bands : digital numbers of all 13 bands, uint16, 0 nodata, 65535 saturated, each on its native grid of the tile,
        which may be cut to a multiple of 366 pixels at 10 m. From processing baseline 04.00 on they include +1000.
    masks : clouds and faults; nodata and saturation come from `bands`.
    threads : of the JP2 encoder.

    Raises
    ------
    MissingBand : a band is missing.
    GridMismatch : a band or mask whose shape does not fit B02's.
    ProductError : no pixel with data; the agency delivers no such product.
    """
    grids = _grids(product, bands)
    _check_shapes(bands, masks, grids)
    content = describe(bands, masks, grids[10])
    with replace_on_success(path) as folder:
        _write_images(folder, product, bands, grids, threads=threads)
        _write_masks(folder, product, bands, masks, grids, threads=threads)
        _write_texts(folder, product, content, grids[10])
        manifest = manifest_xml(product, content, list(_listed(folder, product)))
        (folder / "manifest.safe").write_text(manifest, encoding="utf-8")


def describe(bands: Mapping[str, Pixels], masks: L1CMasks, geobox: GeoBox) -> Content:
    """Footprint and percentages of clouds, snow and degraded pixels, as the metadata gives them.

    Parameters
    ----------
    geobox : the 10 m grid.

    Raises
    ------
    ProductError : no pixel with data.
    """
    valid = bands["B01"] != NODATA_DN
    if not valid.any():
        raise ProductError(f"no pixel of B01 ({valid.shape[0]} × {valid.shape[1]}) has data; a product needs some")
    pixels = sum(bands[band.name].size for band in S2_BANDS)
    return Content(
        footprint=_footprint(bands["B02"], geobox),
        cloud=cloud_cover(bands, masks),
        snow=100.0 * float(masks.snow[valid].mean()),
        degraded_msi=100.0 * _faulty(masks, MSI_FAULTS) / pixels,
        degraded_ancillary=100.0 * _faulty(masks, ANCILLARY_FAULTS) / pixels,
    )


def cloud_cover(bands: Mapping[str, Pixels], masks: L1CMasks) -> float:
    """Opaque cloud and cirrus, in percent of the 60 m pixels with data."""
    return 100.0 * float((masks.opaque | masks.cirrus)[bands["B01"] != NODATA_DN].mean())


def _faulty(masks: L1CMasks, layers: tuple[str, ...]) -> int:
    """Pixels of all bands with a fault of one of several kinds."""
    count = 0
    for faults in masks.faults.values():
        found = [mask for name, mask in faults.items() if name in layers]
        count += int(np.logical_or.reduce(found).sum()) if found else 0
    return count


def _footprint(pixels: Pixels, geobox: GeoBox) -> tuple[tuple[float, float], ...]:
    """Outline of the area with data as (longitude, latitude), clockwise from the upper left, closed."""
    step = FOOTPRINT_STEP
    valid = (pixels[step // 2 :: step, step // 2 :: step] != NODATA_DN).astype(np.uint8)
    transform = geobox.affine @ geobox.affine.scale(step)
    parts = [shapely.geometry.shape(part) for part, _ in shapes(valid, valid > 0, transform=transform)]
    area = parts[0] if len(parts) == 1 else shapely.convex_hull(shapely.union_all(parts))
    outline = shapely.simplify(shapely.Polygon(shapely.get_exterior_ring(area)), SIMPLIFY_M)
    ring = np.asarray(shapely.orient_polygons(outline, exterior_cw=True).exterior.coords)[:-1]
    first = int(np.argmax(ring[:, 1] - ring[:, 0]))
    ring = np.roll(ring, -first, axis=0)[[*range(len(ring)), 0]]
    longitude, latitude = lon_lat(geobox, ring[:, 0], ring[:, 1])
    return tuple(zip(longitude.tolist(), latitude.tolist(), strict=True))


# --- checks -------------------------------------------------------------------------------------------


def _grids(product: L1CProduct, bands: Mapping[str, Pixels]) -> dict[int, GeoBox]:
    missing = [band.name for band in S2_BANDS if band.name not in bands]
    if missing:
        raise MissingBand(f"{product.id}: no pixels for {', '.join(missing)}; a Level-1C product has all 13 bands")
    side = bands["B02"].shape[0]
    return {resolution: tile_geobox(product.tile, resolution, size_px=side) for resolution in RESOLUTIONS_M}


def _check_shapes(bands: Mapping[str, Pixels], masks: L1CMasks, grids: Mapping[int, GeoBox]) -> None:
    found = [(band.name, bands[band.name].shape, grids[band.resolution_m]) for band in S2_BANDS]
    found += [(name, getattr(masks, name).shape, grids[60]) for name in ("opaque", "cirrus", "snow")]
    for band in S2_BANDS:
        faults = masks.faults.get(band.name, {})
        found += [(f"{band.name} {name}", mask.shape, grids[band.resolution_m]) for name, mask in faults.items()]
    for name, shape, geobox in found:
        if shape != tuple(geobox.shape):
            raise GridMismatch(f"{name} has the shape {shape}; B02's size asks for {tuple(geobox.shape)}")


# --- writing ------------------------------------------------------------------------------------------


def _write_images(
    folder: Path, product: L1CProduct, bands: Mapping[str, Pixels], grids: Mapping[int, GeoBox], *, threads: int
) -> None:
    for band in S2_BANDS:
        _jp2(folder / product.image(band.name), [bands[band.name]], grids[band.resolution_m], threads)
    colours = true_colour(bands, offset=product.offset)
    _jp2(folder / product.image("TCI"), colours, grids[10], threads)
    thumbnail = [np.ascontiguousarray(colour[::PREVIEW_STEP, ::PREVIEW_STEP]) for colour in colours]
    coarse = GeoBox(thumbnail[0].shape, grids[10].affine @ grids[10].affine.scale(PREVIEW_STEP), grids[10].crs)
    _jp2(folder / product.preview, thumbnail, coarse, threads)


def true_colour(bands: Mapping[str, Pixels], *, offset: int) -> list[NDArray[np.uint8]]:
    """Red, green and blue of the true-colour image: 1 to 255 for reflectance 0 to 0.3558, 0 for nodata."""
    shades = np.clip(np.arange(SATURATED_DN + 1, dtype=np.int64) + offset, 0, TCI_WHITE) * 254 // TCI_WHITE + 1
    shades[NODATA_DN] = 0
    return [shades.astype(np.uint8)[bands[name]] for name in TCI_BANDS]


def _jp2(path: Path, layers: Sequence[Layer], geobox: GeoBox, threads: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_jp2(path, layers, geobox, threads=threads)


def _write_masks(
    folder: Path,
    product: L1CProduct,
    bands: Mapping[str, Pixels],
    masks: L1CMasks,
    grids: Mapping[int, GeoBox],
    *,
    threads: int,
) -> None:
    (folder / product.granule / "QI_DATA").mkdir(parents=True, exist_ok=True)
    if product.has_raster_masks:
        _jp2(folder / product.mask("MSK_CLASSI", "B00"), class_layers(masks), grids[60], threads)
    else:
        _text(folder / product.mask("MSK_CLOUDS", "B00"), clouds_gml(product, masks, grids[60]))
    encoded: dict[str, Path] = {}
    for band in S2_BANDS:
        pixels, geobox = bands[band.name], grids[band.resolution_m]
        numbers = footprint_layer(product, band, pixels, geobox)
        layers = quality_layers(pixels, masks.faults.get(band.name, {}))
        if product.has_raster_masks:
            _jp2(folder / product.mask("MSK_DETFOO", band.name), [numbers], geobox, threads)
            _jp2_once(folder / product.mask("MSK_QUALIT", band.name), layers, geobox, threads, encoded)
        else:
            _write_gml(folder, product, band, numbers, layers, geobox)


def _jp2_once(
    path: Path, layers: list[NDArray[np.uint8]], geobox: GeoBox, threads: int, encoded: dict[str, Path]
) -> None:
    """Encode a mask, or copy the file of an equal one: the masks of most bands are equal."""
    key = " ".join(hashlib.sha256(np.packbits(layer).data).hexdigest() for layer in layers) + str(layers[0].shape)
    if key in encoded:
        shutil.copyfile(encoded[key], path)
    else:
        write_jp2(path, layers, geobox, threads=threads)
        encoded[key] = path


def _write_gml(
    folder: Path,
    product: L1CProduct,
    band: Band,
    numbers: NDArray[np.uint8],
    layers: list[NDArray[np.uint8]],
    geobox: GeoBox,
) -> None:
    for kind in GML_KINDS:
        if kind == "MSK_DETFOO":
            text = footprint_gml(product, band, numbers, geobox)
        else:
            text = quality_gml(product, kind, band, layers, geobox)
        _text(folder / product.mask(kind, band.name), text)


def _write_texts(folder: Path, product: L1CProduct, content: Content, geobox: GeoBox) -> None:
    texts = {
        "MTD_MSIL1C.xml": product_xml(product, content),
        "INSPIRE.xml": inspire_xml(product, content),
        f"{product.granule}/MTD_TL.xml": tile_xml(product, content, geobox, mask_files(product)),
        f"{product.datastrip_folder}/MTD_DS.xml": datastrip_xml(product),
    }
    for check in QUALITY_CHECKS:
        texts[f"{product.datastrip_folder}/QI_DATA/{check}.xml"] = report_xml(product, check, product.datastrip_id)
        if check != "RADIOMETRIC_QUALITY":  # real granules have four reports, datastrips five
            texts[f"{product.granule}/QI_DATA/{check}.xml"] = report_xml(product, check, product.granule_id)
    for name, text in texts.items():
        _text(folder / name, text)


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _listed(folder: Path, product: L1CProduct) -> Iterator[ListedFile]:
    algorithm = "sha3_256" if product.processing_baseline >= SHA3_FROM else "md5"
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            with open(file, "rb") as handle:
                checksum = hashlib.file_digest(handle, algorithm).hexdigest()
            yield ListedFile(file.relative_to(folder).as_posix(), file.stat().st_size, checksum)
