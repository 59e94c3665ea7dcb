"""What is wrong, or looks wrong, in a country's crops.csv.

A finding is a *problem* where the row cannot be right or nobody has said why it is; a *note* where a person may want to
look. The column `note` is where a person says why: a row with a note of its own is not questioned again.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cropstack.errors import ConfigError
from cropstack.labels.crops import EXCLUDE, UNREVIEWED, check_row, decoded, normalise, read_crop_table
from cropstack.labels.suggest import Known, essence, plain
from cropstack.legend import UNKNOWN, CropClass

SUGGESTED = "suggested:"  # how notes of `country new` begin; they explain nothing
MAX_SHARE_OF_ROWS = 0.5  # ASSUME: no class takes more rows of a table than this
MIN_ROWS = 8  # ... of tables that are long enough to tell
_SHOWN = 5
# Notes in the words of our own folders that name a difference between tables and no reason.
_STOCK = re.compile(
    "HCAT3 alone: .*|Sen4AgriNet has [^:]*|EuroCrops has HCAT [^:]*|not in .*|in the office's list of .*|HCAT is ours"
)
_BROKEN = ("\N{REPLACEMENT CHARACTER}", "?")


@dataclass(frozen=True)
class Row:
    """A row of crops.csv with its line; `first` and `last` year are 0 and 9999 where it always holds."""

    line: int
    code: str
    name: str
    name_en: str
    class_code: str
    hcat: str
    first: int
    last: int
    unreviewed: bool
    note: str

    @property
    def is_explained(self) -> bool:
        """Whether a person has written why the row is as it is."""
        return bool(self.note) and not self.note.startswith(SUGGESTED)

    @property
    def has_reason(self) -> bool:
        """Whether that says more than which table has another class."""
        return self.is_explained and any(not _STOCK.fullmatch(part.strip()) for part in self.note.split(";"))

    def __str__(self) -> str:
        return f"line {self.line} '{self.code}'"


@dataclass(frozen=True)
class Finding:
    """`level` is ``problem`` or ``note``; `rule` names the check; `text` is one line for a person."""

    level: str
    rule: str
    text: str


def read_rows(path: Path, classes: dict[int, CropClass]) -> list[Row]:
    """All rows of crops.csv, of every year.

    Raises
    ------
    ConfigError : every row with a class outside the taxonomy, a year or HCAT code that is none, an unknown review.
    """
    rows, errors = [], []
    for line, row in enumerate(read_crop_table(path), start=2):
        try:
            check_row(f"line {line}, code '{row['code']}'", row, classes)
        except ConfigError as error:
            errors.append(str(error))
            continue
        years = int(row["valid_from"] or 0), int(row["valid_to"] or 9999)
        meaning = row["code"], row["name"], row["name_en"], row["class_code"], row["hcat"]
        rows.append(Row(line, *meaning, *years, row["review"] == UNREVIEWED, row["note"]))
    if errors:
        more = f"; and {len(errors) - _SHOWN} more rows" if len(errors) > _SHOWN else ""
        raise ConfigError(f"{path}: {'; '.join(errors[:_SHOWN])}{more}")
    return rows


def lint_crops(
    rows: Sequence[Row], classes: dict[int, CropClass], hcat: dict[str, Known], known: Sequence[Known]
) -> list[Finding]:
    """Findings about a table, problems first.

    Parameters
    ----------
    rows : from `read_rows`; hcat : from `read_hcat`; known : names of other countries and the taxonomy.
    """
    findings = [
        *_empty(rows),
        *_duplicates(rows),
        *_look_alikes(rows),
        *_years(rows),
        *_spelling(rows),
        *_unreviewed(rows),
        *_unknown_class(rows),
        *_excluded(rows),
        *_hcat_contradictions(rows, classes, hcat),
        *_name_contradictions(rows, classes, known),
        *_same_name(rows),
        *_one_class(rows, classes),
        *_no_english(rows),
    ]
    return sorted(findings, key=lambda one: one.level != "problem")


def _finding(level: str, rule: str, what: str, rows: Iterable[object]) -> list[Finding]:
    """One finding over all rows that have it; none where no row has."""
    parts = [str(row) for row in rows]
    if not parts:
        return []
    more = f"; and {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""
    return [Finding(level, rule, f"{what}: {'; '.join(parts[:_SHOWN])}{more}")]


def _overlap(a: Row, b: Row) -> bool:
    return a.first <= b.last and b.first <= a.last


def _groups(rows: Iterable[Row], key: Iterable[str]) -> list[list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row, name in zip(rows, key, strict=True):
        groups[name].append(row)
    return [group for group in groups.values() if len(group) > 1]


def _pairs(groups: Iterable[list[Row]]) -> list[tuple[Row, Row]]:
    """Pairs of a group that hold in the same year."""
    return [(a, b) for group in groups for i, a in enumerate(group) for b in group[i + 1 :] if _overlap(a, b)]


def _empty(rows: Sequence[Row]) -> list[Finding]:
    return [] if rows else [Finding("problem", "empty", "crops.csv has no rows")]


def _duplicates(rows: Sequence[Row]) -> list[Finding]:
    """The same code, whatever its case, spaces and Unicode form, twice in a year."""
    pairs = _pairs(_groups(rows, [normalise(row.code) for row in rows]))
    text = [f"{a} and {b}" + ("" if a.code == b.code else " (equal once normalised)") for a, b in pairs]
    return _finding("problem", "duplicate", "codes that stand twice in a year", text)


def _look_alikes(rows: Sequence[Row]) -> list[Finding]:
    """Codes that differ in accents, punctuation or leading zeros only."""
    coded = [row for row in rows if row.code]
    pairs = _pairs(_groups(coded, [skeleton(row.code) for row in coded]))
    different = [(a, b) for a, b in pairs if normalise(a.code) != normalise(b.code) and a.class_code != b.class_code]
    text = [f"{a} is {a.class_code}, {b} is {b.class_code}" for a, b in different if not _both_explained(a, b)]
    return _finding("problem", "look_alike", "codes that look alike and mean different classes", text)


def _both_explained(a: Row, b: Row) -> bool:
    return a.has_reason and b.has_reason


def skeleton(code: str) -> str:
    """What is left of a code without accents, case, punctuation and leading zeros."""
    letters = unicodedata.normalize("NFD", code.casefold())
    return "".join(letter for letter in letters if letter.isalnum()).lstrip("0")


def _years(rows: Sequence[Row]) -> list[Finding]:
    text = [f"{row} ({row.first} to {row.last})" for row in rows if row.first > row.last]
    return _finding("problem", "years", "rows that end before they begin", text)


def _spelling(rows: Sequence[Row]) -> list[Finding]:
    bad = [row for row in rows if row.code != normalise(row.code)]
    broken = [row for row in rows if any(_is_broken(text) for text in (row.code, row.name, row.name_en))]
    return [
        *_finding("problem", "spelling", "codes that are not upper case, NFC, with single spaces", bad),
        *_finding("problem", "encoding", "codes or names decoded with the wrong table", broken),
    ]


def _is_broken(text: str) -> bool:
    return decoded(text) != text or any(mark in text for mark in _BROKEN)


def _unreviewed(rows: Sequence[Row]) -> list[Finding]:
    what = "rows marked unreviewed; check class_code, then clear the column review"
    return _finding("problem", "unreviewed", what, [row for row in rows if row.unreviewed])


def _unknown_class(rows: Sequence[Row]) -> list[Finding]:
    bad = [row for row in rows if row.class_code == str(UNKNOWN) and not row.is_explained]
    return _finding("problem", "unknown_class", "rows of class 998 without a note that says why", bad)


def _excluded(rows: Sequence[Row]) -> list[Finding]:
    bad = [row for row in rows if row.class_code == EXCLUDE and not row.has_reason]
    return _finding("problem", "excluded", "rows that exclude parcels without a note that says why", bad)


def _hcat_contradictions(rows: Sequence[Row], classes: dict[int, CropClass], hcat: dict[str, Known]) -> list[Finding]:
    absent = [row for row in rows if row.hcat and row.hcat not in hcat]
    text = []
    for row in rows:
        if row.hcat not in hcat or row.class_code == EXCLUDE or row.is_explained:
            continue
        meant = hcat[row.hcat].class_code
        if not compatible(int(row.class_code), meant, classes):
            text.append(f"{row}: class {_class(row.class_code, classes)}, hcat {_class(meant, classes)}")
    return [
        *_finding("problem", "hcat", "hcat codes that taxonomy/hcat3.csv has not", absent),
        *_finding("problem", "hcat", "class and hcat contradict each other; correct one or say why in note", text),
    ]


def _class(code: str | int, classes: dict[int, CropClass]) -> str:
    return f"{code} ({classes[int(code)].name})"


def compatible(a: int, b: int, classes: dict[int, CropClass]) -> bool:
    """Whether one class is the other or contains it, or both are of one group and one of them is "other"."""
    if a == b or a in _ancestors(b, classes) or b in _ancestors(a, classes):
        return True
    vague = any(_is_vague(classes[code]) for code in (a, b))
    return vague and classes[a].group == classes[b].group


def _ancestors(code: int, classes: dict[int, CropClass]) -> set[int]:
    found: set[int] = set()
    parent = classes[code].parent
    while parent is not None:
        found.add(parent)
        parent = classes[parent].parent
    return found


def _is_vague(one: CropClass) -> bool:
    name = one.name.casefold()
    return "n.e.c." in name or name.startswith(("other", "unknown")) or "mixed" in name


def _name_contradictions(rows: Sequence[Row], classes: dict[int, CropClass], known: Sequence[Known]) -> list[Finding]:
    """Rows whose English name is that of another class, in the taxonomy, HCAT or all other countries that have it."""
    meanings: dict[frozenset[str], dict[int, Known]] = defaultdict(dict)
    for one in known:
        meanings[essence(one.name)].setdefault(one.class_code, one)
    exact, within = [], []
    named = {essence(one.name): one for one in classes.values() if essence(one.name) and not _is_vague(one)}
    for row in rows:
        if row.class_code in (EXCLUDE, str(UNKNOWN)) or row.is_explained:
            continue
        words, code = essence(row.name_en), int(row.class_code)
        found = meanings.get(words, {}) if words else {}
        if found and not any(compatible(code, other, classes) for other in found):
            one = next(iter(found.values()))
            text = f"{row} {row.name_en}: class {_class(code, classes)}, but {one.class_code} in {one.origin}"
            exact.append(text)
            continue
        inside = [] if _is_mixture(row, classes[code], words) else [named[name] for name in named if name <= words]
        if inside and not any(compatible(code, one.code, classes) for one in inside):
            within.append(f"{row} {row.name_en}: class {_class(code, classes)}, not {inside[0].code}?")
    return [
        *_finding("problem", "name", "the English name is that of another class; correct it or say why", exact),
        *_finding("note", "name", "the English name contains that of another class", within),
    ]


def _is_mixture(row: Row, one: CropClass, words: frozenset[str]) -> bool:
    """Names of several crops, and those that share a word with their own class, may well contain another class."""
    return bool({"and", "or", "with", "mix"} & set(plain(row.name_en).split())) or bool(essence(one.name) & words)


def _same_name(rows: Sequence[Row]) -> list[Finding]:
    """One native name with two classes in a year."""
    pairs = _pairs(_groups([row for row in rows if row.name], [plain(row.name) for row in rows if row.name]))
    text = [
        f"{a} is {a.class_code}, {b} is {b.class_code} ({a.name})"
        for a, b in pairs
        if a.class_code != b.class_code and normalise(a.code) != normalise(b.code) and not _both_explained(a, b)
    ]
    return _finding("problem", "same_name", "codes of one name and different classes", text)


def _one_class(rows: Sequence[Row], classes: dict[int, CropClass]) -> list[Finding]:
    """Nearly every crop in one class: a mapping that was filled down."""
    count = Counter(row.class_code for row in rows if row.class_code not in (EXCLUDE, str(UNKNOWN)))
    total = sum(count.values())
    if total < MIN_ROWS:
        return []
    code, most = count.most_common(1)[0]
    if most <= MAX_SHARE_OF_ROWS * total:
        return []
    text = f"{most} of {total} rows have the class {_class(code, classes)}; a table maps crops to more classes"
    return [Finding("problem", "one_class", text)]


def _no_english(rows: Sequence[Row]) -> list[Finding]:
    return _finding("note", "name_en", "rows without an English name", [row for row in rows if not row.name_en])
