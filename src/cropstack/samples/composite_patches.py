"""Monthly medians of every pixel of a tile, in the chunks that training reads.

Sen4AgriNet, section VI: medians of April to September in red, green, blue and near infrared, in sub-patches of 61
pixels. Made patch by patch, the scenes' chunks: a few dozen MB at a time. A month is that of the sensing time in UTC,
and only the months that are asked for are read. The published loader takes medians with nodata in them, drops images at
midnight of the first of January, and extrapolates missing months; this one does none of it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cropstack.bands import S2_BAND
from cropstack.errors import ConfigError, SampleError
from cropstack.files import (
    add_bare_dimension,
    add_dimension,
    add_variable,
    create_netcdf,
    encode_chunk,
    open_netcdf,
    read_chunk,
)
from cropstack.grid import PATCH_PX, crs_attributes, patches_per_side, pixel_centres, tile_geobox
from cropstack.samples.inputs import (
    check_bands,
    check_grid,
    check_labels,
    check_scene,
    flag_mask,
    read_patch,
    variable_of,
)
from cropstack.samples.medians import FILLS, median_over_time
from cropstack.step import step


@dataclass(frozen=True)
class Recipe:
    """What a composite is.

    Attributes
    ----------
    months : calendar months, ascending.
    patch_px : side of a chunk at 10 m.
    fill : how months without a valid acquisition are filled, by name: ``linear`` (`medians.fill_linear`).
    mask : bits of the flags that take a pixel out.
    """

    bands: list[str]
    months: list[int]
    patch_px: int
    fill: str
    mask: int


def composite_patches(
    scenes: list[Path],
    labels: Path,
    composites: Path,
    *,
    tile: str,
    year: int,
    size_px: int,
    composite: dict[str, Any],
    left_out_flags: list[str],
) -> None:
    """Write `composites` float32 (month, band, y, x), reflectance × 10 000, one chunk per sub-patch, with its labels.

    `count` uint8 (month, y, x) is the number of valid acquisitions, of the band that has fewest; where it is 0 the
    composite is filled. NaN is left only where a band has no valid acquisition in all these months.

    Parameters
    ----------
    scenes : of this tile and year; labels : of the same.
    composite : of the recipe: bands, months (the first and the last), patch_px (divides the patch of 366), fill.

    Raises
    ------
    SampleError : no scene in any of the months; scenes or labels of another tile, year or grid.
    MissingBand : a scene lacks a band. ConfigError : a setting that cannot be. CropstackError : a damaged file.
    """
    recipe = _recipe(**composite, left_out_flags=left_out_flags)
    with open_by_month(scenes, recipe, tile=tile, year=year, size_px=size_px) as files, open_netcdf(labels) as file:
        check_labels(file, tile=tile, year=year)
        check_grid(file, 10, tile=tile, size_px=size_px)
        codes = variable_of(file, 10, "labels")
        side = patches_per_side(tile_geobox(tile, 10, size_px=size_px))
        with create_netcdf(composites, {"Conventions": "CF-1.8", "tile": tile, "year": year}) as made:
            _add_variables(made, recipe, tile=tile, size_px=size_px)
            for row in range(side):
                for column in range(side):
                    stack, count = composite_patch(files, recipe, (row, column))
                    _write_patch(made, stack, count, codes, (row, column))
                print(f"row {row + 1} of {side}", flush=True)


def _recipe(*, bands: list[str], months: list[int], patch_px: int, fill: str, left_out_flags: list[str]) -> Recipe:
    check_bands(bands)
    first, last = months
    if not 1 <= first <= last <= 12:
        raise ConfigError(f"composite: months are {months}; expected the first and the last calendar month")
    if PATCH_PX[10] % patch_px:
        raise ConfigError(f"composite: patch_px is {patch_px}; expected a divisor of {PATCH_PX[10]}")
    if fill not in FILLS:
        raise ConfigError(f'composite: fill is "{fill}"; expected one of {", ".join(sorted(FILLS))}')
    return Recipe(bands, list(range(first, last + 1)), patch_px, fill, flag_mask(left_out_flags))


@contextmanager
def open_by_month(
    scenes: list[Path], recipe: Recipe, *, tile: str, year: int, size_px: int
) -> Iterator[dict[int, list[h5py.File]]]:
    """Open scene files by month, in order of time; only months of the recipe."""
    with ExitStack() as stack:
        found = []
        for path in scenes:
            file = stack.enter_context(open_netcdf(path))
            info = check_scene(file, tile=tile, year=year, size_px=size_px, bands=recipe.bands)
            found.append((info.sensing, info.scene, file))
        found.sort(key=lambda one: one[:2])
        files = {month: [file for time, _, file in found if time.month == month] for month in recipe.months}
        said = ", ".join(f"{month}: {len(some)}" for month, some in files.items())
        print(f"acquisitions by month {said}", flush=True)
        if not any(files.values()):
            raise SampleError(
                f"{tile} {year}: none of {len(scenes)} scenes lies in the months {recipe.months}. "
                "Raise max_cloud_percent, add products or change composite in the recipe."
            )
        yield files


# --- one patch ------------------------------------------------------------------------------------------


def composite_patch(
    files: dict[int, list[h5py.File]], recipe: Recipe, place: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Medians float32 (month, band, y, x), filled, and counts uint8 (month, y, x) of the patch (row, column)."""
    size = PATCH_PX[10]
    medians = np.full((len(recipe.months), len(recipe.bands), size, size), np.nan, np.float32)
    count = np.zeros((len(recipe.months), size, size), np.uint8)
    for step_, month in enumerate(recipe.months):
        if files[month]:
            medians[step_], count[step_] = _month(files[month], recipe, place)
    FILLS[recipe.fill](medians)
    return medians, count


