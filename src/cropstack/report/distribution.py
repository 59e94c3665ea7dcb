"""Section "Distribution": pixels of each class in each split of each scenario (Sen4AgriNet's figure 10)."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from cropstack.report.charts import draw_split_bars
from cropstack.report.drawings import SPLITS
from cropstack.report.inputs import Inputs

Counts = dict[str, dict[str, int]]  # pixels by class, then by split


def distribution(inputs: Inputs) -> dict[str, Any]:
    """Values of the section; none without splits."""
    pixels = count_pixels(inputs)
    most = max((n for counts in pixels.values() for splits in counts.values() for n in splits.values()), default=0)
    powers = max(math.ceil(math.log10(max(most, 1))), 1)
    scenarios = [_scenario(inputs, name, pixels[name], powers) for name in sorted(pixels)]
    return {"scenarios": scenarios, "splits": SPLITS} if scenarios else {}


def count_pixels(inputs: Inputs) -> dict[str, Counts]:
    """10 m pixels of the patches by scenario, class of the legend and split. Classes that none has count 0."""
    of_patch = {patch.sample: patch.pixels for patch in inputs.patches}
    found: dict[str, Counts] = {}
    for row in inputs.splits:
        counts = found.setdefault(row["scenario"], {c.name: dict.fromkeys(SPLITS, 0) for c in inputs.legend})
        pixels = of_patch.get(row["sample"], {})  # a sample that was rejected has no patch
        for crop in inputs.legend:
            counts[crop.name][row["split"]] += sum(pixels.get(code, 0) for code in crop.codes)
    return found


def _scenario(inputs: Inputs, name: str, counts: Counts, powers: int) -> dict[str, Any]:
    areas = areas_of(inputs.splits, name)
    return {
        "name": name,
        "drawing": Markup(draw_split_bars(f"Pixels by class and split in {name}", list(counts.items()), powers=powers)),
        "classes": [{"name": crop.name, "mark": crop.id, "counts": counts[crop.name]} for crop in inputs.legend],
        "areas": [{"split": split, "names": areas[split]} for split in SPLITS],
        "totals": {split: sum(splits[split] for splits in counts.values()) for split in SPLITS},
    }


def areas_of(splits: list[dict[str, str]], scenario: str) -> Mapping[str, list[str]]:
    """Countries and years with their numbers of samples in each split, such as ``es_ct 2019 (18)``."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in splits:
        if row["scenario"] == scenario:
            found[row["split"]][f"{row['country']} {row['year']}"] += 1
    return {split: [f"{area} ({count})" for area, count in sorted(found[split].items())] for split in SPLITS}
