"""Monthly composites of pixels against numpy, their file, and what is refused."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

from cropstack.bands import FLAGS
from cropstack.errors import ConfigError, CropstackError, MissingBand, SampleError
from cropstack.files import sha256
from cropstack.grid import pixel_centres, tile_geobox
from cropstack.samples.composite_patches import composite_patches

COMPOSITE = {"bands": ["B04", "B8A"], "months": [4, 7], "patch_px": 61, "fill": "linear"}
SETTINGS: dict[str, Any] = {
    "tile": "31TCG", "year": 2019, "size_px": 732, "composite": COMPOSITE, "left_out_flags": ["nodata", "saturated"],
}  # fmt: skip
DATES = ["2019-03-31T10:56:00Z", "2019-04-01T00:00:00Z", "2019-04-20T10:56:00Z", "2019-04-25T10:56:00Z",
         "2019-04-29T10:56:00Z", "2019-07-31T23:59:59Z"]  # fmt: skip


def pixels(seed: int) -> tuple[dict[str, np.ndarray], dict[int, np.ndarray]]:
    """Two bands with a third of the pixels missing, and flags of which only the saturated ones count."""
    rng = np.random.default_rng(seed)
    bands = {}
    for band, size in (("B04", 732), ("B8A", 366)):
        values = rng.integers(1, 5000, (size, size))
        values[rng.random((size, size)) < 0.3] = 0
        bands[band] = values
    flags = rng.choice(np.array([0, FLAGS["opaque_cloud"], FLAGS["saturated"]], "u1"), (732, 732), p=[0.8, 0.1, 0.1])
    return bands, {10: flags}


@pytest.fixture(scope="module")
def made(build: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Scenes of six dates, labels, and their composites."""
    folder = tmp_path_factory.mktemp("composites")
    scenes, stack = [], []
    for number, date in enumerate(DATES):
        bands, flags = pixels(number)
        scenes.append(build.scene(folder / f"S{number}.nc", sensing=date, bands=bands, flags=flags))
        red = np.where((bands["B04"] == 0) | (flags[10] == FLAGS["saturated"]), np.nan, bands["B04"])
        infrared = np.where(bands["B8A"] == 0, np.nan, bands["B8A"]).repeat(2, axis=0).repeat(2, axis=1)
        stack.append([red, infrared])
    codes = np.random.default_rng(9).integers(100, 999, (732, 732))
    labels = build.labels(folder / "labels.nc", codes)
    composite_patches(scenes[::-1], labels, folder / "c.h5", **SETTINGS)
    return SimpleNamespace(folder=folder, scenes=scenes, labels=labels, codes=codes, stack=np.array(stack))


