"""Archives of declarations: what is read, what is refused."""

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import py7zr
import pytest
import shapely

from cropstack.errors import DeclarationError
from cropstack.labels.containers import find_layer, open_declarations

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
    with pytest.raises(DeclarationError, match=r'"parcels\.gpkg" is a link'):
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
    (tmp_path / "a.rar").write_bytes(b"Rar!")
    with pytest.raises(DeclarationError, match=r"expected one of \.zip, \.7z, \.gpkg, \.shp"):
        names([tmp_path / "a.rar"])
    with pytest.raises(DeclarationError, match=r"no vector file .* but readme\.txt"):
        names([zipped(tmp_path / "a.zip", {"readme.txt": b"x"})])


def test_layer_is_found_in_any_case_by_its_name_or_its_file(country: Any, square: Square) -> None:
    path = country.declare([{"CULTIU": "ORDI", "geometry": square(0, 0)}], name="Parcelles.gpkg")
    assert find_layer([path], "DUN", origin="x").name == "dun"
    assert find_layer([path], "PARCELLES", origin="x").name == "dun"
    assert find_layer([path], None, origin="x").name == "dun"
    message = 'x: expected layer "dum", found 0; layers with geometry: dun; did you mean "dun"'
    with pytest.raises(DeclarationError, match=message):
        find_layer([path], "dum", origin="x")


def test_two_layers_need_a_name(country: Any, square: Square) -> None:
    rows = [{"CULTIU": "ORDI", "geometry": square(0, 0)}]
    paths = [country.declare(rows, name=name) for name in ("a.gpkg", "b.gpkg")]
    with pytest.raises(DeclarationError, match="expected one layer with geometry, found 2"):
        find_layer(paths, None, origin="x")
    assert find_layer(paths, "b", origin="x").path == paths[1]


def test_file_that_is_no_geopackage(tmp_path: Path) -> None:
    (tmp_path / "a.gpkg").write_bytes(b"no database" * 100)
    with pytest.raises(DeclarationError, match=r"GDAL cannot open a\.gpkg"):
        find_layer([tmp_path / "a.gpkg"], None, origin="x")
