"""The overview: parsed without the code that made it."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from cropstack.files import write_json
from cropstack.report.write_index import write_index

TEMPLATES = sorted((Path(__file__).parents[2] / "src/cropstack/report/templates").iterdir())
SUMMARY = {
    "title": "Sen4AgriNet",
    "lead": "Of <two> offices.",
    "facts": [{"name": "patches", "key": "patches", "value": 12345, "unit": ""}],
    "examples": [],
    "grids": [{"name": "31TCG", "scenario": "scenario1", "drawing": "<svg><title>patches of 31TCG</title></svg>"}],
    "left_out": [{"reason": "older_processing_baseline", "step": "lock_products", "count": 3}],
}


class Page(HTMLParser):
    """Links, numbers by their key, and elements left open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.numbers: dict[str, str] = {}
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.links += [str(found[name]) for name in ("href", "src") if name in found]
        if tag == "data":
            self.numbers[str(found["data-key"])] = str(found["value"])
        if tag not in {"meta", "link", "img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def html(tmp_path: Path) -> str:
    write_json(tmp_path / "summary.json", SUMMARY)
    write_index(
        [tmp_path / "results/sen4agrinet/report.html"],
        [tmp_path / "summary.json"],
        TEMPLATES,
        tmp_path / "results/index.html",
        recipes=["sen4agrinet"],
        tile_years=[("es_ct", "31TCG", 2019), ("es_ct", "31TCG", 2020), ("fr", "31TCJ", 2019)],
        size_px=732,
    )
    return (tmp_path / "results/index.html").read_text(encoding="utf-8")


def test_every_element_is_closed_and_text_is_no_markup(html: str) -> None:
    assert Page(html).open == []
    assert "Of &lt;two&gt; offices." in html


def test_overview_leads_to_the_report_and_nowhere_else(html: str) -> None:
    links = set(Page(html).links)
    assert "sen4agrinet/report.html" in links
    assert all(link.startswith(("data:", "#", "sen4agrinet/")) for link in links)
    assert "://" not in html


def test_patches_and_what_was_left_out_are_shown(html: str) -> None:
    assert "<svg><title>patches of 31TCG</title></svg>" in html
    assert "31TCG: patches by their split in scenario1" in html
    assert "Patch grids of 1 of 2 tiles." in html
    assert Page(html).numbers["sen4agrinet/left_out/lock_products/older_processing_baseline"] == "3"
    assert "older processing baseline (lock_products)." in html


def test_key_numbers_are_those_of_the_recipes(html: str) -> None:
    numbers = Page(html).numbers
    assert numbers["sen4agrinet/patches"] == "12345"
    assert (numbers["recipes"], numbers["tiles"], numbers["countries"], numbers["tile_years"]) == ("1", "2", "2", "3")
