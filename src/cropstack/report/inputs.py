"""What the sections of the page are made from."""

from dataclasses import dataclass

from cropstack.legend import CropClass, LegendClass
from cropstack.report.patches import Patch, SceneRecord
from cropstack.report.tables import Area, Reason, Source


@dataclass(frozen=True)
class Inputs:
    """What was read.

    `ledgers` are (heading, key, reasons); `tile_years` are (country, tile, year).
    """

    products: list[dict[str, str]]
    areas: list[Area]
    ledgers: list[tuple[str, str, list[Reason]]]
    sources: list[Source]
    legend: list[LegendClass]
    classes: dict[int, CropClass]
    patches: list[Patch]
    scenes: list[SceneRecord]
    splits: list[dict[str, str]]
    tile_years: list[tuple[str, str, int]]
    size_px: int

    def name_of(self, country: str) -> str:
        """Name of a country's declarations."""
        return next(source.name for source in self.sources if source.country == country)

    def patches_of(self, country: str, year: int) -> list[Patch]:
        """Patches of a country and year."""
        tiles = {tile for c, tile, y in self.tile_years if (c, y) == (country, year)}
        return [patch for patch in self.patches if patch.year == year and patch.tile in tiles]
