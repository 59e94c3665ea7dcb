"""What is wrong with a declaration, or with the table of crops in its light."""

import re
from collections.abc import Sequence

import numpy as np
from rapidfuzz import fuzz

from cropstack.files import read_json
from cropstack.labels.code_use import CodeUse
from cropstack.labels.country_files import Country, edition_of
from cropstack.labels.crops import MAX_EXCLUDED, Match, match_codes, normalise, read_crops
from cropstack.labels.lint_crops import Finding, Row
from cropstack.labels.source_text import is_share_alike
from cropstack.labels.suggest import plain
from cropstack.labels.use_tables import by_class, largest_first, state_of
from cropstack.legend import UNKNOWN

MAX_MOJIBAKE = 0.05  # ASSUME: more parcels with names decoded with the wrong table are no accident
MAX_MISMATCH = 0.5  # ASSUME: declared areas of more parcels off by 5 % mean another unit or column
MEDIAN_SIZE_M2 = (500.0, 1e6)  # ASSUME: no country's median parcel is smaller than 0.05 or larger than 100 ha
SIZE_M2 = (100.0, 1e7)  # ASSUME: parcels below one pixel at 10 m or above 1000 ha are worth a look
OTHER_NAME = 50.0  # ASSUME: names less alike than this (0 to 100) are names of different crops
_SHOWN = 5


def sample_findings(country: Country) -> list[Finding]:
    """Whether sample.geojson, where there is one, has the columns of its year's edition and codes with a class."""
    path = country.folder / "sample.geojson"
    if not path.is_file():
        return []
    sample = read_json(path)
    features = sample.get("features") or []
    year = sample.get("year", max(year for edition in country.source["editions"] for year in edition["years"]))
    edition = edition_of(country.source, year, country.folder / "source.yaml")
    found = {str(name).casefold(): name for name in (features[0]["properties"] if features else {})}
    missing = sorted({name for name in edition["columns"].values() if name and name.casefold() not in found})
    if missing:
        text = f"{path}: no feature with the columns {', '.join(missing)} of {year}; found {sorted(found.values())}"
        return [Finding("problem", "sample", text)]
    column, pattern = found[edition["columns"]["code"].casefold()], re.compile(edition["code_pattern"] or "(.*)")
    texts = [str(feature["properties"].get(column) or "") for feature in features]
    codes = [match[1].strip() if (match := pattern.search(text)) else text for text in texts]
    table = read_crops(country.folder / "crops.csv", country.classes, year=year)
    matches = match_codes(codes, table, name_width=edition["name_width"])
    bad = sorted({code for code in codes if state_of(matches.get(code)) in ("no row", "998")})
    return [Finding("problem", "sample", f"{path}: codes without a class: {some_of(bad)}")] if bad else []


def licence_findings(country: Country) -> list[Finding]:
    """A licence that wants derived data under the same, and a `share_alike` that says otherwise."""
    if not is_share_alike(country.source["licence"]) or country.source["share_alike"]:
        return []
    text = (
        f'{country.folder}/source.yaml: the licence is "{country.source["licence"]}", share_alike false; set it to true'
    )
    return [Finding("problem", "share_alike", text)]


def mapped_shares(use: CodeUse, states: dict[str, str]) -> tuple[float, float]:
    """Shares of the parcels and of the area that have a class; 998 has none, and what is excluded counts nowhere."""
    crops = [code for code, state in states.items() if state != "excluded"]
    mapped = [code for code in crops if states[code] == "mapped"]
    parcels, area = sum(use.parcels[code] for code in crops), sum(use.area_m2[code] for code in crops)
    by_count = sum(use.parcels[code] for code in mapped) / parcels if parcels else 0.0
    return by_count, sum(use.area_m2[code] for code in mapped) / area if area else 0.0


def share_findings(use: CodeUse, states: dict[str, str], min_mapped: float) -> list[Finding]:
    """Too little with a class, or too much that is left out."""
    findings = []
    by_count, by_area = mapped_shares(use, states)
    if min(by_count, by_area) < min_mapped:
        text = f"{use.year}: {by_count:.2%} of the parcels and {by_area:.2%} of the area have a class (998 is none); "
        findings.append(Finding("problem", "mapped", f"{text}expected {min_mapped:.0%}. Add rows for the codes above."))
    excluded = [code for code, state in states.items() if state == "excluded"]
    share = sum(use.area_m2[code] for code in excluded) / use.area if use.area else 0.0
    if excluded:
        count = sum(use.parcels[code] for code in excluded) / use.count
        text = f"{use.year}: {count:.1%} of the parcels and {share:.1%} of the area are excluded ({some_of(excluded)}) "
        text += "and count in no share of what is mapped; exclude is for what is no parcel"
        findings.append(Finding("problem" if share > MAX_EXCLUDED else "note", "excluded", text))
    return findings


def some_of(items: Sequence[str]) -> str:
    """The first few of many, in quotation marks."""
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(f"'{item}'" for item in items[:_SHOWN]) + more


def unreviewed_findings(use: CodeUse, matches: dict[str, Match]) -> list[Finding]:
    """Parcels whose rows nobody has reviewed."""
    codes = [code for code in largest_first(use) if code in matches and matches[code].crop.unreviewed]
    count = sum(use.parcels[code] for code in codes)
    text = f"{use.year}: {count} parcels have codes whose rows nobody has reviewed: {some_of(codes)}"
    return [Finding("problem", "unreviewed", text)] if codes else []


