"""Counts that the page shows, from the tables that earlier steps wrote."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow.parquet
import yaml

from cropstack.errors import ConfigError
from cropstack.files import reading
from cropstack.legend import BACKGROUND, UNKNOWN, LegendClass

T = TypeVar("T")
EXAMPLES = 3  # shown of each reason
EVERYWHERE = ""  # no area is called so
HECTARE_M2 = 10_000


@dataclass(frozen=True)
class Area:
    """What one country declared in one year: (parcels, m²) by class code."""

    country: str
    year: int
    classes: dict[int, tuple[int, float]]

    @property
    def parcels(self) -> int:
        """Number of declared parcels."""
        return sum(count for count, _ in self.classes.values())

    @property
    def area_m2(self) -> float:
        """Declared area."""
        return sum(area for _, area in self.classes.values())

    @property
    def mapped_share(self) -> float:
        """Share of declared area whose crop is in the taxonomy, 0 to 1; unknown crops (998) are not mapped."""
        unknown = self.classes.get(UNKNOWN, (0, 0.0))[1]
        return 1 - unknown / self.area_m2 if self.area_m2 else 0.0


@dataclass(frozen=True)
class Reason:
    """Rejects and repairs that share stage, action and reason, with the first few of them (area, unit, evidence)."""

    stage: str
    action: str
    reason: str
    count: int
    examples: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Source:
    """Where a country's declarations come from."""

    country: str
    name: str
    licence: str
    attribution: str
    share_alike: bool


def country_year(path: Path) -> tuple[str, int]:
    """Country and year of a file named `<cc>_<year>_<what>`."""
    country, year, _ = path.stem.rsplit("_", 2)
    return country, int(year)


def read_area(path: Path) -> Area:
    """Count a parcels table (`<cc>_<year>_parcels.parquet`) by class code."""
    table = pyarrow.parquet.read_table(path, columns=["class_code", "metrics:area"])
    codes, group = np.unique(table["class_code"].to_numpy(), return_inverse=True)
    counts = np.bincount(group, minlength=len(codes))
    areas = np.bincount(group, weights=table["metrics:area"].to_numpy(), minlength=len(codes))
    rows = zip(codes.tolist(), counts.tolist(), areas.tolist(), strict=True)
    return Area(*country_year(path), {code: (count, area) for code, count, area in rows})


def read_source(path: Path) -> Source:
    """Read what a page must say of `taxonomy/countries/<cc>/source.yaml` (validated when the workflow starts)."""
    data: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    missing = [key for key in ("name", "licence", "attribution") if not data.get(key)]
    if missing:
        raise ConfigError(f"{path}: {missing[0]} is missing or empty; a page must not go without it. Add it.")
    share_alike = bool(data.get("share_alike"))
    return Source(path.parent.name, data["name"], data["licence"], data["attribution"], share_alike)


def read_mapping(path: Path) -> tuple[str, str] | None:
    """Licence and attribution of the tables that map crops to classes, as a parcels table has them; None without."""
    with reading(path, "Parquet"):
        about = json.loads((pyarrow.parquet.read_schema(path).metadata or {}).get(b"cropstack", b"{}"))
    return (about["mapping_licence"], about["mapping_attribution"]) if "mapping_licence" in about else None


def read_reasons(path: Path) -> dict[str, list[Reason]]:
    """Group the rows of rejects.csv by area, and all under `EVERYWHERE`: by stage, action and reason.

    Most frequent first within a stage and action. The table can be longer than memory: a few rows of each group are
    kept.
    """
    counts: dict[str, Counter[tuple[str, str, str]]] = {EVERYWHERE: Counter()}
    first: dict[tuple[str, ...], list[tuple[str, str, str]]] = {}
    with reading(path, "CSV"), open(path, encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            key = row["stage"], row["action"], row["reason"]
            for area in (EVERYWHERE, row["area"]):
                counts.setdefault(area, Counter())[key] += 1
                kept = first.setdefault((area, *key), [])
                if len(kept) < EXAMPLES:
                    kept.append((row["area"], row["unit"], row["evidence"]))
    return {
        area: sorted(
            (Reason(*key, count, first[area, *key]) for key, count in here.items()),
            key=lambda r: (r.stage, r.action, -r.count, r.reason),
        )
        for area, here in sorted(counts.items())
    }


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most `most` of `items`, evenly spaced, the middle one of each stretch: pages stay short at any scale."""
    if len(items) <= most:
        return list(items)
    return [items[(2 * i + 1) * len(items) // (2 * most)] for i in range(most)]


def count_by(rows: Iterable[dict[str, str]], *columns: str) -> dict[tuple[str, ...], int]:
    """Number of rows for each combination of values of `columns`, sorted by value."""
    counts = Counter(tuple(row[column] for column in columns) for row in rows)
    return dict(sorted(counts.items()))


def class_hectares(pixels: dict[int, int], legend: list[LegendClass], *, pixel_m2: int = 100) -> list[float]:
    """Hectares of each class of the legend, then of other crops, then of unknown crops (998).

    `pixels` counts 10 m pixels by taxonomy code; background does not count.
    """
    taken = {code for entry in legend for code in entry.codes}
    known = [sum(pixels.get(code, 0) for code in entry.codes) for entry in legend]
    other = sum(count for code, count in pixels.items() if code not in taken | {BACKGROUND, UNKNOWN})
    return [count * pixel_m2 / HECTARE_M2 for count in [*known, other, pixels.get(UNKNOWN, 0)]]
