"""The archive of a tile-year: which acquisitions it has, what is wrong with them, and that a killed run resumes."""

import csv
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cropstack.bands import S2_BAND, S2_BANDS
from cropstack.errors import ConfigError
from cropstack.files import read_json
from cropstack.grid import PATCH_PX, tile_geobox
from cropstack.safe import L1CMetadata, open_safe, read_l1c
from cropstack.simulate.atmosphere import Sky, sky_over
from cropstack.simulate.render import product_of
from cropstack.simulate.schedule import Acquisition, acquisitions_of, plain_acquisitions
from cropstack.simulate.simulate_products import simulate_products
from cropstack.simulate.viewing import detector_raster

WORLD = {"tile": "31TCG", "year": 2019, "country": "es_ct", "size_px": 366, "seed": 11}
PARAMETERS: dict[str, Any] = {**WORLD, "threads": 1}
FOUR = ["cloudy", "split", "reprocessed", "edge"]

years = st.integers(2016, 2024)
seeds = st.integers(0, 2**31)


def kinds(acquisitions: list[Acquisition]) -> list[str]:
    return [one.kind for one in acquisitions]


# --- schedule -----------------------------------------------------------------------------------------


@settings(deadline=None)
@given(years, st.integers(12, 30), seeds)
def test_every_month_has_an_acquisition(year: int, count: int, seed: int) -> None:
    found = acquisitions_of(year, count, seed=seed)
    assert {one.datatake.month for one in found} == set(range(1, 13))
    assert len(found) == count
    assert {one.datatake.year for one in found} == {year}


@settings(deadline=None)
@given(years, st.integers(1, 30), seeds)
def test_acquisitions_differ_and_stand_in_order_of_time(year: int, count: int, seed: int) -> None:
    found = acquisitions_of(year, count, seed=seed)
    times = [one.datatake for one in found]
    assert times == sorted(set(times))
    ids = [product_of("31TCG", one, delivery, size_px=366).id for one in found for delivery in one.deliveries]
    assert len(ids) == len(set(ids))


@settings(deadline=None)
@given(years, st.integers(1, 30), seeds)
def test_absolute_orbits_belong_to_relative_orbits(year: int, count: int, seed: int) -> None:
    # Known from real names: S2A A013204 is R051, A026481 R029, A027984 R102; S2B A033753 R122, A014742 R130.
    shift = {"S2A": 2, "S2B": -27}
    real = {("S2A", 13204): 51, ("S2A", 26481): 29, ("S2A", 27984): 102, ("S2B", 33753): 122, ("S2B", 14742): 130}
    for (platform, orbit), relative in real.items():
        assert (orbit + shift[platform]) % 143 + 1 == relative
    for one in acquisitions_of(year, count, seed=seed):
        assert (one.absolute_orbit + shift[one.platform]) % 143 + 1 == one.relative_orbit


def test_a_real_overpass_is_in_the_schedule() -> None:
    # S2A_MSIL1C_20180101T105441_N0206_R051_T31TDH: Sentinel-2A passed on 1 January 2018.
    days = {(one.platform, one.datatake.date()) for one in plain_acquisitions(2018, 60, seed=1)}
    assert ("S2A", date(2018, 1, 1)) in days


def test_fifteen_acquisitions_hold_all_that_is_special() -> None:
    found = acquisitions_of(2019, 15, seed=11)
    assert sorted(kinds(found)) == sorted(
        ["reprocessed", "split", "edge", *["cloudy"] * 3, "reprocessed_only", *["plain"] * 8]
    )
    clear = {one.datatake.month for one in found if one.kind != "cloudy"}
    assert clear == set(range(1, 13))  # no month is lost to clouds


def test_four_acquisitions_hold_the_special_ones_first() -> None:
    assert sorted(kinds(acquisitions_of(2019, 4, seed=11))) == sorted(FOUR)
    assert kinds(acquisitions_of(2019, 1, seed=11)) == ["reprocessed"]


