"""The weights file: owned parcels only, awkward parcels included, and what it refuses."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import netCDF4
import numpy as np
import pandas as pd
import pytest
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource

from cropstack.errors import ConfigError, CropstackError, SampleError
from cropstack.files import sha256
from cropstack.grid import tile_geobox
from cropstack.samples.weigh_parcels import weigh_parcels
from cropstack.samples.weights import Weights, read_weights

SETTINGS: dict[str, Any] = {"tile": "31TCG", "year": 2019, "size_px": 366, "weighting": "pixel"}


def drawn() -> np.ndarray:
    """Parcels 1 to 4 on one patch, 4 on a single pixel; 5 has none."""
    parcels = np.zeros((366, 366), int)
    parcels[10:40, 10:50] = 1
    parcels[20:22, 20:22] = 2  # lies on parcel 1
    parcels[40:46, 10:16] = 3
    parcels[365, 365] = 4
    return parcels


@pytest.fixture
def inputs(build: SimpleNamespace, tmp_path: Path) -> list[Path]:
    """Parcels, tiles, labels; parcel 3 belongs to another tile."""
    squares = [shapely.box(0, 0, 1, 1)] * 5
    owners = {1: "31TCG", 2: "31TCG", 3: "31TCH", 4: "31TCG", 5: "31TCG"}
    return [
        build.parcels(tmp_path, squares, [110] * 5, crs="EPSG:32631"),
        build.tiles(tmp_path / "tiles.parquet", owners),
        build.labels(tmp_path / "labels.nc", drawn()),
    ]


def pixels(weights: Weights, parcel: int) -> list[int]:
    row = weights.parcel_index.tolist().index(parcel)
    return weights.pixels[weights.offsets[row] : weights.offsets[row + 1]].tolist()


def test_owned_parcels_have_the_pixels_that_the_labels_give_them(inputs: list[Path], tmp_path: Path) -> None:
    weigh_parcels(*inputs, tmp_path / "w.h5", **SETTINGS)
    weights = read_weights(tmp_path / "w.h5", 10, pixels=366**2)
    assert weights.parcel_index.tolist() == [1, 2, 4, 5]
    assert weights.weights is None
    for parcel in (1, 2, 4, 5):
        assert pixels(weights, parcel) == np.flatnonzero(drawn() == parcel).tolist()


def test_a_single_pixel_weighs_one_in_the_coarse_pixel_around_it(inputs: list[Path], tmp_path: Path) -> None:
    weigh_parcels(*inputs, tmp_path / "w.h5", **SETTINGS)
    coarse = read_weights(tmp_path / "w.h5", 60, pixels=61**2)
    assert coarse.weights is not None
    assert pixels(coarse, 4) == [61**2 - 1]
    assert pixels(coarse, 5) == []
    of_first = coarse.weights[coarse.offsets[0] : coarse.offsets[1]]
    assert of_first.sum() == 30 * 40 - 4
    assert of_first.max() == 36


def test_a_parcel_of_another_declaration_is_refused(inputs: list[Path], build: SimpleNamespace, tmp_path: Path) -> None:
    build.tiles(inputs[1], {1: "31TCG", 2: "31TCG"})
    with pytest.raises(SampleError, match=r"holds parcel 4; the table of tiles ends at 2"):
        weigh_parcels(*inputs, tmp_path / "w.h5", **SETTINGS)
    assert not (tmp_path / "w.h5").exists()


def test_wrong_inputs_are_named(inputs: list[Path], tmp_path: Path) -> None:
    for change, error, text in (
        ({"tile": "31TDH"}, SampleError, "no parcel belongs to tile 31TDH"),
        ({"year": 2020}, SampleError, "labels.nc: holds 31TCG 2019; expected 31TCG 2020"),
        ({"size_px": 732}, SampleError, "has 366 × 366 px"),
        ({"weighting": "fuzzy"}, ConfigError, 'weighting is "fuzzy"; expected "pixel" or "coverage"'),
    ):
        with pytest.raises(error, match=text):
            weigh_parcels(*inputs, tmp_path / "w.h5", **SETTINGS | change)


def test_a_parcel_table_that_lacks_an_owned_parcel_is_refused(
    inputs: list[Path], build: SimpleNamespace, tmp_path: Path
) -> None:
    build.parcels(tmp_path, [shapely.box(0, 0, 1, 1)] * 3, [110] * 3, crs="EPSG:32631")
    with pytest.raises(SampleError, match="has no parcel 4, which 31TCG owns"):
        weigh_parcels(*inputs, tmp_path / "w.h5", **SETTINGS | {"weighting": "coverage"})


@pytest.mark.parametrize("weighting", ["pixel", "coverage"])
def test_two_runs_give_the_same_bytes_and_a_netcdf(archive: Any, tmp_path: Path, weighting: str) -> None:
    settings = SETTINGS | {"size_px": 732, "weighting": weighting}
    for name in ("a.h5", "b.h5"):
        weigh_parcels(archive.parcels, archive.tiles, archive.labels, tmp_path / name, **settings)
    assert sha256(tmp_path / "a.h5") == sha256(tmp_path / "b.h5")
    with netCDF4.Dataset(tmp_path / "a.h5") as dataset:
        assert dataset.weighting == weighting
        assert dataset["r60m"].dimensions.keys() == {"parcel_index", "bound", "member"}


def test_coverage_of_all_parcels_agrees_with_exactextract(archive: Any, tmp_path: Path) -> None:
    settings = SETTINGS | {"size_px": 732, "weighting": "coverage"}
    weigh_parcels(archive.parcels, archive.tiles, archive.labels, tmp_path / "w.h5", **settings)
    polygons = archive.polygons()
    for resolution_m in (10, 20, 60):
        grid = tile_geobox("31TCG", resolution_m, size_px=732)
        raster = NumPyRasterSource(np.ones(grid.shape), *grid.extent.boundingbox.bbox, srs_wkt=polygons.crs.to_wkt())
        expected = exact_extract(raster, polygons, ["cell_id", "coverage"], output="pandas")
        weights = read_weights(tmp_path / "w.h5", resolution_m, pixels=grid.shape[0] * grid.shape[1])
        np.testing.assert_array_equal(weights.pixels, np.concatenate(expected["cell_id"].to_list()))
        np.testing.assert_allclose(weights.weights, np.concatenate(expected["coverage"].to_list()), atol=1e-6)


@pytest.mark.parametrize(
    ("resolution_m", "name", "value"),
    [(10, "pixels", -3), (10, "offsets", 5), (20, "weights", np.nan), (60, "weights", 0)],
)
def test_weights_that_do_not_fit_the_grid_are_refused(
    inputs: list[Path], tmp_path: Path, resolution_m: int, name: str, value: float
) -> None:
    weigh_parcels(*inputs, tmp_path / "w.h5", **SETTINGS)
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        file[f"r{resolution_m}m/{name}"][0] = value
    pixels = (3660 // resolution_m) ** 2
    with pytest.raises(SampleError, match=f"do not fit a grid of {pixels} pixels"):
        read_weights(tmp_path / "w.h5", resolution_m, pixels=pixels)


@pytest.mark.parametrize("number", [-7, 6])
def test_a_parcel_number_that_cannot_be_is_refused(inputs: list[Path], tmp_path: Path, number: int) -> None:
    with h5py.File(inputs[2], "r+") as file:
        values = file["r10m/parcels"][...]
        values[0, 0] = number
        file["r10m/parcels"][...] = values
    with pytest.raises(SampleError, match=f"holds parcel {number}; the table of tiles ends at 5"):
        weigh_parcels(*inputs, tmp_path / "w.h5", **SETTINGS)


def test_a_parcel_twice_in_the_table_of_tiles_is_refused(inputs: list[Path], tmp_path: Path) -> None:
    table = pd.read_parquet(inputs[1])
    pd.concat([table, table[1:2]]).to_parquet(inputs[1], index=False)
    with pytest.raises(SampleError, match=r"tiles\.parquet: parcel 2 stands twice"):
        weigh_parcels(*inputs, tmp_path / "w.h5", **SETTINGS)


def test_a_parcel_without_geometry_is_refused(inputs: list[Path], build: SimpleNamespace, tmp_path: Path) -> None:
    square = shapely.box(0, 0, 1, 1)
    build.parcels(tmp_path, [square, shapely.Polygon(), *[square] * 3], [110] * 5, crs="EPSG:32631")
    with pytest.raises(SampleError, match="has no geometry of parcel 2, which 31TCG owns"):
        weigh_parcels(*inputs, tmp_path / "w.h5", **SETTINGS | {"weighting": "coverage"})


@pytest.mark.parametrize("how", ["cut", "hole", "text"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_damaged_file_is_named(
    inputs: list[Path], build: SimpleNamespace, tmp_path: Path, how: str, number: int
) -> None:
    build.damage(inputs[number], how)
    weighting = "coverage" if number == 0 else "pixel"
    with pytest.raises(CropstackError, match=f"{inputs[number].name}: not readable as"):
        weigh_parcels(*inputs, tmp_path / "w.h5", **SETTINGS | {"weighting": weighting})
    assert not (tmp_path / "w.h5").exists()
