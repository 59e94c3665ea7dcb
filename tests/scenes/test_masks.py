"""Masks of both generations as flags, compared with GDAL's own programs."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio

from cropstack.bands import FLAGS
from cropstack.errors import CorruptFile, GridMismatch, MissingBand
from cropstack.grid import tile_geobox
from cropstack.safe import open_safe, read_l1c
from cropstack.scenes.jp2 import image_tiles
from cropstack.scenes.masks import check_masks, gml_polygons, marked_windows, mask_flags, repeat_pixels

TILE, SIZE_PX = "31TCG", 732  # of the builder's products
OPAQUE, CIRRUS, SNOW, DEFECTIVE = (FLAGS[name] for name in ("opaque_cloud", "cirrus", "snow", "defective"))
SQUARE = [(0.0, 0.0), (12.0, 0.0), (12.0, 12.0), (0.0, 12.0)]
HOLE = [(4.0, 4.0), (4.0, 8.0), (8.0, 8.0), (8.0, 4.0)]
BLOB = [(100.3, 20.1), (333.7, 51.2), (290.4, 300.9), (180.2, 411.6), (75.5, 200.4)]


def flags_of(root: Path, resolution: int) -> np.ndarray:
    with open_safe(root) as files:
        metadata = read_l1c(files)
        check_masks(files, metadata)
        return mask_flags(files, metadata, tile_geobox(TILE, resolution, size_px=SIZE_PX))


def test_cloud_polygon_covers_pixel_centres_and_spares_its_hole(tmp_path: Path, l1c: SimpleNamespace) -> None:
    root = l1c.write(l1c.Product(clouds=[("OPAQUE", [SQUARE, HOLE])]), tmp_path)
    flags = flags_of(root, 20)
    expected = np.zeros((6, 6), np.uint8)
    expected[:] = OPAQUE
    expected[2:4, 2:4] = 0
    np.testing.assert_array_equal(flags[:6, :6], expected)
    assert np.count_nonzero(flags) == 6 * 6 - 4
    assert np.count_nonzero(flags_of(root, 60)) == 4  # centres at 3 and 9 px of 10 m, none in the hole


@pytest.mark.skipif(shutil.which("gdal_rasterize") is None, reason="gdal_rasterize (Debian package gdal-bin) is absent")
@pytest.mark.parametrize("resolution", [10, 20, 60])
def test_clouds_equal_gdal_rasterize(tmp_path: Path, l1c: SimpleNamespace, resolution: int) -> None:
    shifted = [(x + 150, y + 99.5) for x, y in BLOB]
    root = l1c.write(l1c.Product(clouds=[("OPAQUE", [BLOB]), ("CIRRUS", [shifted])]), tmp_path)
    flags = flags_of(root, resolution)
    grid = tile_geobox(TILE, resolution, size_px=SIZE_PX)
    expected = np.zeros_like(flags)
    for bit, ring in ((OPAQUE, BLOB), (CIRRUS, shifted)):
        expected |= bit * rasterized_by_gdal(tmp_path, ring, grid.affine, grid.shape)
    np.testing.assert_array_equal(flags, expected)
    assert {OPAQUE, CIRRUS, OPAQUE | CIRRUS} <= set(np.unique(flags))


def rasterized_by_gdal(
    folder: Path, ring: list[tuple[float, float]], transform: rasterio.Affine, shape: tuple[int, int]
) -> np.ndarray:
    left, top = transform.c, transform.f
    ring = [[left + 10 * x, top - 10 * y] for x, y in [*ring, ring[0]]]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32631"}}
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    source, target = folder / "ring.geojson", folder / "ring.tif"
    source.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]}))
    extent = [left, top - transform.a * shape[0], left + transform.a * shape[1], top]
    size = ["-te", *map(str, extent), "-tr", str(transform.a), str(transform.a)]
    command = ["gdal_rasterize", "-q", "-burn", "1", "-init", "0", "-ot", "Byte", *size, str(source), str(target)]
    subprocess.run(command, check=True)
    with rasterio.open(target) as dataset:
        return dataset.read(1)


def test_empty_cloud_gml_means_clear(copy_of: Callable[[str], Path]) -> None:
    assert not flags_of(copy_of("02.07"), 10).any()


def test_defects_flag_their_resolution_and_lost_ancillary_data_does_not(tmp_path: Path, l1c: SimpleNamespace) -> None:
    defects = {
        "MSK_DEFECT_B10": [("QT_DEFECTIVE_PIXELS", [SQUARE])],
        "MSK_TECQUA_B05": [("MSI_LOST", [SQUARE]), ("ANC_LOST", [BLOB])],
    }
    root = l1c.write(l1c.Product(defects=defects), tmp_path)
    assert not flags_of(root, 10).any()
    assert np.unique(flags_of(root, 20)[:6, :6]).tolist() == [DEFECTIVE]
    assert np.count_nonzero(flags_of(root, 20)) == 36
    assert np.count_nonzero(flags_of(root, 60)) == 4


def test_class_mask_is_repeated_on_finer_grids(tmp_path: Path, l1c: SimpleNamespace) -> None:
    classes = np.zeros((3, SIZE_PX // 6, SIZE_PX // 6), np.uint8)
    classes[0, 0, 1], classes[1, 2, 2], classes[2, 2, 2] = 1, 1, 1
    root = l1c.write(l1c.Product(baseline="05.00", offsets=dict.fromkeys(range(13), -1000), classes=classes), tmp_path)
    coarse = flags_of(root, 60)
    assert coarse[:3, :3].tolist() == [[0, OPAQUE, 0], [0, 0, 0], [0, 0, CIRRUS | SNOW]]
    for resolution in (10, 20):
        factor = 60 // resolution
        np.testing.assert_array_equal(flags_of(root, resolution), np.kron(coarse, np.ones((factor, factor), np.uint8)))


def test_repeat_pixels_makes_squares() -> None:
    assert repeat_pixels(np.array([[1, 2]], np.uint8), 2).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]


@pytest.mark.parametrize(("degraded", "flagged"), [(0, 0), (0.0019, 3)])
def test_quality_mask_counts_only_if_degraded_data_are_announced(
    tmp_path: Path, l1c: SimpleNamespace, degraded: float, flagged: int
) -> None:
    layers = np.zeros((8, SIZE_PX // 6, SIZE_PX // 6), np.uint8)
    for layer in range(8):  # lost and degraded ancillary, lost, degraded, defective, nodata, crosstalk, saturated
        layers[layer, 0, layer] = 1
    product = l1c.Product(
        baseline="05.00", offsets=dict.fromkeys(range(13), -1000), degraded=degraded, quality={"B09": layers}
    )
    root = l1c.write(product, tmp_path)
    flags = flags_of(root, 60)
    assert np.count_nonzero(flags) == flagged
    assert np.flatnonzero(flags[0]).tolist() == [2, 3, 4][:flagged]
    assert not flags_of(root, 20).any()


def test_alike_image_tiles_of_a_quality_mask_are_decoded_once_and_none_is_lost(
    tmp_path: Path, l1c: SimpleNamespace
) -> None:
    layers = np.zeros((8, SIZE_PX, SIZE_PX), np.uint8)  # 6 × 6 image tiles of 128 px, those at the edge smaller
    layers[2, 300, 5:9] = layers[4, 731, 731] = layers[6, 500, 500] = 1
    layers[3, 128:256, 128:384] = 1  # two image tiles that are alike and full
    product = l1c.Product(
        baseline="05.00", offsets=dict.fromkeys(range(13), -1000), degraded=0.5, quality={"B02": layers}
    )
    root = l1c.write(product, tmp_path)
    np.testing.assert_array_equal(flags_of(root, 10), layers[2:5].any(axis=0) * DEFECTIVE)
    path = next(root.rglob("MSK_QUALIT_B02.jp2"))
    tiles = image_tiles(path, label="B02")
    with rasterio.open(path) as dataset:
        windows = marked_windows(dataset, tiles)
    assert len(tiles) == 36
    corners = sorted((rows.start, columns.start) for rows, columns in windows)
    assert corners == [(128, 128), (128, 256), (256, 0), (384, 384), (640, 640)]


@pytest.mark.parametrize(("baseline", "mask"), [("02.07", "MSK_CLOUDS_B00.gml"), ("05.00", "MSK_CLASSI_B00.jp2")])
def test_missing_cloud_mask_is_an_error(copy_of: Callable[[str], Path], baseline: str, mask: str) -> None:
    root = copy_of(baseline)
    next(root.rglob(mask)).unlink()
    with pytest.raises(MissingBand, match=mask):
        flags_of(root, 10)


def test_metadata_without_any_cloud_mask_is_an_error(copy_of: Callable[[str], Path]) -> None:
    root = copy_of("05.00")
    metadata = next(root.rglob("MTD_TL.xml"))
    metadata.write_text(metadata.read_text().replace("MSK_CLASSI", "MSK_DETFOO"))
    with pytest.raises(MissingBand, match="neither MSK_CLASSI nor MSK_CLOUDS"):
        flags_of(root, 10)


def test_class_mask_with_too_few_layers_or_another_size_is_an_error(
    copy_of: Callable[[str], Path], l1c: SimpleNamespace
) -> None:
    root = copy_of("05.00")
    mask = next(root.rglob("MSK_CLASSI_B00.jp2"))
    l1c.write_raster(mask, np.zeros((2, SIZE_PX // 6, SIZE_PX // 6), np.uint8), 60)
    with pytest.raises(CorruptFile, match="2 layers; expected 3"):
        flags_of(root, 10)
    l1c.write_raster(mask, np.zeros((3, 100, 100), np.uint8), 60)
    with pytest.raises(GridMismatch, match=r"MSK_CLASSI.*100 × 100 px.*expected 122 × 122"):
        flags_of(root, 10)


def test_gml_in_another_zone_or_of_unknown_type_is_an_error(
    copy_of: Callable[[str], Path], l1c: SimpleNamespace
) -> None:
    root = copy_of("02.07")
    mask = next(root.rglob("MSK_CLOUDS_B00.gml"))
    mask.write_text(l1c.gml([("OPAQUE", [SQUARE])], epsg=32632))
    with pytest.raises(GridMismatch, match="32632; expected EPSG:32631"):
        flags_of(root, 10)
    mask.write_text(l1c.gml([("SHADE", [SQUARE])]))
    with pytest.raises(CorruptFile, match='"SHADE"; expected OPAQUE, CIRRUS'):
        flags_of(root, 10)


@pytest.mark.parametrize("text", ["300000 4700000 300010 4700000", "1 2 3 4 5 6 7", "a b c d e f g h"])
def test_broken_ring_is_an_error(copy_of: Callable[[str], Path], l1c: SimpleNamespace, text: str) -> None:
    root = copy_of("02.07")
    mask = next(root.rglob("MSK_CLOUDS_B00.gml"))
    whole = l1c.gml([("OPAQUE", [SQUARE])])
    start, end = whole.index('srsDimension="2">') + 17, whole.index("</gml:posList>")
    mask.write_text(whole[:start] + text + whole[end:])
    with pytest.raises(CorruptFile, match=r"MSK_CLOUDS_B00\.gml"):
        flags_of(root, 10)


@pytest.mark.parametrize("kind", ["CLOUDS_B00", "DEFECT_B09"])
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('srsDimension="2"', 'srsDimension="x"', 'srsDimension of a posList is "x"; expected 2 or 3'),
        ('srsDimension="2"', 'srsDimension="4"', 'srsDimension of a posList is "4"; expected 2 or 3'),
        ('srsDimension="2">', 'srsDimension="2">inf ', 'a number of a posList is "inf"; expected a finite number'),
        ('srsDimension="2">', 'srsDimension="2">1 ', "a ring of 11 numbers in 2 dimensions"),
    ],
)
def test_broken_vectors_are_found_before_any_band_is_decoded(
    copy_of: Callable[[str], Path], l1c: SimpleNamespace, kind: str, old: str, new: str, message: str
) -> None:
    root = copy_of("02.07")
    mask = next(root.rglob(f"MSK_{kind}.gml"))
    text = l1c.gml([("OPAQUE", [SQUARE])])
    assert old in text
    mask.write_text(text.replace(old, new))
    with open_safe(root) as files, pytest.raises(CorruptFile, match=rf"MSK_{kind}\.gml: {message}"):
        check_masks(files, read_l1c(files))


def test_real_cloud_mask_has_94_opaque_polygons(realdata: Path) -> None:
    path = next((realdata / "s2_safe_metadata/eo-datasets/wagl-input").glob("*.zip"))
    with open_safe(path) as files:
        metadata = read_l1c(files)
        polygons = list(gml_polygons(files, metadata.masks["MSK_CLOUDS", None], epsg=metadata.epsg))
    assert [kind for kind, _ in polygons] == ["OPAQUE"] * 94  # as `grep -c '<eop:MaskFeature'` counts
