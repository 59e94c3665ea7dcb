"""What a tile-year costs, as a ratio to the least it can cost, and beside other libraries on the same products.

    python benchmarks/tile_year.py --dates 2 --work /path/with/7/GB

Ours is `read_s2` for each date and `write_sen4agrinet`, each in a process of its own from start to exit, as the
workflow runs them. The floor is in floor.py, the other libraries in peers.py, the products in archive.py.
"""

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from measure import Usage, measure

HERE = Path(__file__).parent
TILE, YEAR = "31TCG", 2022
PREFIX = f"{YEAR}_{TILE}"
TARGET_RATIO, TARGET_MB = 1.10, 3000
PEERS = ("odc-stac", "stackstac", "windows")
LIBRARIES = ("rasterio", "h5py", "imagecodecs", "numpy", "xarray", "dask", "odc-stac", "stackstac")

READ_S2 = """
import json, sys
from pathlib import Path
from cropstack.scenes.read_s2 import read_s2
products, scene, tile, size_px, threads = json.loads(sys.argv[1])
read_s2([Path(p) for p in products], Path(scene), tile=tile, size_px=size_px, threads=threads)
"""
WRITE_SEN4AGRINET = """
import json, sys
from pathlib import Path
from cropstack.layouts.write_sen4agrinet import write_sen4agrinet
scenes, labels, patches, ledger, tile, year, size_px = json.loads(sys.argv[1])
paths = [Path(p) for p in (labels, patches, ledger)]
write_sen4agrinet([Path(p) for p in scenes], *paths, tile=tile, year=year, size_px=size_px)
"""


def main() -> None:
    """Measure, print a table and keep it as JSON."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="tile_year_") as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        result = run(work.resolve(), options)
    print_table(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dates", type=int, default=2, help="acquisitions (default 2)")
    parser.add_argument("--threads", type=int, default=1, help="threads of every candidate (default 1)")
    parser.add_argument("--size-px", type=int, default=10980, help="side of the tile at 10 m (default 10980)")
    parser.add_argument("--work", type=Path, help="folder for products and outputs, kept; default a temporary one")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True, help="measure other libraries")
    parser.add_argument("--sample", type=int, default=6, help="patches read by windows, extrapolated (default 6)")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    return parser.parse_args()


def run(work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Make the products if needed, measure everything, check the pixels."""
    say("making products and labels, unless they are there")
    script = [sys.executable, str(HERE / "archive.py"), str(work), str(options.dates), str(options.size_px)]
    archive = measure([*script, str(os.cpu_count() or 1)], threads=os.cpu_count() or 1).said
    ours = _floor_and_ours(work, archive, options)
    peers = [_peer(name, work, archive, options) for name in PEERS] if options.peers else []
    return {
        "dates": options.dates,
        "size_px": options.size_px,
        "threads": options.threads,
        "machine": machine(),
        "versions": {name: version(name) for name in LIBRARIES},
        "ours": ours,
        "peers": peers,
    }


