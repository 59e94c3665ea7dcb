"""Containers in which offices publish declarations, written so that the same parcels give the same bytes."""

import struct
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import pandas as pd
import py7zr
import pyogrio
from py7zr.helpers import ArchiveTimestamp

from cropstack.files import replace_on_success

PUBLISHED = datetime(2020, 1, 1, tzinfo=UTC)  # time stamp of every member: a clock would change the bytes
_FILE_MODE = 0o100644
_DBF_VERSION = 3
_DBF_ANSI = 0x57  # language driver: "ANSI", which leaves the code page open
_DBF_END_OF_HEADER, _DBF_END = b"\r", b"\x1a"


def write_zip(path: Path, members: Mapping[str, Path]) -> None:
    """Write a zip atomically: members in the order given, deflated, without the clock's or the file system's time."""
    with replace_on_success(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in members.items():
            member = zipfile.ZipInfo(name, date_time=PUBLISHED.timetuple()[:6])
            member.create_system, member.external_attr = 3, _FILE_MODE << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, file.read_bytes())


def write_7z(path: Path, members: Mapping[str, Path]) -> None:
    """Write a 7z archive atomically, as `write_zip`."""
    with replace_on_success(path) as temporary, py7zr.SevenZipFile(temporary, "w") as archive:
        for name, file in members.items():
            archive.writestr(file.read_bytes(), name)
        for member in archive.header.files_info.files:  # py7zr stamps them with the clock
            for key in ("creationtime", "lastwritetime", "lastaccesstime"):
                member[key] = ArchiveTimestamp.from_datetime(PUBLISHED.timestamp())


def write_geopackage(
    path: Path, parcels: gpd.GeoDataFrame, *, layer: str, geometry_name: str, tables: Mapping[str, pd.DataFrame]
) -> None:
    """Write a GeoPackage: a layer of multipolygons, and attribute-only layers.

    Parameters
    ----------
    parcels : geometries may be null, empty, invalid, or have Z.
    tables : by layer name.
    """
    kind = "MultiPolygon Z" if parcels.geometry.has_z.any() else "MultiPolygon"
    with _fixed_date():
        pyogrio.write_dataframe(
            parcels,
            path,
            layer=layer,
            driver="GPKG",
            geometry_type=kind,
            promote_to_multi=True,
            layer_options={"GEOMETRY_NAME": geometry_name, "FID": "fid"},
        )
        for name, table in tables.items():
            pyogrio.write_dataframe(table, path, layer=name, driver="GPKG", append=True)


def write_shapefile(path: Path, parcels: gpd.GeoDataFrame, *, widths: Mapping[str, int], encoding: str) -> list[Path]:
    """Write .shp, .shx, .prj and .dbf; return them in that order. No .cpg, as old exports have none.

    The .dbf is ours: GDAL chooses column widths by itself, and an office's cut names.

    Parameters
    ----------
    widths : bytes of each text column; longer values are cut. Other columns are numbers.
    """
    with _fixed_date():
        pyogrio.write_dataframe(parcels[["geometry"]], path, driver="ESRI Shapefile", geometry_type="Polygon")
    path.with_suffix(".dbf").write_bytes(_dbf(parcels.drop(columns="geometry"), widths, encoding))
    return [path.with_suffix(suffix) for suffix in (".shp", ".shx", ".prj", ".dbf")]


def _dbf(table: pd.DataFrame, widths: Mapping[str, int], encoding: str) -> bytes:
    """A dBASE III table. Source: dBASE .DBF file structure, version 3 without memo."""
    columns = [_dbf_column(table[name], widths.get(str(name)), encoding) for name in table.columns]
    header_bytes = 32 + 32 * len(columns) + 1
    record_bytes = 1 + sum(width for _, width, _, _ in columns)
    year, month, day = PUBLISHED.year - 1900, PUBLISHED.month, PUBLISHED.day
    counts = (len(table), header_bytes, record_bytes)
    header = struct.pack("<4BIHH17xB2x", _DBF_VERSION, year, month, day, *counts, _DBF_ANSI)
    for name, (kind, width, decimals, _) in zip(table.columns, columns, strict=True):
        header += struct.pack("<11sc4xBB14x", str(name).encode("ascii"), kind, width, decimals)
    records = (b" " + b"".join(cells) for cells in zip(*(cells for _, _, _, cells in columns), strict=True))
    return header + _DBF_END_OF_HEADER + b"".join(records) + _DBF_END


def _dbf_column(values: pd.Series, width: int | None, encoding: str) -> tuple[bytes, int, int, list[bytes]]:
    """Type, width, decimals and cells of a column."""
    if width is not None:
        texts = ["" if pd.isna(value) else str(value) for value in values]
        return b"C", width, 0, [text.encode(encoding)[:width].ljust(width) for text in texts]
    if pd.api.types.is_integer_dtype(values):
        return b"N", 9, 0, [f"{value:9d}".encode() for value in values]
    return b"N", 14, 4, [f"{value:14.4f}".encode() for value in values]


@contextmanager
def _fixed_date() -> Iterator[None]:
    """Let GDAL write `PUBLISHED` where it would ask the clock."""
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": PUBLISHED.strftime("%Y-%m-%dT%H:%M:%S.000Z")})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for the files of an archive, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="cropstack-") as folder:
        yield Path(folder)