@pytest.fixture(scope="module")
def expected(made: SimpleNamespace) -> tuple[np.ndarray, np.ndarray]:
    """Medians of April and July (June and May have no scene) and their counts, by numpy: four dates, then one."""
    shape = (2, 732, 732)
    medians, counts = np.full((4, *shape), np.nan), np.zeros((4, *shape), int)
    for month, dates in ((0, slice(1, 5)), (3, slice(5, 6))):
        values = np.sort(made.stack[dates], axis=0)  # NaN last
        number = counts[month] = np.count_nonzero(~np.isnan(values), axis=0)
        low, high = (np.take_along_axis(values, at[None], axis=0)[0] for at in ((number - 1) // 2, number // 2))
        medians[month] = np.where(number > 0, (low + high) / 2, np.nan)
    return medians, counts.min(axis=1)


def test_composites_are_medians_of_the_valid_pixels(made: SimpleNamespace, expected: tuple) -> None:
    medians, counts = expected
    with h5py.File(made.folder / "c.h5") as file:
        found = file["composites"][...]
        np.testing.assert_array_equal(file["count"][...], counts)
    seen = ~np.isnan(medians)
    np.testing.assert_array_equal(found[seen], medians[seen].astype(np.float32))


def test_months_without_acquisition_are_filled_on_a_line(made: SimpleNamespace, expected: tuple) -> None:
    medians, _ = expected
    both = ~np.isnan(medians[[0, 3]]).any(axis=0)
    april_only = ~np.isnan(medians[0]) & np.isnan(medians[3])
    with h5py.File(made.folder / "c.h5") as file:
        found = file["composites"][...]
    np.testing.assert_allclose(found[1][both], (2 * medians[0] + medians[3])[both] / 3, rtol=1e-6)
    np.testing.assert_allclose(found[2][both], (medians[0] + 2 * medians[3])[both] / 3, rtol=1e-6)
    np.testing.assert_array_equal(found[3][april_only], medians[0][april_only].astype(np.float32))
    assert april_only.any()


def test_nan_is_left_only_where_a_band_is_never_valid(made: SimpleNamespace, expected: tuple) -> None:
    medians, counts = expected
    with h5py.File(made.folder / "c.h5") as file:
        found = file["composites"][...]
    np.testing.assert_array_equal(np.isnan(found), np.broadcast_to(np.isnan(medians).all(axis=0), found.shape))
    assert not counts.any(axis=0)[np.isnan(found).any(axis=(0, 1))].all()


def test_a_training_sample_is_one_chunk(made: SimpleNamespace) -> None:
    with h5py.File(made.folder / "c.h5") as file:
        assert file["composites"].chunks == (4, 2, 61, 61)
        assert file["count"].chunks == (4, 61, 61)
        assert file["labels"].chunks == (61, 61)
        assert file["composites"].id.get_num_chunks() == 12 * 12


def test_file_opens_as_netcdf_with_grid_months_and_labels(made: SimpleNamespace) -> None:
    x, y = pixel_centres(tile_geobox("31TCG", 10, size_px=732))
    with xr.open_dataset(made.folder / "c.h5", engine="netcdf4") as data:
        assert data["composites"].dims == ("month", "band", "y", "x")
        assert data["composites"].attrs["bands"] == "B04 B8A"
        assert data["month"].values.tolist() == [4, 5, 6, 7]
        np.testing.assert_array_equal(data["x"], x)
        np.testing.assert_array_equal(data["y"], y)
        np.testing.assert_array_equal(data["labels"], made.codes)


def test_order_of_the_scenes_changes_no_byte(made: SimpleNamespace) -> None:
    composite_patches(made.scenes, made.labels, made.folder / "again.h5", **SETTINGS)
    assert sha256(made.folder / "again.h5") == sha256(made.folder / "c.h5")


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"months": [9, 10]}, SampleError, r"none of 6 scenes lies in the months \[9, 10\]"),
        ({"months": [9, 4]}, ConfigError, "months are"),
        ({"bands": ["B03"]}, MissingBand, "has no B03 at 10 m"),
        ({"bands": ["B4"]}, ConfigError, '"B4" is no band'),
        ({"patch_px": 64}, ConfigError, "patch_px is 64; expected a divisor of 366"),
        ({"fill": "guess"}, ConfigError, 'fill is "guess"; expected one of linear'),
        ({"tile": "31TDG"}, SampleError, "expected a scene of 31TDG in 2019"),
        ({"size_px": 366}, SampleError, "has 732 × 732 px"),
    ],
)
def test_wrong_inputs_are_named(made: SimpleNamespace, change: dict[str, Any], error: type, text: str) -> None:
    settings = SETTINGS | change
    if not set(change) <= set(SETTINGS):
        settings = SETTINGS | {"composite": COMPOSITE | change}
    with pytest.raises(CropstackError, match=text) as caught:
        composite_patches(made.scenes, made.labels, made.folder / "none.h5", **settings)
    assert caught.type is error
    assert not (made.folder / "none.h5").exists()


def test_labels_of_another_year_are_refused(made: SimpleNamespace, build: SimpleNamespace, tmp_path: Path) -> None:
    labels = build.labels(tmp_path / "labels.nc", made.codes, year=2020)
    with pytest.raises(SampleError, match="holds 31TCG 2020; expected 31TCG 2019"):
        composite_patches(made.scenes, labels, tmp_path / "c.h5", **SETTINGS)


@pytest.mark.parametrize("how", ["cut", "hole", "text"])
@pytest.mark.parametrize("kind", ["scene", "labels"])
def test_a_damaged_file_is_named(
    made: SimpleNamespace, build: SimpleNamespace, tmp_path: Path, how: str, kind: str
) -> None:
    path = tmp_path / "damaged.nc"
    shutil.copy(made.scenes[2] if kind == "scene" else made.labels, path)
    build.damage(path, how)
    scenes = [*made.scenes[:2], path] if kind == "scene" else made.scenes[:3]
    with pytest.raises(CropstackError, match=r"damaged\.nc: not readable as"):
        composite_patches(scenes, path if kind == "labels" else made.labels, tmp_path / "c.h5", **SETTINGS)
    assert not (tmp_path / "c.h5").exists()
