"""Declaration files: what is in their archives, and which layers hold the parcels.

Archives come from outside: a member with an absolute name, with ``..`` or that is a link or a device is refused before
anything is written, as are archives that unpack to a hundred times of what an office would publish. Everything is
written into a folder of its own.
"""

import fnmatch
import json
import lzma
import re
import shutil
import stat
import subprocess
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
import py7zr
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import rarfile
import shapely
from pyogrio.errors import DataLayerError, DataSourceError

from cropstack.errors import DeclarationError, nearest
from cropstack.labels.file_kinds import GML, VECTORS, foreign_content, is_gml

ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
PARQUET = (".parquet", ".geoparquet")
DATASETS = (*VECTORS, *PARQUET)
MAX_MEMBERS = 20_000  # ASSUME: a country in one file for each commune has fewer
MAX_RATIO = 250  # ASSUME: GML, the wordiest, shrinks to a fiftieth
MIN_BOMB_BYTES = 100_000_000  # below it any ratio is harmless
_PART = re.compile(r"(?P<stem>.+\.7z)\.(?P<number>\d{3})", re.IGNORECASE)
_BROKEN = (
    *(zipfile.BadZipFile, py7zr.exceptions.ArchiveError, rarfile.Error, tarfile.TarError, lzma.LZMAError),
    *(NotImplementedError, RuntimeError, EOFError, OSError, ValueError),
)
_UNREADABLE = (
    *(DataSourceError, DataLayerError, UnicodeDecodeError, LookupError, RuntimeError, OSError, pa.ArrowException),
)
_GML_SETTINGS = {
    "GML_ATTRIBUTES_TO_OGR_FIELDS": "YES",  # such as titles of INSPIRE land uses
    "GML_DOWNLOAD_SCHEMA": "NO",
}
_RAR_TOOLS = "unrar, unar, 7z or bsdtar"


@dataclass(frozen=True)
class Layer:
    """One vector layer: a file, and the layer's name in it. `origin` is for messages."""

    path: Path
    name: str
    origin: str


@dataclass(frozen=True)
class Member:
    """What an archive says of one of its files; `is_plain` is false for links and devices."""

    name: str
    size: int
    is_plain: bool


@dataclass
class Budget:
    """What an archive of `archive_bytes` has unpacked to, with the archives in it."""

    archive_bytes: int
    files: int = 0
    size: int = 0


# --- files and archives -----------------------------------------------------------------------------------


@contextmanager
def open_declarations(files: list[Path], *, scratch: Path | None = None) -> Iterator[list[Path]]:
    """Yield the vector files (`DATASETS`) of declarations, archives unpacked into a folder that is removed afterwards.

    An archive without a vector file may hold archives with some: one level is unpacked.

    Parameters
    ----------
    files : archives (`ARCHIVES`, the parts .7z.001, .7z.002 ... of one) or vector files; `.xml` where it is GML.
    scratch : the folder to unpack into; what a run that was killed left in it is removed first. None takes TMPDIR.

    Raises
    ------
    DeclarationError : a file or a part of an archive is missing, broken or encrypted, a member would be written
        outside its folder, it unpacks to too much, nothing in it is a vector file, no program reads its kind.
    """
    found: list[Path] = []
    with _made(scratch) as place:
        for number, group in enumerate(_by_archive(files)):
            for file in group:
                check_exists(file)
            folder = place / str(number)
            folder.mkdir()
            if group[0].suffix.lower() in DATASETS:
                found.append(_in_place(group[0], folder))
                continue
            budget = Budget(sum(part.stat().st_size for part in group))
            _unpack(group, folder, budget, origin=str(group[0]))
            found += _datasets_in(folder, group[0], budget)
        yield found


@contextmanager
def _made(scratch: Path | None) -> Iterator[Path]:
    if scratch is None:
        with tempfile.TemporaryDirectory(prefix="cropstack-") as folder:
            yield Path(folder)
        return
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch)


