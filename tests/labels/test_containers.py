"""Archives of declarations: what is read, what is refused."""

import io
import json
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import py7zr
import pytest
import rarfile
import shapely

from cropstack.errors import DeclarationError
from cropstack.labels.containers import MIN_BOMB_BYTES, find_layers, open_declarations
from cropstack.labels.file_kinds import VECTORS

Zipped = Callable[[Path, dict[str, bytes]], Path]
Square = Callable[..., shapely.Polygon]


@pytest.fixture
def geopackage(country: Any, square: Square) -> bytes:
    path: Path = country.declare([{"CULTIU": "ORDI", "geometry": square(0, 0)}])
    return path.read_bytes()


def names(files: list[Path]) -> list[str]:
    with open_declarations(files) as datasets:
        return [path.name for path in datasets]


def test_zip_with_a_folder_and_a_readme(tmp_path: Path, zipped: Zipped, geopackage: bytes) -> None:
    archive = zipped(tmp_path / "a.zip", {"DUN/readme.txt": b"x", "DUN/CULTIUS.gpkg": geopackage})
    assert names([archive]) == ["CULTIUS.gpkg"]


def test_unpacked_files_are_gone_afterwards(tmp_path: Path, zipped: Zipped, geopackage: bytes) -> None:
    with open_declarations([zipped(tmp_path / "a.zip", {"a.gpkg": geopackage})]) as datasets:
        assert datasets[0].exists()
    assert not datasets[0].exists()


@pytest.mark.parametrize("parts", [1, 3])
def test_7z_in_parts_is_joined_in_order(tmp_path: Path, geopackage: bytes, parts: int) -> None:
    (tmp_path / "p.gpkg").write_bytes(geopackage)
    with py7zr.SevenZipFile(tmp_path / "rpg.7z", "w") as archive:
        archive.write(tmp_path / "p.gpkg", "RPG/PARCELLES_GRAPHIQUES.gpkg")
    data = (tmp_path / "rpg.7z").read_bytes()
    size = -(-len(data) // parts)
    files = [tmp_path / f"rpg.7z.{number:03d}" for number in range(1, parts + 1)]
    for number, file in enumerate(files):
        file.write_bytes(data[number * size : (number + 1) * size])
    with open_declarations(files[::-1]) as datasets:
        assert [path.read_bytes() for path in datasets] == [geopackage]
    if parts == 3:
        with pytest.raises(DeclarationError, match=r"rpg\.7z\.002: this part of the archive is missing"):
            names([files[0], files[2]])
        with pytest.raises(DeclarationError, match=r"a part after rpg\.7z\.002 is missing"):
            names(files[:2])


@pytest.mark.parametrize(
    "member", ["../outside.gpkg", "a/../../outside.gpkg", "/outside.gpkg", "C:/outside.gpkg", "..\\out.gpkg"]
)
def test_zip_that_writes_outside_its_folder_is_refused(tmp_path: Path, zipped: Zipped, member: str) -> None:
    with pytest.raises(DeclarationError, match="would be written outside its folder"):
        names([zipped(tmp_path / "a.zip", {member: b"x"})])
    assert not list(tmp_path.rglob("out*.gpkg"))


def test_zip_with_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("parcels.gpkg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(DeclarationError, match=r'"parcels\.gpkg" is a link or a device'):
        names([tmp_path / "a.zip"])


def test_7z_with_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "link.gpkg").symlink_to("secret")
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w") as archive:
        archive.write(tmp_path / "link.gpkg", "link.gpkg")
    with pytest.raises(DeclarationError, match=r'"link\.gpkg" is a link'):
        names([tmp_path / "a.7z"])


@pytest.mark.parametrize("name", ["a.zip", "a.7z"])
def test_truncated_archive(tmp_path: Path, zipped: Zipped, geopackage: bytes, name: str) -> None:
    path = tmp_path / name
    if name == "a.zip":
        zipped(path, {"a.gpkg": geopackage})
    else:
        (tmp_path / "p.gpkg").write_bytes(geopackage)
        with py7zr.SevenZipFile(path, "w") as archive:
            archive.write(tmp_path / "p.gpkg", "p.gpkg")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DeclarationError, match=f"{name}: not readable as a"):
        names([path])


