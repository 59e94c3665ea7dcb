"""Sentinel-2 Level-1C products of one acquisition become a scene file."""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import rasterio
from odc.geo.geobox import GeoBox

from cropstack.bands import FLAGS, S2_BANDS, Band, bands_at, flag_attributes, reflectance_attributes
from cropstack.errors import ProductError
from cropstack.files import (
    add_bare_dimension,
    add_dimension,
    add_group,
    add_variable,
    create_netcdf,
    encode_chunk,
    read_json,
    set_attributes,
    write_blocks,
)
from cropstack.grid import PATCH_PX, RESOLUTIONS_M, crs_attributes, pixel_centres, tile_geobox
from cropstack.product import format_time, scene_id
from cropstack.safe import L1CMetadata, SafeFiles, mean_direction, open_safe, product_from, read_l1c
from cropstack.scenes.images import check_product, read_band
from cropstack.scenes.masks import check_masks, mask_flags
from cropstack.scenes.mosaic import choose, fill_gaps, to_mosaic_reflectance
from cropstack.scenes.reflectance import to_reflectance
from cropstack.step import step

# Digital numbers of a window to reflectance, flags and the number of clamped pixels.
Scaling = Callable[[np.ndarray, tuple[slice, slice]], tuple[np.ndarray, np.ndarray | None, int]]


@dataclass(frozen=True)
class Source:
    """A fetched product, open; `ungeoreferenced` are bands whose grid only the metadata tells."""

    files: SafeFiles
    metadata: L1CMetadata
    fetched: dict[str, Any]
    ungeoreferenced: list[str]


def read_s2(products: list[Path], scene: Path, *, tile: str, size_px: int, threads: int) -> None:
    """Write a scene file from the Level-1C products of one acquisition on one tile.

    Everything that can be checked without decoding is checked first. Each band is decoded once, whole.

    Parameters
    ----------
    products : ``fetched.json`` files of the products, in order of precedence: in overlaps the first wins.
    scene : the netCDF-4 file to write, named after the scene (layout: design.md §3).
    size_px : side of the tile at 10 m.

    Raises
    ------
    ProductError and its kinds : see `read_l1c`, `check_product`, `check_masks`; or products of different scenes.
    """
    grids = {resolution: tile_geobox(tile, resolution, size_px=size_px) for resolution in RESOLUTIONS_M}
    with ExitStack() as stack:
        stack.enter_context(gdal_environment(threads))
        sources = [stack.enter_context(_open(path, grids)) for path in products]
        _check_scene(sources, scene.stem)
        with create_netcdf(scene, {}) as file:
            clamped: dict[str, int] = {}
            for resolution, grid in grids.items():
                contributed, counts = _write_group(file, sources, resolution, grid, threads)
                clamped |= counts
                if resolution == 10:
                    shares = contributed
            set_attributes(file, _attributes(sources, scene.stem, shares, clamped))


def gdal_environment(threads: int) -> rasterio.Env:
    """GDAL's settings for decoding whole bands: each block is used once, so a larger cache only holds memory."""
    return rasterio.Env(
        GDAL_CACHEMAX=64 * threads,  # MB
        GDAL_NUM_THREADS=str(threads),
        GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR",  # no search for side files
        GDAL_PAM_ENABLED="NO",
    )


@contextmanager
def _open(path: Path, grids: dict[int, GeoBox]) -> Iterator[Source]:
    fetched = read_json(path)
    with open_safe(path.parent / fetched["path"]) as files:
        metadata = read_l1c(files)
        ungeoreferenced = check_product(files, metadata, grids)
        check_masks(files, metadata)
        for band in ungeoreferenced:
            print(f"{metadata.product_id}: {band} has no georeferencing; its metadata's is taken", flush=True)
        yield Source(files, metadata, fetched, ungeoreferenced)


def _check_scene(sources: list[Source], expected: str) -> None:
    for source in sources:
        found = scene_id(product_from(source.metadata, href="", size_bytes=0, stamp=""))
        if found != expected:
            raise ProductError(
                f"{source.files.path}: belongs to the scene {found}; expected {expected}. "
                "Was the product replaced after the catalogue was made? Delete build/catalogue and run again."
            )


# --- one resolution -----------------------------------------------------------------------------------


