from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from cropstack.splits.strata import Place, cut, hash_of, largest_remainder, pool_small, smallest_stratum

SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}
TILES = ["31TCF", "31TCG", "31TCJ"]

places = st.dictionaries(
    st.tuples(st.sampled_from(TILES), st.integers(0, 29), st.integers(0, 29)),
    st.sampled_from(["Wheat", "Maize", "Grapes", "other"]),
    max_size=150,
)
seeds = st.integers(0, 5)


def assign(classes: dict[Place, str], seed: int, pinned: dict[Place, str] | None = None) -> dict[Place, str]:
    return cut(pool_small(classes, smallest=5), SHARES, seed=seed, pinned=pinned or {})


@given(places, seeds)
def test_every_place_gets_one_split(classes: dict[Place, str], seed: int) -> None:
    found = assign(classes, seed)
    assert set(found) == set(classes)
    assert set(found.values()) <= set(SHARES)


@given(places, seeds)
def test_shares_hold_within_one_place_a_stratum(classes: dict[Place, str], seed: int) -> None:
    strata = pool_small(classes, smallest=5)
    found = assign(classes, seed)
    sizes, counts = Counter(strata.values()), defaultdict(Counter)
    for place, split in found.items():
        counts[strata[place]][split] += 1
    for stratum, size in sizes.items():
        for split, share in SHARES.items():
            assert abs(counts[stratum][split] - share * size) < 1


@given(places, seeds)
def test_a_tile_of_five_places_fills_every_split(classes: dict[Place, str], seed: int) -> None:
    found = assign(classes, seed)
    for tile in TILES:
        here = [split for place, split in found.items() if place[0] == tile]
        if len(here) >= 5:
            assert set(here) == set(SHARES)


@given(places, st.dictionaries(st.tuples(st.just("30UXV"), st.integers(0, 29), st.integers(0, 29)), st.just("Wheat")))
def test_another_tile_moves_nothing(classes: dict[Place, str], more: dict[Place, str]) -> None:
    before = assign(classes, 16)
    after = assign(classes | more, 16)
    assert {place: after[place] for place in before} == before


@given(places, seeds)
def test_order_of_places_does_not_matter(classes: dict[Place, str], seed: int) -> None:
    assert assign(dict(reversed(classes.items())), seed) == assign(classes, seed)


def test_another_seed_gives_another_split() -> None:
    classes = {("31TCG", row, column): "Wheat" for row in range(10) for column in range(10)}
    assert assign(classes, 1) != assign(classes, 2)
    assert Counter(assign(classes, 1).values()) == Counter(train=60, val=20, test=20)


@given(places, seeds, st.data())
def test_pinned_places_keep_their_split(classes: dict[Place, str], seed: int, data: st.DataObject) -> None:
    pinned = (
        data.draw(st.dictionaries(st.sampled_from(sorted(classes)), st.sampled_from(sorted(SHARES)))) if classes else {}
    )
    found = assign(classes, seed, pinned)
    assert set(found) == set(classes)
    assert {place: found[place] for place in pinned} == pinned


def test_new_places_fill_what_pinned_ones_leave() -> None:
    classes = {("31TCG", 0, column): "Wheat" for column in range(10)}
    pinned = {("31TCG", 0, column): "train" for column in range(6)}
    assert Counter(assign(classes, 3, pinned).values()) == Counter(train=6, val=2, test=2)


def test_training_part_of_a_smaller_scenario_contains_that_of_the_larger() -> None:
    """Places keep their order, so 60 % train of all areas lie within 75 % train of the training areas."""
    strata = {("31TCG", row, column): "31TCG Wheat" for row in range(10) for column in range(10)}
    all_areas = cut(strata, SHARES, seed=16, pinned={})
    training_only = cut(strata, {"train": 0.6, "val": 0.2}, seed=16, pinned={})
    assert Counter(training_only.values()) == Counter(train=75, val=25)
    assert {p for p, s in all_areas.items() if s == "train"} <= {p for p, s in training_only.items() if s == "train"}


@given(
    st.integers(0, 1000),
    st.dictionaries(st.sampled_from("abcd"), st.floats(0.01, 1), min_size=1),
    seeds,
)
def test_largest_remainder_adds_up_and_stays_within_one(total: int, weights: dict[str, float], seed: int) -> None:
    counts = largest_remainder(total, weights, seed=seed, name="x")
    assert sum(counts.values()) == total
    for key, weight in weights.items():
        assert abs(counts[key] - total * weight / sum(weights.values())) < 1 + 1e-6


def test_equal_remainders_favour_no_split() -> None:
    """Two places beyond 3/1/1 of seven: 0.2, 0.4, 0.4 remain for 4/1/1 and one more."""
    extra = Counter(
        split
        for number in range(400)
        for split, count in largest_remainder(7, SHARES, seed=1, name=f"stratum {number}").items()
        if split != "train" and count == 2
    )
    assert extra["val"] + extra["test"] == 400
    assert 150 < extra["val"] < 250


def test_nine_patches_of_a_small_tile_are_pooled() -> None:
    """The demonstration: 3 × 3 patches, two classes with too few places each for 60/20/20."""
    classes = {("31TCG", n // 3, n % 3): "Wheat" if n < 5 else "Maize" if n < 7 else "Oats" for n in range(9)}
    strata = pool_small(classes, smallest=smallest_stratum(SHARES))
    assert Counter(strata.values()) == {"31TCG Wheat": 5, "31TCG mixed": 4}
    assert Counter(assign(classes, 16).values()) == Counter(train=5, val=2, test=2)


def test_smallest_stratum_is_one_over_the_smallest_share() -> None:
    assert smallest_stratum(SHARES) == 5
    assert smallest_stratum({"train": 0.7, "val": 0.1, "test": 0.2}) == 10
    assert smallest_stratum({"train": 0.8, "val": 0.0, "test": 0.2}) == 5


def test_order_is_sha256_of_seed_and_place() -> None:
    """Golden by `printf 16:31TCG:0:1 | sha256sum`."""
    assert hash_of(16, "31TCG", 0, 1) == "a3ca0ac1c9cc53dffa91870600596406b905f978c4442f35816b2cc35bd25c8c"
