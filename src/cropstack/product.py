"""Products and scenes as plain data, and their exchange as STAC items.

A product is what the agency delivers; a scene is one acquisition (platform, datatake, relative orbit) on one
tile in one collection, made of one or more products.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry


@dataclass(frozen=True)
class Product:
    """What a provider says about a product before it is fetched.

    Attributes
    ----------
    id : PRODUCT_URI without ``.SAFE``; never a folder's name.
    collection : ``s2_l1c``.
    tile : MGRS cell without the leading T.
    platform : ``S2A`` .. ``S2D``.
    datatake : start of the datatake, ``20190412T105031``.
    sensing : tile sensing time, UTC.
    processing_baseline : ``02.07``.
    generated : generation time, UTC.
    footprint : area with data, longitude and latitude in degrees (EPSG:4326).
    cloud : cloudy pixels in percent.
    size_bytes : of all files together.
    stamp : the source's own word that changes when the product does (a digest, an ETag, sizes and times).
    form : picks the reader: ``safe`` (directory or zip).
    href : where the provider finds it.
    offset_state : who has added the radiometric offset: ``in_metadata`` (nobody, the metadata says), ``applied``,
        ``unknown``.
    """

    id: str
    collection: str
    tile: str
    platform: str
    datatake: str
    relative_orbit: int
    sensing: datetime
    processing_baseline: str
    generated: datetime
    footprint: BaseGeometry
    cloud: float
    size_bytes: int
    stamp: str
    form: str
    href: str
    offset_state: str


def scene_id(product: Product) -> str:
    """Name of the scene that a product belongs to, such as ``S2A_20190412T105031_R051_T31TCG``."""
    return f"{product.platform}_{product.datatake}_R{product.relative_orbit:03d}_T{product.tile}"


def to_item(product: Product) -> dict[str, Any]:
    """STAC 1.1 item of a product (extensions eo, sat, grid, and Sentinel-2's own ``s2:`` fields)."""
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": product.id,
        "collection": product.collection,
        "geometry": mapping(product.footprint),
        "bbox": list(product.footprint.bounds),
        "properties": {
            "datetime": format_time(product.sensing),
            "created": format_time(product.generated),
            "platform": product.platform,
            "eo:cloud_cover": product.cloud,
            "grid:code": f"MGRS-{product.tile}",
            "sat:relative_orbit": product.relative_orbit,
            "s2:datatake": product.datatake,
            "s2:processing_baseline": product.processing_baseline,
            "cropstack:form": product.form,
            "cropstack:offset_state": product.offset_state,
            "cropstack:stamp": product.stamp,
        },
        "links": [],
        "assets": {"product": {"href": product.href, "file:size": product.size_bytes, "roles": ["data"]}},
    }


def from_item(item: dict[str, Any]) -> Product:
    """The product of an item that `to_item` made."""
    properties, asset = item["properties"], item["assets"]["product"]
    return Product(
        id=item["id"],
        collection=item["collection"],
        tile=properties["grid:code"].removeprefix("MGRS-"),
        platform=properties["platform"],
        datatake=properties["s2:datatake"],
        relative_orbit=properties["sat:relative_orbit"],
        sensing=parse_time(properties["datetime"]),
        processing_baseline=properties["s2:processing_baseline"],
        generated=parse_time(properties["created"]),
        footprint=shape(item["geometry"]),
        cloud=properties["eo:cloud_cover"],
        size_bytes=asset["file:size"],
        stamp=properties["cropstack:stamp"],
        form=properties["cropstack:form"],
        href=asset["href"],
        offset_state=properties["cropstack:offset_state"],
    )


def parse_time(text: str) -> datetime:
    """ISO 8601, any number of decimals, to an aware UTC datetime; without Z or an offset it is UTC already."""
    time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def format_time(time: datetime) -> str:
    """UTC datetime as ISO 8601 with microseconds and Z."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
