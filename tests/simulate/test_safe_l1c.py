"""Level-1C products from arrays: GDAL's SENTINEL2 driver, ogrinfo and gdalinfo read what we wrote."""

import hashlib
import json
import re
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from cropstack.bands import S2_BAND, S2_BANDS
from cropstack.errors import GridMismatch, MissingBand, ProductError
from cropstack.grid import tile_geobox
from cropstack.simulate.jp2 import write_jp2
from cropstack.simulate.l1c_product import L1CProduct
from cropstack.simulate.safe_l1c import true_colour, write_l1c
from cropstack.simulate.safe_masks import QUALITY_LAYERS, L1CMasks, no_masks
from cropstack.simulate.viewing import detector_raster, lon_lat, mean_angles, sun_angles, track_past

TILE, SIDE = "31TCG", 366
DATATAKE = datetime(2019, 4, 16, 10, 50, 31, 24_000, tzinfo=UTC)
EARLY, LATE = "02.07", "05.00"


@dataclass(frozen=True)
class Written:
    path: Path
    product: L1CProduct
    bands: dict[str, NDArray[np.uint16]]
    masks: L1CMasks

    def file(self, name: str) -> Path:
        return self.path / name

    def xml(self, name: str) -> ElementTree.Element:
        return ElementTree.parse(self.path / name).getroot()


def l1c_product(processing_baseline: str, *, east_m: float = -145_000.0) -> L1CProduct:
    """By default the western edge of the swath crosses the tile."""
    return L1CProduct(
        tile=TILE,
        platform="S2A",
        datatake=DATATAKE,
        datastrip=DATATAKE + timedelta(seconds=4),
        sensing=DATATAKE + timedelta(minutes=5),
        generated=datetime(2019, 4, 16, 12, 52, 45, tzinfo=UTC),
        relative_orbit=51,
        absolute_orbit=19_925,
        processing_baseline=processing_baseline,
        station="SGS_",
        track=track_past(tile_geobox(TILE, 10, size_px=SIDE), east_m=east_m),
    )


def noisy_bands(product: L1CProduct) -> dict[str, NDArray[np.uint16]]:
    """Random digital numbers in the swath, 0 outside, a few saturated in B02 and B11."""
    generator = np.random.default_rng(5)
    bands = {}
    for band in S2_BANDS:
        geobox = tile_geobox(TILE, band.resolution_m, size_px=SIDE)
        pixels = generator.integers(1, 12_000, tuple(geobox.shape), np.uint16)
        pixels[detector_raster(product.track, band, geobox) == 0] = 0
        bands[band.name] = pixels
    bands["B02"][40, 300:303] = 65_535
    bands["B11"][100:102, 170] = 65_535
    return bands


def some_masks() -> L1CMasks:
    """One opaque cloud with a hole, two cirrus clouds, lost lines in B05 and a defective column in B12."""
    clear = no_masks(tile_geobox(TILE, 60, size_px=SIDE))
    opaque, cirrus = clear.opaque.copy(), clear.cirrus.copy()
    opaque[10:20, 40:55] = True
    opaque[13:15, 45:48] = False
    cirrus[30:33, 50:60] = True
    cirrus[50:55, 40:44] = True
    lost, defective = np.zeros((183, 183), bool), np.zeros((183, 183), bool)
    lost[20:22, 120:160] = True
    defective[:60, 150] = True
    return L1CMasks(opaque, cirrus, clear.snow, {"B05": {"msi_lost": lost}, "B12": {"defective": defective}})


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Written]:
    found = {}
    for baseline in (EARLY, LATE):
        product = l1c_product(baseline)
        bands, masks = noisy_bands(product), some_masks()
        path = tmp_path_factory.mktemp("l1c") / f"{product.id}.SAFE"
        write_l1c(path, bands, product=product, masks=masks)
        found[baseline] = Written(path, product, bands, masks)
    return found


@pytest.fixture(params=[EARLY, LATE])
def written(request: pytest.FixtureRequest, products: dict[str, Written]) -> Written:
    return products[request.param]