def test_only_the_copy_of_a_reprocessed_acquisition_carries_an_offset() -> None:
    one = next(one for one in acquisitions_of(2019, 4, seed=11) if one.kind == "reprocessed")
    products = [product_of("31TCG", one, delivery, size_px=366) for delivery in one.deliveries]
    assert [(p.processing_baseline, p.offset) for p in products] == [("02.08", 0), ("05.00", -1000)]
    assert products[0].generated < products[1].generated
    assert products[0].datatake == products[1].datatake


@pytest.mark.parametrize(
    ("day", "baseline"),
    [
        ((2018, 7, 1), "02.06"),
        ((2019, 7, 7), "02.07"),
        ((2019, 7, 9), "02.08"),
        ((2020, 6, 1), "02.09"),
        ((2022, 6, 1), "04.00"),
    ],
)
def test_originals_have_the_processing_baseline_of_their_day(day: tuple[int, int, int], baseline: str) -> None:
    found = plain_acquisitions(day[0], 60, seed=1)
    nearest = min(found, key=lambda one: abs(one.datatake - datetime(*day, 12, tzinfo=UTC)))
    assert nearest.deliveries[0].processing_baseline == baseline


def test_years_and_counts_without_overpasses_are_refused() -> None:
    with pytest.raises(ConfigError, match="2015"):
        acquisitions_of(2015, 4, seed=1)
    with pytest.raises(ConfigError, match="simulated acquisitions in 2019-01"):
        acquisitions_of(2019, 100, seed=1)


@pytest.mark.parametrize("size_px", [1098, 10980])
def test_the_swath_edge_leaves_some_patches_wholly_empty_and_some_full(size_px: int) -> None:
    edge = next(one for one in acquisitions_of(2019, 4, seed=11) if one.kind == "edge")
    product = product_of("31TCG", edge, edge.deliveries[0], size_px=size_px)
    seen = detector_raster(product.track, S2_BAND["B01"], tile_geobox("31TCG", 60, size_px=size_px)) > 0
    side = size_px // PATCH_PX[10]
    share = seen.reshape(side, 61, side, 61).mean((1, 3))
    assert (share == 0).any()
    assert (share == 1).any()
    assert 0.4 < seen.mean() < 0.6


def test_other_overpasses_see_the_whole_tile() -> None:
    for one in acquisitions_of(2019, 15, seed=11):
        product = product_of("31TCG", one, one.deliveries[0], size_px=10980)
        seen = detector_raster(product.track, S2_BAND["B12"], tile_geobox("31TCG", 60)) > 0
        assert seen.all() == (one.kind != "edge")


def test_bands_end_at_slightly_different_swath_edges() -> None:
    edge = next(one for one in acquisitions_of(2019, 4, seed=11) if one.kind == "edge")
    product = product_of("31TCG", edge, edge.deliveries[0], size_px=1098)
    geobox = tile_geobox("31TCG", 10, size_px=1098)
    blue, near_infrared = (detector_raster(product.track, S2_BAND[name], geobox) > 0 for name in ("B02", "B08"))
    assert 5_000 < (blue != near_infrared).sum() < 20_000


# --- sky ----------------------------------------------------------------------------------------------


def sky(cloud_share: float, *, zenith: float, azimuth: float) -> Sky:
    geobox = tile_geobox("31TCG", 60, size_px=1098)
    return sky_over(geobox, cloud_share=cloud_share, sun_zenith_deg=zenith, sun_azimuth_deg=azimuth, moment=7, seed=3)


def test_shadows_lie_away_from_the_sun() -> None:
    noon = sky(0.1, zenith=45, azimuth=180)
    north = noon.shadow[:-20] > 0.3  # 1200 m north: 20 pixels up
    south = noon.cloud[20:] > 0.5
    assert south.sum() > 500
    np.testing.assert_array_equal(north, south)


def test_clouds_cover_the_share_asked_for() -> None:
    some = sky(0.4, zenith=30, azimuth=150)
    assert (some.cloud > 0).mean() == pytest.approx(0.28, abs=0.001)
    assert (some.cirrus > 0).mean() == pytest.approx(0.12, abs=0.001)
    none = sky(0.0, zenith=30, azimuth=150)
    assert not none.cloud.any()
    assert not none.cirrus.any()


# --- the step -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tile-year with four acquisitions, six products."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate_products(folder / "31TCG_2019.json", acquisitions=4, **PARAMETERS)
    return folder