def _write_group(
    file: h5py.File, sources: list[Source], resolution: int, grid: GeoBox, threads: int
) -> tuple[list[int], dict[str, int]]:
    """Write the group of a resolution; return pixels with data by product, and clamped pixels by band."""
    group = _add_grid(file, f"r{resolution}m", grid)
    read = _single if len(sources) == 1 else _mosaic
    flags, origin, bands = read(sources, resolution, grid)
    clamped = {}
    for band, dn in bands:
        offsets = [source.metadata.offsets[band.name] for source in sources]
        scaling = _scaling(origin, offsets)
        clamped[band.name] = _write_band(group, band, dn, flags, scaling, threads)
        print(f"{band.name}: {dn.shape[0]} × {dn.shape[1]} px, {clamped[band.name]} clamped", flush=True)
    valid = _write_flags(group, flags, resolution, threads)
    shares = [valid] if origin is None else _count_origins(flags, origin, len(sources))
    return shares, clamped


def _add_grid(file: h5py.File, name: str, grid: GeoBox) -> h5py.Group:
    group = add_group(file, name)
    x, y = pixel_centres(grid)
    for axis, values, letter in (("y", y, "Y"), ("x", x, "X")):
        attributes = {"standard_name": f"projection_{axis}_coordinate", "units": "m", "axis": letter}
        add_dimension(group, axis, values, {"long_name": f"{axis} coordinate of pixel centre", **attributes})
    add_variable(group, "spatial_ref", (), "i4", crs_attributes(grid), data=np.array(0, np.int32))
    return group


Layers = tuple[np.ndarray, np.ndarray | None, Iterator[tuple[Band, np.ndarray]]]


def _single(sources: list[Source], resolution: int, grid: GeoBox) -> Layers:
    """Flags, no origin, and the bands of one product, decoded one after the other into the same memory."""
    (source,) = sources
    flags = mask_flags(source.files, source.metadata, grid)

    def bands() -> Iterator[tuple[Band, np.ndarray]]:
        dn = np.empty(tuple(grid.shape), np.uint16)
        for band in bands_at(resolution):
            read_band(source.files, source.metadata.band_files[band.name], dn)
            yield band, dn

    return flags, None, bands()


def _mosaic(sources: list[Source], resolution: int, grid: GeoBox) -> Layers:
    """Flags, origin and bands of several products; two products' bands lie in memory at a time."""
    origin = np.zeros(tuple(grid.shape), np.uint8)
    base = _read_all(sources[0], resolution, grid)
    for index, source in enumerate(sources[1:], start=1):
        fill_gaps(base, _read_all(source, resolution, grid), origin, index)
    flags = choose([mask_flags(source.files, source.metadata, grid) for source in sources], origin)
    return flags, origin, zip(bands_at(resolution), base, strict=True)


def _read_all(source: Source, resolution: int, grid: GeoBox) -> np.ndarray:
    bands = bands_at(resolution)
    dn = np.empty((len(bands), *grid.shape), np.uint16)
    for band, layer in zip(bands, dn, strict=True):
        read_band(source.files, source.metadata.band_files[band.name], layer)
    return dn


def _scaling(origin: np.ndarray | None, offsets: list[int]) -> Scaling:
    if origin is None:
        return lambda dn, window: to_reflectance(dn, offset=offsets[0])
    return lambda dn, window: to_mosaic_reflectance(dn, origin[window], offsets)


