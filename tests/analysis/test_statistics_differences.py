"""Comparing two runs or configurations on the same images."""

import itertools
import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp, ttest_ind

from mnist_sweep.analysis.statistics import (
    Resampled,
    SeedVariances,
    corrected,
    difference,
    holm,
    of_values,
    resample_predictions,
)

TRUE = np.arange(1000) % 10


def wrong_on(*images):
    predicted = TRUE.copy()
    chosen = np.concatenate([np.asarray(part) for part in images])
    predicted[chosen] = (predicted[chosen] + 1) % 10
    return predicted


def compared(first, second, metric, rng=None, *, paired_seeds=False, replicates=2000):
    """The difference of a metric, and of every class's F1, between two sides' predictions."""
    first, second = np.atleast_2d(first), np.atleast_2d(second)
    names = [metric, *(f"f1.{label}" for label in range(10))]
    rng = rng or np.random.default_rng(0)
    tables = resample_predictions(
        np.vstack([first, second]), TRUE, names, rng, replicates=replicates
    )
    cut, end = len(first), len(first) + len(second)
    sides = [(tables[n].rows(range(cut)), tables[n].rows(range(cut, end))) for n in names]
    overall, *per_class = [difference(*pair, paired_seeds=paired_seeds) for pair in sides]
    return overall, corrected(per_class)


def test_the_accuracy_difference_of_two_runs_has_the_textbook_standard_error():
    first, second = wrong_on(range(60)), wrong_on(range(40, 70))
    rng = np.random.default_rng(1)
    found = compared(first, second, "accuracy", rng, replicates=20_000)[0]
    error = math.sqrt((10 + 40) / 1000 - 0.03**2) / math.sqrt(1000)
    assert found.estimate == pytest.approx(0.03)
    assert (found.first, found.second) == pytest.approx((0.94, 0.97))
    assert found.standard_error == pytest.approx(error, rel=0.03)
    assert [found.low, found.high] == pytest.approx([0.03 - 1.96 * error, 0.03 + 1.96 * error], 0.1)
    assert (found.covers, found.p_value, found.df) == ("images", None, None)
    assert found.p_equivalent is None
    assert not found.differs
    assert not found.equivalent


def test_swapping_the_sides_swaps_the_sign_and_nothing_else():
    first, second = [wrong_on(range(60))] * 2, [wrong_on(range(30)), wrong_on(range(20, 70))]
    there = compared(first, second, "f1")[0]
    back = compared(second, first, "f1")[0]
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=3e-3)
    assert back.estimate == pytest.approx(-there.estimate)


def test_a_side_that_is_better_on_one_class_only_is_found_there_and_only_there():
    eights, elsewhere = np.flatnonzero(TRUE == 8), np.flatnonzero(TRUE == 3)
    first = [wrong_on(eights[:25], elsewhere[:5]), wrong_on(eights[:27], elsewhere[1:6])]
    second = [wrong_on(elsewhere[3:8]), wrong_on(elsewhere[2:7])]
    overall, per_class = compared(first, second, "f1")
    real = [one.metric for one in per_class if one.p_holm <= 0.05]
    # An 8 taken for a 9 costs the nines' precision too.
    assert real == ["f1.8", "f1.9"]
    raw = [one.p_value for one in per_class]
    assert [one.p_holm for one in per_class] == holm(raw)
    json.dumps(asdict(overall), allow_nan=False)


def noisy(values, rng, scale=1e-9):
    values = np.asarray(values, dtype=float)
    return Resampled(
        values, values[:, None] + scale * rng.standard_normal((len(values), 500)), 9, 9
    )


def test_paired_by_seed_with_endless_images_it_is_students_paired_t_test():
    rng = np.random.default_rng(3)
    first, second = np.array([0.90, 0.92, 0.95, 0.97]), np.array([0.91, 0.94, 0.955, 0.985])
    found = difference(noisy(first, rng), noisy(second, rng), paired_seeds=True)
    assert found.p_value == pytest.approx(ttest_1samp(second - first, 0).pvalue, rel=1e-4)
    loose = difference(noisy(first, rng), noisy(second, rng))
    assert loose.standard_error > 3 * found.standard_error
    assert loose.covers == found.covers == "images and seeds"


