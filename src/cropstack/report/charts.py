"""Charts of the page: pure functions from plain data to SVG text, as wide as a telephone.

Nothing rests on colour alone: lines have dash patterns and their names beside them, groups of points have shapes,
bars have the patterns of the splits, cells their numbers.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import combinations

from cropstack.report.drawings import SPLITS, WIDTH, grid_line, svg, text_at

DASHES = ("", "7 4", "2 3", "10 3 2 3", "4 2", "1 5")  # of lines and, in this order, the classes line0 to line5
# Shapes of points about the origin, some 5 units wide; those that come first are least like each other.
POINTS = (
    "M-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0z",
    "M-1-2.2 0-1.2 1-2.2 2.2-1 1.2 0 2.2 1 1 2.2 0 1.2-1 2.2-2.2 1-1.2 0-2.2-1z",
    "M0-2.4 2.2 1.6h-4.4z",
    "M-.8-2.9h1.6v5.8h-1.6z",
    "M0-2.7 2.2 0 0 2.7-2.2 0z",
    "M-.7-2.5h1.4v1.8h1.8v1.4h-1.8v1.8h-1.4v-1.8h-1.8v-1.4h1.8z",
    "M-1.8-1.8h3.6v3.6h-3.6z",
    "M-2.9-.8h5.8v1.6h-5.8z",
    "M0 2.4 2.2-1.6h-4.4z",
    "M-1.2-2.1h2.4l1.2 2.1-1.2 2.1h-2.4l-1.2-2.1z",
    "M-2.4 0 1.6-2.2v4.4z",
    "M2.4 0-1.6-2.2v4.4z",
)
ROUNDS = 5  # in which groups of points are drawn by turns, so that none covers all others
LINE_GAP = 11  # between names of lines, as high as their letters
LABEL_GAP = 16  # between labels of groups, which are two digits wide

Scale = Callable[[float], float]


@dataclass(frozen=True)
class Line:
    """A line: its name, points (x, y) and, if it has one, its spread (x, lowest, highest)."""

    name: str
    points: Sequence[tuple[float, float]]
    spread: Sequence[tuple[float, float, float]] = ()


@dataclass(frozen=True)
class Axis:
    """An axis from `low` to `high` with ticks (value, text)."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Group:
    """Points that share a shape (its position in `POINTS`) and a colour; `label` is written in their middle."""

    name: str
    shape: int
    colour: str
    points: Sequence[tuple[float, float]]
    label: str = ""


def _scale(axis: Axis, start: float, end: float) -> Scale:
    return lambda value: start + (value - axis.low) / (axis.high - axis.low) * (end - start)


def draw_lines(label: str, lines: Sequence[Line], x_axis: Axis, y_axis: Axis) -> str:
    """Lines over a grid, each with its dash pattern and its name at its end."""
    left, top, bottom, right = 34.0, 8.0, 150.0, WIDTH - 74.0
    x, y = _scale(x_axis, left, right), _scale(y_axis, bottom, top)
    parts = [grid_line(left, y(value), right, y(value)) for value, _ in y_axis.ticks]
    parts += [text_at(left - 5, y(value) + 4, text, anchor="end") for value, text in y_axis.ticks]
    parts += [text_at(x(value), bottom + 15, text) for value, text in x_axis.ticks]
    drawn = [(position, line) for position, line in enumerate(lines) if line.points]
    for position, line in drawn:
        parts += _ribbon(position, line, x, y)
    parts += [_polyline(position, line, x, y) for position, line in drawn]
    heights = spread_out([y(line.points[-1][1]) for _, line in drawn], low=top + 4, high=bottom, gap=LINE_GAP)
    for (position, line), height in zip(drawn, heights, strict=True):
        end, value = line.points[-1]
        parts += [
            grid_line(x(end) + 2, y(value), right + 5, height),
            _line_name(position, right + 7, height, line.name),
        ]
    return svg(bottom + 22, label, parts)


def _line_name(position: int, x: float, y: float, name: str) -> str:
    return text_at(x, y + 4, name, anchor="start", css=f"tick name{position % len(DASHES)}")


