"""Pages: which sections each has, and their templates filled in.

A section is a module with a function of its name, from the report's inputs to the values of the template of that
name. A function that returns nothing to show (an empty dictionary) leaves its section out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from cropstack.report.acquisitions import acquisitions
from cropstack.report.balance import balance
from cropstack.report.crops import crops
from cropstack.report.distribution import distribution
from cropstack.report.drawings import split_patterns
from cropstack.report.embedding import embedding
from cropstack.report.examples import examples
from cropstack.report.inputs import Inputs
from cropstack.report.label_quality import label_quality
from cropstack.report.left_out import left_out
from cropstack.report.ndvi_profiles import ndvi_profiles
from cropstack.report.paper import paper
from cropstack.report.pixels import pixels
from cropstack.report.places import places
from cropstack.report.provenance import provenance
from cropstack.report.scores import scores
from cropstack.report.usage import usage

THIN_SPACE = "\u202f"
STYLE = "style.css"


@dataclass(frozen=True)
class Section:
    """A part of a page: a short title for the list of sections, a heading, and what gives its values."""

    title: str
    heading: str
    values: Callable[[Inputs], dict[str, Any]]

    @property
    def name(self) -> str:
        """Name of the module, its function, its template and its anchor on the page."""
        return self.values.__name__


REPORT = (
    Section("Where", "Where: tiles, patches and parcels", places),
    Section("Patches", "Patches: true colour beside labels", examples),
    Section("Crops", "Crops: classes and mapped area", crops),
    Section("Labels", "Labels: purity, small parcels, repairs", label_quality),
    Section("Distribution", "Distribution: pixels by class, split and scenario", distribution),
    Section("NDVI", "NDVI: crops across regions and years", ndvi_profiles),
    Section("Embedding", "Embedding: parcels in two dimensions", embedding),
    Section("Scores", "Scores: models beside the published ones", scores),
    Section("Acquisitions", "Acquisitions: used and left out", acquisitions),
    Section("Pixels", "Clamped, saturated and missing pixels", pixels),
    Section("Balance", "Balance: what went in and what came out", balance),
    Section("Left out", "What was left out or repaired, and why", left_out),
    Section("Provenance", "Where it comes from", provenance),
    Section("Paper", "What of the paper is shown, and what is not", paper),
    Section("Usage", "Where time, memory and disk went", usage),
)


def read_templates(paths: Sequence[Path]) -> dict[str, str]:
    """Text of the templates, and of the style sheet, by file name."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(paths)}


def render_sections(templates: Mapping[str, str], inputs: Inputs) -> list[dict[str, Any]]:
    """The sections of a recipe's report that have something to show: name, title, heading and HTML."""
    filled = []
    for section in REPORT:
        values = section.values(inputs)
        if values:
            html = render(templates, section.name, values)
            filled.append({"name": section.name, "title": section.title, "heading": section.heading, "html": html})
    return filled


def render_page(
    templates: Mapping[str, str], head: Mapping[str, Any], sections: Sequence[Mapping[str, Any]], *, home: str = ""
) -> str:
    """A whole page: `head` has title, lead and facts; `home` is the address of the overview, if not this page."""
    page = _environment(templates).get_template("page.html")
    style = Markup(templates[STYLE])
    return page.render(head, sections=sections, home=home, style=style, patterns=Markup(split_patterns()))


def render(templates: Mapping[str, str], name: str, values: Mapping[str, Any]) -> Markup:
    """Fill the template of one section."""
    return Markup(_environment(templates).get_template(f"{name}.html").render(values))


def _environment(templates: Mapping[str, str]) -> jinja2.Environment:
    """Templates by name; a value that they lack is an error."""
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(dict(templates)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"thousands": thousands, "hectares": hectares, "words": words, "short": short}
    return environment


def thousands(value: float) -> str:
    """Whole number with thin spaces: 12 345."""
    return f"{round(value):,}".replace(",", THIN_SPACE)


def hectares(value: float) -> str:
    """Hectares with two decimals below ten."""
    return f"{value:.2f}" if 0 < value < 10 else thousands(value)


def short(value: float) -> str:
    """One decimal below a hundred, else a whole number: 0.2, 12.3, 1 234."""
    return thousands(value) if value >= 100 else f"{value:.1f}"


def words(code: str) -> str:
    """A reason code as words."""
    return code.replace("_", " ")


def describe(inputs: Inputs) -> dict[str, Any]:
    """Title, lead and key numbers of a recipe, for the head of its report and for the overview."""
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
    ]
    simulated = any("simulated" in scene.provider for scene in inputs.scenes)
    return {
        "title": inputs.title,
        "lead": f"Sentinel-2 time series with crop labels{', all simulated' if simulated else ''}. {areas}.",
        "facts": [dict(zip(("name", "key", "value", "unit"), fact, strict=True)) for fact in facts],
    }
