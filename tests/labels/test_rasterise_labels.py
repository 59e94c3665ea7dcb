"""Label rasters: GDAL's pixel-centre rule, a stated order, values that netCDF readers open."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import h5py
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
import xarray

from cropstack.errors import DeclarationError
from cropstack.grid import tile_geobox
from cropstack.labels.burn import parcels_on
from cropstack.labels.rasterise_labels import rasterise_labels

CLC = Path(__file__).parents[2] / "taxonomy/clc.csv"
LEFT, TOP = 600_000, 5_000_040  # upper left corner of 31TFK


def box(column: float, row: float, width: float, height: float) -> shapely.Polygon:
    """A rectangle in pixels at 10 m from the tile's upper left corner."""
    left, top = LEFT + 10 * column, TOP - 10 * row
    return shapely.box(left, top - 10 * height, left + 10 * width, top)


def rasterise(parcels: Path, labels: Path, *corine: Path, tile: str = "31TFK", corine_year: int | None = None) -> None:
    rasterise_labels(parcels, list(corine), CLC, labels, tile=tile, year=2020, size_px=732, corine_year=corine_year)


def rasterised(country: Any, rows: Sequence[tuple[str, str, shapely.Geometry]]) -> Path:
    declared = country.declare([{"ID": one, "CULTIU": crop, "geometry": geometry} for one, crop, geometry in rows])
    country.harmonise(declared)
    path: Path = country.folder / "labels.nc"
    rasterise(country.folder / "parcels.parquet", path)
    return path


def test_a_pixel_belongs_to_the_parcel_that_holds_its_centre(country: Any) -> None:
    rows = [("1", "ORDI", box(0, 0, 2.4, 1.6)), ("2", "BLAT TOU", box(2.4, 0, 2, 1.6))]
    with h5py.File(rasterised(country, rows)) as file:
        assert file["r10m/labels"][:3, :5].tolist() == [[150, 150, 110, 110, 0], [150, 150, 110, 110, 0], [0] * 5]
        assert file["r10m/parcels"][:3, :5].tolist() == [[1, 1, 2, 2, 0], [1, 1, 2, 2, 0], [0] * 5]
        assert file["r20m/labels"][0, :3].tolist() == [150, 110, 0]
        assert file["r60m/labels"][0, 0] == 0  # the centre of 60 m lies 30 m below the edge


def test_the_smaller_parcel_lies_on_top_and_holes_are_background(country: Any) -> None:
    large = box(0, 0, 6, 6) - box(4, 4, 1, 1)
    with h5py.File(rasterised(country, [("1", "BLAT TOU", box(1, 1, 2, 2)), ("2", "ORDI", large)])) as file:
        expected = np.full((6, 6), 150)
        expected[1:3, 1:3], expected[4, 4] = 110, 0
        assert file["r10m/labels"][:6, :6].tolist() == expected.tolist()


def test_of_two_equal_parcels_the_higher_index_lies_on_top(country: Any) -> None:
    with h5py.File(rasterised(country, [("1", "ORDI", box(0, 0, 3, 3)), ("2", "BLAT TOU", box(0, 0, 3, 3))])) as file:
        assert set(np.unique(file["r10m/parcels"][:3, :3])) == {2}


def test_an_unknown_crop_is_998_and_not_background(country: Any) -> None:
    rows = [("1", "ORDI", box(0, 0, 50, 50)), ("2", "XXX", box(60, 0, 2, 2))]
    with h5py.File(rasterised(country, rows)) as file:
        assert file["r10m/labels"][0, 60] == 998


