"""Section "Where": the map, the patch grids, parcels of an example tile, the samples of each split."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup
from pyproj import Transformer

from cropstack.grid import PATCH_PX, TILE_PX, tile_geobox
from cropstack.report.drawings import SPLITS, TileOutline, draw_map, draw_patches
from cropstack.report.inputs import Inputs
from cropstack.report.parcel_map import parcel_map
from cropstack.report.tables import count_by, spread

TILES_SHOWN = 8
GRIDS_OF_OVERVIEW = 3
SEEN = "parcels_seen_in_another_split"  # of leakage.csv


def few_grids(inputs: Inputs) -> list[dict[str, str]]:
    """Patches of a few tiles by their split, as SVG, for the overview."""
    names = spread(sorted({tile for _, tile, _ in inputs.tile_years}), GRIDS_OF_OVERVIEW)
    scenario = _first_scenario(inputs)
    return [{"name": name, "scenario": scenario, "drawing": str(_grid(inputs, scenario, name))} for name in names]


def _first_scenario(inputs: Inputs) -> str:
    return min(row["scenario"] for row in inputs.splits) if inputs.splits else "no scenario"


def _grid(inputs: Inputs, scenario: str, tile: str) -> Markup:
    side = inputs.size_px // PATCH_PX[10]
    return Markup(draw_patches(tile, side, _places(inputs.splits, scenario, tile)))


def places(inputs: Inputs) -> dict[str, Any]:
    """Values of the section."""
    scenario = _first_scenario(inputs)
    names = sorted({tile for _, tile, _ in inputs.tile_years})
    shown = spread(names, TILES_SHOWN)
    counts = count_by(inputs.splits, "scenario", "split")
    return {
        "map": Markup(draw_map([outline(name, inputs.size_px) for name in names])),
        "built_km": f"{inputs.size_px / 100:.4g}",
        "scenario": scenario,
        "tiles": [{"name": name, "drawing": _grid(inputs, scenario, name)} for name in shown],
        "tiles_in_all": len(names),
        "parcels": _parcels(inputs, scenario),
        "split_names": SPLITS,
        "splits": [
            {"scenario": name, "counts": {split: counts.get((name, split), 0) for split in SPLITS}}
            for name in sorted({scenario for scenario, _ in counts})
        ],
        "parcel_splits": parcel_counts(inputs.coverage),
        "seen": {row["scenario"]: int(row["number"]) for row in inputs.leakage if row["check"] == SEEN},
    }


def _parcels(inputs: Inputs, scenario: str) -> dict[str, Any]:
    """The example: the tile and year of the middle of the list."""
    country, tile, year = spread(inputs.tile_years, 1)[0]
    found = parcel_map(inputs.files, country=country, tile=tile, year=year, scenario=scenario, size_px=inputs.size_px)
    side_km = found["window"].side * PATCH_PX[10] / 100
    return {
        "tile": tile,
        "year": year,
        "side_km": f"{side_km:.4g}",
        "drawing": Markup(found["drawing"]),
        "counts": found["counts"],
    }


def parcel_counts(coverage: Iterable[dict[str, str]]) -> dict[str, dict[tuple[str, str], int]]:
    """Parcels by scenario and (split, why they have none), from the rows by class of split_coverage.csv."""
    columns = [(split, "") for split in SPLITS]
    counts: Counter[tuple[str, str, str]] = Counter()
    for row in coverage:
        counts[row["scenario"], row["split"], row["reason"]] += int(row["parcels"] or 0)
    columns += sorted({(split, reason) for _, split, reason in counts} - set(columns))
    scenarios = sorted({scenario for scenario, _, _ in counts})
    return {name: {(split, reason): counts[name, split, reason] for split, reason in columns} for name in scenarios}


def outline(tile: str, size_px: int) -> TileOutline:
    """Rings of a tile in longitude and latitude: of its whole cell and of `size_px` from its upper left corner."""
    return TileOutline(tile, _corners(tile, TILE_PX), _corners(tile, size_px))


def _corners(tile: str, size_px: int) -> list[tuple[float, float]]:
    geobox = tile_geobox(tile, 10, size_px=size_px)
    to_degrees = Transformer.from_crs(geobox.crs.proj, "EPSG:4326", always_xy=True)
    return [to_degrees.transform(x, y) for x, y in geobox.extent.exterior.points[:-1]]


def _places(splits: Sequence[dict[str, str]], scenario: str, tile: str) -> dict[tuple[int, int], str]:
    rows = [row for row in splits if row["scenario"] == scenario and row["tile"] == tile]
    return {(int(row["row"]), int(row["column"])): row["split"] for row in rows}