def _in_place(file: Path, folder: Path) -> Path:
    """A vector file where it is; GML through a link elsewhere, since GDAL writes what it found out beside it."""
    if file.suffix.lower() not in GML:
        return file
    link = folder / file.name
    link.symlink_to(file.resolve())
    return link


def check_exists(file: Path) -> None:
    """Raise DeclarationError where a file is missing or empty."""
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


def _archive_suffix(name: str) -> str | None:
    return next((suffix for suffix in ARCHIVES if name.lower().endswith(suffix)), None)


def _unpack(group: list[Path], folder: Path, budget: Budget, *, origin: str) -> None:
    """Unpack an archive, in one file or in parts; `origin` names it in messages."""
    part = _PART.fullmatch(group[0].name)
    suffix = _archive_suffix(part["stem"] if part else group[0].name)
    if suffix is None:
        raise DeclarationError(f"{origin}: expected one of {', '.join(ARCHIVES + DATASETS)}")
    try:
        if suffix == ".zip":
            _unpack_zip(group[0], folder, budget, origin)
        elif suffix == ".7z":
            _unpack_7z(group, folder, budget, origin)
        elif suffix == ".rar":
            _unpack_rar(group[0], folder, budget, origin)
        else:
            _unpack_tar(group[0], folder, budget, origin)
    except rarfile.RarCannotExec as error:
        raise DeclarationError(
            f"{origin}: rar archives need one of the programs {_RAR_TOOLS}, and none is installed. Install one "
            "(Debian: libarchive-tools has bsdtar), or unpack the archive and list its vector file in source.yaml."
        ) from error
    except _BROKEN as error:
        parts = f" or a part after {group[-1].name} is missing: list all parts in source.yaml" if part else ""
        raise DeclarationError(
            f"{origin}: not readable as a {suffix[1:]} archive ({str(error) or type(error).__name__}). "
            f"It is truncated, encrypted or no archive{parts}. Fetch it again."
        ) from error


def _unpack_zip(file: Path, folder: Path, budget: Budget, origin: str) -> None:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        listed = (Member(m.filename, m.file_size, not stat.S_ISLNK(m.external_attr >> 16)) for m in members)
        _check_members(listed, budget, folder, origin)
        archive.extractall(folder)


def _unpack_7z(group: list[Path], folder: Path, budget: Budget, origin: str) -> None:
    with _joined(group) as stream, py7zr.SevenZipFile(stream) as archive:
        members = archive.files
        listed = (Member(m.filename, m.uncompressed or 0, not (m.is_symlink or m.is_junction)) for m in members)
        _check_members(listed, budget, folder, origin)
        archive.extractall(folder)