def run(*command: str | Path) -> str:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout


def subdatasets(written: Written) -> dict[str, str]:
    """Name by resolution, as the gdalinfo program lists them."""
    found = json.loads(run("gdalinfo", "-json", written.file("MTD_MSIL1C.xml")))["metadata"]["SUBDATASETS"]
    return {name.split(":")[-2]: name for key, name in found.items() if key.endswith("_NAME")}


# --- GDAL's SENTINEL2 driver --------------------------------------------------------------------------


def test_gdal_lists_all_four_subdatasets(written: Written) -> None:
    assert sorted(subdatasets(written)) == ["10m", "20m", "60m", "TCI"]


@pytest.mark.parametrize("resolution", [10, 20, 60])
def test_each_subdataset_reads_exactly_what_was_written(written: Written, resolution: int) -> None:
    with rasterio.open(subdatasets(written)[f"{resolution}m"]) as file:
        names = [file.tags(index)["BANDNAME"] for index in file.indexes]
        assert sorted(names) == sorted(b.physical for b in S2_BANDS if b.resolution_m == resolution)
        assert file.transform == tile_geobox(TILE, resolution, size_px=SIDE).affine
        for index, name in enumerate(names, start=1):
            band = next(b.name for b in S2_BANDS if b.physical == name)
            np.testing.assert_array_equal(file.read(index), written.bands[band])


def test_the_true_colour_subdataset_reads_exactly_what_was_written(written: Written) -> None:
    with rasterio.open(subdatasets(written)["TCI"]) as file:
        np.testing.assert_array_equal(file.read(), true_colour(written.bands, offset=written.product.offset))


def test_true_colour_shows_reflectance_zero_as_1_and_nodata_as_0() -> None:
    bands = {name: np.array([[0, 1000, 1001, 4558, 9000, 65535]], np.uint16) for name in ("B02", "B03", "B04")}
    assert true_colour(bands, offset=-1000)[0].tolist() == [[0, 1, 1, 255, 255, 255]]


def test_gdal_knows_the_special_values_and_the_cloud_cover(written: Written) -> None:
    tags = json.loads(run("gdalinfo", "-json", written.file("MTD_MSIL1C.xml")))["metadata"][""]
    assert tags["SPECIAL_VALUE_NODATA"] == "0"
    assert tags["SPECIAL_VALUE_SATURATED"] == "65535"
    assert tags["PROCESSING_BASELINE"] == written.product.processing_baseline
    valid = written.bands["B01"] > 0
    cloudy = (written.masks.opaque | written.masks.cirrus)[valid].mean() * 100
    assert float(tags["CLOUD_COVERAGE_ASSESSMENT"]) == pytest.approx(cloudy, abs=1e-9)


# --- JP2 ----------------------------------------------------------------------------------------------


def codestream_header(path: Path) -> dict[str, object]:
    """Block, bits and coding style from the markers SIZ and COD (ISO/IEC 15444-1, annex A)."""
    data = path.read_bytes()
    siz, cod = data.index(b"\xff\x4f\xff\x51") + 4, data.index(b"\xff\x52")
    levels = data[cod + 9]
    return {
        "block": struct.unpack(">II", data[siz + 20 : siz + 28]),
        "bits": data[siz + 38] + 1,
        "progression": data[cod + 5],
        "layers": struct.unpack(">H", data[cod + 6 : cod + 8])[0],
        "levels": levels,
        "code_block": tuple(2 ** (data[cod + i] + 2) for i in (10, 11)),
        "reversible": data[cod + 13] == 1,
        "precincts": [2 ** (size & 15) for size in data[cod + 14 : cod + 15 + levels]],
    }


def write_ramp(path: Path, resolution: int) -> Path:
    geobox = tile_geobox(TILE, resolution, size_px=4 * 366)
    ramp = np.arange(geobox.shape[0], dtype=np.uint16)[None].repeat(geobox.shape[0], axis=0) + 1
    write_jp2(path, [ramp], geobox)
    return path


