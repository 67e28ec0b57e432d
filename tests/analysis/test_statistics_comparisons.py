"""Which configurations differ from the most extreme one, and how probable it is to be that."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import f

from mnist_sweep.analysis.statistics import (
    Resampled,
    compare_all,
    difference,
    of_values,
    resample_predictions,
)
from mnist_sweep.analysis.statistics.comparisons import (
    chance_of_extreme,
    corrected_for_choice,
)
from mnist_sweep.analysis.statistics.variance import means_of, pooled_variances
from mnist_sweep.errors import SelectionError

IMAGES = 4000
TRUE = np.arange(IMAGES) % 10


def run_with(errors, rng):
    predicted = TRUE.copy()
    wrong = rng.choice(IMAGES, size=errors, replace=False)
    predicted[wrong] = (predicted[wrong] + 1) % 10
    return predicted


def compared(errors, direction="worst", metric="accuracy", **options):
    """Compare configurations, of which each row of `errors` holds the runs' wrong answers."""
    rng = np.random.default_rng(7)
    predicted = np.array([run_with(count, rng) for row in errors for count in row])
    sizes = [len(row) for row in errors]
    groups = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    table = resample_predictions(predicted, TRUE, [metric], rng, replicates=1000)[metric]
    return compare_all(table, groups, direction, rng, **options)


def means(values, noise=1.0):
    """Configurations of two runs with independent image noise, for cases worked out by hand."""
    values = np.asarray(values, dtype=float)
    replicates = noise * np.random.default_rng(11).standard_normal((len(values), 4000))
    replicates -= replicates.mean(axis=1, keepdims=True)
    table = Resampled(values, values[:, None] + replicates, 1000, 1000)
    return means_of(table, [np.array([row]) for row in range(len(values))])


def test_the_worst_and_the_best_by_far_are_found_and_differ_from_all_others():
    errors = [[200, 202, 199], [202, 201, 204], [60, 62, 59], [400, 404, 399]]
    worst, best = compared(errors), compared(errors, "best")
    assert (worst.chosen, best.chosen) == (3, 2)
    assert worst.probability[3] > 0.99
    assert best.probability[2] > 0.99
    np.testing.assert_array_equal(worst.distinguishable, [True, True, True, False])
    np.testing.assert_array_equal(best.distinguishable, [True, True, False, True])
    assert worst.covers == "images and seeds"


def test_configurations_alike_are_not_distinguishable_and_share_the_probability():
    found = compared([[200, 204], [203, 201], [199, 205], [40, 44]])
    assert found.probability.sum() == pytest.approx(1)
    assert (found.probability[:3] > 0.2).all()
    np.testing.assert_array_equal(found.distinguishable, [False, False, False, True])


def test_single_runs_have_no_p_values_whatever_the_difference():
    found = compared([[400], [20]])
    assert (found.covers, found.p_values, found.chosen) == ("images", None, 0)
    assert not found.distinguishable.any()


def test_one_run_decides_what_repeats_show_to_be_seeds():
    single = compared([[300], [200]])
    repeated = compared([[300, 420, 180], [200, 310, 90]])
    assert not repeated.distinguishable.any()
    assert repeated.probability[0] < single.probability[0]


def test_a_configuration_with_one_run_takes_the_variance_of_those_with_repeats():
    found = compared([[300, 310, 290], [100]])
    assert found.distinguishable[1]
    assert not compared([[300, 450, 150], [100]]).distinguishable[1]


def test_of_equal_means_the_first_is_chosen_unless_another_is_named():
    errors = [[50, 50], [90, 90], [90, 90]]
    assert compared(errors).chosen == 1
    assert compared(errors, chosen=2).p_values[2] == 1


def test_variances_are_pooled_but_for_those_that_are_clearly_larger():
    own = np.array([0.02, 0.08, 0.045, 0.0])
    variances, df, pooled = pooled_variances(own, np.array([1.0, 1.0, 2.0, 0.0]))
    np.testing.assert_allclose(variances, (0.02 + 0.08 + 2 * 0.045) / 4)
    np.testing.assert_allclose(df, 4)
    assert pooled.all()
    # Twelve others of two runs each with variance 1: F(1, 12) is 1,000 for the last.
    variances, df, pooled = pooled_variances(np.array([1.0] * 12 + [1000]), np.ones(13))
    np.testing.assert_allclose(variances, [1.0] * 12 + [1000])
    np.testing.assert_allclose(df, [12] * 12 + [1])
    assert pooled.sum() == 12


def test_the_test_for_a_larger_variance_is_fs_at_5_percent_over_all():
    for variance, left_out in ((0.999, False), (1.001, True)):
        limit = f.isf(0.05 / 4, 2, 6) * variance
        pooled = pooled_variances(np.array([1.0, 1.0, limit, 1.0]), np.full(4, 2.0))[2]
        assert pooled.all() != left_out


def test_without_any_repeats_nothing_is_known_of_seeds():
    assert np.isinf(pooled_variances(np.zeros(2), np.zeros(2))[1]).all()


