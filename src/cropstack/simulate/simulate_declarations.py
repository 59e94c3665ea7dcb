"""Write what farmers declared on the simulated fields, as the office of a country publishes it, errors included.

The truth table beside it (`<file>.truth.csv`) lists every fault: what it is, which unit it hit, and the reason
under which a ledger must show it ("none": nothing to repair or reject). A unit is the declared id, or `row <n>`
counted from 1 where the office publishes none; for codes that cannot be read it is the code, as in a ledger.
"""

from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely
import yaml

from cropstack.errors import ConfigError
from cropstack.files import write_csv
from cropstack.simulate.declaration_faults import put_faults
from cropstack.simulate.native_crops import CropTable, choose_crops
from cropstack.simulate.offices import OFFICES, is_shapefile, rpg_ids
from cropstack.simulate.world import tile_parcels
from cropstack.step import step

TRUTH_COLUMNS = ["fault", "unit", "detail", "expected"]
MILLIMETRE = 0.001


def simulate_declarations(
    source: Path, declarations: Path, *, country: str, year: int, tiles: list[str], size_px: int, seed: int
) -> None:
    """Write the declarations of a country and year, and their truth table.

    Parameters
    ----------
    source : the country's source.yaml; its edition of the year gives CRS, layer and encoding.
    declarations : .7z.001 (RPG), or .zip with a GeoPackage where the name ends in _GPKG, else a shapefile (DUN).
    tiles : MGRS cells whose fields are declared.

    Raises
    ------
    ConfigError : a country whose office is not simulated, a year without edition, an edition of several files.
    """
    if country not in OFFICES:
        raise ConfigError(f'no office is simulated for country "{country}"; there are {", ".join(sorted(OFFICES))}')
    publish, crops_of_file, unknown = OFFICES[country]
    edition = _edition(source, year)
    fields = true_fields(tiles, year, country=country, size_px=size_px, seed=seed, crs=edition["crs"])
    declared = _name_crops(fields, crops_of_file(declarations), seed=seed)
    declared, faults = put_faults(
        declared, unknown=unknown, altitudes=not is_shapefile(declarations), year=year, seed=seed
    )
    declared["declared_id"] = rpg_ids(declared["parcel_id"].to_numpy(), year=year, seed=seed)
    faults += publish(declared, declarations, edition, year=year, seed=seed)
    has_ids = edition["columns"]["id"] is not None
    names = list(declared["declared_id"]) if has_ids else [f"row {row}" for row in range(1, len(declared) + 1)]
    units = [names[fault.position] if fault.unit is None else fault.unit for fault in faults]
    rows = sorted((fault.kind, unit, fault.detail, fault.expected) for fault, unit in zip(faults, units, strict=True))
    write_csv(declarations.with_name(f"{declarations.name}.truth.csv"), TRUTH_COLUMNS, rows)


def true_fields(tiles: list[str], year: int, *, country: str, size_px: int, seed: int, crs: str) -> gpd.GeoDataFrame:
    """Fields of all tiles, each once, in `crs` with coordinates in whole mm, sorted by parcel_id.

    ASSUME: the tiles lie in one UTM zone; fields of two zones would overlap where the zones do.
    """
    frames = [tile_parcels(tile, year, country=country, size_px=size_px, seed=seed).to_crs(crs) for tile in tiles]
    fields = pd.concat(frames).drop_duplicates("parcel_id").sort_values("parcel_id", ignore_index=True)
    geometry = shapely.set_precision(fields.geometry.to_numpy(), MILLIMETRE)
    return gpd.GeoDataFrame(fields.drop(columns="geometry"), geometry=geometry, crs=crs)


def _edition(source: Path, year: int) -> dict[str, Any]:
    """The entry of source.yaml for a year; the workflow has validated the file."""
    for edition in yaml.safe_load(source.read_text(encoding="utf-8"))["editions"]:
        if year in edition["years"]:
            if len(edition["files"]) > 1:
                raise ConfigError(f"{source}: the edition of {year} has several files; the simulation writes one")
            return dict(edition)
    raise ConfigError(f"{source}: no edition for {year}. Add one, or take another year.")


def _name_crops(fields: gpd.GeoDataFrame, crops: CropTable, *, seed: int) -> gpd.GeoDataFrame:
    """Add code and group as declared, and the declared area."""
    natives = choose_crops(fields["class_code"].to_numpy(), fields["parcel_id"].to_numpy(), crops, seed=seed)
    return fields.assign(
        code=[crop.code for crop in natives], group=[crop.group for crop in natives], area_m2=fields.geometry.area
    )


if __name__ == "__main__":
    step(simulate_declarations, snakemake)  # noqa: F821
