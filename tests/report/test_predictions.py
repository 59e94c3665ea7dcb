"""Predictions of sub-patches in their places."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cropstack.legend import LegendClass
from cropstack.report.predictions import codes_of, is_of_patches, predicted_patches, read_predicted

SUB_PATCH = 61 * 61


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """Three sub-patches of 6 × 6 a patch: two on patch 00_01, the upper left and the lower right; one on 01_00."""
    units = [("2019_31TCG", 0, 6), ("2019_31TCG", 5, 11), ("2019_31TCG", 6, 0)]
    lists = [pa.FixedSizeListArray.from_arrays(pa.array(np.repeat(v, SUB_PATCH), "int16"), SUB_PATCH)
             for v in ([2, 3, 4], [2, 0, 4])]  # fmt: skip
    place, row, column = zip(*units, strict=True)
    table = {"place": place, "row": row, "column": column, "predicted": lists[0], "truth": lists[1]}
    pq.write_table(pa.table(table), tmp_path / "predictions.parquet")
    return tmp_path


def test_sub_patches_are_counted_by_their_patch(experiment: Path) -> None:
    assert predicted_patches(experiment) == {"2019_31TCG_patch_00_01": 2, "2019_31TCG_patch_01_00": 1}


def test_sub_patches_lie_in_their_corners_and_nothing_elsewhere(experiment: Path) -> None:
    predicted, truth = read_predicted(experiment, "2019_31TCG_patch_00_01")
    assert (predicted[:61, :61] == 2).all()
    assert (predicted[305:, 305:] == 3).all()
    assert np.count_nonzero(predicted) == 2 * SUB_PATCH
    assert np.count_nonzero(truth) == SUB_PATCH  # the second has no class of the legend


def test_predictions_of_parcels_are_none_of_patches(tmp_path: Path, experiment: Path) -> None:
    assert is_of_patches(experiment)
    parcels = tmp_path / "parcels"
    parcels.mkdir()
    assert not is_of_patches(parcels)
    pq.write_table(pa.table({"parcel_index": [1], "predicted": [2]}), parcels / "predictions.parquet")
    assert not is_of_patches(parcels)


def test_predicted_classes_take_the_colours_of_labels() -> None:
    legend = [LegendClass(1, "Wheat", "#000000", (110, 111)), LegendClass(3, "Grapes", "#111111", (330,))]
    assert codes_of(np.array([[0, 1], [3, 1]]), legend).tolist() == [[0, 110], [330, 110]]
