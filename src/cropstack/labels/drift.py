"""What changed in a country's declarations from one year to the next."""

from collections.abc import Sequence

from cropstack.labels.code_use import CodeUse
from cropstack.labels.country_files import Country
from cropstack.labels.crops import decoded, normalise
from cropstack.labels.lint_crops import Finding, skeleton
from cropstack.labels.text_table import text_table
from cropstack.labels.use_findings import OTHER_NAME, alike
from cropstack.labels.use_tables import CODES_SHOWN, percent

DRIFT = 0.02  # ASSUME: change of a code's share of the area from one year to the next that is worth a look
_SHOWN = 5


def drift(country: Country, before: CodeUse, after: CodeUse) -> tuple[list[str], list[Finding]]:
    """Lines and findings about codes that came, went, changed their spelling, share or name between two years."""
    came, went = sorted(set(after.parcels) - set(before.parcels)), sorted(set(before.parcels) - set(after.parcels))
    respelled = _respelled(went, came)
    came = [code for code in came if code not in respelled.values()]
    went = [code for code in went if code not in respelled]
    rows = [[code, _name(country, after, code), "new", "-", _share(after, code)] for code in came]
    rows += [[code, _name(country, before, code), "gone", _share(before, code), "-"] for code in went]
    rows += [[a, b, "respelled", _share(before, a), _share(after, b)] for a, b in sorted(respelled.items())]
    both = sorted(set(before.parcels) & set(after.parcels))
    moved = [code for code in both if abs(after.share(code) - before.share(code)) > DRIFT]
    rows += [[code, _name(country, after, code), "share", _share(before, code), _share(after, code)] for code in moved]
    rows.sort(key=lambda row: (("respelled", "new", "gone", "share").index(row[2]), row[0]))
    title = f"{before.year} to {after.year}: {len(came)} codes new, {len(went)} gone, {len(respelled)} respelled, "
    lines = ["", f"{title}{len(moved)} with a share that moved by over {DRIFT:.0%}"]
    if rows:
        header = ["code", "name", "change", f"#share {before.year}", f"#share {after.year}"]
        lines += text_table(header, rows[:CODES_SHOWN])
        left = len(rows) - CODES_SHOWN
        lines += [f"and {left} more"] if left > 0 else []
    return lines, _findings(country, before, after, both, respelled)


def _respelled(went: Sequence[str], came: Sequence[str]) -> dict[str, str]:
    """Codes of one year that are another spelling of a code of the next: encoding, accents, case, zeros, spaces."""
    new = {skeleton(decoded(code)): code for code in came}
    return {code: new[skeleton(decoded(code))] for code in went if skeleton(decoded(code)) in new}


def _name(country: Country, use: CodeUse, code: str) -> str:
    rows = [row for row in country.rows if normalise(row.code) == normalise(code) and row.first <= use.year <= row.last]
    return use.name(code) or (rows[0].name_en if rows else "")


def _share(use: CodeUse, code: str) -> str:
    return percent(use.area_m2[code], use.area)


def _findings(
    country: Country, before: CodeUse, after: CodeUse, both: Sequence[str], respelled: dict[str, str]
) -> list[Finding]:
    years = f"{before.year} to {after.year}"
    renamed = [
        code
        for code in both
        if before.name(code) and after.name(code) and alike(before.name(code), after.name(code)) < OTHER_NAME
    ]
    parted = {normalise(row.code) for row in country.rows if row.first == after.year or row.last == before.year}
    wrong = [f"'{c}' from '{before.name(c)}' to '{after.name(c)}'" for c in renamed if normalise(c) not in parted]
    findings = []
    if wrong:
        text = f"{years}: codes that stayed and changed their name: {'; '.join(wrong[:_SHOWN])}. "
        findings.append(
            Finding("problem", "renamed", text + "If the crop changed, part the row by valid_from, valid_to")
        )
    if respelled:
        pairs = "; ".join(f"'{a}' and '{b}'" for a, b in sorted(respelled.items())[:_SHOWN])
        findings.append(Finding("note", "respelled", f"{years}: {len(respelled)} codes are spelled otherwise: {pairs}"))
    return findings
