"""Fetching links a product, compares it with its manifest, and leaves nothing half-made."""

import hashlib
import json
import os
import zipfile
from pathlib import Path

import pytest

from cropstack.catalogue.contents import read_contents, read_manifest
from cropstack.catalogue.fetch_product import fetch_product
from cropstack.errors import CatalogueError, CorruptFile, ProductError
from cropstack.listing import stamp
from cropstack.safe import open_safe

ID = "S2A_MSIL1C_20190412T105031_N0207_R051_T31TCG_20190412T111111"
BAND = "GRANULE/L1C_T31TCG/IMG_DATA/T31TCG_B02.jp2"
FILES = {
    "MTD_MSIL1C.xml": b"<a/>",
    "GRANULE/L1C_T31TCG/MTD_TL.xml": b"<b/>",
    BAND: bytes(range(256)) * 4,
    "HTML/index.html": b"<html/>",
}


def manifest(files: dict[str, bytes], algorithm: str = "MD5") -> bytes:
    streams = "".join(
        f'<dataObject><byteStream size="{len(content)}"><fileLocation href="./{name}"/><checksum checksumName='
        f'"{algorithm}">{hashlib.new(algorithm.lower().replace("-", "_"), content).hexdigest().upper()}</checksum>'
        "</byteStream></dataObject>"
        for name, content in files.items()
    )
    return f'<x:XFDU xmlns:x="urn:ccsds:schema:xfdu:1">{streams}</x:XFDU>'.encode()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A SAFE directory whose manifest agrees with its files."""
    folder = tmp_path / "mine" / "renamed.SAFE"
    for name, content in {**FILES, "manifest.safe": manifest(FILES)}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "archive" / "products"


def fetch(source: Path, archive: Path, *, seen: str | None = None) -> Path:
    """Fetch `source` as found by a search that saw the stamp `seen`."""
    fetched = archive / f"{ID}.fetched.json"
    fetch_product(
        fetched,
        provider="folder",
        folder=str(source.parent),
        product=ID,
        href=source.name,
        form="safe",
        stamp=seen or stamp(source),
    )
    return fetched


def test_product_is_linked_beside_its_record(source: Path, archive: Path) -> None:
    record = json.loads(fetch(source, archive).read_text())
    names = sorted([*FILES, "manifest.safe"])
    lines = [f"{name} {hashlib.sha256((source / name).read_bytes()).hexdigest()}\n" for name in names]
    assert record == {
        "product": ID,
        "path": f"{ID}.SAFE",
        "form": "safe",
        "provider": "folder",
        "stamp": stamp(source),
        "bytes": sum((source / name).stat().st_size for name in names),
        "digest": "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest(),
    }
    assert (archive / record["path"]).is_symlink()
    assert (archive / record["path"] / BAND).read_bytes() == FILES[BAND]


def test_zip_and_directory_of_one_product_have_one_digest(source: Path, archive: Path, tmp_path: Path) -> None:
    packed = tmp_path / "product.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for file in sorted(p for p in source.rglob("*") if p.is_file()):
            target.write(file, f"{ID}.SAFE/{file.relative_to(source)}")
    of_folder = json.loads(fetch(source, archive).read_text())
    of_zip = json.loads(fetch(packed, archive).read_text())
    assert of_zip["path"] == f"{ID}.zip"
    assert (of_zip["digest"], of_zip["bytes"]) == (of_folder["digest"], of_folder["bytes"])


def test_link_is_relative_inside_the_project_and_absolute_outside(
    source: Path, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(source, archive)
    assert (archive / f"{ID}.SAFE").readlink() == source
    monkeypatch.chdir(tmp_path)
    fetch(source, archive)
    assert (archive / f"{ID}.SAFE").readlink() == Path("../../mine/renamed.SAFE")


def test_fetching_twice_writes_the_same_bytes(source: Path, archive: Path) -> None:
    assert fetch(source, archive).read_bytes() == fetch(source, archive).read_bytes()


def test_reading_with_gdal_in_between_changes_nothing(source: Path, archive: Path) -> None:
    before = fetch(source, archive).read_bytes()
    seen = stamp(source)
    (source / f"{BAND}.aux.xml").write_text("<PAMDataset/>")  # what GDAL leaves when it computes statistics
    assert fetch(source, archive, seen=seen).read_bytes() == before


@pytest.mark.parametrize("algorithm", ["MD5", "SHA3-256"])
def test_truncated_band_is_named_and_nothing_stays(source: Path, archive: Path, algorithm: str) -> None:
    (source / "manifest.safe").write_bytes(manifest(FILES, algorithm))
    (source / BAND).write_bytes(FILES[BAND][:-7])
    with pytest.raises(CorruptFile, match=r"T31TCG_B02\.jp2 has 1017 bytes; manifest\.safe lists 1024"):
        fetch(source, archive)
    assert list(archive.iterdir()) == []
    assert (source / BAND).exists()  # only the link is taken away


def test_error_names_the_original_because_the_link_is_taken_away(source: Path, archive: Path) -> None:
    (source / BAND).unlink()
    with pytest.raises(CorruptFile, match=rf"^{source}: GRANULE/"):
        fetch(source, archive)


def test_product_with_a_file_name_that_is_not_utf8_has_a_digest(source: Path, archive: Path) -> None:
    Path(os.fsdecode(bytes(source) + b"/caf\xe9.txt")).write_bytes(b"")
    assert json.loads(fetch(source, archive).read_text())["digest"].startswith("sha256:")


@pytest.mark.parametrize(("algorithm", "name"), [("MD5", "md5"), ("SHA3-256", "sha3_256")])
def test_one_changed_byte_of_equal_size_is_found(source: Path, archive: Path, algorithm: str, name: str) -> None:
    (source / "manifest.safe").write_bytes(manifest(FILES, algorithm))
    fetch(source, archive)
    (source / BAND).write_bytes(FILES[BAND][:-1] + b"\0")
    with pytest.raises(CorruptFile, match=rf"T31TCG_B02\.jp2 has the {name} checksum"):
        fetch(source, archive)


def test_missing_band_is_named_and_a_missing_page_only_said(
    source: Path, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "HTML/index.html").unlink()
    fetch(source, archive)
    assert "it lacks HTML/index.html, which no step reads" in capsys.readouterr().out
    (source / BAND).unlink()
    with pytest.raises(CorruptFile, match=r"T31TCG_B02\.jp2 is listed in manifest\.safe and missing"):
        fetch(source, archive)


def test_unknown_checksum_is_refused(source: Path, archive: Path) -> None:
    (source / "manifest.safe").write_bytes(manifest(FILES).replace(b'"MD5"', b'"CRC-7"'))
    with pytest.raises(ProductError, match=r'manifest\.safe has the checksum "CRC-7"; expected MD5 or SHA3-256'):
        fetch(source, archive)


def test_product_without_a_manifest_is_taken_unverified(
    source: Path, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "manifest.safe").unlink()
    assert json.loads(fetch(source, archive).read_text())["bytes"] == sum(map(len, FILES.values()))
    assert "unverified: no manifest.safe lists its files" in capsys.readouterr().out


def test_interrupted_fetch_leaves_no_record_and_the_next_one_completes(
    source: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fetch(source, archive).read_bytes()
    (archive / f"{ID}.fetched.json").unlink()

    def interrupt(files: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cropstack.catalogue.fetch_product.read_contents", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetch(source, archive)
    assert [path.name for path in archive.iterdir()] == [f"{ID}.SAFE"]  # whole, but not vouched for
    assert fetch(source, archive).read_bytes() == whole


def test_source_that_changed_since_the_search_is_refused(source: Path, archive: Path) -> None:
    seen = stamp(source)
    (source / BAND).write_bytes(b"replaced")
    with pytest.raises(
        CatalogueError, match=r"renamed\.SAFE: its files changed since .* Delete build/catalogue/products\.csv and"
    ):
        fetch(source, archive, seen=seen)
    assert not archive.exists()


def test_source_that_is_gone_is_named(source: Path, archive: Path) -> None:
    seen = stamp(source)
    source.rename(source.with_name("elsewhere"))
    with pytest.raises(CatalogueError, match=r"renamed\.SAFE: .* was found here and is gone"):
        fetch(source, archive, seen=seen)


def test_zip_that_climbs_is_refused_and_nothing_stays(archive: Path, tmp_path: Path) -> None:
    packed = tmp_path / "climbs.zip"
    with zipfile.ZipFile(packed, "w") as target:
        target.writestr(f"{ID}.SAFE/MTD_MSIL1C.xml", "<a/>")
        target.writestr(f"{ID}.SAFE/../../escaped.txt", "x")
    with pytest.raises(CorruptFile, match=r"escaped\.txt"):
        fetch(packed, archive)
    assert list(archive.iterdir()) == []
    assert not list(tmp_path.rglob("escaped.txt"))


def test_zip_with_a_flipped_byte_is_refused(archive: Path, tmp_path: Path) -> None:
    packed = tmp_path / "flipped.zip"
    with zipfile.ZipFile(packed, "w") as target:
        target.writestr(f"{ID}.SAFE/MTD_MSIL1C.xml", "<a/>")
        target.writestr(f"{ID}.SAFE/{BAND}", FILES[BAND])
    content = bytearray(packed.read_bytes())
    content[content.index(FILES[BAND]) + 5] ^= 1
    packed.write_bytes(content)
    with pytest.raises(CorruptFile, match="B02"):
        fetch(packed, archive)


def test_manifests_of_real_products_agree_with_their_files(realdata: Path) -> None:
    """MD5 (2020) and SHA3-256 (2021, 2023) as ESA wrote them, over the metadata files that were kept."""
    found = {}
    for path in sorted((realdata / "s2_safe_metadata").glob("*/**/S2?_MSIL1C_*.SAFE")):
        with open_safe(path) as files:
            listed = read_manifest(files)
            algorithms = {entry.algorithm for entry in listed.values()}
            name = "MTD_MSIL1C.xml"
            agrees = hashlib.new(listed[name].algorithm, files.read(name)).hexdigest() == listed[name].checksum
            found[path.name[:26]] = (len(listed), algorithms, agrees)
    assert found == {
        "S2A_MSIL1C_20200717T221941": (97, {"md5"}, True),
        "S2A_MSIL1C_20210908T042701": (97, {"sha3_256"}, True),
        "S2B_MSIL1C_20230823T095559": (59, {"sha3_256"}, True),
    }


def test_real_zip_with_shrunken_bands_is_refused(realdata: Path) -> None:
    (path,) = (realdata / "s2_safe_metadata/eo-datasets/wagl-input").glob("*.zip")
    with open_safe(path) as files, pytest.raises(CorruptFile, match=r"_B01\.jp2 has 2655 bytes; .* lists 2162686"):
        read_contents(files)