def repair_findings(use: CodeUse, matches: dict[str, Match]) -> list[Finding]:
    """Names that found their row only after repair."""
    findings = []
    for repair in sorted({match.repair for match in matches.values()} - {""}):
        codes = [code for code in largest_first(use) if code in matches and matches[code].repair == repair]
        share = sum(use.parcels[code] for code in codes) / use.count
        text = f"{use.year}: names of {share:.1%} of the parcels found their row only after repair ({repair}): "
        wrong = repair == "mojibake" and share > MAX_MOJIBAKE
        next_step = ". Set encoding in source.yaml" if wrong else ""
        findings.append(Finding("problem" if wrong else "note", repair, text + some_of(codes) + next_step))
    return findings


def two_names_findings(use: CodeUse) -> list[Finding]:
    """One code under names that are no spellings of each other."""
    text = []
    for code in sorted(use.names):
        names = sorted(use.names[code], key=lambda name: (-use.names[code][name], name))
        other = [name for name in names[1:] if alike(names[0], name) < OTHER_NAME]
        if other:
            text.append(f"'{code}' is '{names[0]}' and '{other[0]}'")
    found = f"{use.year}: one code, different crops: {'; '.join(text[:_SHOWN])}"
    return [Finding("problem", "two_names", found)] if text else []


def alike(a: str, b: str) -> float:
    """How alike two names are, 0 to 100; 100 also where one is the beginning of the other, or some of its words."""
    a, b = plain(a), plain(b)
    return 100.0 if a.startswith(b) or b.startswith(a) else float(fuzz.token_set_ratio(a, b))


def other_name_findings(use: CodeUse, matches: dict[str, Match], rows: Sequence[Row]) -> list[Finding]:
    """Codes whose declared name is no spelling of the name in crops.csv: the office may have reused the code."""
    explained = {normalise(row.code) for row in rows if row.is_explained}
    text = []
    for code in largest_first(use):
        name = use.name(code)
        if not name or code not in matches or normalise(matches[code].crop.code) in explained:
            continue
        if alike(name, matches[code].crop.name) < OTHER_NAME:
            text.append(f"'{code}' is declared as '{name}', crops.csv has '{matches[code].crop.name}'")
    more = f"; and {len(text) - _SHOWN} more" if len(text) > _SHOWN else ""
    found = f"{use.year}: codes of another name: {'; '.join(text[:_SHOWN])}{more}"
    return [Finding("problem", "other_name", found)] if text else []


def never_used_findings(country: Country, use: CodeUse, matches: dict[str, Match]) -> list[Finding]:
    """Rows that no parcel uses."""
    used = {normalise(match.crop.code) for match in matches.values()}
    valid = [row for row in country.rows if row.first <= use.year <= row.last]
    unused = [row.code for row in valid if normalise(row.code) not in used]
    text = f"{use.year}: {len(unused)} of {len(valid)} rows of crops.csv are never declared: {some_of(unused)}"
    return [Finding("note", "never_used", text)] if unused else []


def balance_findings(use: CodeUse, matches: dict[str, Match]) -> list[Finding]:
    """One class that takes nearly all area."""
    _, area = by_class(use, matches)
    if len(matches) < 5 or not area:
        return []
    code, largest = max(sorted(area.items()), key=lambda item: item[1])
    share = 0.0 if code == UNKNOWN else largest / sum(area.values())
    text = f"{use.year}: class {code} takes {share:.1%} of the mapped area, from {len(matches)} codes"
    return [Finding("note", "one_class", text)] if share > 0.9 else []


def area_findings(use: CodeUse) -> list[Finding]:
    """Declared areas that the geometry contradicts, and parcels of an implausible size."""
    findings = []
    if use.slip > use.declared / 2:
        text = f"{use.year}: declared areas of {use.slip} of {use.declared} parcels are off by 10 000 (hectare slip). "
        findings.append(Finding("problem", "hectare_slip", text + "Correct area_unit in source.yaml"))
    elif use.mismatch > MAX_MISMATCH * use.declared:
        text = f"{use.year}: declared areas of {use.mismatch} of {use.declared} parcels differ from the geometry. "
        findings.append(Finding("problem", "area", text + "Check columns.area, area_unit and crs in source.yaml"))
    elif use.mismatch:
        text = f"{use.year}: {use.mismatch} of {use.declared} declared areas differ from the geometry by over 5 %"
        findings.append(Finding("note", "area", f"{text}, {use.slip} of them by 10 000" if use.slip else text))
    sizes = use.size_m2
    if not len(sizes):
        return findings
    median = float(np.median(sizes))
    if not MEDIAN_SIZE_M2[0] <= median <= MEDIAN_SIZE_M2[1]:
        text = f"{use.year}: the median parcel has {median / 1e4:.4g} ha; expected 0.05 to 100. Check crs and layer"
        findings.append(Finding("problem", "parcel_size", text))
    odd = int(((sizes < SIZE_M2[0]) | (sizes > SIZE_M2[1])).sum())
    if odd:
        findings.append(Finding("note", "parcel_size", f"{use.year}: {odd} parcels are below 100 m2 or above 1000 ha"))
    return findings
