"""Templates and numbers of a report; whole pages are opened in a browser by tests/workflow/test_build.py."""

from pathlib import Path

import jinja2
import pytest

from cropstack.errors import ConfigError
from cropstack.report.page import REPORT, hectares, read_templates, render, render_page, short, thousands, words
from cropstack.report.tables import read_source

TEMPLATES = sorted((Path(__file__).parents[2] / "src/cropstack/report/templates").iterdir())


def test_every_section_has_a_template_and_every_template_is_used() -> None:
    sections = {f"{section.name}.html" for section in REPORT}
    assert sections | {"page.html", "macros.html", "overview.html", "style.css"} == {path.name for path in TEMPLATES}


def test_value_that_a_template_lacks_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render(read_templates(TEMPLATES), "left_out", {})


def test_page_with_several_sections_lists_them() -> None:
    sections = [{"name": n, "title": n.title(), "heading": n, "html": ""} for n in ("places", "crops")]
    page = render_page(read_templates(TEMPLATES), {"title": "T", "lead": "L", "facts": []}, sections, home="../i.html")
    assert '<a href="#places">Places</a>' in page
    assert '<a href="../i.html">cropstack</a>' in page


def test_numbers_are_written_for_people() -> None:
    assert [thousands(12345.4), hectares(0.5), hectares(1234), short(0.25), short(1234)] == [
        "12\u202f345", "0.50", "1\u202f234", "0.2", "1\u202f234",
    ]  # fmt: skip
    assert words("older_processing_baseline") == "older processing baseline"


def test_source_without_licence_stops_the_report(tmp_path: Path) -> None:
    source = tmp_path / "fr/source.yaml"
    source.parent.mkdir()
    source.write_text("name: Parcels\nattribution: Office\n")
    with pytest.raises(ConfigError, match="licence is missing"):
        read_source(source)