def test_damaged_member_of_a_zip(tmp_path: Path, zipped: Zipped, geopackage: bytes) -> None:
    path = zipped(tmp_path / "a.zip", {"a.gpkg": geopackage})
    data = bytearray(path.read_bytes())
    data[5000] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DeclarationError, match="Bad CRC-32"):
        names([path])


def test_missing_empty_and_foreign_files(tmp_path: Path, zipped: Zipped) -> None:
    with pytest.raises(DeclarationError, match="no such file"):
        names([tmp_path / "a.zip"])
    (tmp_path / "a.zip").touch()
    with pytest.raises(DeclarationError, match=r"empty \(0 bytes\)"):
        names([tmp_path / "a.zip"])
    (tmp_path / "a.lzh").write_bytes(b"-lh5-")
    with pytest.raises(DeclarationError, match=r"a\.lzh: expected one of \.zip, \.7z, \.rar"):
        names([tmp_path / "a.lzh"])
    with pytest.raises(DeclarationError, match=r"no vector file .* but readme\.txt"):
        names([zipped(tmp_path / "a.zip", {"readme.txt": b"x"})])


def test_layer_is_found_in_any_case_by_its_name_or_its_file(country: Any, square: Square) -> None:
    path = country.declare([{"CULTIU": "ORDI", "geometry": square(0, 0)}], name="Parcelles.gpkg")
    assert [one.name for one in find_layers([path], "DUN", origin="x")] == ["dun"]
    assert [one.name for one in find_layers([path], "PARC*", origin="x")] == ["dun"]
    assert [one.name for one in find_layers([path], None, origin="x")] == ["dun"]
    message = 'x: expected layer "dum", found 0; layers with geometry: dun; did you mean "dun"'
    with pytest.raises(DeclarationError, match=message):
        find_layers([path], "dum", origin="x")


def test_two_layers_need_a_name(country: Any, square: Square) -> None:
    rows = [{"CULTIU": "ORDI", "geometry": square(0, 0)}]
    paths = [country.declare(rows, name=name) for name in ("a.gpkg", "b.gpkg")]
    with pytest.raises(DeclarationError, match="expected one layer with geometry, found 2"):
        find_layers(paths, None, origin="x")
    assert [one.path for one in find_layers(paths, "b", origin="x")] == [paths[1]]
    assert [one.path for one in find_layers(paths, "dun", origin="x")] == paths  # pages of one declaration


def test_file_that_is_no_geopackage(tmp_path: Path) -> None:
    (tmp_path / "a.gpkg").write_bytes(b"no database" * 100)
    with pytest.raises(DeclarationError, match=r"x: a\.gpkg starts with b'no database.*\.gpkg stands for a GeoPackage"):
        find_layers([tmp_path / "a.gpkg"], None, origin="x")


@pytest.mark.parametrize("suffix", VECTORS)
@pytest.mark.parametrize(
    "before", ["", '<FeatureCollection xmlns="http://www.opengis.net/gml"/>', '{"type":"Feature"}']
)
def test_file_that_names_another_is_not_followed(
    country: Any, square: Square, tmp_path: Path, zipped: Zipped, suffix: str, before: str
) -> None:
    """A virtual dataset of GDAL under the name of a declaration would read any file or address."""
    secret = country.declare([{"CULTIU": "ORDI", "geometry": square(0, 0)}])
    layer = f'<OGRVRTLayer name="dun"><SrcDataSource>{secret}</SrcDataSource></OGRVRTLayer>'
    virtual = f"{before}<OGRVRTDataSource>{layer}</OGRVRTDataSource>".encode()
    with (
        pytest.raises(DeclarationError, match=rf"its suffix {suffix} stands for a|no vector file"),
        open_declarations([zipped(tmp_path / "a.zip", {f"p{suffix}": virtual})]) as datasets,
    ):
        find_layers(datasets, None, origin="x")


