"""The object aggregated dataset against what GDAL reads from the JP2 and draws of the polygons."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.stats
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource

from cropstack.bands import FLAGS, S2_BAND, S2_BANDS
from cropstack.errors import ConfigError, CropstackError, MissingBand, SampleError
from cropstack.files import sha256
from cropstack.grid import tile_geobox
from cropstack.samples.aggregate_parcels import aggregate_parcels
from cropstack.samples.tables import read_about
from cropstack.samples.weigh_parcels import weigh_parcels

BANDS = [band.name for band in S2_BANDS]
LEFT_OUT = ["nodata", "defective", "saturated"]


def weigh(archive: Any, path: Path, weighting: str) -> Path:
    settings: dict[str, Any] = {"tile": "31TCG", "year": 2019, "size_px": 732, "weighting": weighting}
    weigh_parcels(archive.parcels, archive.tiles, archive.labels, path, **settings)
    return path


@pytest.fixture(scope="module")
def pixel(archive: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The aggregates of the simulated scene with pixel weights."""
    folder = tmp_path_factory.mktemp("pixel")
    aggregate_parcels(
        archive.scene,
        weigh(archive, folder / "w.h5", "pixel"),
        folder / "t.parquet",
        bands=BANDS,
        left_out_flags=LEFT_OUT,
    )
    return folder / "t.parquet"


def check(row: pd.Series, band: str, values: np.ndarray) -> None:
    """Compare a parcel's row with its 10 m pixels."""
    place = f"parcel {row.name} in {band}"
    if not len(values):
        assert row[f"{band}_n"] == 0, place
        assert np.isnan(row[[f"{band}_mean", f"{band}_std", f"{band}_skewness"]]).all(), place
        return
    assert row[f"{band}_mean"] == pytest.approx(values.mean(), rel=1e-6), place
    assert row[f"{band}_std"] == pytest.approx(values.std(), rel=1e-6, abs=1e-6), place
    if row[f"{band}_n"] >= 3 and np.ptp(values) > 0:
        assert row[f"{band}_skewness"] == pytest.approx(scipy.stats.skew(values), rel=1e-6, abs=1e-6), place
    else:
        assert np.isnan(row[f"{band}_skewness"]), place


def test_aggregates_of_200_parcels_equal_the_jp2_under_drawn_polygons(archive: Any, pixel: Path) -> None:
    """All awkward ones among them, in 13 bands; coarse ones repeated onto the 10 m grid, as the published code does."""
    table = pd.read_parquet(pixel).set_index("parcel_index")
    drawn = archive.membership().ravel()
    order = np.argsort(drawn, kind="stable")
    numbers = drawn[order]
    chosen = table.loc[[*table.index[:388:2], *archive.special.values()]]
    assert len(chosen) == 200
    for band in BANDS:
        factor = S2_BAND[band].resolution_m // 10
        values = archive.band(band).repeat(factor, axis=0).repeat(factor, axis=1).ravel()[order].astype(float)
        for number, row in chosen.iterrows():
            members = values[slice(*np.searchsorted(numbers, [number, number + 1]))]
            check(row, band, members[members > 0])
            if factor == 1:
                assert row[f"{band}_n"] == np.count_nonzero(members)


def test_awkward_parcels_are_rows_too(archive: Any, pixel: Path) -> None:
    table = pd.read_parquet(pixel).set_index("parcel_index")
    counts = {name: table.loc[number, "B02_n"] for name, number in archive.special.items()}
    assert counts["smaller than a pixel"] == counts["all in nodata"] == 0
    assert counts["one pixel"] == 1
    assert 0 < counts["half in nodata"] < 50 * 30
    assert 150 < counts["over the tile's corner"] <= 15 * 14  # the tile's part of it, less what smaller ones cover
    tiny = table.loc[archive.special["one pixel"]]
    assert [tiny[f"{band}_n"] for band in ("B02", "B05", "B01")] == [1, 1, 1]  # no coarse pixel has its centre there


