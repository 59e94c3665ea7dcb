"""SAFE directories and zips, and the metadata in them."""

import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import shapely

from cropstack.bands import S2_BANDS
from cropstack.errors import CorruptFile, GridMismatch, MissingBand, OffsetError, ProductError
from cropstack.safe import L1CMetadata, mean_direction, open_safe, product_from, read_l1c

DOCTYPE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'


def read(path: Path) -> L1CMetadata:
    with open_safe(path) as files:
        return read_l1c(files)


def zipped(root: Path, target: Path, folder: str = "") -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(root.rglob("*")):
            archive.write(file, f"{folder}{root.name}/{file.relative_to(root)}")
    return target


def edit(root: Path, name: str, old: str, new: str) -> None:
    path = next(root.rglob(name))
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


# --- files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["", "delivery/2019/"])
def test_zip_and_directory_hold_the_same(copy_of: Callable[[str], Path], tmp_path: Path, folder: str) -> None:
    root = copy_of("02.07")
    with open_safe(root) as files, open_safe(zipped(root, tmp_path / "product.zip", folder)) as packed:
        assert packed.names() == files.names()
        assert read_l1c(packed) == read_l1c(files)
        name = read_l1c(files).band_files["B09"]
        assert packed.read(name) == files.read(name)
        with files.raster(name) as one, packed.raster(name) as other:
            np.testing.assert_array_equal(one.read(), other.read())
            assert (one.crs, one.transform) == (other.crs, other.transform)


