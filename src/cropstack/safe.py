"""Sentinel-2 Level-1C products in ESA's SAFE format: their files, in a directory or a zip, and their metadata.

SOURCE: Sentinel-2 Products Specification Document (PSD), Level-1C user product and tile metadata. Elements are found
by local name, so that a new schema version or an unknown processing baseline changes nothing here.
"""

import math
import re
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import rasterio
from lxml import etree
from rasterio.io import MemoryFile
from shapely import make_valid
from shapely.affinity import translate
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from cropstack.bands import NODATA_DN, S2_BANDS, SATURATED_DN
from cropstack.errors import CorruptFile, GridMismatch, MissingBand, OffsetError, ProductError
from cropstack.product import Product, parse_time

PRODUCT_METADATA = "MTD_MSIL1C.xml"
RELATIVE_ORBITS = 143  # SOURCE: Sentinel-2 mission, orbits of one repeat cycle of 10 days
OFFSET_BASELINE = (4, 0)  # SOURCE: PSD 14.9, the radiometric offset came with processing baseline 04.00
_TIFF = (b"II", b"MM")  # stand-ins for JPEG 2000, such as those of GDAL's own test products
_TILE_METADATA = re.compile(r"GRANULE/[^/]+/MTD_TL\.xml")
_BANDS = {str(band.number): band.name for band in S2_BANDS}
FETCH_AGAIN = "Fetch the product again."


# --- files --------------------------------------------------------------------------------------------


class SafeFiles:
    """Files of one product by name relative to its ``.SAFE`` folder; `path` names the product in messages."""

    def __init__(self, path: Path, names: list[str]) -> None:
        self.path = _described(path)
        self._folder = path
        self._names = frozenset(names)

    def names(self) -> list[str]:
        """All file names, sorted, with forward slashes."""
        return sorted(self._names)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def content(self, name: str) -> Path | bytes:
        """Where a file lies on disk, or its verified bytes where it lies in a zip.

        Raises
        ------
        MissingBand : the product lacks the file.
        CorruptFile : its bytes do not have the zip's checksum.
        """
        if name not in self._names:
            raise MissingBand(f"{self.path}: {name} is missing. {FETCH_AGAIN}")
        return self._content(name)

    def _content(self, name: str) -> Path | bytes:
        return self._folder / name

    def read(self, name: str) -> bytes:
        """Bytes of a file; raises as `content` does."""
        content = self.content(name)
        return content if isinstance(content, bytes) else content.read_bytes()

    @contextmanager
    def raster(self, name: str) -> Iterator[rasterio.DatasetReader]:
        """Open a raster of the product: a directory's in place, a zip's from verified bytes.

        Raises
        ------
        CorruptFile : GDAL cannot open it, or cannot read it to its end.
        """
        content = self.content(name)
        driver = "GTiff" if _head(content) in _TIFF else "JP2OpenJPEG"  # no driver that would follow links or names
        try:
            with ExitStack() as stack:
                if isinstance(content, bytes):
                    content = stack.enter_context(MemoryFile(content)).name
                yield stack.enter_context(rasterio.open(content, driver=driver))
        except rasterio.errors.RasterioError as error:
            reason = error.__cause__ or error
            raise CorruptFile(f"{self.path}: {name} is not readable as an image ({reason}). {FETCH_AGAIN}") from error


def _described(path: Path) -> str:
    """A path for messages: of a link, as the archive's are, also what it leads to."""
    return f"{path} (a link to {path.resolve()})" if path.is_symlink() else str(path)


def _head(content: Path | bytes) -> bytes:
    if isinstance(content, bytes):
        return content[:2]
    with open(content, "rb") as file:
        return file.read(2)


class _ZippedFiles(SafeFiles):
    def __init__(self, path: Path, archive: zipfile.ZipFile, members: dict[str, str]) -> None:
        super().__init__(path, list(members))
        self._archive = archive
        self._members = members

    def _content(self, name: str) -> bytes:
        try:
            return self._archive.read(self._members[name])  # compares the CRC
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
            raise CorruptFile(f"{self.path}: {name} cannot be unpacked ({error}). {FETCH_AGAIN}") from error