def test_files_open_with_crs_types_and_provenance(country: Any) -> None:
    path = rasterised(country, [("1", "ORDI", box(0, 0, 50, 50))])
    for group, size, chunk in (("r10m", 732, 366), ("r20m", 366, 183), ("r60m", 122, 61)):
        with xarray.open_dataset(path, group=group, engine="h5netcdf") as data:
            assert (str(data["labels"].dtype), str(data["parcels"].dtype)) == ("uint32", "int64")
            assert data["labels"].shape == (size, size)
            assert data["labels"].encoding["chunksizes"] == (chunk, chunk)
            assert "_FillValue" not in data["labels"].encoding
        with rasterio.open(f'netcdf:"{path}":/{group}/labels') as raster:
            assert raster.crs.to_epsg() == 32631
            assert (raster.bounds.left, raster.bounds.top) == (LEFT, TOP)
    with h5py.File(path) as file:
        attributes = dict(file.attrs)
        assert (attributes["tile"], attributes["attribution"], attributes["year"]) == (b"31TFK", b"DUN 2020", 2020)


def test_two_runs_give_the_same_bytes(country: Any) -> None:
    rows = [("1", "ORDI", box(0, 0, 50, 50))]
    assert rasterised(country, rows).read_bytes() == rasterised(country, rows).read_bytes()


def test_tile_without_any_parcel(country: Any, square: Any, tmp_path: Path) -> None:
    country.harmonise(country.declare([{"ID": "1", "CULTIU": "ORDI", "geometry": square(0, 0)}]))
    with pytest.raises(DeclarationError, match="no parcel lies on tile 31TCG"):
        rasterise(country.folder / "parcels.parquet", tmp_path / "x.nc", tile="31TCG")
    assert not (tmp_path / "x.nc").exists()


@pytest.mark.skipif(shutil.which("gdal_rasterize") is None, reason="gdal_rasterize (package gdal-bin) is not installed")
@pytest.mark.parametrize("crs", ["EPSG:32631", "EPSG:2154"])
def test_rasters_equal_gdal_rasterize(country: Any, tmp_path: Path, crs: str) -> None:
    """Some 300 irregular, overlapping polygons, also beyond the tile's edges and in another CRS."""
    random = np.random.default_rng(5)
    rows = []
    for number in range(300):
        centre = np.array([LEFT, TOP]) + [1, -1] * random.uniform(-200, 7_500, 2)
        angles = np.sort(random.uniform(0, 2 * np.pi, 9))
        radius = random.uniform(30, 300) * random.uniform(0.5, 1, 9)
        outline = shapely.Polygon(centre + np.column_stack([np.cos(angles), np.sin(angles)]) * radius[:, None])
        rows.append({"ID": str(number), "CULTIU": ("ORDI", "BLAT TOU", "ARRÒS")[number % 3], "geometry": outline})
    shapes = gpd.GeoSeries([row["geometry"] for row in rows], crs="EPSG:32631").to_crs(crs)
    country.edition["crs"] = crs
    declared = [row | {"geometry": shape} for row, shape in zip(rows, shapes, strict=True)]
    country.harmonise(country.declare(declared, crs=crs))
    rasterise(country.folder / "parcels.parquet", tmp_path / "labels.nc")
    parcels = gpd.read_parquet(country.folder / "parcels.parquet")
    assert len(parcels) > 290
    drawn = parcels_on(parcels, tile_geobox("31TFK", 10, size_px=732))
    pyogrio.write_dataframe(drawn[["parcel_index", "class_code", "geometry"]], tmp_path / "drawn.gpkg")
    for resolution in (10, 20, 60):
        for variable, column in (("labels", "class_code"), ("parcels", "parcel_index")):
            expected = gdal_rasterize(tmp_path / "drawn.gpkg", column, resolution, tmp_path / "out.tif")
            with h5py.File(tmp_path / "labels.nc") as file:
                np.testing.assert_array_equal(file[f"r{resolution}m/{variable}"], expected)


def gdal_rasterize(vector: Path, column: str, resolution: int, out: Path) -> np.ndarray:
    extent = [str(value) for value in (LEFT, TOP - 7_320, LEFT + 7_320, TOP)]
    size = ["-te", *extent, "-tr", str(resolution), str(resolution)]
    command = ["gdal_rasterize", "-q", "-a", column, "-ot", "Int32", "-init", "0", *size, str(vector), str(out)]
    out.unlink(missing_ok=True)
    subprocess.run(command, check=True)
    with rasterio.open(out) as raster:
        return np.asarray(raster.read(1))