@pytest.mark.parametrize("member", ["../evil.txt", "/etc/evil.txt", "S2A.SAFE/../../evil.txt", "C:\\evil.txt"])
def test_zip_with_a_climbing_or_absolute_member_is_refused(
    copy_of: Callable[[str], Path], tmp_path: Path, member: str
) -> None:
    path = zipped(copy_of("02.07"), tmp_path / "product.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, b"")
    with pytest.raises(CorruptFile, match=r"evil\.txt.*absolute or climbing"), open_safe(path):
        pass


def test_zip_with_a_member_twice_is_refused(copy_of: Callable[[str], Path], tmp_path: Path) -> None:
    root = copy_of("02.07")
    path = zipped(root, tmp_path / "product.zip")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(f"{root.name}/MTD_MSIL1C.xml", b"<other/>")
    with pytest.raises(CorruptFile, match="stands twice"), open_safe(path):
        pass


def test_truncated_zip_is_refused(copy_of: Callable[[str], Path], tmp_path: Path) -> None:
    path = zipped(copy_of("02.07"), tmp_path / "product.zip")
    path.write_bytes(path.read_bytes()[:-100])
    with (
        pytest.raises(CorruptFile, match=r"product\.zip: neither a SAFE directory nor a readable zip"),
        open_safe(path),
    ):
        pass


def test_flipped_byte_in_a_zip_fails_its_checksum(copy_of: Callable[[str], Path], tmp_path: Path) -> None:
    root = copy_of("02.07")
    path = zipped(root, tmp_path / "product.zip")
    name = read(root).band_files["B09"]
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo(f"{root.name}/{name}")
    content = bytearray(path.read_bytes())
    content[place.header_offset + 30 + len(place.filename) + place.compress_size // 2] ^= 0xFF
    path.write_bytes(content)
    with open_safe(path) as files, pytest.raises(CorruptFile, match=r"B09\.jp2 cannot be unpacked"):
        files.read(name)


def test_folder_without_metadata_or_around_the_product_is_refused(copy_of: Callable[[str], Path]) -> None:
    root = copy_of("02.07")
    with pytest.raises(CorruptFile, match=rf"deeper, in {root.name}/"), open_safe(root.parent):
        pass
    (root / "MTD_MSIL1C.xml").unlink()
    with pytest.raises(CorruptFile, match=r"0 files MTD_MSIL1C\.xml"), open_safe(root):
        pass


def test_errors_of_a_linked_product_name_where_it_lies(copy_of: Callable[[str], Path], tmp_path: Path) -> None:
    root = copy_of("02.07")
    link = tmp_path / "product.SAFE"
    link.symlink_to(root)
    where = rf"product\.SAFE \(a link to {re.escape(str(root.resolve()))}\): "
    with open_safe(link) as files, pytest.raises(MissingBand, match=where + r"no/such\.jp2 is missing"):
        files.content("no/such.jp2")
    (root / "MTD_MSIL1C.xml").unlink()
    message = r"holds 0 files MTD_MSIL1C\.xml; expected the one of a Level-1C product\. Fetch the product again\."
    with pytest.raises(CorruptFile, match=where + message), open_safe(link):
        pass
    shutil.rmtree(root)
    with pytest.raises(CorruptFile, match=where + "neither a SAFE directory nor"), open_safe(link):
        pass


def test_file_that_is_not_there_is_named(copy_of: Callable[[str], Path]) -> None:
    with open_safe(copy_of("02.07")) as files, pytest.raises(MissingBand, match=r"no/such\.jp2 is missing"):
        files.content("no/such.jp2")


def test_image_that_is_none_is_corrupt(copy_of: Callable[[str], Path]) -> None:
    root = copy_of("02.07")
    name = read(root).band_files["B09"]
    (root / name).write_bytes(b"<html/>")
    with (
        open_safe(root) as files,
        pytest.raises(CorruptFile, match=r"B09.*not readable as an image"),
        files.raster(name),
    ):
        pass


# --- metadata -----------------------------------------------------------------------------------------


def test_metadata_of_a_product(copy_of: Callable[[str], Path], l1c: SimpleNamespace) -> None:
    root = copy_of("05.00")
    found = read(root)
    assert found.product_id + ".SAFE" == root.name
    assert (found.tile, found.platform, found.datatake, found.relative_orbit) == ("31TCG", "S2A", "20190412T105031", 51)
    assert found.sensing.isoformat() == "2019-04-12T10:56:27.461000+00:00"
    assert found.offsets == {band.name: -1000 for band in S2_BANDS}
    assert (found.epsg, found.upper_left, found.sizes[60]) == (32631, l1c.upper_left, (122, 122))
    assert list(found.band_files) == [band.name for band in S2_BANDS]
    assert found.mean_sun == (35.5, 152.25)
    assert found.mean_view["B8A"] == (15.0, 2.0)
    assert found.footprint.bounds == (0.5, 41.4, 1.9, 42.4)
    product = product_from(found, href="x", size_bytes=7, stamp="s")
    assert (product.id, product.sensing, product.form, product.offset_state) == (
        found.product_id,
        found.sensing,
        "safe",
        "in_metadata",
    )


@pytest.mark.parametrize("name", ["MTD_MSIL1C.xml", "MTD_TL.xml"])
@pytest.mark.parametrize(
    ("declaration", "prefix"),
    [('xmlns:n1="urn:new"', "n1:"), ('xmlns:ns7="urn:new"', "ns7:"), ('xmlns="urn:new"', ""), ("", "")],
)
def test_namespaces_do_not_matter(copy_of: Callable[[str], Path], name: str, declaration: str, prefix: str) -> None:
    root = copy_of("05.00")
    before = read(root)
    path = next(root.rglob(name))
    path.write_text(re.sub(r'xmlns:n1="[^"]*"', declaration, path.read_text()).replace("<n1:", f"<{prefix}"))
    edit(root, name, "</n1:", f"</{prefix}")
    assert read(root) == before


@pytest.mark.parametrize("letter", ["A", "B", "C", "D"])
def test_all_four_satellites(copy_of: Callable[[str], Path], letter: str) -> None:
    root = copy_of("02.07")
    edit(root, "MTD_MSIL1C.xml", "Sentinel-2A", f"Sentinel-2{letter}")
    assert read(root).platform == f"S2{letter}"


def test_unknown_processing_baseline_is_read_as_its_metadata_says(copy_of: Callable[[str], Path]) -> None:
    root = copy_of("05.00")
    edit(root, "MTD_MSIL1C.xml", "<PROCESSING_BASELINE>05.00", "<PROCESSING_BASELINE>06.13")
    edit(root, "MTD_MSIL1C.xml", 'band_id="12">-1000', 'band_id="12">-900')
    assert read(root).offsets["B12"] == -900
    assert read(root).offsets["B11"] == -1000


@pytest.mark.parametrize(
    ("baseline", "old", "new", "message"),
    [
        ("02.07", "<PROCESSING_BASELINE>02.07", "<PROCESSING_BASELINE>04.00", r"04\.00 without RADIO_ADD_OFFSET"),
        ("05.00", '<RADIO_ADD_OFFSET band_id="8">-1000</RADIO_ADD_OFFSET>', "", r"B11, B12 \(12 elements\)"),
        ("05.00", 'band_id="8"', 'band_id="7"', r"\(13 elements\); expected one for each"),
        ("05.00", 'band_id="8"', 'band_id="13"', "expected one for each"),
        ("05.00", 'band_id="8">-1000', 'band_id="8">', 'RADIO_ADD_OFFSET of B8A is "None"'),
        ("05.00", 'band_id="8">-1000', 'band_id="8">1000', "B8A is 1000; expected"),
        ("05.00", "<PROCESSING_BASELINE>05.00", "<PROCESSING_BASELINE>02.07", r"02\.07; expected none before 04\.00"),
        ("05.00", "<PROCESSING_BASELINE>05.00", "<PROCESSING_BASELINE>five", '"five"; expected a number such as'),
    ],
)
def test_contradictory_offsets_are_refused(
    copy_of: Callable[[str], Path], baseline: str, old: str, new: str, message: str
) -> None:
    root = copy_of(baseline)
    edit(root, "MTD_MSIL1C.xml", old, new)
    with pytest.raises(OffsetError, match=rf"MTD_MSIL1C\.xml.*{message}.*Fetch the product again"):
        read(root)


@pytest.mark.parametrize("name", ["MTD_MSIL1C.xml", "MTD_TL.xml"])
def test_broken_xml_is_named(copy_of: Callable[[str], Path], name: str) -> None:
    root = copy_of("02.07")
    path = next(root.rglob(name))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CorruptFile, match=rf"{name} is not well-formed XML.*Fetch the product again"):
        read(root)


@pytest.mark.parametrize("doctype", [DOCTYPE, "<!DOCTYPE x>", '<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">'])
@pytest.mark.parametrize("name", ["MTD_MSIL1C.xml", "MTD_TL.xml"])
def test_xml_with_entities_or_a_dtd_is_refused(copy_of: Callable[[str], Path], name: str, doctype: str) -> None:
    root = copy_of("02.07")
    edit(root, name, '<?xml version="1.0" encoding="UTF-8"?>', f'<?xml version="1.0" encoding="UTF-8"?>{doctype}')
    with pytest.raises(CorruptFile, match=rf"{name} declares a document type"):
        read(root)


def test_entities_that_grow_without_end_are_refused_at_once(copy_of: Callable[[str], Path]) -> None:
    root = copy_of("02.07")
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(30))
    edit(root, "MTD_MSIL1C.xml", "?>", f'?><!DOCTYPE x [<!ENTITY e0 "lol">{entities}]>')
    edit(root, "MTD_MSIL1C.xml", "Sentinel-2A<", "&e30;<")
    with pytest.raises(CorruptFile, match=r"MTD_MSIL1C\.xml"):
        read(root)