def test_p_values_are_corrected_for_all_pairs_that_may_be_equal():
    raw = np.array([0.02, 0.004, 1.0, 0.3])
    # Six pairs at first; once the chosen one differs from one, the three without it at most.
    np.testing.assert_allclose(corrected_for_choice(raw, 2), [0.06, 0.024, 1, 0.9])
    # Of equivalence each rejected pair leaves one fewer, and the chosen one equals itself.
    np.testing.assert_allclose(corrected_for_choice(raw, 2, equal=False), [0.1, 0.024, 0, 1])


def test_questions_that_are_answered_together_share_the_error():
    errors = [[200, 204, 197], [240, 246, 239], [40, 44, 43]]
    one, three = compared(errors), compared(errors, questions=3)
    np.testing.assert_allclose(three.p_values, np.minimum(3 * one.p_values, 1))


def test_what_lies_within_the_margin_for_certain_is_equivalent():
    errors = [[200, 204, 197], [203, 201, 198], [199, 205, 203], [40, 44, 43]]
    found = compared(errors, margin=0.03)
    assert found.chosen == 2
    np.testing.assert_array_equal(found.equivalent, [True, True, True, False])
    assert compared(errors).p_equivalent is compared([[2], [3]], margin=0.03).p_equivalent is None


def test_each_p_value_is_that_of_the_difference_before_correction():
    rng = np.random.default_rng(7)
    predicted = np.array([run_with(count, rng) for count in (200, 230, 190, 180, 150)])
    table = resample_predictions(predicted, TRUE, ["f1"], rng, replicates=1000)["f1"]
    first, second = table.rows([0, 1]), table.rows([2, 3, 4])
    found = compare_all(table, [np.arange(2), np.arange(2, 5)], "worst", rng)
    assert found.p_values[1] == pytest.approx(difference(first, second).p_value)


def test_two_configurations_need_no_correction_and_three_little():
    np.testing.assert_allclose(corrected_for_choice(np.array([1.0, 0.02]), 0), [1, 0.02])
    np.testing.assert_allclose(
        corrected_for_choice(np.array([0.03, 1.0, 0.01]), 1), [0.03, 1, 0.03]
    )


def test_a_configuration_alone_is_certainly_chosen():
    found = compared([[30, 40]])
    assert (found.chosen, found.probability.tolist(), found.p_values.tolist()) == (0, [1], [1])


def test_the_same_predictions_twice_never_differ():
    rng = np.random.default_rng(0)
    one, other = run_with(100, rng), run_with(300, rng)
    predicted = np.array([one, one, other, other, other, other])
    table = resample_predictions(predicted, TRUE, ["f1_min"], rng, replicates=500)["f1_min"]
    found = compare_all(table, [np.arange(2) + 2 * k for k in range(3)], "worst", rng)
    assert found.p_values[2] == 1
    assert found.distinguishable[0]
    assert found.probability[0] < 0.01


def test_the_chance_to_call_any_of_equal_configurations_different_is_at_most_the_level():
    """Four configurations, three runs each, chosen by looking, in 400 worlds without images."""
    rng = np.random.default_rng(8)
    groups = [np.arange(3) + 3 * row for row in range(4)]
    wrong = 0
    for values in rng.standard_normal((400, 12)):
        found = compare_all(of_values(values), groups, "worst", rng)
        wrong += found.distinguishable.any()
    assert wrong <= 32, "33 or more of 400 have chance 0.004 at 5 %"


def test_the_probability_is_less_than_resampling_says_where_all_may_be_alike():
    """Of two means a standard error apart, resampling calls the lower one worse at 0.76."""
    rng = np.random.default_rng(2)
    close = chance_of_extreme(means([0.0, 1.0]), 1.0, rng)[0]
    assert 0.55 < close < 0.72
    assert chance_of_extreme(means([0.0, 12.0]), 1.0, rng)[0] > 0.999
    other = chance_of_extreme(means([0.0, 1.0]), -1.0, rng)[0]
    assert other == pytest.approx(1 - close, abs=0.03)


def test_duplicates_among_the_candidates_do_not_hide_that_another_is_worse():
    doubled = means([0.0, 3.0, 3.0])
    doubled.deviations[2] = doubled.deviations[1]
    assert chance_of_extreme(doubled, 1.0, np.random.default_rng(3))[0] > 0.75


def test_noise_of_images_that_are_hard_for_everyone_cancels_out():
    alone = means([0.0, 3.0])
    hard = 100 * np.random.default_rng(4).standard_normal(4000)
    shared = replace(alone, deviations=alone.deviations + hard)
    np.testing.assert_allclose(shared.uncertainty(0).error, alone.uncertainty(0).error, rtol=1e-6)


def test_the_same_seed_gives_the_same_answer():
    one, other = (compared([[200], [210], [190]], metric="f1_min") for _ in range(2))
    np.testing.assert_array_equal(one.probability, other.probability)


def test_a_direction_or_metric_that_does_not_exist_is_refused():
    with pytest.raises(SelectionError, match="'lowest'"):
        compared([[1], [2]], "lowest")
    with pytest.raises(SelectionError, match="'auc'"):
        compared([[1], [2]], metric="auc")
