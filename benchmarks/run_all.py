"""Run all benchmarks and write what they say: the page docs/benchmarks.md and the table in README.md.

    python benchmarks/run_all.py --work FOLDER

The figures of each are kept in FOLDER/<name>.json with the command, the machine and the versions of that run; page and
table are made of all that are there, so that `--only NAME` measures one of them again. training_items needs a checkout
of Orion-AI-Lab/S4A, named by the environment variable CROPSTACK_S4A.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aggregate_parcels
import rasterise_labels
import tile_year
import training_items
from measure import ROOT
from tile_year import machine, say

HERE = Path(__file__).parent
Figures = dict[str, Any]
Table = list[list[str]]
BEGIN, END = "<!-- written by benchmarks/run_all.py -->", "<!-- end -->"
PREFACE = """# Benchmarks

Written by `python benchmarks/run_all.py --work FOLDER`, which runs every benchmark below and also writes the table in
the README. What each row does and does not count is said in [benchmarks/README.md](../benchmarks/README.md). Costs are
processor seconds, user and system, of whole processes; peaks are resident memory. A ratio compares two candidates of
the same run on the same machine, so it says more than the seconds. Timings differ from run to run: the same inputs do
not give this page the same bytes.
"""


@dataclass(frozen=True)
class Bar:
    """A figure and what it is held to: at most `limit`, or at least; None for a peer's, which is held to nothing."""

    what: str
    figure: float
    limit: float | None
    at_least: bool = False

    def cells(self) -> list[str]:
        if self.limit is None:
            return [self.what, shown(self.figure), "", ""]
        met = self.figure >= self.limit if self.at_least else self.figure <= self.limit
        sign = "≥" if self.at_least else "≤"
        return [self.what, shown(self.figure), f"{sign} {self.limit:g}", "yes" if met else "**no**"]


@dataclass(frozen=True)
class Benchmark:
    """A script beside this one.

    Attributes
    ----------
    arguments : beside --work and --json; `quick` those of a trial in a minute or two, whose ratios mean nothing.
    libraries, programs : whose versions matter; a program answers to --version.
    needs : options whose values environment variables give, without which it is skipped.
    bars, details : from its JSON to what is held, and to a table with its header.
    """

    name: str
    arguments: tuple[str, ...]
    quick: tuple[str, ...]
    libraries: tuple[str, ...]
    bars: Callable[[Figures], list[Bar]]
    details: Callable[[Figures], Table]
    programs: tuple[str, ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict)


def shown(figure: float) -> str:
    """Four digits, without an exponent: enough to see on which side of a bar."""
    return f"{figure:.0f}" if figure >= 1000 else f"{figure:.4g}"


# --- what each benchmark says -------------------------------------------------------------------------------


def tile_year_bars(figures: Figures) -> list[Bar]:
    ours = figures["ours"]
    peak = max(ours["read_s2_peak_mb"], ours["write_peak_mb"]) / 1000
    what = "CPU time of a tile, products to patches, × decoding, deflating and writing it once"
    return [
        Bar(what, ours["ratio"], tile_year.TARGET_RATIO),
        *(Bar(f"the same by {peer['name']}", peer["cpu_s"] / ours["floor_cpu_s"], None) for peer in figures["peers"]),
        Bar("peak memory of cropstack meanwhile, GB", peak, tile_year.TARGET_MB / 1000),
    ]


