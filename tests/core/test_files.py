import csv
import errno
import gzip
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import odc.geo.xr  # noqa: F401 (the .odc accessor)
import pytest
import rasterio
import xarray

from cropstack.errors import ConfigError, CropstackError, LedgerRow
from cropstack.files import (
    add_bare_dimension,
    add_dimension,
    add_group,
    add_variable,
    copy_chunk,
    create_from_image,
    create_netcdf,
    netcdf_image,
    read_chunk,
    read_chunks,
    read_csv,
    read_json,
    read_ledger,
    replace_on_success,
    sha256,
    write_chunks,
    write_csv,
    write_json,
    write_ledger,
    write_text,
)
from cropstack.grid import crs_attributes, patch_geobox, pixel_centres, tile_geobox

# --- atomic replacement -------------------------------------------------------------------------------


def test_a_file_appears_under_its_name_only_when_complete(tmp_path: Path) -> None:
    with replace_on_success(tmp_path / "deep/er/table.csv") as temporary:
        temporary.write_text("half")
        assert not (tmp_path / "deep/er/table.csv").exists()
    assert os.listdir(tmp_path / "deep/er") == ["table.csv"]


def test_an_error_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="halfway"), replace_on_success(path) as temporary:  # noqa: PT012
        temporary.write_text("new, half")
        raise RuntimeError("halfway")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["table.csv"]


def test_an_error_leaves_the_old_folder_and_no_temporary(tmp_path: Path) -> None:
    (tmp_path / "patches").mkdir()
    (tmp_path / "patches/old.nc").touch()
    with pytest.raises(KeyboardInterrupt), replace_on_success(tmp_path / "patches") as temporary:  # noqa: PT012
        temporary.mkdir()
        (temporary / "new.nc").touch()
        raise KeyboardInterrupt
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")] == ["patches", "patches/old.nc"]


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    for name in ("first.nc", "second.nc"):
        with replace_on_success(tmp_path / "patches") as temporary:
            temporary.mkdir()
            (temporary / name).touch()
    assert os.listdir(tmp_path / "patches") == ["second.nc"]


def test_what_a_killed_run_left_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".tmp-patches").mkdir()
    (tmp_path / ".tmp-patches/torn.nc").touch()
    with replace_on_success(tmp_path / "patches") as temporary:
        temporary.mkdir()
        (temporary / "whole.nc").touch()
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")] == ["patches", "patches/whole.nc"]


def test_an_unreadable_input_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.jp2"), replace_on_success(tmp_path / "scene.nc"):
        (tmp_path / "missing.jp2").read_bytes()
    denied = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "input.jp2"))
    with pytest.raises(PermissionError), replace_on_success(tmp_path / "scene.nc"):
        raise denied


def test_a_disk_that_refuses_names_the_file_and_the_free_space(tmp_path: Path) -> None:
    with pytest.raises(CropstackError, match=r"scene\.nc: could not be written \(Read-only.*\d MB free"):
        with replace_on_success(tmp_path / "scene.nc"):
            raise OSError(errno.EROFS, "Read-only file system")


def write_too_much_text(disk: Path) -> None:
    write_text(disk / "table.csv", "x" * 4_000_000)


def write_too_large_a_scene(disk: Path) -> None:
    write_grid(disk / "scene.nc", np.random.default_rng(1).integers(0, 65535, (1220, 1220), "u2"))


def write_too_many_patches(disk: Path) -> None:
    with replace_on_success(disk / "patches") as temporary:
        temporary.mkdir()
        for number in range(9):
            (temporary / f"{number}.nc").write_bytes(bytes(1_000_000))


@pytest.mark.parametrize("write", [write_too_much_text, write_too_large_a_scene, write_too_many_patches])
def test_a_full_disk_is_named_and_nothing_is_left_half_written(small_disk: Path, write: Callable[[Path], None]) -> None:
    (small_disk / "table.csv").write_text("old")
    with pytest.raises(CropstackError, match=r"could not be written \(No space.*free on its disk\. Make room"):
        write(small_disk)
    assert (small_disk / "table.csv").read_text() == "old"
    assert os.listdir(small_disk) == ["table.csv"]


# --- plain files --------------------------------------------------------------------------------------


