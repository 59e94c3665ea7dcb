"""Which figures and tables of a paper are shown."""

from pathlib import Path

import pytest

from cropstack.errors import ConfigError
from cropstack.files import write_csv
from cropstack.report.page import REPORT
from cropstack.report.paper import COLUMNS, read_items

FIGURES = sorted((Path(__file__).parents[2] / "workflow/published").glob("*/figures.csv"))


def test_all_figures_and_tables_of_sen4agrinet_are_named_once() -> None:
    items = [row["item"] for row in read_items(next(path for path in FIGURES if path.parent.name == "sen4agrinet"))]
    assert items == [*(f"Figure {n}" for n in range(1, 13)), *(f"Table {n}" for n in ("I", "II", "III", "IV"))]


@pytest.mark.parametrize("path", FIGURES, ids=lambda path: path.parent.name)
def test_sections_that_are_named_are_on_the_page(path: Path) -> None:
    assert {row["section"] for row in read_items(path)} - {""} <= {section.name for section in REPORT}


def test_what_is_shown_in_no_section_is_an_error(tmp_path: Path) -> None:
    write_csv(tmp_path / "figures.csv", COLUMNS, [["Figure 1", "A", "yes", "", ""]])
    with pytest.raises(ConfigError, match='Figure 1: shown is "yes" and section ""'):
        read_items(tmp_path / "figures.csv")


def test_unknown_word_for_shown_is_an_error(tmp_path: Path) -> None:
    write_csv(tmp_path / "figures.csv", COLUMNS, [["Figure 1", "A", "maybe", "crops", ""]])
    with pytest.raises(ConfigError, match='Figure 1: shown is "maybe"'):
        read_items(tmp_path / "figures.csv")
