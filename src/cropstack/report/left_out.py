"""Section "Left out": every reject and repair, counted by reason."""

from typing import Any

from cropstack.report.inputs import Inputs
from cropstack.report.tables import EVERYWHERE, spread

AREAS_SHOWN = 24


def rejected(inputs: Inputs) -> list[dict[str, Any]]:
    """Rejects of the whole build by reason, for the overview."""
    every = inputs.reasons[EVERYWHERE]
    return [{"reason": one.reason, "step": one.stage, "count": one.count} for one in every if one.action == "rejected"]


def left_out(inputs: Inputs) -> dict[str, Any]:
    """Values of the section."""
    areas = [area for area in inputs.reasons if area != EVERYWHERE]
    shown = spread(areas, AREAS_SHOWN)
    return {
        "reasons": inputs.reasons[EVERYWHERE],
        "areas": {area: inputs.reasons[area] for area in shown},
        "in_all": len(areas),
    }
