"""CORINE Land Cover outside parcels: its four classes, as GDAL draws it, and files that cannot be it."""

import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import geopandas as gpd
import h5py
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from pyproj import Transformer
from rasterio.shutil import copy

from cropstack.errors import BackgroundError, ConfigError
from cropstack.grid import tile_geobox
from cropstack.labels.background import land_cover, read_clc_legend
from cropstack.labels.rasterise_labels import rasterise_labels
from cropstack.legend import read_classes

TAXONOMY = Path(__file__).parents[2] / "taxonomy"
CLC = TAXONOMY / "clc.csv"
LEGEND = read_clc_legend(CLC)
TILE, SIZE_PX = "31TFK", 366
GRID = tile_geobox(TILE, 10, size_px=SIZE_PX)
LEFT, BOTTOM, RIGHT, TOP = GRID.extent.boundingbox.bbox
needs_gdal = pytest.mark.skipif(shutil.which("gdalwarp") is None, reason="GDAL's commands (gdal-bin) are not installed")

# --- the table --------------------------------------------------------------------------------------------


def test_four_classes_of_the_taxonomy_come_from_corine() -> None:
    classes = read_classes(TAXONOMY / "classes.csv")
    assert {code for code in LEGEND.classes.values() if code} == {
        c for c, crop in classes.items() if crop.source == "CLC"
    }
    names = {code: classes[LEGEND.classes[code]].name for code in (142, 313, 422, 523)}
    assert names == {142: "Artificial Surfaces", 313: "Forest", 422: "Wetlands", 523: "Water bodies"}
    assert [LEGEND.classes[code] for code in (211, 231, 244, 321, 324, 332, 335)] == [
        0
    ] * 7  # farmland, scrub, rock, ice


def test_the_44_classes_are_those_of_the_published_legend(realdata: Path) -> None:
    rows = np.genfromtxt(realdata / "grids/clc/clc_legend.csv", delimiter=",", skip_header=1, usecols=(0, 1), dtype=int)
    published = {str(grid): code for grid, code in rows.tolist()} | {str(code): code for _, code in rows.tolist()}
    assert len(rows) == 44
    assert published.items() <= LEGEND.codes.items()


def test_a_word_for_a_number_in_the_table(tmp_path: Path) -> None:
    (tmp_path / "clc.csv").write_text("code,grid_code,name,class_code\n111,one,Towns,971\n")
    with pytest.raises(ConfigError, match="expected whole numbers in code, grid_code and class_code"):
        read_clc_legend(tmp_path / "clc.csv")


# --- as GDAL draws it ---------------------------------------------------------------------------------


