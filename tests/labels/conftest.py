"""A small made-up country whose office publishes GeoPackages in EPSG:32631, and squares to declare in it."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
import yaml

from cropstack.errors import LedgerRow
from cropstack.files import read_ledger
from cropstack.labels.harmonise_parcels import harmonise_parcels

X0, Y0 = 600_000.0, 4_990_000.0  # in 31TFK
CROPS = """code,name,name_en,class_code,hcat,valid_from,valid_to,review,note
BLAT TOU,BLAT TOU,Soft wheat,110,3301010100,,,,
BLAT DE MORO,BLAT DE MORO,Maize,120,3301010600,,,,
ORDI,ORDI,Barley,150,3301010400,,,,
ARRÒS,ARRÒS,Rice,130,3301010700,,,,
GUARET SIE/ SUP. LLIURE SEMBRA,GUARET SIE/ SUP. LLIURE SEMBRA,Fallow,975,3301110000,,,,
GUIXES NO SIE O PEDREROL NO SIE,GUIXES NO SIE O PEDREROL NO SIE,Grass pea,790,3301090305,,,,
CARRETERA,CARRETERA,Road,exclude,,,,,no crop
"""


def square(column: float, row: float, side_m: float = 100.0) -> shapely.Polygon:
    """A square of the given side whose lower left corner is (column, row) × 200 m from the origin."""
    left, bottom = X0 + 200 * column, Y0 + 200 * row
    return shapely.box(left, bottom, left + side_m, bottom + side_m)


class Country:
    """A country folder and its declarations under `folder`; `harmonise` runs the step on them."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder
        self.root = root
        self.edition: dict[str, Any] = {
            "years": [2020],
            "files": ["dun{year}.gpkg"],
            "crs": "EPSG:32631",
            "columns": {"id": "ID", "code": "CULTIU", "name": None, "area": "HA"},
            "area_unit": "ha",
        }
        self.bounds = [0.0, 44.0, 6.0, 47.0]
        self.crops = CROPS

    def declare(
        self, rows: list[dict[str, Any]], *, crs: str | None = "EPSG:32631", name: str = "dun2020.gpkg"
    ) -> Path:
        """Write rows (geometry, CULTIU, and if given ID, HA) as the declaration."""
        path = self.folder / name
        frame = gpd.GeoDataFrame([{"ID": None, "HA": None} | row for row in rows], geometry="geometry", crs=crs)
        frame.to_file(path, layer="dun", engine="pyogrio", driver="GPKG")
        return path

    def harmonise(
        self,
        *declarations: Path,
        year: int = 2020,
        max_unknown_share: float = 0.05,
        allow_unreviewed: bool = False,
        simulated: bool = False,
        threads: int = 2,
    ) -> tuple[gpd.GeoDataFrame, list[LedgerRow]]:
        """Parcels and ledger."""
        source, crops = self.folder / "source.yaml", self.folder / "crops.csv"
        meaning = {"name": "DUN", "country_code": "ES", "bounds": self.bounds}
        meaning |= {"licence": "open", "attribution": "DUN {year}"}
        source.write_text(yaml.safe_dump(meaning | {"editions": [self.edition]}))
        crops.write_text(self.crops, encoding="utf-8")
        harmonise_parcels(
            list(declarations),
            source,
            self.root / "workflow/schemas/source.schema.yaml",
            crops,
            self.root / "taxonomy/classes.csv",
            self.folder / "parcels.parquet",
            self.folder / "ledger.csv",
            country="es_ct",
            year=year,
            max_unknown_share=max_unknown_share,
            allow_unreviewed=allow_unreviewed,
            simulated=simulated,
            threads=threads,
        )
        return gpd.read_parquet(self.folder / "parcels.parquet"), read_ledger(self.folder / "ledger.csv")


@pytest.fixture(name="square")
def square_fixture() -> Callable[..., shapely.Polygon]:
    return square


@pytest.fixture
def crop_table() -> str:
    return CROPS


@pytest.fixture
def country(tmp_path: Path, root: Path) -> Country:
    return Country(tmp_path, root)


@pytest.fixture
def zipped() -> Callable[[Path, dict[str, bytes]], Path]:
    """Write a zip with the given members."""

    def write(path: Path, members: dict[str, bytes]) -> Path:
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return path

    return write
