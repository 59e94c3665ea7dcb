"""What is unusual in scenes, by kind."""

from types import SimpleNamespace
from typing import Any

import pytest

from cropstack.bands import S2_BANDS
from cropstack.report.descriptions import Scene
from cropstack.report.pixels import SCENES_SHOWN, pixels, worst_first

PIXELS = {"pixels": 10_000, "valid_r10m": 10_000, "valid_r20m": 2500, "valid_r60m": 278}


def scene(name: str, *products: str, **counts: int) -> Scene:
    """A whole, clear scene of one product, but for the given counts."""
    zeros = {f"{flag}_r{m}m": 0 for flag in ("saturated", "defective") for m in (10, 20, 60)}
    zeros |= {f"clamped_{band.name}": 0 for band in S2_BANDS}
    return Scene(
        "31TCG", 2019, name, "", products or (f"{name}_P",), "05.00", "-1000", "folder", 1.0, PIXELS | zeros | counts
    )


def shown(*scenes: Scene) -> dict[str, Any]:
    return pixels(SimpleNamespace(scenes=list(scenes), tile_years=[("es_ct", "31TCG", 2019)]))  # type: ignore[arg-type]


def test_whole_and_clear_scene_is_not_listed() -> None:
    values = shown(scene("a"))
    assert values["scenes"] == []
    assert {kind["scenes"] for kind in values["kinds"]} == {0}


def test_share_of_clamped_pixels_is_of_the_bands_own_grid_and_flagged_above_one_percent() -> None:
    at, above = scene("at", clamped_B02=100, clamped_B11=25), scene("above", clamped_B10=3)
    assert at.clamped_share("B02") == at.clamped_share("B11") == pytest.approx(0.01)
    values = shown(at, above)
    kinds = {kind["kind"]: kind["scenes"] for kind in values["kinds"]}
    assert (kinds["clamped"], kinds["clamped_over_1_percent"]) == (2, 1)
    assert [(row["scene"], row["flagged"]) for row in values["scenes"]] == [("above", True), ("at", False)]
    assert values["scenes"][0]["worst"] == "B10 1.08 %"


def test_scene_of_a_split_datatake_and_scene_at_the_swaths_edge_are_told_apart() -> None:
    kinds = {k["kind"]: k["counts"] for k in shown(scene("a", "first", "second"), scene("b", valid_r10m=5000))["kinds"]}
    assert kinds["several_products"] == kinds["partly_covered"] == [1]


def test_saturated_and_defective_pixels_of_all_grids_are_added_up() -> None:
    row = shown(scene("a", saturated_r10m=9, saturated_r20m=9, defective_r60m=4))["scenes"][0]
    assert (row["saturated"], row["defective"]) == (18, 4)


def test_of_many_scenes_the_worst_are_listed_and_the_others_counted() -> None:
    scenes = [scene(f"s{i:03d}", clamped_B02=i + 1) for i in range(SCENES_SHOWN + 5)]
    values = shown(*scenes)
    assert (len(values["scenes"]), values["left"]) == (SCENES_SHOWN, 5)
    assert values["scenes"][0]["scene"] == worst_first(scenes)[0].scene == f"s{SCENES_SHOWN + 4:03d}"
