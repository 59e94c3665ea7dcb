from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pyproj import Transformer
from shapely import box
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from cropstack.grid import tile_geobox
from cropstack.product import Product, parse_time

TILE = "31TCG"


def part_of_tile(left: float, right: float) -> BaseGeometry:
    """Footprint in degrees of a share of tile 31TCG: the whole of it from north to south, columns left to right."""
    bounds = tile_geobox(TILE, 10).boundingbox
    width = bounds.right - bounds.left
    strip = box(bounds.left + left * width, bounds.bottom, bounds.left + right * width, bounds.top)
    to_degrees = Transformer.from_crs(32631, 4326, always_xy=True)
    return Polygon([to_degrees.transform(x, y) for x, y in strip.exterior.coords])


@pytest.fixture
def product() -> Callable[..., Product]:
    """A product of orbit 51 on 12 April 2019, whole tile, 5 % cloud, processing baseline 02.07; keywords change it."""

    def make(name: str = "A", *, part: tuple[float, float] = (0, 1), day: int = 0, **changes: Any) -> Product:
        sensing = parse_time("2019-04-12T10:50:34.123456Z") + timedelta(days=day)
        values: dict[str, Any] = {
            "id": name,
            "collection": "s2_l1c",
            "tile": TILE,
            "platform": "S2A",
            "datatake": f"{sensing:%Y%m%d}T105031",
            "relative_orbit": 51,
            "sensing": sensing,
            "processing_baseline": "02.07",
            "generated": parse_time("2019-04-12T12:00:00Z"),
            "footprint": part_of_tile(*part),
            "cloud": 5.0,
            "size_bytes": 800_000_000,
            "stamp": f"stamp of {name}",
            "form": "safe",
            "href": f"{name}.SAFE",
            "offset_state": "in_metadata",
        }
        return Product(**(values | changes))

    return make
