"""Roles of the columns of declarations, as offices name them."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from cropstack.labels.guess_columns import guess_columns, texts

AREA_M2 = np.array([10_000.0, 25_000.0, 5_000.0, 40_000.0])
CODES, NAMES = ["010", "200", "010", "200"], ["Winterweizen", "Mais", "Winterweizen", "Mais"]


def guess(**columns: list[object]) -> dict[str, object]:
    found = guess_columns(pd.DataFrame(columns), AREA_M2)
    assert found is not None
    return {role: getattr(found, role) for role in ("code", "name", "name_en", "hcat", "id", "area", "area_unit")}


def test_an_office_with_everything() -> None:
    found = guess(
        FID=[1, 2, 3, 4],
        PARCEL_ID=["a1", "a2", "a3", "a4"],
        CROP_CODE=CODES,
        CROP_NAME=NAMES,
        EC_trans_n=["Winter wheat", "Maize", "Winter wheat", "Maize"],
        EC_hcat_c=["3301010101", "3301010600", "3301010101", "3301010600"],
        AREA_HA=[1.0, 2.5, 0.5, 4.1],
    )
    assert found == {
        "code": "CROP_CODE",
        "name": "CROP_NAME",
        "name_en": "EC_trans_n",
        "hcat": "EC_hcat_c",
        "id": "PARCEL_ID",
        "area": "AREA_HA",
        "area_unit": "ha",
    }


def test_names_without_codes_are_the_codes() -> None:
    found = guess(cultiu=["BLAT DE MORO", "ORDI", "BLAT DE MORO", "ORDI"], municipi=["Lleida"] * 4)
    assert (found["code"], found["name"], found["id"], found["area"]) == ("cultiu", None, None, None)


def test_the_area_is_the_column_that_equals_the_geometry() -> None:
    found = guess(crop_code=CODES, area_eligible=[1.0, 2.0, 3.0, 4.0], surface=[10_050, 24_900, 5_010, 40_000])
    assert (found["area"], found["area_unit"]) == ("surface", "m2")


def test_an_id_that_stands_twice_is_none() -> None:
    assert guess(crop_code=CODES, parcel_id=["1", "2", "2", "3"])["id"] is None


def test_a_name_that_does_not_go_with_the_code_is_none() -> None:
    """The crop of the year before has the same words."""
    codes = [str(i % 7) for i in range(40)]
    before = [f"Kultur {'abcdefg'[i % 5]}bcd" for i in range(40)]
    found = guess_columns(pd.DataFrame({"crop_code": codes, "crop_name_before": before}), np.full(40, 1e4))
    assert found is not None
    assert found.name is None


def test_columns_that_hold_no_crop() -> None:
    assert guess_columns(pd.DataFrame({"length": [1.5, 2.5, 3.5, 4.5]}), AREA_M2) is None


def test_codes_stored_as_floats_are_whole() -> None:
    assert texts(pd.Series([593.0, np.nan, 7.0])).tolist() == ["593", "", "7"]
    assert texts(pd.Series([1.5])).tolist() == ["1.5"]
    assert texts(pd.Series([" a ", None])).tolist() == ["a", ""]


@pytest.mark.parametrize(
    ("file", "layer", "expected"),
    [
        ("nl/brpgewaspercelen_definitief_2023.gpkg", None, ("gewascode", "gewas", None, None)),
        ("hr/land_parcels.gpkg", None, ("land_use_id", None, None, "area")),
        ("pt/Continente.gpkg", "Culturas_Aveiro", ("CUL_CODIGO", "CT_português", "CUL_ID", "Shape_Area")),
        ("it_1/iti1_2023.parquet", None, ("original_code", None, "off_id", "area_ha")),
    ],
)
def test_real_declarations(realdata: Path, file: str, layer: str | None, expected: tuple[str | None, ...]) -> None:
    path = realdata / "lpis/fiboa-cli" / file
    frame = gpd.read_parquet(path) if path.suffix == ".parquet" else pyogrio.read_dataframe(path, layer=layer)
    plain = [name for name in frame if name != frame.geometry.name and not isinstance(frame[name].iloc[0], dict)]
    found = guess_columns(pd.DataFrame(frame[plain]), shapely.area(frame.geometry.to_numpy()))
    assert found is not None
    assert (found.code, found.name, found.id, found.area) == expected
