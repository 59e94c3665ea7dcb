"""The simulated reflectance: calendars, shifts, spectra."""

import numpy as np
import pytest

from cropstack.bands import S2_BANDS
from cropstack.errors import ConfigError
from cropstack.simulate.phenology import CALENDARS, PATH, TRANSMITTANCE, crop_reflectance, no_offsets, parcel_offsets
from cropstack.simulate.world import SHARES

BAND = {band.name: number for number, band in enumerate(S2_BANDS)}
DAYS = np.arange(1, 366, 2)
WHEAT, MAIZE, BARLEY, GRAPES, RAPESEED = 110, 120, 150, 330, 435


def ndvi(reflectance):
    red, nir = reflectance[..., BAND["B04"]], reflectance[..., BAND["B08"]]
    return (nir - red) / (nir + red)


def year_of(code, country="es_ct", year=2019):
    """(183, 13) reflectance of a crop's mean field."""
    return np.concatenate([crop_reflectance(day, year, country, [code]) for day in DAYS])


def green_up(code, country, year):
    """First day on which NDVI exceeds the middle of its range."""
    series = ndvi(year_of(code, country, year))
    return int(DAYS[series > (series.min() + series.max()) / 2][0])


def test_reflectance_is_13_float32_bands_between_0_and_1():
    codes = sorted(CALENDARS)
    for day in (15, 105, 196, 288):
        values = crop_reflectance(day, 2019, "fr", codes, parcel_offsets(np.arange(len(codes)), 2019, 1))
        assert values.shape == (len(codes), 13)
        assert values.dtype == np.float32
        assert values.min() > 0
        assert values.max() < 0.7


def test_winter_cereals_peak_in_april_or_may_and_maize_in_july_or_august():
    for year in (2018, 2019, 2020, 2021):
        assert 90 <= DAYS[ndvi(year_of(WHEAT, year=year)).argmax()] <= 160
        assert 182 <= DAYS[ndvi(year_of(MAIZE, year=year)).argmax()] <= 245
    assert ndvi(year_of(WHEAT)).max() > 0.65


def test_on_the_first_of_may_wheat_is_green_and_maize_is_soil():
    wheat, maize, vines, forest = ndvi(crop_reflectance(121, 2019, "es_ct", [WHEAT, MAIZE, GRAPES, 972]))
    assert wheat > 0.6 > forest - 0.1
    assert maize < vines + 0.1 < 0.4


def test_in_august_maize_is_green_and_wheat_is_stubble():
    wheat, maize = ndvi(crop_reflectance(220, 2019, "es_ct", [WHEAT, MAIZE]))
    assert maize > 0.6
    assert wheat < 0.25


def test_wheat_and_barley_are_closer_than_wheat_and_maize():
    for country in ("es_ct", "fr"):
        wheat, barley, maize = (year_of(code, country) for code in (WHEAT, BARLEY, MAIZE))
        assert np.abs(wheat - barley).mean() < 0.35 * np.abs(wheat - maize).mean()


def test_barley_ripens_before_wheat_on_average():
    def end(code, year):
        series = ndvi(year_of(code, year=year))
        return DAYS[series > 0.45][-1]

    years = range(2017, 2023)
    assert np.mean([end(WHEAT, y) - end(BARLEY, y) for y in years]) > 5


def test_flowering_rapeseed_is_yellow():
    before, flowering = (crop_reflectance(day, 2019, "es_ct", [RAPESEED])[0] for day in (75, 101))
    assert flowering[BAND["B03"]] > 1.2 * before[BAND["B03"]]
    assert flowering[BAND["B02"]] < flowering[BAND["B03"]]


def test_france_greens_up_later_than_catalonia():
    seasons = [(code, year) for code in (110, 150, 435) for year in (2018, 2019, 2020)]
    delay = [green_up(code, "fr", year) - green_up(code, "es_ct", year) for code, year in seasons]
    assert 5 < np.mean(delay) < 25


def test_years_shift_the_season_and_shift_crops_differently():
    shift = {code: green_up(code, "es_ct", 2020) - green_up(code, "es_ct", 2019) for code in (110, 150, 170, 120)}
    assert max(abs(days) for days in shift.values()) >= 3
    assert len(set(shift.values())) > 1


def test_water_is_darkest_in_the_near_infrared_and_built_up_stays_grey():
    water, built = crop_reflectance(180, 2019, "es_ct", [974, 971])
    assert water[BAND["B08"]] < water[BAND["B02"]]
    assert abs(ndvi(built)) < 0.25


def test_blue_is_hazy_and_cirrus_band_sees_no_surface():
    dark, bright = crop_reflectance(180, 2019, "es_ct", [974, 975])
    assert dark[BAND["B01"]] > 0.10
    assert dark[BAND["B10"]] == bright[BAND["B10"]] < 0.002
    assert PATH.shape == TRANSMITTANCE.shape == (13,)


def test_parcels_of_a_crop_differ_and_stay_the_same_when_asked_again():
    place = np.arange(1000) * 2**32
    offsets, again = parcel_offsets(place, 2019, 7), parcel_offsets(place, 2019, 7)
    assert np.array_equal(offsets.traits, again.traits)
    assert offsets.shift_days.std() == pytest.approx(8, abs=0.6)
    assert np.array_equal(offsets.soil, parcel_offsets(place, 2020, 7).soil)
    assert not np.array_equal(offsets.vigour, parcel_offsets(place, 2020, 7).vigour)
    values = crop_reflectance(60, 2019, "es_ct", np.full(1000, WHEAT), offsets)
    assert ndvi(values).std() > 0.05


def test_a_field_does_not_depend_on_its_neighbours_in_the_array():
    place, codes = np.array([5, 6, 7]), np.array([120, 110, 120])
    together = crop_reflectance(200, 2019, "fr", codes, parcel_offsets(place, 2019, 1))
    alone = crop_reflectance(200, 2019, "fr", codes[1:2], parcel_offsets(place[1:2], 2019, 1))
    assert np.array_equal(together[1:2], alone)


def test_no_offsets_is_the_mean_field():
    mean = crop_reflectance(150, 2019, "fr", [110, 120])
    assert np.array_equal(mean, crop_reflectance(150, 2019, "fr", [110, 120], no_offsets(2)))


def test_every_crop_of_the_world_has_a_calendar():
    for shares in SHARES.values():
        assert set().union(*shares.values()) <= set(CALENDARS)


def test_an_unknown_country_is_refused():
    with pytest.raises(ConfigError, match="es_ct, fr"):
        crop_reflectance(150, 2019, "xx", [110])


def test_several_bands_tell_cereals_apart_where_ndvi_does_not():
    """Nearest class mean over one season: 13 bands against NDVI, 400 fields of each of four cereals."""
    codes = np.repeat([110, 150, 160, 170], 400)
    offsets = parcel_offsets(np.arange(len(codes)), 2019, 3)
    days = range(91, 274, 15)
    cube = np.stack([crop_reflectance(day, 2019, "es_ct", codes, offsets) for day in days], axis=1)

    def accuracy(features):
        scaled = (features - features.mean(0)) / features.std(0)
        half = np.arange(len(codes)) % 2 == 0
        means = np.stack([scaled[half & (codes == code)].mean(0) for code in np.unique(codes)])
        nearest = np.unique(codes)[((scaled[~half, None] - means) ** 2).sum(-1).argmin(1)]
        return (nearest == codes[~half]).mean()

    spectra, index = np.delete(cube, BAND["B10"], 2).reshape(len(codes), -1), ndvi(cube)
    assert accuracy(spectra) > accuracy(index)
    assert accuracy(index) < 0.75