@contextmanager
def open_safe(path: Path) -> Iterator[SafeFiles]:
    """Open a product: its ``.SAFE`` directory, or a zip that holds one, at any depth.

    Raises
    ------
    CorruptFile : neither, a damaged zip, a member whose name is absolute or climbs with ``..``, a name twice, or no
        ``MTD_MSIL1C.xml``.
    """
    path = Path(path)
    if path.is_dir():
        names = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
        _root_of(path, names)
        yield SafeFiles(path, names)
        return
    with _open_zip(path) as archive:
        members = [member.filename for member in archive.infolist() if not member.is_dir()]
        _check_members(path, members)
        root = _root_of(path, members)
        yield _ZippedFiles(path, archive, {m.removeprefix(root): m for m in members if m.startswith(root)})


@contextmanager
def _open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise CorruptFile(
            f"{_described(path)}: neither a SAFE directory nor a readable zip ({error}). {FETCH_AGAIN}"
        ) from error
    with archive:
        yield archive


def _check_members(path: Path, members: list[str]) -> None:
    seen: set[str] = set()
    for member in members:
        if member.startswith("/") or "\\" in member or ":" in member or ".." in member.split("/"):
            raise CorruptFile(
                f'{_described(path)}: member "{member}" has an absolute or climbing name; expected names '
                "below one .SAFE folder. Do not unpack this zip; fetch the product again from a source that you trust."
            )
        if member in seen:
            raise CorruptFile(f'{_described(path)}: member "{member}" stands twice in the zip. {FETCH_AGAIN}')
        seen.add(member)


def _root_of(path: Path, names: list[str]) -> str:
    """Prefix of the names up to the SAFE folder, `""` or ending in a slash."""
    found = [name for name in names if name.rpartition("/")[2] == PRODUCT_METADATA]
    shallow = sorted(found, key=lambda name: name.count("/"))
    if not shallow or (len(shallow) > 1 and shallow[0].count("/") == shallow[1].count("/")):
        raise CorruptFile(
            f"{_described(path)}: holds {len(found)} files {PRODUCT_METADATA}; expected the one of a Level-1C product. "
            f"{FETCH_AGAIN}"
        )
    root = shallow[0].removesuffix(PRODUCT_METADATA)
    if root and path.is_dir():
        raise CorruptFile(f"{_described(path)}: the product lies deeper, in {root}; give that folder instead.")
    return root


# --- metadata -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class L1CMetadata:
    """What a Level-1C product says about itself.

    Attributes
    ----------
    product_id : PRODUCT_URI without ``.SAFE``.
    tile : MGRS cell without the leading T.
    platform : ``S2A`` .. ``S2D``.
    datatake : start of the datatake, ``20190412T105031``; datatake_id : ``GS2A_20190412T105031_019872_N02.07``.
    orbit_direction : ``ASCENDING`` or ``DESCENDING``.
    processing_baseline : ``02.07``.
    generated, product_start, sensing : UTC; `sensing` is the tile's SENSING_TIME.
    footprint : area with data, longitude and latitude in degrees; a MultiPolygon where it crosses 180°.
    cloud : percent of the pixels with data.
    degraded_percent : degraded MSI data, the larger of product and tile.
    offsets : added to digital numbers by band, all 13; 0 where the metadata has none.
    quantification : digital numbers per unit reflectance.
    upper_left : outer corner (x, y) in m of `epsg`; sizes : (rows, columns) by resolution in m.
    band_files : image file by band, as far as the metadata names them, whether or not they exist.
    masks : mask file by (type, band), band None for masks of the whole tile.
    mean_sun, mean_view : (zenith, azimuth) in degrees, `mean_view` by band; None or absent where not given.
    """

    product_id: str
    tile: str
    platform: str
    datatake: str
    datatake_id: str
    relative_orbit: int
    orbit_direction: str
    processing_baseline: str
    generated: datetime
    product_start: datetime
    sensing: datetime
    footprint: BaseGeometry
    cloud: float
    degraded_percent: float
    offsets: dict[str, int]
    quantification: int
    epsg: int
    upper_left: tuple[float, float]
    sizes: dict[int, tuple[int, int]]
    band_files: dict[str, str]
    masks: dict[tuple[str, str | None], str]
    mean_sun: tuple[float, float] | None
    mean_view: dict[str, tuple[float, float]]


