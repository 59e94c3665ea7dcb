"""Section "Balance": what entered each step of the build, what left it, and what was left out for which reason."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cropstack.files import read_csv
from cropstack.report.drawings import SPLITS
from cropstack.report.inputs import Inputs
from cropstack.report.tables import spread

AREAS_SHOWN = 24

# What is counted at both ends of a flow of balance.csv.
IMAGERY = {
    "products": ("products found", "in patches"),
    "scenes": ("scenes chosen", "in patches"),
    "patches": ("places of the patch grid", "patch files"),
    "time_steps": ("scenes in all places", "time steps of patches"),
}
PARCELS = {
    "declared_parcels": ("parcels declared", "harmonised"),
    "parcels_on_tiles": ("harmonised parcels", "on a selected tile"),
    "drawn_parcels": ("parcels of the tiles", "with a pixel in the labels"),
    "parcel_series": ("parcels of the tiles", "rows of the tables by acquisition"),
    "parcel_months": ("parcels of the tiles", "monthly series"),
}
SAMPLES = {
    "samples": ("places of the patch grid", "with a split"),
    "coco_images": ("patches with a split", "COCO images"),
    "coco_annotations": ("parcels, counted in each patch that shows them", "COCO annotations"),
    "split_parcels": ("parcels of the tiles", "with a split"),
    "monthly_parcels": ("parcels with a split", "rows of the monthly tables"),
}
ENDS = IMAGERY | PARCELS | SAMPLES


@dataclass
class Total:
    """A flow over one area or all: units that entered, that left, and that were rejected by reason."""

    flow: str
    scenario: str
    split: str
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def ends(self) -> tuple[str, str]:
        """What entered and what left, in words."""
        return ENDS[self.flow]

    @property
    def key(self) -> str:
        """Part of the keys of the page's numbers."""
        return "/".join([self.flow, self.scenario, self.split])

    @property
    def percent(self) -> float:
        """Share that left, 0 to 100."""
        return 100 * self.counts["left"] / self.counts["entered"] if self.counts["entered"] else 100.0


@dataclass(frozen=True)
class Account:
    """What an experiment did with the units (parcels, sub-patches, pixels) of its composites: splits and reasons."""

    experiment: str
    unit: str
    given: int
    used: dict[str, int]
    left_out: dict[str, int]


def balance(inputs: Inputs) -> dict[str, Any]:
    """Values of the section."""
    whole = sum_up({**row, "split": ""} for row in inputs.balance)
    areas = sorted({row["area"] for row in inputs.balance} - {""})
    shown = spread(areas, AREAS_SHOWN)
    scenarios = sorted({total.scenario for total in whole} - {""})
    return {
        "cards": [
            ("Imagery", [total for total in whole if total.flow in IMAGERY]),
            ("Parcels", [total for total in whole if total.flow in PARCELS]),
            *((f"Samples of {name}", [total for total in whole if total.scenario == name]) for name in scenarios),
        ],
        "training": [account for run in inputs.files.experiments.items() for account in read_accounts(*run)],
        "splits": sum_up(row for row in inputs.balance if row["split"]),
        "areas": {area: sum_up(row for row in inputs.balance if row["area"] == area) for area in shown},
        "in_all": len(areas),
        "split_names": SPLITS,
    }


def read_accounts(experiment: str, folder: Path) -> list[Account]:
    """Accounts of an experiment's samples.csv, one for each unit."""
    rows = read_csv(folder / "samples.csv", ["unit", "split", "fate", "number"])
    accounts = []
    for unit in dict.fromkeys(row["unit"] for row in rows):
        here = [(row["fate"], row["split"], int(row["number"])) for row in rows if row["unit"] == unit]
        given = sum(number for fate, _, number in here if fate == "given")
        used = dict.fromkeys(SPLITS, 0) | {split: number for fate, split, number in here if fate == "used"}
        left_out: Counter[str] = Counter()
        for fate, _, number in here:
            if fate not in ("given", "used"):
                left_out[fate] += number
        accounts.append(Account(experiment, unit, given, used, dict(sorted(left_out.items()))))
    return accounts


def sum_up(rows: Iterable[dict[str, str]]) -> list[Total]:
    """Rows of balance.csv summed over areas, by scenario, flow and split, flows in the order of a build."""
    totals: dict[tuple[str, str, str], Total] = {}
    for row in rows:
        key = row["flow"], row["scenario"], row["split"]
        total = totals.setdefault(key, Total(*key))
        counts, name = (total.reasons, row["reason"]) if row["term"] == "rejected" else (total.counts, row["term"])
        counts[name] += int(row["count"])
    order = list(ENDS)
    return sorted(totals.values(), key=lambda total: (total.scenario, order.index(total.flow), total.split))
