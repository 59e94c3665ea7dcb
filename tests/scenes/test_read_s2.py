"""Whole products to scene files, compared pixel by pixel with GDAL's reading of the images."""

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import netCDF4
import numpy as np
import pytest
import rasterio
import xarray as xr

from cropstack.bands import FLAGS, S2_BANDS, bands_at
from cropstack.errors import CorruptFile, GridMismatch, MissingBand, OffsetError, ProductError
from cropstack.files import read_attributes, write_json
from cropstack.grid import PATCH_PX, tile_geobox
from cropstack.scenes.read_s2 import offset_text, read_s2, source_text, weighted_cloud

SCENE = "S2A_20190412T105031_R051_T31TCG"
SIZE_PX = 732


@pytest.fixture
def build(tmp_path: Path, l1c: SimpleNamespace) -> Callable[..., Path]:
    """A function: fetch products and read them as one scene."""

    def run(*roots: Path, name: str = SCENE, threads: int = 1, folder: str = "out") -> Path:
        fetched = [l1c.fetch(root, tmp_path / f"archive_{folder}") for root in roots]
        scene = tmp_path / folder / f"{name}.nc"
        read_s2(fetched, scene, tile="31TCG", size_px=SIZE_PX, threads=threads)
        return scene

    return run


def expected_values(dn: np.ndarray, offset: int) -> np.ndarray:
    """The rule in plain arithmetic, from GDAL's digital numbers."""
    values = np.maximum(1, dn.astype(np.int64) + offset)
    values[dn == 0], values[dn == 65535] = 0, 65535
    return values


def gdal_bands(root: Path) -> dict[str, np.ndarray]:
    found = {}
    for path in sorted(root.glob("GRANULE/*/IMG_DATA/*.jp2")):
        with rasterio.open(path) as dataset:
            found[path.stem[-3:]] = dataset.read(1)
    return found


@pytest.mark.parametrize(("baseline", "offset"), [("02.07", 0), ("05.00", -1000)])
def test_every_pixel_is_gdals_plus_offset(
    copy_of: Callable[[str], Path], build: Callable[..., Path], baseline: str, offset: int
) -> None:
    root = copy_of(baseline)
    scene = build(root)
    bands = gdal_bands(root)
    with h5py.File(scene) as file:
        for band in S2_BANDS:
            values = file[f"r{band.resolution_m}m/{band.name}"][:]
            np.testing.assert_array_equal(values, expected_values(bands[band.name], offset))
            clamped = int(np.count_nonzero((bands[band.name] > 0) & (bands[band.name] < 1 - offset)))
            assert file.attrs[f"clamped_{band.name}"] == clamped
        assert file.attrs["clamped_B02"] == (20 if offset else 0)  # the builder's twenty dark pixels
        for resolution in (10, 20, 60):
            dn = np.stack([bands[band.name] for band in bands_at(resolution)])
            flags = (dn == 0).any(0) * FLAGS["nodata"] | (dn == 65535).any(0) * FLAGS["saturated"]
            np.testing.assert_array_equal(file[f"r{resolution}m/flags"][:], flags)
            size = PATCH_PX[resolution]
            counts = (flags & 1 == 0).reshape(2, size, 2, size).sum((1, 3))
            np.testing.assert_array_equal(file[f"r{resolution}m/valid_count"][:], counts)
        assert file.attrs["valid_pixels"] == file["r10m/valid_count"][:].sum()


def test_root_attributes_tell_where_the_scene_comes_from(
    copy_of: Callable[[str], Path], build: Callable[..., Path]
) -> None:
    root = copy_of("05.00")
    with h5py.File(build(root)) as file:
        found = read_attributes(file)
    stem = root.name.removesuffix(".SAFE")
    assert found["products"] == stem
    assert found["digests"] == f"sha256:{stem}"
    assert (found["scene"], found["collection"], found["tile"], found["platform"]) == (SCENE, "s2_l1c", "31TCG", "S2A")
    assert (found["relative_orbit"], found["orbit_direction"], found["level"]) == (51, "DESCENDING", "L1C")
    assert found["sensing_time"] == "2019-04-12T10:56:27.461000Z"
    assert found["generated"] == "2019-04-12T13:08:31.000000Z"
    assert (found["processing_baselines"], found["offset_applied"], found["provider"]) == ("05.00", "-1000", "folder")
    assert (found["cloud_cover"], found["sun_zenith"], found["sun_azimuth"]) == (4.25, 35.5, 152.25)
    assert (found["view_zenith"], found["view_azimuth"]) == (13.0, 0.0)  # azimuths 354° to 6°
    assert found["source"] == "Contains modified Copernicus Sentinel data 2019"


