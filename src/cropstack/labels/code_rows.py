"""What the ledger says about crop codes, and when unknown ones stop the build."""

from pathlib import Path

import numpy as np

from cropstack.errors import LedgerRow, UnknownCropCode, nearest
from cropstack.labels.crops import Crop, Match
from cropstack.labels.parcels import Parcels
from cropstack.legend import UNKNOWN

STAGE = "harmonise_parcels"
_CODES_IN_MESSAGE = 5


def code_rows(parcels: Parcels, matches: dict[str, Match]) -> list[LedgerRow]:
    """One row for each code that is unknown, unmapped, unreviewed or was recognised only after repair."""
    rows = []
    for code, (count, area) in _totals(parcels).items():
        size = f"{count} parcels, {area / 1e4:.2f} ha"
        match = matches.get(code)
        if match is None:
            rows.append(LedgerRow(code, STAGE, "repaired", "unknown_code", f"{size}; class 998"))
            continue
        if match.crop.class_code == UNKNOWN:
            rows.append(LedgerRow(code, STAGE, "repaired", "unmapped_code", f"{size}; crops.csv says 998"))
        if match.crop.unreviewed:
            rows.append(LedgerRow(code, STAGE, "repaired", "unreviewed_code", f"{size}; crops.csv says unreviewed"))
        if match.repair:
            rows.append(LedgerRow(code, STAGE, "repaired", match.repair, f"{size}; read as {match.crop.code}"))
    return rows


def _totals(parcels: Parcels) -> dict[str, tuple[int, float]]:
    """Parcels and area in m² by declared code; codes that no parcel has are left out."""
    count = np.bincount(parcels.code, minlength=len(parcels.codes)).tolist()
    area = np.bincount(parcels.code, weights=parcels.area_m2, minlength=len(parcels.codes)).tolist()
    return {code: (count[i], area[i]) for i, code in enumerate(parcels.codes) if count[i]}


def check_unknown(
    parcels: Parcels, matches: dict[str, Match], table: dict[str, Crop], crops: Path, *, max_unknown_share: float
) -> None:
    """Stop where too much area has a code without a row.

    Raises
    ------
    UnknownCropCode : the codes with most area, with the nearest known ones.
    """
    unknown = {code: total for code, total in _totals(parcels).items() if code not in matches}
    share = sum(area for _, area in unknown.values()) / parcels.area_m2.sum()
    if share <= max_unknown_share:
        return
    largest = sorted(unknown, key=lambda code: (-unknown[code][1], code))
    lines = [_describe(code, unknown[code][0], parcels, table) for code in largest[:_CODES_IN_MESSAGE]]
    more = f" and {len(largest) - len(lines)} more codes" if len(largest) > len(lines) else ""
    raise UnknownCropCode(
        f"{crops} has no code {'; no code '.join(lines)}{more}: {share:.1%} of the declared area, max_unknown_share is "
        f"{max_unknown_share:.1%}. Add a row for each with its class and HCAT code, or 'exclude'."
    )


def _describe(code: str, count: int, parcels: Parcels, table: dict[str, Crop]) -> str:
    first = parcels.id[int(np.argmax(parcels.code == parcels.codes.index(code)))]
    hint = nearest(code, table).removeprefix("; ")
    return f"'{code}' ({count} parcels, the first is {first}{'; ' + hint if hint else ''})"
