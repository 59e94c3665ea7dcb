"""Which class a crop may be: the nearest names in the taxonomy, in HCAT and in the tables of other countries."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rapidfuzz import fuzz, process

from cropstack.errors import ConfigError
from cropstack.labels.crops import EXCLUDE, UNREVIEWED, read_crop_table
from cropstack.legend import UNKNOWN, CropClass, read_table

HCAT_COLUMNS = ["hcat", "name", "class_code", "note"]
MIN_SCORE = 72.0  # ASSUME: below it names that look alike are mostly other crops (docs/new_country.md)
_WORD = re.compile(r"[^\W_]+")
_FILLER = frozenset(("and", "or", "of", "the", "for", "in", "with", "other", "incl", "excl", "nec", "etc", "crop"))


@dataclass(frozen=True)
class Known:
    """A name whose class is known. `origin` is ``classes``, ``hcat3`` or a country."""

    name: str
    plain: str
    class_code: int
    hcat: str
    origin: str


@dataclass(frozen=True)
class Suggestion:
    """A class, how alike the names are (0 to 100) and which name it was."""

    class_code: int
    hcat: str
    score: float
    name: str
    origin: str

    def __str__(self) -> str:
        return f"{self.class_code} as {self.name} in {self.origin} ({self.score:.0f})"


def plain(name: str) -> str:
    """Words in lower case without accents, separated by single spaces; English plurals lose their s."""
    letters = unicodedata.normalize("NFD", name.casefold())
    text = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(_singular(word) for word in _WORD.findall(text))


def _singular(word: str) -> str:
    """Rough, but the same for both sides of a comparison."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith("oes"):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def essence(name: str) -> frozenset[str]:
    """The words of a name that say which crop it is."""
    return frozenset(plain(name).split()) - _FILLER


def read_hcat(path: Path, classes: dict[int, CropClass]) -> dict[str, Known]:
    """Read taxonomy/hcat3.csv: names and classes by HCAT code.

    Raises
    ------
    ConfigError : a code twice, a class outside the taxonomy.
    """
    known: dict[str, Known] = {}
    for line, row in enumerate(read_table(path, HCAT_COLUMNS), start=2):
        where = f"{path}: line {line}, hcat '{row['hcat']}'"
        if row["hcat"] in known:
            raise ConfigError(f"{where} stands twice. Keep one.")
        if row["class_code"] not in {str(code) for code in classes}:
            raise ConfigError(f"{where}: class_code '{row['class_code']}' is in no row of classes.csv. Correct it.")
        name = row["name"].replace("_", " ")
        known[row["hcat"]] = Known(name, plain(name), int(row["class_code"]), row["hcat"], "hcat3")
    return known


def read_known(
    countries: Path, classes: dict[int, CropClass], hcat: dict[str, Known], *, leave_out: str
) -> list[Known]:
    """Names of the classes, of HCAT and of the reviewed rows of all countries but one, each with its class.

    Parameters
    ----------
    countries : folder taxonomy/countries; leave_out : the country in question.
    """
    known = list(hcat.values())  # first, since of equally similar names the first is taken, and these have an HCAT code
    for path in sorted(countries.glob("*/crops.csv")):
        if path.parent.name != leave_out:
            known += names_of(read_crop_table(path), path.parent.name)
    known += [Known(one.name, plain(one.name), one.code, "", "classes") for one in classes.values()]
    return [one for one in known if one.plain and one.class_code != UNKNOWN]


def names_of(rows: Iterable[dict[str, str]], country: str) -> list[Known]:
    """Native and English names of reviewed rows."""
    good = [row for row in rows if row["review"] != UNREVIEWED and row["class_code"] != EXCLUDE]
    return [
        Known(name, plain(name), int(row["class_code"]), row["hcat"], country)
        for row in good
        for name in dict.fromkeys((row["name"], row["name_en"]))
        if name
    ]


def suggest(crops: Sequence[Sequence[str]], known: Sequence[Known], *, most: int = 3) -> list[list[Suggestion]]:
    """For each crop, given by its names in any language, the classes with the most similar names, best first.

    Parameters
    ----------
    crops : names of each crop; empty ones are left out.
    known : names with classes, from `read_known`.
    most : classes to return for a crop.

    Returns
    -------
    A list for each crop, empty where no name is similar enough.
    """
    words = sorted({plain(name) for names in crops for name in names} - {""})
    if not words or not known:
        return [[] for _ in crops]
    row_of = {word: row for row, word in enumerate(words)}
    score = similarity(words, [one.plain for one in known])
    found = []
    for names in crops:
        rows = sorted({row_of[plain(name)] for name in names if plain(name)})
        best = score[rows].max(axis=0) if rows else np.zeros(len(known))
        found.append(_best_classes(best, known, most))
    return found


def similarity(left: Sequence[str], right: Sequence[str]) -> np.ndarray:
    """How alike names are, 0 to 100: shape (left, right).

    The mean of two views of their words: all of them in order of the alphabet, and those of the shorter name only.
    """
    whole = process.cdist(left, right, scorer=fuzz.token_sort_ratio)
    part = process.cdist(left, right, scorer=fuzz.token_set_ratio)
    return np.asarray((whole + part) / 2)


def _best_classes(score: np.ndarray, known: Sequence[Known], most: int) -> list[Suggestion]:
    good = np.flatnonzero(score >= MIN_SCORE)
    found: dict[int, Suggestion] = {}
    for row in good[np.argsort(-score[good], kind="stable")]:
        one = known[row]
        found.setdefault(one.class_code, Suggestion(one.class_code, one.hcat, float(score[row]), one.name, one.origin))
        if len(found) == most:
            break
    return list(found.values())
