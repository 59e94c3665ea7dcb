"""Drawing of parcels, and their layout by UMAP."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import silhouette_score

from cropstack.errors import SampleError
from cropstack.files import sha256
from cropstack.legend import LegendClass
from cropstack.report.embed_samples import draw, embed_samples, read_series
from cropstack.report.umap_layout import FEWEST, lay_out

# umap tells on import that it has no TensorFlow, which only its parametric variant needs.
pytestmark = pytest.mark.filterwarnings("ignore:Tensorflow not installed:ImportWarning")

ROOT = Path(__file__).parents[2]
LEGEND = [LegendClass(1, "Wheat", "#000000", (110,)), LegendClass(2, "Maize", "#111111", (120,))]
BANDS, MONTHS = ["B04", "B08"], [4, 5]
TILE_YEARS = [("es_ct", "31TCG", 2019), ("fr", "31TCJ", 2019)]
FEATURES = [f"{band}_{month:02d}_{name}" for month in MONTHS for band in BANDS for name in ("mean", "std")]


def write_series(path: Path, *, parcels: int, seed: int) -> Path:
    """Wheat and maize in turns, far apart; each tenth parcel is of a class outside the legend."""
    rng = np.random.default_rng(seed)
    codes = np.where(np.arange(parcels) % 2, 110, 120)
    codes[::10] = 998
    values = rng.normal(2000, 100, (parcels, len(FEATURES))) + np.where(codes == 110, 3000, 0)[:, None]
    frame = pd.DataFrame(values.astype(np.float32), columns=FEATURES)
    frame.insert(0, "parcel_index", np.arange(1, parcels + 1))
    frame.insert(1, "class_code", codes.astype(np.int32))
    frame.to_parquet(path)
    return path


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("embedding")
    rows = [
        ("scenario1", country, tile, year, parcel, ("train", "val", "test", "")[parcel % 4], "")
        for country, tile, year in TILE_YEARS
        for parcel in range(1, 121)
    ] + [("scenario3", "fr", "31TCJ", 2019, parcel, "train", "") for parcel in range(1, 121)]
    columns = ["scenario", "country", "tile", "year", "parcel_index", "split", "reason"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "parcel_splits.csv", index=False)
    return {
        "composites": [
            write_series(folder / f"{t}_{y}.parquet", parcels=120, seed=i) for i, (_, t, y) in enumerate(TILE_YEARS)
        ],
        "parcel_splits": folder / "parcel_splits.csv",
        "legend": ROOT / "taxonomy/legends/sen4agrinet11.csv",
        "classes": ROOT / "taxonomy/classes.csv",
        "tile_years": TILE_YEARS,
        "bands": BANDS,
        "months": MONTHS,
        "per_stratum": 20,
        "seed": 11,
    }


@pytest.fixture(scope="module")
def embedding(dataset: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("embedding") / "first.parquet"
    embed_samples(**dataset, embedding=path)
    return path


def test_classes_regions_and_years_have_equal_limits(embedding: Path) -> None:
    sizes = pd.read_parquet(embedding).groupby(["class", "country", "year"]).size()
    assert sizes.to_dict() == {(c, a, 2019): 20 for c in ("Maize", "Wheat") for a in ("es_ct", "fr")}


def test_classes_that_lie_apart_in_reflectance_lie_apart_in_the_layout(embedding: Path) -> None:
    table = pd.read_parquet(embedding)
    assert silhouette_score(table[["x", "y"]], table["class"]) > 0.5


def test_splits_are_those_of_the_parcels_and_empty_outside_a_scenario(embedding: Path, dataset: dict[str, Any]) -> None:
    table = pd.read_parquet(embedding)
    splits = pd.read_csv(dataset["parcel_splits"], keep_default_na=False)
    for scenario in ("scenario1", "scenario3"):
        known = splits[splits["scenario"] == scenario].set_index(["tile", "parcel_index"])["split"].to_dict()
        keys = zip(table["tile"], table["parcel_index"], strict=True)
        assert table[f"split_{scenario}"].tolist() == [known.get(key, "") for key in keys]
    assert set(table.loc[table["country"] == "es_ct", "split_scenario3"]) == {""}


def test_two_runs_give_the_same_bytes(embedding: Path, dataset: dict[str, Any], tmp_path: Path) -> None:
    embed_samples(**dataset, embedding=tmp_path / "second.parquet")
    assert sha256(tmp_path / "second.parquet") == sha256(embedding)


def test_another_seed_draws_other_parcels() -> None:
    units = pd.DataFrame({"country": "fr", "tile": "31TCJ", "year": 2019, "parcel_index": range(100), "class": "Wheat"})
    first, again, other = (draw(units, per_stratum=10, seed=seed).tolist() for seed in (1, 1, 2))
    assert first == again == sorted(first)
    assert first != other


def test_parcels_that_come_later_push_none_of_those_before_them_in_hash_order() -> None:
    units = pd.DataFrame({"country": "fr", "tile": "31TCJ", "year": 2019, "parcel_index": range(100), "class": "Wheat"})
    few = set(draw(units[:50], per_stratum=10, seed=1).tolist())
    many = set(draw(units, per_stratum=10, seed=1).tolist())
    assert {parcel for parcel in many if parcel < 50} <= few


def test_series_are_reflectance_and_incomplete_ones_are_left_out(tmp_path: Path) -> None:
    path = write_series(tmp_path / "one.parquet", parcels=20, seed=1)
    frame = pd.read_parquet(path)
    frame.loc[3, "B08_05_std"] = np.nan
    frame.to_parquet(path)
    units, series = read_series(path, LEGEND, bands=BANDS, months=MONTHS)
    kept = frame[(frame["class_code"] != 998) & frame[FEATURES].notna().all(axis=1)]
    assert units["parcel_index"].tolist() == kept["parcel_index"].tolist()
    assert 4 not in set(units["parcel_index"])
    np.testing.assert_allclose(series, kept[FEATURES] / 10_000, rtol=1e-6)


def test_too_few_parcels_give_a_table_without_rows(dataset: dict[str, Any], tmp_path: Path) -> None:
    few = {"per_stratum": 2, "embedding": tmp_path / "few.parquet"}
    embed_samples(**{**dataset, **few})
    table = pd.read_parquet(tmp_path / "few.parquet")
    assert table.empty
    assert {"class", "country", "year", "x", "y"} <= set(table.columns)
    assert np.isnan(lay_out(np.zeros((FEWEST - 1, 4), np.float32), seed=1)).all()


def test_table_without_a_band_is_named(tmp_path: Path) -> None:
    path = write_series(tmp_path / "one.parquet", parcels=20, seed=1)
    with pytest.raises(SampleError, match=r"one\.parquet: has no column B11_04_mean"):
        read_series(path, LEGEND, bands=["B11"], months=MONTHS)
