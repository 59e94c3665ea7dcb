"""What rasterising the parcels of a whole tile costs, beside gdal_rasterize on the same parcels.

    python benchmarks/rasterise_labels.py --work /path/with/2/GB

FOLDER gets about 57 000 simulated parcels of a tile of 10980 px once, as GeoParquet for us and as GeoPackage, in the
order in which they are drawn, for GDAL. CPU seconds are user plus system time of processes from start to exit; parts of
ours are also given by themselves. Rasters are compared, and a difference ends the run.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyogrio
import rasterio
from archive import COUNTRY, SEED, TILE, YEAR
from measure import ROOT, Usage, measure
from tile_year import machine

from cropstack.grid import RESOLUTIONS_M, tile_geobox
from cropstack.labels.burn import burn, outlines, parcels_on, read_parcels_on
from cropstack.labels.rasterise_labels import rasterise_labels
from cropstack.simulate.world import tile_parcels

TARGET_RATIO = 1.5
SIX_BY_GDAL, SIX_BY_US = "gdal_rasterize, six rasters, deflated", "ours, rasterise_labels: six rasters"
COLUMN_OF = {"labels": "class_code", "parcels": "parcel_index"}


# --- parts, each in a process of its own ------------------------------------------------------------------


def prepare(work: Path, size_px: int) -> None:
    """Make the parcels, unless they are there."""
    fields = tile_parcels(TILE, YEAR, country=COUNTRY, size_px=size_px, seed=SEED)
    table = fields[["class_code", "geometry"]].copy()
    table["parcel_index"] = np.arange(1, len(table) + 1, dtype=np.int64)
    table["metrics:area"] = table.geometry.area
    table.to_parquet(work / "parcels.parquet")
    drawn = parcels_on(table, tile_geobox(TILE, 10, size_px=size_px))
    pyogrio.write_dataframe(drawn[[*COLUMN_OF.values(), "geometry"]], work / "drawn.gpkg")


def start() -> None:
    """Start Python and import what the step imports: this file has done so."""


def draw(work: Path, size_px: int) -> dict[str, float]:
    """Read the parcels and draw their numbers at 10 m, in memory; what that alone costs, kernels loaded before."""
    grid = tile_geobox(TILE, 10, size_px=size_px)
    burn(outlines(np.array([grid.extent.geom], object)), grid[:1, :1])
    clock = [time.process_time()]
    drawn = read_parcels_on(work / "parcels.parquet", grid)
    clock.append(time.process_time())
    numbers = burn(outlines(drawn.geometry.to_numpy()), grid)
    clock.append(time.process_time())
    return {"parcels": len(drawn), "pixels": int(np.count_nonzero(numbers)), "read_s": clock[1] - clock[0]} | {
        "draw_s": clock[2] - clock[1]
    }


def step(work: Path, size_px: int) -> None:
    """The step, as the workflow runs it: three grids, two rasters each, shuffled and deflated."""
    clc = ROOT / "taxonomy/clc.csv"
    about: dict[str, Any] = {"tile": TILE, "year": YEAR, "size_px": size_px, "corine_year": None}
    rasterise_labels(work / "parcels.parquet", [], clc, work / "labels.nc", **about)


def gdal_command(work: Path, column: str, resolution_m: int, size_px: int, *options: str) -> list[str]:
    """gdal_rasterize of a column on the grid of a resolution."""
    extent = [str(value) for value in tile_geobox(TILE, 10, size_px=size_px).extent.boundingbox.bbox]
    out = work / f"{column}_{resolution_m}.tif"
    out.unlink(missing_ok=True)
    grid = ["-ot", "UInt32", "-init", "0", "-te", *extent, "-tr", str(resolution_m), str(resolution_m)]
    return ["gdal_rasterize", "-q", "-a", column, *grid, *options, str(work / "drawn.gpkg"), str(out)]


# --- measuring --------------------------------------------------------------------------------------------


def run(work: Path, size_px: int) -> dict[str, Any]:
    """Measure everything once; rows are CPU seconds, wall seconds and peak MB."""
    own = [sys.executable, __file__, "--work", str(work), "--size-px", str(size_px), "--part"]
    if not (work / "drawn.gpkg").exists():
        measure([*own, "prepare"], threads=1)
    measure([*own, "draw"], threads=1)  # compiles the kernels where that was never done
    deflate = ("-co", "COMPRESS=DEFLATE")
    six = [(column, resolution) for column in COLUMN_OF.values() for resolution in RESOLUTIONS_M]
    rows = {"gdal_rasterize, 10 m": [measure(gdal_command(work, "parcel_index", 10, size_px), threads=1)]}
    drawing = measure([*own, "draw"], threads=1)
    rows |= {
        "gdal_rasterize, 10 m, deflated": [
            measure(gdal_command(work, "parcel_index", 10, size_px, *deflate), threads=1)
        ],
        SIX_BY_GDAL: [measure(gdal_command(work, *one, size_px, *deflate), threads=1) for one in six],
        "ours, start of Python and imports": [measure([*own, "start"], threads=1)],
        "ours, start, read and draw at 10 m": [drawing],
        SIX_BY_US: [measure([*own, "step"], threads=1)],
    }
    compare(work)
    figures = {name: sum_of(usages) for name, usages in rows.items()}
    return {"size_px": size_px, "machine": machine(), "drawing": drawing.said, "rows": figures}


def sum_of(usages: list[Usage]) -> dict[str, float]:
    return {
        "cpu_s": sum(usage.cpu_s for usage in usages),
        "wall_s": sum(usage.wall_s for usage in usages),
        "peak_mb": max(usage.peak_mb for usage in usages),
    }


def compare(work: Path) -> None:
    """Stop where GDAL drew another number than we wrote."""
    with h5py.File(work / "labels.nc") as file:
        for name, column in COLUMN_OF.items():
            for resolution_m in RESOLUTIONS_M:
                ours = file[f"r{resolution_m}m/{name}"]
                with rasterio.open(work / f"{column}_{resolution_m}.tif") as theirs:
                    for y in range(0, ours.shape[0], ours.chunks[0]):
                        window = ((y, y + ours.chunks[0]), (0, ours.shape[1]))
                        if not np.array_equal(ours[y : y + ours.chunks[0]], theirs.read(1, window=window)):
                            raise SystemExit(f"{name} at {resolution_m} m differ from gdal_rasterize below row {y}")


def print_table(result: dict[str, Any]) -> None:
    """One line per candidate, and whether the target is met."""
    rows, drawing = result["rows"], result["drawing"]
    floor = rows["gdal_rasterize, 10 m"]["cpu_s"]
    print(f"{drawing['parcels']} parcels, {result['size_px']} px; {result['machine']}")
    print(f"{'':40}{'CPU s':>8}{'x gdal':>8}{'wall s':>8}{'MB':>7}")
    for name, row in rows.items():
        print(f"{name:40}{row['cpu_s']:8.2f}{row['cpu_s'] / floor:8.2f}{row['wall_s']:8.2f}{row['peak_mb']:7.0f}")
    ours = drawing["read_s"] + drawing["draw_s"]
    parts = f"of it {drawing['read_s']:.2f} to read and order, {drawing['draw_s']:.2f} to draw"
    print(f"{'ours, read and draw at 10 m, no start':40}{ours:8.2f}{ours / floor:8.2f}   {parts}")
    six, step = (rows[name]["cpu_s"] for name in (SIX_BY_GDAL, SIX_BY_US))
    print(f"the whole step, start of Python included, costs {step / six:.2f} x gdal_rasterize for the same six rasters")
    met = "met" if ours / floor <= TARGET_RATIO else "NOT met"
    print(f"target: rasterising at 10 m costs at most {TARGET_RATIO} x gdal_rasterize alone: {met}")


def main() -> None:
    """Run a part, or measure all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size-px", type=int, default=10980, help="side of the tile at 10 m (default 10980)")
    parser.add_argument("--work", type=Path, help="folder for inputs and outputs, kept; default a temporary one")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    parser.add_argument("--part", choices=["prepare", "start", "draw", "step"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part == "start":
        start()
    elif given.part:
        said = {"prepare": prepare, "draw": draw, "step": step}[given.part](given.work, given.size_px)
        print(json.dumps(said))
    else:
        with tempfile.TemporaryDirectory(prefix="rasterise_labels_") as temporary:
            work = (given.work or Path(temporary)).resolve()
            work.mkdir(parents=True, exist_ok=True)
            result = run(work, given.size_px)
        print_table(result)
        if given.json:
            given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
