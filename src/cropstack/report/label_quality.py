"""Section "Labels": mapped area, purity of pixels, small parcels, overlaps, and what was repaired or rejected."""

from collections import Counter
from typing import Any

from cropstack.files import read_csv
from cropstack.report.inputs import Inputs
from cropstack.report.tables import HECTARE_M2, Area

RESOLUTIONS_M = (10, 20, 60)
STAGE = "harmonise_parcels"
FEW = "below_"  # columns of parcels with fewer pixels than the number that follows


def label_quality(inputs: Inputs) -> dict[str, Any]:
    """Values of the section; nothing where no label was assessed."""
    areas = [_area(inputs, area) for area in inputs.areas]
    return {"areas": areas, "resolutions": RESOLUTIONS_M, "reasons": _reasons(inputs)} if areas else {}


def _area(inputs: Inputs, area: Area) -> dict[str, Any]:
    tiles = sorted(tile for country, tile, year in inputs.tile_years if (country, year) == (area.country, area.year))
    grids = {resolution: Counter[str]() for resolution in RESOLUTIONS_M}
    for tile in tiles:
        for row in read_csv(inputs.files.quality[tile, area.year]):
            grids[int(row["resolution_m"])].update({name: int(value) for name, value in row.items()})
    return {
        "name": f"{inputs.name_of(area.country)}, {area.year}",
        "key": f"{area.country}/{area.year}",
        "tiles": tiles,
        "declared_ha": area.area_m2 / HECTARE_M2,
        "mapped_percent": 100 * area.mapped_share,
        "grids": grids,
        "pure": {r: percent(grid["pure_pixels"], grid["parcel_pixels"]) for r, grid in grids.items()},
        "few": [(int(name.removeprefix(FEW)), name) for name in grids[10] if name.startswith(FEW)],
    }


def percent(part: int, whole: int) -> float:
    """A share in percent; 0 of nothing."""
    return round(100 * part / whole, 2) if whole else 0.0


def _reasons(inputs: Inputs) -> list[dict[str, Any]]:
    """What harmonise_parcels repaired, rejected and filtered: a row for each reason, with its count in each area."""
    counts = {
        f"{area.country}/{area.year}": Counter(
            {
                (reason.reason, reason.action): reason.count
                for reason in inputs.reasons.get(f"{area.country}_{area.year}", [])
                if reason.stage == STAGE
            }
        )
        for area in inputs.areas
    }
    found = sorted({key for here in counts.values() for key in here})
    return [
        {"reason": reason, "action": action, "counts": {key: here[reason, action] for key, here in counts.items()}}
        for reason, action in found
    ]
