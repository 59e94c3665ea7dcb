"""What a lock will cost: bytes to fetch, disk, CPU hours."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from cropstack.grid import TILE_PX

# Of a full-size tile at one date; SOURCE: measurements with OpenJPEG on 13 lossless 15-bit bands, sum of its parts.
DECODE_CPU_S = 83  # of each product
WRITE_CPU_S = 8  # cut, compress and write a scene
SCENE_BYTES = 0.8e9
PATCHES_BYTES = 0.8e9


def estimate(rows: Iterable[Mapping[str, str]], *, size_px: int, keep_scenes: bool) -> str:
    """Lines that say what the used rows of a lock cost, scaled by the area of a tile.

    Products and scenes that several recipes use count once, patches for each recipe.
    """
    used = [row for row in rows if row["used"] == "yes"]
    sizes = {row["product"]: int(row["size_bytes"]) for row in used}
    scenes = {(row["collection"], row["scene"]) for row in used}
    written = {(row["recipe"], row["scene"]) for row in used}
    tile_years = {(row["tile"], row["year"]) for row in used}
    scale = (size_px / TILE_PX) ** 2
    hours = cpu_hours(used, size_px=size_px)
    lines = [
        f"{len(sizes)} products make {len(scenes)} scenes of {len(tile_years)} tile-years",
        f"to fetch {_size(sum(sizes.values()))} (what already lies on this machine is linked, not copied)",
        f"disk: scenes {_size(len(scenes) * SCENE_BYTES * scale) if keep_scenes else 'none kept'}, "
        f"patches {_size(len(written) * PATCHES_BYTES * scale)}",
        f"CPU: {_time(sum(hours.values()))}",
    ]
    if not keep_scenes:
        (tile, year), most = max(hours.items(), key=lambda item: (item[1], item[0]))
        lines.append(
            "keep_scenes is false: a new date or label costs reading its whole tile-year again, "
            f"up to {_time(most)} of CPU ({tile} {year})"
        )
    return "\n".join(lines)


def cpu_hours(used: Iterable[Mapping[str, str]], *, size_px: int) -> dict[tuple[str, str], float]:
    """CPU hours from products to patches by (tile, year)."""
    products, scenes = defaultdict(set), defaultdict(set)
    for row in used:
        products[row["tile"], row["year"]].add(row["product"])
        scenes[row["tile"], row["year"]].add((row["collection"], row["scene"]))
    scale = (size_px / TILE_PX) ** 2 / 3600
    return {key: (DECODE_CPU_S * len(products[key]) + WRITE_CPU_S * len(scenes[key])) * scale for key in products}


def _size(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"


def _time(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{hours * 60:.1f} minutes"
