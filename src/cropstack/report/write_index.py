"""Step: the overview over all recipes, `results/index.html`, in one file that asks the network for nothing."""

import os
from pathlib import Path

from cropstack.files import read_json, write_text
from cropstack.report.overview import head, overview
from cropstack.report.page import read_templates, render, render_page
from cropstack.step import step


def write_index(
    reports: list[Path],
    summaries: list[Path],
    templates: list[Path],
    page: Path,
    *,
    recipes: list[str],
    tile_years: list[tuple[str, str, int]],
    size_px: int,
) -> None:
    """Write the overview.

    Parameters
    ----------
    reports, summaries : the page of each recipe, and what `write_report` says of it there; in the order of `recipes`.
    tile_years : (country, tile, year) of everything built.
    """
    pages = read_templates(templates)
    described = [
        (recipe, os.path.relpath(report, page.parent), read_json(summary))
        for recipe, report, summary in zip(recipes, reports, summaries, strict=True)
    ]
    values = overview(described, tile_years, size_px)
    html = render(pages, "overview", values)
    section = {"name": "overview", "title": "Overview", "heading": "Tiles and datasets", "html": html}
    write_text(page, render_page(pages, head(tile_years, recipes), [section]))
    print(f"{page.resolve()}: {len(recipes)} recipes")


if __name__ == "__main__":
    step(write_index, snakemake)  # noqa: F821
