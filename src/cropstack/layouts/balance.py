"""The balance of a build: what entered each flow, what left it, and what was rejected on the way, by reason."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path

from cropstack.errors import LedgerRow
from cropstack.files import LEDGER_COLUMNS, write_csv

# In the order in which a build fills them.
FLOWS = (
    "products", "scenes", "patches", "time_steps",
    "declared_parcels", "parcels_on_tiles", "drawn_parcels", "parcel_series", "parcel_months",
    "samples", "coco_images", "coco_annotations", "split_parcels", "monthly_parcels",
)  # fmt: skip
COLUMNS = ["flow", "area", "scenario", "split", "term", "reason", "count"]


def area_of(name: str, year: int) -> str:
    """Name of a country's or a tile's year in tables: ``es_ct_2019``, ``31TCG_2019``."""
    return f"{name}_{year}"


@dataclass(frozen=True)
class Flow:
    """One kind of unit at two places of a build; `entered` and `left` are counted there, each from its own files.

    Attributes
    ----------
    name : one of `FLOWS`.
    area : a country or a tile with its year, ``es_ct_2019`` or ``31TCG_2019``; empty where a file mixes several.
    rejected : units by reason.
    scenario, split : empty where the units are those of all scenarios.
    """

    name: str
    area: str
    entered: int
    left: int
    rejected: Mapping[str, int] = field(default_factory=dict)
    scenario: str = ""
    split: str = ""

    @property
    def lost(self) -> int:
        """Units that neither left nor were rejected; negative: units that came from nowhere."""
        return self.entered - self.left - sum(self.rejected.values())


@dataclass
class Account:
    """What a part of the comparison found: flows, what is wrong in words, and rejects with their area."""

    flows: list[Flow] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    rejects: list[tuple[str, LedgerRow]] = field(default_factory=list)

    def add(self, other: "Account") -> None:
        """Take over what another part found."""
        self.flows += other.flows
        self.problems += other.problems
        self.rejects += other.rejects


def unbalanced(flows: Iterable[Flow]) -> Iterator[str]:
    """A line for each flow of which units are lost, or too many."""
    for flow in flows:
        if flow.lost:
            where = " ".join(word for word in (flow.area, flow.scenario, flow.split) if word)
            reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(flow.rejected.items()) if count)
            amount = f"{flow.lost} lost" if flow.lost > 0 else f"{-flow.lost} too many"
            yield (
                f"{flow.name} of {where}: {flow.entered} entered, {flow.left} left, rejected: {reasons or 'none'}; "
                f"{amount}"
            )


def write_balance(path: Path, flows: Iterable[Flow]) -> None:
    """Write a row for each term of each flow: ``entered``, ``left``, and ``rejected`` for each reason that occurs."""
    ordered = sorted(flows, key=lambda flow: (FLOWS.index(flow.name), flow.area, flow.scenario, flow.split))
    write_csv(path, COLUMNS, (row for flow in ordered for row in _rows(flow)))


def _rows(flow: Flow) -> Iterator[list[object]]:
    key = [flow.name, flow.area, flow.scenario, flow.split]
    yield [*key, "entered", "", flow.entered]
    yield [*key, "left", "", flow.left]
    yield from ([*key, "rejected", reason, count] for reason, count in sorted(flow.rejected.items()) if count)


def write_rejects(path: Path, rows: Iterable[tuple[str, LedgerRow]]) -> None:
    """Write rejects and repairs with their area, sorted."""
    write_csv(path, ["area", *LEDGER_COLUMNS], ((area, *astuple(row)) for area, row in sorted(rows)))
