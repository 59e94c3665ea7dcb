"""Declaration files: what is in their archives, and which layer holds the parcels.

Archives come from outside: a member with an absolute name, with ``..`` or that is a link is refused before anything
is written, and everything is written into a folder of its own.
"""

import lzma
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import py7zr
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError

from cropstack.errors import DeclarationError, nearest

ARCHIVES = (".zip", ".7z")
DATASETS = (".gpkg", ".shp")
_PART = re.compile(r"(?P<stem>.+\.7z)\.(?P<number>\d{3})", re.IGNORECASE)
_BROKEN = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, lzma.LZMAError, OSError, ValueError)


@dataclass(frozen=True)
class Layer:
    """One vector layer: a file that GDAL opens, and the layer's name in it. `origin` is for messages."""

    path: Path
    name: str
    origin: str


@contextmanager
def open_declarations(files: list[Path]) -> Iterator[list[Path]]:
    """Yield the vector files (.gpkg, .shp) of declarations, archives unpacked into a temporary folder.

    Parameters
    ----------
    files : .zip, .7z, the parts .7z.001, .7z.002 ... of one, .gpkg or .shp.

    Raises
    ------
    DeclarationError : a file or a part of an archive is missing, broken or encrypted, a member would be written
        outside its folder, nothing in it is a vector file.
    """
    found: list[Path] = []
    with tempfile.TemporaryDirectory(prefix="cropstack-") as scratch:
        for number, group in enumerate(_by_archive(files)):
            for file in group:
                _check_exists(file)
            if group[0].suffix.lower() in DATASETS:
                found.append(group[0])
                continue
            folder = Path(scratch) / str(number)
            folder.mkdir()
            _unpack(group, folder)
            found += _datasets_in(folder, group[0])
        yield found


def _check_exists(file: Path) -> None:
    if not file.is_file():
        raise DeclarationError(f"{file}: no such file. Put the declaration there under the name it was published.")
    if file.stat().st_size == 0:
        raise DeclarationError(f"{file}: the file is empty (0 bytes). Fetch it again.")


def _by_archive(files: list[Path]) -> list[list[Path]]:
    """Parts of one 7z archive stand together, in order; any other file stands alone."""
    groups: dict[Path, list[Path]] = {}
    for file in sorted(files):
        part = _PART.fullmatch(file.name)
        groups.setdefault(file.with_name(part["stem"]) if part else file, []).append(file)
    for stem, group in groups.items():
        numbers = [int(match["number"]) for file in group if (match := _PART.fullmatch(file.name))]
        missing = sorted(set(range(1, len(numbers) + 1)) - set(numbers))
        if missing:
            raise DeclarationError(
                f"{stem}.{missing[0]:03d}: this part of the archive is missing; there are {len(group)}: "
                f"{', '.join(file.name for file in group)}. Fetch it and list it under files in source.yaml."
            )
    return list(groups.values())


def _unpack(group: list[Path], folder: Path) -> None:
    name = _PART.fullmatch(group[0].name)
    suffix = Path(name["stem"] if name else group[0].name).suffix.lower()
    try:
        if suffix == ".zip":
            _unpack_zip(group[0], folder)
        elif suffix == ".7z":
            _unpack_7z(group, folder)
        else:
            raise DeclarationError(f"{group[0]}: expected one of {', '.join(ARCHIVES + DATASETS)}")
    except (*_BROKEN, py7zr.exceptions.ArchiveError) as error:
        parts = f" or a part after {group[-1].name} is missing: list all parts in source.yaml" if name else ""
        raise DeclarationError(
            f"{group[0]}: not readable as a {suffix[1:]} archive ({str(error) or type(error).__name__}). "
            f"It is truncated, encrypted or no archive{parts}. Fetch it again."
        ) from error


def _unpack_zip(file: Path, folder: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        for member in members:
            _check_member(file, member.filename, is_link=stat.S_ISLNK(member.external_attr >> 16))
        _check_room(file, sum(member.file_size for member in members), folder)
        archive.extractall(folder)


def _unpack_7z(group: list[Path], folder: Path) -> None:
    with _joined(group) as stream, py7zr.SevenZipFile(stream) as archive:
        members = archive.files
        for member in members:
            _check_member(group[0], member.filename, is_link=member.is_symlink or member.is_junction)
        _check_room(group[0], sum(member.uncompressed or 0 for member in members), folder)
        archive.extractall(folder)


@contextmanager
def _joined(group: list[Path]) -> Iterator[IO[bytes]]:
    """The parts of an archive as one seekable stream."""
    if len(group) == 1:
        with open(group[0], "rb") as stream:
            yield stream
        return
    with tempfile.TemporaryFile(prefix="cropstack-") as whole:
        for part in group:
            with open(part, "rb") as stream:
                shutil.copyfileobj(stream, whole, 1 << 22)
        whole.seek(0)
        yield whole


def _check_member(file: Path, name: str, *, is_link: bool) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    outside = path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name)
    if outside or is_link:
        what = "would be written outside its folder" if outside else "is a link"
        raise DeclarationError(f'{file}: the member "{name}" {what}. No publisher does that; do not trust this file.')


def _check_room(file: Path, size: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DeclarationError(
            f"{file}: unpacks to {size / 1e6:.0f} MB, but {folder.parent} has {free / 1e6:.0f} MB free. "
            "Make room or set TMPDIR to another disk."
        )


def _datasets_in(folder: Path, archive: Path) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found = [path for path in files if path.suffix.lower() in DATASETS]
    if not found:
        inside = ", ".join(path.name for path in files[:5]) or "nothing"
        raise DeclarationError(f"{archive}: no vector file ({', '.join(DATASETS)}) in it, but {inside}")
    return found


def find_layer(datasets: list[Path], layer: str | None, *, origin: str) -> Layer:
    """The layer with the parcels.

    Parameters
    ----------
    datasets : vector files; `origin` names the declaration in messages.
    layer : name of the layer or of its file without suffix, in any case; None takes the only layer with geometry.

    Raises
    ------
    DeclarationError : no such layer, or more than one.
    """
    spatial = [
        Layer(path, str(name), origin) for path in datasets for name, kind in _layers(path, origin) if kind is not None
    ]
    if layer is None:
        chosen = spatial
    else:
        chosen = [one for one in spatial if layer.casefold() in (one.name.casefold(), one.path.stem.casefold())]
    if len(chosen) == 1:
        return chosen[0]
    names = sorted({one.name for one in spatial})
    wanted = f'layer "{layer}"' if layer else "one layer with geometry"
    raise DeclarationError(
        f"{origin}: expected {wanted}, found {len(chosen)}; layers with geometry: {', '.join(names) or 'none'}"
        f"{nearest(layer, names) if layer else ''}. Set layer in source.yaml."
    )


def _layers(path: Path, origin: str) -> list[tuple[str, str | None]]:
    try:
        return [(name, kind) for name, kind in pyogrio.list_layers(path)]
    except (DataSourceError, DataLayerError) as error:
        raise DeclarationError(
            f"{origin}: GDAL cannot open {path.name} ({without_folder(error, path)}). Fetch the file again."
        ) from error


def without_folder(error: Exception, path: Path) -> str:
    """Message of an error about a vector file without the folder, which of an archive is gone by then."""
    return str(error).replace(f"{path.parent}/", "")
