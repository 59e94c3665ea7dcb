"""Which classes the paper's rule would select here: those common to all countries that make up 99.9 % of the pixels.

Sen4AgriNet, section VI: "The common labels between regions were isolated, the cumulative sum of the labels was computed
and then all common labels forming the 99.9% of the data were selected." Taken here by the letter: a common class has a
pixel in every country, and the data are the pixels of the common classes.

The paper's result are eleven classes; which steps came before the rule it does not say. So the recipe's legend is the
paper's list, fixed, and no step reads this table: it says what the rule gives on the configured areas, for those who
choose a legend.
"""

from collections import Counter
from pathlib import Path

import numpy as np

from cropstack.errors import SampleError
from cropstack.files import open_netcdf, read_chunk, write_csv
from cropstack.legend import BACKGROUND, UNKNOWN, read_classes
from cropstack.samples.inputs import check_labels, variable_of
from cropstack.step import step

SHARE = 0.999  # SOURCE: section VI
Row = tuple[int, str, int, str, str, str]
COLUMNS = ["code", "name", "country", "pixels", "common", "cumulative_share", "selected"]


def select_classes(labels: list[Path], classes: Path, selection: Path, *, tile_years: list[list[str | int]]) -> None:
    """Write a row per class and country: most frequent class first; common classes first of all.

    Columns: code, name, country, pixels (at 10 m, over all its tiles and years), common and selected (yes or no), and
    cumulative_share of the common classes' pixels up to this class (empty where it is not common).

    Parameters
    ----------
    labels : label files; tile_years : country, tile and year of each.

    Raises
    ------
    SampleError : a label file of another tile or year, a class outside the taxonomy, or no labelled pixel at all.
    """
    pixels: dict[str, Counter[int]] = {str(country): Counter() for country, _, _ in tile_years}
    for path, (country, tile, year) in zip(labels, tile_years, strict=True):
        pixels[str(country)] += count_pixels(path, tile=str(tile), year=int(year))
    names = {code: crop.name for code, crop in read_classes(classes).items()}
    strange = sorted(set().union(*pixels.values()) - set(names))
    if strange:
        raise SampleError(f"{labels[0]} and others hold the class {strange[0]}, which {classes} does not. Build again.")
    rows = selection_rows(pixels)
    if not rows:
        raise SampleError(f"{labels[0]} and others: no pixel has a known class. Check areas in the configuration.")
    write_csv(selection, COLUMNS, [[code, names[code], *rest] for code, *rest in rows])
    selected = [names[code] for code in dict.fromkeys(row[0] for row in rows if row[-1] == "yes")]
    print(f"{len(selected)} classes make up {SHARE:.1%} of the common ones: {', '.join(selected)}")


def count_pixels(path: Path, *, tile: str, year: int) -> Counter[int]:
    """Pixels at 10 m by class code, without background and unknown crops."""
    pixels: Counter[int] = Counter()
    with open_netcdf(path) as file:
        check_labels(file, tile=tile, year=year)
        variable = variable_of(file, 10, "labels")
        height, width = variable.chunks
        for y in range(0, variable.shape[0], height):
            for x in range(0, variable.shape[1], width):
                counts = np.bincount(read_chunk(variable, (y, x)).ravel())
                pixels.update({code: int(counts[code]) for code in np.flatnonzero(counts).tolist()})
    return Counter({code: count for code, count in pixels.items() if code not in (BACKGROUND, UNKNOWN)})


def selection_rows(pixels: dict[str, Counter[int]]) -> list[Row]:
    """Rows without names: code, country, pixels, common, cumulative_share, selected.

    Selected is the smallest number of common classes, most frequent first (the lower code of equals), that reaches
    `SHARE` of the common classes' pixels.
    """
    total: Counter[int] = sum(pixels.values(), Counter())
    common = {code for code in total if all(country[code] for country in pixels.values())}
    all_common = sum(total[code] for code in common)
    rows: list[Row] = []
    before = 0
    for code in sorted(total, key=lambda code: (code not in common, -total[code], code)):
        share, selected = "", "no"
        if code in common:
            selected = "yes" if before < SHARE * all_common else "no"
            before += total[code]
            share = f"{before / all_common:.6f}"
        is_common = "yes" if code in common else "no"
        rows += [(code, cc, pixels[cc][code], is_common, share, selected) for cc in sorted(pixels)]
    return rows


if __name__ == "__main__":
    step(select_classes, snakemake)  # noqa: F821