def read_l1c(files: SafeFiles) -> L1CMetadata:
    """Read the metadata of a Level-1C product with one tile.

    Raises
    ------
    CorruptFile : XML broken, with a DTD or entities, without an element that is needed or with one that is no number,
        time or polygon as it should be.
    ProductError : not Level-1C, several tiles, other special values than nodata 0 and saturated 65535, percentages
        outside 0 to 100, a relative orbit that does not exist.
    OffsetError : radiometric offsets that contradict the processing baseline, or not one for each band.
    GridMismatch : resolutions whose upper left corners or pixel sizes do not fit together.
    """
    product = _Xml(files, PRODUCT_METADATA)
    tile = _Xml(files, _tile_metadata(files))
    _check_level(product)
    datatake = product.text("datatakeIdentifier")
    baseline = product.text("PROCESSING_BASELINE")
    epsg, upper_left, sizes = _geocoding(tile)
    return L1CMetadata(
        product_id=product.text("PRODUCT_URI").removesuffix(".SAFE"),
        tile=tile.match("TILE_ID", r".*_T(\d{2}[A-Z]{3})(?:_.*)?"),
        platform="S2" + product.match("SPACECRAFT_NAME", r"Sentinel-2([A-Z])"),
        datatake=product.match("datatakeIdentifier", r"GS2[A-Z]_(\d{8}T\d{6})_.*"),
        datatake_id=datatake,
        relative_orbit=product.integer("SENSING_ORBIT_NUMBER", low=1, high=RELATIVE_ORBITS),
        orbit_direction=product.text("SENSING_ORBIT_DIRECTION"),
        processing_baseline=baseline,
        generated=product.time("GENERATION_TIME"),
        product_start=product.time("PRODUCT_START_TIME"),
        sensing=tile.time("SENSING_TIME"),
        footprint=_footprint(product),
        cloud=product.number("Cloud_Coverage_Assessment", low=0, high=100),
        degraded_percent=max(
            xml.number("DEGRADED_MSI_DATA_PERCENTAGE", low=0, high=100, default=0.0) for xml in (product, tile)
        ),
        offsets=_offsets(product, baseline),
        quantification=product.integer("QUANTIFICATION_VALUE"),
        epsg=epsg,
        upper_left=upper_left,
        sizes=sizes,
        band_files=_band_files(product),
        masks=_masks(tile, files),
        mean_sun=_angles(tile, "Mean_Sun_Angle").get(None),
        mean_view={band: angle for band, angle in _angles(tile, "Mean_Viewing_Incidence_Angle").items() if band},
    )


def product_from(metadata: L1CMetadata, *, href: str, size_bytes: int, stamp: str) -> Product:
    """What a catalogue says about a product whose metadata we have read."""
    return Product(
        id=metadata.product_id,
        collection="s2_l1c",
        tile=metadata.tile,
        platform=metadata.platform,
        datatake=metadata.datatake,
        relative_orbit=metadata.relative_orbit,
        sensing=metadata.sensing,
        processing_baseline=metadata.processing_baseline,
        generated=metadata.generated,
        footprint=metadata.footprint,
        cloud=metadata.cloud,
        size_bytes=size_bytes,
        stamp=stamp,
        form="safe",
        href=href,
        offset_state="in_metadata",
    )


def mean_direction(angles: list[tuple[float, float]]) -> tuple[float, float]:
    """Mean (zenith, azimuth) in degrees of several; NaN for none. Azimuths on both sides of north do not cancel."""
    if not angles:
        return math.nan, math.nan
    first = angles[0][1]
    turned = [(azimuth - first + 180) % 360 - 180 for _, azimuth in angles]
    return sum(zenith for zenith, _ in angles) / len(angles), (first + sum(turned) / len(turned)) % 360


