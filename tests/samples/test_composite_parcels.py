"""Monthly series of parcels: medians over acquisitions, gaps filled and flagged."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely

from cropstack.errors import CropstackError, SampleError
from cropstack.files import sha256
from cropstack.samples.composite_parcels import composite_parcels
from cropstack.samples.tables import read_about, write_table

NAN = np.nan


def aggregate(
    folder: Path,
    sensing: str,
    means: list[float],
    *,
    second: list[float] | None = None,
    tile: str = "31TCG",
    index: tuple[int, ...] = (3, 8),
) -> Path:
    """Write a table of two parcels in B02 (std is a tenth of the mean) and B05 (`second`)."""
    columns = {"parcel_index": np.array(index)}
    for band, values in (("B02", means), ("B05", means if second is None else second)):
        columns |= {f"{band}_mean": np.float32(values), f"{band}_std": np.float32(values) / 10}
    path = folder / f"{sensing[:10]}.parquet"
    about = {"scene": f"S2A_{sensing}_{tile}", "tile": tile, "year": int(sensing[:4]), "sensing_time": sensing}
    write_table(path, columns, about)
    return path


@pytest.fixture
def parcels(build: SimpleNamespace, tmp_path: Path) -> Path:
    codes = [100 + number for number in range(1, 10)]
    return build.parcels(tmp_path, [shapely.box(0, 0, 1, 1)] * 9, codes, crs="EPSG:32631")


def compose(aggregates: list[Path], parcels: Path, folder: Path) -> pd.DataFrame:
    out = folder / "composites.parquet"
    composite_parcels(aggregates, parcels, out, tile="31TCG", year=2019, bands=["B02", "B05"])
    return pd.read_parquet(out)


@pytest.fixture
def year(tmp_path: Path) -> list[Path]:
    """April: 10, 30, 20; June: 50 (parcel 8 has no valid pixel); September: 80 (and parcel 8: 90)."""
    return [
        aggregate(tmp_path, "2019-04-02T10:56:00Z", [10, NAN]),
        aggregate(tmp_path, "2019-04-12T10:56:00Z", [30, NAN]),
        aggregate(tmp_path, "2019-04-30T23:59:59Z", [20, NAN]),
        aggregate(tmp_path, "2019-06-01T00:00:00Z", [50, NAN]),
        aggregate(tmp_path, "2019-09-30T10:56:00Z", [80, 90], second=[80, NAN]),
    ]


def test_a_month_is_the_median_of_its_acquisitions(year: list[Path], parcels: Path, tmp_path: Path) -> None:
    table = compose(year, parcels, tmp_path)
    assert table["parcel_index"].tolist() == [3, 8]
    assert table["class_code"].tolist() == [103, 108]
    first = table.loc[0]
    assert (first["B02_04_mean"], first["B02_04_std"]) == (20, 2)
    assert first["B02_06_mean"] == 50  # midnight of the first belongs to the month that begins


def test_months_without_value_are_interpolated_and_flagged(year: list[Path], parcels: Path, tmp_path: Path) -> None:
    first = compose(year, parcels, tmp_path).loc[0]
    months = [f"{month:02d}" for month in range(1, 13)]
    series = [first[f"B02_{month}_mean"] for month in months]
    assert series == [20, 20, 20, 20, 35, 50, 60, 70, 80, 80, 80, 80]
    np.testing.assert_allclose([first[f"B02_{month}_std"] for month in months], np.array(series) / 10)
    filled = [month for month in months if first[f"{month}_filled"]]
    assert filled == ["01", "02", "03", "05", "07", "08", "10", "11", "12"]


def test_a_month_in_which_only_this_parcel_is_unseen_is_flagged_too(
    year: list[Path], parcels: Path, tmp_path: Path
) -> None:
    second = compose(year, parcels, tmp_path).loc[1]
    assert (second["B02_04_mean"], second["04_filled"], second["09_filled"]) == (90, True, False)


def test_a_band_never_seen_stays_nan_and_is_not_called_filled(tmp_path: Path, parcels: Path) -> None:
    path = aggregate(tmp_path, "2019-05-01T10:56:00Z", [10, NAN])
    second = compose([path], parcels, tmp_path).loc[1]
    assert second[[name for name in second.index if name.startswith("B0")]].isna().all()
    assert not second[[name for name in second.index if name.endswith("_filled")]].any()


def test_columns_stand_band_by_band_and_month_by_month(year: list[Path], parcels: Path, tmp_path: Path) -> None:
    names = compose(year, parcels, tmp_path).columns.tolist()
    assert names[:6] == ["parcel_index", "class_code", "B02_01_mean", "B02_01_std", "B02_02_mean", "B02_02_std"]
    assert names[26] == "B05_01_mean"
    assert names[-12:] == [f"{month:02d}_filled" for month in range(1, 13)]
    schema = pq.read_schema(tmp_path / "composites.parquet")
    assert [str(schema.field(name).type) for name in ("class_code", "B02_01_mean", "01_filled")] == [
        "int32", "float", "bool",
    ]  # fmt: skip
    assert read_about(tmp_path / "composites.parquet")["months_without_acquisition"] == [1, 2, 3, 5, 7, 8, 10, 11, 12]


def test_order_of_the_tables_changes_no_byte(year: list[Path], parcels: Path, tmp_path: Path) -> None:
    compose(year, parcels, tmp_path)
    before = sha256(tmp_path / "composites.parquet")
    compose(year[::-1], parcels, tmp_path)
    assert sha256(tmp_path / "composites.parquet") == before


def test_wrong_inputs_are_named(year: list[Path], parcels: Path, tmp_path: Path, build: SimpleNamespace) -> None:
    with pytest.raises(SampleError, match="31TCG 2019: no acquisition to make series of"):
        compose([], parcels, tmp_path)
    strange = aggregate(tmp_path, "2019-05-05T10:56:00Z", [1, 2], tile="31TDG")
    with pytest.raises(SampleError, match="is of 31TDG 2019; expected 31TCG 2019"):
        compose([*year, strange], parcels, tmp_path)
    others = aggregate(tmp_path, "2019-05-06T10:56:00Z", [1, 2], index=(3, 9))
    with pytest.raises(SampleError, match="hold different parcels"):
        compose([*year, others], parcels, tmp_path)
    build.parcels(tmp_path, [shapely.box(0, 0, 1, 1)] * 7, [110] * 7, crs="EPSG:32631")
    with pytest.raises(SampleError, match="1 parcels have no class_code, the first is parcel 8"):
        compose(year, parcels, tmp_path)


def test_an_acquisition_given_twice_is_refused(year: list[Path], parcels: Path, tmp_path: Path) -> None:
    again = shutil.copy(year[0], tmp_path / "again.parquet")
    with pytest.raises(SampleError, match=r"again\.parquet: holds S2A_.*, as another table does"):
        compose([*year, again], parcels, tmp_path)


def test_a_parcel_twice_in_the_declarations_is_refused(year: list[Path], parcels: Path, tmp_path: Path) -> None:
    table = pd.read_parquet(parcels)
    pd.concat([table, table[7:8]]).to_parquet(parcels)
    with pytest.raises(SampleError, match=r"parcels\.parquet: parcel 8 stands twice"):
        compose(year, parcels, tmp_path)


@pytest.mark.parametrize("how", ["cut", "hole", "text"])
def test_a_damaged_table_is_named(
    year: list[Path], parcels: Path, build: SimpleNamespace, tmp_path: Path, how: str
) -> None:
    for path in (year[1], parcels):
        whole = path.read_bytes()
        build.damage(path, how)
        with pytest.raises(CropstackError, match=f"{path.name}: not readable as a table"):
            compose(year, parcels, tmp_path)
        path.write_bytes(whole)


def test_a_table_without_a_column_is_named(year: list[Path], parcels: Path, tmp_path: Path) -> None:
    table = pq.read_table(year[0])
    pq.write_table(table.drop(["B05_std"]), year[0])
    with pytest.raises(SampleError, match=r"has no column B05_std \(1 missing\)"):
        compose(year, parcels, tmp_path)


def test_a_page_whose_bytes_changed_is_not_read(year: list[Path], parcels: Path, tmp_path: Path) -> None:
    """Even where the table still decodes: each page has a checksum."""
    data = bytearray(year[0].read_bytes())
    place = data.index(np.array([3, 8]).tobytes())  # the numbers of the parcels, which zstd leaves as they are
    data[place] ^= 1
    year[0].write_bytes(data)
    with pytest.raises(CropstackError, match=r"not readable as a table .*could not verify page integrity"):
        compose(year, parcels, tmp_path)