@pytest.mark.parametrize(("resolution", "block"), [(10, 1024), (20, 640), (60, 192)])
def test_jp2_has_the_internal_tiling_of_sentinel_2(tmp_path: Path, resolution: int, block: int) -> None:
    assert codestream_header(write_ramp(tmp_path / "band.jp2", resolution))["block"] == (block, block)


def test_jp2_is_coded_as_a_real_band(tmp_path: Path, realdata: Path) -> None:
    real = next(realdata.glob("s2_safe_metadata/eodag/*/GRANULE/*/IMG_DATA/*_B01.jp2"))
    assert codestream_header(write_ramp(tmp_path / "band.jp2", 60)) == codestream_header(real)


def test_a_band_has_16_bits_only_where_a_pixel_is_saturated(written: Written) -> None:
    bits = {band.name: codestream_header(written.file(written.product.image(band.name)))["bits"] for band in S2_BANDS}
    assert {name for name, count in bits.items() if count == 16} == {"B02", "B11"}
    assert set(bits.values()) == {15, 16}


def test_georeference_stands_in_gml_and_geotiff_boxes(written: Written) -> None:
    data = written.file(written.product.image("B02")).read_bytes()
    assert b"RectifiedGridCoverage" in data
    assert bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03") in data  # GeoJP2's UUID


# --- masks --------------------------------------------------------------------------------------------


def rings(geometry: dict[str, list[list[list[float]]]]) -> tuple[list[list[float]], list[list[list[float]]]]:
    outer, *holes = geometry["coordinates"]
    return outer, holes


def features(file: Path, folder: Path) -> list[tuple[str, shapely.Polygon]]:
    """Mask type and polygon of each feature, as ogr2ogr reads them; none where there is no layer.

    From a copy in `folder`: OGR's GML driver leaves a .gfs file beside what it reads.
    """
    path = shutil.copy(file, folder)
    if "MaskFeature" not in run("ogrinfo", "-ro", "-so", path):
        return []
    text = run("ogr2ogr", "-f", "GeoJSON", "/vsistdout/", path, "-a_srs", "EPSG:4326", "-dim", "XY")
    found = json.loads(text)["features"]
    return [(one["properties"]["maskType"], shapely.Polygon(*rings(one["geometry"]))) for one in found]


Gml = Callable[[str, str], list[tuple[str, shapely.Polygon]]]


@pytest.fixture
def gml(products: dict[str, Written], tmp_path: Path) -> Gml:
    """Features of a mask of the early product, by kind and band."""
    early = products[EARLY]
    return lambda kind, band: features(early.file(early.product.mask(kind, band)), tmp_path)


def test_cloud_polygons_before_0400_cover_the_cloudy_pixels(gml: Gml) -> None:
    found = gml("MSK_CLOUDS", "B00")
    assert sorted(kind for kind, _ in found) == ["CIRRUS", "CIRRUS", "OPAQUE"]
    cloud = next(area for kind, area in found if kind == "OPAQUE")
    assert cloud.area == (10 * 15 - 2 * 3) * 3600
    assert len(cloud.interiors) == 1


def test_masks_without_a_fault_are_legal_and_empty(gml: Gml) -> None:
    assert gml("MSK_TECQUA", "B02") == []
    assert gml("MSK_DEFECT", "B02") == []
    assert gml("MSK_SATURA", "B03") == []


def test_faults_before_0400_stand_in_their_own_masks(gml: Gml) -> None:
    assert [(kind, area.area) for kind, area in gml("MSK_TECQUA", "B05")] == [("MSI_LOST", 80 * 400)]
    assert [(k, a.area) for k, a in gml("MSK_DEFECT", "B12")] == [("QT_DEFECTIVE_PIXELS", 60 * 400)]
    assert [(k, a.area) for k, a in gml("MSK_SATURA", "B02")] == [("QT_SATURATED_PIXELS_L1A", 300)]