def _polyline(position: int, line: Line, x: Scale, y: Scale) -> str:
    kind = position % len(DASHES)
    points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in line.points)
    return (
        f'<polyline class="line line{kind}" stroke-dasharray="{DASHES[kind] or "none"}" points="{points}">'
        f"<title>{escape(line.name)}</title></polyline>"
    )


def _ribbon(position: int, line: Line, x: Scale, y: Scale) -> list[str]:
    if not line.spread:
        return []
    upper = [f"{x(a):.1f},{y(high):.1f}" for a, _, high in line.spread]
    lower = [f"{x(a):.1f},{y(low):.1f}" for a, low, _ in reversed(line.spread)]
    return [f'<polygon class="spread line{position % len(DASHES)}" points="{" ".join(upper + lower)}"/>']


def spread_out(heights: Sequence[float], *, low: float, high: float, gap: float) -> list[float]:
    """Move heights apart by at least `gap`, in their order, from `low` on; pushed up again where they pass `high`."""
    order = sorted(range(len(heights)), key=lambda i: (heights[i], i))
    moved = list(heights)
    floor = low
    for i in order:
        moved[i] = max(moved[i], floor)
        floor = moved[i] + gap
    ceiling = high
    for i in reversed(order):
        moved[i] = min(moved[i], ceiling)
        ceiling = moved[i] - gap
    return moved


def draw_line_key(position: int) -> str:
    """A piece of a line by itself, for a legend."""
    kind = position % len(DASHES)
    return (
        '<svg class="linekey" viewBox="0 0 36 10" aria-hidden="true">'
        f'<path class="line line{kind}" stroke-dasharray="{DASHES[kind] or "none"}" d="M0 5H36"/></svg>'
    )


# --- bars ---------------------------------------------------------------------------------------------


def draw_split_bars(label: str, rows: Sequence[tuple[str, Mapping[str, int]]], *, powers: int) -> str:
    """For each row (name, number by split) a bar per split on a logarithmic axis from 1 to 10 to the power `powers`."""
    left, right, bar, gap = 86.0, WIDTH - 18.0, 7.0, 7.0
    height = bar * len(SPLITS) + gap
    bottom = 4 + height * len(rows)
    unit = (right - left) / powers
    parts = [grid_line(left + unit * power, 2, left + unit * power, bottom) for power in range(powers + 1)]
    parts += [
        text_at(left + unit * power, bottom + 14, f"1e{power}" if power > 3 else f"{10**power}")
        for power in range(powers + 1)
    ]
    for number, (name, counts) in enumerate(rows):
        top = 4 + height * number
        parts.append(text_at(left - 6, top + bar * len(SPLITS) / 2 + 4, name, anchor="end"))
        for position, split in enumerate(SPLITS):
            parts.append(_bar(left, top + bar * position, bar, f"{name}, {split}", split, counts.get(split, 0), unit))
    return svg(bottom + 20, label, parts)


def _bar(x: float, y: float, height: float, name: str, split: str, count: int, unit: float) -> str:
    width = bar_length(count, unit)
    return (
        f'<rect class="bar" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="url(#{split})"><title>{escape(name)}: {count} pixels</title></rect>'
    )


def bar_length(count: int, unit: float) -> float:
    """Length of a bar with `unit` for each factor of ten; a single one is still seen, none is not."""
    return max(unit * math.log10(count), 1.5) if count > 0 else 0.0


# --- points -------------------------------------------------------------------------------------------


def draw_points(label: str, key: str, groups: Sequence[Group]) -> str:
    """Groups of points in a square, each with its shape. `key` is unique on a page."""
    every = [point for group in groups for point in group.points]
    x_axis, y_axis = (Axis(*_extent([point[axis] for point in every]), ()) for axis in (0, 1))
    x, y = _scale(x_axis, 8, WIDTH - 8), _scale(y_axis, WIDTH - 8, 8)
    parts = ["<defs>", *(_marker(key, number, group) for number, group in enumerate(groups)), "</defs>"]
    for turn in range(ROUNDS):
        for number, group in enumerate(groups):
            places = [(x(a), y(b)) for a, b in group.points[turn::ROUNDS]]
            parts += [_marked(f"{key}{number}", group.name, places)] if places else []
    labelled = [group for group in groups if group.label and group.points]
    middles = [[_median([point[axis] for point in group.points]) for axis in (0, 1)] for group in labelled]
    places = push_apart([(x(a), y(b)) for a, b in middles], gap=LABEL_GAP)
    for group, (a, b) in zip(labelled, places, strict=True):
        parts.append(text_at(a, b + 4, group.label, css="name"))
    return svg(WIDTH, label, parts)


