"""Which product a pixel of a mosaic comes from, on literal 3 × 3 bands."""

import numpy as np

from cropstack.scenes.mosaic import choose, fill_gaps


def test_earlier_product_wins_where_all_its_bands_have_data() -> None:
    base = np.array([[[5, 5, 0], [5, 0, 0], [0, 0, 5]], [[6, 0, 0], [6, 6, 0], [0, 0, 6]]], np.uint16)
    other = np.array([[[7, 7, 7], [7, 0, 7], [0, 7, 7]], [[8, 8, 8], [0, 8, 0], [0, 8, 8]]], np.uint16)
    origin = np.zeros((3, 3), np.uint8)
    fill_gaps(base, other, origin, 1)
    # (0, 1): base lacks a band, other has both. (1, 1): both lack a band, base stays.
    # (1, 2): base is empty, other has one band.
    assert origin.tolist() == [[0, 1, 1], [0, 0, 1], [0, 1, 0]]
    assert base[0].tolist() == [[5, 7, 7], [5, 0, 7], [0, 7, 5]]
    assert base[1].tolist() == [[6, 8, 8], [6, 6, 0], [0, 8, 6]]


def test_third_product_fills_what_two_left() -> None:
    base = np.array([[[1, 0, 0]]], np.uint16)
    origin = np.zeros((1, 3), np.uint8)
    fill_gaps(base, np.array([[[2, 2, 0]]], np.uint16), origin, 1)
    fill_gaps(base, np.array([[[3, 3, 3]]], np.uint16), origin, 2)
    assert base.tolist() == [[[1, 2, 3]]]
    assert origin.tolist() == [[0, 1, 2]]


def test_flags_come_from_the_product_of_their_pixel() -> None:
    layers = [np.full((1, 3), value, np.uint8) for value in (2, 4, 16)]
    assert choose(layers, np.array([[2, 0, 1]], np.uint8)).tolist() == [[16, 2, 4]]
