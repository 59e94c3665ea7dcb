import numpy as np

from cropstack.bands import FLAGS, S2_BAND, S2_BANDS, bands_at, flag_attributes, reflectance_attributes


def test_thirteen_bands_at_their_native_resolutions() -> None:
    assert [band.name for band in bands_at(10)] == ["B02", "B03", "B04", "B08"]
    assert [band.name for band in bands_at(20)] == ["B05", "B06", "B07", "B8A", "B11", "B12"]
    assert [band.name for band in bands_at(60)] == ["B01", "B09", "B10"]


def test_band_numbers_are_those_of_the_metadata() -> None:
    assert [band.number for band in S2_BANDS] == list(range(13))
    assert (S2_BAND["B8A"].number, S2_BAND["B8A"].physical, S2_BAND["B12"].number) == (8, "B8A", 12)


def test_flags_are_single_bits_with_a_name_each() -> None:
    assert [bit.bit_count() for bit in FLAGS.values()] == [1] * 7
    attributes = flag_attributes()
    assert len(attributes["flag_meanings"].split()) == len(np.unique(attributes["flag_masks"])) == 7
    assert attributes["flag_masks"].dtype == np.uint8


def test_reflectance_says_its_unit_and_wavelength() -> None:
    attributes = reflectance_attributes(S2_BAND["B08"])
    assert (attributes["units"], attributes["radiation_wavelength"]) == ("1e-4", 832.8)
    assert attributes["standard_name"] == "toa_bidirectional_reflectance"
