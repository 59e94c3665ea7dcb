import subprocess
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import h5py
import netCDF4
import numpy as np
import pytest
import rasterio
import xarray as xr
from pyproj import CRS

from cropstack.bands import S2_BANDS
from cropstack.errors import CropstackError, LayoutError
from cropstack.files import read_ledger, sha256
from cropstack.grid import PATCH_PX
from cropstack.layouts.write_sen4agrinet import dates_of_patches, write_sen4agrinet

TIMES = ["2019-04-12T10:56:27.461000Z", "2019-06-01T10:56:30.000001Z", "2019-09-30T11:00:00.500000Z"]
FIRST = "S2A_20190412T105031_R051_T31TCG"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, build: SimpleNamespace) -> SimpleNamespace:
    """Three scenes, of which the first has no data in patch (0, 1), and none has any in patch (1, 1)."""
    return write_patches(tmp_path_factory.mktemp("written"), build)


def write_patches(folder: Path, build: SimpleNamespace, **changes: object) -> SimpleNamespace:
    scenes = [
        build.scene(folder / f"S2A_{time[:10].replace('-', '')}T105031_R051_T31TCG.nc", sensing=time, seed=n,
                    empty=[(1, 1)] + [(0, 1)] * (n == 0), **(changes if n == 0 else {}))
        for n, time in enumerate(TIMES)
    ]  # fmt: skip
    rasters = build.rasters(7)
    labels = build.labels(folder / "labels.nc", year=2019, rasters=rasters)
    patches, ledger = folder / "data/2019/31TCG", folder / "ledger.csv"
    run = SimpleNamespace(scenes=scenes, labels=labels, patches=patches, ledger=ledger, rasters=rasters)
    run.write = lambda **other: write_sen4agrinet(
        other.get("scenes", scenes), other.get("labels", labels), patches, ledger,
        tile=other.get("tile", "31TCG"), year=other.get("year", 2019), size_px=other.get("size_px", build.size_px),
    )  # fmt: skip
    run.write()
    return run


def patch(run: SimpleNamespace, row: int, column: int) -> Path:
    return run.patches / f"2019_31TCG_patch_{row:02d}_{column:02d}.nc"


def window(values: np.ndarray, row: int, column: int, size: int) -> np.ndarray:
    return values[row * size : (row + 1) * size, column * size : (column + 1) * size]


def test_pixels_of_every_band_and_date_are_the_scenes(written: SimpleNamespace, build: SimpleNamespace) -> None:
    pixels = [build.scene_pixels(seed) for seed in range(3)]
    with h5py.File(patch(written, 1, 0)) as file:
        for band in S2_BANDS:
            size = PATCH_PX[band.resolution_m]
            found = file[f"{band.name}/{band.name}"]
            assert found.shape == (3, size, size)
            for time in range(3):
                np.testing.assert_array_equal(found[time], window(pixels[time][band.name], 1, 0, size))


def test_compressed_chunks_are_copied_byte_by_byte(written: SimpleNamespace) -> None:
    with h5py.File(written.scenes[2]) as scene, h5py.File(patch(written, 0, 0)) as file:
        for name, group in (("B02", "r10m"), ("B8A", "r20m"), ("B10", "r60m")):
            copied = file[f"{name}/{name}"].id.read_direct_chunk((2, 0, 0))
            assert copied == scene[f"{group}/{name}"].id.read_direct_chunk((0, 0))


def test_labels_and_parcels_are_the_label_files(written: SimpleNamespace) -> None:
    with h5py.File(patch(written, 0, 1)) as file:
        for name, raster in zip(("labels", "parcels"), written.rasters, strict=True):
            found = file[f"{name}/{name}"]
            assert found.dtype == raster.dtype
            np.testing.assert_array_equal(found[...], window(raster, 0, 1, 366))


