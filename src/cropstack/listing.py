"""What lies in a folder of products: found by name, told apart by size and time, never opened.

The Snakefile imports this on every start, so it needs the standard library only.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cropstack.errors import ConfigError, CorruptFile

_MARKS = ("MTD_MSI", "manifest.safe")  # the files at a product's top level that are replaced when it is
_SIDECAR = ".aux.xml"  # GDAL leaves these beside files that it has read


@dataclass(frozen=True, order=True)
class Found:
    """A SAFE directory or a zip: its path below the folder, and a line that changes when it is replaced."""

    path: str
    trace: str


def find_products(folder: Path) -> list[Found]:
    """Directories that end in .SAFE or hold product metadata, and zips, at any depth below `folder`, sorted.

    A product is not descended into; names that begin with a dot are left out. A directory reached twice
    by symbolic links counts once. A link to a product that leads nowhere is found: its disk may not be mounted.

    Raises
    ------
    ConfigError : the folder or a part of it cannot be listed.
    """
    return sorted(_walk(Path(folder), "", set()))


def listing_digest(folder: str | Path | None) -> str:
    """Digest of names, sizes and times of the products in a folder; empty without a folder.

    It changes when a product is added, removed or replaced, and not when one is read. One directory listing
    per product: a file replaced deep inside a product shows up only when that is fetched (see `stamp`).
    """
    if folder is None:
        return ""
    return _digest(f"{found.path} {found.trace}" for found in find_products(Path(folder)))


def stamp(product: Path) -> str:
    """Digest of the names, sizes and times of all files of a product, a directory or a zip.

    Raises
    ------
    CorruptFile : a file that cannot be reached, such as a link that leads nowhere.
    """
    if product.is_file():
        return _digest([_trace("", product.stat())])
    files = sorted(
        Path(parent, name) for parent, _, names in os.walk(product) for name in names if not name.endswith(_SIDECAR)
    )
    return _digest(_trace(file.relative_to(product).as_posix(), _status(file)) for file in files)


def size_bytes(product: Path) -> int:
    """Bytes of all files of a product, a directory or a zip; raises as `stamp` does."""
    if product.is_file():
        return product.stat().st_size
    return sum(_status(Path(parent, name)).st_size for parent, _, names in os.walk(product) for name in names)


def _walk(folder: Path, relative: str, seen: set[tuple[int, int]]) -> Iterator[Found]:
    entries = _entries(folder)
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    if folder.name.endswith(".SAFE") or any(entry.name.startswith("MTD_MSI") for entry in entries):
        marks = [entry for entry in entries if entry.name.startswith(_MARKS) and not entry.name.endswith(_SIDECAR)]
        yield Found(relative or ".", " ".join(_mark(entry) for entry in marks))
        return
    for entry in entries:
        name = f"{relative}/{entry.name}" if relative else entry.name
        if os.path.isdir(entry):
            yield from _walk(folder / entry.name, name, seen)
        elif entry.name.lower().endswith(".zip") and os.path.isfile(entry):
            yield Found(name, _trace("", entry.stat()))
        elif entry.name.lower().endswith((".zip", ".safe")) and not os.path.exists(entry):
            yield Found(name, "unreachable")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """The visible entries of a directory by name."""
    try:
        with os.scandir(folder) as entries:
            return sorted((e for e in entries if not e.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise ConfigError(
            f"{folder}: cannot be listed ({error.strerror}); expected a directory with products. "
            'Check the key "folder" of the configuration, and that the disk is mounted.'
        ) from error


def _mark(entry: os.DirEntry[str]) -> str:
    """Trace of a file at a product's top level. Whoever opens the product names a link that leads nowhere."""
    try:
        return _trace(entry.name, entry.stat())
    except OSError:
        return f"{entry.name}:unreachable"


def _status(file: Path) -> os.stat_result:
    try:
        return file.stat()
    except OSError as error:
        raise CorruptFile(
            f"{os.fsencode(file).decode(errors='replace')}: cannot be reached ({error.strerror}); expected a file, "
            "or a link to one. Mount the disk that it leads to, or fetch the product again."
        ) from error


def _trace(name: str, status: os.stat_result) -> str:
    return f"{name}:{status.st_size}:{status.st_mtime_ns}"


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256(os.fsencode("\n".join(lines))).hexdigest()[:32]
