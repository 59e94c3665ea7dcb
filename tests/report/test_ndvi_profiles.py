"""Mean NDVI by class and month, against pandas."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cropstack.legend import LegendClass
from cropstack.report.ndvi_profiles import ndvi_profiles, read_ndvi, read_profiles

LEGEND = [LegendClass(1, "Cereals", "#000000", (110, 150)), LegendClass(2, "Grapes", "#111111", (330,))]
MONTHS = range(1, 13)


def some_series(
    path: Path, *, seed: int, parcels: int = 40, codes: tuple[int, ...] = (110, 150, 330, 998)
) -> pd.DataFrame:
    """A table of monthly series with months that were interpolated and bands that are missing."""
    rng = np.random.default_rng(seed)
    table: dict[str, Any] = {
        "parcel_index": np.arange(1, parcels + 1),
        "class_code": rng.choice(codes, parcels).astype(np.int32),
    }
    for month in MONTHS:
        for band, level in (("B04", 900), ("B08", 3000)):
            values = rng.normal(level, 200, parcels).astype(np.float32)
            table[f"{band}_{month:02d}_mean"] = np.where(rng.random(parcels) < 0.1, np.nan, values).astype(np.float32)
        table[f"{month:02d}_filled"] = rng.random(parcels) < 0.2
    frame = pd.DataFrame(table)
    frame.to_parquet(path)
    return frame


def of_pandas(frame: pd.DataFrame, codes: tuple[int, ...]) -> pd.DataFrame:
    """Number, mean and standard deviation by month, computed in another way."""
    rows = frame[frame["class_code"].isin(codes)]
    columns = {}
    for month in MONTHS:
        red, infrared = (rows[f"{band}_{month:02d}_mean"].astype(float) for band in ("B04", "B08"))
        columns[month] = ((infrared - red) / (infrared + red)).mask(rows[f"{month:02d}_filled"])
    ndvi = pd.DataFrame(columns)
    return pd.DataFrame({"count": ndvi.count(), "mean": ndvi.mean(), "std": ndvi.std(ddof=0)})


def some_inputs(composites: dict[tuple[str, int], Path]) -> Any:
    return SimpleNamespace(
        legend=LEGEND,
        tile_years=[("es_ct", tile, year) for tile, year in composites],
        files=SimpleNamespace(composites=composites),
        name_of=lambda country: f"Parcels of {country}",
    )


def test_mean_and_spread_of_a_class_over_two_tiles_equal_pandas(tmp_path: Path) -> None:
    frames = [some_series(tmp_path / f"{seed}.parquet", seed=seed) for seed in (1, 2)]
    profile = read_profiles([tmp_path / "1.parquet", tmp_path / "2.parquet"], LEGEND)["Cereals"]
    expected = of_pandas(pd.concat(frames), (110, 150))
    assert profile.count.tolist() == expected["count"].tolist()
    np.testing.assert_allclose(profile.mean, expected["mean"], rtol=1e-9)
    np.testing.assert_allclose(profile.deviation, expected["std"], rtol=1e-9)


def test_interpolated_month_is_no_measurement(tmp_path: Path) -> None:
    frame = some_series(tmp_path / "one.parquet", seed=3, parcels=1).fillna(1000)
    frame["07_filled"], frame["08_filled"] = True, False
    frame.to_parquet(tmp_path / "one.parquet")
    _, ndvi = read_ndvi(tmp_path / "one.parquet")
    assert np.isnan(ndvi[0, 6])
    assert np.isfinite(ndvi[0, 7])


def test_black_parcel_has_no_ndvi(tmp_path: Path) -> None:
    frame = some_series(tmp_path / "one.parquet", seed=3, parcels=1)
    frame[["B04_05_mean", "B08_05_mean", "05_filled"]] = 0.0, 0.0, False
    frame.to_parquet(tmp_path / "one.parquet")
    assert np.isnan(read_ndvi(tmp_path / "one.parquet")[1][0, 4])


def test_numbers_of_the_section_are_those_of_the_profiles(tmp_path: Path) -> None:
    frame = some_series(tmp_path / "31TCG.parquet", seed=4)
    values = ndvi_profiles(some_inputs({("31TCG", 2019): tmp_path / "31TCG.parquet"}))
    expected = of_pandas(frame, (330,))
    (row,) = next(crop for crop in values["crops"] if crop["name"] == "Grapes")["rows"]
    assert (row["area"], row["key"]) == ("es_ct 2019", "es_ct/2019")
    assert [float(cell["mean"]) for cell in row["cells"]] == pytest.approx(expected["mean"].tolist(), abs=5e-5)
    assert row["parcels"] == expected["count"].max()


def test_lines_of_regions_and_years_differ_by_dashes_and_carry_their_names(tmp_path: Path) -> None:
    for year in (2019, 2020):
        some_series(tmp_path / f"{year}.parquet", seed=year)
    values = ndvi_profiles(some_inputs({("31TCG", year): tmp_path / f"{year}.parquet" for year in (2019, 2020)}))
    drawing = values["crops"][0]["drawing"]
    assert drawing.count("<polyline") == 2
    assert drawing.count('stroke-dasharray="none"') == 1
    assert drawing.count(">es_ct 2019</text>") == drawing.count(">es_ct 2020</text>") == 1


def test_class_without_a_parcel_is_named_as_absent(tmp_path: Path) -> None:
    some_series(tmp_path / "one.parquet", seed=3, codes=(110,))
    values = ndvi_profiles(some_inputs({("31TCG", 2019): tmp_path / "one.parquet"}))
    assert ([crop["name"] for crop in values["crops"]], values["absent"]) == (["Cereals"], ["Grapes"])


def test_series_without_near_infrared_give_no_section(tmp_path: Path) -> None:
    pd.DataFrame({"parcel_index": [1], "class_code": [110]}).to_parquet(tmp_path / "bare.parquet")
    assert ndvi_profiles(some_inputs({("31TCG", 2019): tmp_path / "bare.parquet"})) == {}