def test_coverage_aggregates_equal_exactextract_on_the_jp2(archive: Any, tmp_path: Path) -> None:
    weights = weigh(archive, tmp_path / "w.h5", "coverage")
    aggregate_parcels(
        archive.scene, weights, tmp_path / "t.parquet", bands=["B8A", "B04", "B09"], left_out_flags=LEFT_OUT
    )
    table = pd.read_parquet(tmp_path / "t.parquet").set_index("parcel_index")
    polygons = archive.polygons().loc[table.index]
    for band in ("B04", "B8A", "B09"):
        grid = tile_geobox("31TCG", S2_BAND[band].resolution_m, size_px=732)
        source = {"nodata": 0, "srs_wkt": polygons.crs.to_wkt()}
        raster = NumPyRasterSource(archive.band(band), *grid.extent.boundingbox.bbox, **source)
        expected = exact_extract(raster, polygons, ["mean", "stdev", "values", "coverage"], output="pandas")
        number = [len(values) for values in expected["values"]]
        assert table[f"{band}_n"].tolist() == number
        np.testing.assert_allclose(table[f"{band}_mean"], expected["mean"].astype(float), rtol=1e-6)
        several = np.array(number) > 1
        np.testing.assert_allclose(table[f"{band}_std"][several], expected["stdev"][several].astype(float), rtol=1e-6)
        check_skewness(table[f"{band}_skewness"].to_numpy(), expected)


def check_skewness(found: np.ndarray, expected: pd.DataFrame) -> None:
    for row, values, shares in zip(found, expected["values"], expected["coverage"], strict=True):
        values = np.asarray(values, float)
        if len(values) < 3:
            assert np.isnan(row)
            continue
        mean = np.average(values, weights=shares)
        second, third = (np.average((values - mean) ** power, weights=shares) for power in (2, 3))
        assert row == pytest.approx(third / second**1.5, rel=1e-6, abs=1e-6)


def test_table_says_what_it_is_and_two_runs_give_the_same_bytes(archive: Any, pixel: Path, tmp_path: Path) -> None:
    about = read_about(pixel)
    assert about["scene"] == archive.scene.stem
    assert about["sensing_time"] == "2019-06-01T10:56:39.024000Z"
    assert (about["tile"], about["year"], about["weighting"]) == ("31TCG", 2019, "pixel")
    again = tmp_path / "again.parquet"
    aggregate_parcels(archive.scene, pixel.parent / "w.h5", again, bands=BANDS, left_out_flags=LEFT_OUT)
    assert sha256(again) == sha256(pixel)


# --- small scenes -----------------------------------------------------------------------------------------


@pytest.fixture
def small(build: SimpleNamespace, tmp_path: Path) -> SimpleNamespace:
    """One patch with two parcels of four pixels; reflectance is 100 times the row plus the column."""
    parcels = np.zeros((366, 366), int)
    parcels[0:2, 0:2], parcels[10:12, 10:12] = 1, 2
    frame = gpd.GeoSeries.from_wkt(["POINT (0 0)"] * 2)
    tables = build.parcels(tmp_path, frame, [110, 120], crs="EPSG:32631")
    tiles = build.tiles(tmp_path / "tiles.parquet", {1: "31TCG", 2: "31TCG"})
    labels = build.labels(tmp_path / "labels.nc", parcels)
    settings: dict[str, Any] = {"tile": "31TCG", "year": 2019, "size_px": 366, "weighting": "pixel"}
    weigh_parcels(tables, tiles, labels, tmp_path / "w.h5", **settings)
    values = 100 * np.arange(1, 367)[:, None] + np.arange(366)

    def run(*, sensing: str = "2019-05-01T10:56:00Z", **options: Any) -> pd.DataFrame:
        flags, scene = options.pop("flags", None), tmp_path / "scene.nc"
        tile, bands = options.pop("tile", "31TCG"), options.pop("bands", ["B02"])
        present = dict.fromkeys(options.pop("present", ["B02"]), values)
        build.scene(scene, sensing=sensing, bands=present, flags=flags, tile=tile)
        left_out = options.pop("left_out_flags", LEFT_OUT)
        aggregate_parcels(scene, tmp_path / "w.h5", tmp_path / "t.parquet", bands=bands, left_out_flags=left_out)
        return pd.read_parquet(tmp_path / "t.parquet")

    return SimpleNamespace(run=run, values=values, folder=tmp_path)


