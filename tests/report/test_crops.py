"""Counts by class and the bars drawn from them."""

from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from cropstack.files import LEDGER_COLUMNS, write_csv
from cropstack.legend import LegendClass
from cropstack.report.crops import log_percent
from cropstack.report.tables import EVERYWHERE, class_hectares, read_area, read_reasons, spread


def test_bar_of_a_pixel_is_the_shortest_and_each_factor_of_ten_adds_the_same() -> None:
    assert [log_percent(ha, 2) for ha in (0, 0.01, 0.1, 1, 10, 100)] == [0, 0.5, 25, 50, 75, 100]


def test_hectares_put_codes_into_classes_and_keep_unknown_apart() -> None:
    legend = [LegendClass(1, "Cereals", "#000000", (110, 120)), LegendClass(2, "Grapes", "#111111", (330,))]
    pixels = {0: 10_000, 110: 100, 120: 50, 520: 25, 998: 300}
    assert class_hectares(pixels, legend) == [1.5, 0.0, 0.25, 3.0]


def test_mapped_share_goes_by_area_not_by_number(tmp_path: Path) -> None:
    path = tmp_path / "es_ct_2019_parcels.parquet"
    table = {"class_code": [998, 998, 998, 110], "metrics:area": [1000.0, 1000.0, 1000.0, 9000.0]}
    pyarrow.parquet.write_table(pyarrow.table(table), path)
    area = read_area(path)
    assert (area.country, area.year, area.parcels) == ("es_ct", 2019, 4)
    assert area.mapped_share == pytest.approx(0.75)


def test_reasons_are_counted_with_their_first_three_examples(tmp_path: Path) -> None:
    rows = [("fr_2019", f"p{i}", "harmonise_parcels", "repaired", "sliver", "thin") for i in range(5)]
    rows.append(("fr_2020", "q", "harmonise_parcels", "rejected", "empty", "no area"))
    write_csv(tmp_path / "rejects.csv", ["area", *LEDGER_COLUMNS], rows)
    reasons = read_reasons(tmp_path / "rejects.csv")
    empty, sliver = reasons[EVERYWHERE]
    assert (sliver.count, [unit for _, unit, _ in sliver.examples]) == (5, ["p0", "p1", "p2"])
    assert (empty.count, empty.action) == (1, "rejected")
    assert (reasons["fr_2019"], reasons["fr_2020"]) == ([sliver], [empty])


def test_long_lists_are_thinned_evenly_and_short_ones_are_whole() -> None:
    assert spread(range(100), 4) == [12, 37, 62, 87]
    assert spread(["a", "b", "c"], 1) == ["b"]
    assert spread(["a", "b"], 2) == ["a", "b"]