def test_detector_footprints_cover_exactly_the_pixels_with_data(gml: Gml, products: dict[str, Written]) -> None:
    found = gml("MSK_DETFOO", "B03")
    assert {kind for kind, _ in found} == {"DETECTOR_FOOTPRINT"}
    assert sum(area.area for _, area in found) == (products[EARLY].bands["B03"] > 0).sum() * 100


def test_raster_masks_have_8_and_3_layers_from_0400_on(products: dict[str, Written]) -> None:
    late = products[LATE]
    counts = {}
    for kind, band in (("MSK_QUALIT", "B02"), ("MSK_QUALIT", "B10"), ("MSK_CLASSI", "B00"), ("MSK_DETFOO", "B8A")):
        info = json.loads(run("gdalinfo", "-json", late.file(late.product.mask(kind, band))))
        counts[kind, band] = (len(info["bands"]), info["size"])
    assert counts == {
        ("MSK_QUALIT", "B02"): (8, [366, 366]),
        ("MSK_QUALIT", "B10"): (8, [61, 61]),
        ("MSK_CLASSI", "B00"): (3, [61, 61]),
        ("MSK_DETFOO", "B8A"): (1, [183, 183]),
    }


@pytest.mark.parametrize("band", ["B02", "B05", "B12"])
def test_quality_layers_hold_faults_nodata_and_saturation(products: dict[str, Written], band: str) -> None:
    late = products[LATE]
    with rasterio.open(late.file(late.product.mask("MSK_QUALIT", band))) as file:
        layers = dict(zip(QUALITY_LAYERS, file.read(), strict=True))
    expected = {
        **late.masks.faults.get(band, {}),
        "nodata": late.bands[band] == 0,
        "saturated": late.bands[band] == 65_535,
    }
    for name, layer in layers.items():
        np.testing.assert_array_equal(layer, expected.get(name, np.zeros_like(layer)), err_msg=name)


def test_classes_are_opaque_cirrus_snow(products: dict[str, Written]) -> None:
    late = products[LATE]
    with rasterio.open(late.file(late.product.mask("MSK_CLASSI", "B00"))) as file:
        np.testing.assert_array_equal(file.read(), [late.masks.opaque, late.masks.cirrus, late.masks.snow])


def test_no_mask_of_the_other_generation(products: dict[str, Written]) -> None:
    assert not list(products[EARLY].path.rglob("MSK_*.jp2"))
    assert not list(products[LATE].path.rglob("*.gml"))


# --- metadata and package -----------------------------------------------------------------------------


def test_offsets_stand_only_in_processing_baselines_from_0400_on(products: dict[str, Written]) -> None:
    found = {b: [e.text for e in one.xml("MTD_MSIL1C.xml").iter("RADIO_ADD_OFFSET")] for b, one in products.items()}
    assert found == {EARLY: [], LATE: ["-1000"] * 13}


def test_degraded_data_is_announced(written: Written, tmp_path: Path) -> None:
    pixels = sum(band.size for band in written.bands.values())
    announced = next(written.xml("MTD_MSIL1C.xml").iter("DEGRADED_MSI_DATA_PERCENTAGE")).text
    assert float(announced or "nan") == pytest.approx(100 * (80 + 60) / pixels, rel=1e-6)
    clean = tmp_path / "clean.SAFE"
    masks = no_masks(tile_geobox(TILE, 60, size_px=SIDE))
    write_l1c(clean, written.bands, product=written.product, masks=masks)
    assert "<DEGRADED_MSI_DATA_PERCENTAGE>0</" in (clean / "MTD_MSIL1C.xml").read_text()


def test_footprint_covers_the_area_with_data(written: Written) -> None:
    numbers = next(written.xml("MTD_MSIL1C.xml").iter("EXT_POS_LIST")).text.split()  # type: ignore[union-attr]
    latitude, longitude = np.array(numbers, float).reshape(-1, 2).T
    x, y = Transformer.from_crs(4326, 32631, always_xy=True).transform(longitude, latitude)
    footprint = shapely.Polygon(np.stack([x, y], -1))
    assert footprint.area == pytest.approx((written.bands["B02"] > 0).sum() * 100, rel=0.02)
    assert footprint.area < 0.6 * 3660**2
    assert len(numbers) == 2 * 5  # a trapezium, closed