def test_clouds_stay_in_unless_the_recipe_leaves_them_out(small: SimpleNamespace) -> None:
    flags = np.zeros((366, 366), np.uint8)
    flags[0, 0], flags[0, 1] = FLAGS["opaque_cloud"], FLAGS["defective"]
    assert small.run(flags={10: flags})["B02_n"].tolist() == [3, 4]
    assert small.run(flags={10: flags}, left_out_flags=[*LEFT_OUT, "opaque_cloud"])["B02_n"].tolist() == [2, 4]
    assert small.run(flags={10: flags}, left_out_flags=[])["B02_mean"].tolist() == [150.5, 1160.5]


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"tile": "31TDG"}, SampleError, "is of 31TDG at 2019-05-01.*expected a scene of 31TCG in 2019"),
        ({"sensing": "2020-05-01T10:56:00Z"}, SampleError, "expected a scene of 31TCG in 2019"),
        ({"bands": ["B02", "B03"]}, MissingBand, "has no B03 at 10 m"),
        ({"bands": ["B13"]}, ConfigError, '"B13" is no band of Sentinel-2'),
        ({"left_out_flags": ["clouds"]}, ConfigError, '"clouds" is no flag of a scene'),
    ],
)
def test_wrong_inputs_are_named(small: SimpleNamespace, change: dict[str, Any], error: type, text: str) -> None:
    with pytest.raises(CropstackError, match=text) as caught:
        small.run(**change)
    assert caught.type is error


def test_a_scene_of_another_size_is_named(small: SimpleNamespace, build: SimpleNamespace, tmp_path: Path) -> None:
    scene = build.scene(tmp_path / "big.nc", sensing="2019-05-01T10:56:00Z", bands={"B02": np.ones((732, 732))})
    with pytest.raises(SampleError, match="has 732 × 732 px"):
        aggregate_parcels(scene, tmp_path / "w.h5", tmp_path / "t.parquet", bands=["B02"], left_out_flags=LEFT_OUT)


@pytest.mark.parametrize("how", ["cut", "hole", "text"])
@pytest.mark.parametrize("name", ["scene.nc", "w.h5"])
def test_a_damaged_file_is_named(small: SimpleNamespace, build: SimpleNamespace, how: str, name: str) -> None:
    small.run()
    files = [small.folder / "scene.nc", small.folder / "w.h5", small.folder / "none.parquet"]
    build.damage(small.folder / name, how)
    with pytest.raises(CropstackError, match=rf"{name}: (not readable as|.* do not fit a grid)"):
        aggregate_parcels(*files, bands=["B02"], left_out_flags=LEFT_OUT)
    assert not files[2].exists()


@pytest.mark.parametrize("lost", ["r10m/flags", "r10m"])
def test_a_scene_that_lacks_a_part_is_named(small: SimpleNamespace, lost: str) -> None:
    small.run()
    scene = small.folder / "scene.nc"
    with h5py.File(scene, "r+") as file:
        del file[lost]
    with pytest.raises(CropstackError, match=r"scene\.nc: (not readable as a grid of 10 m|has no B02 at 10 m)"):
        aggregate_parcels(
            scene, small.folder / "w.h5", small.folder / "t.parquet", bands=["B02"], left_out_flags=LEFT_OUT
        )


def test_weights_of_other_parcels_on_one_grid_are_refused(small: SimpleNamespace, build: SimpleNamespace) -> None:
    with h5py.File(small.folder / "w.h5", "r+") as file:
        file["r20m/parcel_index"][...] = [1, 3]
    bands = {"B02": small.values, "B05": small.values[:183, :183]}
    scene = build.scene(small.folder / "s.nc", sensing="2019-05-01T10:56:00Z", bands=bands)
    files = [scene, small.folder / "w.h5", small.folder / "t.parquet"]
    with pytest.raises(SampleError, match=r"w\.h5: r20m holds other parcels than r10m"):
        aggregate_parcels(*files, bands=list(bands), left_out_flags=LEFT_OUT)