@pytest.mark.parametrize(
    ("name", "old", "new", "error", "message"),
    [
        ("MTD_MSIL1C.xml", "PRODUCT_URI>", "X>", CorruptFile, "has no PRODUCT_URI"),
        ("MTD_MSIL1C.xml", ">51<", ">fifty<", CorruptFile, 'ORBIT_NUMBER is "fifty"; expected a finite number'),
        ("MTD_MSIL1C.xml", ">51<", ">0<", ProductError, "ORBIT_NUMBER is 0; expected 1 to 143"),
        ("MTD_MSIL1C.xml", ">51<", ">144<", ProductError, "ORBIT_NUMBER is 144; expected 1 to 143"),
        ("MTD_MSIL1C.xml", ">51<", ">51.5<", CorruptFile, r"ORBIT_NUMBER is 51\.5; expected a whole number"),
        ("MTD_MSIL1C.xml", ">4.25<", ">NaN<", CorruptFile, 'Cloud_Coverage_Assessment is "NaN"; expected a finite'),
        ("MTD_MSIL1C.xml", ">4.25<", ">inf<", CorruptFile, 'Cloud_Coverage_Assessment is "inf"; expected a finite'),
        ("MTD_MSIL1C.xml", ">4.25<", ">1e400<", CorruptFile, 'Cloud_Coverage_Assessment is "1e400"; expected a fin'),
        ("MTD_MSIL1C.xml", ">4.25<", ">100.0001<", ProductError, r"Cloud.* is 100\.0001; expected 0 to 100"),
        ("MTD_MSIL1C.xml", ">4.25<", ">-1<", ProductError, "Cloud_Coverage_Assessment is -1; expected 0 to 100"),
        ("MTD_TL.xml", "AGE>0<", "AGE>NaN<", CorruptFile, 'DEGRADED_MSI_DATA_PERCENTAGE is "NaN"; expected a finite'),
        ("MTD_TL.xml", "AGE>0<", "AGE>101<", ProductError, "DEGRADED_MSI_DATA_PERCENTAGE is 101; expected 0 to 100"),
        ("MTD_MSIL1C.xml", "0.5 42.4 0.5 </EXT", "0.5 42.4 inf </EXT", CorruptFile, 'EXT_POS_LIST is "inf"; exp'),
        ("MTD_MSIL1C.xml", "42.4 1.9", "42.4 east", CorruptFile, 'EXT_POS_LIST is "east"; expected a finite number'),
        ("MTD_MSIL1C.xml", "42.4 1.9", "42.4 180.1", CorruptFile, r"EXT_POS_LIST has the position 42\.4 180\.1; exp"),
        ("MTD_MSIL1C.xml", "42.4 1.9", "-90.1 1.9", CorruptFile, r"EXT_POS_LIST has the position -90\.1 1\.9; exp"),
        ("MTD_MSIL1C.xml", "1.9", "0.5", CorruptFile, "EXT_POS_LIST of 5 positions encloses no area"),
        ("MTD_MSIL1C.xml", "Level-1C<", "Level-2A<", ProductError, '"Level-2A"; expected "Level-1C"'),
        ("MTD_MSIL1C.xml", "Sentinel-2A", "Landsat", CorruptFile, 'SPACECRAFT_NAME is "Landsat"'),
        ("MTD_MSIL1C.xml", "0.5 42.4 0.5 </EXT", "0.5 </EXT", CorruptFile, "no closed ring"),
        ("MTD_TL.xml", "<ULX>", "<ULX>9", GridMismatch, "Geoposition at"),
        ("MTD_TL.xml", 'Size resolution="20"', 'Size resolution="30"', CorruptFile, "expected 10, 20, 60 m"),
        ("MTD_TL.xml", 'Size resolution="20"', "Size", CorruptFile, 'resolution of Size is "None"; expected a whole'),
        ("MTD_TL.xml", 'Size resolution="20"', 'Size resolution="R20"', CorruptFile, 'resolution of Size is "R20"'),
        ("MTD_TL.xml", 'position resolution="20"', "position", CorruptFile, 'resolution of Geoposition is "None"'),
        ("MTD_TL.xml", 'position resolution="20"', 'position resolution=""', CorruptFile, 'of Geoposition is ""; exp'),
        ("MTD_TL.xml", ">35.5<", ">high<", CorruptFile, 'ZENITH_ANGLE of Mean_Sun_Angle is "high"; expected a finite'),
        ("MTD_TL.xml", ">35.5<", ">NaN<", CorruptFile, 'ZENITH_ANGLE of Mean_Sun_Angle is "NaN"; expected a finite'),
        ("MTD_TL.xml", ">152.25<", ">inf<", CorruptFile, 'AZIMUTH_ANGLE of Mean_Sun_Angle is "inf"; expected a fin'),
        ("MTD_TL.xml", ">152.25<", "><", CorruptFile, 'AZIMUTH_ANGLE of Mean_Sun_Angle is ""; expected a finite'),
        ("MTD_TL.xml", "ANGLE>15<", "ANGLE>inf<", CorruptFile, 'of Mean_Viewing_Incidence_Angle is "inf"; expected'),
        ("MTD_TL.xml", ">2019-04-12T", ">yesterday ", CorruptFile, "SENSING_TIME.*expected a time"),
    ],
)
def test_element_that_is_missing_or_wrong_is_named(
    copy_of: Callable[[str], Path], name: str, old: str, new: str, error: type[Exception], message: str
) -> None:
    root = copy_of("02.07")
    text = next(root.rglob(name)).read_text()
    next(root.rglob(name)).write_text(text.replace(old, new, 1) if "ULX" in old else text.replace(old, new))
    with pytest.raises(error, match=rf"{name}.*{message}.*\.$"):
        read(root)