def test_simulated_scene_says_that_nobody_observed_it() -> None:
    def sources(provider: str) -> list[Any]:
        return [SimpleNamespace(fetched={"provider": provider})]

    assert source_text(sources("simulated"), 2019) == "Simulated Sentinel-2 data 2019, no real observation"
    assert source_text(sources("folder"), 2019) == "Contains modified Copernicus Sentinel data 2019"


def test_layout_of_the_scene_file(copy_of: Callable[[str], Path], build: Callable[..., Path]) -> None:
    scene = build(copy_of("02.07"))
    with h5py.File(scene) as file:
        assert list(file) == ["r10m", "r20m", "r60m"]
        assert list(file["r60m"])[:6] == ["y", "x", "spatial_ref", "B01", "B09", "B10"]
        band = file["r20m/B8A"]
        assert (band.dtype, band.chunks, band.compression, band.shuffle) == (np.uint16, (183, 183), "gzip", True)
        assert band.attrs["_FillValue"] == band.fillvalue == 0
        assert "_FillValue" not in file["r20m/flags"].attrs
    with xr.open_dataset(scene, group="r10m", mask_and_scale=False) as data:
        grid = tile_geobox("31TCG", 10, size_px=SIZE_PX)
        assert data.B02.dims == ("y", "x")
        assert (float(data.x[0]), float(data.y[0])) == (grid.affine.c + 5, grid.affine.f - 5)
        assert data.valid_count.dims == ("patch_row", "patch_column")
    with netCDF4.Dataset(scene) as data:
        assert data["r60m/B10"].grid_mapping == "spatial_ref"
        assert data["r60m/flags"].flag_meanings.split()[1] == "opaque_cloud"


def test_gdal_finds_grid_and_fill_value_in_the_scene_file(
    copy_of: Callable[[str], Path], build: Callable[..., Path]
) -> None:
    scene = build(copy_of("02.07"))
    with rasterio.open(f"netcdf:{scene}:/r20m/B05") as dataset:
        assert dataset.crs.to_epsg() == 32631
        assert dataset.transform == tile_geobox("31TCG", 20, size_px=SIZE_PX).affine
        assert dataset.nodata == 0


def test_bytes_do_not_depend_on_threads_or_repetition(
    copy_of: Callable[[str], Path], build: Callable[..., Path]
) -> None:
    root = copy_of("05.00")
    scenes = [build(root, threads=threads, folder=f"run{n}") for n, threads in enumerate((1, 1, 3))]
    assert len({hashlib.sha256(scene.read_bytes()).hexdigest() for scene in scenes}) == 1


def test_zip_gives_the_same_scene_as_the_directory(
    copy_of: Callable[[str], Path], build: Callable[..., Path], tmp_path: Path
) -> None:
    root = copy_of("05.00")
    packed = Path(shutil.make_archive(str(tmp_path / root.stem), "zip", root.parent, root.name))
    assert build(root, folder="a").read_bytes() == build(packed, folder="b").read_bytes()


def test_clouds_reach_the_flags_together_with_nodata(
    l1c: SimpleNamespace, tmp_path: Path, build: Callable[..., Path]
) -> None:
    square = [(0.0, 0.0), (6.0, 0.0), (6.0, 6.0), (0.0, 6.0)]
    root = l1c.write(l1c.Product(clouds=[("CIRRUS", [square])]), tmp_path)
    with h5py.File(build(root)) as file:
        corner = file["r10m/flags"][:7, :7]  # the builder's upper left corner is nodata
    assert np.unique(corner[:6, :6]).tolist() == [FLAGS["nodata"] | FLAGS["cirrus"]]
    assert corner[6, 6] == FLAGS["nodata"]


