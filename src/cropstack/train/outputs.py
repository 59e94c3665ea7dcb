"""Files of an experiment: metrics, confusion matrix and predictions."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cropstack.files import replace_on_success, write_csv
from cropstack.legend import LegendClass
from cropstack.train.metrics import class_scores, confusion_matrix, normalise_over_predictions, scores
from cropstack.train.samples import UNKNOWN, Part


def write_scores(
    folder: Path, predicted: np.ndarray, truth: np.ndarray, parts: dict[str, Part], legend: list[LegendClass]
) -> None:
    """Write metrics.csv (metric, class, value) and confusion.csv; the class is empty where a metric is of all.

    Shares have 6 decimals. A class that a split lacks shows as a support of 0 there, and is counted and printed.
    """
    known = truth != UNKNOWN
    confusion = confusion_matrix(truth[known], predicted[known], classes=len(legend))
    rows = [*_overall(confusion, parts), *_by_class(confusion, parts, legend)]
    write_csv(folder / "metrics.csv", ["metric", "class", "value"], rows)
    shares = normalise_over_predictions(confusion)
    cells = (
        (true.name, answer.name, int(confusion[t, p]), f"{shares[t, p]:.6f}")
        for t, true in enumerate(legend)
        for p, answer in enumerate(legend)
    )
    write_csv(folder / "confusion.csv", ["truth", "predicted", "count", "share_of_predicted"], cells)
    for split, part in parts.items():
        missing = [crop.name for crop, support in zip(legend, part.support, strict=True) if not support]
        if missing:
            print(f"{folder.name}: {split} has no sample of {', '.join(missing)}")
    print(f"{folder.name}: " + ", ".join(f"{name} {value:.3f}" for name, value in scores(confusion).items()))


def _overall(confusion: np.ndarray, parts: dict[str, Part]) -> Iterator[tuple[str, str, object]]:
    for name, value in scores(confusion).items():
        yield name, "", f"{value:.6f}"
    for split, part in parts.items():
        yield f"samples_{split}", "", part.samples.size
        yield f"classes_missing_{split}", "", int((part.support == 0).sum())


def _by_class(
    confusion: np.ndarray, parts: dict[str, Part], legend: list[LegendClass]
) -> Iterator[tuple[str, str, object]]:
    for position, crop in enumerate(legend):
        for name, value in class_scores(confusion, position).items():
            yield name, crop.name, f"{value:.6f}"
        for split, part in parts.items():
            yield f"support_{split}", crop.name, int(part.support[position])


def write_predictions(path: Path, part: Part, predicted: np.ndarray, truth: np.ndarray) -> None:
    """Write a row per test sample: its units, then predicted and truth as legend ids, truth 0 where it is not known.

    Of a parcel one id (int16), of a sub-patch a list of its pixels row by row.
    """
    table = pa.Table.from_pandas(part.units, preserve_index=False)
    for name, classes in (("predicted", predicted), ("truth", truth)):
        table = table.append_column(name, _ids(classes))
    with replace_on_success(path) as temporary:
        pq.write_table(table.replace_schema_metadata(None), temporary, compression="zstd")


def _ids(classes: np.ndarray) -> pa.Array:
    ids = pa.array((classes + 1).astype(np.int16).ravel())
    return ids if classes.ndim == 1 else pa.FixedSizeListArray.from_arrays(ids, classes[0].size)
