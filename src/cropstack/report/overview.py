"""The overview over all recipes: a map, and a card with the key numbers of each."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from cropstack.report.drawings import draw_map
from cropstack.report.places import outline

TileYears = Sequence[tuple[str, str, int]]


def overview(recipes: Sequence[tuple[str, str, dict[str, Any]]], tile_years: TileYears, size_px: int) -> dict[str, Any]:
    """Values of the overview's template from (recipe, address of its report, its summary)."""
    names = sorted({tile for _, tile, _ in tile_years})
    return {
        "map": Markup(draw_map([outline(name, size_px) for name in names])),
        "built_km": f"{size_px / 100:.4g}",
        "recipes": [
            {"recipe": recipe, "address": address, **summary, "grids": [_as_markup(grid) for grid in summary["grids"]]}
            for recipe, address, summary in recipes
        ],
        "tiles_in_all": len(names),
    }


def _as_markup(grid: dict[str, str]) -> dict[str, str]:
    return grid | {"drawing": Markup(grid["drawing"])}


def head(tile_years: TileYears, recipes: Sequence[str]) -> dict[str, Any]:
    """Title, lead and facts of the overview."""
    years = sorted({int(year) for _, _, year in tile_years})
    facts = [
        ("recipes", "recipes", len(recipes)),
        ("tiles", "tiles", len({tile for _, tile, _ in tile_years})),
        ("countries", "countries", len({country for country, _, _ in tile_years})),
        ("tile-years", "tile_years", len(tile_years)),
    ]
    return {
        "title": "Datasets of this build",
        "lead": f"Satellite time series with crop labels, {', '.join(map(str, years))}.",
        "facts": [{"name": name, "key": key, "value": value, "unit": ""} for name, key, value in facts],
    }
