"""Drawings of the page: pure functions from plain data to SVG text.

Nothing rests on colour alone: splits have patterns and letters, reasons have shapes. Lines and text take their
colours from the page's style sheet, so that dark pages work. All drawings are as wide as a telephone, which
shows them unscaled and their text readable; wide pages put several side by side.
"""

import calendar
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

WIDTH = 360
SPLITS = ("train", "val", "test")
SHAPES = ("cross", "square", "triangle", "diamond", "plus")

Ring = Sequence[tuple[float, float]]
Place = Callable[[float, float], tuple[float, float]]


@dataclass(frozen=True)
class TileOutline:
    """A tile on the map: rings in longitude and latitude of its MGRS cell and of the part that was built."""

    name: str
    cell: Ring
    built: Ring


@dataclass(frozen=True)
class Acquisition:
    """A product on a timeline; `reason` is empty when it was used."""

    product: str
    sensing: datetime
    cloud: float
    reason: str


def svg(height: float, label: str, parts: Sequence[str]) -> str:
    """An inline drawing WIDTH wide; `label` describes it to those who do not see it."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(label)}">'
        f"<title>{escape(label)}</title>{''.join(parts)}</svg>"
    )


def text_at(x: float, y: float, text: str, *, anchor: str = "middle", css: str = "tick") -> str:
    """A line of text; `css` is its class in the style sheet."""
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def grid_line(x1: float, y1: float, x2: float, y2: float) -> str:
    """A faint line of a grid."""
    return f'<line class="grid" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


# --- map ----------------------------------------------------------------------------------------------


def draw_map(tiles: Sequence[TileOutline]) -> str:
    """Tiles in longitude and latitude, equirectangular about the middle, over a graticule."""
    lon = [x for tile in tiles for x, _ in tile.cell]
    lat = [y for tile in tiles for _, y in tile.cell]
    margin = 0.12 * max(max(lon) - min(lon), max(lat) - min(lat))
    west, east, south, north = min(lon) - margin, max(lon) + margin, min(lat) - margin, max(lat) + margin
    squeeze = math.cos(math.radians((south + north) / 2))
    scale = min((WIDTH - 44) / ((east - west) * squeeze), 420 / (north - south))
    left = 44 + (WIDTH - 44 - (east - west) * squeeze * scale) / 2
    height = (north - south) * scale + 22

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (x - west) * squeeze * scale, 2 + (north - y) * scale

    parts = _graticule(west, south, east, north, place)
    parts += [part for tile in tiles for part in _outline(tile, place)]
    return svg(height, "Map of the tiles " + ", ".join(tile.name for tile in tiles), parts)


def _graticule(west: float, south: float, east: float, north: float, place: Place) -> list[str]:
    step = _round_step(max(east - west, north - south) / 4)
    parts: list[str] = []
    for lon in _multiples(west, east, step):
        (x, top), (_, bottom) = place(lon, north), place(lon, south)
        parts += [grid_line(x, top, x, bottom), text_at(x, bottom + 14, _degrees(lon, "E", "W"))]
    for lat in _multiples(south, north, step):
        (first, y), (last, _) = place(west, lat), place(east, lat)
        parts += [grid_line(first, y, last, y), text_at(first - 4, y + 4, _degrees(lat, "N", "S"), anchor="end")]
    return parts


def _round_step(rough: float) -> float:
    """Smallest of 1, 2, 5 times a power of ten that is not below `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)


def _multiples(low: float, high: float, step: float) -> list[float]:
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _degrees(value: float, positive: str, negative: str) -> str:
    return f"{abs(value):.4g}° {positive if value >= 0 else negative}"


def _outline(tile: TileOutline, place: Place) -> list[str]:
    def ring(points: Ring) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))

    cell = [place(*point) for point in tile.cell]
    x = sum(point[0] for point in cell) / len(cell)
    y = sum(point[1] for point in cell) / len(cell)
    return [
        f'<polygon class="cell" points="{ring(tile.cell)}"/>',
        f'<polygon class="built" points="{ring(tile.built)}"/>',
        text_at(x, y + 4, tile.name, css="name"),
    ]


# --- patches ------------------------------------------------------------------------------------------


def split_patterns() -> str:
    """Definitions that `draw_patches` refers to, once on a page."""
    return (
        '<svg class="defs" aria-hidden="true" width="0" height="0"><defs>'
        '<pattern id="train" width="8" height="8" patternUnits="userSpaceOnUse">'
        '<rect width="8" height="8" class="train"/></pattern>'
        '<pattern id="val" width="8" height="8" patternUnits="userSpaceOnUse">'
        '<rect width="8" height="8" class="val"/><circle cx="4" cy="4" r="1.6" class="ink"/></pattern>'
        '<pattern id="test" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect width="8" height="8" class="test"/><rect width="2.4" height="8" class="ink"/></pattern>'
        "</defs></svg>"
    )


def draw_patches(tile: str, side: int, splits: Mapping[tuple[int, int], str]) -> str:
    """The patch grid of a tile, `side` patches a side, each filled as its split; empty where it has none."""
    cell = (WIDTH - 24) / side
    parts: list[str] = []
    for row in range(side):
        for column in range(side):
            split = splits.get((row, column))
            x, y = 22 + column * cell, 2 + row * cell
            parts.append(
                f'<rect class="patch" x="{x:.1f}" y="{y:.1f}" width="{cell:.1f}" height="{cell:.1f}" '
                f'fill="{f"url(#{split})" if split else "none"}"><title>patch {row:02d}_{column:02d}: '
                f"{split or 'in no split'}</title></rect>"
            )
            if split and side <= 8:
                parts.append(text_at(x + cell / 2, y + cell / 2 + 5, split, css="onpatch"))
    every = max(1, side // 6)
    for i in range(0, side, every):
        middle = (i + 0.5) * cell
        parts += [text_at(18, 6 + middle, f"{i:02d}", anchor="end"), text_at(22 + middle, WIDTH - 8, f"{i:02d}")]
    return svg(WIDTH - 4, f"Patches of {tile} by split", parts)


# --- timeline -----------------------------------------------------------------------------------------


def reason_shapes(reasons: Sequence[str]) -> dict[str, str]:
    """A shape for each reason of a page, in order of name; they repeat after five."""
    return {reason: SHAPES[i % len(SHAPES)] for i, reason in enumerate(sorted(set(reasons)))}


def draw_timeline(label: str, year: int, acquisitions: Sequence[Acquisition], shapes: Mapping[str, str]) -> str:
    """Acquisitions of a tile-year: day of the year across, cloud cover upwards; filled circles were used."""
    left, top, width, height = 42, 8, WIDTH - 50, 104
    days = 366 if calendar.isleap(year) else 365
    parts: list[str] = []
    for percent in (0, 50, 100):
        y = top + height * (1 - percent / 100)
        parts += [grid_line(left, y, left + width, y), text_at(left - 5, y + 4, f"{percent} %", anchor="end")]
    for month in range(12):
        start = datetime(year, month + 1, 1).timetuple().tm_yday - 1
        x = left + width * start / days
        parts += [grid_line(x, top, x, top + height), text_at(x + width / 24, top + height + 15, "JFMAMJJASOND"[month])]
    for item in sorted(acquisitions, key=lambda item: (item.reason == "", item.sensing, item.product)):
        x = left + width * (item.sensing.timetuple().tm_yday - 1) / days
        y = top + height * (1 - item.cloud / 100)
        parts.append(_mark(x, y, item, shapes))
    return svg(top + height + 20, label, parts)


def _mark(x: float, y: float, item: Acquisition, shapes: Mapping[str, str]) -> str:
    state = f"left out: {item.reason}" if item.reason else "used"
    tip = f"<title>{escape(item.product)}, {item.sensing:%d %B}, {item.cloud:.1f} % cloud, {state}</title>"
    return f'<g transform="translate({x:.1f} {y:.1f})">{tip}{mark_shape(shapes.get(item.reason))}</g>'


def mark_shape(shape: str | None) -> str:
    """A mark about the origin: None is the filled circle of what was used."""
    if shape is None:
        return '<circle class="used" r="4"/>'
    path = {
        "cross": "M-4-4 4 4M-4 4 4-4",
        "square": "M-5-5H5V5H-5Z",
        "triangle": "M0-6 5.5 4H-5.5Z",
        "diamond": "M0-6.5 5.5 0 0 6.5-5.5 0Z",
        "plus": "M-5.5 0H5.5M0-5.5V5.5",
    }[shape]
    return f'<path class="leftout" d="{path}"/>'


def draw_key(shape: str | None) -> str:
    """A mark by itself, for a legend."""
    return f'<svg class="key" viewBox="-8 -8 16 16" aria-hidden="true">{mark_shape(shape)}</svg>'
