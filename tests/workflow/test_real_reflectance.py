"""Real reflectance goes the whole way, from the user's folder of products to the patches.

Search, lock, fetch, read_s2, labels and write_sen4agrinet run as a user runs them; declarations are simulated.
"""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from cropstack.bands import S2_BANDS
from cropstack.simulate.simulate_declarations import simulate_declarations

from ..tree import copy_of_the_workflow
from .real_products import (
    BELGIUM_PIXELS,
    BELGIUM_SIZE_PX,
    COUNTRY,
    MOROCCO_OFFSETS,
    MOROCCO_SIZE_PX,
    SEED,
    TILE,
    belgium_cube,
    belgium_window,
    morocco_bands,
    morocco_product,
    overpass,
    write_belgium,
    write_morocco,
)

Pixels = NDArray[np.uint16]


@dataclass(frozen=True)
class TileYear:
    """Patches of a tile and year, and the products that they were made from, in order of time."""

    patches: Path
    year: int
    size_px: int
    products: list[Path]

    def files(self) -> list[list[Path]]:
        """Patch files, row by row."""
        side = range(self.size_px // 366)
        return [[self.patches / f"{self.year}_{TILE}_patch_{r:02d}_{c:02d}.nc" for c in side] for r in side]

    def band(self, name: str) -> Pixels:
        """Pixels (time, y, x) of a band, its patches put together."""
        return np.block([[_variable(file, f"{name}/{name}") for file in row] for row in self.files()])

    def times(self) -> list[list[datetime]]:
        """Times of each patch."""
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        found = [_variable(file, "B02/time").tolist() for row in self.files() for file in row]
        return [[epoch + timedelta(microseconds=time) for time in times] for times in found]

    def texts(self, name: str) -> list[str]:
        """What the first patch says about each of its times."""
        characters = _variable(self.files()[0][0], f"acquisitions/{name}")
        return [row.tobytes().rstrip(b"\0").decode() for row in characters]

    def digital_numbers(self, name: str) -> Pixels:
        """What GDAL reads from the products: (time, y, x)."""
        files = [next(product.glob(f"GRANULE/*/IMG_DATA/*_{name}.jp2")) for product in self.products]
        return np.stack([_gdal(file) for file in files])


def _variable(file: Path, name: str) -> np.ndarray:
    with netCDF4.Dataset(file) as dataset:
        dataset.set_auto_maskandscale(False)
        dataset.set_auto_chartostring(False)
        return np.asarray(dataset[name][:])


def _gdal(file: Path) -> Pixels:
    with rasterio.open(file) as dataset:
        return dataset.read(1)


def values(dn: Pixels, offset: int) -> NDArray[np.int64]:
    """The rule in plain arithmetic."""
    found = np.maximum(1, dn.astype(np.int64) + offset)
    found[dn == 0], found[dn == 65_535] = 0, 65_535
    return found


def build(root: Path, folder: Path, products: list[Path], *, year: int, size_px: int) -> TileYear:
    """Run the workflow on the products in ``<folder>/clone/delivered``, up to the patches."""
    settings = {
        "provider": "folder",
        "folder": "delivered",
        "areas": {COUNTRY: {"tiles": [TILE], "years": [year]}},
        "tile_size_px": size_px,
    }
    tree = copy_of_the_workflow(root, folder / "clone", settings)
    shutil.move(folder / "delivered", tree.folder)
    simulate_declarations(
        tree.folder / f"taxonomy/countries/{COUNTRY}/source.yaml",
        tree.folder / f"archive/declarations/{COUNTRY}/{year}/Cultius_DUN{year}_GPKG.zip",
        country=COUNTRY,
        year=year,
        tiles=[TILE],
        size_px=size_px,
        seed=SEED,
    )
    patches = f"results/sen4agrinet/data/{year}/{TILE}"
    tree.build(patches)
    return TileYear(tree.folder / patches, year, size_px, products)


# --- a Level-2A product of Morocco ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def morocco(root: Path, realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> TileYear:
    """The same ground on two dates: before the offset as a SAFE directory, reprocessed with it as a zip."""
    folder = tmp_path_factory.mktemp("morocco")
    products = [write_morocco(folder / "written", realdata, baseline) for baseline in MOROCCO_OFFSETS]
    shutil.copytree(products[0], folder / "delivered" / products[0].name)
    shutil.make_archive(str(folder / "delivered" / products[1].stem), "zip", products[1].parent, products[1].name)
    return build(root, folder, products, year=2020, size_px=MOROCCO_SIZE_PX)


def test_both_dates_of_morocco_arrive_each_with_its_own_offset(morocco: TileYear) -> None:
    assert morocco.times() == [[morocco_product(baseline).sensing for baseline in MOROCCO_OFFSETS]] * 9
    assert morocco.texts("processing_baselines") == list(MOROCCO_OFFSETS)
    assert morocco.texts("offset_applied") == [str(offset) for offset in MOROCCO_OFFSETS.values()]


def test_every_pixel_of_morocco_is_gdals_plus_offset(morocco: TileYear) -> None:
    for band in S2_BANDS:
        dn = morocco.digital_numbers(band.name)
        expected = [values(one, offset) for one, offset in zip(dn, MOROCCO_OFFSETS.values(), strict=True)]
        np.testing.assert_array_equal(morocco.band(band.name), expected, err_msg=band.name)


def test_nodata_clamped_and_saturated_pixels_of_the_simulated_b10_keep_their_meaning(morocco: TileYear) -> None:
    """Digital numbers 0, 1, 1000, 1001 and 2499 side by side, and 65535; without and with the offset of -1000."""
    before, after = morocco.band("B10").reshape(2, -1)
    numbers = [0, 1, 1000, 1001, 2499, 100 * 183 + 100]
    assert before[numbers].tolist() == [0, 1, 1000, 1001, 2499, 65_535]
    assert after[numbers].tolist() == [0, 1, 1, 1, 1499, 65_535]


def test_both_dates_of_morocco_hold_the_reflectance_of_the_original(morocco: TileYear, realdata: Path) -> None:
    original = morocco_bands(realdata)
    assert len(original) == 12
    for name, pixels in original.items():
        np.testing.assert_array_equal(morocco.band(name), [pixels, pixels], err_msg=name)


# --- a data cube of Belgium -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def belgium(root: Path, realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> TileYear:
    """12 days of April 2023 from both satellites on two orbits."""
    folder = tmp_path_factory.mktemp("belgium")
    products = write_belgium(folder / "delivered", realdata)
    moved = [folder / "clone/delivered" / product.name for product in products]
    return build(root, folder, moved, year=2023, size_px=BELGIUM_SIZE_PX)


def test_all_12_days_of_belgium_arrive_in_order_of_time(belgium: TileYear, realdata: Path) -> None:
    days, _ = belgium_cube(realdata)
    assert [day.day for day in days] == [2, 5, 7, 10, 12, 15, 17, 20, 22, 25, 27, 30]
    assert belgium.times() == [[overpass(day).sensing for day in days]] * 4
    assert belgium.texts("offset_applied") == ["-1000"] * 12
    assert belgium.texts("platform") == ["S2A", "S2A", "S2B", "S2B"] * 3


def test_every_pixel_of_belgium_is_gdals_minus_1000(belgium: TileYear) -> None:
    for band in S2_BANDS:
        dn = belgium.digital_numbers(band.name)
        assert ((dn > 0) & (dn <= 1000)).any(), f"{band.name} has no dark pixel to clamp"
        np.testing.assert_array_equal(belgium.band(band.name), values(dn, -1000), err_msg=band.name)


def test_the_cube_lies_unchanged_in_the_patches(belgium: TileYear, realdata: Path) -> None:
    """Repeated to 10 m again, native pixels are the cube: nothing is lost between its days and ours."""
    _, cube = belgium_cube(realdata)
    for name, size in BELGIUM_PIXELS.items():
        rows, columns = belgium_window(name)
        found = belgium.band(name)[:, rows, columns].repeat(size, 1).repeat(size, 2)[:, :66, :64]
        np.testing.assert_array_equal(found, cube[name], err_msg=name)