def _unpack_rar(file: Path, folder: Path, budget: Budget, origin: str) -> None:
    with rarfile.RarFile(file) as archive:
        members = archive.infolist()
        if archive.needs_password():
            raise RuntimeError("it is encrypted")
        listed = (Member(m.filename, m.file_size or 0, m.is_file() or m.is_dir()) for m in members)
        _check_members(listed, budget, folder, origin)
        if bsdtar := shutil.which("bsdtar"):  # rarfile 4.5 calls it with arguments that it does not take
            _run([bsdtar, "-x", "-f", str(file.resolve()), "-C", str(folder)])
            return
        rarfile.tool_setup()
        for member in members:
            if member.is_file():
                target = folder / member.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, open(target, "wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 22)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise OSError(done.stderr.strip())


def _unpack_tar(file: Path, folder: Path, budget: Budget, origin: str) -> None:
    with tarfile.open(file) as archive:
        listed = (Member(m.name, m.size, m.isfile() or m.isdir()) for m in archive)
        _check_members(listed, budget, folder, origin)
        archive.extractall(folder, filter="data")


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


def _check_members(members: Iterable[Member], budget: Budget, folder: Path, origin: str) -> None:
    """Refuse what no publisher does. The members are counted as they are listed: a tar lists them as it unpacks."""
    before, limit = budget.size, max(MAX_RATIO * budget.archive_bytes, MIN_BOMB_BYTES)
    for member in members:
        _check_member(origin, member)
        budget.files, budget.size = budget.files + 1, budget.size + member.size
        if budget.files > MAX_MEMBERS or budget.size > limit:
            many = budget.files > MAX_MEMBERS
            what = f"more than {MAX_MEMBERS} files" if many else f"over {budget.size / 1e6:.0f} MB"
            raise DeclarationError(
                f"{origin}: unpacks to {what} from {budget.archive_bytes / 1e6:.3f} MB (limits: {MAX_MEMBERS} files, "
                f"{MAX_RATIO} times its size). No declaration does; do not trust this file. If you do, unpack it and "
                "list its vector file in source.yaml."
            )
    size, free = budget.size - before, shutil.disk_usage(folder).free
    if size > free:
        raise DeclarationError(
            f"{origin}: unpacks to {size / 1e6:.0f} MB, but {folder.parent} has {free / 1e6:.0f} MB free. "
            "Make room, or unpack it elsewhere and list its vector file in source.yaml."
        )


def _check_member(origin: str, member: Member) -> None:
    path = PurePosixPath(member.name.replace("\\", "/"))
    outside = path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", member.name)
    if outside or not member.is_plain:
        what = "would be written outside its folder" if outside else "is a link or a device"
        raise DeclarationError(
            f'{origin}: the member "{member.name}" {what}. No publisher does that; do not trust this file.'
        )


def _datasets_in(folder: Path, archive: Path, budget: Budget) -> list[Path]:
    """Vector files of an unpacked archive, those of archives in it where it has none itself."""
    found = _vector_files(folder)
    if not found:
        for inner in [path for path in _files(folder) if _archive_suffix(path.name)]:
            inside = Path(tempfile.mkdtemp(dir=folder))
            _unpack([inner], inside, budget, origin=f"{archive}: {inner.relative_to(folder)}")
            inner.unlink()
            found += _vector_files(inside)
    if not found:
        inside_names = ", ".join(path.name for path in _files(folder)[:5]) or "nothing"
        raise DeclarationError(
            f"{archive}: no vector file ({', '.join(DATASETS)}) in it nor in an archive in it, but {inside_names}"
        )
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _vector_files(folder: Path) -> list[Path]:
    """Metadata come as XML too: of those only GML counts."""
    found = [path for path in _files(folder) if path.suffix.lower() in DATASETS]
    return [path for path in found if path.suffix.lower() != ".xml" or is_gml(path)]


# --- layers -----------------------------------------------------------------------------------------------


def find_layers(
    datasets: list[Path], layer: str | None, *, origin: str, advice: str = "Set layer in source.yaml."
) -> list[Layer]:
    """The layers with the parcels, in the order of their files; more than one are parts of one declaration.

    Parameters
    ----------
    datasets : vector files; `origin` names the declaration in messages, `advice` what to do.
    layer : name of the layer or of its file without suffix, in any case; ``*`` stands for any text. Layers of one name
        in several files are pages of one. None takes the only layer with geometry.

    Raises
    ------
    DeclarationError : no such layer, or more than one that no name ties together.
    """
    spatial = [Layer(path, name, origin) for path in datasets for name in _spatial_layers(path, origin)]
    chosen = spatial if layer is None else [one for one in spatial if _is_called(one, layer.casefold())]
    names = sorted({one.name for one in spatial})
    if len(chosen) == 1 or (chosen and layer is not None):
        return chosen
    wanted = f'layer "{layer}"' if layer else "one layer with geometry"
    hint = nearest(layer, names) if layer else ""
    raise DeclarationError(
        f"{origin}: expected {wanted}, found {len(chosen)}; layers with geometry: {', '.join(names) or 'none'}"
        f"{hint or '.'} {advice}"
    )


def _is_called(layer: Layer, wanted: str) -> bool:
    names = (layer.name.casefold(), layer.path.stem.casefold())
    if "*" in wanted:
        return any(fnmatch.fnmatchcase(name, wanted.replace("[", "[[]")) for name in names)
    return wanted in names


def _spatial_layers(path: Path, origin: str) -> list[str]:
    if path.suffix.lower() in PARQUET:
        read_geo_metadata(path, origin)
        return [path.stem]
    if found := foreign_content(path):
        raise DeclarationError(f"{origin}: {path.name} {found}. Fetch the file again, or name it after what it is.")
    try:
        with gdal_for(path):
            return [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    except (DataSourceError, DataLayerError) as error:
        raise DeclarationError(
            f"{origin}: GDAL cannot open {path.name} ({without_folder(error, path)}). Fetch the file again."
        ) from error


def read_geo_metadata(path: Path, origin: str) -> dict[str, object]:
    """GeoParquet metadata of the primary geometry column, and its name as ``name``.

    Raises
    ------
    DeclarationError : no Parquet, no GeoParquet, without the column that it names, or geometries that are not in WKB.
    """
    try:
        schema = pq.read_schema(path)
        metadata = (schema.metadata or {}).get(b"geo")
        geo = json.loads(metadata) if metadata else None
        column = None if geo is None else geo["columns"][geo["primary_column"]] | {"name": geo["primary_column"]}
    except (pa.ArrowInvalid, OSError, ValueError, KeyError, TypeError) as error:
        raise DeclarationError(
            f"{origin}: {path.name} is not readable as Parquet ({error}). Fetch it again."
        ) from error
    if column is None or column.get("encoding") != "WKB":
        found = "no GeoParquet metadata" if column is None else f"geometries encoded as {column.get('encoding')}"
        raise DeclarationError(f"{origin}: {path.name} has {found}; expected GeoParquet with WKB. Convert it.")
    kinds = [str(field.type) for field in schema if field.name == column["name"]]
    if kinds not in (["binary"], ["large_binary"], ["binary_view"]):
        found = kinds[0] if kinds else "no column"
        raise DeclarationError(
            f"{origin}: {path.name} says that its geometry is {column['name']}, which is {found}; "
            "expected a binary column with WKB. Convert it."
        )
    return column


def geometries(wkb: pa.Array | pa.ChunkedArray, layer: Layer) -> np.ndarray:
    """Shapely geometries of a column of WKB, None where null or not understood.

    Raises
    ------
    DeclarationError : some are curved.
    """
    try:
        found = np.asarray(shapely.from_wkb(np.asarray(wkb.to_numpy(zero_copy_only=False)), on_invalid="fix"), object)
        collections = found[shapely.get_type_id(found) == shapely.GeometryType.GEOMETRYCOLLECTION]
        shapely.is_valid(collections)  # raises where a curve hides in one
        return found
    except (NotImplementedError, shapely.GEOSException) as error:
        raise DeclarationError(
            f"{layer.origin}: layer {layer.name} has curved geometries; expected polygons with straight edges: "
            f"{error}. Convert them (ogr2ogr -nlt CONVERT_TO_LINEAR straight.gpkg FILE) and list that in source.yaml."
        ) from error


@contextmanager
def named_errors(layer: Layer, *, advice: str) -> Iterator[None]:
    """Errors of reading a layer as a DeclarationError that names it, and `advice`."""
    try:
        yield
    except _UNREADABLE as error:
        raise DeclarationError(
            f"{layer.origin}: layer {layer.name} cannot be read ({without_folder(error, layer.path)}). {advice}"
        ) from error


@contextmanager
def gdal_for(path: Path) -> Iterator[None]:
    """Settings for one file: attributes of GML elements become columns, and nothing is fetched for it."""
    if path.suffix.lower() not in GML:
        yield
        return
    before = {key: pyogrio.get_gdal_config_option(key) for key in _GML_SETTINGS}
    pyogrio.set_gdal_config_options(_GML_SETTINGS)
    try:
        with (
            warnings.catch_warnings()
        ):  # of two elements of one name GDAL takes the first; columns are named in source.yaml
            warnings.filterwarnings("ignore", message="Field with same name")
            yield
    finally:
        pyogrio.set_gdal_config_options(before)


def without_folder(error: Exception, path: Path) -> str:
    """Message of an error about a vector file, in one line, without the folder, which of an archive is gone by then."""
    return " ".join(str(error).replace(f"{path.parent}/", "").split())
