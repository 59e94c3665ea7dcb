"""The files of a fetched product, compared with its own manifest."""

import hashlib
import os
import re
from dataclasses import dataclass

from cropstack.errors import CorruptFile, ProductError
from cropstack.safe import FETCH_AGAIN, SafeFiles, parse_xml

MANIFEST = "manifest.safe"
_SIDECAR = ".aux.xml"  # GDAL leaves these beside files that it has read
# What steps may read. Mirrors leave out some of the rest: reports, browse pages, the datastrip.
_READ = re.compile(r"MTD_MSIL1C\.xml|GRANULE/[^/]+/(MTD_TL\.xml|IMG_DATA/.*|QI_DATA/.*)")


@dataclass(frozen=True)
class Listed:
    """What a manifest says of a file; `algorithm` is a name of hashlib's, `checksum` in lower-case hexadecimal."""

    size_bytes: int
    algorithm: str
    checksum: str


@dataclass(frozen=True)
class Contents:
    """All files of a product: bytes, a digest over sorted lines of name and SHA-256, and what is not as listed.

    `absent` are listed files that the product lacks and no step reads; `verified` counts the files compared.
    """

    size_bytes: int
    digest: str
    verified: int
    absent: list[str]


def read_contents(files: SafeFiles) -> Contents:
    """Read every file of a product once and compare it with the manifest, where there is one.

    Raises
    ------
    CorruptFile : a file has another size or checksum than listed, or a listed one that is read is missing.
    ProductError : the manifest uses a checksum that is not known here.
    """
    listed = read_manifest(files) if MANIFEST in files else {}
    names = [name for name in files.names() if not name.endswith(_SIDECAR)]
    absent = sorted(set(listed) - set(names))
    needed = [name for name in absent if _READ.match(name)]
    if needed:
        raise CorruptFile(f"{files.path}: {needed[0]} is listed in {MANIFEST} and missing. {FETCH_AGAIN}")
    lines, size = [], 0
    for name in names:
        content = files.read(name)
        if name in listed:
            _compare(files, name, content, listed[name])
        lines.append(f"{name} {hashlib.sha256(content).hexdigest()}\n")
        size += len(content)
    digest = hashlib.sha256(os.fsencode("".join(lines))).hexdigest()
    return Contents(size, f"sha256:{digest}", len(listed) - len(absent), absent)


def read_manifest(files: SafeFiles) -> dict[str, Listed]:
    """Size and checksum by file name, as ``manifest.safe`` lists them.

    SOURCE: SAFE, XFDU ``dataObject/byteStream`` with ``fileLocation`` and ``checksum`` (MD5, later SHA3-256).
    """
    found = {}
    for stream in parse_xml(files, MANIFEST).iter("{*}byteStream"):
        location, checksum = stream.find("{*}fileLocation"), stream.find("{*}checksum")
        if location is None or checksum is None or not stream.get("size", "").isdigit():
            raise CorruptFile(f"{files.path}: {MANIFEST} lists a file without name, size or checksum. {FETCH_AGAIN}")
        algorithm = checksum.get("checksumName", "").lower().replace("-", "_")
        if algorithm not in hashlib.algorithms_guaranteed:
            raise ProductError(
                f'{files.path}: {MANIFEST} has the checksum "{checksum.get("checksumName")}"; '
                "expected MD5 or SHA3-256. Add the product to `exclude` in the configuration, or report it."
            )
        name = location.get("href", "").removeprefix("./")
        found[name] = Listed(int(stream.get("size")), algorithm, (checksum.text or "").strip().lower())
    return found


def _compare(files: SafeFiles, name: str, content: bytes, listed: Listed) -> None:
    if len(content) != listed.size_bytes:
        raise CorruptFile(
            f"{files.path}: {name} has {len(content)} bytes; {MANIFEST} lists {listed.size_bytes}. {FETCH_AGAIN}"
        )
    checksum = hashlib.new(listed.algorithm, content, usedforsecurity=False).hexdigest()
    if checksum != listed.checksum:
        raise CorruptFile(
            f"{files.path}: {name} has the {listed.algorithm} checksum {checksum}; {MANIFEST} lists {listed.checksum}. "
            f"{FETCH_AGAIN}"
        )
