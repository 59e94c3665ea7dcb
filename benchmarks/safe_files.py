"""Where the files of a Level-1C product lie; the benchmark's own look, so that nothing leans on what it measures."""

import re
from pathlib import Path

BANDS = {
    10: ("B02", "B03", "B04", "B08"),
    20: ("B05", "B06", "B07", "B8A", "B11", "B12"),
    60: ("B01", "B09", "B10"),
}
PATCH_PX = {10: 366, 20: 183, 60: 61}


def band_file(product: Path, band: str) -> Path:
    """The JPEG 2000 file of a band."""
    return _one(product, f"GRANULE/*/IMG_DATA/*_{band}.jp2")


def mask_file(product: Path, name: str) -> Path:
    """A mask of processing baseline 04.00 and later, such as ``MSK_CLASSI_B00``."""
    return _one(product, f"GRANULE/*/QI_DATA/{name}.jp2")


def _one(product: Path, pattern: str) -> Path:
    found = list(product.glob(pattern))
    if len(found) != 1:
        raise SystemExit(f"{product}: {len(found)} files {pattern}; expected 1")
    return found[0]


def radiometric_offset(product: Path) -> int:
    """The RADIO_ADD_OFFSET that all bands share."""
    text = (product / "MTD_MSIL1C.xml").read_text(encoding="utf-8")
    offsets = set(re.findall(r"<RADIO_ADD_OFFSET[^>]*>(-?\d+)<", text))
    if len(offsets) != 1:
        raise SystemExit(f"{product}: offsets {sorted(offsets)}; expected one for all bands")
    return int(offsets.pop())


def sensing_time(product: Path) -> str:
    """PRODUCT_START_TIME of the product."""
    text = (product / "MTD_MSIL1C.xml").read_text(encoding="utf-8")
    found = re.search(r"<PRODUCT_START_TIME>([^<]+)<", text)
    if found is None:
        raise SystemExit(f"{product}: MTD_MSIL1C.xml has no PRODUCT_START_TIME")
    return found[1]
