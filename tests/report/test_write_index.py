"""The page as a reader's browser gets it: parsed, without the code that made it."""

import base64
import csv
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest

from cropstack.errors import ConfigError, LayoutError
from cropstack.report.write_index import write_index

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
            self.numbers[str(attributes["data-key"])] = str(attributes["value"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def counts(self, prefix: str) -> dict[str, int]:
        return {key.removeprefix(prefix): int(v) for key, v in self.numbers.items() if key.startswith(prefix)}


@pytest.fixture(scope="module")
def html(dataset: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "index.html"
    write_index(**dataset, page=path)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def decoded_images(page: Page) -> list[np.ndarray]:
    sources = [str(attributes["src"]) for tag, attributes in page.elements if tag == "img"]
    return [imagecodecs.imread(base64.b64decode(source.partition("base64,")[2])) for source in sources]


def test_page_asks_the_network_for_nothing(html: str, page: Page) -> None:
    loads = [a[name] for _, a in page.elements for name in ("src", "href", "xlink:href", "srcset") if a.get(name)]
    assert loads
    assert all(str(load).startswith(("data:", "#")) for load in loads)
    assert not {"script", "iframe", "object"} & {tag for tag, _ in page.elements}
    assert "@import" not in html
    assert "://" not in html


def test_every_element_is_closed(page: Page) -> None:
    assert page.open == []


def test_pictures_decode_and_show_something(page: Page) -> None:
    images = decoded_images(page)
    assert len(images) == 2 * (1 + 4) + 2  # per area a label raster and four dates; per tile-year a crop map
    assert all(image.shape[2] == 3 and image.std() > 5 for image in images)


def test_pictures_have_a_description(page: Page) -> None:
    assert all(attributes.get("alt") for tag, attributes in page.elements if tag == "img")


def test_number_of_products_by_reason_equals_the_lock(dataset: dict[str, Any], page: Page) -> None:
    expected = Counter(
        "/".join(row[c] for c in ("tile", "year", "used", "reason")) for row in rows(dataset["products"])
    )
    assert page.counts("products/") == expected
    assert page.numbers["products_used"] == "10"


def test_number_of_repairs_and_rejects_equals_the_ledgers(dataset: dict[str, Any], page: Page) -> None:
    expected: Counter[str] = Counter()
    for path in [*dataset["ledgers"], dataset["rejects"]]:
        where = "rejects" if path.stem == "rejects" else path.stem.removesuffix("_2019_ledger") + "/2019"
        expected += Counter(f"{where}/{r['stage']}/{r['action']}/{r['reason']}" for r in rows(path))
    assert page.counts("ledger/") == expected
    assert expected["es_ct/2019/harmonise_parcels/repaired/self_intersection"] == 5


def test_number_of_samples_equals_the_splits(dataset: dict[str, Any], page: Page) -> None:
    expected = Counter(f"{row['scenario']}/{row['split']}" for row in rows(dataset["splits"]))
    assert page.counts("splits/") == expected


def test_patches_lie_at_their_row_and_column(page: Page) -> None:
    assert page.text.count("patch 00_01: val") == 2  # one on each tile
    assert page.text.count("patch 01_00: test") == 2
    assert page.text.count("patch 01_01: in no split") == 2


def test_marks_on_the_timelines_are_as_many_as_products(dataset: dict[str, Any], page: Page) -> None:
    css = Counter(a.get("class") for _, a in page.elements)
    keys = 1, 2  # marks that explain: one of what was used, two reasons
    left_out = sum(row["used"] == "no" for row in rows(dataset["products"]))
    assert css["used"] == 10 + keys[0]
    assert css["leftout"] == left_out + keys[1]


def test_unknown_crops_are_not_called_mapped(page: Page) -> None:
    assert page.numbers["mapped/es_ct/2019"] == "0.8"  # 2 of 10 hectares are 998
    assert page.numbers["parcels/es_ct/2019"] == "3"


def test_hectares_of_a_class_are_its_pixels_in_the_patches(page: Page) -> None:
    # Wheat fills a stripe of 46 of 366 columns in the patches of seeds 0 to 3: 4 × 46 × 366 px of 100 m².
    assert float(page.numbers["hectares/es_ct/2019/Wheat"]) == pytest.approx(4 * 46 * 366 / 100)
    assert float(page.numbers["hectares/es_ct/2019/Rye"]) == 0


def test_offset_of_each_processing_baseline_is_told(page: Page) -> None:
    assert page.counts("scenes/") == {"02.07/0/simulated": 8, "05.00/-1000/simulated": 2}


def test_licence_and_attribution_are_on_the_page(page: Page) -> None:
    text = " ".join("".join(page.text).split())
    assert "Contains modified Copernicus Sentinel data 2019." in text
    assert "Office of fr, 2019" in text
    assert 'Free "as air"' in text
    assert "bow-tie <made> valid" in text  # evidence is text, not markup


def test_two_builds_give_the_same_page(dataset: dict[str, Any], html: str, tmp_path: Path) -> None:
    write_index(**dataset, page=tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == html


def test_file_that_is_no_patch_is_named(dataset: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/notes.nc").touch()
    with pytest.raises(LayoutError, match=r"notes\.nc: name is no"):
        write_index(**{**dataset, "patches": [tmp_path / "other"]}, page=tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_source_without_licence_stops_the_page(dataset: dict[str, Any], tmp_path: Path) -> None:
    source = tmp_path / "fr/source.yaml"
    source.parent.mkdir()
    source.write_text("name: Parcels\nattribution: Office\n")
    with pytest.raises(ConfigError, match="licence is missing"):
        write_index(**{**dataset, "sources": [source]}, page=tmp_path / "page.html")
