"""Step: the Level-1C products that an agency delivers of a tile in a year, with a table of what is wrong with them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cropstack.files import read_json, sha256, write_csv, write_json
from cropstack.simulate.l1c_product import L1CProduct
from cropstack.simulate.render import Picture, product_of, render
from cropstack.simulate.safe_l1c import cloud_cover, write_l1c
from cropstack.simulate.schedule import Acquisition, Delivery, acquisitions_of
from cropstack.simulate.surface import Surface, surface_of
from cropstack.step import code_of, step

TRUTH_COLUMNS = ("fault", "unit", "detail", "expected")
Row = tuple[str, str, str, str]


@dataclass(frozen=True)
class World:
    """Which tile in which year of which simulated world; `size_px` is its side at 10 m."""

    tile: str
    year: int
    country: str
    size_px: int
    seed: int


@dataclass(frozen=True)
class Order:
    """One product to make, and a digest of everything that it depends on."""

    acquisition: Acquisition
    delivery: Delivery
    product: L1CProduct
    digest: str


def simulate_products(
    listing: Path, *, tile: str, year: int, country: str, size_px: int, acquisitions: int, seed: int, threads: int
) -> None:
    """Write a tile-year's products into ``<tile>_<year>/`` beside `listing`, and the listing last.

    A product that is there, made from the same parameters by the same code, is left untouched: a killed run goes on
    where it stopped.

    Parameters
    ----------
    listing : JSON with ``products`` (path relative to it, size_bytes, stamp) and ``truth``, the rows that also stand
        in ``<tile>_<year>_truth.csv``: fault, unit (product id), detail, expected (reason in the lock, or none).
    acquisitions : number of overpasses; see `schedule.acquisitions_of`.
    """
    folder = listing.parent / f"{tile}_{year}"
    world = World(tile, year, country, size_px, seed)
    orders = make_products(folder, world, acquisitions_of(year, acquisitions, seed=seed), threads=threads)
    truth = [tuple(row) for order in orders for row in read_json(_beside(folder, order))["truth"]]
    write_csv(listing.with_name(f"{tile}_{year}_truth.csv"), TRUTH_COLUMNS, truth)
    rows = [dict(zip(TRUTH_COLUMNS, row, strict=True)) for row in truth]
    write_json(listing, {"products": [_entry(folder, order) for order in orders], "truth": rows})


def make_products(folder: Path, world: World, acquisitions: Sequence[Acquisition], *, threads: int) -> list[Order]:
    """Make the products of acquisitions that are not there yet, as ``<folder>/<product id>.SAFE``."""
    code = code_of("simulate.simulate_products")
    orders = [
        order_of(world, acquisition, delivery, code=code)
        for acquisition in acquisitions
        for delivery in acquisition.deliveries
    ]
    missing = [order for order in orders if not _is_there(folder, order)]
    there = len(orders) - len(missing)
    print(f"{world.tile} {world.year}: {len(orders)} products, {there} of them already there", flush=True)
    if missing:
        surface = surface_of(world.tile, world.year, country=world.country, size_px=world.size_px, seed=world.seed)
        for number, order in enumerate(missing, start=1):
            print(f"{number}/{len(missing)} {order.product.id} ({order.acquisition.kind})", flush=True)
            make_product(folder, surface, order, seed=world.seed, threads=threads)
    return orders


def order_of(world: World, acquisition: Acquisition, delivery: Delivery, *, code: str) -> Order:
    """The product of a delivery; `code` stands for the programs that make its pixels and files."""
    product = product_of(world.tile, acquisition, delivery, size_px=world.size_px)
    digest = hashlib.sha256(f"{code} {world} {acquisition} {delivery} {product}".encode()).hexdigest()
    return Order(acquisition, delivery, product, digest)


def make_product(folder: Path, surface: Surface, order: Order, *, seed: int, threads: int) -> Path:
    """Render and write one product; the digest beside it comes last. Returns its ``.SAFE`` directory."""
    path = _safe(folder, order)
    picture = render(surface, order.acquisition, order.delivery, order.product, seed=seed)
    write_l1c(path, picture.bands, product=order.product, masks=picture.masks, threads=threads)
    write_json(_beside(folder, order), {"digest": order.digest, "truth": truth_of(order, picture)})
    return path


def truth_of(order: Order, picture: Picture) -> list[Row]:
    """What is special about a product, and the reason for which the lock must leave it out, or ``none``."""
    kind, delivery, unit = order.acquisition.kind, order.delivery, order.product.id
    rows: list[Row] = []
    if kind == "cloudy":
        detail = f"{cloud_cover(picture.bands, picture.masks):.1f} percent of the pixels with data"
        rows.append(("cloudy", unit, detail, "cloud"))
    if kind == "reprocessed":
        newest = delivery is order.acquisition.deliveries[-1]
        detail = f"processing baseline {delivery.processing_baseline}, reflectance times {delivery.gain}"
        rows.append(("reprocessed", unit, detail, "none" if newest else "older_processing_baseline"))
    if kind == "reprocessed_only":
        rows.append(("reprocessed_only", unit, f"processing baseline {delivery.processing_baseline}", "none"))
    if kind == "split":
        detail = f"{delivery.part} part of a datatake, reflectance times {delivery.gain}"
        rows.append(("split_datatake", unit, detail, "none"))
    if kind == "edge":
        rows.append(("swath_edge", unit, "about half of the tile has data", "none"))
    for fault, pixels in picture.counts.items():
        detail = ", ".join(f"{name} {count}" for name, count in pixels.items())
        rows.append((fault, unit, f"pixels: {detail}", "none"))
    return rows


def _safe(folder: Path, order: Order) -> Path:
    return folder / f"{order.product.id}.SAFE"


def _beside(folder: Path, order: Order) -> Path:
    return folder / f"{order.product.id}.json"


def _is_there(folder: Path, order: Order) -> bool:
    beside = _beside(folder, order)
    return _safe(folder, order).is_dir() and beside.is_file() and read_json(beside)["digest"] == order.digest


def _entry(folder: Path, order: Order) -> dict[str, Any]:
    """Listing of a product; its manifest names the checksums of all its files, so its digest is the product's."""
    path = _safe(folder, order)
    return {
        "path": f"{folder.name}/{path.name}",
        "size_bytes": sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
        "stamp": f"sha256:{sha256(path / 'manifest.safe')}",
    }


if __name__ == "__main__":
    step(simulate_products, snakemake)  # noqa: F821