def test_a_date_without_a_valid_pixel_is_left_out_of_that_patch_only(written: SimpleNamespace) -> None:
    with h5py.File(patch(written, 0, 0)) as whole, h5py.File(patch(written, 0, 1)) as partial:
        assert whole["B02/time"].shape == (3,)
        for band in S2_BANDS:
            np.testing.assert_array_equal(partial[f"{band.name}/time"][...], whole["B02/time"][1:])
    rows = {(row.unit, row.reason): row for row in read_ledger(written.ledger)}
    row = rows["2019_31TCG_patch_00_01", "no_valid_pixel"]
    assert row.action == "rejected"
    assert row.evidence == f"no valid pixel on 1 of 3 dates: {FIRST}"


def test_a_patch_without_any_date_has_no_file_but_a_row(written: SimpleNamespace) -> None:
    names = sorted(file.name for file in written.patches.iterdir())
    assert names == [f"2019_31TCG_patch_{place}.nc" for place in ("00_00", "00_01", "01_00")]
    reasons = [row.reason for row in read_ledger(written.ledger) if row.unit == "2019_31TCG_patch_01_01"]
    assert reasons == ["no_date", "no_valid_pixel"]


def test_acquisitions_say_where_pixels_come_from(written: SimpleNamespace, build: SimpleNamespace) -> None:
    with xr.open_dataset(patch(written, 0, 1), group="acquisitions") as found:
        assert found["scene"].values.tolist() == [scene.stem for scene in written.scenes[1:]]
        assert found["products"].values.tolist() == [f"P_{scene.stem}" for scene in written.scenes[1:]]
        assert found["processing_baselines"].values.tolist() == ["02.07", "02.07"]
        assert found["offset_applied"].values.tolist() == ["0", "0"]
        assert found["provider"].values.tolist() == ["simulated", "simulated"]
        assert found["cloud_cover"].values.tolist() == [1.5, 1.5]
        assert found["sun_zenith"].values.tolist() == [40.25, 40.25]
        bands = [window(build.scene_pixels(1)[name], 0, 1, 366) for name in ("B02", "B03", "B04", "B08")]
        assert found["valid_share"].values[0] == np.all([band > 0 for band in bands], axis=0).mean()


def test_root_attributes_are_those_of_the_published_files(written: SimpleNamespace) -> None:
    with netCDF4.Dataset(patch(written, 1, 0)) as file:
        assert not file.dimensions
        assert not file.variables
        assert list(file.groups)[:13] == [band.name for band in S2_BANDS]
        expected = {
            "title": "S4A Patch Dataset", "patch_full_name": "2019_31TCG_patch_01_00", "patch_name": "patch_01_00",
            "patch_year": "2019", "patch_tile": "31TCG", "patch_country_code": "ES", "version": "21.03",
            "creation_date": TIMES[2],  # the newest product's generation, no clock
        }  # fmt: skip
        assert {name: file.getncattr(name) for name in expected} == expected
        assert file.getncattr("labels_licence") == "Open ES"
        assert "Copernicus Sentinel data 2019; Office 2019" in file.getncattr("source")


def test_licences_of_declarations_and_land_cover_reach_the_patches(
    written: SimpleNamespace, build: SimpleNamespace, tmp_path: Path
) -> None:
    about = {"background": "CORINE Land Cover 2018", "background_licence": "free", "background_attribution": "EEA"}
    shared = build.labels(tmp_path / "labels.nc", year=2019, rasters=written.rasters, share_alike=1, **about)
    names = ("labels_share_alike", "labels_licence", *(f"labels_{name}" for name in about))
    with netCDF4.Dataset(patch(written, 1, 0)) as file:
        assert [getattr(file, name, None) for name in names] == ["no", "Open ES", None, None, None]
    written.write(labels=shared)
    with netCDF4.Dataset(patch(written, 1, 0)) as file:
        assert [getattr(file, name, None) for name in names] == ["yes", "Open ES", *about.values()]
    written.write()


