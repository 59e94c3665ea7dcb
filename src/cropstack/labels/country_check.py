"""`cropstack country check`: what is wrong with a country's folder, and how it fits the declarations of its office."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from rapidfuzz import fuzz

from cropstack.errors import ConfigError, nearest
from cropstack.files import read_json
from cropstack.labels.code_use import CodeUse
from cropstack.labels.crops import Match, decoded, match_codes, normalise, read_crops
from cropstack.labels.declarations import metric_crs, read_declared
from cropstack.labels.lint_crops import Finding, Row, lint_crops, read_rows, skeleton
from cropstack.labels.suggest import Known, plain, read_hcat, read_known, suggest
from cropstack.labels.text_table import text_table, wrap
from cropstack.legend import UNKNOWN, CropClass, read_classes
from cropstack.schema import read_yaml

MAX_EXCLUDED = 0.1  # ASSUME: more declared area than this is no "no crop"
MAX_MOJIBAKE = 0.05  # ASSUME: more parcels with names decoded with the wrong table are no accident
MAX_MISMATCH = 0.5  # ASSUME: declared areas of more parcels off by 5 % mean another unit or column
MEDIAN_SIZE_M2 = (500.0, 1e6)  # ASSUME: no country's median parcel is smaller than 0.05 or larger than 100 ha
SIZE_M2 = (100.0, 1e7)  # ASSUME: parcels below one pixel at 10 m or above 1000 ha are worth a look
OTHER_NAME = 50.0  # ASSUME: names less alike than this (0 to 100) are names of different crops
DRIFT = 0.02  # ASSUME: change of a code's share of the area from one year to the next that is worth a look
_CODES_SHOWN = 25
_SHOWN = 5


@dataclass
class Report:
    """Lines for a person, and findings; `has_problems` decides the exit status."""

    lines: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def has_problems(self) -> bool:
        """Whether any finding is a problem."""
        return any(one.level == "problem" for one in self.findings)

    def text(self) -> str:
        """The report: tables first, then problems, then notes."""
        lines = list(self.lines)
        for level, title in (("problem", "PROBLEMS"), ("note", "NOTES")):
            found = [one for one in self.findings if one.level == level]
            if found:
                lines += ["", title]
                lines += [line for one in found for line in wrap(f"- {one.rule}: {one.text}")]
        return "\n".join([*lines, "", "PROBLEMS FOUND" if self.has_problems else "ok"]) + "\n"


@dataclass(frozen=True)
class Country:
    """A country's folder, read. `source` is the validated source.yaml; `rows` are all rows of crops.csv."""

    cc: str
    folder: Path
    source: dict[str, Any]
    rows: list[Row]
    classes: dict[int, CropClass]
    hcat: dict[str, Known]
    known: list[Known]


def check_country(root: Path, cc: str, files: Sequence[Path], *, years: Sequence[int], min_mapped: float) -> Report:
    """Check a folder and, where given, how it fits declarations.

    Parameters
    ----------
    root : the repository. cc : a folder of taxonomy/countries.
    files : declarations as published; files of one year are read as one.
    years : of the declarations: none (then file names tell), one for all files, or one for each.
    min_mapped : share of parcels and of area that needs a class, 0 to 1.

    Raises
    ------
    CropstackError : a table, source.yaml or a declaration that cannot be read.
    """
    country = read_country(root, cc)
    report = Report()
    report.lines += _head(country)
    report.findings += lint_crops(country.rows, country.classes, country.hcat, country.known)
    report.findings += _check_sample(country)
    uses = [
        read_use(group, country.source, year=year, path=country.folder / "source.yaml")
        for year, group in sorted(_by_year(files, years, country).items())
    ]
    for use in uses:
        _check_use(report, country, use, min_mapped=min_mapped)
    for before, after in pairwise(uses):
        _check_drift(report, country, before, after)
    return report


# --- reading ------------------------------------------------------------------------------------------


def read_country(root: Path, cc: str) -> Country:
    """Read source.yaml, crops.csv and what is known about crops elsewhere.

    Raises
    ------
    ConfigError : no such country, or a table that breaks its rules.
    """
    taxonomy = root / "taxonomy"
    if not (taxonomy / "classes.csv").is_file():
        raise ConfigError(f"{taxonomy / 'classes.csv'} is missing. Run in the repository, or name it: --root.")
    folder = taxonomy / "countries" / cc
    if not (folder / "source.yaml").is_file():
        there = sorted(path.parent.name for path in taxonomy.glob("countries/*/source.yaml"))
        raise ConfigError(
            f"{folder}: no country '{cc}'; there are {', '.join(there)}. Make it: cropstack country new {cc} FILE"
            f"{nearest(cc, there)}"
        )
    source = read_yaml(folder / "source.yaml", root / "workflow/schemas/source.schema.yaml")
    classes = read_classes(taxonomy / "classes.csv")
    hcat = read_hcat(taxonomy / "hcat3.csv", classes)
    rows = read_rows(folder / "crops.csv", classes)
    known = read_known(taxonomy / "countries", classes, hcat, leave_out=cc)
    return Country(cc, folder, source, rows, classes, hcat, known)


