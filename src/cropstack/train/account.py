"""What became of all that an experiment was given: every sample is used, or left out for one reason."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cropstack.errors import SampleError
from cropstack.files import write_csv

COLUMNS = ["unit", "split", "fate", "number"]
ORDER = ["train", "val", "test", ""]  # of splits; the last is none
GIVEN, USED = "given", "used"
# Reasons; those of parcels without a split come from the table of splits.
NOT_IN_SCENARIO = "not_in_scenario"
NO_LABELLED_PIXEL = "no_labelled_pixel"
BACKGROUND = "background"
UNKNOWN_CLASS = "unknown_class"
NOT_IN_LEGEND = "not_in_legend"
NO_LEGEND_PIXEL = "no_legend_pixel"
MISSING_VALUE = "missing_value"
NO_MEASURED_MONTH = "no_measured_month"
OVER_LIMIT = "over_limit"


@dataclass(frozen=True)
class Account:
    """Numbers of one unit: ``parcel``, ``sub_patch`` or ``pixel``.

    Attributes
    ----------
    given : counted in the composites, before anything is left out.
    fates : number by split (empty: in none) and `USED` or a reason.
    """

    unit: str
    given: int
    fates: Mapping[tuple[str, str], int]

    def left_out(self, split: str) -> str:
        """Reasons of a split with their numbers, such as ``3 missing_value``."""
        reasons = sorted((fate, number) for (here, fate), number in self.fates.items() if here == split)
        return ", ".join(f"{number} {fate}" for fate, number in reasons if fate != USED) or "none"


def check_balance(experiment: str, account: Account, used: Mapping[str, int]) -> None:
    """Check that what was given is used or left out, and that the splits hold what is called used.

    Raises
    ------
    SampleError : it does not add up.
    """
    found = sum(account.fates.values())
    if found != account.given:
        raise SampleError(
            f"experiment {experiment}: {account.given} {account.unit}s were given, {found} are used or left out; "
            "expected equal numbers. Report this."
        )
    for split, number in used.items():
        said = account.fates.get((split, USED), 0)
        if said != number:
            held = f"{split} holds {number} {account.unit}s"
            raise SampleError(f"experiment {experiment}: {held}; the account says {said}. Report this.")


def write_accounts(path: Path, accounts: list[Account]) -> None:
    """Write unit, split, fate, number: what was given, then what became of it; reasons without a case have no row."""
    rows: list[tuple[str, str, str, int]] = []
    for account in accounts:
        rows.append((account.unit, "", GIVEN, account.given))
        order = sorted(account.fates, key=lambda key: (ORDER.index(key[0]), key[1] != USED, key[1]))
        rows += [(account.unit, *key, account.fates[key]) for key in order if account.fates[key]]
    write_csv(path, COLUMNS, rows)


def count(splits: list[str], fates: list[str]) -> Counter[tuple[str, str]]:
    """Numbers by split and fate, of one entry per sample."""
    return Counter(zip(splits, fates, strict=True))