def test_a_band_that_saw_nothing_of_the_tile_has_no_viewing_angle(copy_of: Callable[[str], Path]) -> None:
    root = copy_of("02.07")
    edit(root, "MTD_TL.xml", "<ZENITH_ANGLE>15<", "<ZENITH_ANGLE>NaN<")  # 7 + band_id 8
    assert set(read(root).mean_view) == {band.name for band in S2_BANDS} - {"B8A"}


def test_offsets_of_zero_for_all_bands_contradict_processing_baseline_04_00(copy_of: Callable[[str], Path]) -> None:
    root = copy_of("05.00")
    edit(root, "MTD_MSIL1C.xml", ">-1000</RADIO", ">0</RADIO")
    with pytest.raises(OffsetError, match=r"MTD_MSIL1C\.xml: RADIO_ADD_OFFSET is 0 for all bands in .* 05\.00; exp"):
        read(root)
    edit(root, "MTD_MSIL1C.xml", "<PROCESSING_BASELINE>05.00", "<PROCESSING_BASELINE>02.07")
    assert set(read(root).offsets.values()) == {0}


def test_other_special_values_are_refused(copy_of: Callable[[str], Path]) -> None:
    root = copy_of("02.07")
    special = "<SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_INDEX>{}</SPECIAL_VALUE_INDEX>"
    tag = "<Product_Image_Characteristics>"
    edit(root, "MTD_MSIL1C.xml", tag, f"{tag}<Special_Values>{special.format(0)}</Special_Values>")
    read(root)
    edit(root, "MTD_MSIL1C.xml", special.format(0), special.format(-1))
    with pytest.raises(ProductError, match="special value NODATA is -1; expected 0"):
        read(root)


