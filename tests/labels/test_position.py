"""Parcels outside their country, and the likely cause that the message names."""

import numpy as np
import pytest
from pyproj import CRS

from cropstack.errors import DeclarationError
from cropstack.labels.position import Position, outside

FRANCE = [-5.5, 41.2, 9.8, 51.3]
LAMBERT_93 = CRS("EPSG:2154")
TOULOUSE = [574_000.0, 6_279_000.0, 574_100.0, 6_279_100.0]


def test_the_middle_of_the_box_decides_and_no_box_counts_as_inside() -> None:
    boxes = np.array([TOULOUSE, [0.0, 0.0, 1.0, 1.0], [np.nan] * 4])
    assert outside(boxes, LAMBERT_93, FRANCE).tolist() == [False, True, False]


def position_of(boxes: list[list[float]], crs: CRS = LAMBERT_93) -> Position:
    position = Position(crs, FRANCE)
    for some in (boxes[:2], boxes[2:]):
        position.add(np.array(some, float).reshape(-1, 4))
    return position


def test_one_parcel_in_a_hundred_may_lie_abroad() -> None:
    position_of([[0.0, 0.0, 1.0, 1.0], *[TOULOUSE] * 99]).check(origin="x")
    with pytest.raises(DeclarationError, match="x: 2% of the parcels lie outside"):
        position_of([[0.0, 0.0, 1.0, 1.0], *[TOULOUSE] * 49]).check(origin="x")


@pytest.mark.parametrize(
    ("box", "crs", "cause"),
    [
        ([6_279_000.0, 574_000.0, 6_279_100.0, 574_100.0], LAMBERT_93, "Its axes are swapped"),
        ([1.4, 43.6, 1.5, 43.7], LAMBERT_93, "degrees under a metric CRS"),
        ([43.6, 1.4, 43.7, 1.5], CRS("EPSG:4326"), "Its axes are swapped"),
        (TOULOUSE, CRS("EPSG:4326"), "metres under a CRS in degrees"),
        ([574_000.0, 279_000.0, 574_100.0, 279_100.0], LAMBERT_93, "is not the one of its coordinates"),
    ],
)
def test_the_likely_cause_is_named(box: list[float], crs: CRS, cause: str) -> None:
    with pytest.raises(DeclarationError, match=cause):
        position_of([box] * 4, crs).check(origin="x")


def test_swapped_axes_are_recognised_beside_sound_parcels() -> None:
    swapped = [6_279_000.0, 574_000.0, 6_279_100.0, 574_100.0]
    with pytest.raises(DeclarationError, match=r"x: 50% .* Its axes are swapped"):
        position_of([TOULOUSE, swapped, swapped, TOULOUSE]).check(origin="x")
