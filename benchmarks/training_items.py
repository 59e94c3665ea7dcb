"""What a training item costs, beside Sen4AgriNet's own data set on the same pixels.

    python benchmarks/training_items.py --s4a CHECKOUT --work /path/with/8/GB

An item is a sub-patch of 61 × 61 pixels: monthly medians of April to September in four bands, and its classes. Ours
reads it from the composites that `composite_patches` made once; S4A's PatchesDataset takes the medians of the whole
patch again for every item. Each in a new process, in random order, over all patches, files in the page cache. The parts
are in training_parts.py; items of both are compared, and a difference ends the run.
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
TARGET_RATIO = 100
LIBRARIES = ("h5py", "numpy", "xarray", "netCDF4", "torch", "pytorch-lightning")

COMPOSITE_PATCHES = """
import json, sys
from pathlib import Path
from cropstack.samples.composite_patches import composite_patches
work, size_px = json.loads(sys.argv[1])
work = Path(work)
composite_patches(
    sorted((work / "scenes").glob("*.nc")), work / "labels.nc", work / "31TCG_2019_patches.h5", tile="31TCG", year=2019,
    size_px=size_px, left_out_flags=["nodata", "defective", "saturated"],
    composite={"bands": ["B02", "B03", "B04", "B08"], "months": [4, 9], "patch_px": 61, "fill": "linear"},
)
"""


def main() -> None:
    """Measure, print a table and keep it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--s4a", type=Path, required=True, help="checkout of Orion-AI-Lab/S4A")
    parser.add_argument("--patches", type=int, default=100, help="number of patches, a square (default 100)")
    parser.add_argument("--dates", type=int, default=40, help="acquisitions (default 40)")
    parser.add_argument("--items", type=int, default=1000, help="items that we read (default 1000)")
    parser.add_argument("--peer-items", type=int, default=20, help="items that S4A's loader reads (default 20)")
    parser.add_argument("--work", type=Path, help="folder for inputs, kept; default a temporary one")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="training_items_") as temporary:
        work = (options.work or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        result = run(work, options)
    print_table(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def run(work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Make the inputs if needed and measure everything."""
    side = round(options.patches**0.5)
    if side * side != options.patches:
        raise SystemExit(f"--patches {options.patches} is no square")
    say("making scenes, labels and patches, unless they are there")
    _part("prepare", work, side * 366, options.dates)
    say("composites")
    command = [sys.executable, "-c", COMPOSITE_PATCHES, json.dumps([str(work), side * 366])]
    composites = measure(command, threads=1)
    say("our items")
    kept = min(options.items, options.peer_items)
    ours = _part("ours", work, side, options.items, kept)
    say("S4A's items")
    peer = _part("peer", work, side, options.peer_items, options.s4a.resolve())
    return {
        "patches": options.patches, "dates": options.dates, "machine": machine(),
        "versions": {name: version(name) for name in LIBRARIES},
        "composite_patches": {"cpu_s": composites.cpu_s, "wall_s": composites.wall_s, "peak_mb": composites.peak_mb},
        "ours": _figures(ours), "s4a": _figures(peer),
        "ratio": peer.said["cpu_s"] / ours.said["cpu_s"],
    }  # fmt: skip


def _part(name: str, work: Path, *arguments: object) -> Usage:
    command = [sys.executable, str(HERE / "training_parts.py"), name, str(work), *map(str, arguments)]
    return measure(command, threads=1)


def _figures(usage: Usage) -> dict[str, float]:
    return usage.said | {"process_cpu_s": usage.cpu_s, "peak_mb": usage.peak_mb}


def print_table(result: dict[str, Any]) -> None:
    """One line per candidate, and whether the target is met."""
    print(f"\n{result['patches']} patches, {result['dates']} dates; {result['machine']}")
    print(f"{'an item of 6 months, 4 bands, 61 × 61':40}{'CPU ms':>9}{'wall ms':>9}{'items':>7}{'process CPU s':>15}")
    for name in ("ours", "s4a"):
        found = result[name]
        cpu, wall = 1000 * found["cpu_s"], 1000 * found["wall_s"]
        print(f"{name:40}{cpu:9.1f}{wall:9.1f}{found['items']:7}{found['process_cpu_s']:15.1f}")
    made = result["composite_patches"]
    print(f"composites, once: {made['cpu_s']:.1f} CPU s, {1000 * made['cpu_s'] / result['patches']:.0f} ms a patch")
    met = "met" if result["ratio"] >= TARGET_RATIO else "NOT met"
    print(f"ratio {result['ratio']:.0f}; target: at least x{TARGET_RATIO}: {met}")


if __name__ == "__main__":
    main()
