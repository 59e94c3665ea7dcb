"""Whether a vector file is what its suffix says, told by its first bytes.

GDAL opens files by content: a text named ``parcels.gpkg`` that names other files or addresses would make it read those.
"""

import re
from contextlib import suppress
from pathlib import Path

from lxml import etree

GML = (".gml", ".xml")
HEAD_BYTES = 1 << 20  # more than any driver of GDAL looks at before it decides

_MAGIC = {".gpkg": b"SQLite format 3\0", ".shp": b"\x00\x00\x27\x0a", ".fgb": b"fgb"}
_ROOTS = ("FeatureCollection", "SpatialDataSet")  # SOURCE: GML and WFS; INSPIRE base types
_FEATURES = re.compile(rb'\s*[{\[].*"type"\s*:\s*"Feature', re.DOTALL)
_REDIRECTS = re.compile(rb"OGRVRTDataSource|OGRWFSDataSource|gdal_streamed_alg", re.IGNORECASE)
_EXPECTED = {
    ".gpkg": "a GeoPackage",
    ".shp": "a shapefile",
    ".fgb": "a FlatGeobuf",
    ".geojson": "a GeoJSON with features",
    ".gml": "a GML FeatureCollection",
    ".xml": "a GML FeatureCollection",
}
VECTORS = tuple(_EXPECTED)


def foreign_content(path: Path) -> str | None:
    """What a vector file (`VECTORS`) holds instead of what its suffix says, for messages; None where they agree."""
    suffix = path.suffix.lower()
    with open(path, "rb") as file:
        head = file.read(HEAD_BYTES)
    if _is_of(suffix, head):
        return None
    return f"starts with {head[:24]!r}; its suffix {suffix} stands for {_EXPECTED[suffix]}"


def is_gml(path: Path) -> bool:
    """Whether an XML file is a collection of GML features."""
    with open(path, "rb") as file:
        return _is_of(".gml", file.read(HEAD_BYTES))


def _is_of(suffix: str, head: bytes) -> bool:
    if suffix in _MAGIC:
        return head.startswith(_MAGIC[suffix])
    if _REDIRECTS.search(head):
        return False
    if suffix in GML:
        return _root(head) in _ROOTS and b"opengis.net/gml" in head.replace(b"\0", b"")  # also of UTF-16
    return _FEATURES.match(head.removeprefix(b"\xef\xbb\xbf")) is not None


def _root(head: bytes) -> str | None:
    """Name of the root element without its namespace; None where it is no XML."""
    parser = etree.XMLPullParser(events=("start",), resolve_entities=False, no_network=True, load_dtd=False)
    with suppress(etree.XMLSyntaxError):  # what came before the fault counts; GDAL names the fault
        parser.feed(head)
    for _, element in parser.read_events():
        return etree.QName(element).localname
    return None
