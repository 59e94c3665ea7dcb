"""What training_items.py measures, each in a process of its own: `python training_parts.py PART WORK ARGUMENTS...`.

`prepare` makes scenes, labels and patch files with the same pixels; `ours` and `peer` (S4A's PatchesDataset) read items
in random order. Each prints one line of JSON; items are timed after imports and opening, and both keep some to compare.
"""

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import h5py
import numpy as np

BANDS = ["B02", "B03", "B04", "B08"]
TILE, YEAR = "31TCG", 2019
MONTHS = (4, 9)
PATCH, SUB_PATCH = 366, 61
SIDE = PATCH // SUB_PATCH
CODES = [0, 110, 120, 150, 330, 998]


# --- inputs -----------------------------------------------------------------------------------------------


def prepare(work: Path, size_px: int, dates: int) -> dict[str, Any]:
    """Make what is missing in `work`: scenes/*.nc, labels.nc, data/*.nc and coco.json."""
    if not (work / "coco.json").exists():
        rng = np.random.default_rng(1)
        fields = rng.integers(0, 3000, (size_px // 30 + 1,) * 2).repeat(30, 0).repeat(30, 1)[:size_px, :size_px]
        write_labels(work / "labels.nc", fields)
        for number, sensing in enumerate(sensing_times(dates)):
            write_scene(work / f"scenes/{number:02d}.nc", sensing, fields, rng)
        write_patches(work, size_px // PATCH, sensing_times(dates))
    return {"patches": (size_px // PATCH) ** 2}


def sensing_times(dates: int) -> list[datetime]:
    """Evenly over the year, in the morning."""
    start = datetime(YEAR, 1, 4, 10, 56, 31, tzinfo=UTC)
    return [start + timedelta(days=int(number * 358 / dates)) for number in range(dates)]


def write_labels(path: Path, fields: np.ndarray) -> None:
    """A label file on the 10 m grid."""
    from cropstack.files import add_variable, create_netcdf, write_chunks

    labels = np.array(CODES, "u4")[fields % len(CODES)]
    with create_netcdf(path, {"tile": TILE, "year": YEAR, "country": "es_ct"}) as file:
        group = _grid(file, len(fields))
        for name, raster in (("labels", labels), ("parcels", np.where(labels, fields + 1, 0).astype("i8"))):
            write_chunks(add_variable(group, name, ("y", "x"), raster.dtype, chunks=(PATCH, PATCH)), raster)


def write_scene(path: Path, sensing: datetime, fields: np.ndarray, rng: np.random.Generator) -> None:
    """The 10 m group of a scene file: reflectance by field and day, with noise."""
    from cropstack.files import add_variable, create_netcdf, write_chunks

    day = sensing.timetuple().tm_yday
    with create_netcdf(path, {"scene": path.stem, "tile": TILE, "sensing_time": sensing.isoformat()}) as file:
        group = _grid(file, len(fields))
        for number, band in enumerate(BANDS):
            season = 400 * np.sin(day / 58 + fields / 500 + number)
            values = (1200 + 300 * number + season + rng.normal(0, 60, fields.shape)).astype("u2")
            write_chunks(add_variable(group, band, ("y", "x"), "u2", chunks=(PATCH, PATCH), fill=0), values)
        flags = add_variable(group, "flags", ("y", "x"), "u1", chunks=(PATCH, PATCH))
        write_chunks(flags, np.zeros(fields.shape, np.uint8))


def _grid(file: h5py.File, size_px: int) -> h5py.Group:
    from cropstack.files import add_dimension, add_group
    from cropstack.grid import pixel_centres, tile_geobox

    group = add_group(file, "r10m")
    for name, values in zip("xy", pixel_centres(tile_geobox(TILE, 10, size_px=size_px)), strict=True):
        add_dimension(group, name, values)
    return group


def write_patches(work: Path, side: int, times: list[datetime]) -> None:
    """Patch files as published, of the four bands: compressed chunks copied from scenes and labels."""
    from cropstack.files import add_bare_dimension, add_dimension, add_group, add_variable, copy_chunk, create_netcdf

    seconds = np.array([time.timestamp() for time in times])
    units = {"units": "seconds since 1970-01-01", "calendar": "standard"}
    scenes = [h5py.File(path) for path in sorted((work / "scenes").glob("*.nc"))]
    labels = h5py.File(work / "labels.nc")
    images = []
    for place in np.ndindex(side, side):
        name = f"{YEAR}_{TILE}_patch_{place[0]:02d}_{place[1]:02d}.nc"
        corner = (place[0] * PATCH, place[1] * PATCH)
        with create_netcdf(work / "data" / name, {"patch_year": str(YEAR)}) as file:
            for band in BANDS:
                group = add_group(file, band)
                add_dimension(group, "time", seconds, units)
                _pixels(group, add_bare_dimension)
                chunks = (1, PATCH, PATCH)
                variable = add_variable(group, band, ("time", "y", "x"), "u2", chunks=chunks, fill=0)
                for step, scene in enumerate(scenes):
                    copy_chunk(scene[f"r10m/{band}"], corner, variable, (step, 0, 0))
            group = add_group(file, "labels")
            _pixels(group, add_bare_dimension)
            variable = add_variable(group, "labels", ("y", "x"), "u4", chunks=(PATCH, PATCH))
            copy_chunk(labels["r10m/labels"], corner, variable, (0, 0))
        images.append({"id": len(images) + 1, "file_name": name})
    text = json.dumps({"images": images, "annotations": [], "categories": []})
    (work / "coco.json").write_text(text, encoding="utf-8")


def _pixels(group: h5py.Group, add_bare_dimension: Any) -> None:
    for axis in ("y", "x"):
        add_bare_dimension(group, axis, PATCH)


# --- items ------------------------------------------------------------------------------------------------


def chosen(side: int, number: int) -> list[tuple[int, int]]:
    """Sub-patches in random order: (row, column) counted on the tile."""
    order = np.random.default_rng(7).permutation((side * SIDE) ** 2)[:number]
    return [divmod(int(index), side * SIDE) for index in order]


def ours(work: Path, side: int, number: int, kept: int) -> dict[str, Any]:
    """Read items as train_models does, one at a time."""
    import pandas as pd

    from cropstack.legend import read_classes, read_legend
    from cropstack.train.patches import patch_samples
    from cropstack.train.samples import class_lookup

    root = Path(__file__).parents[1] / "taxonomy"
    legend = read_legend(root / "legends/sen4agrinet11.csv", read_classes(root / "classes.csv"))
    units = pd.DataFrame(chosen(side, number), columns=["row", "column"]).assign(place=f"{YEAR}_{TILE}")
    with h5py.File(work / f"{TILE}_{YEAR}_patches.h5") as file:
        samples = patch_samples({f"{YEAR}_{TILE}": file}, units, class_lookup(legend))
        cpu, wall = time.process_time(), time.perf_counter()
        items = [samples.read(np.array([index])) for index in range(number)]
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    np.savez(work / "ours.npz", inputs=np.stack([item[0][0] for item in items[:kept]]))
    return {"items": number, "cpu_s": cpu / number, "wall_s": wall / number}


def peer(work: Path, side: int, number: int, checkout: str) -> dict[str, Any]:
    """Read items with S4A's own data set, unmodified: the same sub-patches, April to September."""
    sys.path.insert(0, checkout)
    from patches_dataset import PatchesDataset
    from pycocotools.coco import COCO
    from utils.config import LINEAR_ENCODER

    dataset = PatchesDataset(
        coco=COCO(str(work / "coco.json")), root_path_netcdf=str(work / "data"), bands=BANDS,
        linear_encoder=LINEAR_ENCODER, window_len=6, output_size=(SUB_PATCH, SUB_PATCH), mode="train",
    )  # fmt: skip
    numbers = [index_of(row, column, side) for row, column in chosen(side, number)]
    cpu, wall = time.process_time(), time.perf_counter()
    items = [dataset[index] for index in numbers]
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    with np.load(work / "ours.npz") as kept:
        theirs = np.stack([item["medians"] for item in items[: len(kept["inputs"])]])
        differ = float(np.abs(theirs - kept["inputs"][: len(theirs)]).max())
    if differ > 1e-6:
        raise SystemExit(f"items differ by {differ}: not the same medians")
    return {"items": number, "cpu_s": cpu / number, "wall_s": wall / number, "largest_difference": differ}


def index_of(row: int, column: int, side: int) -> int:
    """Number of a sub-patch in PatchesDataset: by first month (April is 3), patch, sub-patch."""
    patch = row // SIDE * side + column // SIDE
    return ((MONTHS[0] - 1) * side * side + patch) * SIDE * SIDE + row % SIDE * SIDE + column % SIDE


if __name__ == "__main__":
    part, folder, *rest = sys.argv[1:]
    if part == "prepare":
        answer = prepare(Path(folder), int(rest[0]), int(rest[1]))
    elif part == "ours":
        answer = ours(Path(folder), *map(int, rest))
    else:
        answer = peer(Path(folder), int(rest[0]), int(rest[1]), rest[2])
    print(json.dumps(answer))