def test_product_with_two_granules_is_refused(copy_of: Callable[[str], Path]) -> None:
    root = copy_of("02.07")
    granule = next((root / "GRANULE").iterdir())
    shutil.copytree(granule, granule.with_name("L1C_T31TDG_A019872_20190412T105627"))
    with pytest.raises(ProductError, match="2 granules; expected one tile"):
        read(root)


def test_footprint_over_the_antimeridian_is_cut_there(copy_of: Callable[[str], Path]) -> None:
    root = copy_of("02.07")
    ring = "10 179 10 -179 9 -179 9 179 10 179"
    edit(root, "MTD_MSIL1C.xml", "42.4 0.5 42.4 1.9 41.4 1.9 41.4 0.5 42.4 0.5", ring)
    footprint = read(root).footprint
    assert footprint.area == pytest.approx(2)
    assert sorted(part.bounds for part in footprint.geoms) == [(-180, 9, -179, 10), (179, 9, 180, 10)]


def test_footprint_with_heights(copy_of: Callable[[str], Path]) -> None:
    root = copy_of("02.07")
    edit(root, "MTD_MSIL1C.xml", "42.4 0.5 42.4 1.9 41.4 1.9 41.4 0.5 42.4 0.5", "42 0 7 42 1 7 41 1 7 41 0 7 42 0 7")
    assert read(root).footprint.bounds == (0, 41, 1, 42)


