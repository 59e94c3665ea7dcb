"""Step: the page over all recipes, `results/index.html`, in one file that asks the network for nothing."""

from pathlib import Path

from cropstack.errors import LedgerRow
from cropstack.files import read_ledger, write_text
from cropstack.grid import PATCH_PX
from cropstack.legend import read_classes, read_legend
from cropstack.report.inputs import Inputs
from cropstack.report.page import build_context, render
from cropstack.report.patches import Patch, SceneRecord, patch_files, read_patch
from cropstack.report.tables import Reason, country_year, read_area, read_rows, read_source, summarise
from cropstack.step import step


def write_index(
    products: Path,
    ledgers: list[Path],
    parcels: list[Path],
    sources: list[Path],
    legend: Path,
    classes: Path,
    patches: list[Path],
    splits: Path,
    rejects: Path,
    template: Path,
    style: Path,
    page: Path,
    *,
    tile_years: list[tuple[str, str, int]],
    size_px: int,
) -> None:
    """Write the page.

    Parameters
    ----------
    patches : folders of patch files, one per tile and year.
    tile_years : (country, tile, year) of everything built.

    Raises
    ------
    LayoutError : a patch file without labels or with another name.
    ConfigError : a source without licence or attribution.
    """
    taxonomy = read_classes(classes)
    records, scenes = _read_patches(patches, thin=size_px // PATCH_PX[10])
    inputs = Inputs(
        products=read_rows(products),
        areas=[read_area(path) for path in sorted(parcels)],
        ledgers=[
            ("All rejects and repairs", "rejects", _reasons(rejects)),
            *(_ledger(path) for path in sorted(ledgers)),
        ],
        sources=[read_source(path) for path in sorted(sources)],
        legend=read_legend(legend, taxonomy),
        classes=taxonomy,
        patches=records,
        scenes=scenes,
        splits=read_rows(splits),
        tile_years=sorted((country, tile, int(year)) for country, tile, year in tile_years),
        size_px=size_px,
    )
    html = render(template.read_text(encoding="utf-8"), style.read_text(encoding="utf-8"), build_context(inputs))
    write_text(page, html)
    print(f"{page.resolve()}: {len(records)} patches, {len(scenes)} scenes")


def _read_patches(folders: list[Path], *, thin: int) -> tuple[list[Patch], list[SceneRecord]]:
    patches: list[Patch] = []
    scenes: set[SceneRecord] = set()
    for file in patch_files(folders):
        patch, records = read_patch(file, thin=thin)
        patches.append(patch)
        scenes.update(records)
    return patches, sorted(scenes)


def _ledger(path: Path) -> tuple[str, str, list[Reason]]:
    country, year = country_year(path)
    return f"Of these, from the declarations of {country} in {year}", f"{country}/{year}", _reasons(path)


def _reasons(path: Path) -> list[Reason]:
    rows: list[LedgerRow] = read_ledger(path)
    return summarise(rows)


if __name__ == "__main__":
    step(write_index, snakemake)  # noqa: F821