def test_json_keeps_order_and_accents_and_refuses_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": "Blé", "a": [1, None]})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n "b": "Blé",\n "a": [\n  1,\n  null\n ]\n}\n'
    assert read_json(tmp_path / "a.json") == {"b": "Blé", "a": [1, None]}
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "b.json", {"cloud": float("nan")})
    assert not (tmp_path / "b.json").exists()


def test_broken_json_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "torn.json").write_text('{"a": ')
    with pytest.raises(CropstackError, match=r"torn\.json: not readable as JSON"):
        read_json(tmp_path / "torn.json")


def test_a_csv_is_quoted_where_it_must_be(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ["code", "name"], [["BTH", "Blé tendre, hiver"], ["8", 'say "x"']])
    assert (tmp_path / "a.csv").read_bytes() == 'code,name\nBTH,"Blé tendre, hiver"\n8,"say ""x"""\n'.encode()


def test_a_gzipped_csv_holds_neither_name_nor_time(tmp_path: Path) -> None:
    write_csv(tmp_path / "one.csv.gz", ["a"], [[1]])
    write_csv(tmp_path / "two.csv.gz", ["a"], [[1]])
    data = (tmp_path / "one.csv.gz").read_bytes()
    assert data == (tmp_path / "two.csv.gz").read_bytes()
    assert data[3] & 8 == 0, "the FNAME flag of RFC 1952"
    assert data[4:8] == b"\0\0\0\0", "MTIME of RFC 1952"
    assert gzip.decompress(data) == b"a\n1\n"


def test_rows_of_a_csv_come_back_as_text(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ["name", "pixels"], [["Blé, dur", 3], ["", 0]])
    assert read_csv(tmp_path / "t.csv", ["pixels"]) == [
        {"name": "Blé, dur", "pixels": "3"},
        {"name": "", "pixels": "0"},
    ]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"tile\ncaf\xe9\n", "is no CSV in UTF-8"),
        (b"tile\n31TCG\n", "has no column year; expected a lock"),
        (b"", "has no column tile; expected a lock"),
        (b"tile,year\n31TCG,2019\n31TCG\n", "row 3 has not the 2 columns of the header; expected a lock"),
        (b"tile,year\n31TCG,2019,2020\n", "row 2 has not the 2 columns of the header; expected a lock"),
    ],
)
def test_a_csv_that_is_not_what_it_should_be_is_named(tmp_path: Path, table: bytes, message: str) -> None:
    (tmp_path / "t.csv").write_bytes(table)
    with pytest.raises(ConfigError, match=rf"t\.csv: {message}"):
        read_csv(tmp_path / "t.csv", ["tile", "year"], expected="a lock.")


def test_a_ledger_is_sorted_and_comes_back(tmp_path: Path) -> None:
    rows = [
        LedgerRow("9", "harmonise_parcels", "rejected", "duplicate", "same as 4"),
        LedgerRow("10", "a", "b", "c", "d"),
    ]
    write_ledger(tmp_path / "ledger.csv", rows)
    assert read_ledger(tmp_path / "ledger.csv") == rows[::-1]
    with open(tmp_path / "ledger.csv", newline="") as handle:
        assert next(csv.reader(handle)) == ["unit", "stage", "action", "reason", "evidence"]


def test_sha256_equals_coreutils(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"abc" * 100_000)
    said = subprocess.run(["sha256sum", tmp_path / "data"], capture_output=True, text=True, check=True).stdout
    assert sha256(tmp_path / "data") == said.split()[0]


# --- HDF5 that is also netCDF-4 -----------------------------------------------------------------------

PATCH = patch_geobox(tile_geobox("31TCG", 10), 1, 2)  # 366 × 366 px; upper left corner (307320, 4696380)


def write_grid(path: Path, values: np.ndarray, *, threads: int = 1) -> None:
    """A file as scenes and patches are: a group with coordinates, CRS, a filled variable and an unfilled flag."""
    with create_netcdf(path, {"Conventions": "CF-1.8", "title": "Blé"}) as file:
        group = add_group(file, "r10m", {"note": ""})
        height, width = values.shape
        x, y = pixel_centres(PATCH.expand((height, width)))
        add_dimension(group, "y", y, {"standard_name": "projection_y_coordinate", "units": "m"})
        add_dimension(group, "x", x, {"standard_name": "projection_x_coordinate", "units": "m"})
        add_variable(group, "spatial_ref", (), "i4", crs_attributes(PATCH), data=np.int32(0))
        band = add_variable(
            group, "B02", ("y", "x"), "u2", {"grid_mapping": "spatial_ref", "units": "1e-4"}, chunks=(61, 61), fill=0
        )
        write_chunks(band, values, threads=threads)
        add_bare_dimension(group, "patch", 4)
        add_variable(group, "count", ("patch",), "u4", {"flag": np.uint8(3)}, data=np.arange(4, dtype="u4"))


