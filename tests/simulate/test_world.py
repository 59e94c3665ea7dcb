"""The simulated fields: geometry, rotation, shares."""

import numpy as np
import pandas as pd
import pytest
import shapely

from cropstack.errors import ConfigError
from cropstack.grid import tile_geobox
from cropstack.legend import read_classes, read_legend
from cropstack.simulate.world import SHARES, crops_of, fields_within, tile_parcels

LEGEND = (110, 120, 140, 150, 160, 170, 330, 435, 438, 510, 770)
PERENNIALS = (330, 442, 361, 912, 356)


@pytest.fixture(scope="module")
def catalonia():
    return {year: tile_parcels("31TCG", year, country="es_ct", size_px=1098, seed=11) for year in (2019, 2020)}


@pytest.fixture(scope="module")
def france():
    return tile_parcels("31TCJ", 2019, country="fr", size_px=1098, seed=11)


def test_fields_are_valid_polygons_that_do_not_overlap(catalonia):
    geometry = catalonia[2019].geometry.to_numpy()
    assert shapely.is_valid(geometry).all()
    assert set(shapely.get_type_id(geometry)) == {shapely.GeometryType.POLYGON}
    first, second = shapely.STRtree(geometry).query(geometry, predicate="intersects")
    assert (first == second).all()


def test_a_demonstration_tile_has_a_thousand_fields_of_two_to_four_hectares(catalonia):
    hectares = catalonia[2019].geometry.area / 1e4
    assert 800 < len(hectares) < 1500
    assert 2 < hectares.median() < 4
    assert 0.6 < np.log(hectares[hectares > 0.1]).std() < 1.3


def test_some_fields_are_smaller_than_a_pixel_and_some_than_five(catalonia):
    area = catalonia[2019].geometry.area
    assert (area < 100).sum() >= 3
    assert ((area >= 100) & (area < 500)).sum() >= 3
    assert (2 * area > 2 * catalonia[2019].geometry.length).all()  # none is a sliver: mean width above 2 m


def test_some_fields_have_holes_and_some_cross_the_tile_and_patch_edges(catalonia):
    fields = catalonia[2019]
    tile = shapely.box(*tile_geobox("31TCG", 10, size_px=1098).extent.boundingbox.bbox)
    assert (shapely.get_num_interior_rings(fields.geometry.to_numpy()) > 0).sum() > 10
    assert 5 < (~fields.geometry.within(tile)).sum() < 150
    assert fields.geometry.intersects(tile).all()
    left, top = tile.bounds[0], tile.bounds[3]
    assert fields.geometry.crosses(shapely.LineString([(left + 3660, top), (left + 3660, top - 10980)])).sum() > 3


def test_a_place_keeps_its_geometry_and_number_and_rotates_its_crop(catalonia):
    before, after = catalonia[2019], catalonia[2020]
    assert (before["parcel_id"] == after["parcel_id"]).all()
    assert shapely.equals_identical(before.geometry.to_numpy(), after.geometry.to_numpy()).all()
    perennial = before["class_code"].isin(PERENNIALS)
    assert (before["class_code"] == after["class_code"])[perennial].all()
    assert (before["class_code"] != after["class_code"])[~perennial].mean() > 0.8


def test_all_legend_classes_occur_in_both_countries(catalonia, france):
    for fields in (*catalonia.values(), france):
        counts = fields["class_code"].value_counts()
        assert min(counts.get(code, 0) for code in LEGEND) >= 8


def test_all_codes_are_in_the_taxonomy(root):
    taxonomy = root / "taxonomy"
    classes = read_classes(taxonomy / "classes.csv")
    legend = read_legend(taxonomy / "legends/sen4agrinet11.csv", classes)
    assert sorted(code for entry in legend for code in entry.codes) == sorted(LEGEND)
    for shares in SHARES.values():
        assert set().union(*shares.values()) <= set(classes)


@pytest.mark.parametrize(("country", "code", "share"), [("es_ct", 150, 0.16), ("es_ct", 330, 0.09), ("fr", 110, 0.162)])
def test_shares_of_crops_hold_in_every_year(country, code, share):
    place = np.arange(20_000)
    arable = sum(SHARES[country]["arable"].values())
    expected = share
    if code != 330:
        perennial = sum(SHARES[country]["perennial"].values())
        expected = SHARES[country]["arable"][code] / arable * (1 - perennial)
    for year in (2019, 2020, 2021):
        assert np.mean(crops_of(place, year, country=country, seed=1) == code) == pytest.approx(expected, abs=0.01)


def test_overlapping_windows_of_the_world_agree():
    left = fields_within((300_000, 4_600_000, 306_000, 4_606_000), epsg=32631, seed=3)
    right = fields_within((303_000, 4_600_000, 309_000, 4_606_000), epsg=32631, seed=3)
    a, b = (pd.Series(f.geometry, index=f.parcel_id) for f in (left, right))
    common = a.index.intersection(b.index)
    middle = shapely.box(303_000, 4_600_000, 306_000, 4_606_000)
    shared = [set(fields[shapely.intersects(fields.to_numpy(), middle)].index) for fields in (a, b)]
    assert shared[0] == shared[1]
    assert len(common) > 50
    assert shapely.equals_exact(a[common].to_numpy(), b[common].to_numpy(), tolerance=0.011).all()


def test_the_seed_decides_everything():
    box = (300_000, 4_600_000, 303_000, 4_603_000)
    one, same, other = (fields_within(box, epsg=32631, seed=seed) for seed in (1, 1, 2))
    assert shapely.to_wkb(one.geometry).tolist() == shapely.to_wkb(same.geometry).tolist()
    assert shapely.to_wkb(one.geometry).tolist() != shapely.to_wkb(other.geometry).tolist()


def test_numbers_of_fields_are_unique_and_beyond_32_bits(catalonia):
    assert catalonia[2019]["parcel_id"].is_unique
    assert catalonia[2019]["parcel_id"].max() > 2**31


def test_an_unknown_country_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="es_ct, fr"):
        tile_parcels("31TCG", 2019, country="xx", size_px=366, seed=1)
