"""Sen4AgriNet's own loader opens our patches: values equal monthly medians that numpy computes from the files.

Needs a checkout of Orion-AI-Lab/S4A (CROPSTACK_S4A, else ../S4A beside the repository) and torch. Results of a build
are tested too where CROPSTACK_RESULTS names their folder, such as results/sen4agrinet.
"""

import importlib.util
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

BANDS = ("B02", "B03", "B04", "B08")
MONTHLY = [f"{month:02d}-14" for month in range(1, 13)]
# None in February and December: the loader interpolates the one and extrapolates the other. 25 s of CPU an item.
WITH_GAPS = [date for date in MONTHLY if date[:2] not in {"02", "12"}] + ["01-01", "03-30"]


@pytest.fixture(scope="module")
def s4a(root: Path) -> Path:
    checkout = Path(os.environ.get("CROPSTACK_S4A", root.parent / "S4A"))
    if not (checkout / "patches_dataset.py").is_file():
        pytest.skip(f"no checkout of Orion-AI-Lab/S4A at {checkout}; name its folder in CROPSTACK_S4A")
    missing = [name for name in ("torch", "pytorch_lightning", "tqdm") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"S4A's loader needs {', '.join(missing)}, which are not installed")
    return checkout


@pytest.fixture(scope="module")
def results() -> Path:
    folder = os.environ.get("CROPSTACK_RESULTS")
    if not folder:
        pytest.skip("CROPSTACK_RESULTS names no folder with a build's results")
    return Path(folder)


def run_loader(s4a: Path, coco: Path, data: Path, output: Path, number: int) -> dict[str, np.ndarray]:
    """Items of the loader, in a process of its own; warnings of its libraries are not ours."""
    driver = Path(__file__).with_name("drive_s4a.py")
    command = [sys.executable, driver, s4a, coco.resolve(), data.resolve(), output, number, 16]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=s4a, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(output) as items:
        return dict(items)


def monthly_medians(values: np.ndarray, times: list[datetime], year: int) -> np.ndarray:
    """Medians (month, y, x) of reflectance × 10 000 (time, y, x), as the loader defines them.

    0 is nodata. A month is open at its first instant and closed at the next month's. Months without a value are
    interpolated linearly between the starts of months, and extrapolated at the ends of the year.
    """
    stack = np.where(values == 0, np.nan, values).astype(np.float32)
    starts = [datetime(year, month, 1) for month in range(1, 13)] + [datetime(year + 1, 1, 1)]
    medians = np.full((12, *values.shape[1:]), np.nan, np.float32)
    for month in range(12):
        inside = [starts[month] < time <= starts[month + 1] for time in times]
        some = ~np.isnan(stack[inside]).all(axis=0) if any(inside) else np.zeros(values.shape[1:], bool)
        medians[month][some] = np.nanmedian(stack[inside][:, some], axis=0)
    days = np.array([(start - starts[0]).days for start in starts[:12]], float)
    filled = medians.reshape(12, -1)
    for pixel in np.flatnonzero(np.isnan(filled).any(axis=0)):
        filled[:, pixel] = fill(days, filled[:, pixel])
    return medians


def fill(days: np.ndarray, series: np.ndarray) -> np.ndarray:
    """Linear interpolation of NaN, with the outermost two values carried on at the ends; unchanged below two values."""
    known = np.flatnonzero(~np.isnan(series))
    if len(known) < 2:
        return series
    filled = np.interp(days, days[known], series[known])
    for here, (a, b) in ((days < days[known[0]], known[:2]), (days > days[known[-1]], known[-2:])):
        slope = (float(series[b]) - float(series[a])) / (days[b] - days[a])
        filled[here] = series[a] + slope * (days[here] - days[a])
    return filled.astype(np.float32)


def read_patch(path: Path) -> SimpleNamespace:
    """Bands, times, year and labels of a patch file, by h5py alone."""
    with h5py.File(path) as file:
        micros = file["B02/time"][...].tolist()
        times = [datetime(1970, 1, 1) + timedelta(microseconds=micro) for micro in micros]
        bands = {band: file[f"{band}/{band}"][...] for band in BANDS}
        labels, parcels = file["labels/labels"][...], file["parcels/parcels"][...]
        return SimpleNamespace(
            times=times, bands=bands, labels=labels, parcels=parcels, year=int(file.attrs["patch_year"])
        )


def check_items(items: dict[str, np.ndarray], data: Path) -> None:
    assert items["medians"].shape[1:] == (6, 4, 61, 61)
    encoder = dict(items["encoder"].tolist())
    for number, name in enumerate(items["names"]):
        patch = read_patch(data / str(name))
        row, column = divmod(int(items["subpatch"][number]), 6)
        cell = np.s_[row * 61 : (row + 1) * 61, column * 61 : (column + 1) * 61]
        start = int(items["start"][number])
        for index, band in enumerate(BANDS):
            values = patch.bands[band][:, *cell]
            expected = monthly_medians(values, patch.times, patch.year)[start : start + 6] / np.float32(10_000)
            np.testing.assert_allclose(items["medians"][number][:, index], expected, rtol=1e-6, atol=1e-7)
        labels = np.vectorize(lambda code: encoder.get(code, 0))(patch.labels[cell])
        np.testing.assert_array_equal(items["labels"][number], labels)
        np.testing.assert_array_equal(items["parcels"][number], patch.labels[cell] != 0)
        np.testing.assert_array_equal(items["parcels"][number], patch.parcels[cell] != 0)


@pytest.mark.parametrize(("dates", "number"), [(MONTHLY, 20), (WITH_GAPS, 2)], ids=["monthly", "with gaps"])
def test_items_are_monthly_medians_and_labels_of_a_small_build(
    s4a: Path, build: SimpleNamespace, dates: list[str], number: int, tmp_path: Path
) -> None:
    small = build.dataset(tmp_path, dates).result("")
    coco = small / "scenario1_coco_train.json"
    items = run_loader(s4a, coco, small / "data", tmp_path / "items.npz", number)
    assert len(items["names"]) == number
    assert items["length"] == len(json.loads(coco.read_text())["images"]) * 36 * 7  # sub-patches, windows of 6 months
    check_items(items, small / "data")


@pytest.mark.parametrize(("scenario", "number"), [("scenario1", 20), ("scenario2", 2), ("scenario3", 2)])
def test_items_are_monthly_medians_and_labels_of_a_build(
    s4a: Path, results: Path, scenario: str, number: int, tmp_path: Path
) -> None:
    coco = results / f"{scenario}_coco_test.json"
    items = run_loader(s4a, coco, results / "data", tmp_path / "items.npz", number)
    assert len(items["names"]) == number
    check_items(items, results / "data")


def test_an_acquisition_at_the_first_instant_of_a_month_counts_for_the_month_before() -> None:
    values = np.array([1000, 3000, 5000], "u2").reshape(3, 1, 1)
    times = [datetime(2019, 1, 1), datetime(2019, 2, 1), datetime(2019, 3, 1, 10)]
    medians = monthly_medians(values, times, 2019)[:, 0, 0]
    assert medians[0] == 3000  # 1 January, 00:00 is in no month
    assert medians[1] == pytest.approx(3000 + 2000 * 31 / 59)  # February is interpolated between January and March
    assert medians[2] == 5000
    assert medians[3] == pytest.approx(3000 + 2000 * 90 / 59)  # and April extrapolated