def test_netcdf4_and_xarray_read_time_and_fill_value(written: SimpleNamespace, build: SimpleNamespace) -> None:
    expected = [datetime.fromisoformat(time).replace(tzinfo=None) for time in TIMES]
    with netCDF4.Dataset(patch(written, 0, 0)) as file:
        for band in S2_BANDS:
            time = file[f"{band.name}/time"]
            found = netCDF4.num2date(time[:], time.units, time.calendar, only_use_cftime_datetimes=False)
            assert found.tolist() == expected
            assert file[f"{band.name}/{band.name}"]._FillValue == 0
    with xr.open_dataset(patch(written, 0, 0), group="B05") as found:
        assert found["time"].values.astype("M8[us]").tolist() == expected
        zero = window(build.scene_pixels(1)["B05"], 0, 0, 183) == 0
        assert zero.any()
        np.testing.assert_array_equal(np.isnan(found["B05"].values[1]), zero)


# The tile's upper left corner is 300000, 4700040 (published tiling grid); patch (1, 0) lies 3660 m further down.
@pytest.mark.parametrize(("name", "size_m"), [("B02", 10), ("B8A", 20), ("B10", 60), ("labels", 10), ("parcels", 10)])
def test_gdal_places_every_group(written: SimpleNamespace, name: str, size_m: int) -> None:
    with rasterio.open(f"NETCDF:{patch(written, 1, 0)}:/{name}/{name}") as found:
        assert found.crs.to_epsg() == 32631
        assert tuple(found.transform)[:6] == (size_m, 0, 300_000, 0, -size_m, 4_700_040 - 3660)
        assert found.nodata == (0 if name.startswith("B") else None)
        assert found.count == (3 if name.startswith("B") else 1)


def test_gdalinfo_lists_every_subdataset_and_reads_what_was_written(
    written: SimpleNamespace, build: SimpleNamespace
) -> None:
    file = patch(written, 1, 0)
    listed = subprocess.run(["gdalinfo", str(file)], capture_output=True, text=True, check=True).stdout
    for name in [band.name for band in S2_BANDS] + ["labels", "parcels"]:
        assert f"/{name}/{name}" in listed
    with rasterio.open(f"NETCDF:{file}:/B12/B12") as found:
        np.testing.assert_array_equal(found.read(3), window(build.scene_pixels(2)["B12"], 1, 0, 183))


def test_coordinates_and_grid_mapping_are_cf(written: SimpleNamespace) -> None:
    with xr.open_dataset(patch(written, 0, 1), group="B11") as found:
        assert found["x"].values[[0, -1]].tolist() == [300_000 + 3660 + 10, 300_000 + 7320 - 10]
        assert found["y"].values[[0, -1]].tolist() == [4_700_040 - 10, 4_700_040 - 3660 + 10]
        assert found["B11"].attrs["standard_name"] == "toa_bidirectional_reflectance"
        mapping = found[found["B11"].attrs["grid_mapping"]].attrs
        assert CRS.from_cf(mapping).to_epsg() == 32631


def test_same_inputs_in_any_order_give_the_same_bytes(
    written: SimpleNamespace, build: SimpleNamespace, tmp_path: Path
) -> None:
    again = write_patches(tmp_path, build)
    again.write(scenes=again.scenes[::-1])
    for file in sorted(written.patches.iterdir()):
        assert sha256(again.patches / file.name) == sha256(file)
    assert again.ledger.read_bytes() == written.ledger.read_bytes()


