"""Section "Left out": every reject and repair, counted by reason."""

from typing import Any

from cropstack.report.inputs import Inputs
from cropstack.report.tables import EVERYWHERE, spread

AREAS_SHOWN = 24


def left_out(inputs: Inputs) -> dict[str, Any]:
    """Values of the section."""
    areas = [area for area in inputs.reasons if area != EVERYWHERE]
    shown = spread(areas, AREAS_SHOWN)
    return {
        "reasons": inputs.reasons[EVERYWHERE],
        "areas": {area: inputs.reasons[area] for area in shown},
        "in_all": len(areas),
    }
