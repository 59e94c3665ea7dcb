"""Parcels on the map: which, where, and in which split."""

import re
from pathlib import Path
from xml.etree import ElementTree

import geopandas as gpd
import numpy as np
import pytest
import shapely

from cropstack.files import add_bare_dimension, add_group, add_variable, create_netcdf, write_chunks, write_csv
from cropstack.grid import tile_geobox
from cropstack.report import parcel_map
from cropstack.report.parcel_map import (
    Window,
    choose_window,
    draw_parcels,
    middle_window,
    path_of,
    read_splits,
    window_bounds,
)

BOUNDS = (0.0, 0.0, 360.0, 360.0)  # a metre is a unit of the drawing


def write_patch(path: Path, numbers: range) -> None:
    """A patch whose parcels lie in stripes."""
    stripes = np.broadcast_to(np.array(numbers)[np.arange(366) % len(numbers)], (366, 366)).astype(np.int64)
    with create_netcdf(path, {}) as file:
        for name in ("labels", "parcels"):
            group = add_group(file, name)
            add_bare_dimension(group, "y", 366)
            add_bare_dimension(group, "x", 366)
            write_chunks(add_variable(group, name, ("y", "x"), np.int64, chunks=(366, 366)), stripes)


def test_window_lies_in_the_middle_of_the_patch_grid() -> None:
    assert middle_window(30, 6) == Window(12, 12, 6)
    assert middle_window(2, 1).places() == {(0, 0)}


def test_window_grows_until_it_holds_as_many_parcels_as_a_page_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for row in range(3):
        for column in range(3):
            first = 1 + 10 * (3 * row + column)
            path = tmp_path / f"2019_31TCG_patch_{row:02d}_{column:02d}.nc"
            write_patch(path, range(first, first + 10))
    window, numbers = choose_window(tmp_path, "2019_31TCG", 3)
    assert (window.side, len(numbers)) == (3, 90)
    monkeypatch.setattr(parcel_map, "MOST_PARCELS", 40)
    window, numbers = choose_window(tmp_path, "2019_31TCG", 3)
    assert (window, len(numbers)) == (Window(0, 0, 2), 40)


def test_bounds_of_a_window_are_those_of_its_patches() -> None:
    west, south, east, north = window_bounds(tile_geobox("31TCG", 10), Window(1, 2, 3))
    whole = tile_geobox("31TCG", 10).extent.boundingbox
    assert (west - whole.left, whole.top - north) == (2 * 3660, 3660)
    assert (east - west, north - south) == (3 * 3660, 3 * 3660)


def test_north_is_up_and_holes_are_drawn() -> None:
    ring = shapely.box(0, 300, 60, 360).difference(shapely.box(20, 320, 40, 340))
    path = path_of(ring, BOUNDS, 4.0)
    starts = re.findall(r"M([\d.]+) ([\d.]+)l", path)
    assert len(starts) == 2
    assert all(float(x) <= 60 and float(y) <= 60 for x, y in starts)
    assert path_of(shapely.box(0, 0, 0.1, 0.1), BOUNDS, 4.0) == ""


def test_each_split_has_its_pattern_and_parcels_left_out_are_outlines() -> None:
    outlines = gpd.GeoSeries({n: shapely.box(40 * n, 0, 40 * n + 30, 30) for n in (1, 2, 3, 4)})
    splits = {1: "train", 2: "train", 3: "test", 4: ""}
    drawing = ElementTree.fromstring(draw_parcels("Parcels", outlines, splits, Window(0, 0, 2), BOUNDS))
    paths = {path.get("fill"): path.get("d", "") for path in drawing.iter("path") if path.get("class") == "parcel"}
    assert {fill: d.count("M") for fill, d in paths.items()} == {"url(#train)": 2, "url(#test)": 1, "none": 1}


def test_splits_are_those_of_one_tile_year_and_scenario(tmp_path: Path) -> None:
    rows = [
        ("scenario1", "es_ct", "31TCG", 2019, 1, "train", ""),
        ("scenario1", "es_ct", "31TCG", 2019, 2, "", "no_pixel"),
        ("scenario1", "es_ct", "31TCG", 2020, 1, "val", ""),
        ("scenario1", "fr", "31TCJ", 2019, 1, "val", ""),
        ("scenario2", "es_ct", "31TCG", 2019, 1, "test", ""),
    ]
    write_csv(tmp_path / "s.csv", ["scenario", "country", "tile", "year", "parcel_index", "split", "reason"], rows)
    assert read_splits(tmp_path / "s.csv", scenario="scenario1", tile="31TCG", year=2019) == {1: "train", 2: ""}
