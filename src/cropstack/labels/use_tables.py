"""What a declaration's codes are, by parcels and area, as tables for the terminal."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from rapidfuzz import fuzz

from cropstack.labels.code_use import CodeUse
from cropstack.labels.country_files import Country
from cropstack.labels.crops import Match, normalise
from cropstack.labels.lint_crops import Row, skeleton
from cropstack.labels.suggest import Known, plain, suggest
from cropstack.labels.text_table import text_table
from cropstack.legend import UNKNOWN

CODES_SHOWN = 25


def state_of(match: Match | None) -> str:
    """``mapped``, ``998``, ``no row`` or ``excluded``."""
    if match is None:
        return "no row"
    code = match.crop.class_code
    return "excluded" if code is None else "998" if code == UNKNOWN else "mapped"


def state_table(use: CodeUse, states: dict[str, str]) -> list[str]:
    """Codes, parcels and area by state."""
    rows = []
    for state in ("mapped", "998", "no row", "excluded"):
        codes = [code for code, found in states.items() if found == state]
        parcels, area = sum(use.parcels[code] for code in codes), sum(use.area_m2[code] for code in codes)
        share = [percent(parcels, use.count), percent(area, use.area)]
        rows.append([state, str(len(codes)), str(parcels), share[0], f"{area / 1e4:.2f}", share[1]])
    return text_table(["", "#codes", "#parcels", "#share", "#ha", "#share"], rows)


def percent(part: float, whole: float) -> str:
    """A share as text."""
    return f"{100 * part / whole:.2f} %" if whole else "-"


def largest_first(use: CodeUse) -> list[str]:
    """Codes by area."""
    return sorted(use.parcels, key=lambda code: (-use.area_m2[code], code))


def without_class(country: Country, use: CodeUse, codes: list[str], states: dict[str, str]) -> list[str]:
    """Codes without a class, each with the nearest row or class."""
    if not codes:
        return ["", "every code has a class"]
    shown = codes[:CODES_SHOWN]
    own = [Known(row.name, plain(row.name), int(row.class_code), row.hcat, country.cc) for row in _with_class(country)]
    hints = suggest([(use.name(code) or code,) for code in shown], [*own, *country.known], most=1)
    rows = []
    for code, found in zip(shown, hints, strict=True):
        near = _near_row(code, country.rows, use.year) if states[code] == "no row" else ""
        hint = near or (str(found[0]) if found else "its row says 998" if states[code] == "998" else "")
        cells = [code or "(none declared)", use.name(code), str(use.parcels[code]), f"{use.area_m2[code] / 1e4:.2f}"]
        rows.append([*cells, percent(use.area_m2[code], use.area), hint])
    lines = ["", f"codes without a class, largest first ({len(shown)} of {len(codes)})"]
    return [*lines, *text_table(["code", "name", "#parcels", "#ha", "#share", "nearest"], rows)]


def _with_class(country: Country) -> list[Row]:
    return [row for row in country.rows if row.class_code.isdigit() and int(row.class_code) != UNKNOWN]


def _near_row(code: str, rows: Sequence[Row], year: int) -> str:
    """The row of the table that a code without one may mean: of other years, or spelled nearly the same."""
    for row in rows:
        if normalise(row.code) == normalise(code):
            first, last = row.first or "", "" if row.last == 9999 else row.last
            return f"'{row.code}' holds {first}-{last} only"
    alike = [row for row in rows if code and skeleton(row.code) == skeleton(code)]
    alike += [row for row in rows if len(code) > 3 and fuzz.ratio(row.code, normalise(code)) >= 85]
    return f"did you mean '{alike[0].code}' ({alike[0].class_code})?" if alike else ""


def class_table(country: Country, use: CodeUse, matches: dict[str, Match]) -> list[str]:
    """Classes by area."""
    parcels, area = by_class(use, matches)
    order = sorted(parcels, key=lambda code: (-area[code], code))
    rows = [
        [str(code), country.classes[code].name, str(parcels[code]), f"{area[code] / 1e4:.2f}"]
        + [percent(area[code], use.area)]
        for code in order
    ]
    shown = rows[:CODES_SHOWN]
    header = ["class", "name", "#parcels", "#ha", "#share"]
    return ["", f"classes by area ({len(shown)} of {len(rows)})", *text_table(header, shown)] if rows else []


def by_class(use: CodeUse, matches: dict[str, Match]) -> tuple[dict[int, int], dict[int, float]]:
    """Parcels and area in m² by class."""
    parcels: dict[int, int] = defaultdict(int)
    area: dict[int, float] = defaultdict(float)
    for code, match in sorted(matches.items()):
        if match.crop.class_code is not None:
            parcels[match.crop.class_code] += use.parcels[code]
            area[match.crop.class_code] += use.area_m2[code]
    return parcels, area


def size_table(use: CodeUse) -> list[str]:
    """Quantiles of the parcels' areas."""
    if not len(use.size_m2):
        return []
    quantiles = np.quantile(use.size_m2, [0.0, 0.05, 0.5, 0.95, 1.0]) / 1e4
    cells = [f"{value:.4g}" for value in quantiles]
    header = ["parcel size in ha", "#smallest", "#5 %", "#median", "#95 %", "#largest"]
    return ["", *text_table(header, [["geometry", *cells]])]
