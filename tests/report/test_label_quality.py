"""The section that shows how good labels are: sums over tiles, and the ledgers' counts by area."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cropstack.files import write_csv
from cropstack.report.label_quality import label_quality
from cropstack.report.page import read_templates, render
from cropstack.report.tables import Area, Reason

from .conftest import Page

COLUMNS = [
    *("resolution_m", "pixels", "parcel_pixels", "pure_pixels", "shared_pixels", "unknown_pixels", "background_pixels"),
    *("parcels", "below_1", "below_3", "below_10", "below_64", "without_pure"),
]
STAGE = "harmonise_parcels"


@pytest.fixture
def inputs(tmp_path: Path) -> Any:
    """Two tiles of one country and year, and one of another without a parcel that was repaired."""
    quality = {}
    for number, (tile, year) in enumerate([("31TCG", 2019), ("31TDG", 2019), ("31TCJ", 2020)], 1):
        rows = [[r, 1000, 400 * number, 100 * number, 3, 2, 30 * number, 20, 1, 2, 3, 4, number] for r in (10, 20, 60)]
        quality[tile, year] = tmp_path / f"{tile}_{year}_quality.csv"
        write_csv(quality[tile, year], COLUMNS, rows)
    reasons = {
        "es_ct_2019": [
            Reason(STAGE, "rejected", "sliver", 7, []),
            Reason("assign_tiles", "rejected", "outside_tiles", 1, []),
        ],
        "fr_2020": [],
    }
    areas = [Area("es_ct", 2019, {110: (30, 60_000.0), 998: (10, 20_000.0)}), Area("fr", 2020, {110: (20, 40_000.0)})]
    tile_years = [("es_ct", "31TCG", 2019), ("es_ct", "31TDG", 2019), ("fr", "31TCJ", 2020)]
    names = {"es_ct": "Catalonia", "fr": "France"}
    return SimpleNamespace(
        areas=areas,
        tile_years=tile_years,
        reasons=reasons,
        files=SimpleNamespace(quality=quality),
        name_of=lambda country: names[country],
    )


def test_tiles_of_a_country_and_year_are_summed(inputs: Any) -> None:
    first, second = label_quality(inputs)["areas"]
    assert (first["tiles"], first["grids"][20]["parcel_pixels"], first["pure"]) == (
        ["31TCG", "31TDG"],
        1200,
        {10: 25.0, 20: 25.0, 60: 25.0},
    )
    assert first["few"] == [(1, "below_1"), (3, "below_3"), (10, "below_10"), (64, "below_64")]
    assert (first["declared_ha"], first["mapped_percent"], second["grids"][10]["without_pure"]) == (8.0, 75.0, 3)


def test_only_what_happened_to_declarations_is_listed_and_nothing_is_0(inputs: Any) -> None:
    assert label_quality(inputs)["reasons"] == [
        {"reason": "sliver", "action": "rejected", "counts": {"es_ct/2019": 7, "fr/2020": 0}}
    ]


def test_a_grid_without_parcels_has_no_pure_pixel(inputs: Any) -> None:
    write_csv(inputs.files.quality["31TCJ", 2020], COLUMNS, [[r, 1000, *[0] * 11] for r in (10, 20, 60)])
    assert label_quality(inputs)["areas"][1]["pure"] == {10: 0.0, 20: 0.0, 60: 0.0}


def test_numbers_of_the_page_are_the_sums(inputs: Any, root: Path) -> None:
    templates = read_templates([*(root / "src/cropstack/report/templates").iterdir()])
    page = Page(render(templates, "label_quality", label_quality(inputs)))
    assert page.open == []
    assert page.counts("quality/es_ct/2019/") == {
        **{f"{r}/{name}": 2 * n for r in (10, 20, 60) for n, name in enumerate(COLUMNS[8:12], 1)},
        **{f"{r}/{name}": n for r in (10, 20, 60) for name, n in (("without_pure", 3), ("pure_pixels", 300))},
        **{f"10/{name}": n for name, n in (("parcels", 40), ("shared_pixels", 6), ("unknown_pixels", 4))},
        "10/parcel_pixels": 1200,
        "10/background_pixels": 90,
        "rejected/sliver": 7,
    }
