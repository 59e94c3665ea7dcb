"""What a country's crop codes mean, and how the codes or names of a declaration find their row.

Offices that publish names instead of codes publish them damaged: cut at the width of a column, decoded with the
wrong table, without accents. A damaged name takes a row only where it can mean no other.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cropstack.errors import ConfigError, nearest
from cropstack.legend import CropClass, read_table

COLUMNS = ["code", "name", "name_en", "class_code", "hcat", "valid_from", "valid_to", "review", "note"]
EXCLUDE = "exclude"
UNREVIEWED = "unreviewed"
MAX_EXCLUDED = 0.1  # ASSUME: more declared area than this is no "no crop"
CODES_IN_MESSAGE = 5
_HCAT = re.compile(r"3[0-9]{9}")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Crop:
    """A row of crops.csv.

    `class_code` is None for what is no crop and left out of the parcels; with an empty `code` these are the parcels
    that declare neither a code nor a name. `unreviewed` rows are suggestions that nobody has checked.
    """

    code: str
    name: str
    name_en: str
    class_code: int | None
    hcat: str | None
    unreviewed: bool = False


@dataclass(frozen=True)
class Match:
    """The row that a declared code found. `repair` is empty, ``mojibake``, ``unaccented`` or ``truncated``."""

    crop: Crop
    repair: str


def normalise(code: str) -> str:
    """Unicode NFC, upper case, single spaces: the form in which codes are compared."""
    return " ".join(unicodedata.normalize("NFC", code).upper().split())


def read_crop_table(path: Path) -> list[dict[str, str]]:
    """Read the rows of crops.csv as text.

    Raises
    ------
    ConfigError : the file is missing, is no UTF-8 or has not the columns.
    """
    try:
        return read_table(path, COLUMNS)
    except FileNotFoundError as error:
        raise ConfigError(f"{path} is missing. Write it: the columns are {', '.join(COLUMNS)}.") from error


def read_crops(path: Path, classes: dict[int, CropClass], *, year: int) -> dict[str, Crop]:
    """Read the rows of crops.csv that hold in a year: crops by normalised code.

    Raises
    ------
    ConfigError : a class outside the taxonomy, a code twice in a year, an empty code with a class, a year or HCAT code
        that is none, a review that is neither empty nor ``unreviewed``.
    """
    crops: dict[str, Crop] = {}
    for number, row in enumerate(read_crop_table(path), start=2):
        where = f"{path}: line {number}, code '{row['code']}'"
        crop, first, last = check_row(where, row, classes)
        if not (first or year) <= year <= (last or year):
            continue
        key = normalise(row["code"])
        if not key and crop.class_code is not None:
            raise ConfigError(
                f"{where}: the code is empty. Parcels without a code are unknown and need no row; class_code "
                f"'{EXCLUDE}' leaves out those without a name, too."
            )
        if key in crops:
            raise ConfigError(f"{where} stands twice for {year}. Keep one, or part them by valid_from and valid_to.")
        crops[key] = crop
    return crops


def check_row(where: str, row: dict[str, str], classes: dict[int, CropClass]) -> tuple[Crop, int | None, int | None]:
    """The crop of a row, and the first and last year in which it holds. `where` begins the messages of errors."""
    meaning = _class_of(where, row, classes), _hcat_of(where, row), _is_unreviewed(where, row)
    crop = Crop(row["code"], row["name"], row["name_en"], *meaning)
    return crop, _year(where, row, "valid_from"), _year(where, row, "valid_to")


def _class_of(where: str, row: dict[str, str], classes: dict[int, CropClass]) -> int | None:
    if row["class_code"] == EXCLUDE:
        return None
    known = {str(code) for code in classes}
    if row["class_code"] not in known:
        hint = nearest(row["class_code"], known)
        raise ConfigError(
            f"{where}: class_code '{row['class_code']}' is in no row of classes.csv, nor '{EXCLUDE}'{hint}"
        )
    return int(row["class_code"])


def _hcat_of(where: str, row: dict[str, str]) -> str | None:
    if row["hcat"] and not _HCAT.fullmatch(row["hcat"]):
        raise ConfigError(f"{where}: hcat '{row['hcat']}' is no HCAT code; expected ten digits such as 3301010101")
    return row["hcat"] or None


def _is_unreviewed(where: str, row: dict[str, str]) -> bool:
    if row["review"] not in ("", UNREVIEWED):
        raise ConfigError(f"{where}: review '{row['review']}' is unknown; expected nothing or '{UNREVIEWED}'")
    return row["review"] == UNREVIEWED


def check_reviewed(count: Mapping[str, int], matches: Mapping[str, Match], crops: Path) -> None:
    """Refuse declared codes whose row is a suggestion that nobody has checked.

    Parameters
    ----------
    count : parcels by declared code; matches : rows by declared code; crops : names the table in messages.

    Raises
    ------
    ConfigError : with the codes that most parcels have.
    """
    found = {code: number for code, number in count.items() if code in matches and matches[code].crop.unreviewed}
    if not found:
        return
    largest = sorted(found, key=lambda code: (-found[code], code))[:CODES_IN_MESSAGE]
    codes = ", ".join(f"'{code}' ({found[code]} parcels)" for code in largest)
    more = f" and {len(found) - len(largest)} more" if len(found) > len(largest) else ""
    raise ConfigError(
        f"{crops}: {len(found)} codes of {sum(found.values())} parcels are marked '{UNREVIEWED}': {codes}{more}. Check "
        "their class_code, clear the column review, and run again; or set allow_unreviewed: true in the configuration."
    )


def _year(where: str, row: dict[str, str], column: str) -> int | None:
    text = row[column]
    if text and not re.fullmatch(r"[12][0-9]{3}", text):
        raise ConfigError(f"{where}: {column} '{text}' is no year")
    return int(text) if text else None


def match_codes(codes: Iterable[str], crops: dict[str, Crop], *, name_width: int | None) -> dict[str, Match]:
    """Rows of declared codes; a code that finds none is absent.

    Parameters
    ----------
    codes : as declared.
    crops : by normalised code, from `read_crops`.
    name_width : width of the column in which the publisher stored names, characters or bytes of UTF-8; names that
        fill it may be cut. None where names are whole.
    """
    plain: dict[str, list[str]] = {}
    for key in crops:
        plain.setdefault(_plain(key), []).append(key)
    found = {}
    for code in sorted(set(codes)):
        match = _match(code, crops, plain, name_width)
        if match is not None:
            found[code] = Match(crops[match[0]], match[1])
    return found


def _match(code: str, crops: dict[str, Crop], plain: dict[str, list[str]], width: int | None) -> tuple[str, str] | None:
    """Key in `crops` and kind of repair; the first way that gives exactly one row."""
    key, undone = normalise(code), normalise(decoded(code))
    if key in crops:
        return key, ""
    if undone in crops:
        return undone, "mojibake"
    ways = {"unaccented": plain.get(_plain(key), []) if _plain(key) else []}
    if _is_damaged(key):
        ways["mojibake"] = [name for name in crops if _pattern(key, "[^\\x00-\\x7f]").fullmatch(name)]
    if width is not None:
        ways["truncated"] = [name for name in crops if _is_cut(_plain(undone), name, width)]
    return next(((names[0], repair) for repair, names in ways.items() if len(names) == 1), None)


def decoded(code: str) -> str:
    """Undo UTF-8 that was read as CP1252 ("ARRÃ’S"); the code itself where it was not."""
    try:
        return code.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return code


def _is_damaged(key: str) -> bool:
    return _REPLACEMENT in key or "?" in key


def _pattern(key: str, damaged: str = ".") -> re.Pattern[str]:
    """A damaged character stands for any one of `damaged`."""
    return re.compile("".join(damaged if letter in (_REPLACEMENT, "?") else re.escape(letter) for letter in key))


def _plain(key: str) -> str:
    """Without accents; the Catalan middle dot as the full stop that old tables have."""
    letters = unicodedata.normalize("NFD", key)
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).replace("·", ".")


def _is_cut(plain: str, name: str, width: int) -> bool:
    """Whether a declared name without accents is what is left of `name` in a column of `width`.

    Columns count characters or bytes of UTF-8; some publishers mark the cut by a final asterisk.
    """
    if plain.endswith("*"):
        return _pattern(plain.rstrip("*")).match(_plain(name)) is not None
    spellings = {name, name.replace("·", ".")}
    cuts = {text[:width] for text in spellings} | {text.encode()[:width].decode(errors="ignore") for text in spellings}
    return any(_pattern(plain).fullmatch(_plain(cut.rstrip())) for cut in cuts - spellings)