def parse_xml(files: SafeFiles, name: str) -> etree._Element:
    """Root of an XML file of a product.

    Raises
    ------
    CorruptFile : not well-formed, or with a document type declaration, which no Sentinel-2 product has and through
        which entities could reach other files.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(files.read(name), parser)
    except etree.XMLSyntaxError as error:
        raise CorruptFile(f"{files.path}: {name} is not well-formed XML ({error}). {FETCH_AGAIN}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise CorruptFile(
            f"{files.path}: {name} declares a document type (DTD) or entities; expected plain XML. {FETCH_AGAIN}"
        )
    return root


class _Xml:
    """An XML file whose elements are asked for by local name; the errors name file and element."""

    def __init__(self, files: SafeFiles, name: str) -> None:
        self.label = f"{files.path}: {name}"
        self.root = parse_xml(files, name)

    def all(self, tag: str) -> list[etree._Element]:
        return list(self.root.iter(f"{{*}}{tag}"))

    def find(self, tag: str) -> str | None:
        """Text of the first element, or of the first attribute, of a name; None if absent or empty."""
        for element in self.root.iter(f"{{*}}{tag}"):
            return (element.text or "").strip() or None
        for element in self.root.iter("{*}Datatake"):
            return element.get(tag)
        return None

    def text(self, tag: str) -> str:
        value = self.find(tag)
        if value is None:
            raise CorruptFile(f"{self.label} has no {tag}. {FETCH_AGAIN}")
        return value

    def match(self, tag: str, pattern: str) -> str:
        found = re.fullmatch(pattern, self.text(tag))
        if found is None:
            raise CorruptFile(f'{self.label}: {tag} is "{self.text(tag)}"; expected the form {pattern}. {FETCH_AGAIN}')
        return found[1]

    def number(
        self, tag: str, *, low: float = -math.inf, high: float = math.inf, default: float | None = None
    ) -> float:
        """The number of the first element of a name, in the metadata's unit; `default` where there is none.

        Raises
        ------
        CorruptFile : it is missing or no number. ProductError : it lies outside `low` to `high`.
        """
        if default is not None and self.find(tag) is None:
            return default
        value = finite_number(self.label, tag, self.text(tag))
        if not low <= value <= high:
            raise ProductError(f"{self.label}: {tag} is {value:.10g}; expected {low:g} to {high:g}. {FETCH_AGAIN}")
        return value

    def integer(self, tag: str, *, low: float = -math.inf, high: float = math.inf) -> int:
        value = self.number(tag, low=low, high=high)
        if not value.is_integer():
            raise CorruptFile(f"{self.label}: {tag} is {value}; expected a whole number. {FETCH_AGAIN}")
        return int(value)

    def time(self, tag: str) -> datetime:
        """The time (UTC) of an element.

        Raises
        ------
        CorruptFile : it is missing or not in ISO 8601.
        """
        try:
            return parse_time(self.text(tag))
        except ValueError as error:
            raise CorruptFile(
                f'{self.label}: {tag} is "{self.text(tag)}"; expected a time in ISO 8601. {FETCH_AGAIN}'
            ) from error


def finite_number(label: str, what: str, text: str) -> float:
    """The number that a text of a product holds; `label` and `what` name it.

    Raises
    ------
    CorruptFile : no number, infinite or NaN.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise CorruptFile(f'{label}: {what} is "{text}"; expected a finite number. {FETCH_AGAIN}')
    return value