def read_use(files: list[Path], source: dict[str, Any], *, year: int, path: Path) -> CodeUse:
    """Read the declarations of a year.

    Raises
    ------
    DeclarationError : as `harmonise_parcels` would. ConfigError : source.yaml has no edition for the year.
    """
    edition = edition_of(source, year, path)
    use = CodeUse(year, str(files[0]))
    crs = metric_crs(edition, origin=str(path))
    for batch in read_declared(files, edition, year=year, bounds=source["bounds"], crs=crs):
        use.add(batch)
    return use


def edition_of(source: dict[str, Any], year: int, path: Path) -> dict[str, Any]:
    """The edition in which a year was published."""
    for edition in source["editions"]:
        if year in edition["years"]:
            return dict(edition)
    years = sorted(year for edition in source["editions"] for year in edition["years"])
    raise ConfigError(f"{path}: no edition for {year}; there are {years}. Add one.")


def _by_year(files: Sequence[Path], years: Sequence[int], country: Country) -> dict[int, list[Path]]:
    if len(years) > 1 and len(years) != len(files):
        raise ConfigError(f"--year: {len(years)} years for {len(files)} files. Give one for all or one for each.")
    known = sorted(year for edition in country.source["editions"] for year in edition["years"])
    groups: dict[int, list[Path]] = {}
    for i, file in enumerate(files):
        year = years[i if len(years) > 1 else 0] if years else year_of(file, country.source, known)
        groups.setdefault(year, []).append(file)
    return groups


