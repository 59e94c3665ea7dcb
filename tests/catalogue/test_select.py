"""Which products make scenes: reprocessed, split, cloudy, excluded, replayed."""

from collections.abc import Callable

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cropstack.catalogue.select import Choice, area_on_tile, choose_products, exclude_products, replay_products
from cropstack.grid import tile_geobox
from cropstack.product import Product, parse_time, scene_id

TILE = tile_geobox("31TCG", 10)
LATER = parse_time("2019-04-12T18:00:00Z")
Make = Callable[..., Product]


def reasons(products: list[Product], **changes: object) -> dict[str, str]:
    choices = choose_products(products, **({"tile": TILE, "max_cloud_percent": 10, "exclude": []} | changes))  # type: ignore[arg-type]
    return {choice.product.id: choice.reason for choice in choices}


def order(choices: list[Choice]) -> list[tuple[str, int]]:
    return [(choice.product.id, choice.precedence) for choice in choices]


def test_reprocessed_product_replaces_the_original(product: Make) -> None:
    original, reprocessed = product("original"), product("reprocessed", processing_baseline="05.00", generated=LATER)
    assert reasons([original, reprocessed]) == {"reprocessed": "", "original": "older_processing_baseline"}


def test_of_one_processing_baseline_the_later_generation_is_used(product: Make) -> None:
    assert reasons([product("early"), product("late", generated=LATER)]) == {"late": "", "early": "duplicate"}


def test_processing_baseline_10_is_newer_than_9(product: Make) -> None:
    found = reasons([product("nine", processing_baseline="09.00"), product("ten", processing_baseline="10.00")])
    assert found == {"ten": "", "nine": "older_processing_baseline"}


def test_datatake_split_over_two_products_uses_both(product: Make) -> None:
    west, east = product("west", part=(0, 0.6)), product("east", part=(0.5, 1), generated=LATER)
    choices = choose_products([west, east], tile=TILE, max_cloud_percent=10, exclude=[])
    assert [choice.reason for choice in choices] == ["", ""]
    assert order(choices) == [("east", 1), ("west", 2)]  # the later generation wins where both have pixels


def test_original_is_used_where_the_reprocessed_one_has_no_pixels(product: Make) -> None:
    original = product("original")
    assert reasons([original, product("half", part=(0, 0.5), processing_baseline="05.00")]) == {
        "half": "",
        "original": "",
    }


@pytest.mark.parametrize(("edge", "reason"), [(0.994, ""), (0.996, "duplicate")])
def test_a_further_product_must_add_half_a_percent_of_the_tile(product: Make, edge: float, reason: str) -> None:
    first, second = product("first", part=(0, edge), generated=LATER), product("second")
    assert reasons([first, second]) == {"first": "", "second": reason}


def test_swath_edge_of_a_thousandth_of_the_tile_is_still_a_scene(product: Make) -> None:
    assert reasons([product("edge", part=(0.999, 1))]) == {"edge": ""}


def test_cloud_of_a_scene_is_weighted_by_area(product: Make) -> None:
    small = product("small", part=(0, 0.2), cloud=40.0)
    large = product("large", part=(0.2, 1), cloud=2.0)
    assert set(reasons([small, large]).values()) == {""}  # 0.2 × 40 + 0.8 × 2 = 9.6 %
    large = product("large", part=(0.2, 1), cloud=2.7)
    assert set(reasons([small, large]).values()) == {"cloud"}  # 10.16 %


def test_scene_at_the_cloud_limit_is_left_out(product: Make) -> None:
    assert reasons([product(cloud=10.0)]) == {"A": "cloud"}
    assert reasons([product(cloud=9.999)]) == {"A": ""}


def test_clearer_original_does_not_stand_in_for_a_cloudy_reprocessed_one(product: Make) -> None:
    pair = [product("original", cloud=9.0), product("reprocessed", cloud=11.0, processing_baseline="05.00")]
    assert reasons(pair) == {"reprocessed": "cloud", "original": "older_processing_baseline"}