# --- mosaics ------------------------------------------------------------------------------------------


def split(l1c: SimpleNamespace, folder: Path, **changes: object) -> tuple[Path, Path, dict[str, np.ndarray]]:
    """One acquisition as two products: the second has the left 60 %, the first the right 60 %, differing in values."""
    later = l1c.Product(generated="2019-04-12T15:00:00.000000Z", cloud=10.0, seed=2, **changes)
    earlier = l1c.Product(cloud=1.0, seed=3, sensing="2019-04-12T10:56:20.000000Z")
    parts = []
    for product, window in ((later, slice(0.4, None)), (earlier, slice(None, 0.6))):
        bands = {}
        for band in S2_BANDS:
            dn = l1c.digital_numbers(product, band.name, band.resolution_m)
            width = dn.shape[1]
            keep = slice(*(None if edge is None else int(edge * width) for edge in (window.start, window.stop)))
            bands[band.name] = np.zeros_like(dn)
            bands[band.name][:, keep] = dn[:, keep]
            bands[band.name][-1, keep][-5:] = 7
        parts.append(replace(product, bands=bands))
    roots = [l1c.write(part, folder) for part in parts]
    return roots[0], roots[1], {name: (parts[0].bands[name], parts[1].bands[name]) for name in parts[0].bands}


@pytest.mark.parametrize("offset", [0, -1000])
def test_split_acquisition_becomes_one_scene(
    l1c: SimpleNamespace, tmp_path: Path, build: Callable[..., Path], offset: int
) -> None:
    changes = {"baseline": "05.00", "offsets": dict.fromkeys(range(13), offset)} if offset else {}
    first, second, bands = split(l1c, tmp_path, **changes)
    with h5py.File(build(first, second)) as file:
        for resolution in (10, 20, 60):
            names = [band.name for band in bands_at(resolution)]
            whole = np.all([bands[name][0] != 0 for name in names], axis=0)
            other_whole = np.all([bands[name][1] != 0 for name in names], axis=0)
            for name in names:
                one, other = bands[name]
                expected = np.where(whole, expected_values(one, offset), expected_values(other, 0))
                np.testing.assert_array_equal(file[f"r{resolution}m/{name}"][:], expected)
            nodata = file[f"r{resolution}m/flags"][:] & FLAGS["nodata"] != 0
            np.testing.assert_array_equal(nodata, ~(whole | other_whole))
            if resolution == 10:
                share = whole.sum(), (other_whole & ~whole).sum()
        found = read_attributes(file)
    assert found["products"].split() == [first.stem, second.stem]
    assert found["cloud_cover"] == pytest.approx((10 * share[0] + 1 * share[1]) / sum(share))
    assert found["valid_pixels"] == sum(share)
    assert found["sensing_time"] == "2019-04-12T10:56:20.000000Z"  # the earliest
    assert found["offset_applied"] == (f"{offset} 0" if offset else "0 0")
    assert found["clamped_B02"] == (5 if offset else 0)  # the second product has dark pixels too, but no offset


def test_order_of_products_is_order_of_precedence(
    l1c: SimpleNamespace, tmp_path: Path, build: Callable[..., Path]
) -> None:
    first, second, bands = split(l1c, tmp_path)
    with h5py.File(build(second, first)) as file:
        values = file["r10m/B02"][:]
    one, other = bands["B02"][1], bands["B02"][0]
    np.testing.assert_array_equal(values, np.where(one != 0, one, other))


def test_mosaic_takes_each_pixels_flags_from_its_product(
    l1c: SimpleNamespace, tmp_path: Path, build: Callable[..., Path]
) -> None:
    everywhere = [(0.0, 0.0), (732.0, 0.0), (732.0, 732.0), (0.0, 732.0)]
    first, second, bands = split(l1c, tmp_path, clouds=[("OPAQUE", [everywhere])])
    with h5py.File(build(first, second)) as file:
        flags = file["r10m/flags"][:]
    from_first = np.all([bands[band.name][0] != 0 for band in bands_at(10)], axis=0)
    from_second = np.all([bands[band.name][1] != 0 for band in bands_at(10)], axis=0) & ~from_first
    assert (flags[from_first] & FLAGS["opaque_cloud"] != 0).all()
    assert not (flags[from_second] & FLAGS["opaque_cloud"]).any()


