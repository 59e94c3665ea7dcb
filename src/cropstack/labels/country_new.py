"""`cropstack country new`: a folder for a country of which only a declaration is at hand."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cropstack.errors import ConfigError, DeclarationError, nearest
from cropstack.files import write_csv, write_text
from cropstack.labels.containers import find_layers, open_declarations
from cropstack.labels.crops import COLUMNS, UNREVIEWED, check_row, read_crop_table
from cropstack.labels.declarations import years_in
from cropstack.labels.guess_columns import Guess, guess_columns
from cropstack.labels.lint_crops import SUGGESTED
from cropstack.labels.source_text import TODO, examples, source_text
from cropstack.labels.suggest import read_hcat, read_known
from cropstack.labels.suggested_crops import declared_crops, read_names, suggested_rows, with_names
from cropstack.labels.text_table import text_table, wrap
from cropstack.labels.unknown_file import UnknownFile, look_at, read_columns
from cropstack.legend import UNKNOWN, CropClass, read_classes
from cropstack.schema import read_yaml

_CC = re.compile(r"[a-z]{2}(_[a-z0-9]+)?")


@dataclass
class Made:
    """What was made, in lines for a person."""

    lines: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines) + "\n"


def new_country(
    root: Path,
    cc: str,
    files: Sequence[Path],
    *,
    year: int | None,
    layer: str | None,
    code: str | None,
    names: Path | None,
    texts: Mapping[str, str | None],
) -> Made:
    """Write taxonomy/countries/<cc>/: source.yaml with what the file tells, crops.csv with unreviewed suggestions.

    Parameters
    ----------
    root : the repository. cc : ISO 3166-1 or -2 in lower case.
    files : one declaration, in all its parts. year : None where the name of a file tells.
    layer : with the parcels, None where there is only one. code : column with the crop, None to guess it.
    names : the office's list of crops as CSV, None where the declaration itself has names.
    texts : name, licence, attribution for source.yaml; None leaves a text that the schema refuses until it is filled.

    Raises
    ------
    ConfigError : the country exists, or the year cannot be told. DeclarationError : a file that cannot be read.
    """
    folder = root / "taxonomy/countries" / cc
    _check_new(folder, cc)
    classes = read_classes(root / "taxonomy/classes.csv")
    hcat = read_hcat(root / "taxonomy/hcat3.csv", classes)
    known = read_known(folder.parent, classes, hcat, leave_out=cc)
    year = _year(files, year)
    with open_declarations(list(files)) as datasets:
        file = look_at(find_layers(datasets, layer, origin=str(files[0]), advice="Name it: --layer."))
        guess = _guess(file, code, files)
        crops = declared_crops(read_columns(file, _needed(guess)), guess)
    if names is not None:
        crops = with_names(crops, read_names(names), names)
    rows = suggested_rows(crops, hcat, known)
    source = source_text(cc, files, file, guess, year=year, layer=layer, said=texts)
    _write(folder, source, rows, classes, root / "workflow/schemas/source.schema.yaml")
    return Made(_told(folder, files, file, guess, rows, texts))


def _check_new(folder: Path, cc: str) -> None:
    if not _CC.fullmatch(cc):
        raise ConfigError(f"'{cc}' is no name of a country; expected ISO 3166 in lower case, such as it or it_52")
    if not (folder.parents[1] / "classes.csv").is_file():
        raise ConfigError(f"{folder.parents[1] / 'classes.csv'} is missing. Run in the repository, or name it: --root.")
    if folder.exists():
        raise ConfigError(f"{folder} exists and is left as it is. Check it: cropstack country check {cc} FILE")


def _year(files: Sequence[Path], year: int | None) -> int:
    if year is not None:
        return year
    found = years_in(" ".join(file.name for file in files))
    if len(found) != 1:
        names = ", ".join(file.name for file in files)
        raise ConfigError(
            f"{names}: the name tells {sorted(found) or 'no year'}. Give the year of declaration: --year."
        )
    return found.pop()


def _guess(file: UnknownFile, code: str | None, files: Sequence[Path]) -> Guess:
    guess = guess_columns(file.sample, file.area_m2, code=code)
    if guess is None:
        columns = [str(name) for name in file.sample.columns]
        what = "no column looks like a crop" if code is None else f"no column {code} with values"
        hint = nearest(code or "", columns)
        raise DeclarationError(
            f"{files[0]}: {what}; there are {', '.join(columns)}{hint or '.'} Name it: --code COLUMN."
        )
    return guess


def _needed(guess: Guess) -> list[str]:
    return [name for name in (guess.code, guess.name, guess.name_en, guess.hcat) if name is not None]


def _write(folder: Path, source: str, rows: list[dict[str, str]], classes: dict[int, CropClass], schema: Path) -> None:
    """Write both files in one go. A folder that came into being meanwhile stays as it is."""
    temporary = folder.parents[1] / f".tmp-{folder.name}"  # beside countries/, where no one lists folders
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        write_text(temporary / "source.yaml", source)
        write_csv(temporary / "crops.csv", COLUMNS, [[row[name] for name in COLUMNS] for row in rows])
        if TODO not in source:
            read_yaml(temporary / "source.yaml", schema)
        for row in read_crop_table(temporary / "crops.csv"):
            check_row(f"{folder / 'crops.csv'}: code '{row['code']}'", row, classes)
        try:
            os.rename(temporary, folder)
        except OSError as error:
            raise ConfigError(
                f"{folder}: cannot be made ({error.strerror}). If it exists, it stays as it is."
            ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _told(
    folder: Path,
    files: Sequence[Path],
    file: UnknownFile,
    guess: Guess,
    rows: Sequence[dict[str, str]],
    texts: Mapping[str, str | None],
) -> list[str]:
    roles = [("code", guess.code), ("name", guess.name), ("id", guess.id), ("area", guess.area)]
    table = [[role, name or "-", ", ".join(examples(file, name)) if name else ""] for role, name in roles]
    known = [row for row in rows if row["class_code"] != str(UNKNOWN)]
    by_hcat = sum(row["note"].startswith(f"{SUGGESTED} hcat ") for row in known)
    todo = [key for key in ("licence", "attribution") if not texts.get(key)]
    steps = [
        f"1. Read {folder / 'source.yaml'}" + (f" and fill in {' and '.join(todo)}." if todo else "; mind CHECK."),
        f"2. Review {folder / 'crops.csv'}: correct class_code (a code of taxonomy/classes.csv, or exclude for what is "
        f"no parcel), say why in note, and clear '{UNREVIEWED}'.",
        f"3. cropstack country check {folder.name} {' '.join(str(one) for one in files)}",
    ]
    return [
        f"{folder}: made, {len(rows)} crops",
        *text_table(["role", "column", "values"], table),
        f"suggestions: {by_hcat} by HCAT code, {len(known) - by_hcat} by name, {len(rows) - len(known)} none",
        *[line for step in steps for line in wrap(step, indent="   ")],
    ]
