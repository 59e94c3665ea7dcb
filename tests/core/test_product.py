import json
import time
from datetime import UTC, datetime

import pystac
import pytest
from shapely.geometry import box

from cropstack.product import Product, format_time, from_item, parse_time, scene_id, to_item

PRODUCT = Product(
    id="S2A_MSIL1C_20190412T105031_N0207_R051_T31TCG_20190412T125510",
    collection="s2_l1c",
    tile="31TCG",
    platform="S2A",
    datatake="20190412T105031",
    relative_orbit=51,
    sensing=datetime(2019, 4, 12, 10, 56, 31, 461000, tzinfo=UTC),
    processing_baseline="02.07",
    generated=datetime(2019, 4, 12, 12, 55, 10, tzinfo=UTC),
    footprint=box(0.5, 41.5, 1.9, 42.4),
    cloud=3.25,
    size_bytes=812_000_000,
    stamp="sha256:00",
    form="safe",
    href="../x/S2A.SAFE",
    offset_state="in_metadata",
)


def test_a_product_survives_its_stac_item_as_json() -> None:
    assert from_item(json.loads(json.dumps(to_item(PRODUCT)))) == PRODUCT


def test_pystac_reads_the_item() -> None:
    item = pystac.Item.from_dict(to_item(PRODUCT), migrate=False)
    assert (item.id, item.collection_id, item.datetime) == (PRODUCT.id, "s2_l1c", PRODUCT.sensing)
    assert item.properties["grid:code"] == "MGRS-31TCG"
    assert item.bbox == [0.5, 41.5, 1.9, 42.4]


def test_a_scene_is_named_by_acquisition_and_tile() -> None:
    assert scene_id(PRODUCT) == "S2A_20190412T105031_R051_T31TCG"


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [("2019-04-12T10:56:31Z", 0), ("2019-04-12T10:56:31.4Z", 400_000), ("2019-04-12T12:56:31.461000+02:00", 461_000)],
)
def test_times_are_read_with_any_decimals_and_become_utc(text: str, microsecond: int) -> None:
    assert parse_time(text) == datetime(2019, 4, 12, 10, 56, 31, microsecond, tzinfo=UTC)
    assert format_time(parse_time(text)) == f"2019-04-12T10:56:31.{microsecond:06d}Z"


def test_a_time_without_a_zone_is_utc_wherever_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/Lima")
        time.tzset()
        found = parse_time("2019-04-12T10:56:31.461")
    time.tzset()
    assert found == datetime(2019, 4, 12, 10, 56, 31, 461000, tzinfo=UTC)
