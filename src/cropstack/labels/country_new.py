"""`cropstack country new`: a folder for a country of which only a declaration is at hand."""

import csv
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from cropstack.errors import ConfigError, DeclarationError, nearest
from cropstack.files import write_csv, write_text
from cropstack.labels.containers import Layer, find_layers, open_declarations
from cropstack.labels.crops import COLUMNS, UNREVIEWED, check_row, normalise, read_crop_table
from cropstack.labels.guess_columns import Guess, guess_columns, texts
from cropstack.labels.lint_crops import SUGGESTED
from cropstack.labels.suggest import Known, read_hcat, read_known, suggest
from cropstack.labels.text_table import text_table, wrap
from cropstack.labels.unknown_file import UnknownFile, look_at, read_columns, utm_crs
from cropstack.legend import UNKNOWN, CropClass, read_classes
from cropstack.schema import read_yaml

TODO = "TODO"  # source.schema.yaml refuses texts that begin so
_CC = re.compile(r"[a-z]{2}(_[a-z0-9]+)?")
_LIST_COLUMNS = {  # how lists of crops name their columns, in order of preference. SOURCE: EuroCrops, fiboa, offices
    "code": ("code", "original_code", "crop_code", "crop:code"),
    "name": ("name", "original_name", "crop_name", "crop:name"),
    "name_en": ("name_en", "translated_name", "ec_trans_n"),
    "hcat": ("hcat", "hcat3_code", "ec_hcat_c", "hcat:code"),
}


@dataclass(frozen=True)
class Declared:
    """A crop of the declaration and how many parcels have it."""

    code: str
    name: str
    name_en: str
    hcat: str
    parcels: int


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
        file = look_at(_layers(datasets, layer, files))
        guess = _guess(file, code, files)
        crops = declared_crops(read_columns(file, _needed(guess)), guess)
    if names is not None:
        crops = with_names(crops, read_names(names), names)
    rows = suggested_rows(crops, hcat, known)
    source = source_text(cc, files, file, guess, year=year, layer=layer, texts=texts)
    _write(folder, source, rows, classes, root / "workflow/schemas/source.schema.yaml")
    return Made(_told(folder, files, file, guess, rows, texts))


# --- what is at hand ----------------------------------------------------------------------------------


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
    found = {int(text) for file in files for text in re.findall(r"(?<!\d)20\d\d(?!\d)", file.name)}
    if len(found) != 1:
        names = ", ".join(file.name for file in files)
        raise ConfigError(
            f"{names}: the name tells {sorted(found) or 'no year'}. Give the year of declaration: --year."
        )
    return found.pop()


def _layers(datasets: list[Path], layer: str | None, files: Sequence[Path]) -> list[Layer]:
    try:
        return find_layers(datasets, layer, origin=str(files[0]))
    except DeclarationError as error:
        raise DeclarationError(str(error).replace("Set layer in source.yaml", "Name it: --layer")) from error


def _guess(file: UnknownFile, code: str | None, files: Sequence[Path]) -> Guess:
    guess = guess_columns(file.sample, file.area_m2, code=code)
    if guess is None:
        columns = [str(name) for name in file.sample.columns]
        what = "no column looks like a crop" if code is None else f"no column {code} with values"
        hint = nearest(code or "", columns)
        raise DeclarationError(f"{files[0]}: {what}; there are {', '.join(columns)}{hint}. Name it: --code COLUMN.")
    return guess


def _needed(guess: Guess) -> list[str]:
    return [name for name in (guess.code, guess.name, guess.name_en, guess.hcat) if name is not None]