def _tile_metadata(files: SafeFiles) -> str:
    found = [name for name in files.names() if _TILE_METADATA.fullmatch(name)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise CorruptFile(f"{files.path}: no GRANULE/*/MTD_TL.xml. {FETCH_AGAIN}")
    raise ProductError(
        f"{files.path}: {len(found)} granules; expected one tile a product. "
        "Products before December 2016 hold several: take the reprocessed ones (processing baseline 05.00)."
    )


def _check_level(product: _Xml) -> None:
    level = product.text("PROCESSING_LEVEL")
    if level != "Level-1C":
        raise ProductError(f'{product.label}: PROCESSING_LEVEL is "{level}"; expected "Level-1C". Take that product.')
    for special in product.all("Special_Values"):
        name, value = (special.findtext(f"{{*}}SPECIAL_VALUE_{part}") for part in ("TEXT", "INDEX"))
        expected = {"NODATA": NODATA_DN, "SATURATED": SATURATED_DN}.get(name or "")
        if expected is not None and value != str(expected):
            raise ProductError(f"{product.label}: special value {name} is {value}; expected {expected}. {FETCH_AGAIN}")


def _offsets(product: _Xml, baseline: str) -> dict[str, int]:
    """Offset by band. Only what the metadata says counts; the processing baseline serves to notice what is missing."""
    listed = product.all("RADIO_ADD_OFFSET")
    offset_expected = _baseline_number(product, baseline) >= OFFSET_BASELINE
    if not listed and not offset_expected:
        return dict.fromkeys(_BANDS.values(), 0)
    if not listed:
        raise OffsetError(
            f"{product.label}: processing baseline {baseline} without RADIO_ADD_OFFSET; expected one for each of 13 "
            f"bands from 04.00 on. {FETCH_AGAIN}"
        )
    texts = {_BANDS.get(element.get("band_id", ""), element.get("band_id")): element.text for element in listed}
    if sorted(map(str, texts)) != sorted(_BANDS.values()) or len(listed) != len(texts):
        raise OffsetError(
            f"{product.label}: RADIO_ADD_OFFSET stands for the bands {', '.join(sorted(map(str, texts)))} "
            f"({len(listed)} elements); expected one for each of 13 bands. {FETCH_AGAIN}"
        )
    offsets = {band: _offset(product, str(band), text) for band, text in texts.items()}
    if any(offsets.values()) and not offset_expected:
        raise OffsetError(
            f"{product.label}: RADIO_ADD_OFFSET {sorted(set(offsets.values()))} in processing baseline {baseline}; "
            f"expected none before 04.00. {FETCH_AGAIN}"
        )
    if not any(offsets.values()) and offset_expected:
        raise OffsetError(
            f"{product.label}: RADIO_ADD_OFFSET is 0 for all bands in processing baseline {baseline}; expected an "
            f"offset from 04.00 on (all known are -1000). {FETCH_AGAIN}"
        )
    return {band: offsets[band] for band in _BANDS.values()}


def _offset(product: _Xml, band: str, text: str | None) -> int:
    try:
        offset = int(text or "")
    except ValueError as error:
        raise OffsetError(
            f'{product.label}: RADIO_ADD_OFFSET of {band} is "{text}"; expected a whole number. {FETCH_AGAIN}'
        ) from error
    if not -32768 <= offset <= 0:
        raise OffsetError(
            f"{product.label}: RADIO_ADD_OFFSET of {band} is {offset}; expected -32768 to 0 (all known are -1000). "
            f"{FETCH_AGAIN}"
        )
    return offset


def _baseline_number(product: _Xml, baseline: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)\.(\d+)", baseline)
    if found is None:
        raise OffsetError(
            f'{product.label}: PROCESSING_BASELINE is "{baseline}"; expected a number such as 05.11. {FETCH_AGAIN}'
        )
    return int(found[1]), int(found[2])


def _geocoding(tile: _Xml) -> tuple[int, tuple[float, float], dict[int, tuple[int, int]]]:
    """EPSG code, upper left corner and sizes by resolution, checked against each other."""
    epsg = int(tile.match("HORIZONTAL_CS_CODE", r"(?i:epsg):(\d+)"))
    sizes = {
        _resolution(tile, element): (_part(tile, element, "NROWS"), _part(tile, element, "NCOLS"))
        for element in tile.all("Size")
    }
    corners: dict[int, tuple[int, ...]] = {
        _resolution(tile, element): tuple(_part(tile, element, key) for key in ("ULX", "ULY", "XDIM", "YDIM"))
        for element in tile.all("Geoposition")
    }
    if set(sizes) != {10, 20, 60} or set(corners) != set(sizes):
        raise CorruptFile(
            f"{tile.label}: Tile_Geocoding has {sorted(sizes)}, {sorted(corners)}; expected 10, 20, 60 m. {FETCH_AGAIN}"
        )
    x, y = corners[10][:2]
    for resolution, found in sorted(corners.items()):
        if found != (x, y, resolution, -resolution):
            raise GridMismatch(
                f"{tile.label}: Geoposition at {resolution} m is {found}; expected {(x, y, resolution, -resolution)}. "
                f"{FETCH_AGAIN}"
            )
    return epsg, (float(x), float(y)), dict(sorted(sizes.items()))


def _resolution(tile: _Xml, element: etree._Element) -> int:
    return _whole(tile, f"resolution of {etree.QName(element).localname}", element.get("resolution"))


def _part(tile: _Xml, element: etree._Element, tag: str) -> int:
    return _whole(tile, tag, element.findtext(f"{{*}}{tag}"))


def _whole(tile: _Xml, what: str, text: str | None) -> int:
    try:
        return int(text or "")
    except ValueError as error:
        raise CorruptFile(f'{tile.label}: {what} is "{text}"; expected a whole number. {FETCH_AGAIN}') from error


def _band_files(product: _Xml) -> dict[str, str]:
    """Image files by band; names stand without their extension, in IMAGE_FILE (IMAGE_ID in the oldest products)."""
    found: dict[str, str] = {}
    for element in [*product.all("IMAGE_FILE"), *product.all("IMAGE_ID")]:
        name = (element.text or "").strip().removesuffix(".jp2")
        if name[-3:] in _BANDS.values():
            found[name[-3:]] = name + ".jp2"
    return {band: found[band] for band in _BANDS.values() if band in found}


def _masks(tile: _Xml, files: SafeFiles) -> dict[tuple[str, str | None], str]:
    by_base = {name.rpartition("/")[2]: name for name in files.names() if "/QI_DATA/" in name}
    masks: dict[tuple[str, str | None], str] = {}
    for element in tile.all("MASK_FILENAME"):
        name = (element.text or "").strip()
        if name not in files:  # some processing baselines give the name without its folder
            name = by_base.get(name.rpartition("/")[2], name)
        masks[element.get("type"), _BANDS.get(element.get("bandId", ""))] = name
    return masks


def _angles(tile: _Xml, tag: str) -> dict[str | None, tuple[float, float]]:
    """Mean (zenith, azimuth) by band, None for the sun's, which has none; a band's NaN is left out."""
    found: dict[str | None, tuple[float, float]] = {}
    for element in tile.all(tag):
        band = element.get("bandId")
        texts = {part: (element.findtext(f"{{*}}{part}") or "").strip() for part in ("ZENITH_ANGLE", "AZIMUTH_ANGLE")}
        if band is not None and "nan" in map(str.lower, texts.values()):
            continue
        zenith, azimuth = (finite_number(tile.label, f"{part} of {tag}", text) for part, text in texts.items())
        found[_BANDS.get(band or "")] = zenith, azimuth
    return found


def _footprint(product: _Xml) -> BaseGeometry:
    """Polygon of EXT_POS_LIST: latitude, longitude (and height, in some) of a closed ring."""
    ring = _positions(product)
    for x, y in ring:
        if abs(x) > 180 or abs(y) > 90:
            raise CorruptFile(
                f"{product.label}: EXT_POS_LIST has the position {y:.10g} {x:.10g}; expected a latitude from -90 to 90 "
                f"and a longitude from -180 to 180. {FETCH_AGAIN}"
            )
    footprint = _polygon(ring)
    if not footprint.area:
        raise CorruptFile(
            f"{product.label}: EXT_POS_LIST of {len(ring)} positions encloses no area; expected a polygon. "
            f"{FETCH_AGAIN}"
        )
    return footprint


def _positions(product: _Xml) -> list[tuple[float, float]]:
    """(longitude, latitude) of EXT_POS_LIST."""
    words = product.text("EXT_POS_LIST").split()
    values = [finite_number(product.label, "a number of EXT_POS_LIST", word) for word in words]
    for step in (2, 3):
        if len(values) % step == 0 and len(values) >= 4 * step and values[:2] == values[-step:][:2]:
            return list(zip(values[1::step], values[0::step], strict=True))
    raise CorruptFile(f"{product.label}: EXT_POS_LIST of {len(values)} numbers is no closed ring. {FETCH_AGAIN}")


def _polygon(ring: list[tuple[float, float]]) -> BaseGeometry:
    """Polygon of (longitude, latitude); a ring that jumps over 180° is cut there."""
    longitudes = [x for x, _ in ring]
    crosses = any(abs(a - b) > 180 for a, b in pairwise(longitudes))
    if not crosses:
        return make_valid(Polygon(ring))  # real rings touch themselves now and then
    turned = make_valid(Polygon([(x % 360, y) for x, y in ring]))
    east = turned.intersection(box(0, -90, 180, 90))
    west = translate(turned.intersection(box(180, -90, 360, 90)), xoff=-360)
    return unary_union([east, west])
