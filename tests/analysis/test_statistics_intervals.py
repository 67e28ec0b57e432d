"""Intervals of a metric, from images and from seeds."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta, chi2, norm, sem, t

from mnist_sweep.analysis.statistics import (
    Resampled,
    SeedVariances,
    interval,
    of_values,
    resample_predictions,
)
from mnist_sweep.analysis.statistics.variance import Uncertainty, means_of
from mnist_sweep.errors import DataError

TRUE = np.arange(2000) % 10


def with_errors(*counts):
    """One run for each count, wrong on the first so many images."""
    return np.array([np.where(np.arange(2000) < count, (TRUE + 1) % 10, TRUE) for count in counts])


def accuracy_of(predicted, **options):
    return interval_of(predicted, "accuracy", **options)


def interval_of(predicted, metric, level=0.95, replicates=2000):
    rng = np.random.default_rng(0)
    table = resample_predictions(predicted, TRUE, [metric], rng, replicates=replicates)[metric]
    return interval(table, level)


def test_one_run_has_the_binomial_interval_of_its_logit_and_covers_images_only():
    found = accuracy_of(with_errors(60), replicates=20_000)
    p = 1 - 60 / 2000
    logit, error = math.log(p / (1 - p)), math.sqrt(1 / (2000 * p * (1 - p)))
    expected = [1 / (1 + math.exp(-(logit + side * 1.959964 * error))) for side in (-1, 1)]
    assert [found.low, found.high] == pytest.approx(expected, abs=2e-4)
    assert found.estimate == pytest.approx(p)
    assert (found.covers, found.repeats, found.std, found.images) == ("images", 1, None, 2000)


@pytest.mark.parametrize(
    ("metric", "images"), [("accuracy", 2000), ("f1", 2000), ("f1.3", 200), ("f1_min", 200)]
)
def test_a_run_without_errors_has_the_exact_lower_end_for_the_images_it_rests_on(metric, images):
    found = interval_of(with_errors(0), metric)
    assert found.high == 1
    assert found.low == pytest.approx(beta.ppf(0.025, images, 1))


def test_a_run_always_wrong_has_the_exact_upper_end():
    found = accuracy_of(with_errors(2000))
    assert (found.low, found.high) == (0, pytest.approx(beta.ppf(0.975, 1, 2000)))


def test_the_interval_widens_with_its_level():
    narrow, wide = (accuracy_of(with_errors(60, 80), level=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.estimate < narrow.high < wide.high


def test_repeats_that_disagree_widen_the_interval_and_it_says_that_it_covers_seeds():
    alike, apart = accuracy_of(with_errors(60, 60, 60)), accuracy_of(with_errors(20, 60, 100))
    assert alike.covers == apart.covers == "images and seeds"
    assert apart.estimate == pytest.approx(alike.estimate)
    assert apart.high - apart.low > 3 * (alike.high - alike.low)
    assert apart.std == pytest.approx(np.std([20, 60, 100], ddof=1) / 2000)


def test_with_endless_images_it_is_students_interval_of_the_logit():
    means = np.array([0.95, 0.96, 0.97])
    noise = np.array([-1, 1])
    many = Resampled(means, means[:, None] + 1e-9 * noise, 10**9, 10**9)
    limit = t.ppf(0.975, 2) * 0.01 / math.sqrt(3) / (0.96 * 0.04)
    logits = [math.log(end / (1 - end)) for end in (interval(many).low, interval(many).high)]
    assert logits[1] - logits[0] == pytest.approx(2 * limit, rel=1e-4)


def table(values, shared, interaction, rng, replicates=20_000):
    """Runs with image noise of the given standard deviations, common to them and each one's own."""
    values = np.asarray(values, dtype=float)
    noise = shared * rng.standard_normal(replicates)
    noise = noise + interaction * rng.standard_normal((len(values), replicates))
    noise -= noise.mean(axis=1, keepdims=True)
    return Resampled(values, values[:, None] + noise, 10_000, 10_000)


def test_standard_error_and_interval_are_those_worked_out_by_hand():
    """SE^2 = A + x with x = s^2 / n; P averages over x (n - 1) / chi-squared (n - 1)."""
    runs = table([0.1, 0.4, 0.7], 0.2, 0.3, np.random.default_rng(3))
    found = means_of(runs, [np.arange(3)]).uncertainty()
    image, x = 0.2**2, 0.09 / 3
    (error,) = found.error
    assert error == pytest.approx(math.sqrt(image + x), rel=0.02)
    assert found.df == 2

    def above(apart):
        (image,) = found.images
        value, _ = quad(
            lambda q: norm.sf(apart / math.sqrt(image + 2 * x / q)) * chi2.pdf(q, 2), 0, np.inf
        )
        return value

    whole = interval(runs)
    assert whole.standard_error == error
    # Replicates leave 0 to 1, so nothing keeps the interval there.
    assert above((whole.high - whole.low) / 2) == pytest.approx(0.025, rel=1e-6)
    assert found.tail(np.array([-0.7]))[0] == pytest.approx(above(0.7), rel=1e-6)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.9999])
