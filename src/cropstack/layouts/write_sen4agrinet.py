"""Write the patches of a tile and year as Sen4AgriNet publishes them: one netCDF-4 file per patch.

No pixel is decoded: scene and label files are chunked by patch, and their compressed chunks are copied. Files of
patches that have the same dates differ in coordinates, a few attributes and the chunks only, so each starts as
a copy of one image.

SOURCE: layout of the data set (Sykas et al., IEEE JSTARS 2022, section V-C) and what its PatchesDataset reads.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from odc.geo.geobox import GeoBox

from cropstack.bands import S2_BANDS, bands_at
from cropstack.errors import LayoutError, LedgerRow
from cropstack.files import (
    create_from_image,
    open_netcdf,
    read_attributes,
    reading,
    replace_on_success,
    set_attributes,
    write_ledger,
)
from cropstack.grid import PATCH_PX, RESOLUTIONS_M, patch_geobox, pixel_centres, tile_geobox
from cropstack.layouts.patch_files import Place, TileYear, patch_stem
from cropstack.layouts.patch_image import MASKS, common_attributes, patch_image
from cropstack.layouts.scene_stack import Scene, open_scenes
from cropstack.layouts.stored_chunks import StoredChunks, copy_stored_chunk, stored_chunks
from cropstack.product import format_time, parse_time
from cropstack.step import step

STAGE = "write_sen4agrinet"
CLAMPED_LIMIT = 0.01  # share of a band's valid pixels from which clamped reflectance is reported


def write_sen4agrinet(
    scenes: list[Path],
    labels: Path,
    patches: Path,
    ledger: Path,
    *,
    tile: str,
    year: int,
    size_px: int,
) -> None:
    """Write one file per patch of a tile and year into the folder `patches`.

    Parameters
    ----------
    scenes : scene files of that tile and year, in any order.
    labels : label file of that tile and year; it knows country code, licences and attributions.
    ledger : receives the dates left out of a patch because it has no valid pixel (`no_valid_pixel`, one row per
        patch), patches without any date, which have no file (`no_date`), and bands of which more than 1 % of the
        valid pixels of a scene were clamped at 1 (`clamped`).

    Raises
    ------
    LayoutError : scenes or labels that do not belong together, or not to this tile, year and grid; labels that say too
        little of their declarations. CropstackError : labels that are cut or damaged.
    """
    with open_scenes(scenes, tile=tile, year=year, size_px=size_px) as stack:
        dates = dates_of_patches(stack)
        imagery = "; ".join(sorted({scene.attributes["source"] for scene in stack}))
        common = common_attributes(tile, year, _about_labels(labels), imagery)
        with replace_on_success(patches) as folder:
            folder.mkdir()
            _write_patches(folder, stack, dates, labels, common)
        write_ledger(ledger, [*left_out_dates(stack, dates, (tile, year)), *clamped_bands(stack)])
    written = sum(bool(kept) for kept in dates.values())
    print(f"{tile} {year}: {written} of {len(dates)} patches from {len(stack)} scenes")


def dates_of_patches(stack: list[Scene]) -> dict[Place, tuple[int, ...]]:
    """For each patch (row, column) the positions in `stack` of the scenes that have a valid pixel in it."""
    valid = np.array([sum(counts > 0 for counts in scene.valid_count.values()) > 0 for scene in stack])
    rows, columns = valid.shape[1:]
    return {
        (row, column): tuple(np.flatnonzero(valid[:, row, column]).tolist())
        for row in range(rows)
        for column in range(columns)
    }


def left_out_dates(stack: list[Scene], dates: dict[Place, tuple[int, ...]], key: TileYear) -> Iterator[LedgerRow]:
    """A ledger row for each patch that lacks dates, naming their scenes; one more if it has none at all."""
    for place, kept in dates.items():
        stem = patch_stem(key, place)
        missing = [scene.id for number, scene in enumerate(stack) if number not in kept]
        if missing:
            evidence = f"no valid pixel on {len(missing)} of {len(stack)} dates: {' '.join(missing)}"
            yield LedgerRow(stem, STAGE, "rejected", "no_valid_pixel", evidence)
        if not kept:
            evidence = f"none of {len(stack)} dates has a valid pixel; expected at least one"
            yield LedgerRow(stem, STAGE, "rejected", "no_date", evidence)


def clamped_bands(stack: list[Scene]) -> Iterator[LedgerRow]:
    """A ledger row for each band and scene with more clamped pixels than the limit."""
    for scene in stack:
        for band in S2_BANDS:
            clamped = scene.attributes[f"clamped_{band.name}"]
            valid = int(scene.valid_count[band.resolution_m].sum(dtype=np.int64))
            if clamped > CLAMPED_LIMIT * valid:
                share = 100 * clamped / max(valid, 1)
                evidence = (
                    f"{band.name}: {clamped} of {valid} valid pixels ({share:.2f} %) were below 1 after the offset "
                    f"and are 1; expected at most {100 * CLAMPED_LIMIT:g} %"
                )
                yield LedgerRow(scene.id, STAGE, "repaired", "clamped", evidence)


# --- one patch --------------------------------------------------------------------------------------------


def _write_patches(
    folder: Path, stack: list[Scene], dates: dict[Place, tuple[int, ...]], labels: Path, common: dict[str, str]
) -> None:
    tile, year = common["patch_tile"], int(common["patch_year"])
    size_px = len(stack[0].valid_count[10]) * PATCH_PX[10]
    grids = {r: tile_geobox(tile, r, size_px=size_px) for r in RESOLUTIONS_M}
    masks = _read_masks(labels, grids[10], tile=tile, year=year)
    handle = os.open(labels, os.O_RDONLY)
    try:
        for kept, places in _places_by_dates(dates):
            scenes = [stack[number] for number in kept]
            image = patch_image(scenes, grids[10], common | {"creation_date": _newest(scenes)})
            for place in places:
                path = folder / f"{patch_stem((tile, year), place)}.nc"
                values = _coordinates(grids, place) | {"acquisitions/valid_share": _valid_share(scenes, place)}
                with create_from_image(path, image.with_values(values)) as file:
                    set_attributes(file, _names(path.stem))
                    _copy_bands(file, scenes, place)
                    for name, chunks in masks.items():
                        copy_stored_chunk(labels, handle, chunks, place, file[f"{name}/{name}"], (0, 0))
    finally:
        os.close(handle)


def _places_by_dates(dates: dict[Place, tuple[int, ...]]) -> Iterable[tuple[tuple[int, ...], list[Place]]]:
    """Patches with the same dates together: they share an image. Patches without dates are left out."""
    places = defaultdict(list)
    for place, kept in dates.items():
        places[kept].append(place)
    return [(kept, places[kept]) for kept in sorted(places) if kept]


def _newest(scenes: list[Scene]) -> str:
    return format_time(max(parse_time(text) for scene in scenes for text in scene.attributes["generated"].split()))


def _names(stem: str) -> dict[str, str]:
    return {"patch_full_name": stem, "patch_name": stem[stem.index("patch") :]}


def _about_labels(labels: Path) -> dict[str, Any]:
    with reading(labels, "labels"), h5py.File(labels) as file:
        about = read_attributes(file)
    missing = sorted({"tile", "year", "country_code", "attribution", "licence", "share_alike"} - set(about))
    if missing:
        raise LayoutError(f"{labels}: has no attribute {', '.join(missing)}. Delete the file and build it again.")
    return about


def _read_masks(labels: Path, grid: GeoBox, *, tile: str, year: int) -> dict[str, StoredChunks]:
    with open_netcdf(labels) as file:
        attributes = read_attributes(file)
        found = (attributes["tile"], int(attributes["year"]))
        x, y = pixel_centres(grid)
        group = file["r10m"]
        same_grid = np.array_equal(group["x"][...], x) and np.array_equal(group["y"][...], y)
        if found != (tile, year) or not same_grid:
            raise LayoutError(
                f"{labels}: holds {found[0]} {found[1]} from {group['x'][0]}, {group['y'][0]}; expected {tile} {year} "
                f"from {x[0]}, {y[0]} with {len(x)} columns. Delete the file and build it again."
            )
        size = PATCH_PX[10]
        return {name: stored_chunks(group[name], dtype=dtype, chunk_px=size) for name, (dtype, _) in MASKS.items()}


def _coordinates(grids: dict[int, GeoBox], place: Place) -> dict[str, np.ndarray]:
    """Pixel centres of a patch by path in its file: ``B02/x``."""
    values: dict[str, np.ndarray] = {}
    for resolution_m, grid in grids.items():
        x, y = pixel_centres(patch_geobox(grid, *place))
        names = [band.name for band in bands_at(resolution_m)] + (list(MASKS) if resolution_m == 10 else [])
        values |= {f"{name}/x": x for name in names} | {f"{name}/y": y for name in names}
    return values


def _valid_share(scenes: list[Scene], place: Place) -> np.ndarray:
    return np.array([scene.valid_count[10][place] for scene in scenes]) / PATCH_PX[10] ** 2


def _copy_bands(file: h5py.File, scenes: list[Scene], place: Place) -> None:
    for band in S2_BANDS:
        variable = file[f"{band.name}/{band.name}"]
        for time, scene in enumerate(scenes):
            scene.copy_chunk(band.name, place, variable, (time, 0, 0))


if __name__ == "__main__":
    step(write_sen4agrinet, snakemake)  # noqa: F821