@pytest.fixture
def values() -> np.ndarray:
    """Reflectance × 10 000 with a nodata corner."""
    values = np.random.default_rng(7).integers(1, 4000, (366, 366)).astype("u2")
    values[:50, :70] = 0
    return values


def test_two_writes_across_a_second_give_the_same_bytes(tmp_path: Path, values: np.ndarray) -> None:
    write_grid(tmp_path / "a.nc", values)
    start = int(time.time())
    while int(time.time()) == start:
        time.sleep(0.05)
    write_grid(tmp_path / "other.nc", values, threads=2)
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "other.nc").read_bytes()


def test_h5py_reads_dimensions_fill_and_values(tmp_path: Path, values: np.ndarray) -> None:
    write_grid(tmp_path / "a.nc", values)
    with h5py.File(tmp_path / "a.nc") as file:
        band = file["r10m/B02"]
        assert [band.dims[axis][0].name for axis in (0, 1)] == ["/r10m/y", "/r10m/x"]
        assert (band.fillvalue, band.attrs["_FillValue"].tolist(), band.dtype) == (0, [0], np.dtype("u2"))
        assert (band.shuffle, band.compression, band.chunks) == (True, "gzip", (61, 61))
        np.testing.assert_array_equal(band[:], values)


def test_netcdf4_reads_dimensions_fill_and_values(tmp_path: Path, values: np.ndarray) -> None:
    write_grid(tmp_path / "a.nc", values)
    with netCDF4.Dataset(tmp_path / "a.nc") as file:
        assert (file.data_model, file.Conventions, file.title) == ("NETCDF4", "CF-1.8", "Blé")
        group = file["r10m"]
        assert {name: len(dimension) for name, dimension in group.dimensions.items()} == {
            "y": 366,
            "x": 366,
            "patch": 4,
        }
        assert list(group.variables) == ["y", "x", "spatial_ref", "B02", "count"], "the bare dimension is no variable"
        assert group["B02"].dimensions == ("y", "x")
        assert group["B02"][:].mask.sum() == 50 * 70, "fill values are masked"
        np.testing.assert_array_equal(group["B02"][:].filled(), values)
        assert (group["count"][:].tolist(), group["count"].flag) == ([0, 1, 2, 3], 3)


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf"])
def test_xarray_reads_coordinates_crs_and_values(tmp_path: Path, values: np.ndarray, engine: str) -> None:
    write_grid(tmp_path / "a.nc", values)
    with xarray.open_dataset(tmp_path / "a.nc", group="r10m", engine=engine, decode_coords="all") as data:
        assert dict(data.sizes) == {"y": 366, "x": 366, "patch": 4}
        assert (float(data.x[0]), float(data.y[0]), float(data.y[1])) == (307325.0, 4696375.0, 4696365.0)
        assert data.spatial_ref.attrs["grid_mapping_name"] == "transverse_mercator"
        assert int(data.B02.isnull().sum()) == 50 * 70
        np.testing.assert_array_equal(data.B02.fillna(0), values)
        assert data.B02.odc.crs.epsg == 32631


