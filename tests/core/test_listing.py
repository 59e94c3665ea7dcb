"""What lies in a folder is noticed by name, size and time, and not by reading it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cropstack.errors import ConfigError, CorruptFile
from cropstack.listing import find_products, listing_digest, size_bytes, stamp


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two products, one of them deep down and not called .SAFE, and a zip."""
    for name in ("a/A.SAFE", "deep/down/product"):
        granule = tmp_path / name / "GRANULE" / "L1C"
        granule.mkdir(parents=True)
        (granule / "B02.jp2").write_bytes(b"pixels")
        (tmp_path / name / "MTD_MSIL1C.xml").write_text("<a/>")
    (tmp_path / "b.zip").write_bytes(b"zip")
    (tmp_path / "notes.txt").write_text("mine")
    return tmp_path


def test_products_are_found_at_any_depth_and_not_descended_into(folder: Path) -> None:
    (folder / "a/A.SAFE/GRANULE/inner.zip").write_bytes(b"")
    assert [found.path for found in find_products(folder)] == ["a/A.SAFE", "b.zip", "deep/down/product"]


def test_reading_a_product_does_not_change_the_digest(folder: Path) -> None:
    before = listing_digest(folder)
    for file in folder.rglob("*.*"):
        if file.is_file():
            file.read_bytes()
            os.utime(file, ns=(1, file.stat().st_mtime_ns))  # another time of access
    (folder / "a/A.SAFE/MTD_MSIL1C.xml.aux.xml").write_text("GDAL was here")
    (folder / "notes.txt").write_text("changed")
    assert listing_digest(folder) == before
    assert listing_digest(str(folder)) == before


@pytest.mark.parametrize("change", ["new zip", "new directory", "removed", "zip grows", "renamed", "metadata replaced"])
def test_a_product_that_comes_goes_or_is_replaced_changes_the_digest(folder: Path, change: str) -> None:
    before = listing_digest(folder)
    match change:
        case "new zip":
            (folder / "deep/new.ZIP").write_bytes(b"")
        case "new directory":
            (folder / "new.SAFE").mkdir()
        case "removed":
            (folder / "b.zip").unlink()
        case "zip grows":
            time = (folder / "b.zip").stat().st_mtime_ns
            (folder / "b.zip").write_bytes(b"zip and more")
            os.utime(folder / "b.zip", ns=(time, time))  # a copy that keeps times
        case "renamed":
            (folder / "a/A.SAFE").rename(folder / "a/B.SAFE")
        case "metadata replaced":
            (folder / "a/A.SAFE/MTD_MSIL1C.xml").write_text("<b/>")
            os.utime(folder / "a/A.SAFE/MTD_MSIL1C.xml", ns=(1, 1))
    assert listing_digest(folder) != before


def test_copies_in_progress_under_a_dotted_name_are_not_seen(folder: Path) -> None:
    before = listing_digest(folder)
    (folder / ".b.zip.Xy12").write_bytes(b"half")
    (folder / ".tmp-C.SAFE").mkdir()
    assert listing_digest(folder) == before


def test_symbolic_links_are_followed_once(folder: Path) -> None:
    before = [found.path for found in find_products(folder)]
    (folder / "z_again").symlink_to(folder / "a")
    (folder / "deep/loop").symlink_to(folder)
    assert [found.path for found in find_products(folder)] == before


def test_no_folder_is_no_digest_and_a_missing_one_an_error(tmp_path: Path) -> None:
    assert listing_digest(None) == ""
    with pytest.raises(ConfigError, match=r"gone: cannot be listed \(No such file or directory\); expected a"):
        listing_digest(tmp_path / "gone")


def test_stamp_sees_every_file_of_a_product_and_size_counts_them(folder: Path) -> None:
    product = folder / "a/A.SAFE"
    before = stamp(product)
    assert size_bytes(product) == len("pixels") + len("<a/>")
    (product / "GRANULE/L1C/B02.jp2.aux.xml").write_text("GDAL was here")
    assert stamp(product) == before
    (product / "GRANULE/L1C/B02.jp2").write_bytes(b"fewer")
    assert stamp(product) != before
    zipped = stamp(folder / "b.zip")
    (folder / "b.zip").write_bytes(b"more than a zip")
    assert stamp(folder / "b.zip") != zipped


def test_import_is_light_because_the_snakefile_imports_it() -> None:
    code = "import sys, cropstack.listing; print(sorted({'numpy', 'h5py', 'rasterio', 'shapely'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("target", ["nowhere", "manifest.safe"])
def test_manifest_that_leads_nowhere_or_to_itself_stops_no_digest(folder: Path, target: str) -> None:
    before = listing_digest(folder)
    (folder / "a/A.SAFE/manifest.safe").symlink_to(target)
    (folder / "itself").symlink_to("itself")
    assert listing_digest(folder) != before
    with pytest.raises(CorruptFile, match=r"A\.SAFE/manifest\.safe: cannot be reached"):
        stamp(folder / "a/A.SAFE")
    with pytest.raises(CorruptFile, match=r"A\.SAFE/manifest\.safe: cannot be reached"):
        size_bytes(folder / "a/A.SAFE")


def test_folder_whose_name_is_not_utf8_has_a_digest(folder: Path) -> None:
    before = listing_digest(folder)
    (folder / "a").rename(os.fsdecode(bytes(folder) + b"/\xe9t\xe9"))
    assert listing_digest(folder) != before
