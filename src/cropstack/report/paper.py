"""Section "Paper": which figures and tables of the recipe's paper this report shows, and why not the others."""

from pathlib import Path
from typing import Any

from cropstack.errors import ConfigError
from cropstack.legend import read_table
from cropstack.report.inputs import Inputs

COLUMNS = ["item", "title", "shown", "section", "note"]
SHOWN = {"yes": "shown", "part": "in part", "no": "not shown"}


def paper(inputs: Inputs) -> dict[str, Any]:
    """Values of the section; none for a recipe without `workflow/published/<recipe>/figures.csv`."""
    path = inputs.files.published.get("figures")
    return {"items": read_items(path)} if path else {}


def read_items(path: Path) -> list[dict[str, str]]:
    """Figures and tables of a paper in order: item, title, shown in words, section of the page, note.

    Raises
    ------
    ConfigError : a value of `shown` other than yes, part, no; a section where nothing is shown, or none where it is.
    """
    rows = read_table(path, COLUMNS)
    for row in rows:
        if row["shown"] not in SHOWN:
            raise ConfigError(f'{path}: {row["item"]}: shown is "{row["shown"]}"; expected one of {", ".join(SHOWN)}')
        if (row["shown"] == "no") == bool(row["section"]):
            raise ConfigError(
                f'{path}: {row["item"]}: shown is "{row["shown"]}" and section "{row["section"]}"; '
                "expected a section exactly where something is shown"
            )
    return [row | {"shown": SHOWN[row["shown"]]} for row in rows]