@pytest.fixture(scope="module")
def metadata(archive: Path) -> dict[str, L1CMetadata]:
    """Metadata by product id, read as any product's."""
    found = {}
    for path in (archive / "31TCG_2019").glob("*.SAFE"):
        with open_safe(path) as files:
            found[path.stem] = read_l1c(files)
    return found


def truth(archive: Path, fault: str) -> list[dict[str, str]]:
    with open(archive / "31TCG_2019_truth.csv", encoding="utf-8", newline="") as handle:
        return [row for row in csv.DictReader(handle) if row["fault"] == fault]


def pixels(archive: Path, metadata: dict[str, L1CMetadata], product: str, band: str) -> NDArray[np.uint16]:
    with rasterio.open(archive / "31TCG_2019" / f"{product}.SAFE" / metadata[product].band_files[band]) as file:
        return np.asarray(file.read(1))


def test_the_listing_names_every_product_with_size_and_stamp(archive: Path, metadata: dict[str, L1CMetadata]) -> None:
    listing = read_json(archive / "31TCG_2019.json")
    assert {Path(row["path"]).stem for row in listing["products"]} == set(metadata)
    for row in listing["products"]:
        files = [file for file in (archive / row["path"]).rglob("*") if file.is_file()]
        assert row["size_bytes"] == sum(file.stat().st_size for file in files)
        assert re.fullmatch("sha256:[0-9a-f]{64}", row["stamp"])
    with open(archive / "31TCG_2019_truth.csv", encoding="utf-8", newline="") as handle:
        assert list(csv.DictReader(handle)) == listing["truth"]


def test_metadata_say_what_the_names_say(metadata: dict[str, L1CMetadata]) -> None:
    for name, found in metadata.items():
        assert found.product_id == name
        assert name.split("_")[2:6] == [
            found.datatake,
            f"N{found.processing_baseline.replace('.', '')}",
            f"R{found.relative_orbit:03d}",
            "T31TCG",
        ]


def test_masks_are_gml_before_and_rasters_from_processing_baseline_0400(metadata: dict[str, L1CMetadata]) -> None:
    for found in metadata.values():
        suffix = "jp2" if found.processing_baseline >= "04.00" else "gml"
        assert {name.rpartition(".")[2] for name in found.masks.values()} == {suffix}
    assert {found.processing_baseline for found in metadata.values()} == {"02.07", "02.08", "05.00"}


def test_exactly_the_cloudy_acquisition_is_over_ten_percent(archive: Path, metadata: dict[str, L1CMetadata]) -> None:
    cloudy = truth(archive, "cloudy")
    assert [row["expected"] for row in cloudy] == ["cloud"]
    said = {name: f"{found.cloud:.1f} percent of the pixels with data" for name, found in metadata.items()}
    assert {row["unit"] for row in cloudy} == {name for name, found in metadata.items() if found.cloud > 10}
    assert [row["detail"] for row in cloudy] == [said[row["unit"]] for row in cloudy]


def test_the_reprocessed_copy_is_brighter_and_shifted(archive: Path, metadata: dict[str, L1CMetadata]) -> None:
    rows = {row["expected"]: row["unit"] for row in truth(archive, "reprocessed")}
    old = pixels(archive, metadata, rows["older_processing_baseline"], "B08")[200:].astype(float)
    new = pixels(archive, metadata, rows["none"], "B08")[200:].astype(float)
    same_ground = old < 8_000
    np.testing.assert_allclose((new - 1000)[same_ground], 1.025 * old[same_ground], atol=3)
    assert metadata[rows["none"]].offsets == {band.name: -1000 for band in S2_BANDS}
    assert metadata[rows["none"]].datatake == metadata[rows["older_processing_baseline"]].datatake