def declared_crops(table: pd.DataFrame, guess: Guess) -> list[Declared]:
    """The crops of all parcels by normalised code, each with the name that most of its parcels have."""
    columns = {"code": guess.code, "name": guess.name, "name_en": guess.name_en, "hcat": guess.hcat}
    frame = pd.DataFrame({role: texts(table[name]) if name else "" for role, name in columns.items()})
    frame["code"] = [normalise(code) for code in frame["code"]]
    crops = []
    for code, group in frame[frame["code"] != ""].groupby("code", sort=True):
        name, english, hcat = (_most(group[role]) for role in ("name", "name_en", "hcat"))
        crops.append(Declared(str(code), name, english, hcat, len(group)))
    return crops


def _most(values: pd.Series) -> str:
    count = Counter(value for value in values if value)
    return min(count, key=lambda value: (-count[value], value)) if count else ""


def read_names(path: Path) -> dict[str, dict[str, str]]:
    """The office's list of crops: name, name_en and hcat by normalised code, empty where the list has none.

    Raises
    ------
    ConfigError : no UTF-8 CSV, or without a column of codes.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable as UTF-8 ({error}). Save it as CSV in UTF-8.") from error
    first = text.partition("\n")[0]
    reader = csv.DictReader(text.splitlines(), delimiter=max(",;\t", key=first.count))
    header = {name.casefold(): name for name in reader.fieldnames or []}
    column = {role: next((header[n] for n in names if n in header), None) for role, names in _LIST_COLUMNS.items()}
    if column["code"] is None:
        raise ConfigError(
            f"{path}: no column of codes; columns are {', '.join(header.values()) or 'none'}{nearest('code', header)}. "
            "Call them code, name, name_en, hcat."
        )
    roles = [role for role in column if role != "code"]
    return {
        normalise(row[column["code"]] or ""): {role: (row.get(column[role] or "") or "").strip() for role in roles}
        for row in reader
    }


def with_names(crops: Sequence[Declared], names: Mapping[str, Mapping[str, str]], path: Path) -> list[Declared]:
    """Crops with what the office's list says of them.

    Raises
    ------
    ConfigError : the list has none of the codes.
    """
    if not any(crop.code in names for crop in crops):
        codes = ", ".join(crop.code for crop in crops[:5])
        raise ConfigError(f"{path}: has none of the declared codes ({codes} ...). Is it the list of this office?")
    result = []
    for crop in crops:
        said = names.get(crop.code, {})
        name, english, hcat = (said.get(role) or getattr(crop, role) for role in ("name", "name_en", "hcat"))
        result.append(Declared(crop.code, name, english, hcat, crop.parcels))
    return result


# --- crops.csv ----------------------------------------------------------------------------------------


def suggested_rows(
    crops: Sequence[Declared], hcat: Mapping[str, Known], known: Sequence[Known]
) -> list[dict[str, str]]:
    """Rows of crops.csv, all unreviewed: the class of the HCAT code, else of the most similar name, else 998."""
    found = suggest([(crop.name, crop.name_en) if crop.name else (crop.code,) for crop in crops], known, most=1)
    rows = []
    for crop, similar in zip(crops, found, strict=True):
        row = dict.fromkeys(COLUMNS, "") | {"code": crop.code, "name": crop.name or crop.code, "review": UNREVIEWED}
        row |= {"name_en": crop.name_en}
        if crop.hcat in hcat:
            row |= {"class_code": str(hcat[crop.hcat].class_code), "hcat": crop.hcat}
            row["note"] = f"{SUGGESTED} hcat {hcat[crop.hcat].name}"
        elif similar:
            row |= {"class_code": str(similar[0].class_code), "hcat": similar[0].hcat}
            row["note"] = f"{SUGGESTED} {similar[0].name} in {similar[0].origin} ({similar[0].score:.0f})"
        else:
            row |= {"class_code": str(UNKNOWN), "note": f"{SUGGESTED} nothing similar found; look it up"}
        rows.append(row)
    return rows


# --- source.yaml --------------------------------------------------------------------------------------


def source_text(
    cc: str,
    files: Sequence[Path],
    file: UnknownFile,
    guess: Guess,
    *,
    year: int,
    layer: str | None,
    texts: Mapping[str, str | None],
) -> str:
    """source.yaml with what the file tells; guesses are marked CHECK, texts that a person must give begin with TODO."""
    names = sorted({one.name for one in file.layers})
    metric = utm_crs(file.crs, file.bounds)
    stem = files[0].name.partition(".")[0].replace(str(year), "").strip(" _-")
    lines = [
        f"# Made by cropstack country new from {', '.join(one.name for one in files)}. Lines with CHECK are guesses.",
        "# Every key is described in workflow/schemas/source.schema.yaml.",
        f"name: {_quoted(texts.get('name') or stem)}" + ("" if texts.get("name") else "  # CHECK"),
        f"country_code: {cc[:2].upper()}",
        f"bounds: [{', '.join(map(str, file.bounds))}]  # CHECK: half a degree around the file; widen to the country",
        f"licence: {_quoted(texts.get('licence') or f'{TODO}: under which licence the office publishes it')}",
        f"attribution: {_quoted(texts.get('attribution') or f'{TODO}: as the licence asks for it')}",
        "share_alike: false  # CHECK: true where the licence wants derived data under the same",
        "editions:",
        f"  - years: [{year}]",
        "    url: null  # the page where the office publishes it",
        f"    files: [{', '.join(_quoted(_with_year(one.name, year)) for one in files)}]",
        f"    layer: {_quoted(_with_year(layer or names[0], year)) if layer or len(names) == 1 else 'null'}",
        *([f"    encoding: {file.encoding}  # CHECK"] if file.encoding else []),
        f"    crs: EPSG:{file.crs.to_epsg()}",
        *([f"    metric_crs: {metric}  # CHECK: the file is in degrees"] if metric else []),
        "    columns:",
        *_column_lines(file, guess),
        f"    area_unit: {guess.area_unit or 'null'}",
        *_width_lines(file, guess),
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A string in YAML: JSON strings are."""
    return json.dumps(text, ensure_ascii=False)