def year_of(file: Path, source: dict[str, Any], known: Sequence[int]) -> int:
    """Year of a declaration: that of the edition whose file name it has, else the only known year in its name.

    Raises
    ------
    ConfigError : the name tells none, or several.
    """
    by_edition = {
        year
        for edition in source["editions"]
        for year in edition["years"]
        for name in edition["files"]
        if fnmatchcase(file.name, name.format(year=year))
    }
    in_name = {int(text) for text in re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", file.name)} & set(known)
    for found in (by_edition, in_name, set(known)):
        if len(found) == 1:
            return found.pop()
    raise ConfigError(f"{file}: its name does not tell the year; source.yaml knows {list(known)}. Give --year.")


def _check_sample(country: Country) -> list[Finding]:
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
    bad = sorted({code for code in codes if _state(matches.get(code)) in ("no row", "998")})
    return [Finding("problem", "sample", f"{path}: codes without a class: {_list(bad)}")] if bad else []


# --- one declaration ----------------------------------------------------------------------------------


def _head(country: Country) -> list[str]:
    unreviewed = sum(row.unreviewed for row in country.rows)
    lines = wrap(f"{country.folder}: {country.source['name']}", indent="  ")
    classes = len({row.class_code for row in country.rows})
    return [*lines, f"{len(country.rows)} rows to {classes} classes, {unreviewed} unreviewed"]


def _check_use(report: Report, country: Country, use: CodeUse, *, min_mapped: float) -> None:
    table = read_crops(country.folder / "crops.csv", country.classes, year=use.year)
    edition = edition_of(country.source, use.year, country.folder / "source.yaml")
    matches = match_codes(use.parcels, table, name_width=edition["name_width"])
    report.lines += ["", *wrap(f"{use.year}: {use.origin}, {use.count} parcels, {use.area / 1e4:.2f} ha"), ""]
    states = {code: _state(matches.get(code)) for code in use.parcels}
    report.lines += _state_table(use, states)
    report.findings += _share_findings(use, states, min_mapped)
    without = [code for code in _largest(use) if states[code] in ("no row", "998")]
    report.lines += _without_class(country, use, without, states)
    report.lines += _balance(country, use, matches)
    report.lines += _sizes(use)
    report.findings += [
        *_unreviewed_use(use, matches),
        *_repairs(use, matches),
        *_names_of_a_code(use),
        *_other_names(use, matches, country.rows),
        *_never_used(country, use, matches),
        *_balance_findings(use, matches),
        *_area_findings(use),
    ]


def _state(match: Match | None) -> str:
    if match is None:
        return "no row"
    code = match.crop.class_code
    return "excluded" if code is None else "998" if code == UNKNOWN else "mapped"


def _state_table(use: CodeUse, states: dict[str, str]) -> list[str]:
    rows = []
    for state in ("mapped", "998", "no row", "excluded"):
        codes = [code for code, found in states.items() if found == state]
        parcels, area = sum(use.parcels[code] for code in codes), sum(use.area_m2[code] for code in codes)
        share = [_percent(parcels, use.count), _percent(area, use.area)]
        rows.append([state, str(len(codes)), str(parcels), share[0], f"{area / 1e4:.2f}", share[1]])
    return text_table(["", "#codes", "#parcels", "#share", "#ha", "#share"], rows)


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "-"


def mapped_shares(use: CodeUse, states: dict[str, str]) -> tuple[float, float]:
    """Shares of the parcels and of the area that have a class; 998 has none, and what is excluded counts nowhere."""
    crops = [code for code, state in states.items() if state != "excluded"]
    mapped = [code for code in crops if states[code] == "mapped"]
    parcels, area = sum(use.parcels[code] for code in crops), sum(use.area_m2[code] for code in crops)
    by_count = sum(use.parcels[code] for code in mapped) / parcels if parcels else 0.0
    return by_count, sum(use.area_m2[code] for code in mapped) / area if area else 0.0


def _share_findings(use: CodeUse, states: dict[str, str], min_mapped: float) -> list[Finding]:
    findings = []
    by_count, by_area = mapped_shares(use, states)
    if min(by_count, by_area) < min_mapped:
        text = f"{use.year}: {by_count:.2%} of the parcels and {by_area:.2%} of the area have a class (998 is none); "
        findings.append(Finding("problem", "mapped", f"{text}expected {min_mapped:.0%}. Add rows for the codes above."))
    excluded = [code for code, state in states.items() if state == "excluded"]
    share = sum(use.area_m2[code] for code in excluded) / use.area if use.area else 0.0
    if share > MAX_EXCLUDED:
        text = f"{use.year}: {share:.1%} of the area is excluded ({_list(excluded)}); exclude is for what is no parcel"
        findings.append(Finding("problem", "excluded", text))
    return findings


def _list(items: Sequence[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(f"'{item}'" for item in items[:_SHOWN]) + more


def _largest(use: CodeUse) -> list[str]:
    return sorted(use.parcels, key=lambda code: (-use.area_m2[code], code))


def _without_class(country: Country, use: CodeUse, codes: list[str], states: dict[str, str]) -> list[str]:
    if not codes:
        return ["", "every code has a class"]
    shown = codes[:_CODES_SHOWN]
    own = [Known(row.name, plain(row.name), int(row.class_code), row.hcat, country.cc) for row in _with_class(country)]
    hints = suggest([(use.name(code) or code,) for code in shown], [*own, *country.known], most=1)
    rows = []
    for code, found in zip(shown, hints, strict=True):
        near = _near_row(code, country.rows, use.year) if states[code] == "no row" else ""
        hint = near or (str(found[0]) if found else "its row says 998" if states[code] == "998" else "")
        cells = [code or "(none declared)", use.name(code), str(use.parcels[code]), f"{use.area_m2[code] / 1e4:.2f}"]
        rows.append([*cells, _percent(use.area_m2[code], use.area), hint])
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


def _balance(country: Country, use: CodeUse, matches: dict[str, Match]) -> list[str]:
    parcels, area = _by_class(use, matches)
    order = sorted(parcels, key=lambda code: (-area[code], code))
    rows = [
        [str(code), country.classes[code].name, str(parcels[code]), f"{area[code] / 1e4:.2f}"]
        + [_percent(area[code], use.area)]
        for code in order
    ]
    shown = rows[:_CODES_SHOWN]
    header = ["class", "name", "#parcels", "#ha", "#share"]
    return ["", f"classes by area ({len(shown)} of {len(rows)})", *text_table(header, shown)] if rows else []


def _by_class(use: CodeUse, matches: dict[str, Match]) -> tuple[dict[int, int], dict[int, float]]:
    parcels: dict[int, int] = defaultdict(int)
    area: dict[int, float] = defaultdict(float)
    for code, match in sorted(matches.items()):
        if match.crop.class_code is not None:
            parcels[match.crop.class_code] += use.parcels[code]
            area[match.crop.class_code] += use.area_m2[code]
    return parcels, area


def _sizes(use: CodeUse) -> list[str]:
    if not len(use.size_m2):
        return []
    quantiles = np.quantile(use.size_m2, [0.0, 0.05, 0.5, 0.95, 1.0]) / 1e4
    cells = [f"{value:.4g}" for value in quantiles]
    header = ["parcel size in ha", "#smallest", "#5 %", "#median", "#95 %", "#largest"]
    return ["", *text_table(header, [["geometry", *cells]])]


# --- findings about one declaration -------------------------------------------------------------------


def _unreviewed_use(use: CodeUse, matches: dict[str, Match]) -> list[Finding]:
    codes = [code for code in _largest(use) if code in matches and matches[code].crop.unreviewed]
    count = sum(use.parcels[code] for code in codes)
    text = f"{use.year}: {count} parcels have codes whose rows nobody has reviewed: {_list(codes)}"
    return [Finding("problem", "unreviewed", text)] if codes else []


def _repairs(use: CodeUse, matches: dict[str, Match]) -> list[Finding]:
    findings = []
    for repair in sorted({match.repair for match in matches.values()} - {""}):
        codes = [code for code in _largest(use) if code in matches and matches[code].repair == repair]
        share = sum(use.parcels[code] for code in codes) / use.count
        text = f"{use.year}: names of {share:.1%} of the parcels found their row only after repair ({repair}): "
        wrong = repair == "mojibake" and share > MAX_MOJIBAKE
        next_step = ". Set encoding in source.yaml" if wrong else ""
        findings.append(Finding("problem" if wrong else "note", repair, text + _list(codes) + next_step))
    return findings


def _names_of_a_code(use: CodeUse) -> list[Finding]:
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


def _other_names(use: CodeUse, matches: dict[str, Match], rows: Sequence[Row]) -> list[Finding]:
    """Codes whose declared name is no spelling of the name in crops.csv: the office may have reused the code."""
    explained = {normalise(row.code) for row in rows if row.is_explained}
    text = []
    for code in _largest(use):
        name = use.name(code)
        if not name or code not in matches or normalise(matches[code].crop.code) in explained:
            continue
        if alike(name, matches[code].crop.name) < OTHER_NAME:
            text.append(f"'{code}' is declared as '{name}', crops.csv has '{matches[code].crop.name}'")
    more = f"; and {len(text) - _SHOWN} more" if len(text) > _SHOWN else ""
    found = f"{use.year}: codes of another name: {'; '.join(text[:_SHOWN])}{more}"
    return [Finding("problem", "other_name", found)] if text else []


def _never_used(country: Country, use: CodeUse, matches: dict[str, Match]) -> list[Finding]:
    used = {normalise(match.crop.code) for match in matches.values()}
    valid = [row for row in country.rows if row.first <= use.year <= row.last]
    unused = [row.code for row in valid if normalise(row.code) not in used]
    text = f"{use.year}: {len(unused)} of {len(valid)} rows of crops.csv are never declared: {_list(unused)}"
    return [Finding("note", "never_used", text)] if unused else []


def _balance_findings(use: CodeUse, matches: dict[str, Match]) -> list[Finding]:
    _, area = _by_class(use, matches)
    if len(matches) < 5 or not area:
        return []
    code, largest = max(sorted(area.items()), key=lambda item: item[1])
    share = 0.0 if code == UNKNOWN else largest / sum(area.values())
    text = f"{use.year}: class {code} takes {share:.1%} of the mapped area, from {len(matches)} codes"
    return [Finding("note", "one_class", text)] if share > 0.9 else []


def _area_findings(use: CodeUse) -> list[Finding]:
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


# --- from one year to the next ------------------------------------------------------------------------


def _check_drift(report: Report, country: Country, before: CodeUse, after: CodeUse) -> None:
    """What changed between two years: codes that came, went, changed their share or their name."""
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
    report.lines += ["", f"{title}{len(moved)} with a share that moved by over {DRIFT:.0%}"]
    if rows:
        header = ["code", "name", "change", f"#share {before.year}", f"#share {after.year}"]
        report.lines += text_table(header, rows[:_CODES_SHOWN])
        left = len(rows) - _CODES_SHOWN
        report.lines += [f"and {left} more"] if left > 0 else []
    report.findings += _drift_findings(country, before, after, both, respelled)


def _respelled(went: Sequence[str], came: Sequence[str]) -> dict[str, str]:
    """Codes of one year that are another spelling of a code of the next: encoding, accents, case, zeros, spaces."""
    new = {skeleton(decoded(code)): code for code in came}
    return {code: new[skeleton(decoded(code))] for code in went if skeleton(decoded(code)) in new}


def _name(country: Country, use: CodeUse, code: str) -> str:
    rows = [row for row in country.rows if normalise(row.code) == normalise(code) and row.first <= use.year <= row.last]
    return use.name(code) or (rows[0].name_en if rows else "")


def _share(use: CodeUse, code: str) -> str:
    return _percent(use.area_m2[code], use.area)


def _drift_findings(
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