def tile_year_details(figures: Figures) -> Table:
    ours = figures["ours"]
    floor = ours["floor_cpu_s"]
    rows = [["floor", floor, None], *([f"floor: {k}", v, None] for k, v in ours["floor_parts_cpu_s"].items())]
    rows += [["cropstack", ours["cpu_s"], max(ours["read_s2_peak_mb"], ours["write_peak_mb"])]]
    rows += [["cropstack: read_s2", sum(ours["read_s2_cpu_s"]), ours["read_s2_peak_mb"]]]
    rows += [["cropstack: write_sen4agrinet", ours["write_cpu_s"], ours["write_peak_mb"]]]
    for peer in figures["peers"]:
        whole = (figures["size_px"] // 366) ** 2
        note = "" if peer["patches"] == whole else f", {peer['patches']} of {whole} patches, extrapolated"
        rows.append([f"{peer['name']}{note}", peer["cpu_s"], peer["peak_mb"]])
    header = [f"{figures['dates']} dates, {figures['size_px']} px", "CPU s", "× floor", "peak MB"]
    return [header, *([name, f"{s:.1f}", f"{s / floor:.2f}", peak_cell(peak)] for name, s, peak in rows)]


def aggregate_parcels_bars(figures: Figures) -> list[Bar]:
    what = f"statistics of {figures['parcels']:,} parcels in one band: CPU time of exactextract, × ours"
    return [Bar(what, figures["ratio"], aggregate_parcels.TARGET_RATIO, at_least=True)]


def aggregate_parcels_details(figures: Figures) -> Table:
    ours = figures["coverage"]["kernel_cpu_s"]
    rows = [[f"ours, {name}", figures[name]["kernel_cpu_s"], None] for name in ("coverage", "pixel")]
    rows += [[f"exactextract, {name}", figures[name]["cpu_s"], None] for name in aggregate_parcels.STRATEGIES]
    for step in ("weigh_parcels", "aggregate_parcels"):
        for name in ("coverage", "pixel"):
            found = figures[name][step]
            rows.append([f"whole step {step}, {name}", found["cpu_s"], found["peak_mb"]])
    header = [f"{figures['parcels']:,} parcels, {figures['size_px']} px", "CPU s", "× ours, coverage", "peak MB"]
    return [header, *([name, f"{s:.2f}", f"{s / ours:.1f}", peak_cell(peak)] for name, s, peak in rows)]


def training_items_bars(figures: Figures) -> list[Bar]:
    what = "CPU time of a training item with Sen4AgriNet's own loader, × ours"
    return [Bar(what, figures["ratio"], training_items.TARGET_RATIO, at_least=True)]


def training_items_details(figures: Figures) -> Table:
    header = [f"{figures['patches']} patches, {figures['dates']} dates", "CPU ms an item", "items", "process CPU s"]
    rows = [
        [name, f"{1000 * found['cpu_s']:.1f}", str(found["items"]), f"{found['process_cpu_s']:.1f}"]
        for name, found in (("ours", figures["ours"]), ("S4A's PatchesDataset", figures["s4a"]))
    ]
    made = figures["composite_patches"]
    return [header, *rows, ["composites, once for all items", "", "", f"{made['cpu_s']:.1f}"]]


def harmonise_parcels_bars(figures: Figures) -> list[Bar]:
    bare, ours = figures["pyogrio read + write"], figures["harmonise_parcels"]
    what = f"of harmonising {figures['parcels']:,} parcels, × reading and writing them with pyogrio"
    return [
        Bar(f"CPU time {what}", ours["cpu_s"] / bare["cpu_s"], 4),
        Bar(f"elapsed time {what}", ours["wall_s"] / bare["wall_s"], 4),
        Bar("peak memory of cropstack meanwhile, GB", ours["peak_mb"] / 1000, 4),
    ]


def harmonise_parcels_details(figures: Figures) -> Table:
    header = [f"{figures['parcels']:,} parcels", "CPU s", "wall s", "peak MB"]
    names = ("pyogrio read + write", "harmonise_parcels")
    found = [(name, figures[name]) for name in names]
    return [header, *([name, f"{f['cpu_s']:.1f}", f"{f['wall_s']:.1f}", peak_cell(f["peak_mb"])] for name, f in found)]


def rasterise_labels_bars(figures: Figures) -> list[Bar]:
    drawing, rows = figures["drawing"], figures["rows"]
    what = f"CPU time of reading and drawing {drawing['parcels']:,} parcels at 10 m, without start, × gdal_rasterize"
    ratio = (drawing["read_s"] + drawing["draw_s"]) / rows["gdal_rasterize, 10 m"]["cpu_s"]
    six, step = (rows[name]["cpu_s"] for name in (rasterise_labels.SIX_BY_GDAL, rasterise_labels.SIX_BY_US))
    whole = Bar("the whole step, start and six compressed rasters, × gdal_rasterize for the same six", step / six, None)
    return [Bar(what, ratio, rasterise_labels.TARGET_RATIO), whole]


def rasterise_labels_details(figures: Figures) -> Table:
    drawing, gdal = figures["drawing"], figures["rows"]["gdal_rasterize, 10 m"]["cpu_s"]
    ours = {"cpu_s": drawing["read_s"] + drawing["draw_s"], "peak_mb": None}
    rows = figures["rows"] | {"ours, read and draw at 10 m, without start": ours}
    header = [f"{drawing['parcels']:,} parcels, {figures['size_px']} px", "CPU s", "× gdal, 10 m", "peak MB"]
    cells = [
        [name, f"{found['cpu_s']:.2f}", f"{found['cpu_s'] / gdal:.2f}", peak_cell(found["peak_mb"])]
        for name, found in rows.items()
    ]
    return [header, *cells]


def peak_cell(peak_mb: float | None) -> str:
    return "" if peak_mb is None else f"{peak_mb:.0f}"


BENCHMARKS = (
    Benchmark(
        "tile_year",
        arguments=("--dates", "2"),
        quick=("--dates", "1", "--size-px", "1098", "--sample", "1"),
        libraries=("rasterio", "h5py", "imagecodecs", "numpy", "xarray", "dask", "odc-stac", "stackstac"),
        bars=tile_year_bars,
        details=tile_year_details,
    ),
    Benchmark(
        "aggregate_parcels",
        arguments=(),
        quick=("--size-px", "1098", "--repeats", "1"),
        libraries=("exactextract", "numba", "numpy", "h5py", "imagecodecs"),
        bars=aggregate_parcels_bars,
        details=aggregate_parcels_details,
    ),
    Benchmark(
        "training_items",
        arguments=(),
        quick=("--patches", "4", "--dates", "14", "--items", "20", "--peer-items", "2"),
        libraries=("h5py", "numpy", "xarray", "netCDF4", "torch", "pytorch-lightning"),
        bars=training_items_bars,
        details=training_items_details,
        needs={"--s4a": "CROPSTACK_S4A"},
    ),
    Benchmark(
        "harmonise_parcels",
        arguments=("--parcels", "2000000"),
        quick=("--parcels", "20000"),
        libraries=("pyogrio", "pyarrow", "shapely", "numpy"),
        bars=harmonise_parcels_bars,
        details=harmonise_parcels_details,
    ),
    Benchmark(
        "rasterise_labels",
        arguments=(),
        quick=("--size-px", "1098"),
        libraries=("rasterio", "shapely", "pyogrio", "numpy"),
        programs=("gdal_rasterize",),
        bars=rasterise_labels_bars,
        details=rasterise_labels_details,
    ),
)


# --- running them -------------------------------------------------------------------------------------------


def main() -> int:
    """Measure, write page and table; 1 if a benchmark failed."""
    given = _options()
    work = given.work / "quick" if given.quick else given.work  # small inputs and their figures stay apart
    work.mkdir(parents=True, exist_ok=True)
    chosen = [b for b in BENCHMARKS if (not given.only or b.name in given.only) and runnable(b)]
    failed = [b.name for b in chosen if not measured(b, work, b.quick if given.quick else b.arguments)]
    files = {b.name: work / f"{b.name}.json" for b in BENCHMARKS}
    found = {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items() if file.exists()}
    if given.quick:
        print(page(found))
    else:
        (ROOT / "docs/benchmarks.md").write_text(page(found), encoding="utf-8")
        replace_table(ROOT / "README.md", summary(found))
    if failed:
        say(f"failed: {', '.join(failed)}")
    return bool(failed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for inputs and outputs, kept")
    parser.add_argument("--only", action="append", choices=[b.name for b in BENCHMARKS], help="may be given often")
    parser.add_argument("--quick", action="store_true", help="small sizes, to try the benchmarks: prints the page only")
    return parser.parse_args()


def runnable(benchmark: Benchmark) -> bool:
    missing = [name for name in benchmark.needs.values() if name not in os.environ]
    if missing:
        say(f"{benchmark.name}: skipped, the environment variable {missing[0]} is not set")
    return not missing


def measured(benchmark: Benchmark, work: Path, arguments: Sequence[str]) -> bool:
    """Run a benchmark and keep its figures; False when it failed."""
    kept, raw = work / f"{benchmark.name}.json", work / f"{benchmark.name}_raw.json"
    script = f"benchmarks/{benchmark.name}.py"
    shown_as = [
        script,
        *arguments,
        *(word for option, name in benchmark.needs.items() for word in (option, f"${name}")),
    ]
    needed = [word for option, name in benchmark.needs.items() for word in (option, os.environ[name])]
    kept.unlink(missing_ok=True)
    say(f"--- {' '.join(shown_as)}")
    about = {"machine": described_machine(), "versions": versions(benchmark)}
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(HERE)])}
    outputs = ["--work", str((work / benchmark.name).resolve()), "--json", str(raw.resolve())]
    command = [sys.executable, str(ROOT / script), *arguments, *needed, *outputs]
    done = subprocess.run(command, env=environment, check=False)
    if done.returncode:
        return False
    figures = json.loads(raw.read_text(encoding="utf-8"))
    raw.unlink()
    text = json.dumps({"command": f"python {' '.join(shown_as)} --work FOLDER", **about, "figures": figures}, indent=1)
    kept.write_text(text + "\n", encoding="utf-8")
    return True