def push_apart(places: Sequence[tuple[float, float]], *, gap: float) -> list[tuple[float, float]]:
    """Move places apart, two that are nearer than `gap` by equal steps, until none are or for a hundred rounds."""
    moved = [complex(*place) for place in places]
    pairs = list(combinations(range(len(moved)), 2))
    for _ in range(100):
        close = [(i, j) for i, j in pairs if abs(moved[j] - moved[i]) < gap * 0.999]
        for i, j in close:
            apart = moved[j] - moved[i]
            way = apart / abs(apart) if apart else complex(1)
            step = way * max(gap - abs(apart), 0) / 2
            moved[i], moved[j] = moved[i] - step, moved[j] + step
        if not close:
            break
    return [(place.real, place.imag) for place in moved]


def _marked(marker: str, name: str, places: Sequence[tuple[float, float]]) -> str:
    """An invisible path with a mark on each of its points: eight times shorter than a shape for each."""
    path = "".join(f"{'L' if i else 'M'}{a:.1f} {b:.1f}" for i, (a, b) in enumerate(places))
    marks = " ".join(f'marker-{place}="url(#{marker})"' for place in ("start", "mid", "end")[: 3 if places[1:] else 1])
    return f'<path class="points" {marks} d="{path}"><title>{escape(name)}</title></path>'


def _marker(key: str, number: int, group: Group) -> str:
    return (
        f'<marker id="{key}{number}" viewBox="-3 -3 6 6" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse">'
        f'<path class="point" fill="{group.colour}" d="{POINTS[group.shape]}"/></marker>'
    )


def _extent(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _median(values: Sequence[float]) -> float:
    ranked = sorted(values)
    return ranked[len(ranked) // 2]


def draw_point_key(shape: int, colour: str) -> str:
    """A point by itself, for a legend."""
    return (
        '<svg class="key" viewBox="-4 -4 8 8" aria-hidden="true">'
        f'<path class="point" fill="{colour}" d="{POINTS[shape]}"/></svg>'
    )


# --- cells --------------------------------------------------------------------------------------------


def draw_matrix(label: str, key: str, names: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Confusion matrix (truth down, predicted across), each column as shares of what was predicted, in percent.

    Columns are numbered as the rows. A column of a class that was never predicted is empty.
    """
    left, top = 82.0, 18.0
    cell = (WIDTH - 4 - left) / len(names)
    totals = [sum(row[column] for row in counts) for column in range(len(names))]
    parts = [text_at(left + cell * (i + 0.5), top - 5, str(i + 1)) for i in range(len(names))]
    for row, truth in enumerate(names):
        y = top + cell * row
        parts.append(text_at(left - 5, y + cell / 2 + 4, f"{truth} {row + 1}", anchor="end"))
        for column, predicted in enumerate(names):
            if totals[column]:
                tip = f"{truth} predicted as {predicted}: {counts[row][column]} of {totals[column]}"
                share = counts[row][column] / totals[column]
                parts.append(_cell(left + cell * column, y, cell, f"{key}/{truth}/{predicted}", tip, share))
    return svg(top + cell * len(names) + 4, label, parts)


def _cell(x: float, y: float, size: float, key: str, tip: str, share: float) -> str:
    text = f"{100 * share:.0f}" if share > 0 else ""
    return (
        f'<g data-key="{escape(key)}" data-value="{share:.6f}"><title>{escape(tip)}</title>'
        f'<rect class="heat" x="{x:.1f}" y="{y:.1f}" width="{size:.1f}" height="{size:.1f}" '
        f'fill-opacity="{share:.2f}"/>'
        f"{text_at(x + size / 2, y + size / 2 + 4, text, css='oncell') if text else ''}</g>"
    )