def test_excluding_the_reprocessed_product_brings_back_the_original(product: Make) -> None:
    pair = [product("original"), product("reprocessed", processing_baseline="05.00")]
    assert reasons(pair, exclude=["reprocessed"]) == {"reprocessed": "excluded", "original": ""}


def test_product_with_unknown_offset_is_left_out(product: Make) -> None:
    assert reasons([product("A", offset_state="unknown")]) == {"A": "offset_unknown"}


def test_product_beside_a_cut_tile_is_outside(product: Make) -> None:
    east = product("east", part=(0.5, 1))
    assert reasons([east]) == {"east": ""}
    assert reasons([east], tile=tile_geobox("31TCG", 10, size_px=1098)) == {"east": "outside_tile"}


def test_two_orbits_on_one_day_are_two_scenes(product: Make) -> None:
    other = product("B", platform="S2B", datatake="20190412T104021", relative_orbit=8)
    assert reasons([product("A"), other]) == {"A": "", "B": ""}


def test_footprint_over_the_antimeridian_covers_its_tile() -> None:
    tile = tile_geobox("01LAC", 10)
    footprint = shapely.MultiPolygon([shapely.box(-180, -17, -178, -15), shapely.box(179, -17, 180, -15)])
    assert area_on_tile(footprint, tile).area == pytest.approx(109_800**2, rel=1e-3)


def test_replay_repeats_the_choice_whatever_the_cloud(product: Make) -> None:
    found = [product("new", processing_baseline="05.00"), product("old", cloud=60.0), product("left")]
    choices = replay_products(found, locked={"left": "duplicate", "old": ""})
    assert [(c.product.id, c.reason) for c in choices] == [("left", "duplicate"), ("old", ""), ("new", "not_in_lock")]
    assert [c.reason for c in exclude_products(choices, ["old"])] == ["duplicate", "excluded", "not_in_lock"]


OFFERS = st.lists(
    st.tuples(
        st.integers(0, 2),  # day
        st.floats(0, 0.9),  # left edge
        st.floats(0.01, 1),  # width
        st.sampled_from(["02.07", "05.00"]),
        st.floats(0, 30),  # cloud
        st.sampled_from(["in_metadata", "unknown"]),
    ),
    max_size=6,
)


@given(offers=OFFERS, seed=st.randoms(use_true_random=False))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_product_gets_one_reason_and_the_order_of_the_search_none(
    product: Make, offers: list[tuple[int, float, float, str, float, str]], seed: object
) -> None:
    products = [
        product(
            f"P{n}", day=day, part=(left, min(1, left + width)), processing_baseline=baseline, cloud=cloud,
            offset_state=state,
        )
        for n, (day, left, width, baseline, cloud, state) in enumerate(offers)
    ]  # fmt: skip
    choices = choose_products(products, tile=TILE, max_cloud_percent=10, exclude=["P1"])
    assert sorted(choice.product.id for choice in choices) == sorted(p.id for p in products)
    shuffled = list(products)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    assert choose_products(shuffled, tile=TILE, max_cloud_percent=10, exclude=["P1"]) == choices
    for choice in choices:
        if choice.reason in {"duplicate", "older_processing_baseline"}:  # then something of its scene covers it
            scene = [c for c in choices if scene_id(c.product) == scene_id(choice.product)]
            assert any(c.reason in {"", "cloud"} and c.precedence < choice.precedence for c in scene)
        assert (choice.reason == "offset_unknown") == (
            choice.product.offset_state == "unknown" and choice.product.id != "P1"
        )


@given(offers=OFFERS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_replaying_a_choice_gives_the_same_choice(
    product: Make, offers: list[tuple[int, float, float, str, float, str]]
) -> None:
    products = [
        product(f"P{n}", day=day, part=(left, min(1, left + width)), processing_baseline=baseline, cloud=cloud)
        for n, (day, left, width, baseline, cloud, _) in enumerate(offers)
    ]
    choices = choose_products(products, tile=TILE, max_cloud_percent=10, exclude=[])
    assert replay_products(products, locked={c.product.id: c.reason for c in choices}) == choices
