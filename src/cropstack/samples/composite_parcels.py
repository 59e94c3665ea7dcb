"""Monthly series of every parcel: medians over a month's acquisitions of the parcel's mean and standard deviation.

Sen4AgriNet, section VI: "aggregated the data into 12 time-bins by calculating the median of each month". A month is
that of the sensing time in UTC. Months without a valid value lie on the line between the nearest ones (at the ends:
equal the nearest) and are flagged; the published code extrapolates there.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from cropstack.errors import SampleError
from cropstack.product import parse_time
from cropstack.samples.medians import fill_linear, median_over_time
from cropstack.samples.tables import read_about, read_columns, write_table
from cropstack.step import step

MONTHS = 12
STATISTICS = ("mean", "std")


def composite_parcels(
    aggregates: list[Path], parcels: Path, composites: Path, *, tile: str, year: int, bands: list[str]
) -> None:
    """Write a row per parcel: parcel_index, class_code, ``<band>_<MM>_mean`` and ``_std`` (float32), ``<MM>_filled``.

    MM runs from 01 to 12. ``<MM>_filled`` is true where a band's value of that month is interpolated. A band of which
    the parcel has no value in the whole year stays NaN, and is not called filled.

    Parameters
    ----------
    aggregates : what aggregate_parcels wrote for the scenes of this tile and year.
    bands : names, in the order of the columns.

    Raises
    ------
    SampleError : no table, tables of other tiles or years, of one acquisition or of different parcels; a parcel without
    a class, or twice. CropstackError : a cut or damaged file.
    """
    months = _months(aggregates, tile=tile, year=year)
    index = _parcel_index(aggregates)
    columns = {"parcel_index": index, "class_code": read_class_codes(parcels, index)}
    filled = np.zeros((MONTHS, len(index)), bool)
    for band in bands:
        columns |= _band_columns(aggregates, months, band, filled)
    columns |= {f"{month:02d}_filled": filled[month - 1] for month in range(1, MONTHS + 1)}
    empty = sorted(set(range(1, MONTHS + 1)) - set(months))
    about = {"tile": tile, "year": year, "months_without_acquisition": empty}
    write_table(composites, columns, about)
    print(f"{tile} {year}: {len(index)} parcels, {len(months)} acquisitions, none in the months {empty or '-'}")


def _months(aggregates: list[Path], *, tile: str, year: int) -> list[int]:
    """Month of each table's acquisition."""
    if not aggregates:
        raise SampleError(f"{tile} {year}: no acquisition to make series of. Raise max_cloud_percent or add products.")
    months, scenes = [], set()
    for path in aggregates:
        about = read_about(path)
        if (about.get("tile"), about.get("year")) != (tile, year):
            found = f"{about.get('tile')} {about.get('year')}"
            raise SampleError(f"{path}: is of {found}; expected {tile} {year}. Delete it and run again.")
        if about["scene"] in scenes:
            raise SampleError(f"{path}: holds {about['scene']}, as another table does. Delete both and run again.")
        scenes.add(about["scene"])
        months.append(parse_time(about["sensing_time"]).month)
    return months


def _parcel_index(aggregates: list[Path]) -> np.ndarray:
    first = read_columns(aggregates[0], ["parcel_index"])["parcel_index"]
    for path in aggregates[1:]:
        if not np.array_equal(read_columns(path, ["parcel_index"])["parcel_index"], first):
            raise SampleError(f"{path} and {aggregates[0]} hold different parcels. Delete both and run again.")
    return first


def read_class_codes(parcels: Path, index: np.ndarray) -> np.ndarray:
    """Class codes (int32) of the parcels `index`, from the harmonised parcels.

    Raises
    ------
    SampleError : a parcel that is not there, without a class, or twice. CropstackError : a cut or damaged file.
    """
    table = pd.DataFrame(read_columns(parcels, ["parcel_index", "class_code"]))
    twice = table["parcel_index"][table["parcel_index"].duplicated()]
    if len(twice):
        raise SampleError(f"{parcels}: parcel {twice.iloc[0]} stands twice. Delete build/labels and run again.")
    codes = table.set_index("parcel_index")["class_code"].reindex(index)
    missing = index[codes.isna().to_numpy()]
    if len(missing):
        raise SampleError(
            f"{parcels}: {len(missing)} parcels have no class_code, the first is parcel {missing[0]}. "
            "Delete build/labels and run again."
        )
    return codes.to_numpy(np.int32)


def _band_columns(aggregates: list[Path], months: list[int], band: str, filled: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of a band; months that were interpolated are set in `filled` (month, parcel)."""
    names = [f"{band}_{statistic}" for statistic in STATISTICS]
    tables = [read_columns(path, names) for path in aggregates]
    series = {}
    for statistic, name in zip(STATISTICS, names, strict=True):
        series[statistic] = monthly_medians(np.stack([table[name] for table in tables]), months)
        gaps = np.isnan(series[statistic])
        fill_linear(series[statistic])
        filled |= gaps & ~np.isnan(series[statistic])
    return {
        f"{band}_{month:02d}_{statistic}": series[statistic][month - 1]
        for month in range(1, MONTHS + 1)
        for statistic in STATISTICS
    }


def monthly_medians(values: np.ndarray, months: list[int]) -> np.ndarray:
    """Median of each calendar month: float32 (12, parcel) of float32 (acquisition, parcel); NaN where there is none."""
    medians = np.full((MONTHS, values.shape[1]), np.nan, np.float32)
    for month in sorted(set(months)):
        medians[month - 1], _ = median_over_time(values[np.array(months) == month], missing=np.nan)
    return medians


if __name__ == "__main__":
    step(composite_parcels, snakemake)  # noqa: F821