def test_mean_azimuth_does_not_cancel_at_north() -> None:
    assert mean_direction([(1.0, 350.0), (3.0, 20.0)]) == (2.0, 5.0)
    assert mean_direction([(1.0, 10.0), (1.0, 350.0)])[1] == pytest.approx(0, abs=1e-9)
    assert all(np.isnan(mean_direction([])))


# --- real products ------------------------------------------------------------------------------------


@pytest.mark.parametrize("year", ["2020", "2021"])
def test_real_product_equals_its_expected_stac_item(realdata: Path, year: str) -> None:
    """stactools' items lie beside the two products; 2020's folder name lacks the processing baseline."""
    path = next((realdata / "s2_safe_metadata/stactools").glob(f"S2A_MSIL1C_{year}*.SAFE"))
    item = json.loads((path / "expected_output.json").read_text())
    expected = item["properties"]
    found = read(path)
    assert found.product_id + ".SAFE" == expected["s2:product_uri"]
    assert found.processing_baseline == expected["s2:processing_baseline"]
    assert found.cloud == expected["eo:cloud_cover"]
    assert found.relative_orbit == expected["sat:relative_orbit"]
    assert found.orbit_direction == expected["sat:orbit_state"].upper()
    assert found.datatake_id == expected["s2:datatake_id"]
    assert f"MGRS-{found.tile}" == expected["grid:code"]
    assert f"EPSG:{found.epsg}" == expected["proj:code"]
    assert found.platform == expected["platform"].replace("sentinel-2a", "S2A")
    assert found.product_start.strftime("%Y-%m-%dT%H:%M:%S.%fZ") == expected["datetime"]
    assert found.generated.strftime("%Y-%m-%dT%H:%M:%S.%fZ") == expected["s2:generation_time"]
    assert found.degraded_percent == expected["s2:degraded_msi_data_percentage"]
    assert found.mean_sun is not None
    assert (90 - found.mean_sun[0], found.mean_sun[1]) == (expected["view:sun_elevation"], expected["view:sun_azimuth"])
    view = expected["view:incidence_angle"], expected["view:azimuth"]
    assert mean_direction(list(found.mean_view.values())) == pytest.approx(view, abs=1e-9)
    footprint = shapely.geometry.shape(item["geometry"])
    assert found.footprint.symmetric_difference(footprint).area < 1e-5 * footprint.area


def test_real_product_from_processing_baseline_05_09_has_its_offset(realdata: Path) -> None:
    found = read(next((realdata / "s2_safe_metadata/gdal-autotest").glob("fake_l1c_processing*/*.SAFE")))
    assert found.product_id == "S2B_MSIL1C_20230823T095559_N0509_R122_T34UCF_20230823T120234"
    assert found.offsets == {band.name: -1000 for band in S2_BANDS}
    assert found.mean_sun is None  # its Tile_Angles were removed
    assert found.degraded_percent == 0.0019
