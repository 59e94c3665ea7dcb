"""Which dates and which patches the page shows."""

from datetime import datetime

import numpy as np

from cropstack.report.patches import choose_dates, cloudiness, decode_times


def test_cloud_counts_and_a_ripening_field_does_not() -> None:
    blue = np.full((3, 10, 10), 1000, np.uint16)
    blue[1, :2] = 4000
    blue[2, :5] = 1300
    assert cloudiness(blue) == [0.0, 0.2, 0.0]


def test_nodata_is_no_cloud_but_too_much_of_it_rules_a_date_out() -> None:
    blue = np.full((3, 10, 10), 1000, np.uint16)
    blue[:, 0, 0] = 0  # never seen
    blue[1, 0] = 0
    blue[2, :5] = 0
    assert cloudiness(blue) == [0.0, 0.0, np.inf]
    assert cloudiness(np.zeros((2, 3, 3), np.uint16)) == [np.inf, np.inf]


def test_clearest_date_of_each_part_of_the_season_is_shown_in_order() -> None:
    times = [datetime(2019, month, 1) for month in (1, 4, 5, 6, 8, 9)]
    cloudy = [100.0, 900.0, 1500.0, 800.0, 3000.0, 700.0]
    # January lies outside the season; the runs are April to June and August to September.
    assert choose_dates(times, cloudy, dates=2) == [3, 5]


def test_date_with_too_few_valid_pixels_is_not_shown() -> None:
    times = [datetime(2019, month, 1) for month in (4, 5)]
    assert choose_dates(times, [np.inf, 900.0], dates=2) == [1]


def test_patch_with_nothing_but_winter_shows_winter() -> None:
    assert choose_dates([datetime(2019, 12, 1)], [900.0], dates=4) == [0]


def test_time_is_decoded_to_the_microsecond() -> None:
    values = np.array([1_555_066_231_024_001])
    assert decode_times(values, "microseconds since 1970-01-01 00:00:00") == [datetime(2019, 4, 12, 10, 50, 31, 24_001)]
    assert decode_times(np.array([2]), "days since 2019-01-01") == [datetime(2019, 1, 3)]
