"""Every kind of fault that a simulated declaration has, counted by the report as its truth table counts it."""

from collections import Counter
from pathlib import Path

import pytest

from cropstack.files import LEDGER_COLUMNS, read_csv, write_csv
from cropstack.labels.harmonise_parcels import harmonise_parcels
from cropstack.legend import UNKNOWN
from cropstack.report.page import read_templates, render
from cropstack.report.tables import EVERYWHERE, read_area, read_reasons
from cropstack.simulate.declaration_faults import RATES
from cropstack.simulate.simulate_declarations import simulate_declarations

from .conftest import Page

TEMPLATES = sorted((Path(__file__).parents[2] / "src/cropstack/report/templates").iterdir())
OFFICES = {  # country and year: tile, and the archive's name
    ("es_ct", 2019): ("31TCG", "Cultius_DUN2019_SHP.zip"),
    ("es_ct", 2020): ("31TCG", "Cultius_DUN2020_GPKG.zip"),
    ("fr", 2019): ("31TCJ", "RPG_2-0__GPKG_LAMB93_FXX_2019-01-01.7z.001"),
}
OF_AN_OFFICE = {"hole", "name_cut", "id_with_letters", "id_with_leading_zeros", "id_beyond_int32"}


@pytest.fixture(scope="module")
def declared(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Declarations of all offices with their truth, harmonised, and one table of all rejects and repairs."""
    work, rejects = tmp_path_factory.mktemp("faults"), []
    for (country, year), (tile, name) in OFFICES.items():
        folder, area = root / f"taxonomy/countries/{country}", f"{country}_{year}"
        archive, ledger = work / area / name, work / f"{area}_ledger.csv"
        simulate_declarations(
            folder / "source.yaml", archive, country=country, year=year, tiles=[tile], size_px=732, seed=11
        )
        harmonise_parcels(
            [archive], folder / "source.yaml", root / "workflow/schemas/source.schema.yaml", folder / "crops.csv",
            root / "taxonomy/classes.csv", work / f"{area}_parcels.parquet", ledger, country=country, year=year,
            max_unknown_share=0.05, allow_unreviewed=False, simulated=False, threads=2,
        )  # fmt: skip
        rejects += [(area, *(row[column] for column in LEDGER_COLUMNS)) for row in read_csv(ledger)]
    write_csv(work / "rejects.csv", ["area", *LEDGER_COLUMNS], sorted(rejects))
    return work


def truth(declared: Path) -> dict[str, list[dict[str, str]]]:
    """Rows of the truth tables by area."""
    return {path.parent.name: read_csv(path) for path in sorted(declared.glob("*/*.truth.csv"))}


def test_offices_make_every_kind_of_fault(declared: Path) -> None:
    kinds = {row["fault"] for rows in truth(declared).values() for row in rows}
    assert kinds == {*RATES, *OF_AN_OFFICE}


def test_every_fault_of_every_office_appears_with_its_number(declared: Path) -> None:
    reasons = read_reasons(declared / "rejects.csv")
    areas = {area: found for area, found in reasons.items() if area != EVERYWHERE}
    values = {"reasons": reasons[EVERYWHERE], "areas": areas, "in_all": len(areas)}
    page = Page(render(read_templates(TEMPLATES), "left_out", values))
    everywhere: Counter[str] = Counter()
    for area, rows in truth(declared).items():
        expected = Counter(row["expected"] for row in rows if row["expected"] != "none")
        shown: Counter[str] = Counter()
        for key, count in page.counts(f"rejects_in/{area}/harmonise_parcels/").items():
            shown[key.rpartition("/")[2]] += count
        # One row tells of all parcels with the same unknown code; the crops of the report count the parcels.
        codes = {row["unit"] for row in rows if row["expected"] == "unknown_code"}
        assert shown.pop("unknown_code") == len(codes)
        assert read_area(declared / f"{area}_parcels.parquet").classes[UNKNOWN][0] == expected.pop("unknown_code")
        assert shown == expected
        everywhere += shown
    del page.numbers["rejects/harmonise_parcels/repaired/unknown_code"]
    assert sum(page.counts("rejects/").values()) == everywhere.total()