def _with_year(name: str, year: int) -> str:
    """A name with ``{year}`` in place of the year; other braces doubled, as they are formatted away."""
    return name.replace("{", "{{").replace("}", "}}").replace(str(year), "{year}")


def _column_lines(file: UnknownFile, guess: Guess) -> list[str]:
    lines = []
    for role in ("id", "code", "name", "area"):
        column = getattr(guess, role)
        if column is None:
            lines.append(f"      {role}: null")
            continue
        others = guess.others.get(role, [])
        also = f"; or {', '.join(others)}" if others else ""
        lines.append(f"      {role}: {_quoted(column)}  # CHECK: {', '.join(_examples(file, column))}{also}")
    return lines


def _examples(file: UnknownFile, column: str) -> list[str]:
    values = dict.fromkeys(" ".join(value.split())[:24] for value in texts(file.sample[column]) if value)
    return list(values)[:3]


def _width_lines(file: UnknownFile, guess: Guess) -> list[str]:
    """Names that end where the column ends are cut: the longest ones all have one length."""
    lengths = Counter(len(value.encode()) for value in set(texts(file.sample[guess.code])))
    longest = max(lengths)
    if longest < 20 or lengths[longest] < 3:
        return []
    return [f"    name_width: {longest}  # CHECK: {lengths[longest]} names have just this length; null if whole"]


# --- writing ------------------------------------------------------------------------------------------


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
    table = [[role, name or "-", ", ".join(_examples(file, name)) if name else ""] for role, name in roles]
    by_hcat = sum(row["note"].startswith(f"{SUGGESTED} hcat ") for row in rows)
    none = sum(row["class_code"] == str(UNKNOWN) for row in rows)
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
        f"suggestions: {by_hcat} by HCAT code, {len(rows) - by_hcat - none} by name, {none} none",
        *[line for step in steps for line in wrap(step, indent="   ")],
    ]
