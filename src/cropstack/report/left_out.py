"""Section "Left out": every reject and repair, counted by reason."""

from typing import Any

from cropstack.report.inputs import Inputs


def left_out(inputs: Inputs) -> dict[str, Any]:
    """Values of the section."""
    return {"ledgers": [{"name": name, "key": key, "reasons": reasons} for name, key, reasons in inputs.ledgers]}
