"""A user's folder of SAFE directories and zips."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cropstack.errors import ConfigError, CorruptFile, ProductError
from cropstack.product import Product
from cropstack.providers import Query, Reference, folder

Write = Callable[..., Path]
NAME = "S2A_MSIL1C_20190412T105031_N0207_R051_T31TCG_20190412T111111"


def search(location: Path, *, tile: str = "31TCG", year: int = 2019) -> list[Product]:
    return folder.search(Query("s2_l1c", tile, year, location))


def packed(product: Path, target: Path) -> Path:
    """The product as a zip that holds one .SAFE folder; the directory is removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    made = shutil.make_archive(str(target.with_suffix("")), "zip", product.parent, product.name)
    shutil.rmtree(product)
    return Path(made)


def test_directories_and_zips_are_found_at_any_depth_in_order_of_time(tmp_path: Path, write_safe: Write) -> None:
    late = NAME.replace("20190412T105031", "20190502T105031")
    write_safe(tmp_path / "spain" / "spring" / f"{late}.SAFE", name=late, sensing="2019-05-02T10:50:34Z")
    packed(write_safe(tmp_path / "x" / f"{NAME}.SAFE"), tmp_path / "zips" / f"{NAME}.zip")
    assert [(p.id, p.href) for p in search(tmp_path)] == [
        (NAME, f"zips/{NAME}.zip"),
        (late, f"spain/spring/{late}.SAFE"),
    ]


@pytest.mark.parametrize("renamed", ["my first scene", "renamed.SAFE", f"{NAME} (1).SAFE"])
def test_id_is_product_uris_whatever_the_folder_is_called(tmp_path: Path, write_safe: Write, renamed: str) -> None:
    write_safe(tmp_path / renamed)
    (product,) = search(tmp_path)
    assert (product.id, product.href) == (NAME, renamed)
    assert search(tmp_path, tile="31TCJ") == []
    assert search(tmp_path, year=2020) == []


def test_zip_with_a_name_of_its_own_is_looked_into(tmp_path: Path, write_safe: Write) -> None:
    packed(write_safe(tmp_path / f"{NAME}.SAFE"), tmp_path / "download(3).zip")
    assert [p.id for p in search(tmp_path)] == [NAME]


def test_the_folder_may_be_the_product(tmp_path: Path, write_safe: Write) -> None:
    (product,) = search(write_safe(tmp_path / f"{NAME}.SAFE"))
    assert (product.id, product.href) == (NAME, ".")


def test_what_the_metadata_says_becomes_the_product(tmp_path: Path, write_safe: Write) -> None:
    path = write_safe(tmp_path / f"{NAME}.SAFE")
    (product,) = search(tmp_path)
    assert (product.platform, product.datatake, product.relative_orbit) == ("S2A", "20190412T105031", 51)
    assert (product.cloud, product.processing_baseline, product.form) == (3.5, "02.07", "safe")
    assert product.footprint.bounds == (0.5, 41.4, 1.8, 42.4)
    assert product.size_bytes == sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def test_year_is_the_tiles_sensing_time_in_utc(tmp_path: Path, write_safe: Write) -> None:
    """A datatake that began on 31 December and reached the tile in the new year."""
    name = NAME.replace("20190412T105031", "20181231T235945")
    write_safe(tmp_path / f"{name}.SAFE", name=name, sensing="2019-01-01T00:00:05.000Z")
    assert [p.id for p in search(tmp_path, year=2019)] == [name]
    assert search(tmp_path, year=2018) == []


def test_directory_comes_before_a_zip_of_the_same_product(tmp_path: Path, write_safe: Write) -> None:
    packed(write_safe(tmp_path / "x" / f"{NAME}.SAFE"), tmp_path / "a.zip")
    write_safe(tmp_path / "z" / f"{NAME}.SAFE")
    assert [p.href for p in search(tmp_path)] == [f"z/{NAME}.SAFE", "a.zip"]


def test_other_things_in_the_folder_are_left_alone(
    tmp_path: Path, write_safe: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write_safe(tmp_path / f"{NAME}.SAFE")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "holiday.zip").write_bytes(b"no zip at all")
    radar = tmp_path / "S1A_IW_GRDH_1SDV_20190412T060000_20190412T060025_026759_030167_ABCD.SAFE"
    radar.mkdir()
    (radar / "manifest.safe").write_text("<XFDU/>")
    assert [p.id for p in search(tmp_path)] == [NAME]
    said = capsys.readouterr().out
    assert "holiday.zip: left alone, no MTD_MSIL1C.xml in it" in said
    assert "S1A_IW" not in said  # a known name: thousands of them are no news


def test_broken_product_of_the_tile_stops_the_search(tmp_path: Path, write_safe: Write) -> None:
    path = write_safe(tmp_path / f"{NAME}.SAFE")
    (path / "GRANULE/L1C/MTD_TL.xml").write_text("<broken")
    with pytest.raises(CorruptFile, match=rf"{NAME}\.SAFE: GRANULE/L1C/MTD_TL\.xml is not well-formed .* out of the"):
        search(tmp_path)
    assert search(tmp_path, tile="31TCJ") == []  # it is in nobody else's way


