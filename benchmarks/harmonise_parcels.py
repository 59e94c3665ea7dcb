"""How much harmonise_parcels costs beside a bare read and write of the same declaration with pyogrio (Arrow).

    python benchmarks/harmonise_parcels.py --work FOLDER --parcels 2000000

Makes a declaration of N parcels in FOLDER once (French columns, GeoPackage), then runs in processes of their own:
pyogrio reading the layer as Arrow and writing it as GeoPackage, and the step, from start to exit. Prints CPU and wall
seconds, the ratio of both and the peaks of resident memory.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import shapely
from measure import ROOT, measure

from cropstack.errors import LedgerRow
from cropstack.files import read_ledger

CRS, YEAR, SEED = "EPSG:2154", 2022, 1
CELL_M = 150.0
LEFT, BOTTOM = 300_000.0, 6_500_000.0  # in the west of France
STEPS = 5  # vertices of an edge: a parcel has 4 × 5 + 1
ROWS_AT_ONCE = 250
CODES = ["BTH", "MIS", "PPH", "ORH", "CZH", "TRN", "J6S", "VRC", "PTR", "SNE"]
SHARES = {  # of parcels; about what the offices' files have
    "null": 0.0005,
    "loop": 0.003,
    "shifted": 0.01,  # overlaps its neighbour
    "sliver": 0.002,
    "multipart": 0.002,
    "duplicate": 0.001,
    "null id": 0.0005,
    "id twice": 0.002,
    "wrong area": 0.002,
    "unknown code": 0.001,
}


# --- the declaration --------------------------------------------------------------------------------------


def digitised_edges(start: np.ndarray, end: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Points (..., STEPS, 2) from each start towards its end, which is left out; bent as if drawn by hand."""
    share = np.arange(STEPS)[:, None] / STEPS
    points = start[..., None, :] + share * (end - start)[..., None, :]
    points[..., 1:, :] += random.normal(0, 2.0, points[..., 1:, :].shape)
    return points


