"""Simulated products of both mask generations through read_s2, with every mask that decides a flag."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from cropstack.bands import FLAGS, S2_BANDS, bands_at
from cropstack.files import read_attributes
from cropstack.grid import tile_geobox
from cropstack.scenes.read_s2 import read_s2
from cropstack.simulate.l1c_product import L1CProduct
from cropstack.simulate.safe_l1c import write_l1c
from cropstack.simulate.safe_masks import L1CMasks
from cropstack.simulate.viewing import track_past

SIZE_PX = 732


def product_of(baseline: str) -> L1CProduct:
    return L1CProduct(
        tile="31TCG",
        platform="S2B",
        datatake=datetime(2019, 6, 1, 10, 50, 39, 24000, UTC),
        datastrip=datetime(2019, 6, 1, 10, 54, 7, tzinfo=UTC),
        sensing=datetime(2019, 6, 1, 10, 56, 34, 500000, UTC),
        generated=datetime(2019, 6, 1, 13, 5, 6, tzinfo=UTC),
        relative_orbit=51,
        absolute_orbit=11678,
        processing_baseline=baseline,
        station="SGS_",
        track=track_past(tile_geobox("31TCG", 10, size_px=SIZE_PX), east_m=20_000.0),
    )


def block(size: int, rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[rows, columns] = True
    return mask


@pytest.mark.parametrize(("baseline", "offset"), [("02.07", 0), ("05.00", -1000)])
def test_simulated_product_comes_out_pixel_by_pixel(
    l1c: SimpleNamespace, tmp_path: Path, baseline: str, offset: int
) -> None:
    product = product_of(baseline)
    bands = {b.name: l1c.digital_numbers(l1c.Product(seed=9), b.name, b.resolution_m) for b in S2_BANDS}
    clouds = [block(122, slice(50, 70), slice(20, 90)), block(122, slice(60, 80), slice(60, 122))]
    snow = block(122, slice(100, 122), slice(0, 30))
    lost = block(366, slice(200, 201), slice(None))
    ancillary = block(366, slice(210, 211), slice(None))
    masks = L1CMasks(clouds[0], clouds[1], snow, {"B05": {"msi_lost": lost, "ancillary_lost": ancillary}})
    root = tmp_path / f"{product.id}.SAFE"
    write_l1c(root, bands, product=product, masks=masks)
    scene = tmp_path / "S2B_20190601T105039_R051_T31TCG.nc"
    read_s2([l1c.fetch(root, tmp_path / "archive")], scene, tile="31TCG", size_px=SIZE_PX, threads=1)
    with h5py.File(scene) as file:
        assert read_attributes(file)["offset_applied"] == str(offset)
        for resolution in (10, 20, 60):
            group = file[f"r{resolution}m"]
            expected = np.zeros(group["flags"].shape, np.uint8)
            repeat = np.ones((60 // resolution, 60 // resolution), np.uint8)
            for flag, mask in (("opaque_cloud", clouds[0]), ("cirrus", clouds[1]), ("snow", snow)):
                if flag != "snow" or product.has_raster_masks:  # GML has no snow
                    expected |= np.kron(mask.astype(np.uint8), repeat) * FLAGS[flag]
            expected |= (lost if resolution == 20 else np.False_) * np.uint8(FLAGS["defective"])
            for band in bands_at(resolution):
                dn = bands[band.name]
                values = np.maximum(1, dn.astype(int) + offset)
                values[dn == 0], values[dn == 65535] = 0, 65535
                np.testing.assert_array_equal(group[band.name][:], values)
                expected |= (dn == 0) * np.uint8(FLAGS["nodata"]) | (dn == 65535) * np.uint8(FLAGS["saturated"])
            np.testing.assert_array_equal(group["flags"][:], expected)