def test_cloud_of_a_scene_without_data_is_the_plain_mean() -> None:
    assert weighted_cloud([10.0, 20.0], [0, 0]) == 15.0
    assert weighted_cloud([10.0, 20.0], [3, 1]) == 12.5


def test_offsets_that_differ_by_band_are_listed() -> None:
    assert offset_text({"B01": -1000, "B02": -1000}) == "-1000"
    assert offset_text({"B01": -1000, "B02": -990}) == "B01:-1000,B02:-990"


# --- bad input ----------------------------------------------------------------------------------------


def refuse(build: Callable[..., Path], root: Path, error: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        build(root)
    assert not list(tmp_path.glob("out/*")), "nothing half-written may stay"
    assert not list(tmp_path.glob("out/.*"))


def band_file(root: Path, band: str) -> Path:
    return next(root.glob(f"GRANULE/*/IMG_DATA/*_{band}.jp2"))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_truncated_band_is_refused(
    copy_of: Callable[[str], Path], build: Callable[..., Path], tmp_path: Path, share: float
) -> None:
    root = copy_of("02.07")
    path = band_file(root, "B11")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refuse(build, root, CorruptFile, r"T31TCG_20190412T105031_B11\.jp2.*Fetch the product again", tmp_path)


def test_band_that_is_whole_in_structure_and_broken_inside_is_refused_or_read(
    copy_of: Callable[[str], Path], build: Callable[..., Path], tmp_path: Path
) -> None:
    """A codestream without its quantisation marker: whole to the walker, useless to the decoder."""
    root = copy_of("02.07")
    path = band_file(root, "B02")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"\xff\x52\x00", b"\xff\x64\x00", 1))  # COD becomes a comment
    refuse(build, root, CorruptFile, r"B02\.jp2", tmp_path)


def test_all_missing_bands_are_named(
    copy_of: Callable[[str], Path], build: Callable[..., Path], tmp_path: Path
) -> None:
    root = copy_of("02.07")
    for band in ("B03", "B8A", "B12"):
        band_file(root, band).unlink()
    refuse(build, root, MissingBand, "3 of 13 bands have no file: B03, B8A, B12", tmp_path)


def test_band_of_wrong_size_is_refused(
    l1c: SimpleNamespace, copy_of: Callable[[str], Path], build: Callable[..., Path], tmp_path: Path
) -> None:
    root = copy_of("02.07")
    l1c.write_raster(band_file(root, "B05"), np.ones((183, 183), np.uint16), 20)
    refuse(build, root, GridMismatch, r"band B05.*183 × 183 px.*expected 366 × 366 px, EPSG:32631", tmp_path)


def test_band_in_wrong_crs_is_refused(
    l1c: SimpleNamespace, copy_of: Callable[[str], Path], build: Callable[..., Path], tmp_path: Path
) -> None:
    root = copy_of("02.07")
    l1c.write_raster(band_file(root, "B05"), np.ones((366, 366), np.uint16), 20, crs="EPSG:32632")
    refuse(build, root, GridMismatch, r"band B05.*EPSG:32632.*expected .*EPSG:32631", tmp_path)


def test_band_shifted_by_half_a_pixel_is_refused(
    l1c: SimpleNamespace, copy_of: Callable[[str], Path], build: Callable[..., Path], tmp_path: Path
) -> None:
    root = copy_of("02.07")
    shifted = tile_geobox("31TCG", 20, size_px=SIZE_PX).affine @ rasterio.Affine.translation(0.5, 0)
    l1c.write_raster(band_file(root, "B05"), np.ones((366, 366), np.uint16), 20, transform=shifted)
    refuse(build, root, GridMismatch, "band B05.*upper left", tmp_path)


