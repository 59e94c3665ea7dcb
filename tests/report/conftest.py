"""A small build with all that makes archives awkward, from simulation to pages; and pages as a reader gets them."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from ..workflow.conftest import build_once

# Seven acquisitions: one was reprocessed, one split, one lies on the swath's edge, three are cloudy, and one is there
# in its reprocessed form only.
CONFIG = {
    "recipes": ["sen4agrinet"],
    "provider": "simulated",
    "areas": {"es_ct": {"tiles": ["31TCG"], "years": [2019]}},
    "tile_size_px": 732,
    "simulation": {"acquisitions": 7},
    "training": {
        "pad": {"max_epochs": 1, "max_samples": 12, "max_batch_size": 4},
        "oad": {"max_epochs": 2, "max_samples": 60},
    },
}
VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """Attributes of all elements, numbers by their key, text, and elements left open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.numbers: dict[str, str] = {}
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if tag == "data":
            key = str(attributes["data-key"])
            assert key not in self.numbers, f"two numbers of the page have the key {key}"
            self.numbers[key] = str(attributes["value"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def counts(self, prefix: str) -> dict[str, int]:
        """Whole numbers whose keys begin so, by the rest of their keys."""
        return {key.removeprefix(prefix): int(v) for key, v in self.numbers.items() if key.startswith(prefix)}

    def words(self) -> str:
        """All text, one space between words."""
        return " ".join("".join(self.text).split())


@pytest.fixture(scope="session")
def build(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the small build."""
    return build_once(root, tmp_path_factory, "pages", CONFIG).folder