def test_the_parts_of_a_split_datatake_complement_each_other(archive: Path, metadata: dict[str, L1CMetadata]) -> None:
    north, south = (row["unit"] for row in truth(archive, "split_datatake"))
    assert metadata[north].datatake == metadata[south].datatake
    assert metadata[north].generated < metadata[south].generated
    first, second = (pixels(archive, metadata, name, "B08") for name in (north, south))
    both = (first > 0) & (second > 0)
    assert ((first > 0) | (second > 0)).all()
    assert both.sum() == pytest.approx(60 * 366 / np.cos(np.radians(13.5)), rel=0.02)  # 600 m along the path
    differing = second[both] / first[both] - 1
    assert np.median(differing) == pytest.approx(0.01, abs=0.001)  # so that the wrong order shows
    assert not metadata[north].footprint.equals(metadata[south].footprint)


def test_saturated_and_degraded_pixels_are_those_of_the_truth(archive: Path, metadata: dict[str, L1CMetadata]) -> None:
    saturated = {row["unit"]: counts(row) for row in truth(archive, "saturated")}
    assert {metadata[name].processing_baseline for name in saturated} == {"02.07", "05.00"}
    for name, expected in saturated.items():
        found = {band.name: int((pixels(archive, metadata, name, band.name) == 65_535).sum()) for band in S2_BANDS}
        assert {band: count for band, count in found.items() if count} == expected
    degraded = {row["unit"] for row in truth(archive, "degraded")}
    assert degraded == {name for name, found in metadata.items() if found.degraded_percent > 0}
    assert {metadata[name].processing_baseline for name in degraded} == {"02.07", "05.00"}


def counts(row: dict[str, str]) -> dict[str, int]:
    """Pixels by band, from a truth row's detail."""
    return {band: int(count) for band, count in re.findall(r"(B\w\w) (\d+)", row["detail"])}


def test_dark_pixels_fall_below_one_when_the_offset_is_added(archive: Path, metadata: dict[str, L1CMetadata]) -> None:
    (row,) = truth(archive, "dark")
    for band, count in counts(row).items():
        found = pixels(archive, metadata, row["unit"], band).astype(int)
        assert int(((found > 0) & (found - 1000 < 1)).sum()) == count, band
    assert counts(row)["B04"] > 100


def snapshot(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_rerun_leaves_equal_products_untouched_and_makes_the_missing_one_again(archive: Path, tmp_path: Path) -> None:
    subprocess.run(["cp", "-a", f"{archive}/.", str(tmp_path)], check=True)
    lost = min((tmp_path / "31TCG_2019").glob("*.json"))
    lost.unlink()
    before = {file: file.stat() for file in (tmp_path / "31TCG_2019").rglob("*") if file.is_file()}
    simulate_products(tmp_path / "31TCG_2019.json", acquisitions=4, **PARAMETERS)
    changed = {file for file, stat in before.items() if file.stat().st_ino != stat.st_ino}
    assert {file.relative_to(tmp_path / "31TCG_2019").parts[0] for file in changed} == {f"{lost.stem}.SAFE"}
    assert snapshot(tmp_path) == snapshot(archive)


def test_another_seed_makes_every_product_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listing = tmp_path / "31TCG_2019.json"
    simulate_products(listing, acquisitions=1, **PARAMETERS)
    first = read_json(listing)["products"]
    simulate_products(listing, acquisitions=1, **{**PARAMETERS, "seed": 12})
    assert "0 of them already there" in capsys.readouterr().out.splitlines()[-3]
    assert {row["stamp"] for row in read_json(listing)["products"]}.isdisjoint(row["stamp"] for row in first)


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    listing = tmp_path / "31TCG_2019.json"
    arguments = {"acquisitions": 4, **PARAMETERS}
    program = (
        "from pathlib import Path; from cropstack.simulate.simulate_products import simulate_products as run; "
        f"run(Path({str(listing)!r}), **{arguments!r})"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("3/6"):  # two are finished, the third has begun
            os.kill(process.pid, signal.SIGKILL)
            break
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    assert not listing.exists()
    finished = {file: file.stat().st_ino for file in (tmp_path / "31TCG_2019").rglob("*") if file.is_file()}
    assert len(list((tmp_path / "31TCG_2019").glob("*.json"))) == 2
    simulate_products(listing, **arguments)
    kept = [file for file, inode in finished.items() if file.exists() and file.stat().st_ino == inode]
    assert len([file for file in kept if file.suffix == ".json"]) == 2
    assert snapshot(tmp_path) == snapshot(archive)