def _write_band(
    group: h5py.Group, band: Band, dn: np.ndarray, flags: np.ndarray, scaling: Scaling, threads: int
) -> int:
    """Write a band; set nodata and saturated in `flags`; return the number of clamped pixels."""
    size = PATCH_PX[band.resolution_m]
    variable = add_variable(
        group, band.name, ("y", "x"), "u2", reflectance_attributes(band), chunks=(size, size), fill=0
    )
    clamped = np.zeros((dn.shape[0] // size, dn.shape[1] // size), np.int64)

    def encode(y: int, x: int) -> bytes:
        window = slice(y, y + size), slice(x, x + size)
        values, special, clamped[y // size, x // size] = scaling(dn[window], window)
        if special is not None:
            flags[window] |= special
        return encode_chunk(values)

    write_blocks(variable, encode, threads=threads)
    return int(clamped.sum())


def _write_flags(group: h5py.Group, flags: np.ndarray, resolution: int, threads: int) -> int:
    """Write flags and valid_count; return the number of pixels with data."""
    size = PATCH_PX[resolution]
    patches = flags.shape[0] // size
    variable = add_variable(group, "flags", ("y", "x"), "u1", flag_attributes(), chunks=(size, size))
    valid = np.zeros((patches, patches), np.uint32)

    def encode(y: int, x: int) -> bytes:
        window = flags[y : y + size, x : x + size]
        valid[y // size, x // size] = window.size - np.count_nonzero(window & FLAGS["nodata"])
        return encode_chunk(window)

    write_blocks(variable, encode, threads=threads)
    for dimension in ("patch_row", "patch_column"):
        add_bare_dimension(group, dimension, patches)
    attributes = {"long_name": "pixels of the patch with data in all bands of this resolution", "units": "1"}
    add_variable(group, "valid_count", ("patch_row", "patch_column"), "u4", attributes, data=valid)
    return int(valid.sum())


def _count_origins(flags: np.ndarray, origin: np.ndarray, products: int) -> list[int]:
    has_data = flags & FLAGS["nodata"] == 0
    return [int(np.count_nonzero(has_data & (origin == index))) for index in range(products)]


# --- attributes ---------------------------------------------------------------------------------------


def source_text(sources: list[Source], year: int) -> str:
    """Attribution as Copernicus asks for it; simulated products never bear it."""
    if any(source.fetched["provider"] == "simulated" for source in sources):
        return f"Simulated Sentinel-2 data {year}, no real observation"
    return f"Contains modified Copernicus Sentinel data {year}"


def _attributes(sources: list[Source], scene: str, shares: list[int], clamped: dict[str, int]) -> dict[str, Any]:
    """Root attributes; lists stand in order of the products, separated by spaces."""
    metadata = [source.metadata for source in sources]
    first = min(metadata, key=lambda m: (m.sensing, m.product_id))
    sun = mean_direction([m.mean_sun for m in metadata if m.mean_sun is not None])
    view = mean_direction([angle for m in metadata for angle in m.mean_view.values()])
    ungeoreferenced = sorted({band for source in sources for band in source.ungeoreferenced})
    return {
        "Conventions": "CF-1.8",
        "title": f"Sentinel-2 Level-1C scene {scene}",
        "source": source_text(sources, first.sensing.year),
        "scene": scene,
        "collection": "s2_l1c",
        "tile": first.tile,
        "platform": first.platform,
        "relative_orbit": first.relative_orbit,
        "orbit_direction": first.orbit_direction,
        "level": "L1C",
        "sensing_time": format_time(first.sensing),
        "products": " ".join(m.product_id for m in metadata),
        "processing_baselines": " ".join(m.processing_baseline for m in metadata),
        "generated": " ".join(format_time(m.generated) for m in metadata),
        "offset_applied": " ".join(offset_text(m.offsets) for m in metadata),
        "provider": " ".join(source.fetched["provider"] for source in sources),
        "digests": " ".join(source.fetched["digest"] for source in sources),
        "cloud_cover": weighted_cloud([m.cloud for m in metadata], shares),
        "sun_zenith": sun[0],
        "sun_azimuth": sun[1],
        "view_zenith": view[0],
        "view_azimuth": view[1],
        "valid_pixels": sum(shares),
        **({"georeferenced_by_metadata": " ".join(ungeoreferenced)} if ungeoreferenced else {}),
        **{f"clamped_{band.name}": clamped[band.name] for band in S2_BANDS},
    }


def offset_text(offsets: dict[str, int]) -> str:
    """``-1000``, or ``B01:-1000,B02:-990,...`` where bands differ."""
    if len(set(offsets.values())) == 1:
        return str(next(iter(offsets.values())))
    return ",".join(f"{band}:{offset}" for band, offset in offsets.items())


def weighted_cloud(percents: list[float], weights: list[int]) -> float:
    """Mean cloud cover weighted by the pixels that each product gives; plain mean where none gives any."""
    if not sum(weights):
        return math.fsum(percents) / len(percents)
    return math.fsum(p * w for p, w in zip(percents, weights, strict=True)) / sum(weights)


if __name__ == "__main__":
    step(read_s2, snakemake)  # noqa: F821
