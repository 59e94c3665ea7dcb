"""Counts of patches and scenes against literal rasters."""

import csv
from pathlib import Path

import h5py
import imagecodecs
import numpy as np
import pyarrow.parquet as pq
import pytest

from cropstack.bands import FLAGS, S2_BANDS
from cropstack.files import add_bare_dimension, add_group, add_variable, create_netcdf, write_chunks
from cropstack.grid import PATCH_PX
from cropstack.report.describe_tile import TEXTS, describe_tile, patch_rows, thinned
from cropstack.report.descriptions import read_patches, read_scenes


def raster(group: h5py.Group, name: str, array: np.ndarray, size: int) -> None:
    write_chunks(add_variable(group, name, ("y", "x"), array.dtype, chunks=(size, size)), array)


def grid(file: h5py.File, resolution: int, size: int) -> h5py.Group:
    group = add_group(file, f"r{resolution}m")
    add_bare_dimension(group, "y", size)
    add_bare_dimension(group, "x", size)
    return group


@pytest.fixture
def described(tmp_path: Path) -> tuple[Path, Path, Path]:
    """One patch, one scene: 5 px saturated and 7 defective at 10 m, 9 values of B04 clamped."""
    scene, labels = tmp_path / "scene.nc", tmp_path / "labels.nc"
    attributes = {name: name for name in TEXTS} | {"cloud_cover": 2.5, "clamped_B04": 9}
    attributes |= {f"clamped_{band.name}": 0 for band in S2_BANDS if band.name != "B04"}
    with create_netcdf(scene, attributes) as file:
        for resolution, size in PATCH_PX.items():
            group = grid(file, resolution, size)
            flags = np.zeros((size, size), np.uint8)
            if resolution == 10:
                flags[0, :5] = FLAGS["saturated"]
                flags[1, :7] = FLAGS["defective"]
            raster(group, "flags", flags, size)
            add_bare_dimension(group, "patch_row", 1)
            add_bare_dimension(group, "patch_column", 1)
            count = np.array([[size * size - 1]], "u4")
            add_variable(group, "valid_count", ("patch_row", "patch_column"), "u4", data=count)
    with create_netcdf(labels, {}) as file:
        codes = np.zeros((366, 366), np.uint32)
        codes[:10], codes[10] = 110, 998
        raster(grid(file, 10, 366), "labels", codes, 366)
    made = tmp_path / "scenes.csv", tmp_path / "patches.parquet", tmp_path / "preview.png"
    describe_tile([scene], labels, *made)
    return made


def test_flags_and_clamped_values_of_a_scene_are_counted(described: tuple[Path, Path, Path]) -> None:
    (scene,) = read_scenes(described[0], "31TCG", 2019)
    assert (scene.counts["saturated_r10m"], scene.counts["defective_r10m"]) == (5, 7)
    assert (scene.counts["saturated_r20m"], scene.counts["clamped_B04"]) == (0, 9)
    assert scene.clamped_share("B04") == pytest.approx(9 / (366 * 366 - 1))
    with open(described[0], newline="") as handle:
        assert next(csv.DictReader(handle))["provider"] == "provider"


def test_pixels_of_a_patch_are_counted_by_class_with_the_background(described: tuple[Path, Path, Path]) -> None:
    (patch,) = read_patches(described[1], "31TCG", 2019)
    assert (patch.sample, patch.acquisitions) == ("2019_31TCG_patch_00_00", 1)
    assert patch.pixels == {0: 355 * 366, 110: 10 * 366, 998: 366}
    assert pq.read_table(described[1]).num_rows == 1


def test_preview_holds_class_codes_of_at_most_360_pixels_a_side(described: tuple[Path, Path, Path]) -> None:
    preview = imagecodecs.imread(described[2])
    assert preview.shape == (183, 183)
    assert set(np.unique(preview)) == {0, 110}  # every second row from row 1: 998 in row 10 falls out
    assert thinned(np.full((10980, 10980), 970, np.uint32)).shape == (354, 354)


def test_patch_without_acquisition_has_no_row() -> None:
    rows = list(patch_rows(np.zeros((366, 732), np.uint32), np.array([[0, 3]])))
    assert [(row["row"], row["column"], row["acquisitions"]) for row in rows] == [(0, 1, 3)]
