"""What the sections of a report are made from."""

from dataclasses import dataclass
from pathlib import Path

from cropstack.legend import CropClass, LegendClass
from cropstack.report.descriptions import Patch, Scene
from cropstack.report.tables import Area, Reason, Source

TileYear = tuple[str, int]


@dataclass(frozen=True)
class Files:
    """Files of which sections read parts: (tile, year) or, where declared, (country, year) to a path."""

    parcels: dict[TileYear, Path]  # of a country
    samples: dict[TileYear, Path]  # of a tile: the folder of its patch files
    quality: dict[TileYear, Path]  # of a tile: its labels in numbers, a row for each grid
    composites: dict[TileYear, Path]  # of a tile: monthly series of its parcels
    previews: dict[TileYear, Path]  # of a tile: thinned class codes, PNG
    experiments: dict[str, Path]  # folders by name, such as scenario1_unet
    parcel_splits: Path
    embedding: Path  # parcels in two dimensions
    published: dict[str, Path]  # what the recipe's paper published: results and figures, or none


@dataclass(frozen=True)
class Inputs:
    """What was read of one recipe.

    `reasons` are those of rejects.csv by area, and of all areas under `EVERYWHERE`; `balance`, `coverage` and
    `leakage` are the rows of balance.csv, split_coverage.csv and leakage.csv; `tile_years` are (country, tile, year).
    Of `rules` there may be figures in the folder `logs`; `disk` are the folders that the build writes.
    """

    recipe: str
    title: str
    products: list[dict[str, str]]
    areas: list[Area]
    reasons: dict[str, list[Reason]]
    balance: list[dict[str, str]]
    sources: list[Source]
    legend: list[LegendClass]
    classes: dict[int, CropClass]
    patches: list[Patch]
    scenes: list[Scene]
    splits: list[dict[str, str]]
    coverage: list[dict[str, str]]
    leakage: list[dict[str, str]]
    tile_years: list[tuple[str, str, int]]
    size_px: int
    files: Files
    rules: list[str]
    logs: Path
    disk: list[Path]

    def name_of(self, country: str) -> str:
        """Name of a country's declarations."""
        return next(source.name for source in self.sources if source.country == country)

    def country_of(self, tile: str, year: int) -> str:
        """Country that declared the parcels of a tile in a year."""
        return next(country for country, t, y in self.tile_years if (t, y) == (tile, year))

    def patches_of(self, country: str, year: int) -> list[Patch]:
        """Patches of a country and year."""
        tiles = {tile for c, tile, y in self.tile_years if (c, y) == (country, year)}
        return [patch for patch in self.patches if patch.year == year and patch.tile in tiles]
