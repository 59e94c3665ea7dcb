"""What `describe_tile` wrote about a tile in a year, as the sections use it."""

from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import pyarrow.parquet as pq

from cropstack.bands import S2_BANDS
from cropstack.files import read_csv


@dataclass(frozen=True)
class Patch:
    """One patch in numbers: `pixels` counts 10 m pixels by class code, 0 included."""

    tile: str
    year: int
    row: int
    column: int
    acquisitions: int
    pixels: dict[int, int]

    @property
    def sample(self) -> str:
        """Name of the sample: the patch file without its ending."""
        return f"{self.year}_{self.tile}_patch_{self.row:02d}_{self.column:02d}"


@dataclass(frozen=True)
class Scene:
    """One scene in numbers: `counts` are `describe_tile`'s columns of pixels by name."""

    tile: str
    year: int
    scene: str
    sensing_time: str
    products: tuple[str, ...]
    processing_baselines: str
    offset_applied: str
    provider: str
    cloud_cover: float
    counts: dict[str, int]

    @property
    def valid_share(self) -> float:
        """Share of the tile's 10 m pixels with data, 0 to 1."""
        return self.counts["valid_r10m"] / self.counts["pixels"]

    def clamped_share(self, band: str) -> float:
        """Share of a band's pixels with data that were clamped at 1, 0 to 1."""
        resolution = next(item.resolution_m for item in S2_BANDS if item.name == band)
        return self.counts[f"clamped_{band}"] / max(self.counts[f"valid_r{resolution}m"], 1)


def read_patches(path: Path, tile: str, year: int) -> list[Patch]:
    """Patches of a tile in a year, by row and column."""
    return [
        Patch(
            tile,
            year,
            row["row"],
            row["column"],
            row["acquisitions"],
            dict(zip(row["codes"], row["pixels"], strict=True)),
        )
        for row in pq.read_table(path).to_pylist()
    ]


def read_scenes(path: Path, tile: str, year: int) -> list[Scene]:
    """Scenes of a tile in a year, in order of time."""
    return [_scene(row, tile, year) for row in read_csv(path)]


def _scene(row: dict[str, str], tile: str, year: int) -> Scene:
    counts = {name: int(value) for name, value in row.items() if name.startswith(COUNTS)}
    return Scene(
        tile,
        year,
        row["scene"],
        row["sensing_time"],
        tuple(row["products"].split()),
        row["processing_baselines"],
        row["offset_applied"],
        row["provider"],
        float(row["cloud_cover"]),
        counts,
    )


COUNTS = ("pixels", "valid_", "saturated_", "defective_", "clamped_")


def read_preview(path: Path) -> np.ndarray:
    """Thinned class codes of a tile, (y, x) uint16."""
    return imagecodecs.png_decode(path.read_bytes())
