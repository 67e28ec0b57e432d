"""The simulated records that other tests rest on have scikit-learn's metrics."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from support.factories import split_metrics


@pytest.mark.parametrize("classes", [3, 10])
def test_simulated_metrics_are_scikit_learns(classes):
    rng = np.random.default_rng(classes)
    true, predicted = rng.integers(0, classes - 1, (2, 50))
    found = split_metrics(true, predicted, 0.1, classes)
    labels = range(classes)
    parts = precision_recall_fscore_support(true, predicted, labels=labels, zero_division=0)
    for name, expected in zip(("precision", "recall", "f1", "support"), parts, strict=True):
        assert [one[name] for one in found["per_class"]] == expected.tolist()
        if name != "support":
            assert found[name] == expected[parts[3] > 0].mean()
    assert found["f1_min"] == parts[2][parts[3] > 0].min()
    assert found["accuracy"] == accuracy_score(true, predicted)
    assert found["confusion"] == confusion_matrix(true, predicted, labels=labels).tolist()
