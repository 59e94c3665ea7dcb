"""A country's folder and its declarations, read for `country check`."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from cropstack.errors import ConfigError, nearest
from cropstack.labels.code_use import CodeUse
from cropstack.labels.containers import check_exists
from cropstack.labels.declarations import metric_crs, read_declared, years_in
from cropstack.labels.lint_crops import Row, read_rows
from cropstack.labels.suggest import Known, read_hcat, read_known
from cropstack.legend import CropClass, read_classes
from cropstack.schema import read_yaml


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


def files_by_year(files: Sequence[Path], years: Sequence[int], country: Country) -> dict[int, list[Path]]:
    """Files of each year, by the years that are given or the names of the files."""
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
    ConfigError : the name tells none, or several. DeclarationError : there is no such file.
    """
    by_edition = {
        year
        for edition in source["editions"]
        for year in edition["years"]
        for name in edition["files"]
        if fnmatchcase(file.name, name.format(year=year))
    }
    in_name = years_in(file.name) & set(known)
    for found in (by_edition, in_name, set(known)):
        if len(found) == 1:
            return found.pop()
    check_exists(file)
    raise ConfigError(f"{file}: its name does not tell the year; source.yaml knows {list(known)}. Give --year.")