def _floor_and_ours(work: Path, archive: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Floor and read_s2 in turn for each date, so that a busy machine slows both; then the patches."""
    floors: list[Usage] = []
    reads: list[Usage] = []
    paths = []
    for item in archive["scenes"]:
        blob = work / "floor.bin"
        script = [sys.executable, str(HERE / "floor.py"), item["product"], str(blob), str(options.threads)]
        floors.append(measure(script, threads=options.threads))
        blob.unlink()
        paths.append(str(work / f"scenes/{item['scene']}.nc"))
        arguments = [[item["fetched"]], paths[-1], TILE, options.size_px, options.threads]
        reads.append(_step(READ_S2, arguments, options.threads))
        say(f"{item['scene']}: floor {_counted(floors[-1]):.1f} CPU s, read_s2 {reads[-1].cpu_s:.1f}")
    outputs = [str(work / "ours"), str(work / "ledger.csv")]
    arguments = [paths, archive["labels"], *outputs, TILE, YEAR, options.size_px]
    write = _step(WRITE_SEN4AGRINET, arguments, options.threads)
    return _summary(floors, reads, write, work)


def _step(code: str, arguments: list[Any], threads: int) -> Usage:
    return measure([sys.executable, "-c", code, json.dumps(arguments)], threads=threads)


def _counted(usage: Usage) -> float:
    return float(sum(usage.said[part] for part in ("decode", "deflate", "write")))


def _summary(floors: list[Usage], reads: list[Usage], write: Usage, work: Path) -> dict[str, Any]:
    parts = {part: sum(floor.said[part] for floor in floors) for part in ("decode", "deflate", "write")}
    floor, ours = sum(parts.values()), sum(read.cpu_s for read in reads) + write.cpu_s
    return {
        "floor_cpu_s": floor,
        "floor_parts_cpu_s": parts,
        "floor_bytes": sum(floor.said["bytes"] for floor in floors),
        "cpu_s": ours,
        "ratio": ours / floor,
        "read_s2_cpu_s": [read.cpu_s for read in reads],
        "write_cpu_s": write.cpu_s,
        "wall_s": sum(read.wall_s for read in reads) + write.wall_s,
        "read_s2_peak_mb": max(read.peak_mb for read in reads),
        "write_peak_mb": write.peak_mb,
        "scene_bytes": _size(work / "scenes"),
        "patch_bytes": _size(work / "ours"),
    }


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def _peer(name: str, work: Path, archive: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Run a peer, compare its pixels with ours, delete its files."""
    folder = work / f"peer_{name}"
    shutil.rmtree(folder, ignore_errors=True)
    products = [item["product"] for item in archive["scenes"]]
    arguments = [name, str(folder), PREFIX, str(options.threads), str(options.sample), *products]
    usage = measure([sys.executable, str(HERE / "peers.py"), *arguments], threads=options.threads)
    check = [sys.executable, str(HERE / "compare.py"), str(work / "ours"), str(folder)]
    equal = measure(check, threads=1).said
    patches, start = usage.said["patches"], usage.said["start_cpu_s"]
    total = (options.size_px // 366) ** 2
    full = start + (usage.cpu_s - start) * total / patches
    say(f"{name}: {usage.cpu_s:.1f} CPU s for {patches} of {total} patches, {equal['values']} pixel values equal ours")
    shutil.rmtree(folder)
    return {
        "name": name,
        "measured_cpu_s": usage.cpu_s,
        "patches": patches,
        "cpu_s": full,
        "peak_mb": usage.peak_mb,
        "values_compared": equal["values"],
    }


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def print_table(result: dict[str, Any]) -> None:
    """A row for the floor, ours and each peer."""
    ours = result["ours"]
    print(f"\n{result['dates']} dates, {result['size_px']} px, {result['threads']} thread(s); {result['machine']}")
    print(f"{'':34}{'CPU s':>9}{'x floor':>9}{'peak MB':>9}")
    parts = ours["floor_parts_cpu_s"]
    floor = ours["floor_cpu_s"]
    _row("floor", floor, floor)
    for part, seconds in parts.items():
        _row(f"  {part}", seconds, floor)
    peak = max(ours["read_s2_peak_mb"], ours["write_peak_mb"])
    _row("cropstack", ours["cpu_s"], floor, peak)
    _row("  read_s2", sum(ours["read_s2_cpu_s"]), floor, ours["read_s2_peak_mb"])
    _row("  write_sen4agrinet", ours["write_cpu_s"], floor, ours["write_peak_mb"])
    for peer in result["peers"]:
        total = (result["size_px"] // 366) ** 2
        note = "" if peer["patches"] == total else f" ({peer['patches']} of {total} patches)"
        _row(f"{peer['name']}{note}", peer["cpu_s"], floor, peer["peak_mb"])
    met = ours["ratio"] <= TARGET_RATIO and peak <= TARGET_MB
    print(f"target: at most x{TARGET_RATIO:.2f} and {TARGET_MB} MB: {'met' if met else 'NOT met'}")


def _row(name: str, seconds: float, floor: float, peak_mb: float | None = None) -> None:
    peak = "" if peak_mb is None else f"{peak_mb:9.0f}"
    print(f"{name:34}{seconds:9.1f}{seconds / floor:9.3f}{peak}")


if __name__ == "__main__":
    main()
