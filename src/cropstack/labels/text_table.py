"""Tables of plain text for the terminal."""

import unicodedata
from collections.abc import Sequence

WIDTH = 100


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, width: int = WIDTH) -> list[str]:
    """Lines of a table: numbers to the right, words to the left; the widest columns are cut until it fits.

    Parameters
    ----------
    header : a name that begins with ``#`` marks a column of numbers, which is never cut.
    rows : of as many cells; line ends in a cell become spaces.
    width : characters that a line may have.
    """
    numbers = [name.startswith("#") for name in header]
    cells = [[name.removeprefix("#") for name in header], *[[" ".join(cell.split()) for cell in row] for row in rows]]
    widths = [max(_width(row[i]) for row in cells) for i in range(len(header))]
    widths = _fit(widths, [not number for number in numbers], width - 2 * (len(header) - 1))
    lines = []
    for row in cells:
        parts = [_pad(cell, widths[i], right=numbers[i]) for i, cell in enumerate(row)]
        lines.append("  ".join(parts).rstrip())
    return lines


def wrap(text: str, *, width: int = WIDTH, indent: str = "  ") -> list[str]:
    """Lines of a sentence that fit `width`; the second and later ones are indented. Long words stay whole."""
    lines = [""]
    for word in text.split():
        if lines[-1].strip() and _width(lines[-1]) + 1 + _width(word) > width:
            lines.append(indent)
        lines[-1] += word if not lines[-1].strip() else f" {word}"
    return lines


def _width(text: str) -> int:
    """Columns of a terminal: combining marks take none, wide East Asian letters two."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def _fit(widths: list[int], may_shrink: list[bool], room: int) -> list[int]:
    widths = list(widths)
    while sum(widths) > room:
        widest = max((i for i, free in enumerate(may_shrink) if free), key=lambda i: widths[i], default=None)
        if widest is None or widths[widest] <= 8:  # nothing left to cut that could still be read
            return widths
        widths[widest] -= 1
    return widths


def _pad(cell: str, width: int, *, right: bool) -> str:
    if _width(cell) > width:
        while _width(cell) > width - 1:
            cell = cell[:-1]
        cell += "…"
    space = " " * (width - _width(cell))
    return space + cell if right else cell + space
