"""`cropstack country check`: what is wrong with a country's folder, and how it fits the declarations of its office."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from cropstack.labels.code_use import CodeUse
from cropstack.labels.country_files import Country, edition_of, files_by_year, read_country, read_use
from cropstack.labels.crops import EXCLUDE, match_codes, read_crops
from cropstack.labels.drift import drift
from cropstack.labels.lint_crops import Finding, lint_crops
from cropstack.labels.text_table import wrap
from cropstack.labels.use_findings import (
    area_findings,
    balance_findings,
    licence_findings,
    never_used_findings,
    other_name_findings,
    repair_findings,
    sample_findings,
    share_findings,
    two_names_findings,
    unreviewed_findings,
)
from cropstack.labels.use_tables import class_table, largest_first, size_table, state_of, state_table, without_class


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
    report.findings += licence_findings(country) + sample_findings(country)
    uses = [
        read_use(group, country.source, year=year, path=country.folder / "source.yaml")
        for year, group in sorted(files_by_year(files, years, country).items())
    ]
    for use in uses:
        _check_use(report, country, use, min_mapped=min_mapped)
    for before, after in pairwise(uses):
        lines, findings = drift(country, before, after)
        report.lines += lines
        report.findings += findings
    return report


def _head(country: Country) -> list[str]:
    unreviewed = sum(row.unreviewed for row in country.rows)
    lines = wrap(f"{country.folder}: {country.source['name']}", indent="  ")
    classes = len({row.class_code for row in country.rows} - {EXCLUDE})
    return [*lines, f"{len(country.rows)} rows to {classes} classes, {unreviewed} unreviewed"]


def _check_use(report: Report, country: Country, use: CodeUse, *, min_mapped: float) -> None:
    table = read_crops(country.folder / "crops.csv", country.classes, year=use.year)
    edition = edition_of(country.source, use.year, country.folder / "source.yaml")
    matches = match_codes(use.parcels, table, name_width=edition["name_width"])
    report.lines += ["", *wrap(f"{use.year}: {use.origin}, {use.count} parcels, {use.area / 1e4:.2f} ha"), ""]
    states = {code: state_of(matches.get(code)) for code in use.parcels}
    report.lines += state_table(use, states)
    report.findings += share_findings(use, states, min_mapped)
    without = [code for code in largest_first(use) if states[code] in ("no row", "998")]
    report.lines += without_class(country, use, without, states)
    report.lines += class_table(country, use, matches)
    report.lines += size_table(use)
    report.findings += [
        *unreviewed_findings(use, matches),
        *repair_findings(use, matches),
        *two_names_findings(use),
        *other_name_findings(use, matches, country.rows),
        *never_used_findings(country, use, matches),
        *balance_findings(use, matches),
        *area_findings(use),
    ]
