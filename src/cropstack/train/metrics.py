"""Metrics of a classification, from its confusion matrix.

Sen4AgriNet weighs "all metrics with the samples of each class" (section VI), but its two tables mean two things by
accuracy. SOURCE: the evaluation in S4A-Models. Table III (patches) is the mean over classes of one-against-rest
accuracy (TP + TN) / N, weighted by support: `accuracy_weighted` here, and far above F1. Table IV (parcels) is plain
overall accuracy, which equals recall weighted by support: `overall_accuracy` here. Every experiment gets both.
"""

import numpy as np


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, *, classes: int) -> np.ndarray:
    """Counts (classes, classes), int64; rows are the truth. Both inputs hold 0 .. classes - 1, any shape."""
    pairs = truth.astype(np.int64).ravel() * classes + predicted.astype(np.int64).ravel()
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def scores(confusion: np.ndarray) -> dict[str, float]:
    """Summary metrics of a confusion matrix, 0 to 1.

    With n_c the support of class c, N = Σ n_c, and TP, FP, FN per class:
    overall_accuracy = Σ TP_c / N;
    accuracy_weighted = Σ n_c (N - FP_c - FN_c) / N²;
    precision_weighted = Σ n_c P_c / N with P_c = TP_c / (TP_c + FP_c), 0 where nothing was predicted;
    f1_weighted = Σ n_c F_c / N with F_c = 2 TP_c / (2 TP_c + FP_c + FN_c);
    f1_macro = mean of F_c over the classes with n_c > 0;
    majority_share = max n_c / N, the overall accuracy of always naming the commonest class.
    """
    hits = np.diag(confusion).astype(float)
    support = confusion.sum(axis=1).astype(float)
    predicted = confusion.sum(axis=0).astype(float)
    total = support.sum()
    misses = support + predicted - 2 * hits
    f1 = _ratio(2 * hits, support + predicted)
    return {
        "overall_accuracy": float(hits.sum() / total),
        "accuracy_weighted": float((support * (total - misses)).sum() / total**2),
        "precision_weighted": float((support * _ratio(hits, predicted)).sum() / total),
        "f1_weighted": float((support * f1).sum() / total),
        "f1_macro": float(f1[support > 0].mean()),
        "majority_share": float(support.max() / total),
    }


def class_scores(confusion: np.ndarray, position: int) -> dict[str, float]:
    """Precision, recall and F1 of one class, 0 where undefined."""
    hits = float(confusion[position, position])
    support, predicted = float(confusion[position].sum()), float(confusion[:, position].sum())
    return {
        "precision": hits / predicted if predicted else 0.0,
        "recall": hits / support if support else 0.0,
        "f1": 2 * hits / (support + predicted) if support + predicted else 0.0,
    }


def normalise_over_predictions(confusion: np.ndarray) -> np.ndarray:
    """Share of each predicted class (column) that truly is each class (figures 11, 12); 0 where none is predicted."""
    return _ratio(confusion.astype(float), confusion.sum(axis=0, keepdims=True).astype(float))


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return np.divide(top, bottom, out=np.zeros(np.broadcast_shapes(top.shape, bottom.shape)), where=bottom != 0)
