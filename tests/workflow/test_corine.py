"""A land cover named in the configuration: its classes reach the labels, and another file is noticed."""

import csv
import os
from pathlib import Path

import numpy as np
import rasterio
import yaml
from affine import Affine

from ..tree import SMALL, Tree

QUALITY = "build/labels/31TCG_2019_quality.csv"
CENTRE = (3_600_000, 2_300_000)  # EPSG:3035, about where the tile lies


def write_forest(path: Path, *, time: int) -> None:
    """200 km of broad-leaved forest in cells of 1 km."""
    profile = {"driver": "GTiff", "width": 400, "height": 400, "count": 1, "dtype": "uint8", "crs": "EPSG:3035"}
    transform = Affine(1000, 0, CENTRE[0] - 200_000, 0, -1000, CENTRE[1] + 200_000)
    with rasterio.open(path, "w", transform=transform, **profile) as file:
        file.write(np.full((400, 400), 23, np.uint8), 1)
    os.utime(path, (time, time))


def test_land_cover_fills_the_labels_and_an_older_file_replaces_it(fresh: Tree, tmp_path: Path) -> None:
    write_forest(tmp_path / "clc.tif", time=1_600_000_000)
    corine = {"file": str(tmp_path / "clc.tif"), "year": 2018}
    (fresh.folder / "config.yaml").write_text(yaml.safe_dump(SMALL | {"tile_size_px": 366, "corine": corine}))
    fresh.build(QUALITY)
    with open(fresh.folder / QUALITY, encoding="utf-8", newline="") as lines:
        rows = [{name: int(value) for name, value in row.items()} for row in csv.DictReader(lines)]
    assert [row["pixels"] for row in rows] == [366**2, 183**2, 61**2]
    assert all(row["parcel_pixels"] + row["background_pixels"] == row["pixels"] for row in rows)
    assert min(row["background_pixels"] for row in rows) > 0
    write_forest(tmp_path / "clc.tif", time=1_500_000_000)
    assert "rasterise_labels" in fresh.planned(QUALITY)
