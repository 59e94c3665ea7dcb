"""What the offices of Catalonia and France publish of a declaration: columns, names of files, containers.

SOURCE: the columns, layers and member names of the DUN of 2023 and the RPG of 2022 as published; the DUN of 2019 was
a shapefile whose attributes are in CP1252.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cropstack.simulate.declaration_faults import NONE, Fault
from cropstack.simulate.declaration_files import scratch_folder, write_7z, write_geopackage, write_shapefile, write_zip
from cropstack.simulate.native_crops import ES_CT_2019, ES_CT_2020, FR, UNKNOWN, CropTable, NativeCrop
from cropstack.simulate.noise import uniforms

HECTARE_M2 = 10_000.0
Edition = dict[str, Any]  # an entry of source.yaml

# --- France: Registre parcellaire graphique ------------------------------------------------------------

FIRST_BIG_ID = 2**31 + 1_000
BIG_IDS, LETTER_IDS, ZERO_IDS = 0.04, 0.02, 0.02  # shares of parcels
CATCH_CROP_SHARE = 0.06
LOWER_CASE_SINCE = 2022  # names of columns and layer


def publish_rpg(declared: gpd.GeoDataFrame, path: Path, edition: Edition, *, year: int, seed: int) -> list[Fault]:
    """Write the RPG: a GeoPackage in a 7z archive. Return what in it is odd but no fault of a parcel.

    Parameters
    ----------
    declared : columns parcel_id, declared_id, code, group, area_m2, geometry.
    edition : of source.yaml.
    """
    place = declared["parcel_id"].to_numpy()
    has_catch_crop = uniforms(seed, "catch crop", place, year) < CATCH_CROP_SHARE
    parcels = gpd.GeoDataFrame(
        {
            "ID_PARCEL": declared["declared_id"],
            "SURF_PARC": (declared["area_m2"] / HECTARE_M2).round(2).astype(np.float32),
            "CODE_CULTU": declared["code"],
            "CODE_GROUP": declared["group"],
            "CULTURE_D1": _where(has_catch_crop, "DFV"),
            "CULTURE_D2": _where(has_catch_crop, "DRD"),
        },
        geometry=declared.geometry,
    )
    layer = edition["layer"].format(year=year)
    if year >= LOWER_CASE_SINCE:
        parcels, layer = parcels.rename(columns=str.lower), layer.lower()
    root = path.name.partition(".7z")[0]
    folder = f"{root}/RPG/1_DONNEES_LIVRAISON_{year + 1}-08-01/RPG_2-0_GPKG_LAMB93_FXX-{year}"
    with scratch_folder() as scratch:
        file = scratch / "PARCELLES_GRAPHIQUES.gpkg"
        write_geopackage(file, parcels, layer=layer, geometry_name="the_geom", tables={})
        write_7z(path, {f"{folder}/{file.name}": file})
    return _odd_ids(declared["declared_id"])


def rpg_ids(parcel_id: NDArray[np.int64], *, year: int, seed: int) -> NDArray[np.object_]:
    """Text ids, new every year: most small numbers, some beyond 2^31, with letters or with leading zeros."""
    place, back = np.unique(parcel_id, return_inverse=True)
    rank = np.argsort(np.argsort(uniforms(seed, "declared id", place, year), kind="stable"), kind="stable")
    kind = uniforms(seed, "kind of id", place, year)
    edges = np.cumsum([BIG_IDS, LETTER_IDS, ZERO_IDS])
    forms = [[f"{FIRST_BIG_ID + n}", f"{n:06d}A", f"00{n}", f"{n}"] for n in (17 + 3 * rank).tolist()]
    ids = [form[k] for form, k in zip(forms, np.searchsorted(edges, kind).tolist(), strict=True)]
    return np.array(ids, object)[back]


def _odd_ids(ids: pd.Series) -> list[Fault]:
    faults = []
    for row, text in enumerate(ids):
        if not text.isdigit():
            faults.append(Fault("id_with_letters", row, text, NONE))
        elif text.startswith("0"):
            faults.append(Fault("id_with_leading_zeros", row, text, NONE))
        elif int(text) >= 2**31:
            faults.append(Fault("id_beyond_int32", row, text, NONE))
    return faults


# --- Catalonia: Mapa de cultius, from the declaration DUN ----------------------------------------------

PLACES = (
    ("Lleida", "Segrià", "LLEIDA", "25900"),
    ("Lleida", "Pla d’Urgell", "MOLLERUSSA", "25137"),
    ("Lleida", "Noguera", "BALAGUER", "25040"),
    ("Lleida", "Urgell", "TÀRREGA", "25217"),
)
DBF_WIDTHS = {"PROVINCIA": 20, "COMARCA": 30, "MUNICIPI": 40, "GRUP": 25, "CULTIU": 30, "SECA_REGAD": 1}
IRRIGATED = ("CEREALS D’ESTIU", "HORTÍCOLES", "FARRATGERES")
CROP_NAMES = (
    ("BLAT TOU", "TRIGO BLANDO", "SOFT WHEAT"),
    ("BLAT DE MORO", "MAÍZ", "CORN"),
    ("CIVADA", "AVENA", "OAT"),
    ("COLZA", "COLZA", "COLZA"),
    ("GIRA-SOL", "GIRASOL", "SUNFLOWER"),
    ("ORDI", "CEBADA", "BARLEY"),
    ("PATATA", "PATATA", "POTATO"),
    ("PÈSOL", "GUISANTE", "PEA"),
    ("SORGO", "SORGO", "SORGHUM"),
    ("SÈGOL", "CENTENO", "RYE"),
    ("VINYA", "VIÑEDO", "VINEYARD"),
)
GROUP_NAMES = (
    ("CEREALS", "CEREALES", "CEREALS"),
    ("CEREALS D’ESTIU", "CEREALES DE VERANO", "SUMMER CEREALS"),
    ("FARRATGERES", "FORRAJERAS", "FORAGE CROPS"),
    ("GUARET", "BARBECHO", "LYING FALLOW"),
    ("HORTÍCOLES", "HORTICOLAS", "HORTICULTURAL CROPS"),
    ("OLEAGINOSES", "OLEAGINOSAS", "OIL PLANTS"),
    ("PROTEAGINOSES", "PROTEAGINOSAS", "PROTEIN PRODUCTS"),
    ("VINYA", "VIÑA", "VINEYARD"),
)
IRRIGATION_NAMES = (
    ("Aspersió", "Aspersión", "Spray irrigation"),
    ("Per inundació", "Por inundación", "Flood irrigation"),
    ("Secà, reg de suport", "Secano, riego de soporte", "Dryland, irrigation aid"),
)


def publish_dun(declared: gpd.GeoDataFrame, path: Path, edition: Edition, *, year: int, seed: int) -> list[Fault]:
    """Write the Mapa de cultius: a zipped shapefile or GeoPackage. As `publish_rpg`."""
    columns = _dun_columns(declared, year=year, seed=seed)
    stem = f"CULTIUS_DUN{year}"
    with scratch_folder() as scratch:
        if is_shapefile(path):
            table = columns[["campanya", "provincia", "comarca", "municipi", "grup", "cultiu", "seca_regad", "ha"]]
            parcels = table.rename(columns=str.upper).set_geometry(declared.geometry)
            file = scratch / f"{stem}.shp"
            files = write_shapefile(file, parcels, widths=DBF_WIDTHS, encoding=edition["encoding"])
            faults = _cut_names(declared["code"], DBF_WIDTHS["CULTIU"])
        else:
            file, faults = scratch / f"{stem}.gpkg", []
            layer = edition["layer"].format(year=year)
            parcels = columns.set_geometry(declared.geometry)
            write_geopackage(file, parcels, layer=layer, geometry_name="geom", tables=_dun_dictionaries(year))
            files = [file]
        write_zip(path, {f"{path.stem}/{file.name}": file for file in files})
    return faults


def is_shapefile(path: Path) -> bool:
    """Whether the office names this archive as one of shapefiles: those of 2019 and before say nothing."""
    return path.suffix.lower() == ".zip" and not path.stem.upper().endswith("_GPKG")


def _dun_columns(declared: gpd.GeoDataFrame, *, year: int, seed: int) -> gpd.GeoDataFrame:
    """The columns of 2023, in their order, without geometry."""
    number = (uniforms(seed, "municipality", declared["parcel_id"].to_numpy()) * len(PLACES)).astype(int)
    irrigated = declared["group"].isin(IRRIGATED).to_numpy()
    places = [[PLACES[n][part] for n in number] for part in range(4)]
    return gpd.GeoDataFrame(
        {
            "campanya": np.full(len(declared), year, np.int32),
            "provincia": places[0],
            "comarca": places[1],
            "municipi": places[2],
            "idmun": places[3],
            "grup": declared["group"].to_numpy(),
            "cultiu": declared["code"].to_numpy(),
            "seca_regad": np.where(irrigated, "R", "S"),
            "sist_regad": _where(irrigated, "ASPERSIÓ"),
            "varietat": "NO ESPECIFICADA",
            "producte2n": pd.Series([None] * len(declared), dtype=object),
            "ha": (declared["area_m2"] / HECTARE_M2).round(6).to_numpy(),
        }
    )


def _dun_dictionaries(year: int) -> dict[str, pd.DataFrame]:
    """The attribute-only layers, with the capitals that they have in 2023."""
    return {
        f"Cultiu_DUN{year}_CAT_CAS_ANG": pd.DataFrame(CROP_NAMES, columns=["CATALÀ", "CASTELLÀ", "ANGLÈS"]),
        f"Grups_DUN{year}_CAT_CAS_ANG": pd.DataFrame(GROUP_NAMES, columns=["Català", "Castellà", "Anglès"]),
        f"SistRegadiu_DUN{year}_CAT_CAS_ANG": pd.DataFrame(IRRIGATION_NAMES, columns=["Català", "Castellà", "Anglès"]),
    }


def _cut_names(names: pd.Series, width: int) -> list[Fault]:
    """One entry for the first parcel with each name that the column cuts."""
    first: dict[str, int] = {}
    for row, name in enumerate(names.fillna("")):
        if len(name) > width:
            first.setdefault(name, row)
    return [Fault("name_cut", row, name, "truncated", name[:width].rstrip()) for name, row in first.items()]


def _where(which: NDArray[np.bool_], word: str) -> NDArray[np.object_]:
    """`word` where true, null elsewhere."""
    return np.array([word if true else None for true in which.tolist()], object)


# --- the table of offices ------------------------------------------------------------------------------


def dun_crops(path: Path) -> CropTable:
    """Names of the DUN: those with focus areas in shapefiles, today's in GeoPackages."""
    return ES_CT_2019 if is_shapefile(path) else ES_CT_2020


Publisher = Callable[..., list[Fault]]
OFFICES: dict[str, tuple[Publisher, Callable[[Path], CropTable], tuple[NativeCrop, ...]]] = {
    "es_ct": (publish_dun, dun_crops, UNKNOWN["es_ct"]),
    "fr": (publish_rpg, lambda path: FR, UNKNOWN["fr"]),
}
