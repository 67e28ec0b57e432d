"""Metrics from counts are scikit-learn's; their replicates are those of a plain bootstrap."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from mnist_sweep.analysis.statistics import resample_predictions
from mnist_sweep.analysis.statistics.bootstrap import (
    collapse,
    image_weights,
    metrics_under,
)
from mnist_sweep.errors import DataError, SelectionError
from mnist_sweep.metrics import resolve

CLASSES = 4
METRICS = ("accuracy", "precision", "recall", "f1", "f1_min")
labels = st.lists(
    st.tuples(*[st.integers(0, CLASSES - 1)] * 3), min_size=1, max_size=30
)  # true, first run, second run


def scikit_learn(true, predicted):
    parts = precision_recall_fscore_support(
        true, predicted, labels=np.arange(CLASSES), zero_division=0
    )
    # Averages are over the classes that occur, as with labels=unique(true).
    present = parts[3] > 0
    means = [part[present].mean() for part in parts[:3]]
    expected = dict(zip(("precision", "recall", "f1"), means, strict=True))
    expected |= {"accuracy": accuracy_score(true, predicted), "f1_min": parts[2][present].min()}
    for row, name in enumerate(("precision", "recall", "f1")):
        expected |= {f"{name}.{label}": parts[row][label] for label in range(CLASSES)}
    return expected


@given(labels)
@settings(max_examples=30, deadline=None)
def test_every_metric_equals_scikit_learns_also_for_classes_never_seen_or_predicted(columns):
    true, *runs = np.array(columns, dtype=np.uint8).T
    expected = [scikit_learn(true, predicted) for predicted in runs]
    tables = resample_predictions(
        runs, true, [*expected[0]], np.random.default_rng(0), replicates=100, classes=CLASSES
    )
    for name, table in tables.items():
        np.testing.assert_allclose(table.observed, [one[name] for one in expected], atol=1e-12)


@given(labels, st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_a_replicate_is_what_scikit_learn_says_of_the_resampled_images(columns, seed):
    true, *runs = np.array(columns, dtype=np.uint8).T
    runs = np.array(runs)
    patterns = collapse(runs, true, CLASSES)
    drawn = np.random.default_rng(seed).integers(len(true), size=len(true))
    size = len(patterns.counts)
    weights = np.bincount(patterns.pattern_of[drawn], minlength=size).astype(np.float32)
    expected = [scikit_learn(true[drawn], run[drawn]) for run in runs]
    metrics = [resolve(name, classes=CLASSES) for name in expected[0]]
    replicates = metrics_under(patterns, metrics, [weights[:, None]])
    for name, values in zip(expected[0], replicates, strict=True):
        np.testing.assert_allclose(values[:, 0], [one[name] for one in expected], atol=1e-12)


def test_metrics_asked_for_together_are_those_asked_for_alone():
    rng = np.random.default_rng(3)
    true = rng.integers(10, size=200)
    predicted = np.where(rng.random((2, 200)) < 0.8, true, rng.integers(10, size=(2, 200)))

    def resampled(names):
        return resample_predictions(
            predicted, true, names, np.random.default_rng(1), replicates=100
        )

    together = resampled(METRICS)
    for name in METRICS:
        alone = resampled([name])[name]
        np.testing.assert_array_equal(alone.replicates, together[name].replicates)


@pytest.mark.parametrize(
    "name", ["loss", "time.train_s", "f1.", "f1.10", "f1.-1", "accuracy.3", "f1_min.2", ""]
)
def test_a_metric_that_predictions_do_not_give_is_refused(name):
    with pytest.raises(SelectionError):
        resample_predictions([[0, 1]], [0, 1], [name], np.random.default_rng(0))


def test_too_few_replicates_are_refused():
    with pytest.raises(DataError, match="At least 100"):
        resample_predictions([[0, 1]], [0, 1], ["f1"], np.random.default_rng(0), replicates=99)


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=40))
@settings(max_examples=50, deadline=None)
def test_each_image_finds_its_column_again_and_no_column_is_there_twice(columns):
    true, *runs = np.array(columns).T
    patterns = collapse(np.array(runs), true, 3)
    np.testing.assert_array_equal(patterns.true[patterns.pattern_of], true)
    np.testing.assert_array_equal(patterns.predicted[:, patterns.pattern_of], runs)
    assert len(patterns.counts) == len(set(columns))
    np.testing.assert_array_equal(np.bincount(patterns.pattern_of), patterns.counts)


@pytest.mark.parametrize("distinct", [4, 400], ids=["by counts", "by images"])
def test_pattern_counts_have_the_moments_of_a_bootstrap_over_images(distinct):
    """Multinomial: mean counts, variance counts (1 - share), covariance -counts share."""
    images, draws = 1000, 20_000
    predicted = np.arange(images) % distinct % 256
    patterns = collapse(predicted, np.arange(images) % distinct // 256, 256)
    weights = image_weights(patterns, draws, np.random.default_rng(5))
    share = patterns.counts / images
    assert (weights.sum(axis=0) == images).all()
    error = np.sqrt(patterns.counts / draws)
    assert (np.abs(weights.mean(axis=1) - patterns.counts) < 5 * error).all()
    np.testing.assert_allclose(weights.var(axis=1), patterns.counts * (1 - share), rtol=0.06)
    expected = -patterns.counts[0] * share[1]
    spread = patterns.counts[0] / np.sqrt(draws)
    assert np.cov(weights[0], weights[1])[0, 1] == pytest.approx(expected, abs=5 * spread)


def test_replicates_have_the_distribution_of_a_plain_bootstrap_over_images():
    rng = np.random.default_rng(8)
    true = rng.integers(10, size=3000)
    predicted = np.where(rng.random((3, 3000)) < 0.97, true, (true + 1) % 10)
    table = resample_predictions(predicted, true, ["accuracy"], rng, replicates=4000)["accuracy"]
    right = predicted == true
    exact = np.cov(right, bias=True) / 3000
    np.testing.assert_allclose(table.observed, right.mean(axis=1), atol=1e-12)
    scale = exact.diagonal().mean()
    np.testing.assert_allclose(np.cov(table.replicates), exact, atol=0.12 * scale)
    np.testing.assert_allclose(table.replicates.mean(axis=1), table.observed, atol=2e-4)


@pytest.mark.parametrize(
    ("predicted", "true", "said"),
    [
        ([[0, 1, 2]], [0, 1], "only on the same images"),
        ([[]], [], "Predictions must be"),
        ([[0, 10]], [0, 1], "between 0 and 9"),
        ([[0, -1]], [0, 1], "between 0 and 9"),
        ([[0, 1]], [0, 11], "True classes"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(predicted, true, said):
    with pytest.raises(DataError, match=said):
        collapse(np.array(predicted), np.array(true))


def test_the_lowest_f1_varies_as_the_f1_of_the_classes_that_are_lowest():
    rng = np.random.default_rng(3)
    true = rng.integers(3, size=600)
    wrong = rng.random((2, 600)) < np.array([[0.2], [0.1]])
    runs = np.where(wrong, rng.integers(3, size=(2, 600)), true)
    names = ("f1_min", "f1.0", "f1.1", "f1.2")
    tables = resample_predictions(runs, true, names, rng, replicates=2000, classes=3)
    classes = np.stack([tables[name].replicates for name in names[1:]])  # (class, run, replicate)
    for run in range(2):
        shares = np.bincount(classes[:, run].argmin(axis=0), minlength=3) / 2000
        assert shares.max() < 0.9
        expected = shares @ classes[:, run].var(axis=1)
        lowest = tables["f1_min"].replicates[run]
        np.testing.assert_allclose(lowest.var(), expected, rtol=0.005)
        assert expected > 1.05 * classes[:, run].min(axis=0).var()
        np.testing.assert_allclose(lowest.mean(), classes[:, run].min(axis=0).mean(), atol=1e-12)


def test_the_lowest_f1_never_varies_less_than_the_minimum_of_the_classes():
    rng = np.random.default_rng(4)
    true = np.arange(140) % 10
    runs = np.where(rng.random((2, 140)) < 0.04, rng.integers(10, size=(2, 140)), true)
    names = ("f1_min", *(f"f1.{k}" for k in range(10)))
    tables = resample_predictions(runs, true, names, rng, replicates=1000)
    for run in range(2):
        classes = np.stack([tables[name].replicates[run] for name in names[1:]])
        shares = np.bincount(classes.argmin(axis=0), minlength=10) / 1000
        assert shares @ classes.var(axis=1) < classes.min(axis=0).var()
        np.testing.assert_allclose(
            tables["f1_min"].replicates[run].std(), classes.min(axis=0).std(), rtol=0.05
        )