@pytest.mark.parametrize("df", [1, 2, 4, 30, 1e6, math.inf])
def test_it_is_student_s_without_images_and_normal_without_seeds(df, level):
    zero, one = np.zeros(1), np.ones(1)
    seeds = Uncertainty(zero, one, np.array([df], dtype=float), zero)
    half = t.ppf((1 + level) / 2, df)
    assert seeds.half_width(level)[0] == pytest.approx(half, rel=1e-4)
    assert seeds.tail(np.array([-half]))[0] == pytest.approx((1 - level) / 2, rel=1e-4)
    images = Uncertainty(one, zero, np.array([df], dtype=float), one)
    assert images.half_width(level)[0] == pytest.approx(norm.ppf((1 + level) / 2), rel=1e-6)


@pytest.mark.parametrize("df", [1, 2, 4, 8])
@pytest.mark.parametrize("images", [0.25, 1])
def test_small_p_values_come_no_more_often_than_they_say(df, images):
    """Degrees of freedom by Satterthwaite, as of Hillis, let 1.5 % below 0.002 with two."""
    rng, size = np.random.default_rng(3), 20_000
    seeds = rng.chisquare(df, size) / df
    apart = math.sqrt(1 + images) * rng.standard_normal(size)
    known = np.full(size, float(images))
    p = Uncertainty(known, seeds, np.full(size, float(df)), np.sqrt(known)).p_value(apart)
    assert [(p <= 0.05).mean() <= 0.053, (p <= 0.002).mean() <= 0.003] == [True, True]


def test_repeats_that_agree_by_chance_are_no_surer_than_images_allow():
    found = interval(table([0.5, 0.5], 1e-3, 2e-3, np.random.default_rng(3)))
    assert found.standard_error == pytest.approx(math.sqrt(1e-6 + 4e-6 / 2), rel=0.02)


def test_without_images_it_is_students_interval():
    values = [3.1, 2.9, 3.4]
    found = interval(of_values(values))
    expected = t.interval(0.95, 2, np.mean(values), sem(values))
    assert (found.low, found.high) == pytest.approx(expected)
    assert (found.covers, found.images) == ("seeds", 0)
    with pytest.raises(DataError, match="no known uncertainty"):
        interval(of_values([3.1]))


def test_a_single_run_s_interval_is_about_that_run_whatever_is_known_of_seeds():
    one = table([0.5], 0.01, 0.01, np.random.default_rng(3))
    others = SeedVariances(np.array([1.0]), np.array([4.0]))
    assert interval(one, others=others) == interval(one)


def test_the_bias_of_an_extreme_is_taken_out_of_the_interval_not_of_the_estimate():
    """The lowest of ten equally hard classes seems 0.01 worse than it is, and so do replicates."""
    rng = np.random.default_rng(5)
    replicates = 0.88 + 0.01 * rng.standard_normal((1, 20_000))
    found = interval(Resampled(np.array([0.89]), replicates, 1000, 100))
    assert found.estimate == 0.89
    assert (found.low + found.high) / 2 == pytest.approx(0.90, abs=2e-3)


@pytest.mark.parametrize(("repeats", "least"), [(2, 0.90), (3, 0.925), (5, 0.925)])
@pytest.mark.parametrize("seeds", [0.0, 0.5, 2.0])
def test_intervals_of_normal_noise_cover_about_what_they_say(repeats, least, seeds):
    """With images shared by all runs, interaction of as much, and seeds in 800 worlds."""
    rng = np.random.default_rng(repeats)
    noise = table(np.zeros(repeats), 1.0, 1.0, rng, replicates=300).replicates
    held = 0
    for _ in range(800):
        runs = rng.standard_normal(repeats) * math.sqrt(1 + seeds) + rng.standard_normal()
        found = interval(Resampled(runs, runs[:, None] + noise, 100, 100))
        held += found.low < 0 < found.high
    # Two runs that know of no others are conservative where seeds vary less than images.
    assert least < held / 800 < 0.995


def test_the_same_seed_gives_the_same_answer_which_is_plain_json():
    found = accuracy_of(with_errors(50, 70))
    assert found == accuracy_of(with_errors(50, 70))
    assert json.loads(json.dumps(asdict(found), allow_nan=False)) == asdict(found)


@pytest.mark.parametrize("level", [0, 1, 95, -0.5])
def test_a_level_outside_0_and_1_is_refused(level):
    with pytest.raises(DataError, match="between 0 and 1"):
        accuracy_of(with_errors(5), level=level)
