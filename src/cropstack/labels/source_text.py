"""source.yaml for a country that has none, with what its declaration tells."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from cropstack.labels.guess_columns import Guess, texts
from cropstack.labels.unknown_file import UnknownFile, utm_crs

_SHARE_ALIKE = re.compile(r"\bBY(-NC)?-SA\b|share[- ]?alike|\bODbL\b", re.IGNORECASE)
TODO = "TODO"  # source.schema.yaml refuses texts that begin so


def source_text(
    cc: str,
    files: Sequence[Path],
    file: UnknownFile,
    guess: Guess,
    *,
    year: int,
    layer: str | None,
    said: Mapping[str, str | None],
) -> str:
    """source.yaml with what the file tells; guesses are marked CHECK, texts that a person must give begin with TODO."""
    names = sorted({one.name for one in file.layers})
    metric = utm_crs(file.crs, file.bounds)
    stem = files[0].name.partition(".")[0].replace(str(year), "").strip(" _-")
    lines = [
        f"# Made by cropstack country new from {', '.join(one.name for one in files)}. Lines with CHECK are guesses.",
        "# Every key is described in workflow/schemas/source.schema.yaml.",
        f"name: {_quoted(said.get('name') or stem)}" + ("" if said.get("name") else "  # CHECK"),
        f"country_code: {cc[:2].upper()}",
        f"bounds: [{', '.join(map(str, file.bounds))}]  # CHECK: half a degree around the file; widen to the country",
        f"licence: {_quoted(said.get('licence') or f'{TODO}: under which licence the office publishes it')}",
        f"attribution: {_quoted(said.get('attribution') or f'{TODO}: as the licence asks for it')}",
        f"share_alike: {str(is_share_alike(said.get('licence') or '')).lower()}  # CHECK: true where the licence wants "
        "derived data under the same",
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


def is_share_alike(licence: str) -> bool:
    """Whether the text of a licence wants derived data under the same."""
    return _SHARE_ALIKE.search(licence) is not None


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
        lines.append(f"      {role}: {_quoted(column)}  # CHECK: {', '.join(examples(file, column))}{also}")
    return lines


def examples(file: UnknownFile, column: str) -> list[str]:
    """The first values of a column."""
    values = dict.fromkeys(" ".join(value.split())[:24] for value in texts(file.sample[column]) if value)
    return list(values)[:3]


def _width_lines(file: UnknownFile, guess: Guess) -> list[str]:
    """Names that end where the column ends are cut: the longest ones all have one length."""
    lengths = Counter(len(value.encode()) for value in set(texts(file.sample[guess.code])))
    longest = max(lengths)
    if longest < 20 or lengths[longest] < 3:
        return []
    return [f"    name_width: {longest}  # CHECK: {lengths[longest]} names have just this length; null if whole"]
