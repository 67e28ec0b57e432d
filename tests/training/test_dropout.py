"""Dropout's cheap random bits are as good as a Bernoulli sequence."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from mnist_sweep.training import model
from mnist_sweep.training.fast import dropout
from mnist_sweep.training.fast.dropout import CounterDropout, random_words, triple32

BATCH, UNITS, CALLS = 32, 300, 400


@tf.function(jit_compile=True, autograph=False)
def _words(seed):
    return random_words(seed, (BATCH, UNITS))


def words(stream, position):
    return _words(tf.constant([stream, position], tf.int64)).numpy()


@pytest.fixture(scope="module")
def stream():
    """Words of many consecutive calls of one layer, (CALLS, BATCH, UNITS)."""
    return np.stack([words(12345, position) for position in range(CALLS)])


def test_triple32_is_the_published_function():
    def reference(x):
        mask = 0xFFFFFFFF
        x ^= x >> 17
        x = x * 0xED5AD4BB & mask
        x ^= x >> 11
        x = x * 0xAC4C1B51 & mask
        x ^= x >> 15
        x = x * 0x31848BAB & mask
        return x ^ x >> 14

    values = np.array([0, 1, 2, 3, 0xDEADBEEF, 0xFFFFFFFF], np.uint32)
    expected = [reference(int(value)) for value in values]

    @tf.function(jit_compile=True)
    def hashed(x):
        return triple32(x)

    assert hashed(tf.constant(values)).numpy().tolist() == expected


def test_words_are_uniform(stream):
    counts = np.bincount(stream.ravel() >> 24, minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-4
    for bit in range(32):
        share = np.mean(stream >> bit & 1)
        assert abs(share - 0.5) < 5 * 0.5 / np.sqrt(stream.size)


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5])
def test_masks_drop_the_rate_with_the_variance_of_independent_units(stream, rate):
    kept = stream >= round(rate * 2**32)
    n = kept.size
    assert abs(kept.mean() - (1 - rate)) < 5 * np.sqrt(rate * (1 - rate) / n)
    # Over calls, over a batch's rows and over units: variances of sums are the binomial ones.
    for axes in [(1, 2), (0, 1), (0, 2)]:
        sums = kept.sum(axis=axes)
        per_sum = n // sums.size
        dispersion = ((sums - per_sum * (1 - rate)) ** 2).sum() / (per_sum * rate * (1 - rate))
        assert stats.chi2(sums.size).sf(dispersion) > 1e-4
        assert stats.chi2(sums.size).cdf(dispersion) > 1e-4


def correlation(a, b):
    """Of two equally long sequences, in standard errors."""
    return np.corrcoef(a.ravel(), b.ravel())[0, 1] * np.sqrt(a.size)


def test_masks_do_not_repeat_along_units_rows_or_calls(stream):
    kept = (stream >= 2**31).astype(float)
    for lag in (1, 2, 7, 64):
        assert abs(correlation(kept[:, :, :-lag], kept[:, :, lag:])) < 5
        assert abs(correlation(kept[:-lag], kept[lag:])) < 5
    for lag in (1, 3, 16):
        assert abs(correlation(kept[:, :-lag], kept[:, lag:])) < 5


@pytest.mark.parametrize("other", [12346, 12345 ^ 1 << 16, 54321, 0, 2**31 - 2])
def test_streams_of_layers_and_seeds_are_unrelated(stream, other):
    theirs = np.stack([words(other, position) for position in range(60)])
    assert abs(correlation((stream[:60] >= 2**31) * 1.0, (theirs >= 2**31) * 1.0)) < 5
    for shift in (1, 2):
        ours = stream[shift : 60 + shift]
        assert abs(correlation((ours >= 2**31) * 1.0, (theirs >= 2**31) * 1.0)) < 5


def test_calls_do_not_share_their_words(stream):
    # A counter that only started elsewhere would give long runs of the same words.
    sample = stream[:200].reshape(200, -1)
    distinct = len(np.unique(sample))
    # Of n draws from 2**32 about n**2 / 2**33 coincide.
    expected = sample.size - sample.size**2 / 2**33
    assert abs(distinct - expected) < 8 * np.sqrt(sample.size**2 / 2**33)


def test_the_layer_scales_and_drops_as_keras_does():
    x = np.ones((64, 500), "float32")
    ours, theirs = CounterDropout(0.3, seed=1), keras.layers.Dropout(0.3, seed=1)
    ours.build(x.shape)

    @tf.function(jit_compile=True, autograph=False)
    def run(inputs):
        return ours(inputs, training=True)

    mine, keras_own = run(tf.constant(x)).numpy(), np.asarray(theirs(x, training=True))
    np.testing.assert_allclose(np.unique(mine), np.unique(keras_own), rtol=1e-6)
    assert mine.mean() == pytest.approx(1, abs=0.02)
    assert not np.array_equal(mine, run(tf.constant(x)).numpy())
    np.testing.assert_array_equal(np.asarray(ours(x, training=False)), x)


def test_each_layer_has_its_own_random_words():
    network = model.mlp((8, 8), 10, layers=2, nodes=8, dropout=0.2)
    own = [layer for layer in network.layers if type(layer) is keras.layers.Dropout]
    seeds = [
        int(new.words.state[0])
        for seed in (0, 1)
        for new in dropout.replacements(network, seed).values()
    ]
    assert list(dropout.replacements(network, 0)) == own
    assert len(set(seeds)) == len(seeds) == 4


def test_only_plain_dropout_is_replaced():
    layers = keras.layers
    kept = [layers.Dropout(0.1, noise_shape=(1, 8)), layers.SpatialDropout1D(0.1)]
    network = keras.Sequential([keras.Input((4, 8)), *kept, layers.AlphaDropout(0.1)])
    assert dropout.replacements(network, seed=0) == {}
