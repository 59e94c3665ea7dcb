"""Stratified assignment of places to splits, by hash: stable when others come or go.

A place is (tile, row, column) on the patch grid; all its years stay together.
"""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

SPLITS = ("train", "val", "test")
MIXED = "mixed"  # stratum of a tile's places whose own stratum is too small to fill every split

Place = tuple[str, int, int]


def hash_of(seed: int, *parts: object) -> str:
    """SHA-256 of a seed and a name: an order that no other name disturbs."""
    return hashlib.sha256(":".join(map(str, (seed, *parts))).encode()).hexdigest()


def largest_remainder(total: int, weights: Mapping[str, float], *, seed: int, name: str) -> dict[str, int]:
    """Divide `total` in proportion to `weights`: whole numbers that add up to it, each within 1 of its quota.

    Equal remainders are ordered by hash of seed, `name` and key, so that no split gains from standing first.
    """
    sum_of_weights = sum(weights.values())
    quotas = {key: total * weight / sum_of_weights for key, weight in weights.items()}
    counts = {key: math.floor(quota + 1e-9) for key, quota in quotas.items()}
    # rounded, or the last bit of a float would decide between equals
    order = sorted(quotas, key=lambda key: (round(counts[key] - quotas[key], 9), hash_of(seed, name, key)))
    for key in order[: total - sum(counts.values())]:
        counts[key] += 1
    return counts


def smallest_stratum(shares: Mapping[str, float]) -> int:
    """Number of places from which every split with a share gets at least one."""
    return math.ceil(1 / min(share for share in shares.values() if share > 0) - 1e-9)


def pool_small(stratum_of: Mapping[Place, str], *, smallest: int) -> dict[Place, str]:
    """Name the final stratum of each place: ``<tile> <class>``, or ``<tile> mixed`` where that has too few places.

    Pooled within a tile, so that a tile never moves another's places. A tile with at least `smallest` places always
    fills every split: either one of its strata is large enough, or all are pooled.
    """
    sizes = Counter((place[0], stratum) for place, stratum in stratum_of.items())
    return {
        place: f"{place[0]} {stratum if sizes[place[0], stratum] >= smallest else MIXED}"
        for place, stratum in stratum_of.items()
    }


def cut(
    stratum_of: Mapping[Place, str], shares: Mapping[str, float], *, seed: int, pinned: Mapping[Place, str]
) -> dict[Place, str]:
    """Assign each place a split, stratum by stratum.

    Within a stratum places stand in order of `hash_of` and are cut by largest remainder over `shares` in the order
    train, val, test. Places in `pinned` keep their split; the others fill what those leave of each split's number.
    """
    members: dict[str, list[Place]] = defaultdict(list)
    for place, stratum in stratum_of.items():
        members[stratum].append(place)
    assigned: dict[Place, str] = {}
    for stratum, places in sorted(members.items()):
        kept = {place: pinned[place] for place in places if place in pinned}
        free = sorted(set(places) - set(kept), key=lambda place: hash_of(seed, *place))
        counts = largest_remainder(len(places), shares, seed=seed, name=stratum)
        open_places = {split: max(0, counts[split] - n) for split, n in _count(kept.values(), counts).items()}
        if free:
            counts = largest_remainder(len(free), open_places, seed=seed, name=stratum)
            order = [split for split in SPLITS for _ in range(counts.get(split, 0))]
            assigned |= dict(zip(free, order, strict=True))
        assigned |= kept
    return assigned


def _count(splits: Iterable[str], keys: Iterable[str]) -> dict[str, int]:
    counts = Counter(splits)
    return {key: counts[key] for key in keys}
