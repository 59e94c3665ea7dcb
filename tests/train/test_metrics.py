"""Metrics against scikit-learn, and against a case worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as peer

from cropstack.train.metrics import class_scores, confusion_matrix, normalise_over_predictions, scores

CLASSES = 5
pairs = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=60)


@given(pairs)
def test_all_scores_equal_those_of_scikit_learn(answers: list[tuple[int, int]]) -> None:
    truth, predicted = np.array(answers).T
    found = scores(confusion_matrix(truth, predicted, classes=CLASSES))
    weighted = {"average": "weighted", "zero_division": 0}
    assert found["overall_accuracy"] == pytest.approx(peer.accuracy_score(truth, predicted))
    assert found["overall_accuracy"] == pytest.approx(peer.recall_score(truth, predicted, **weighted))
    assert found["precision_weighted"] == pytest.approx(peer.precision_score(truth, predicted, **weighted))
    assert found["f1_weighted"] == pytest.approx(peer.f1_score(truth, predicted, **weighted))
    present = np.unique(truth)
    macro = peer.f1_score(truth, predicted, average="macro", labels=present, zero_division=0)
    assert found["f1_macro"] == pytest.approx(macro)
    each = [peer.accuracy_score(truth == c, predicted == c) for c in present]
    share = [(truth == c).mean() for c in present]
    assert found["accuracy_weighted"] == pytest.approx(np.dot(each, share))


@given(pairs)
def test_confusion_and_its_shares_equal_those_of_scikit_learn(answers: list[tuple[int, int]]) -> None:
    truth, predicted = np.array(answers).T
    labels = range(CLASSES)
    found = confusion_matrix(truth, predicted, classes=CLASSES)
    np.testing.assert_array_equal(found, peer.confusion_matrix(truth, predicted, labels=labels))
    shares = peer.confusion_matrix(truth, predicted, labels=labels, normalize="pred")
    np.testing.assert_allclose(normalise_over_predictions(found), shares)
    precision, recall, f1, _ = peer.precision_recall_fscore_support(truth, predicted, labels=labels, zero_division=0)
    for c in labels:
        assert list(class_scores(found, c).values()) == pytest.approx([precision[c], recall[c], f1[c]])


def test_weighted_accuracy_by_hand() -> None:
    """Classes of 6 and 2 samples; one of the large is called small. N = 8, FP and FN are 1 in all."""
    found = scores(np.array([[5, 1], [0, 2]]))
    assert found["accuracy_weighted"] == pytest.approx((6 * 7 + 2 * 7) / 64)
    assert found["overall_accuracy"] == pytest.approx(7 / 8)
    assert found["majority_share"] == pytest.approx(6 / 8)


def test_the_two_accuracies_differ_as_the_papers_tables_do() -> None:
    """Four classes of 25, each right in 80 %: overall 0.80, but one against rest 0.90."""
    confusion = np.full((4, 4), 5 / 3) * (1 - np.eye(4)) + 20 * np.eye(4)
    found = scores(confusion)
    assert found["overall_accuracy"] == pytest.approx(0.80)
    assert found["accuracy_weighted"] == pytest.approx(0.90)
