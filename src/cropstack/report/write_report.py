"""Step: the report of a recipe, `results/<recipe>/report.html`, in one file that asks the network for nothing."""

from pathlib import Path

from cropstack.files import read_csv, write_json, write_text
from cropstack.legend import read_classes, read_legend
from cropstack.report.descriptions import Scene, read_patches, read_scenes
from cropstack.report.examples import few_examples
from cropstack.report.inputs import Files, Inputs, TileYear
from cropstack.report.left_out import rejected
from cropstack.report.page import describe, read_templates, render_page, render_sections
from cropstack.report.places import few_grids
from cropstack.report.tables import country_year, read_area, read_reasons, read_source
from cropstack.step import step


def write_report(
    products: Path,
    rejects: Path,
    balance: Path,
    parcels: list[Path],
    sources: list[Path],
    legend: Path,
    classes: Path,
    splits: Path,
    parcel_splits: Path,
    coverage: Path,
    leakage: Path,
    scenes: list[Path],
    patches: list[Path],
    previews: list[Path],
    quality: list[Path],
    samples: list[Path],
    composites: list[Path],
    experiments: list[Path],
    embedding: Path,
    published: list[Path],
    templates: list[Path],
    report: Path,
    summary: Path,
    *,
    recipe: str,
    title: str,
    tile_years: list[tuple[str, str, int]],
    size_px: int,
    rules: list[str],
    logs: str,
    disk: list[str],
) -> None:
    """Write the report, and what the overview over all recipes says of it.

    Parameters
    ----------
    scenes, patches, previews : what `describe_tile` wrote, each in the order of `tile_years`.
    quality : what `assess_labels` wrote, in that order.
    samples : folders of patch files, in that order.
    composites : monthly series of parcels, in that order.
    experiments : folders of experiments.
    embedding : parcels in two dimensions (`embed_samples`).
    published : tables of `workflow/published/<recipe>/`, or none.
    tile_years : (country, tile, year) of everything built, by tile and year.
    rules, logs, disk : steps of the workflow, the folder of their logs, and the folders that they write: the report
        says what was used, as far as the logs still tell.
    summary : JSON for the overview: title, lead and facts of the page's head, a few patches and grids of patches, and
        what was left out.

    Raises
    ------
    ConfigError : a source without licence or attribution.
    """
    taxonomy = read_classes(classes)
    areas = [(country, tile, int(year)) for country, tile, year in tile_years]
    keys = [(tile, year) for _, tile, year in areas]
    inputs = Inputs(
        recipe=recipe,
        title=title,
        products=[row for row in read_csv(products) if row["recipe"] == recipe],
        areas=[read_area(path) for path in sorted(parcels)],
        reasons=read_reasons(rejects),
        balance=read_csv(balance),
        sources=[read_source(path) for path in sorted(sources)],
        legend=read_legend(legend, taxonomy),
        classes=taxonomy,
        patches=[patch for key, path in zip(keys, patches, strict=True) for patch in read_patches(path, *key)],
        scenes=_scenes(keys, scenes),
        splits=read_csv(splits),
        coverage=read_csv(coverage),
        leakage=read_csv(leakage),
        tile_years=sorted(areas),
        size_px=size_px,
        files=Files(
            parcels={country_year(path): path for path in parcels},
            samples=dict(zip(keys, samples, strict=True)),
            quality=dict(zip(keys, quality, strict=True)),
            composites=dict(zip(keys, composites, strict=True)),
            previews=dict(zip(keys, previews, strict=True)),
            experiments={path.name: path for table in experiments for path in sorted(table.iterdir()) if path.is_dir()},
            parcel_splits=parcel_splits,
            embedding=embedding,
            published={path.stem: path for path in sorted(published)},
        ),
        rules=sorted(rules),
        logs=Path(logs),
        disk=[Path(folder) for folder in disk],
    )
    head, pages = describe(inputs), read_templates(templates)
    write_json(
        summary, {**head, "examples": few_examples(inputs), "grids": few_grids(inputs), "left_out": rejected(inputs)}
    )
    write_text(report, render_page(pages, head, render_sections(pages, inputs), home="../index.html"))
    print(f"{report.resolve()}: {len(inputs.patches)} patches, {len(inputs.scenes)} scenes")


def _scenes(keys: list[TileYear], paths: list[Path]) -> list[Scene]:
    return [scene for key, path in zip(keys, paths, strict=True) for scene in read_scenes(path, *key)]


if __name__ == "__main__":
    step(write_report, snakemake)  # noqa: F821