def test_gdal_reads_crs_transform_fill_and_values(tmp_path: Path, values: np.ndarray) -> None:
    write_grid(tmp_path / "a.nc", values)
    name = f'NETCDF:"{tmp_path}/a.nc":/r10m/B02'
    said = subprocess.run(["gdalinfo", "-json", "-checksum", name], capture_output=True, text=True, check=True).stdout
    info = json.loads(said)
    assert info["size"] == [366, 366]
    assert info["geoTransform"] == [307320.0, 10.0, 0.0, 4696380.0, 0.0, -10.0]
    assert 'ID["EPSG",32631]' in info["coordinateSystem"]["wkt"]
    assert (info["bands"][0]["type"], info["bands"][0]["noDataValue"]) == ("UInt16", 0.0)
    subprocess.run(["gdal_translate", "-q", name, tmp_path / "a.tif"], check=True)
    with rasterio.open(tmp_path / "a.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1), values)


@pytest.mark.parametrize("dtype", ["u1", "u2", "<i4", "f4", "i8"])
def test_our_chunks_decode_through_the_filters_of_hdf5(tmp_path: Path, dtype: str) -> None:
    array = np.random.default_rng(3).integers(0, 100, (6, 8)).astype(dtype)
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        storage = {"chunks": (3, 4), "shuffle": True, "compression": "gzip", "compression_opts": 1}
        file.create_dataset("whole", data=array, **storage)
        direct = file.create_dataset("direct", shape=array.shape, dtype=dtype, **storage)
        write_chunks(direct, array)
        assert direct.id.get_num_chunks() == 4
        np.testing.assert_array_equal(direct[:], file["whole"][:])
        np.testing.assert_array_equal(direct[:], array)


def test_chunks_that_would_be_garbled_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        variable = file.create_dataset("v", shape=(6, 8), dtype="u2", chunks=(3, 4), shuffle=True, compression="gzip")
        with pytest.raises(ValueError, match="got int64"):
            write_chunks(variable, np.zeros((6, 8), "i8"))
        with pytest.raises(ValueError, match=r"got uint16 \(5, 8\); expected uint16 \(6, 8\)"):
            write_chunks(variable, np.zeros((5, 8), "u2"))
        torn = file.create_dataset("torn", shape=(5, 8), dtype="u2", chunks=(3, 4), shuffle=True, compression="gzip")
        with pytest.raises(ValueError, match="chunks"):
            write_chunks(torn, np.zeros((5, 8), "u2"))


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i4", "f4", "i8"])
def test_chunks_are_read_as_hdf5_reads_them(tmp_path: Path, dtype: str) -> None:
    array = np.random.default_rng(3).integers(0, 100, (6, 8)).astype(dtype)
    with create_netcdf(tmp_path / "a.nc", {}) as file:
        for name, size in (("y", 6), ("x", 8)):
            add_dimension(file, name, np.arange(size, dtype="f8"))
        write_chunks(add_variable(file, "whole", ("y", "x"), dtype, chunks=(3, 4), fill=7), array)
        half = add_variable(file, "half", ("y", "x"), dtype, chunks=(3, 4), fill=7)
        half[:3] = array[:3]  # by the HDF5 filters; the lower chunks are never written
        plain = file.create_dataset("plain", data=array, chunks=(3, 4))
        for variable in (file["whole"], half, plain):
            np.testing.assert_array_equal(read_chunks(variable), variable[...])
            np.testing.assert_array_equal(read_chunk(variable, (3, 4)), variable[3:6, 4:8])
        assert read_chunks(half)[3:].tolist() == [[7] * 8] * 3
        assert read_chunks(half).dtype == np.dtype(dtype)


def test_a_chunk_is_copied_without_decoding(tmp_path: Path, values: np.ndarray) -> None:
    write_grid(tmp_path / "a.nc", values)
    with h5py.File(tmp_path / "a.nc") as source, create_netcdf(tmp_path / "patch.nc", {}) as file:
        for name, size in (("time", 2), ("y", 61), ("x", 61)):
            add_dimension(file, name, np.arange(size, dtype="f8"))
        target = add_variable(file, "B02", ("time", "y", "x"), "u2", chunks=(1, 61, 61), fill=0)
        copy_chunk(source["r10m/B02"], (61, 122), target, (1, 0, 0))
        assert target.id.read_direct_chunk((1, 0, 0)) == source["r10m/B02"].id.read_direct_chunk((61, 122))
    with netCDF4.Dataset(tmp_path / "patch.nc") as patch:
        np.testing.assert_array_equal(patch["B02"][1].filled(), values[61:122, 122:183])
        assert patch["B02"][0].mask.all(), "an unwritten date is fill"


def test_a_file_from_an_image_equals_one_written_whole(tmp_path: Path) -> None:
    def build(file: h5py.File) -> None:
        add_dimension(file, "x", np.arange(3.0))
        add_variable(file, "v", ("x",), "u2", data=np.arange(3, dtype="u2"))

    image = netcdf_image(build)
    for name in ("a.nc", "b.nc"):
        with create_from_image(tmp_path / name, image) as file:
            file["v"][1] = 9
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()
    with netCDF4.Dataset(tmp_path / "a.nc") as file:
        assert file["v"][:].tolist() == [0, 9, 2]
