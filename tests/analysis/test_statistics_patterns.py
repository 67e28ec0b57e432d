"""Collapsing images into patterns loses nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_sweep.analysis.statistics.bootstrap import (
    collapse,
    image_weights,
    resample_predictions,
)
from mnist_sweep.errors import DataError


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
        ([[0.5, 1.0]], [0, 1], "must be integers"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(predicted, true, said):
    with pytest.raises(DataError, match=said):
        collapse(np.array(predicted), np.array(true))