def test_band_of_bytes_is_refused(
    l1c: SimpleNamespace, copy_of: Callable[[str], Path], build: Callable[..., Path], tmp_path: Path
) -> None:
    root = copy_of("02.07")
    l1c.write_raster(band_file(root, "B05"), np.ones((366, 366), np.uint8), 20)
    refuse(build, root, CorruptFile, "B05.*1 × uint8; expected 1 × uint16", tmp_path)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_band_without_georeferencing_takes_its_metadatas_and_the_scene_says_so(
    copy_of: Callable[[str], Path], build: Callable[..., Path]
) -> None:
    root = copy_of("02.07")
    path = band_file(root, "B05")
    with rasterio.open(path) as dataset:
        dn, profile = dataset.read(1), dataset.profile
    options = {"QUALITY": "100", "REVERSIBLE": "YES", "GMLJP2": "NO", "GeoJP2": "NO"}
    with rasterio.open(path, "w", **{**profile, "crs": None, "transform": None}, **options) as dataset:
        dataset.write(dn, 1)
    with h5py.File(build(root)) as file:
        assert read_attributes(file)["georeferenced_by_metadata"] == "B05"
        np.testing.assert_array_equal(file["r20m/B05"][:], dn)


@pytest.mark.parametrize(
    ("name", "old", "new", "error", "message"),
    [
        ("MTD_MSIL1C.xml", ">10000<", ">1000<", ProductError, "QUANTIFICATION_VALUE is 1000; expected 10000"),
        ("MTD_MSIL1C.xml", "BASELINE>05.00", "BASELINE>02.07", OffsetError, "expected none before 04.00"),
        ("MTD_TL.xml", "EPSG:32631", "EPSG:32632", GridMismatch, "Tile_Geocoding.*EPSG:32632.*expected.*EPSG:32631"),
        ("MTD_TL.xml", "_T31TCG_", "_T31TDG_", ProductError, "R051_T31TDG; expected S2A_20190412T105031_R051_T31TCG"),
        ("MTD_TL.xml", "</n1:", "</n2:", CorruptFile, "not well-formed"),
    ],
)
def test_contradicting_metadata_are_refused(
    copy_of: Callable[[str], Path],
    build: Callable[..., Path],
    tmp_path: Path,
    name: str,
    old: str,
    new: str,
    error: type[Exception],
    message: str,
) -> None:
    root = copy_of("05.00")
    path = next(root.rglob(name))
    path.write_text(path.read_text().replace(old, new))
    refuse(build, root, error, message, tmp_path)


def test_zip_with_a_climbing_member_is_refused(
    copy_of: Callable[[str], Path], build: Callable[..., Path], tmp_path: Path
) -> None:
    root = copy_of("02.07")
    packed = Path(shutil.make_archive(str(tmp_path / root.stem), "zip", root.parent, root.name))
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr(f"{root.name}/../../../evil.sh", "touch evil")
    refuse(build, packed, CorruptFile, "evil", tmp_path)
    assert not list(tmp_path.rglob("evil*"))


def test_scene_of_another_name_is_refused(copy_of: Callable[[str], Path], build: Callable[..., Path]) -> None:
    with pytest.raises(ProductError, match="belongs to the scene S2A_20190412T105031_R051_T31TCG; expected S2B"):
        build(copy_of("02.07"), name="S2B_20190412T105031_R051_T31TCG")


def test_an_earlier_scene_file_survives_a_failed_run(
    copy_of: Callable[[str], Path], build: Callable[..., Path], tmp_path: Path
) -> None:
    root = copy_of("02.07")
    before = build(root).read_bytes()
    band_file(root, "B12").unlink()
    shutil.rmtree(tmp_path / "archive_out")
    with pytest.raises(MissingBand):
        build(root)
    assert (tmp_path / "out" / f"{SCENE}.nc").read_bytes() == before


def test_step_imports_nothing_heavy() -> None:
    """A scene is one short process: what it does not need it must not load."""
    code = "import sys, cropstack.scenes.read_s2; print(*sorted(m for m in sys.modules if '.' not in m))"
    command = [sys.executable, "-c", f"snakemake = None; {code}"]
    loaded = set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    assert not loaded & {"pandas", "xarray", "geopandas", "scipy", "netCDF4", "matplotlib", "numba", "pyarrow", "torch"}


# --- real products ------------------------------------------------------------------------------------