def described_machine() -> str:
    lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    total = next(int(line.split()[1]) for line in lines if line.startswith("MemTotal"))
    return f"{machine()}, {total / 2**20:.0f} GiB memory, load {os.getloadavg()[0]:.1f} before"


def versions(benchmark: Benchmark) -> dict[str, str]:
    found = {name: version(name) for name in benchmark.libraries}
    for program in benchmark.programs:
        said = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
        found[program] = said.strip()
    return found


# --- what is written ----------------------------------------------------------------------------------------


def page(found: dict[str, Figures]) -> str:
    """The page: preface, what is held, and a section for each benchmark."""
    sections = [section(b, found[b.name]) for b in BENCHMARKS if b.name in found]
    return "\n".join([PREFACE, summary(found), *sections])


def summary(found: dict[str, Figures]) -> str:
    """The table of what is held, between its marks."""
    rows = [["what", "measured", "held to", "met"]]
    for benchmark in BENCHMARKS:
        if benchmark.name in found:
            rows += [bar.cells() for bar in benchmark.bars(found[benchmark.name]["figures"])]
        else:
            rows.append([f"{benchmark.name}: not measured", "", "", ""])
    return f"{BEGIN}\n{as_markdown(rows)}{END}\n"


def section(benchmark: Benchmark, kept: Figures) -> str:
    libraries = ", ".join(f"{name} {number}" for name, number in kept["versions"].items())
    return (
        f"## {benchmark.name}\n\n    {kept['command']}\n\n{as_markdown(benchmark.details(kept['figures']))}\n"
        f"{kept['machine']}. {libraries}.\n"
    )


def as_markdown(rows: Table) -> str:
    """A table whose first row is its header; numbers to the right."""
    rule = ["---", *["---:"] * (len(rows[0]) - 1)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in [rows[0], rule, *rows[1:]])


def replace_table(file: Path, table: str) -> None:
    """Put `table` between the marks of a file."""
    before, begin, rest = file.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(f"{END}\n")
    if not (begin and end):
        raise SystemExit(f"{file} has no lines {BEGIN} and {END}: put them where the table belongs")
    file.write_text(before + table + after, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
