"""Section "Where": the map, the patch grids, the samples of each split."""

from collections.abc import Iterable
from typing import Any

from markupsafe import Markup
from pyproj import Transformer

from cropstack.grid import PATCH_PX, TILE_PX, tile_geobox
from cropstack.report.drawings import SPLITS, TileOutline, draw_map, draw_patches, split_patterns
from cropstack.report.inputs import Inputs
from cropstack.report.tables import count_by

SPLIT_COLOURS = dict(zip(SPLITS, ("#0072b2", "#e69f00", "#009e73"), strict=True))  # of Okabe and Ito's palette


def where(inputs: Inputs) -> dict[str, Any]:
    """Values of the section."""
    scenario = min(row["scenario"] for row in inputs.splits) if inputs.splits else "no scenario"
    side = inputs.size_px // PATCH_PX[10]
    names = sorted({tile for _, tile, _ in inputs.tile_years})
    counts = count_by(inputs.splits, "scenario", "split")
    return {
        "map": Markup(draw_map([outline(name, inputs.size_px) for name in names])),
        "patterns": Markup(split_patterns()),
        "built_km": f"{inputs.size_px / 100:.4g}",
        "scenario": scenario,
        "tiles": [
            {"name": name, "drawing": Markup(draw_patches(name, side, _places(inputs.splits, scenario, name)))}
            for name in names
        ],
        "split_colours": SPLIT_COLOURS,
        "splits": [
            {"scenario": name, "counts": {split: counts.get((name, split), 0) for split in SPLITS}}
            for name in sorted({scenario for scenario, _ in counts})
        ],
    }


def outline(tile: str, size_px: int) -> TileOutline:
    """Rings of a tile in longitude and latitude: of its whole cell and of `size_px` from its upper left corner."""
    return TileOutline(tile, _corners(tile, TILE_PX), _corners(tile, size_px))


def _corners(tile: str, size_px: int) -> list[tuple[float, float]]:
    geobox = tile_geobox(tile, 10, size_px=size_px)
    to_degrees = Transformer.from_crs(geobox.crs.proj, "EPSG:4326", always_xy=True)
    return [to_degrees.transform(x, y) for x, y in geobox.extent.exterior.points[:-1]]


def _places(splits: Iterable[dict[str, str]], scenario: str, tile: str) -> dict[tuple[int, int], str]:
    rows = [row for row in splits if row["scenario"] == scenario and row["tile"] == tile]
    return {(int(row["row"]), int(row["column"])): row["split"] for row in rows}
