"""Drawings: positions that can be worked out by hand, and well-formed XML."""

import re
from datetime import datetime
from xml.etree import ElementTree

import pytest

from cropstack.report.drawings import (
    Acquisition,
    TileOutline,
    draw_map,
    draw_patches,
    draw_timeline,
    reason_shapes,
)


def square(west: float, south: float, side: float) -> list[tuple[float, float]]:
    return [(west, south), (west + side, south), (west + side, south + side), (west, south + side)]


def test_map_keeps_north_up_and_east_right() -> None:
    south_west, north_east = square(1.0, 42.0, 1.0), square(3.0, 44.0, 1.0)
    drawing = draw_map([TileOutline("31TCG", south_west, south_west), TileOutline("31TEJ", north_east, north_east)])
    names = {e.text: e for e in ElementTree.fromstring(drawing).iter("text") if e.get("class") == "name"}
    assert float(names["31TCG"].attrib["x"]) < float(names["31TEJ"].attrib["x"])
    assert float(names["31TCG"].attrib["y"]) > float(names["31TEJ"].attrib["y"])


def test_degree_of_longitude_is_drawn_shorter_than_one_of_latitude() -> None:
    drawing = draw_map([TileOutline("a<b", square(0.0, 59.5, 1.0), square(0.0, 59.5, 1.0))])
    assert "a&lt;b</text>" in drawing
    cell = re.search(r'class="cell" points="([^"]+)"', drawing)
    assert cell is not None
    (x0, y0), (x1, _), (_, y2), _ = (tuple(map(float, point.split(","))) for point in cell[1].split())
    assert (x1 - x0) / (y0 - y2) == pytest.approx(0.5, abs=0.01)  # cosine of 60 degrees


def test_patch_without_a_split_is_drawn_empty() -> None:
    drawing = ElementTree.fromstring(draw_patches("31TCG", 2, {(0, 0): "train", (1, 1): "test"}))
    fills = [patch.get("fill") for patch in drawing.iter("rect")]
    assert fills == ["url(#train)", "none", "none", "url(#test)"]


def test_middle_of_the_year_and_cloud_of_75_percent_lie_in_the_middle_and_high_on_the_timeline() -> None:
    item = Acquisition("P<1>", datetime(2019, 7, 2, 12), 75.0, "")
    drawing = ElementTree.fromstring(draw_timeline("Acquisitions", 2019, [item], {}))
    lines = [line.attrib for line in drawing.iter("line")]
    left, right = float(lines[0]["x1"]), float(lines[0]["x2"])
    x, y = map(float, re.findall(r"[\d.]+", drawing.find("g").attrib["transform"]))  # type: ignore[union-attr]
    assert x == pytest.approx((left + right) / 2, abs=1)
    bottom, middle, top = (float(line["y1"]) for line in lines[:3])
    assert top < y < middle < bottom
    assert y == pytest.approx((top + middle) / 2)


def test_products_left_out_have_a_shape_of_their_reason() -> None:
    shapes = reason_shapes(["duplicate", "cloud", "cloud"])
    assert shapes == {"cloud": "cross", "duplicate": "square"}
    items = [Acquisition("a", datetime(2020, 12, 31), 90.0, "cloud"), Acquisition("b", datetime(2020, 1, 1), 0.0, "")]
    drawing = draw_timeline("Acquisitions", 2020, items, shapes)
    assert drawing.count('class="leftout"') == 1
    assert drawing.count('class="used"') == 1
