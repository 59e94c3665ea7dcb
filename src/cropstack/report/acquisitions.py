"""Sections "Acquisitions" and "Provenance": products by time and reason, scenes, sources."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from markupsafe import Markup

from cropstack.product import parse_time
from cropstack.report.drawings import Acquisition, draw_key, draw_timeline, reason_shapes
from cropstack.report.examples import coloured, mosaic
from cropstack.report.images import png_uri
from cropstack.report.inputs import Inputs
from cropstack.report.tables import Source, count_by


def when(inputs: Inputs) -> dict[str, Any]:
    """Values of the section on acquisitions."""
    shapes = reason_shapes([row["reason"] for row in inputs.products if row["used"] != "yes"])
    counts = count_by(inputs.products, "tile", "year", "used", "reason")
    return {
        "used_key": Markup(draw_key(None)),
        "reason_keys": [{"key": Markup(draw_key(shape)), "name": reason} for reason, shape in shapes.items()],
        "timelines": [_timeline(inputs, tile, year, shapes) for _, tile, year in inputs.tile_years],
        "product_counts": [
            {"tile": tile, "year": year, "used": used, "reason": reason, "count": count}
            for (tile, year, used, reason), count in counts.items()
        ],
    }


def _timeline(inputs: Inputs, tile: str, year: int, shapes: dict[str, str]) -> dict[str, Any]:
    rows = [row for row in inputs.products if (row["tile"], row["year"]) == (tile, str(year))]
    patches = [patch for patch in inputs.patches if (patch.tile, patch.year) == (tile, year)]
    crops = mosaic(patches)
    return {
        "name": f"{tile} {year}",
        "key": f"{tile}/{year}",
        "drawing": Markup(draw_timeline(f"Acquisitions of {tile} in {year}", year, _acquisitions(rows), shapes)),
        "crops": png_uri(coloured(crops, inputs.legend)),
        "width": crops.shape[0],
        "patches": len(patches),
        "fewest": min((patch.steps for patch in patches), default=0),
        "most": max((patch.steps for patch in patches), default=0),
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


def provenance(inputs: Inputs) -> dict[str, Any]:
    """Values of the section on provenance."""
    groups = Counter((s.processing_baselines, s.offset_applied, s.provider) for s in inputs.scenes)
    return {
        "years": sorted({year for _, _, year in inputs.tile_years}),
        "sources": [_source(inputs, source) for source in inputs.sources],
        "baselines": [
            {"baselines": baselines, "offset": offset, "provider": provider, "count": count}
            for (baselines, offset, provider), count in sorted(groups.items())
        ],
        "scenes": inputs.scenes,
    }


def _source(inputs: Inputs, source: Source) -> dict[str, Any]:
    years = sorted({year for country, _, year in inputs.tile_years if country == source.country})
    return {
        "name": source.name,
        "years": years,
        "licence": source.licence,
        "share_alike": source.share_alike,
        "attributions": list(dict.fromkeys(source.attribution.replace("{year}", str(year)) for year in years)),
    }
