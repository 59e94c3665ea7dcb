"""The small build, which has all that makes archives awkward, and its pages as a reader gets them."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from ..tree import Tree

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
def build(pristine: Tree) -> Path:
    """Folder of the small build."""
    return pristine.folder
