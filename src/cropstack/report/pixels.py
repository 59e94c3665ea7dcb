"""Section "Pixels": what is unusual in the scenes, pixel by pixel."""

from collections.abc import Callable, Iterable
from typing import Any

from cropstack.bands import S2_BANDS
from cropstack.report.descriptions import Scene
from cropstack.report.inputs import Inputs

FLAGGED_SHARE = 0.01  # of a band's pixels: clamped more than this is a fault of the scene, not of a few dark pixels
COMPLETE_SHARE = 0.999  # of a tile's pixels with data: below it the scene is partly covered
SCENES_SHOWN = 60
BANDS = [band.name for band in S2_BANDS]

# Kind, what it means, and whether a scene has it.
KINDS: tuple[tuple[str, str, Callable[[Scene], bool]], ...] = (
    ("several_products", "more than one product: a split datatake, joined", lambda scene: len(scene.products) > 1),
    ("partly_covered", "part of the tile has no data: the edge of the swath", lambda s: s.valid_share < COMPLETE_SHARE),
    ("clamped", "pixels below the radiometric offset, set to 1", lambda scene: _sum(scene, "clamped_") > 0),
    ("clamped_over_1_percent", "more than 1 % of a band clamped", lambda scene: _worst(scene)[1] > FLAGGED_SHARE),
    ("saturated", "saturated pixels", lambda scene: _sum(scene, "saturated_") > 0),
    ("defective", "lost, degraded or defective pixels", lambda scene: _sum(scene, "defective_") > 0),
)  # fmt: skip


def pixels(inputs: Inputs) -> dict[str, Any]:
    """Values of the section."""
    found = [scene for scene in inputs.scenes if any(test(scene) for _, _, test in KINDS)]
    return {
        "places": [{"key": f"{tile}/{year}", "name": f"{tile} {year}"} for _, tile, year in inputs.tile_years],
        "kinds": [
            {
                "kind": kind,
                "meaning": meaning,
                "scenes": sum(test(scene) for scene in inputs.scenes),
                "counts": [sum(test(s) for s in _of(inputs, tile, year)) for _, tile, year in inputs.tile_years],
            }
            for kind, meaning, test in KINDS
        ],
        "bands": [
            {"band": band, "clamped": sum(scene.counts[f"clamped_{band}"] for scene in inputs.scenes),
             "worst": max((scene.clamped_share(band) for scene in inputs.scenes), default=0.0)}
            for band in BANDS
        ],
        "scenes": [_row(scene) for scene in worst_first(found)[:SCENES_SHOWN]],
        "left": max(len(found) - SCENES_SHOWN, 0),
        "flagged_percent": 100 * FLAGGED_SHARE,
    }  # fmt: skip


def worst_first(scenes: Iterable[Scene]) -> list[Scene]:
    """Scenes by the largest share of a band that was clamped, then by missing data, then by name."""
    return sorted(scenes, key=lambda scene: (-_worst(scene)[1], scene.valid_share, scene.scene))


def _of(inputs: Inputs, tile: str, year: int) -> list[Scene]:
    return [scene for scene in inputs.scenes if (scene.tile, scene.year) == (tile, year)]


def _sum(scene: Scene, prefix: str) -> int:
    return sum(count for name, count in scene.counts.items() if name.startswith(prefix))


def _worst(scene: Scene) -> tuple[str, float]:
    """The band with the largest share of clamped pixels, and that share."""
    return max(((band, scene.clamped_share(band)) for band in BANDS), key=lambda item: item[1])


def _row(scene: Scene) -> dict[str, Any]:
    band, share = _worst(scene)
    return {
        "scene": scene.scene,
        "products": len(scene.products),
        "valid_percent": 100 * scene.valid_share,
        "clamped": _sum(scene, "clamped_"),
        "worst": f"{band} {100 * share:.2f} %" if share else "",
        "flagged": share > FLAGGED_SHARE,
        "saturated": _sum(scene, "saturated_"),
        "defective": _sum(scene, "defective_"),
    }
