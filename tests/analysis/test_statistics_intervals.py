"""Intervals of a metric, from images and from seeds."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from scipy.stats import beta, chi, norm, t

from mnist_sweep.analysis.statistics import metric_intervals
from mnist_sweep.analysis.statistics.bootstrap import Resampled
from mnist_sweep.analysis.statistics.intervals import interval
from mnist_sweep.analysis.statistics.variance import SeedSpread, Uncertainty, seed_spread
from mnist_sweep.errors import DataError

TRUE = np.arange(2000) % 10


def with_errors(*counts):
    """One run for each count, wrong on the first so many images."""
    return np.array([np.where(np.arange(2000) < count, (TRUE + 1) % 10, TRUE) for count in counts])


def accuracy_of(predicted, **options):
    rng = np.random.default_rng(0)
    zeros = np.zeros(len(predicted), dtype=int)
    return metric_intervals(predicted, TRUE, zeros, ["accuracy"], rng, **options)[0]["accuracy"]


def test_one_run_has_the_binomial_interval_of_its_logit_and_covers_images_only():
    found = accuracy_of(with_errors(60), replicates=20_000)
    p = 1 - 60 / 2000
    logit, error = math.log(p / (1 - p)), math.sqrt(1 / (2000 * p * (1 - p)))
    expected = [1 / (1 + math.exp(-(logit + side * 1.959964 * error))) for side in (-1, 1)]
    assert [found.low, found.high] == pytest.approx(expected, abs=2e-4)
    assert found.estimate == pytest.approx(p)
    assert (found.covers, found.repeats, found.spread, found.images) == ("images", 1, None, 2000)


@pytest.mark.parametrize(
    ("metric", "images"), [("accuracy", 2000), ("f1", 2000), ("f1.3", 200), ("f1_min", 200)]
)
def test_a_run_without_errors_has_the_exact_lower_end_for_the_images_it_rests_on(metric, images):
    rng = np.random.default_rng(0)
    found = metric_intervals(with_errors(0), TRUE, [0], [metric], rng)[0][metric]
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
    assert apart.spread == pytest.approx(np.std([20, 60, 100], ddof=1) / 2000)


def test_more_images_narrow_only_what_comes_from_images():
    rng = np.random.default_rng(4)
    means = np.array([0.95, 0.96, 0.97])
    few = Resampled(means, means[:, None] + 1e-2 * rng.standard_normal(500), 100, 100)
    many = Resampled(means, means[:, None] + 1e-9 * rng.standard_normal(500), 10**9, 10**9)
    limit = t.ppf(0.975, 2) * 0.01 / math.sqrt(3) / (0.96 * 0.04)
    logits = [math.log(end / (1 - end)) for end in (interval(many).low, interval(many).high)]
    assert logits[1] - logits[0] == pytest.approx(2 * limit, rel=1e-4)
    assert interval(few).high > interval(many).high


def test_image_noise_that_differs_between_runs_is_not_taken_for_seeds():
    rng = np.random.default_rng(6)
    noise = 0.01 * rng.standard_normal((4, 4000))
    spread = seed_spread(Resampled(np.array([0.95, 0.96, 0.955, 0.965]), 0.95 + noise, 1, 1))
    assert spread.interaction == pytest.approx(1e-4, rel=0.05)
    assert spread.own == pytest.approx(max(np.var([0, 1, 0.5, 1.5], ddof=1) * 1e-4 - 1e-4, 0), 0.3)


@pytest.mark.parametrize(
    ("repeats", "level", "least", "most"),
    [
        (2, 0.95, 0.945, 0.976),
        (3, 0.95, 0.947, 0.963),
        (5, 0.95, 0.948, 0.955),
        (2, 0.8, 0.798, 0.85),
        (2, 0.99, 0.986, 0.999),
    ],
)
@pytest.mark.parametrize("shared", [0.0, 0.2, 0.5, 1.0, 3.0, 30.0])
def test_intervals_of_normal_noise_cover_alike_however_wide_seeds_spread(
    repeats, level, least, most, shared
):
    # In units of the interaction's part in the mean: 1 + seeds is what differs from run to run.
    nodes, weights = np.polynomial.legendre.leggauss(150)
    tops = chi.isf(1e-12, repeats - 1)
    roots, weights = (nodes + 1) / 2 * tops, weights / 2 * tops
    weights = weights * chi.pdf(roots, repeats - 1)
    for seeds in (0, 0.1, 0.3, 1, 2, 5, 20, 100, 1e4):
        halves = [
            Uncertainty(
                shared + 1, (SeedSpread(repeats, repeats * found, repeats, 1 / repeats),)
            ).half_width(level)
            for found in (1 + seeds) * roots**2 / (repeats - 1)
        ]
        held = 1 - 2 * norm.sf(np.array(halves) / math.sqrt(shared + 1 + seeds))
        assert least <= weights @ held <= most


def test_the_half_width_of_a_difference_is_that_worked_out_by_hand():
    z = norm.ppf(0.975)

    def extra(x, known, repeats):
        student = t.ppf(0.975, repeats - 1)
        return z**2 * x + (student**2 - z**2) * x**2 / (x + known * z / student)

    # Both sides repeated: 2 / 2 and 6 / 3 vary from run to run, of which images make 0.5 and 1.
    both = Uncertainty(4.0, (SeedSpread(2, 2.0, 1.0, 1 / 2), SeedSpread(3, 6.0, 3.0, 1 / 3)))
    square = z**2 * (4 - 0.5 - 1) + extra(1, 4 - 0.5, 2) + extra(2, 4 - 1, 3)
    assert both.half_width(0.95) == pytest.approx(math.sqrt(square))
    assert both.standard_error == pytest.approx(math.sqrt(4 - 0.5 - 1 + 1 + 2))
    # One side is a single run and borrows the other's spread: 1 / 3 + 1 of it count.
    borrowed = Uncertainty(4.0, (SeedSpread(3, 1.5, 0.75, 4 / 3),))
    assert borrowed.half_width(0.95) == pytest.approx(
        math.sqrt(z**2 * (4 - 1) + extra(2, 4 - 1, 3))
    )


def test_repeats_that_happen_to_agree_narrow_what_the_images_call_for_by_half_at_most():
    z = norm.ppf(0.975)
    for images in (1e-4, 2e-4, 3e-5):
        agreeing = Uncertainty(images, (SeedSpread(2, 0.0, 1e-4, 1 / 2),))
        least = max(images - 5e-5, images / 4)
        assert agreeing.half_width(0.95) == pytest.approx(z * math.sqrt(least))
    same_noise = Uncertainty(1e-4, (SeedSpread(2, 0.0, 0.0, 1 / 2),))
    assert same_noise.half_width(0.95) == pytest.approx(z * 0.01)


def test_without_image_noise_the_interval_is_students_and_without_any_noise_it_is_a_point():
    seeds = Uncertainty(0.0, (SeedSpread(3, 3e-4, 0.0, 1 / 3),))
    assert seeds.half_width(0.95) == pytest.approx(t.ppf(0.975, 2) * 0.01)
    assert Uncertainty(0.0, (SeedSpread(3, 0.0, 0.0, 1 / 3),)).half_width(0.95) == 0
    assert Uncertainty(0.0, (SeedSpread(3, 0.0, 1e-4, 1 / 3),)).half_width(0.95) == 0


@pytest.mark.parametrize("repeats", [2, 3, 5, 1000])
def test_half_widths_grow_with_the_runs_spread_and_the_level_and_keep_their_scale(repeats):
    def half(runs, level=0.95, scale=1.0):
        one = SeedSpread(repeats, scale * runs, scale * 1e-4, 1 / repeats)
        other = SeedSpread(3, scale * 2e-4, scale * 1e-4, 1 / 3)
        return Uncertainty(scale * 2e-4, (one, other)).half_width(level)

    spreads = [0, 1e-30, *np.geomspace(1e-12, 1, 100)]
    assert np.all(np.diff([half(runs) for runs in spreads]) >= 0)
    # Continuous: no step is far larger than what the spread grew by.
    close = np.array([half(runs) for runs in np.linspace(0, 1e-3, 2001)])
    assert np.all(np.diff(close**2) <= 12.8**2 * 5e-7)
    levels = [1e-9, *np.linspace(0.01, 0.99, 50), *(1 - np.geomspace(1e-3, 1e-15, 30))]
    widths = np.array([half(1e-4, level) for level in levels])
    assert np.all(np.isfinite(widths))
    assert np.all(np.diff(widths) >= 0)
    assert half(3e-4, scale=1e6) == pytest.approx(1e3 * half(3e-4))


def test_the_p_value_is_the_level_at_which_the_interval_touches_zero():
    uncertainty = Uncertainty(2e-4, (SeedSpread(3, 4e-4, 1e-4, 1 / 3),))
    for level in (0.5, 0.9, 0.99):
        p_value = uncertainty.p_value(uncertainty.half_width(level))
        assert p_value == pytest.approx(1 - level, rel=1e-6)
    two = Uncertainty(2e-4, (SeedSpread(2, 4e-4, 1e-4, 1 / 2),))
    for level in (1e-6, 0.5, 0.999, 1 - 1e-12):
        assert two.p_value(two.half_width(level)) == pytest.approx(1 - level, rel=1e-3)
    only_images = Uncertainty(1e-4, ())
    assert only_images.p_value(0.02) == pytest.approx(2 * norm.sf(2), rel=1e-6)
    assert only_images.p_value(0.0) == 1
    assert Uncertainty(0.0, ()).p_value(0.1) <= 1e-15


def test_the_same_seed_gives_the_same_answer_which_is_plain_json():
    found = accuracy_of(with_errors(50, 70))
    assert found == accuracy_of(with_errors(50, 70))
    assert json.loads(json.dumps(asdict(found), allow_nan=False)) == asdict(found)


@pytest.mark.parametrize("level", [0, 1, 95, -0.5])
def test_a_level_outside_0_and_1_is_refused(level):
    with pytest.raises(DataError, match="between 0 and 1"):
        accuracy_of(with_errors(5), level=level)
