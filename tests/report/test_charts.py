"""Charts are well-formed SVG as wide as a telephone, and tell groups apart without colour."""

import math
import re
from itertools import combinations
from xml.etree import ElementTree

import pytest

from cropstack.report.charts import (
    DASHES,
    POINTS,
    Axis,
    Group,
    Line,
    draw_line_key,
    draw_lines,
    draw_matrix,
    draw_point_key,
    draw_points,
    draw_split_bars,
    push_apart,
    spread_out,
)

AXIS = Axis(0, 10, [(0, "0"), (10, "10")])


@pytest.mark.parametrize(
    "drawing",
    [
        draw_lines(
            'NDVI of "A & B"', [Line("a<b", [(0, 1), (10, 9)], [(0, 0, 2), (10, 8, 10)]), Line("none", [])], AXIS, AXIS
        ),
        draw_split_bars("Pixels", [("Wheat & rye", {"train": 5, "test": 1000})], powers=3),
        draw_points("Parcels", "p", [Group("a<b", 0, "#000000", [(0, 0)], label="1"), Group("none", 1, "#111111", [])]),
        draw_points("Nothing", "q", []),
        draw_matrix("Confusion", "k", ["A & B", "C"], [[3, 0], [1, 0]]),
        draw_line_key(7),
        draw_point_key(3, "#000000"),
    ],
)
def test_drawing_is_well_formed_and_described(drawing: str) -> None:
    element = ElementTree.fromstring(drawing)
    assert element.tag == "svg"
    assert element.get("aria-label") or element.get("aria-hidden") == "true"


def test_shapes_and_dashes_are_all_different() -> None:
    assert len(set(POINTS)) == len(POINTS) >= 11  # the classes of the largest figure
    assert len(set(DASHES)) == len(DASHES)


def test_names_of_lines_that_end_together_stand_apart_in_their_order() -> None:
    assert spread_out([50, 50.5, 49], low=0, high=150, gap=11) == [60, 71, 49]


def test_names_of_lines_that_end_at_the_bottom_are_pushed_up() -> None:
    assert spread_out([148, 149, 20], low=0, high=150, gap=11) == [139, 150, 20]


def test_labels_of_groups_in_one_place_stand_apart_and_others_stay() -> None:
    assert push_apart([(50, 50), (50, 50), (90, 20)], gap=16) == [(42, 50), (58, 50), (90, 20)]
    crowd = push_apart([(100, 100), (102, 101), (99, 104), (101, 97), (104, 104)], gap=16)
    assert min(math.dist(a, b) for a, b in combinations(crowd, 2)) > 15.9
    assert max(math.dist(place, (101, 101)) for place in crowd) < 30


def test_line_goes_through_its_points_on_the_axes() -> None:
    drawing = draw_lines("A", [Line("a", [(0, 0), (5, 5), (10, 10)])], AXIS, AXIS)
    points = re.search(r'points="([^"]*)"', drawing)
    assert points is not None
    (x0, y0), (x1, y1), (x2, y2) = [tuple(map(float, pair.split(","))) for pair in points[1].split()]
    assert (x1, y1) == ((x0 + x2) / 2, (y0 + y2) / 2)
    assert x0 < x2
    assert y0 > y2  # upwards


def test_groups_of_points_take_turns_so_that_none_covers_all_others() -> None:
    groups = [Group(name, shape, "#000000", [(i, shape) for i in range(10)]) for shape, name in enumerate("ab")]
    order = re.findall(r'<path class="points" marker-start="url\(#p(\d)\)', draw_points("A", "p", groups))
    assert order == ["0", "1"] * 5


def test_share_of_a_cell_is_written_in_percent_of_its_column() -> None:
    drawing = draw_matrix("Confusion", "k", ["A", "C"], [[3, 0], [1, 0]])
    cells = re.findall(r'data-key="k/(\w)/(\w)" data-value="([\d.]+)".*?(?:>(\d+)</text>)?</g>', drawing)
    assert cells == [("A", "A", "0.750000", "75"), ("C", "A", "0.250000", "25")]