def test_geojson_that_is_a_command_of_gdal_is_not_run(country: Any, square: Square, tmp_path: Path) -> None:
    secret = country.declare([{"CULTIU": "ORDI", "geometry": square(0, 0)}])
    command = {"type": "gdal_streamed_alg", "command_line": f"gdal vector pipeline ! read {secret}"}
    for number, text in enumerate([command, command | {"features": [{"type": "Feature"}]}]):
        (tmp_path / f"{number}.geojson").write_text(json.dumps(text))
        with pytest.raises(DeclarationError, match=r"its suffix \.geojson stands for a GeoJSON with"):
            find_layers([tmp_path / f"{number}.geojson"], None, origin="x")


@pytest.mark.parametrize(
    ("driver", "suffix"),
    [
        ("GPKG", ".gpkg"),
        ("ESRI Shapefile", ".shp"),
        ("FlatGeobuf", ".fgb"),
        ("GeoJSON", ".geojson"),
        ("GML", ".gml"),
        ("GML", ".xml"),
    ],
)
def test_what_gdal_writes_is_what_its_suffix_says(tmp_path: Path, square: Square, driver: str, suffix: str) -> None:
    path = tmp_path / f"dun{suffix}"
    gpd.GeoDataFrame({"CULTIU": ["ORDI"]}, geometry=[square(0, 0)], crs="EPSG:32631").to_file(path, driver=driver)
    assert [layer.path for layer in find_layers([path], None, origin="x")] == [path]


def test_killed_run_leaves_nothing_once_it_is_repeated(tmp_path: Path, zipped: Zipped, geopackage: bytes) -> None:
    archive, scratch = zipped(tmp_path / "a.zip", {"a.gpkg": geopackage}), tmp_path / "build/.tmp-unpacked"
    (scratch / "0").mkdir(parents=True)
    (scratch / "0/left_over.gpkg").write_bytes(geopackage)
    with open_declarations([archive], scratch=scratch) as datasets:
        assert datasets == [scratch / "0/a.gpkg"]
    assert list((tmp_path / "build").iterdir()) == []


# --- tar, rar, archives in archives, bombs ------------------------------------------------------------------