def make_block(columns: int, rows: int, first_row: int, random: np.random.Generator) -> np.ndarray:
    """Rings (parcels, vertices, 2) of neighbouring parcels that share their edges; blocks are 20 m apart."""
    x, y = np.meshgrid(np.arange(columns + 1) * CELL_M, np.arange(rows + 1) * CELL_M)
    corners = np.stack([x, y], axis=-1) + random.uniform(-25, 25, (rows + 1, columns + 1, 2))
    corners[:, :, 1] += BOTTOM + first_row * CELL_M + (first_row // ROWS_AT_ONCE) * 70.0
    corners[:, :, 0] += LEFT
    across = digitised_edges(corners[:, :-1], corners[:, 1:], random)
    up = digitised_edges(corners[:-1], corners[1:], random)
    top, right = across[1:], up[:, 1:]
    back = np.concatenate([corners[1:, 1:, None], top[:, :, :0:-1]], axis=2)
    down = np.concatenate([corners[1:, :-1, None], up[:, :-1, :0:-1]], axis=2)
    rings = np.concatenate([across[:-1], right, back, down, across[:-1, :, :1]], axis=2)
    return np.round(rings.reshape(rows * columns, 4 * STEPS + 1, 2), 3)


def with_faults(rings: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Polygons of rings, the faulty ones by their kind."""
    rings[kinds == "shifted"] += (9.0, 4.0)
    loops = rings[kinds == "loop"]
    loops[:, 2], loops[:, 3] = loops[:, 3].copy(), loops[:, 2].copy()
    rings[kinds == "loop"] = loops
    slivers = kinds == "sliver"
    rings[slivers, :, 1] = rings[slivers, :1, 1] + (rings[slivers, :, 1] - rings[slivers, :1, 1]) * 0.004
    polygons = np.asarray(shapely.polygons(rings), object)
    for row in np.flatnonzero(kinds == "multipart"):
        polygons[row] = shapely.multipolygons(
            [shapely.box(*(rings[row, 0] + at), *(rings[row, 0] + at + 20)) for at in (50, 80)]
        )
    polygons[kinds == "null"] = None
    return polygons


def make_table(rings: np.ndarray, first_id: int, random: np.random.Generator) -> pa.Table:
    """Columns of the RPG; a duplicate repeats the row before it."""
    kinds = random.choice([*SHARES, ""], len(rings), p=[*SHARES.values(), 1 - sum(SHARES.values())])
    kinds[0] = ""
    again = np.flatnonzero(kinds == "duplicate")
    rings[again] = rings[again - 1]
    kinds[again - 1] = ""
    ids = np.arange(first_id, first_id + len(rings)).astype(str).astype(object)
    ids[kinds == "id twice"] = ids[np.flatnonzero(kinds == "id twice") - 1]
    ids[kinds == "null id"] = None
    codes = random.choice(CODES, len(rings)).astype(object)
    codes[again] = codes[again - 1]
    codes[kinds == "unknown code"] = "Q?Q"
    polygons = with_faults(rings, kinds)
    area = np.nan_to_num(np.round(shapely.area(polygons) / 1e4, 2)) * np.where(kinds == "wrong area", 1.3, 1)
    columns = {
        "id_parcel": pa.array(ids, pa.string()),
        "surf_parc": pa.array(area, pa.float32()),
        "code_cultu": pa.array(codes, pa.string()),
        "code_group": pa.array(random.integers(1, 29, len(rings)).astype(str), pa.string()),
        "culture_d1": pa.array([""] * len(rings), pa.string()),
        "culture_d2": pa.array([""] * len(rings), pa.string()),
        "geometry": pa.array(shapely.to_wkb(polygons), pa.binary()),
    }
    return pa.table(columns)


def make_declaration(path: Path, parcels: int) -> None:
    """Write a GeoPackage of about `parcels` parcels, rows in the order of the ground, as offices export them."""
    columns = max(1, round(parcels**0.5))
    rows = parcels // columns
    random = np.random.default_rng(SEED)
    tables = []
    for first in range(0, rows, ROWS_AT_ONCE):
        rings = make_block(columns, min(ROWS_AT_ONCE, rows - first), first, random)
        tables.append(make_table(rings, 1 + first * columns, random))
    write(pa.concat_tables(tables), path)


def write(table: pa.Table, path: Path) -> None:
    """Write Arrow with WKB in the column `geometry` as GeoPackage."""
    path.unlink(missing_ok=True)
    pyogrio.write_arrow(
        table,
        path,
        layer="parcelles_graphiques",
        driver="GPKG",
        geometry_name="geometry",
        geometry_type="Unknown",
        crs=CRS,
    )


# --- what is measured -------------------------------------------------------------------------------------


def bare(work: Path, parcels: int) -> None:
    """Read all columns as Arrow and write them."""
    meta, table = pyogrio.read_arrow(declaration(work, parcels))
    table = table.rename_columns(
        [meta["geometry_name"] or "geometry" if n == "wkb_geometry" else n for n in table.column_names]
    )
    write(table.drop_columns([n for n in table.column_names if n == "fid"]), work / "bare.gpkg")


def harmonise(work: Path, parcels: int) -> None:
    """The step, as the workflow runs it; imported here, since the floor must not pay for it."""
    from cropstack.labels.harmonise_parcels import harmonise_parcels

    country = ROOT / "taxonomy/countries/fr"
    harmonise_parcels(
        [declaration(work, parcels)],
        country / "source.yaml",
        ROOT / "workflow/schemas/source.schema.yaml",
        country / "crops.csv",
        ROOT / "taxonomy/classes.csv",
        work / "parcels.parquet",
        work / "ledger.csv",
        country="fr",
        year=YEAR,
        max_unknown_share=0.05,
        allow_unreviewed=True,
        simulated=True,
        threads=2,
    )


def declaration(work: Path, parcels: int) -> Path:
    return work / f"declared_{parcels}.gpkg"


def summary(ledger: list[LedgerRow]) -> dict[str, int]:
    """Rows of the ledger by action and reason."""
    counts: dict[str, int] = {}
    for row in ledger:
        key = f"{row.action} {row.reason}"
        counts[key] = counts.get(key, 0) + 1
    return dict(sorted(counts.items()))


def main() -> None:
    """Make the declaration if it is missing, run both, print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--parcels", type=int, default=2_000_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--part", choices=["make", "bare", "harmonise"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        parts = {"make": lambda: make_declaration(declaration(given.work, given.parcels), given.parcels)}
        parts |= {"bare": lambda: bare(given.work, given.parcels)}
        parts |= {"harmonise": lambda: harmonise(given.work, given.parcels)}
        parts[given.part]()
        return
    given.work.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, __file__, "--work", str(given.work), "--parcels", str(given.parcels), "--part"]
    if not declaration(given.work, given.parcels).exists():
        measure([*command, "make"], threads=given.threads)
    floor = measure([*command, "bare"], threads=given.threads)
    ours = measure([*command, "harmonise"], threads=given.threads)
    rows = {"pyogrio read + write": floor, "harmonise_parcels": ours}
    for name, usage in rows.items():
        print(f"{name:22s} {usage.cpu_s:8.1f} CPU s {usage.wall_s:8.1f} s {usage.peak_mb:8.0f} MB")
    print(f"{'ratio':22s} {ours.cpu_s / floor.cpu_s:8.2f} CPU   {ours.wall_s / floor.wall_s:8.2f} wall")
    written = pq.read_metadata(given.work / "parcels.parquet").num_rows
    print(f"{written} parcels written; {summary(read_ledger(given.work / 'ledger.csv'))}")
    if given.json:
        figures = {name: {"cpu_s": u.cpu_s, "wall_s": u.wall_s, "peak_mb": u.peak_mb} for name, u in rows.items()}
        given.json.write_text(json.dumps({"parcels": given.parcels} | figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