def _month(files: list[h5py.File], recipe: Recipe, place: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    medians = np.empty((len(recipe.bands), PATCH_PX[10], PATCH_PX[10]), np.float32)
    counts = []
    for resolution_m in sorted({S2_BAND[band].resolution_m for band in recipe.bands}):
        bands = [band for band in recipe.bands if S2_BAND[band].resolution_m == resolution_m]
        stack = np.stack([read_patch(file, bands, place, recipe.mask) for file in files])
        found, valid = median_over_time(stack, missing=0)
        for band, median in zip(bands, _at_10_m(found, resolution_m), strict=True):
            medians[recipe.bands.index(band)] = median
        counts.append(_at_10_m(valid, resolution_m).min(axis=0))
    return medians, np.min(counts, axis=0)


def _at_10_m(values: np.ndarray, resolution_m: int) -> np.ndarray:
    """Repeat the pixels of (band, y, x)."""
    factor = resolution_m // 10
    return values if factor == 1 else values.repeat(factor, axis=1).repeat(factor, axis=2)


# --- the file -------------------------------------------------------------------------------------------


def _add_variables(file: h5py.File, recipe: Recipe, *, tile: str, size_px: int) -> None:
    grid = tile_geobox(tile, 10, size_px=size_px)
    x, y = pixel_centres(grid)
    add_dimension(file, "month", np.array(recipe.months, np.int32), {"long_name": "calendar month", "units": "1"})
    add_bare_dimension(file, "band", len(recipe.bands))
    for name, values in (("y", y), ("x", x)):
        add_dimension(file, name, values, {"standard_name": f"projection_{name}_coordinate", "units": "m"})
    add_variable(file, "spatial_ref", (), "i4", crs_attributes(grid), data=np.array(0, np.int32))
    square = (recipe.patch_px, recipe.patch_px)
    about: dict[str, object] = {"long_name": "monthly median of top-of-atmosphere reflectance", "units": "1e-4"}
    about |= {"bands": " ".join(recipe.bands), "fill": recipe.fill, "grid_mapping": "spatial_ref"}
    chunks = (len(recipe.months), len(recipe.bands), *square)
    add_variable(file, "composites", ("month", "band", "y", "x"), "f4", about, chunks=chunks, fill=np.nan)
    about = {"long_name": "valid acquisitions; the composite is filled where there is none", "units": "1"}
    about |= {"grid_mapping": "spatial_ref"}
    add_variable(file, "count", ("month", "y", "x"), "u1", about, chunks=(len(recipe.months), *square))
    about = {"long_name": "crop class code, 0 where no parcel is declared", "grid_mapping": "spatial_ref"}
    add_variable(file, "labels", ("y", "x"), "u4", about, chunks=square)


def _write_patch(
    file: h5py.File, medians: np.ndarray, count: np.ndarray, labels: h5py.Dataset, place: tuple[int, int]
) -> None:
    """Write the chunks of a patch, which are whole sub-patches."""
    size = PATCH_PX[10]
    top, left = place[0] * size, place[1] * size
    codes = read_chunk(labels, (top, left))
    side = file["labels"].chunks[0]
    for y in range(0, size, side):
        for x in range(0, size, side):
            for name, values in (("composites", medians), ("count", count), ("labels", codes)):
                part = values[..., y : y + side, x : x + side]
                origin = (0,) * (part.ndim - 2) + (top + y, left + x)
                file[name].id.write_direct_chunk(origin, encode_chunk(part))


if __name__ == "__main__":
    step(composite_patches, snakemake)  # noqa: F821