def test_independent_seeds_with_endless_images_are_students_t_test_of_two_samples():
    first, second = [0.90, 0.92, 0.95, 0.97], [0.91, 0.99, 0.955]
    expected = ttest_ind(second, first)
    for sides in (
        [of_values(first), of_values(second)],
        [noisy(first, np.random.default_rng(3)), noisy(second, np.random.default_rng(3))],
    ):
        found = difference(*sides)
        assert found.p_value == pytest.approx(expected.pvalue, rel=1e-4)
        assert found.df == pytest.approx(5, rel=1e-4)
        span = expected.confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx((span.low, span.high), rel=1e-4)


def test_other_configurations_show_by_how_much_seeds_vary_as_in_an_analysis_of_variance():
    first, second, third = [0.90, 0.92], [0.95, 0.96], [0.93, 0.97, 0.94]
    others = SeedVariances(np.array([np.var(third, ddof=1)]), np.array([2.0]))
    found = difference(of_values(first), of_values(second), others=others)
    within = sum(np.var(one) * len(one) for one in (first, second, third))
    assert found.df == pytest.approx(4)
    assert found.standard_error == pytest.approx(math.sqrt(within / 4))
    assert difference(of_values(first), of_values(second)).df == pytest.approx(2)


def test_the_equivalence_test_is_scipys_two_one_sided_tests():
    first, second = [0.90, 0.92, 0.95, 0.97], [0.91, 0.94, 0.955, 0.985]
    apart = np.subtract(second, first)
    found = difference(of_values(first), of_values(second), paired_seeds=True, margin=0.03)
    # Two one-sided tests: the larger p-value counts.
    below = ttest_1samp(apart, 0.03, alternative="less").pvalue
    above = ttest_1samp(apart, -0.03, alternative="greater").pvalue
    assert found.p_equivalent == pytest.approx(max(below, above))
    # Equivalent at 95 % is: the 90 % interval lies within the margin.
    narrow = difference(of_values(first), of_values(second), paired_seeds=True, level=0.9)
    for margin in (narrow.high * 0.999, narrow.high * 1.001):
        tested = difference(of_values(first), of_values(second), paired_seeds=True, margin=margin)
        assert tested.equivalent == (narrow.high < margin)


def test_images_that_are_hard_for_everyone_cancel_out():
    rng = np.random.default_rng(3)
    hard = 0.3 * rng.standard_normal(500)
    first, second = noisy([0.90, 0.92], rng), noisy([0.95, 0.96], rng)
    shared = [replace(side, replicates=side.replicates + hard) for side in (first, second)]
    found = difference(*shared)
    assert found.standard_error == pytest.approx(difference(first, second).standard_error)


def test_a_single_run_borrows_the_other_sides_spread_over_seeds():
    rng = np.random.default_rng(3)
    repeats, single = noisy([0.90, 0.92, 0.94], rng), noisy([0.97], rng)
    found = difference(repeats, single)
    assert found.df == pytest.approx(2, rel=1e-3)
    assert found.standard_error == pytest.approx(0.02 * math.sqrt(1 + 1 / 3), rel=1e-3)
    assert found.covers == "images and seeds"


def test_identical_sides_do_not_differ():
    one = wrong_on(range(9))
    found = compared(one, one, "f1_min")[0]
    assert (found.low, found.estimate, found.high, found.p_value) == (0, 0, 0, None)
    twice = compared([one] * 2, [one] * 2, "f1_min")[0]
    assert (twice.low, twice.estimate, twice.high, twice.p_value) == (0, 0, 0, 1)


def closed_testing(p_values):
    """Adjusted p-values by the closure principle with Bonferroni tests: what Holm is short for."""
    members = range(len(p_values))
    families = [
        family
        for size in range(1, len(p_values) + 1)
        for family in itertools.combinations(members, size)
    ]
    bonferroni = {
        family: min(1.0, len(family) * min(p_values[i] for i in family)) for family in families
    }
    return [max(p for family, p in bonferroni.items() if i in family) for i in members]


@given(st.lists(st.floats(0, 1), max_size=6))
@settings(max_examples=60, deadline=None)
def test_holm_is_the_closure_of_bonferroni_tests(p_values):
    assert holm(p_values) == pytest.approx(closed_testing(p_values))


def test_holm_agrees_with_rs_p_adjust():
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