@pytest.mark.parametrize(("baseline", "listing"), [(EARLY, "L1C_02.08.csv"), (LATE, "L1C_04.00.csv")])
def test_files_are_called_as_in_real_products(
    products: dict[str, Written], realdata: Path, baseline: str, listing: str
) -> None:
    rows = (realdata / "s2_safe_metadata/sentinelhub-py/aws_safe" / listing).read_text().split()
    real = {anonymous(row.partition(";")[2].partition(".SAFE/")[2]) for row in rows}
    path = products[baseline].path
    ours = {anonymous(file.relative_to(path).as_posix()) for file in path.rglob("*") if file.is_file()}
    assert ours - real == set()
    assert {name.split("/")[-2] for name in real - ours} == {"AUX_DATA"}


def anonymous(name: str) -> str:
    """A file name without tile, orbit, station and times."""
    name = re.sub(r"DS_[A-Z0-9_]{4}_", "DS_station_", name)
    return re.sub(r"T\d{2}[A-Z]{3}|A\d{6}|\d{8}T\d{6}", "x", name)


def test_every_element_occurs_at_the_same_place_in_real_metadata(products: dict[str, Written], realdata: Path) -> None:
    folder = realdata / "s2_safe_metadata"
    real = [p for p in (folder / "stactools").glob("S2A_MSIL1C_2020*") if p.is_dir()]
    real += (folder / "gdal-autotest/fake_l1c_processing_baseline_5_09").glob("*.SAFE")
    for pattern in ("MTD_MSIL1C.xml", "GRANULE/*/MTD_TL.xml"):
        known = {path for product in real for file in product.glob(pattern) for path in element_paths(file)}
        assert known
        for written in products.values():
            ours = {path for file in written.path.glob(pattern) for path in element_paths(file)}
            assert ours - known == set()


def element_paths(file: Path) -> Iterator[str]:
    """Local names from the root down to each element."""

    def walk(element: ElementTree.Element, above: str) -> Iterator[str]:
        here = f"{above}/{element.tag.rpartition('}')[2]}"
        yield here
        for child in element:
            yield from walk(child, here)

    return walk(ElementTree.parse(file).getroot(), "")


def test_manifest_lists_size_and_checksum_of_every_other_file(written: Written) -> None:
    algorithms = {"MD5": "md5", "SHA3-256": "sha3_256"}
    listed = {}
    for stream in written.xml("manifest.safe").iter("byteStream"):
        location, checksum = stream[0].get("href", ""), stream[1]
        listed[location.removeprefix("./")] = (
            int(stream.get("size", "")),
            algorithms[checksum.get("checksumName", "")],
            checksum.text,
        )
    files = {p.relative_to(written.path).as_posix(): p.read_bytes() for p in written.path.rglob("*") if p.is_file()}
    del files["manifest.safe"]
    expected = "md5" if written.product.processing_baseline == EARLY else "sha3_256"  # as in real ones
    assert listed == {
        name: (len(data), expected, hashlib.new(expected, data).hexdigest()) for name, data in files.items()
    }


def test_same_inputs_give_the_same_bytes_whatever_the_threads(written: Written, tmp_path: Path) -> None:
    again = tmp_path / written.path.name
    write_l1c(again, written.bands, product=written.product, masks=written.masks, threads=2)
    assert contents(again) == contents(written.path)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


# --- angles -------------------------------------------------------------------------------------------