def tarred(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    suffix = path.suffix[1:]
    with tarfile.open(path, f"w:{suffix}" if suffix in ("gz", "bz2", "xz") else "w") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz"])
def test_tar_in_any_compression(tmp_path: Path, geopackage: bytes, name: str) -> None:
    assert names([tarred(tmp_path / name, [(tarfile.TarInfo("dun/a.gpkg"), geopackage)])]) == ["a.gpkg"]


def test_tar_with_a_link_a_device_or_a_way_out_is_refused(tmp_path: Path) -> None:
    link, device = tarfile.TarInfo("a.gpkg"), tarfile.TarInfo("b.gpkg")
    link.type, link.linkname, device.type = tarfile.SYMTYPE, "/etc/passwd", tarfile.CHRTYPE
    for number, (info, message) in enumerate(
        [(link, "link or a device"), (device, "link or a device"), (tarfile.TarInfo("../a.gpkg"), "outside its folder")]
    ):
        with pytest.raises(DeclarationError, match=message):
            names([tarred(tmp_path / f"{number}.tar", [(info, b"")])])


def test_archive_in_an_archive_is_unpacked_once(tmp_path: Path, zipped: Zipped, geopackage: bytes) -> None:
    inner = zipped(tmp_path / "inner.zip", {"a.gpkg": geopackage}).read_bytes()
    assert names([zipped(tmp_path / "outer.zip", {"x/inner.zip": inner})]) == ["a.gpkg"]
    twice = zipped(tmp_path / "twice.zip", {"inner.zip": inner}).read_bytes()
    with pytest.raises(DeclarationError, match=r"thrice\.zip: no vector file .* nor in an archive in it"):
        names([zipped(tmp_path / "thrice.zip", {"twice.zip": twice})])
    evil = zipped(tmp_path / "evil.zip", {"../a.gpkg": b"x"}).read_bytes()
    with pytest.raises(
        DeclarationError, match=r'o\.zip: evil\.zip: the member "\.\./a\.gpkg" would be written outside'
    ):
        names([zipped(tmp_path / "o.zip", {"evil.zip": evil})])


def test_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.gpkg", bytes(MIN_BOMB_BYTES + 1))
    with pytest.raises(DeclarationError, match=r"a\.zip: unpacks to over 100 MB from 0\.\d+ MB .* do not trust"):
        names([tmp_path / "a.zip"])


def test_archives_in_an_archive_share_its_limits(
    tmp_path: Path, zipped: Zipped, monkeypatch: pytest.MonkeyPatch, geopackage: bytes
) -> None:
    monkeypatch.setattr("cropstack.labels.containers.MIN_BOMB_BYTES", 4 * len(geopackage))
    monkeypatch.setattr("cropstack.labels.containers.MAX_RATIO", 0)
    inner = zipped(tmp_path / "inner.zip", {"a.gpkg": geopackage}).read_bytes()  # a zip of about its size: 2 for each
    assert names([zipped(tmp_path / "one.zip", {"1.zip": inner})]) == ["a.gpkg"]
    with pytest.raises(DeclarationError, match=r"two\.zip: 2\.zip: unpacks to over .* do not trust"):
        names([zipped(tmp_path / "two.zip", {"1.zip": inner, "2.zip": inner})])


def test_archive_of_too_many_files_is_refused(
    tmp_path: Path, zipped: Zipped, monkeypatch: pytest.MonkeyPatch, geopackage: bytes
) -> None:
    monkeypatch.setattr("cropstack.labels.containers.MAX_MEMBERS", 2)
    members = {"a.gpkg": geopackage, "b.txt": b"x"}
    assert names([zipped(tmp_path / "two.zip", members)]) == ["a.gpkg"]
    with pytest.raises(DeclarationError, match="more than 2 files"):
        names([zipped(tmp_path / "three.zip", members | {"c.txt": b"x"})])


def test_rar_of_slovenia(realdata: Path) -> None:
    if not any(shutil.which(tool) for tool in ("bsdtar", "unrar", "unar", "7z")):
        pytest.skip("no program that unpacks rar; Debian: libarchive-tools")
    with open_declarations([realdata / "lpis/fiboa-cli/si/KMRS_2023.rar"]) as datasets:
        assert [(path.name, path.stat().st_size) for path in datasets] == [("KMRS_2023.shp", 47_132)]


def test_rar_without_a_program_names_those_that_would_do(realdata: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise rarfile.RarCannotExec("Cannot find working tool")

    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(rarfile, "tool_setup", none)
    with pytest.raises(DeclarationError, match=r"need one of the programs unrar, unar, 7z or bsdtar.*libarchive-tools"):
        names([realdata / "lpis/fiboa-cli/si/KMRS_2023.rar"])


def test_gml_is_read_without_writing_beside_it(tmp_path: Path, square: Square) -> None:
    frame = gpd.GeoDataFrame({"CULTIU": ["ORDI"]}, geometry=[square(0, 0)], crs="EPSG:32631")
    (tmp_path / "made").mkdir()
    (tmp_path / "archive").mkdir()
    frame.to_file(tmp_path / "made/a.gml", driver="GML", layer="dun")
    (tmp_path / "archive/a.gml").write_bytes((tmp_path / "made/a.gml").read_bytes())
    with open_declarations([tmp_path / "archive/a.gml"]) as datasets:
        assert [layer.name for layer in find_layers(datasets, None, origin="x")] == ["dun"]
    assert [path.name for path in (tmp_path / "archive").iterdir()] == ["a.gml"]
