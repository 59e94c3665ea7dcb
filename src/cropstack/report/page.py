"""The page: its header, its sections together, and the template filled in."""

from typing import Any

import jinja2
from markupsafe import Markup

from cropstack.report.acquisitions import provenance, when
from cropstack.report.crops import crops
from cropstack.report.examples import look
from cropstack.report.inputs import Inputs
from cropstack.report.places import where

THIN_SPACE = "\u202f"


def render(template: str, style: str, context: dict[str, Any]) -> str:
    """Fill the page's template; a name it lacks is an error."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"thousands": thousands, "hectares": hectares, "words": words}
    return environment.from_string(template).render(context, style=Markup(style))


def thousands(value: float) -> str:
    """Whole number with thin spaces: 12 345."""
    return f"{round(value):,}".replace(",", THIN_SPACE)


def hectares(value: float) -> str:
    """Hectares with two decimals below ten."""
    return f"{value:.2f}" if 0 < value < 10 else thousands(value)


def words(code: str) -> str:
    """A reason code as words."""
    return code.replace("_", " ")


def build_context(inputs: Inputs) -> dict[str, Any]:
    """All values of the template."""
    return {
        **_head(inputs),
        **where(inputs),
        **look(inputs),
        **crops(inputs),
        **when(inputs),
        **provenance(inputs),
        "ledgers": [{"name": name, "key": key, "reasons": reasons} for name, key, reasons in inputs.ledgers],
    }


def _head(inputs: Inputs) -> dict[str, Any]:
    years: dict[str, list[int]] = {}
    for country, _, year in inputs.tile_years:
        years.setdefault(country, []).append(year)
    areas = "; ".join(f"{inputs.name_of(c)} {', '.join(map(str, sorted(set(y))))}" for c, y in sorted(years.items()))
    used = [row for row in inputs.products if row["used"] == "yes"]
    facts = [
        ("patches", "patches", len(inputs.patches), ""),
        ("tiles", "tiles", len({tile for _, tile, _ in inputs.tile_years}), ""),
        ("scenes", "scenes", len(inputs.scenes), ""),
        ("products used", "products_used", len(used), f"of {thousands(len(inputs.products))}"),
        ("parcels", "parcels", sum(area.parcels for area in inputs.areas), ""),
        ("on disk", "megabytes", round(sum(patch.size_bytes for patch in inputs.patches) / 1e6), "MB"),
    ]
    return {
        "title": "Sen4AgriNet patches",
        "lead": f"Sentinel-2 time series with crop labels. {areas}.",
        "facts": [dict(zip(("name", "key", "value", "unit"), fact, strict=True)) for fact in facts],
    }
