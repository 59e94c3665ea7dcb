"""Section "Acquisitions": products by time, and why some were left out."""

from collections.abc import Iterable
from typing import Any

from markupsafe import Markup

from cropstack.product import parse_time
from cropstack.report.descriptions import read_preview
from cropstack.report.drawings import Acquisition, draw_key, draw_timeline, reason_shapes
from cropstack.report.examples import coloured
from cropstack.report.images import png_uri
from cropstack.report.inputs import Inputs
from cropstack.report.tables import count_by, spread

TIMELINES_SHOWN = 12


def acquisitions(inputs: Inputs) -> dict[str, Any]:
    """Values of the section."""
    shapes = reason_shapes([row["reason"] for row in inputs.products if row["used"] != "yes"])
    counts = count_by(inputs.products, "tile", "year", "used", "reason")
    shown = spread(inputs.tile_years, TIMELINES_SHOWN)
    return {
        "used_key": Markup(draw_key(None)),
        "reason_keys": [{"key": Markup(draw_key(shape)), "name": reason} for reason, shape in shapes.items()],
        "timelines": [_timeline(inputs, tile, year, shapes) for _, tile, year in shown],
        "in_all": len(inputs.tile_years),
        "totals": [
            {"used": used, "reason": reason, "count": count}
            for (used, reason), count in count_by(inputs.products, "used", "reason").items()
        ],
        "product_counts": [
            {"tile": tile, "year": year, "used": used, "reason": reason, "count": count}
            for (tile, year, used, reason), count in counts.items()
        ],
    }


def _timeline(inputs: Inputs, tile: str, year: int, shapes: dict[str, str]) -> dict[str, Any]:
    rows = [row for row in inputs.products if (row["tile"], row["year"]) == (tile, str(year))]
    patches = [patch for patch in inputs.patches if (patch.tile, patch.year) == (tile, year)]
    crops = read_preview(inputs.files.previews[tile, year])
    return {
        "name": f"{tile} {year}",
        "key": f"{tile}/{year}",
        "drawing": Markup(draw_timeline(f"Acquisitions of {tile} in {year}", year, _acquisitions(rows), shapes)),
        "crops": png_uri(coloured(crops, inputs.legend)),
        "width": crops.shape[0],
        "patches": len(patches),
        "fewest": min((patch.acquisitions for patch in patches), default=0),
        "most": max((patch.acquisitions for patch in patches), default=0),
    }


def _acquisitions(rows: Iterable[dict[str, str]]) -> list[Acquisition]:
    return [
        Acquisition(
            row["product"],
            parse_time(row["sensing"]),
            float(row["cloud"]),
            "" if row["used"] == "yes" else row["reason"],
        )
        for row in rows
    ]
