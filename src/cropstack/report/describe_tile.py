"""Step: what a report says about a tile in a year, so that reports of any size read small files only."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import imagecodecs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cropstack.bands import FLAGS, S2_BANDS
from cropstack.files import read_attributes, read_chunks, replace_on_success, write_csv
from cropstack.grid import PATCH_PX
from cropstack.step import step

PREVIEW_PX = 360  # ASSUME: at most, enough for a picture on the page
COUNTED_FLAGS = ("saturated", "defective")
RESOLUTIONS_M = (10, 20, 60)
TEXTS = ("scene", "sensing_time", "products", "processing_baselines", "offset_applied", "provider", "digests")
COUNTED = [f"{flag}_r{resolution}m" for flag in COUNTED_FLAGS for resolution in RESOLUTIONS_M]
CLAMPED = [f"clamped_{band.name}" for band in S2_BANDS]
VALID = [f"valid_r{resolution}m" for resolution in RESOLUTIONS_M]
SCENE_COLUMNS = [*TEXTS, "cloud_cover", "pixels", *VALID, *COUNTED, *CLAMPED]


def describe_tile(scenes: list[Path], labels: Path, scene_table: Path, patches: Path, preview: Path) -> None:
    """Write what a report needs of a tile in a year.

    Parameters
    ----------
    scene_table : a row per scene: its identity and provenance; 10 m pixels in all; valid, saturated and defective
        pixels at each resolution; pixels of each band that were clamped at 1.
    patches : a row per patch with an acquisition: row, column, acquisitions, and two lists, class codes (0 included)
        and their 10 m pixels.
    preview : class codes of the tile, thinned to at most 360 pixels a side: PNG, uint16.
    """
    rows: list[list[Any]] = []
    acquisitions: np.ndarray = np.zeros((), np.int32)
    for path in scenes:
        with h5py.File(path) as file:
            rows.append(_scene_row(file))
            acquisitions = acquisitions + (file["r10m/valid_count"][:] > 0).astype(np.int32)
    with h5py.File(labels) as file:
        raster = read_chunks(file["r10m/labels"])
    write_csv(scene_table, SCENE_COLUMNS, rows)
    table = pa.Table.from_pylist(list(patch_rows(raster, acquisitions)), schema=PATCH_SCHEMA)
    with replace_on_success(patches) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    with replace_on_success(preview) as temporary:
        temporary.write_bytes(imagecodecs.png_encode(thinned(raster), level=9))
    print(f"{scene_table}: {len(rows)} scenes; {patches}: {len(table)} patches")


PATCH_SCHEMA = pa.schema(
    [
        *((name, pa.int32()) for name in ("row", "column", "acquisitions")),
        *((name, pa.list_(pa.int32())) for name in ("codes", "pixels")),
    ]
)


def patch_rows(labels: np.ndarray, acquisitions: np.ndarray) -> Iterator[dict[str, Any]]:
    """Rows of the patch table from class codes (y, x) and acquisitions by patch (row, column)."""
    size = PATCH_PX[10]
    for row, column in np.argwhere(acquisitions > 0).tolist():
        window = labels[row * size : (row + 1) * size, column * size : (column + 1) * size]
        codes, pixels = np.unique(window, return_counts=True)
        yield {
            "row": row,
            "column": column,
            "acquisitions": int(acquisitions[row, column]),
            "codes": codes.tolist(),
            "pixels": pixels.tolist(),
        }


def thinned(labels: np.ndarray) -> np.ndarray:
    """Every n-th pixel of class codes (y, x), the middle one of n, as uint16."""
    thin = -(-max(labels.shape) // PREVIEW_PX)
    return np.ascontiguousarray(labels[thin // 2 :: thin, thin // 2 :: thin].astype(np.uint16))


def _scene_row(file: h5py.File) -> list[Any]:
    attributes = read_attributes(file)
    pixels = int(np.prod(file["r10m/flags"].shape))
    valid = [int(file[f"r{resolution}m/valid_count"][:].sum()) for resolution in RESOLUTIONS_M]
    counts = count_flags(file[f"r{resolution}m/flags"] for resolution in RESOLUTIONS_M)
    clamped = [attributes.get(name, 0) for name in CLAMPED]
    texts = [attributes[name] for name in TEXTS]
    return [*texts, f"{attributes['cloud_cover']:.4f}", pixels, *valid, *counts, *clamped]


def count_flags(rasters: Iterable[h5py.Dataset]) -> list[int]:
    """Pixels of each raster with each of `COUNTED_FLAGS`, in the order of `COUNTED`."""
    found = [
        [int(np.count_nonzero(raster & FLAGS[flag])) for flag in COUNTED_FLAGS] for raster in map(read_chunks, rasters)
    ]
    return [counts[i] for i in range(len(COUNTED_FLAGS)) for counts in found]


if __name__ == "__main__":
    step(describe_tile, snakemake)  # noqa: F821