def write_raster(path: Path, values: np.ndarray, *, crs: str | None = "EPSG:3035", nodata: int | None = None) -> Path:
    """Cells of 100 m from 500 m outside the tile's corner, in the CRS of CORINE whatever `crs` says."""
    to_laea = Transformer.from_crs("EPSG:32631", "EPSG:3035", always_xy=True)
    left, _, _, top = to_laea.transform_bounds(LEFT, BOTTOM, RIGHT, TOP)
    transform = Affine(100, 0, left // 100 * 100 - 500, 0, -100, top // 100 * 100 + 500)
    profile = {"driver": "GTiff", "height": values.shape[0], "width": values.shape[1], "count": 1, "nodata": nodata}
    with rasterio.open(path, "w", dtype=values.dtype, crs=crs, transform=transform, **profile) as file:
        file.write(values, 1)
    return path


def metres_from_a_cells_edge(file: Path, column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Distance of pixel centres of the tile to the nearest edge between cells of a raster."""
    to_laea = Transformer.from_crs("EPSG:32631", "EPSG:3035", always_xy=True)
    x, y = to_laea.transform(LEFT + 10 * column + 5, TOP - 10 * row - 5)
    with rasterio.open(file) as raster:
        across, down = ~raster.transform * (np.asarray(x), np.asarray(y))
    return 100 * np.minimum(abs(across - np.round(across)), abs(down - np.round(down)))


@needs_gdal
def test_raster_equals_gdalwarp(tmp_path: Path) -> None:
    """Numbers 1 to 44 with a missing strip, on UTM pixels that lie askew to CORINE's."""
    values = np.random.default_rng(2).integers(1, 45, (60, 60)).astype("u1")
    values[:, 20:23] = 128
    file = write_raster(tmp_path / "clc.tif", values, nodata=128)
    extent = [str(value) for value in (LEFT, BOTTOM, RIGHT, TOP)]
    command = ["gdalwarp", "-q", "-r", "near", "-et", "0", "-t_srs", "EPSG:32631", "-te", *extent, "-tr", "10", "10"]
    subprocess.run([*command, "-dstnodata", "0", str(file), str(tmp_path / "out.tif")], check=True)
    with rasterio.open(tmp_path / "out.tif") as raster:
        numbers = raster.read(1)
    expected = np.array([0, *(LEGEND.codes[str(number)] for number in range(1, 45))])[numbers]
    found = land_cover(file, LEGEND, year=2018, grid=GRID)
    y, x = np.nonzero(found != expected)
    assert len(y) < 50
    assert metres_from_a_cells_edge(file, x, y).max(initial=0) < 0.05  # there centimetres decide
    assert 0 < np.count_nonzero(found == 0) < found.size


def test_raster_of_three_digit_codes_is_read_as_well(tmp_path: Path) -> None:
    numbers = np.random.default_rng(2).integers(1, 45, (60, 60)).astype("u2")
    codes = np.vectorize(lambda number: LEGEND.codes[str(number)])(numbers).astype("u2")
    files = [write_raster(tmp_path / f"{name}.tif", values) for name, values in (("a", numbers), ("b", codes))]
    first, second = (land_cover(file, LEGEND, year=2012, grid=GRID) for file in files)
    np.testing.assert_array_equal(first, second)


def write_polygons(
    path: Path, column: str = "Code_18", codes: tuple[Any, ...] = ("112", "311", "411", "512"), **kind: Any
) -> Path:
    """Irregular land cover around the tile, in CORINE's CRS: the cells of 40 random points."""
    random = np.random.default_rng(9)
    points = shapely.multipoints(random.uniform([LEFT - 500, BOTTOM - 500], [RIGHT + 500, TOP + 500], (40, 2)))
    cells = [*shapely.voronoi_polygons(points).geoms]
    values = [codes[number % len(codes)] for number in range(len(cells))]
    frame = gpd.GeoDataFrame({column: values}, geometry=cells, crs="EPSG:32631").to_crs("EPSG:3035")
    pyogrio.write_dataframe(frame, path, **kind)
    return path


@needs_gdal
@pytest.mark.parametrize("name", ["clc.gpkg", "clc.shp"])
def test_polygons_equal_gdal_rasterize(tmp_path: Path, name: str) -> None:
    file = write_polygons(tmp_path / name)
    subprocess.run(["ogr2ogr", "-t_srs", "EPSG:32631", tmp_path / "utm.gpkg", file], check=True)
    extent = [str(value) for value in (LEFT, BOTTOM, RIGHT, TOP)]
    command = ["gdal_rasterize", "-q", "-a", "Code_18", "-ot", "UInt16", "-te", *extent, "-tr", "10", "10"]
    subprocess.run([*command, str(tmp_path / "utm.gpkg"), str(tmp_path / "out.tif")], check=True)
    with rasterio.open(tmp_path / "out.tif") as raster:
        np.testing.assert_array_equal(land_cover(file, LEGEND, year=2018, grid=GRID), raster.read(1))


# --- in the label file --------------------------------------------------------------------------------


def labelled(country: Any, corine: Path) -> Path:
    """One parcel of 30 × 30 pixels in the middle of a tile of one patch; CORINE of 2018 around it."""
    middle = shapely.box(LEFT + 1800, TOP - 2100, LEFT + 2100, TOP - 1800)
    country.harmonise(country.declare([{"ID": "1", "CULTIU": "ORDI", "geometry": middle}]))
    path: Path = country.folder / "labels.nc"
    parcels = country.folder / "parcels.parquet"
    rasterise_labels(parcels, [corine], CLC, path, tile=TILE, year=2020, size_px=SIZE_PX, corine_year=2018)
    return path


def test_land_cover_fills_what_is_not_declared_and_belongs_to_no_parcel(country: Any, tmp_path: Path) -> None:
    codes = np.full((60, 60), 312, "u2")
    codes[:, 30:] = 211  # farmland: no class
    with h5py.File(labelled(country, write_raster(tmp_path / "clc.tif", codes))) as file:
        for name, parcel_px in (("r10m", 900), ("r20m", 225), ("r60m", 25)):
            labels, parcels = file[f"{name}/labels"][...], file[f"{name}/parcels"][...]
            assert Counter(labels[parcels > 0].tolist()) == {150: parcel_px}
            assert set(np.unique(labels[parcels == 0])) == {0, 972}
            cover = land_cover(
                tmp_path / "clc.tif", LEGEND, year=2018, grid=tile_geobox(TILE, int(name[1:3]), size_px=SIZE_PX)
            )
            np.testing.assert_array_equal((labels == 972), (cover == 312) & (parcels == 0))
        about = {key: value.decode() for key, value in file.attrs.items() if key.startswith("background")}
        assert about["background"] == "CORINE Land Cover 2018 where parcels is 0 and labels is not"
        assert "European Environment Agency" in about["background_attribution"]
        assert "1159/2013" in about["background_licence"]


def test_pixels_beyond_the_land_cover_stay_empty_and_are_counted(
    country: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = np.full((60, 25), 523, "u2")  # ends in the middle of the tile
    path = labelled(country, write_raster(tmp_path / "clc.tif", codes))
    with h5py.File(path) as file:
        empty = np.count_nonzero(file["r10m/labels"][...] == 0)
        assert 0 < empty < 366 * 366
        assert file["r10m"].attrs["beyond_background"].tolist() == [empty]
    assert f"10 m: {empty} of 133956 pixels lie outside parcels and clc.tif" in capsys.readouterr().out


# --- files that cannot be it ------------------------------------------------------------------------------


def refused(file: Path, message: str, year: int = 2018) -> None:
    with pytest.raises(BackgroundError, match=message):
        land_cover(file, LEGEND, year=year, grid=GRID)


def test_file_that_lies_elsewhere(tmp_path: Path) -> None:
    """Coordinates of EPSG:3035 that claim to be UTM lie some 3000 km away."""
    values = np.full((60, 60), 23, "u1")
    refused(write_raster(tmp_path / "clc.tif", values, crs="EPSG:32631"), "has nothing between 600000, 4996380 and")
    gpd.GeoDataFrame({"CODE_18": ["311"]}, geometry=[shapely.box(0, 0, 9, 9)], crs="EPSG:3035").to_file(
        tmp_path / "c.gpkg"
    )
    refused(tmp_path / "c.gpkg", "Check that it covers the tile and that its CRS")


@pytest.mark.filterwarnings("ignore:'crs' was not provided:UserWarning")
def test_file_without_crs(tmp_path: Path) -> None:
    refused(write_raster(tmp_path / "clc.tif", np.full((60, 60), 23, "u1"), crs=None), "has no CRS; expected")
    pyogrio.write_dataframe(
        gpd.GeoDataFrame({"CODE_18": ["311"]}, geometry=[shapely.box(0, 0, 9, 9)]), tmp_path / "clc.shp"
    )
    refused(tmp_path / "clc.shp", "has no CRS; expected the one of its coordinates, for CORINE mostly EPSG:3035")


def test_polygons_of_another_year_have_another_column(tmp_path: Path) -> None:
    file = write_polygons(tmp_path / "clc.gpkg", "CODE_12")
    refused(file, r"0 layers have the column CODE_18, expected one; there are clc: CODE_12. Set corine.year")
    assert land_cover(file, LEGEND, year=2012, grid=GRID).any()


def test_values_that_are_no_codes(tmp_path: Path) -> None:
    refused(write_raster(tmp_path / "a.tif", np.full((60, 60), 255, "u1")), 'holds "255", which is no code of CORINE')
    refused(write_polygons(tmp_path / "clc.gpkg", codes=("311", "sea")), 'holds "sea", which is no code of CORINE')
    refused(
        write_polygons(tmp_path / "null.gpkg", codes=("311", None)), r"\d+ polygons near the tile have no value in "
    )


@pytest.mark.parametrize("turn", [Affine.rotation(90), Affine.rotation(30), Affine.scale(1, -1), Affine.scale(-1, 1)])
def test_raster_that_is_not_north_up(tmp_path: Path, turn: Affine) -> None:
    file = write_raster(tmp_path / "clc.tif", np.full((60, 60), 23, "u1"))
    with rasterio.open(file, "r+") as raster:
        raster.transform = raster.transform @ turn
    refused(file, r"is rotated, mirrored or without position .* Warp it: gdalwarp clc\.tif north_up\.tif")


def test_polygons_with_coordinates_that_are_no_numbers(tmp_path: Path) -> None:
    middle = f"{LEFT + 1000} {BOTTOM + 1000}"
    with np.errstate(invalid="ignore"):
        broken = shapely.from_wkt(f"POLYGON (({middle}, nan {BOTTOM}, {RIGHT} {TOP}, {middle}))")
    frame = gpd.GeoDataFrame({"CODE_18": ["311", "512"]}, geometry=[broken, GRID.extent.geom], crs="EPSG:32631")
    frame.to_file(tmp_path / "clc.gpkg")
    refused(tmp_path / "clc.gpkg", "1 polygons near the tile have coordinates that are no numbers")


@pytest.mark.parametrize("name", ["clc.gpkg", "clc.shp", "clc.tif"])
def test_land_cover_that_names_another_file_is_not_followed(tmp_path: Path, name: str) -> None:
    polygons = write_polygons(tmp_path / "secret.gpkg")
    raster = write_raster(tmp_path / "secret.tif", np.full((60, 60), 23, "u1"))
    virtual = f'<OGRVRTDataSource><OGRVRTLayer name="secret"><SrcDataSource>{polygons}</SrcDataSource></OGRVRTLayer>'
    (tmp_path / name).write_text(f"{virtual}</OGRVRTDataSource>")
    if name.endswith(".tif"):
        copy(raster, tmp_path / name, driver="VRT")
    refused(tmp_path / name, "cannot be read .* Expected CORINE Land Cover as GeoTIFF, GeoPackage or shapefile")


@pytest.mark.parametrize("name", ["clc.tif", "clc.gpkg", "clc.zip"])
def test_file_that_is_no_map(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no map")
    refused(tmp_path / name, "cannot be read .* Expected CORINE Land Cover as GeoTIFF, GeoPackage or shapefile")


def test_another_land_cover_of_copernicus_is_told_apart(realdata: Path) -> None:
    """CLC+ numbers its classes 10, 20 ... 80, the first four of which CORINE has too."""
    file = realdata / "grids/clcplus/netherlands_osm_clcplus_14580_sample.tif"
    with pytest.raises(BackgroundError, match='holds "60", which is no code of CORINE Land Cover'):
        land_cover(file, LEGEND, year=2018, grid=tile_geobox("31UFT", 60))