def read_real(path: Path, tile: str, scene: str, tmp_path: Path) -> Path:
    fetched = tmp_path / "product.fetched.json"
    write_json(fetched, {"path": str(path), "provider": "folder", "digest": "sha256:0"})
    target = tmp_path / "out" / f"{scene}.nc"
    read_s2([fetched], target, tile=tile, size_px=10980, threads=1)
    return target


def test_gdals_own_test_product_reads_as_thirteen_bands_of_nodata(realdata: Path, tmp_path: Path) -> None:
    """Full-size stand-ins, sparse TIFF under the name of JPEG 2000; offset -1000, which nodata does not take."""
    root = next((realdata / "s2_safe_metadata/gdal-autotest").glob("fake_l1c_processing*/*.SAFE"))
    with h5py.File(read_real(root, "34UCF", "S2B_20230823T095559_R122_T34UCF", tmp_path)) as file:
        found = read_attributes(file)
        assert found["offset_applied"] == "-1000"
        assert found["valid_pixels"] == 0
        assert found["cloud_cover"] == 3.34127623995939
        assert np.isnan(found["sun_zenith"])
        for band in S2_BANDS:
            variable = file[f"r{band.resolution_m}m/{band.name}"]
            assert variable.shape == (109800 // band.resolution_m,) * 2
            assert variable.id.get_num_chunks() == 900
            assert not variable[:: variable.chunks[0]].any()
        assert (file["r60m/flags"][:] == FLAGS["nodata"]).all()


@pytest.mark.parametrize(
    ("pattern", "tile", "scene", "error", "message"),
    [
        (
            "eo-datasets/s2_null_granule/*.zip",
            "56JMM",
            "S2A_20180629T000241_R030_T56JMM",
            GridMismatch,
            r"band B01 .*is 73 × 73 px.*expected 1830 × 1830 px, EPSG:32756",
        ),
        (
            "eo-datasets/wagl-input/*.zip",
            "53JQJ",
            "S2A_20201031T004711_R102_T53JQJ",
            GridMismatch,
            r"band B01 .*expected 1830 × 1830 px, EPSG:32753",
        ),
        (
            "eodag/S2A_MSIL1C_20180101T105441*",
            "31TDH",
            "S2A_20180101T105441_R051_T31TDH",
            MissingBand,
            "12 of 13 bands have no file: B02, B03, B04, B05, B06, B07, B08, B8A, B09, B10, B11, B12",
        ),
        (
            "stactools/S2A_MSIL1C_20200717*",
            "01LAC",
            "S2A_20200717T221941_R029_T01LAC",
            MissingBand,
            "13 of 13 bands have no file: B01, .*, B12",
        ),
        (
            "stactools/S2A_MSIL1C_20210908*",
            "46RER",
            "S2A_20210908T042701_R133_T46RER",
            MissingBand,
            "13 of 13 bands have no file: B01, .*, B12",
        ),
    ],
)
def test_incomplete_real_product_is_refused(
    realdata: Path, tmp_path: Path, pattern: str, tile: str, scene: str, error: type[Exception], message: str
) -> None:
    path = next((realdata / "s2_safe_metadata").glob(pattern))
    with pytest.raises(error, match=message):
        read_real(path, tile, scene, tmp_path)
    assert not (tmp_path / "out").exists()


def test_real_band_equals_gdals_reading(realdata: Path, tmp_path: Path) -> None:
    from cropstack.safe import open_safe, read_l1c
    from cropstack.scenes.images import read_band

    root = next((realdata / "s2_safe_metadata/eodag").glob("S2A_MSIL1C_20180101*"))
    values = np.empty((1830, 1830), np.uint16)
    with open_safe(root) as files:
        metadata = read_l1c(files)
        read_band(files, metadata.band_files["B01"], values)
        source = root / metadata.band_files["B01"]
    raw = tmp_path / "B01.raw"
    subprocess.run(["gdal_translate", "-q", "-of", "ENVI", str(source), str(raw)], check=True)
    np.testing.assert_array_equal(values, np.fromfile(raw, np.uint16).reshape(1830, 1830))
    assert (values.min(), values.max()) == (0, 15466)