def test_clamped_share_above_one_percent_is_in_the_ledger(build: SimpleNamespace, tmp_path: Path) -> None:
    # 3 patches of 61 × 61 pixels at 60 m less 1 in 500 without data, less the patch (0, 1): about 7 400 valid
    run = write_patches(tmp_path, build, clamped_B10=200, clamped_B01=20)
    rows = [row for row in read_ledger(run.ledger) if row.reason == "clamped"]
    assert [(row.unit, row.action, row.evidence[:12]) for row in rows] == [(FIRST, "repaired", "B10: 200 of ")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tile": "31TCJ"}, 'tile is "31TCG"; expected "31TCJ"'),
        ({"year": 2020}, "expected a scene of 2020"),
        ({"size_px": 1098}, "columns; expected 300005.0, 4700035.0 with 1098"),
        ({"scenes": []}, "no scene to write patches from"),
    ],
)
def test_scenes_of_another_tile_year_or_grid_are_refused(written: SimpleNamespace, change: dict, message: str) -> None:
    before = sorted(file.name for file in written.patches.iterdir())
    with pytest.raises(LayoutError, match=message):
        written.write(**change)
    assert sorted(file.name for file in written.patches.iterdir()) == before


def test_labels_of_another_year_are_refused(written: SimpleNamespace, build: SimpleNamespace, tmp_path: Path) -> None:
    labels = build.labels(tmp_path / "labels.nc", year=2018, rasters=written.rasters)
    with pytest.raises(LayoutError, match=r"holds 31TCG 2018.*expected 31TCG 2019"):
        written.write(labels=labels)


def test_two_scenes_of_one_acquisition_are_refused(
    written: SimpleNamespace, build: SimpleNamespace, tmp_path: Path
) -> None:
    twin = build.scene(tmp_path / "S2A_20190412T105029_R051_T31TCG.nc", sensing=TIMES[0])
    with pytest.raises(LayoutError, match="one acquisition of S2A"):
        written.write(scenes=[*written.scenes, twin])


def test_a_scene_without_a_band_is_refused(written: SimpleNamespace, build: SimpleNamespace, tmp_path: Path) -> None:
    bands = [band.name for band in S2_BANDS if band.name != "B10"]
    scene = build.scene(tmp_path / "S2A_20190501T105031_R051_T31TCG.nc", sensing="2019-05-01T10:00:00Z", bands=bands)
    with pytest.raises(LayoutError, match="has no B10"):
        written.write(scenes=[scene])


def test_labels_that_say_nothing_of_their_declarations_are_refused(
    written: SimpleNamespace, build: SimpleNamespace, tmp_path: Path
) -> None:
    older = build.labels(tmp_path / "older.nc", year=2019, rasters=written.rasters)
    with h5py.File(older, "a") as file:
        del file.attrs["country_code"], file.attrs["licence"]
    with pytest.raises(LayoutError, match=r"older.nc: has no attribute country_code, licence. Delete the file"):
        written.write(labels=older)
    older.write_bytes(older.read_bytes()[:-2000])
    with pytest.raises(CropstackError, match=r"older.nc: not readable as labels"):
        written.write(labels=older)


def test_a_truncated_scene_is_refused(build: SimpleNamespace, tmp_path: Path) -> None:
    run = write_patches(tmp_path, build)
    data = run.scenes[0].read_bytes()
    run.scenes[0].write_bytes(data[: len(data) // 2])
    with pytest.raises((LayoutError, OSError), match=r"truncated|ends inside"):
        run.write()


def test_a_full_disk_leaves_no_patch_behind(written: SimpleNamespace, small_disk: Path) -> None:
    patches = small_disk / "data/2019/31TCG"
    with pytest.raises(CropstackError, match="could not be written"):
        write_sen4agrinet(
            written.scenes, written.labels, patches, small_disk / "ledger.csv",
            tile="31TCG", year=2019, size_px=732,
        )  # fmt: skip
    assert not patches.exists()
    assert not list(patches.parent.iterdir())


def test_a_date_stays_where_any_resolution_has_a_valid_pixel() -> None:
    """Of three patches: only 60 m, only 20 m, none."""
    counts = {10: [[0, 0, 0]], 20: [[0, 5, 0]], 60: [[7, 0, 0]]}
    scene = SimpleNamespace(valid_count={resolution: np.array(rows) for resolution, rows in counts.items()})
    assert dates_of_patches([scene]) == {(0, 0): (0,), (0, 1): (0,), (0, 2): ()}
