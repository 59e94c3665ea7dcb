"""Geometries that lie in a temporary file come back as they were added."""

from pathlib import Path

import numpy as np
import pytest
import shapely

from cropstack.labels.spill import Spill

SHAPES = np.array([shapely.box(n, 0, n + 1, 1).buffer(n / 10) for n in range(6)], object)


def fill(spill: Spill) -> None:
    for some in (SHAPES[:4], SHAPES[4:]):
        wkb = shapely.to_wkb(some, byte_order=1)
        spill.add(np.frombuffer(b"".join(wkb), np.uint8), np.cumsum([0, *map(len, wkb)]))
    spill.finish()


@pytest.mark.parametrize("rows", [[0, 1, 2, 3, 4, 5], [5, 0, 3], [4, 4, 1, 4], [2], []])
def test_rows_come_back_in_any_order(tmp_path: Path, rows: list[int]) -> None:
    with Spill(tmp_path) as spill:
        fill(spill)
        assert spill.read(np.array(rows, np.int64)).to_pylist() == list(shapely.to_wkb(SHAPES[rows], byte_order=1))


def test_no_row_at_all(tmp_path: Path) -> None:
    with Spill(tmp_path) as spill:
        spill.finish()
        assert len(spill.read(np.zeros(0, np.int64))) == 0


def test_nothing_is_left_in_the_folder_after_a_failure(tmp_path: Path) -> None:
    def fail() -> None:
        with Spill(tmp_path) as spill:
            fill(spill)
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        fail()
    assert list(tmp_path.iterdir()) == []
