"""What statistics of parcels cost, beside exactextract on the same pixels and polygons.

    python benchmarks/aggregate_parcels.py --work /path/with/3/GB

Statistics of one 10 m band from arrays in memory: ours gives n, mean, standard deviation and skewness, exactextract
mean and stdev. Beside it what ours needs before, once per tile and year (`weigh_parcels`), and the whole step for a
scene of 13 bands (`aggregate_parcels`), each in a process of its own from start to exit. Parts: parcel_parts.py.
"""

import argparse
import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from measure import Usage, measure
from tile_year import machine, say

HERE = Path(__file__).parent
TARGET_RATIO, TARGET_MB = 30, 3000
STRATEGIES = ("feature-sequential", "raster-sequential")
BANDS = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"]
LIBRARIES = ("exactextract", "numba", "numpy", "h5py", "imagecodecs")

WEIGH_PARCELS = """
import json, sys
from pathlib import Path
from cropstack.samples.weigh_parcels import weigh_parcels
work, size_px, weighting = json.loads(sys.argv[1])
paths = [Path(work) / name for name in ("parcels.parquet", "tiles.parquet", "labels.nc", f"{weighting}.h5")]
weigh_parcels(*paths, tile="31TCG", year=2022, size_px=size_px, weighting=weighting)
"""
AGGREGATE_PARCELS = """
import json, sys
from pathlib import Path
from cropstack.samples.aggregate_parcels import aggregate_parcels
work, weighting, bands = json.loads(sys.argv[1])
paths = [Path(work) / name for name in ("scene.nc", f"{weighting}.h5", f"{weighting}.parquet")]
aggregate_parcels(*paths, bands=bands, left_out_flags=["nodata", "defective", "saturated"])
"""


def main() -> None:
    """Measure, print a table and keep it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size-px", type=int, default=10980, help="side of the tile at 10 m (default 10980)")
    parser.add_argument("--repeats", type=int, default=3, help="calls of our kernel, of which the median counts")
    parser.add_argument("--work", type=Path, help="folder for inputs and outputs, kept; default a temporary one")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aggregate_parcels_") as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        result = run(work.resolve(), options.size_px, options.repeats)
    print_table(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def run(work: Path, size_px: int, repeats: int) -> dict[str, Any]:
    """Make the inputs if needed and measure everything."""
    say("making parcels, labels and a scene, unless they are there")
    parcels = _part("prepare", work, size_px).said["parcels"]
    result: dict[str, Any] = {"parcels": parcels, "size_px": size_px, "machine": machine()}
    result["versions"] = {name: version(name) for name in LIBRARIES}
    for weighting in ("pixel", "coverage"):
        say(f"weights by {weighting}")
        weigh = _step(WEIGH_PARCELS, [str(work), size_px, weighting])
        kernel = _part("ours", work, weighting, repeats).said
        whole = _step(AGGREGATE_PARCELS, [str(work), weighting, BANDS])
        result[weighting] = {
            "kernel_cpu_s": kernel["cpu_s"],
            "kernel_all_cpu_s": kernel["all_cpu_s"],
            "weights": kernel["weights"],
            "weigh_parcels": _figures(weigh),
            "aggregate_parcels": _figures(whole),
        }
    for strategy in STRATEGIES:
        say(f"exactextract, {strategy}")
        result[strategy] = _part("peer", work, strategy).said
    best = min(result[strategy]["cpu_s"] for strategy in STRATEGIES)
    result["ratio"] = best / result["coverage"]["kernel_cpu_s"]
    return result


def _part(name: str, work: Path, *arguments: object) -> Usage:
    return measure([sys.executable, str(HERE / "parcel_parts.py"), name, str(work), *map(str, arguments)], threads=1)


def _step(code: str, arguments: list[Any]) -> Usage:
    return measure([sys.executable, "-c", code, json.dumps(arguments)], threads=1)


def _figures(usage: Usage) -> dict[str, float]:
    return {"cpu_s": usage.cpu_s, "wall_s": usage.wall_s, "peak_mb": usage.peak_mb}


def print_table(result: dict[str, Any]) -> None:
    """One line per candidate, and whether the targets are met."""
    ours = result["coverage"]["kernel_cpu_s"]
    print(f"\n{result['parcels']} parcels, {result['size_px']} px; {result['machine']}")
    print(f"{'one 10 m band, arrays in memory':46}{'CPU s':>9}{'x ours':>9}")
    rows = [(f"ours, {name}", result[name]["kernel_cpu_s"]) for name in ("coverage", "pixel")]
    rows += [(f"exactextract, coverage, {name}", result[name]["cpu_s"]) for name in STRATEGIES]
    for name, seconds in rows:
        print(f"{name:46}{seconds:9.2f}{seconds / ours:9.1f}")
    print(f"{'whole processes':46}{'CPU s':>9}{'peak MB':>9}")
    steps = [(step, name) for step in ("weigh_parcels", "aggregate_parcels") for name in ("coverage", "pixel")]
    for step, name in steps:
        figures = result[name][step]
        print(f"{f'{step}, {name}':46}{figures['cpu_s']:9.1f}{figures['peak_mb']:9.0f}")
    differ = max(result[strategy]["largest_relative_difference"] for strategy in STRATEGIES)
    print(f"largest relative difference to exactextract: {differ:.1g}")
    peak = max(result[name][step]["peak_mb"] for step, name in steps)
    met = result["ratio"] >= TARGET_RATIO and peak <= TARGET_MB
    print(f"target: at least x{TARGET_RATIO} and at most {TARGET_MB} MB: {'met' if met else 'NOT met'}")


if __name__ == "__main__":
    main()