@pytest.mark.parametrize("remains", ["empty directory", "truncated zip"])
def test_product_by_name_that_is_none_stops_the_search(tmp_path: Path, write_safe: Write, remains: str) -> None:
    path = write_safe(tmp_path / f"{NAME}.SAFE")
    if remains == "empty directory":
        (path / "MTD_MSIL1C.xml").unlink()
    else:
        zipped = packed(path, tmp_path / f"{NAME}.zip")
        zipped.write_bytes(zipped.read_bytes()[:-100])
    with pytest.raises(CorruptFile, match=NAME):
        search(tmp_path)


@pytest.mark.parametrize("uri", ["../../etc/passwd", "a b", "", ".hidden", "a/b", "S" * 201])
def test_id_that_is_no_file_name_is_refused(tmp_path: Path, write_safe: Write, uri: str) -> None:
    write_safe(tmp_path / "product", name=uri)
    if uri == "":
        (tmp_path / "product/MTD_MSIL1C.xml").write_text("<a/>")
    with pytest.raises(ProductError, match=r"MTD_MSIL1C\.xml has the PRODUCT_URI"):
        search(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tile": "31TCJ"}, rf"{NAME}\.SAFE: TILE_ID names the tile 31TCJ; PRODUCT_URI is {NAME}"),
        ({"sensing": "2018-04-12T10:50:34Z"}, r"SENSING_TIME is 2018-04-12T10:50:34\+00:00; expected the year of"),
        (
            {"name": NAME.replace("T31TCG", "T31TCJ")},
            rf"{NAME}\.SAFE: .* \w+_T31TCJ_\w+\.SAFE; expected the tile and time",
        ),
    ],
)
def test_product_that_contradicts_itself_does_not_vanish(
    tmp_path: Path, write_safe: Write, changes: dict[str, str], message: str
) -> None:
    write_safe(tmp_path / f"{NAME}.SAFE", **changes)
    with pytest.raises(ProductError, match=message):
        search(tmp_path)


@pytest.mark.parametrize("target", ["nowhere", "B02.jp2"])
def test_link_in_a_product_that_leads_nowhere_or_to_itself_is_named(
    tmp_path: Path, write_safe: Write, target: str
) -> None:
    band = write_safe(tmp_path / f"{NAME}.SAFE") / "GRANULE/L1C/IMG_DATA/B02.jp2"
    band.symlink_to(target)
    with pytest.raises(CorruptFile, match=r"IMG_DATA/B02\.jp2: cannot be reached"):
        search(tmp_path)


@pytest.mark.parametrize("ending", [".zip", ".SAFE"])
def test_product_on_a_disk_that_is_not_mounted_is_named(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"{NAME}{ending}").symlink_to("/nowhere/mounted")
    with pytest.raises(CorruptFile, match=rf"{NAME}\{ending}.* neither a SAFE directory nor a readable zip"):
        search(tmp_path)


def test_path_that_is_not_utf8_is_named(tmp_path: Path, write_safe: Write, capsys: pytest.CaptureFixture[str]) -> None:
    Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.zip")).write_bytes(b"no zip")
    assert search(tmp_path) == []
    assert "caf\N{REPLACEMENT CHARACTER}.zip: left alone" in capsys.readouterr().out
    write_safe(Path(os.fsdecode(bytes(tmp_path) + b"/\xe9t\xe9"), f"{NAME}.SAFE"))
    with pytest.raises(ProductError, match=rf"\N{{REPLACEMENT CHARACTER}}/{NAME}\.SAFE: the path is not UTF-8"):
        search(tmp_path)


def test_missing_folder_and_foreign_collection_are_config_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'gone: cannot be listed .* Check the key "folder"'):
        search(tmp_path / "gone")
    with pytest.raises(ConfigError, match='needs the key "folder"'):
        folder.search(Query("s2_l1c", "31TCG", 2019))
    with pytest.raises(ConfigError, match='serves the collection "s2_l1c", not "s2_l2a"'):
        folder.search(Query("s2_l2a", "31TCG", 2019, tmp_path))


def test_found_product_is_fetched_under_its_id(tmp_path: Path, write_safe: Write) -> None:
    write_safe(tmp_path / "mine" / "my scene")
    (product,) = search(tmp_path / "mine")
    href = str(tmp_path / "mine" / product.href)
    path = folder.fetch(Reference(product.id, href, product.form, product.stamp), tmp_path / "archive")
    assert path == tmp_path / "archive" / f"{NAME}.SAFE"
    assert (path / "MTD_MSIL1C.xml").exists()
    assert [entry.name for entry in (tmp_path / "archive").iterdir()] == [path.name]


def test_real_products_are_found_by_tile_and_year(realdata: Path) -> None:
    """Trees of GDAL, eodag (not called .SAFE), stactools (no processing baseline in its name), a zip of eo-datasets."""
    folder = realdata / "s2_safe_metadata"
    wanted = [("34UCF", 2023), ("31TDH", 2018), ("01LAC", 2020), ("53JQJ", 2020), ("31TCG", 2019)]
    found = {(tile, year): [p.id for p in search(folder, tile=tile, year=year)] for tile, year in wanted}
    assert found == {
        ("34UCF", 2023): ["S2B_MSIL1C_20230823T095559_N0509_R122_T34UCF_20230823T120234"],
        ("31TDH", 2018): ["S2A_MSIL1C_20180101T105441_N0206_R051_T31TDH_20180101T124911"],
        ("01LAC", 2020): ["S2A_MSIL1C_20200717T221941_N0209_R029_T01LAC_20200717T234135"],
        ("53JQJ", 2020): ["S2A_MSIL1C_20201031T004711_N0209_R102_T53JQJ_20201031T022859"],
        ("31TCG", 2019): [],
    }
