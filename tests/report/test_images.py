"""Pictures from arrays that can be checked by eye."""

import numpy as np

from cropstack.report.images import NODATA_GREY, class_marks, label_picture, true_colour


def test_nodata_is_grey_and_does_not_stretch_the_picture() -> None:
    bands = np.full((1, 3, 10, 10), 1000, np.uint16)
    bands[:, :, :5] = 2000
    bands[:, :, 0] = 0
    picture = true_colour(bands)
    assert (picture[0, 0] == NODATA_GREY).all()
    assert (picture[0, 1:5] == 255).all()
    assert (picture[0, 5:] == 0).all()


def test_dates_share_one_stretch_so_that_a_darker_date_looks_darker() -> None:
    bands = np.stack([np.full((3, 10, 10), level, np.uint16) for level in (1000, 1500, 2000)])
    assert true_colour(bands)[:, 0, 0, 0].tolist() == [0, 141, 255]


def test_saturated_pixels_are_white_and_do_not_stretch_the_picture() -> None:
    bands = np.full((1, 3, 10, 10), 1000, np.uint16)
    bands[..., 5:] = 2000
    bands[..., 0, 0] = 65535
    picture = true_colour(bands)
    assert (picture[0, 0, 0] == 255).all()
    assert (picture[0, :, 5:] == 255).all()


def test_patch_without_any_data_is_grey() -> None:
    assert (true_colour(np.zeros((2, 3, 4, 4), np.uint16)) == NODATA_GREY).all()


def test_codes_of_the_legend_have_its_colours_and_others_have_one() -> None:
    labels = np.array([[0, 110], [120, 520]], np.uint32)
    picture = label_picture(labels, {110: "#e6ab02", 120: "#f0e442"}, other="#999999", background="#ffffff")
    assert picture.tolist() == [[[255, 255, 255], [230, 171, 2]], [[240, 228, 66], [153, 153, 153]]]


def test_class_of_a_small_parcel_is_marked_before_a_second_parcel_of_another() -> None:
    parcels = np.array([[1, 1, 1, 1, 2, 2, 2, 3]])
    labels = np.array([[110, 110, 110, 110, 110, 110, 110, 120]])
    marks = class_marks(labels, parcels, most=2)
    assert [code for code, _, _ in marks] == [110, 120]
    assert marks[1] == (120, 0, 7)


def test_mark_lies_in_the_middle_of_its_parcel() -> None:
    parcels = np.zeros((9, 9), np.int64)
    parcels[2:7, 2:7] = 5
    assert class_marks(np.where(parcels, 330, 0), parcels, most=3) == [(330, 4, 4)]
