"""Simulated products of both mask generations through read_s2, with every quality mask that the agency can set."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from cropstack.bands import FLAGS, S2_BANDS, bands_at
from cropstack.grid import RESOLUTIONS_M
from cropstack.scenes.read_s2 import read_s2
from cropstack.simulate.l1c_product import L1CProduct
from cropstack.simulate.safe_l1c import write_l1c
from cropstack.simulate.safe_masks import L1CMasks
from cropstack.simulate.viewing import tile_track

SIZE_PX = 732
START = datetime(2019, 6, 1, 10, 50, 31, 24000, UTC)


def test_it(): ...