def test_sun_stands_where_real_metadata_say(realdata: Path) -> None:
    file = next(realdata.glob("s2_safe_metadata/stactools/S2A_MSIL1C_20200717*/GRANULE/*/MTD_TL.xml"))
    root = ElementTree.parse(file).getroot()
    mean = next(root.iter("Mean_Sun_Angle"))
    time = datetime.fromisoformat(next(root.iter("SENSING_TIME")).text or "")
    geobox = tile_geobox("01LAC", 10)
    left, bottom, right, top = geobox.extent.boundingbox.bbox
    x, y = np.meshgrid(np.linspace(left, right, 23), np.linspace(bottom, top, 23))
    zenith, azimuth = mean_angles(*sun_angles(time, *lon_lat(geobox, x, y)))
    assert zenith == pytest.approx(float(mean[0].text or "nan"), abs=0.01)
    assert azimuth == pytest.approx(float(mean[1].text or "nan"), abs=0.01)


def test_tile_metadata_have_sun_and_viewing_grids_of_23_nodes(written: Written) -> None:
    tile = written.xml(f"{written.product.granule}/MTD_TL.xml")
    grids = [tile.find(f".//Sun_Angles_Grid/{kind}") for kind in ("Zenith", "Azimuth")]
    grids += [part for grid in tile.iter("Viewing_Incidence_Angles_Grids") for part in grid]
    rows = [[row.text.split() for row in grid.iter("VALUES")] for grid in grids]  # type: ignore[union-attr]
    assert {(len(grid), len(row)) for grid in rows for row in grid} == {(23, 23)}
    seen = {(g.get("bandId"), g.get("detectorId")) for g in tile.iter("Viewing_Incidence_Angles_Grids")}
    assert seen == {(str(band.number), "1") for band in S2_BANDS}  # the swath's western edge


def test_a_tile_east_of_the_track_is_seen_from_the_west_at_a_slant(tmp_path: Path) -> None:
    product = l1c_product(EARLY, east_m=90_000.0)
    write_l1c(tmp_path / "x.SAFE", noisy_bands(product), product=product, masks=some_masks())
    tile = ElementTree.parse(tmp_path / "x.SAFE" / product.granule / "MTD_TL.xml").getroot()
    means = list(tile.iter("Mean_Viewing_Incidence_Angle"))
    assert [mean.get("bandId") for mean in means] == [str(band.number) for band in S2_BANDS]
    for mean in means:
        zenith, azimuth = (float(angle.text or "nan") for angle in mean)
        assert 6.5 < zenith < 8.5  # atan(90 / 786) plus the Earth's curvature is 7.3 degrees
        assert 260 < azimuth < 310


# --- errors -------------------------------------------------------------------------------------------


def test_a_product_needs_all_bands_of_one_size_and_some_data(products: dict[str, Written], tmp_path: Path) -> None:
    late, path = products[LATE], tmp_path / "x.SAFE"
    without = {name: pixels for name, pixels in late.bands.items() if name != "B09"}
    with pytest.raises(MissingBand, match="B09"):
        write_l1c(path, without, product=late.product, masks=late.masks)
    with pytest.raises(GridMismatch, match=r"B05 has the shape \(366, 366\)"):
        write_l1c(path, {**late.bands, "B05": late.bands["B04"]}, product=late.product, masks=late.masks)
    coarse = replace(late.masks, faults={"B02": {"defective": np.zeros((183, 183), bool)}})
    with pytest.raises(GridMismatch, match="B02 defective"):
        write_l1c(path, late.bands, product=late.product, masks=coarse)
    empty = {name: np.zeros_like(pixels) for name, pixels in late.bands.items()}
    with pytest.raises(ProductError, match="B01"):
        write_l1c(path, empty, product=late.product, masks=late.masks)
    assert list(tmp_path.iterdir()) == []


def test_detectors_are_numbered_from_west_to_east() -> None:
    geobox = tile_geobox(TILE, 60)
    numbers = detector_raster(track_past(geobox, east_m=90_000.0), S2_BAND["B01"], geobox)
    assert (np.diff(numbers[900].astype(int)) >= 0).all()
    assert numbers[900].min() >= 8
    assert numbers[900].max() in (11, 12)
