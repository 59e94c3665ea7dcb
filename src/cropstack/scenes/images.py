"""Band images of a product: are they all there, whole and on the right grid; and their digital numbers."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from cropstack.bands import QUANTIFICATION, S2_BANDS, Band
from cropstack.errors import CorruptFile, GridMismatch, MissingBand, ProductError
from cropstack.safe import FETCH_AGAIN, L1CMetadata, SafeFiles
from cropstack.scenes.jp2 import check_image


def check_product(files: SafeFiles, metadata: L1CMetadata, grids: dict[int, GeoBox]) -> list[str]:
    """Check everything about the images that can be known without decoding them.

    Parameters
    ----------
    grids : the tile's grid by resolution in m.

    Returns
    -------
    Names of bands that carry no georeferencing; their grid is the metadata's. Some processing baselines before 02.07
    delivered such files.

    Raises
    ------
    MissingBand : names all bands without a file.
    CorruptFile : a truncated file.
    GridMismatch : the metadata's grid is not the tile's, or an image's size, CRS or corner is not the metadata's.
    ProductError : another quantification than 10 000.
    """
    missing = [band.name for band in S2_BANDS if metadata.band_files.get(band.name, "") not in files]
    if missing:
        raise MissingBand(
            f"{files.path}: {len(missing)} of {len(S2_BANDS)} bands have no file: {', '.join(missing)}. {FETCH_AGAIN}"
        )
    if metadata.quantification != QUANTIFICATION:
        raise ProductError(
            f"{files.path}: QUANTIFICATION_VALUE is {metadata.quantification}; expected {QUANTIFICATION}, the unit of "
            "scene files. Tell us: no such product was known."
        )
    for resolution, grid in grids.items():
        _check_geocoding(files, metadata, resolution, grid)
    return [band.name for band in S2_BANDS if not _check_band(files, metadata, band)]


def read_band(files: SafeFiles, name: str, out: np.ndarray) -> None:
    """Decode a whole image into `out` (uint16, its own shape)."""
    with open_image(files, name) as dataset:
        dataset.read(1, out=out)


@contextmanager
def open_image(files: SafeFiles, name: str) -> Iterator[rasterio.DatasetReader]:
    """Open an image of a product; whatever GDAL cannot decode is a `CorruptFile`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # check_product reports it
        with files.raster(name) as dataset:
            try:
                yield dataset
            except RasterioError as error:
                reason = error.__cause__ or error
                raise CorruptFile(f"{files.path}: {name} cannot be decoded ({reason}). {FETCH_AGAIN}") from error


def metadata_transform(metadata: L1CMetadata, resolution: int) -> Affine:
    """Affine transform of a product's grid at a resolution in m."""
    x, y = metadata.upper_left
    return Affine(resolution, 0, x, 0, -resolution, y)


def _check_geocoding(files: SafeFiles, metadata: L1CMetadata, resolution: int, grid: GeoBox) -> None:
    found = (metadata.epsg, metadata.upper_left, metadata.sizes[resolution])
    expected = (grid.crs.to_epsg(), (grid.affine.c, grid.affine.f), tuple(grid.shape))
    if found != expected:
        raise GridMismatch(
            f"{files.path}: Tile_Geocoding of {metadata.tile} at {resolution} m is {_describe(*found)}; "
            f"expected {_describe(*expected)}. Is tile_size_px right?"
        )


def _check_band(files: SafeFiles, metadata: L1CMetadata, band: Band) -> bool:
    """Check one image; False if it has no georeferencing."""
    name = metadata.band_files[band.name]
    check_image(files.content(name), label=f"{files.path}: {name}")
    with open_image(files, name) as dataset:
        if dataset.count != 1 or dataset.dtypes[0] != "uint16":
            raise CorruptFile(f"{files.path}: {name} has {dataset.count} × {dataset.dtypes[0]}; expected 1 × uint16")
        return check_grid(files, name, dataset, metadata, band.resolution_m, what=f"band {band.name}")


def check_grid(
    files: SafeFiles, name: str, dataset: rasterio.DatasetReader, metadata: L1CMetadata, resolution: int, *, what: str
) -> bool:
    """Compare size, CRS and transform of an image with the metadata's grid; False if it has neither of the latter."""
    size, expected_size = dataset.shape, metadata.sizes[resolution]
    transform, expected_transform = dataset.transform, metadata_transform(metadata, resolution)
    georeferenced = dataset.crs is not None or not transform.is_identity
    same_grid = not georeferenced or (
        dataset.crs == CRS.from_epsg(metadata.epsg) and transform.almost_equals(expected_transform, precision=1e-6)
    )
    if size == expected_size and same_grid:
        return georeferenced
    epsg = dataset.crs.to_epsg() if dataset.crs else None
    corner, expected_corner = (transform.c, transform.f), metadata.upper_left
    raise GridMismatch(
        f"{files.path}: {what} ({name}) is {_describe(epsg, corner, size)}, pixel {transform.a} × {transform.e} m; "
        f"expected {_describe(metadata.epsg, expected_corner, expected_size)}, pixel {resolution} × -{resolution} m, "
        f"as its metadata says. {FETCH_AGAIN}"
    )


def _describe(epsg: int | None, corner: tuple[float, float], size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]} px, EPSG:{epsg}, upper left ({corner[0]:.10g}, {corner[1]:.10g})"
