"""How sure a selection is."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.stats import studentized_range, t

from mnist_sweep.analysis.statistics import selection_uncertainty
from mnist_sweep.analysis.statistics.bootstrap import Resampled
from mnist_sweep.analysis.statistics.contest import (
    MARGIN,
    PRIOR_FREEDOM,
    Contest,
    contest_of,
    pairwise_p,
)
from mnist_sweep.analysis.statistics.ranking import chance_of_lowest
from mnist_sweep.errors import SelectionError

IMAGES = 4000
TRUE = np.arange(IMAGES) % 10


def run_with(errors, rng):
    predicted = TRUE.copy()
    wrong = rng.choice(IMAGES, size=errors, replace=False)
    predicted[wrong] = (predicted[wrong] + 1) % 10
    return predicted


def select(errors, configuration, direction="worst", metric="accuracy", **options):
    rng = np.random.default_rng(7)
    predicted = np.array([run_with(count, rng) for count in errors])
    return selection_uncertainty(predicted, TRUE, configuration, metric, direction, rng, **options)


def contest(means, image_noise=1.0, repeats=1.0, runs=0.0, interaction=0.0):
    """Independent image noise, for cases that can be worked out by hand."""
    count = len(means)
    rng = np.random.default_rng(11)
    noise = image_noise * rng.standard_normal((count, 4000))
    return Contest(
        np.asarray(means, dtype=float),
        noise - noise.mean(axis=1, keepdims=True),
        np.full(count, float(repeats)),
        np.full(count, float(runs)),
        np.full(count, float(interaction)),
    )


def test_the_worst_and_the_best_by_far_are_sure():
    errors = [200, 202, 60, 400]
    worst, best = select(errors, [0, 1, 2, 3]), select(errors, [0, 1, 2, 3], "best")
    assert (worst.selected, best.selected) == (3, 2)
    assert worst.probability > 0.99
    assert best.probability > 0.99
    assert worst.not_distinguishable == best.not_distinguishable == ()


def test_configurations_alike_cannot_be_told_apart_and_share_the_probability():
    found = select([200, 201, 199, 40], [5, 6, 7, 8])
    assert found.selected == 6
    assert set(found.not_distinguishable) == {5, 7}
    by_number = {one.configuration: one for one in found.candidates}
    assert sum(one.probability for one in found.candidates) == pytest.approx(1)
    for number in (5, 6, 7):
        assert 0.2 < by_number[number].probability < 0.5
    assert by_number[8].distinguishable
    assert by_number[8].p_value < 0.01
    assert by_number[8].difference == pytest.approx(161 / IMAGES)


def test_candidates_stand_in_order_from_the_selected_one():
    found = select([100, 300, 200], [0, 1, 2])
    assert [one.configuration for one in found.candidates] == [1, 2, 0]
    found = select([100, 300, 200], [0, 1, 2], "best")
    assert [one.configuration for one in found.candidates] == [0, 2, 1]


def test_of_equal_means_the_first_number_is_selected():
    assert select([90, 90, 50], [4, 3, 1]).selected == 3


def test_one_run_decides_what_repeats_show_to_be_seeds():
    """300 against 200 errors is clear for two runs, and nothing if seeds vary by as much."""
    single = select([300, 200], [0, 1])
    assert single.covers == "images"
    assert single.not_distinguishable == ()
    repeated = select([300, 200, 420, 310, 180, 90], [0, 1, 0, 1, 0, 1])
    assert repeated.covers == "images and seeds"
    assert repeated.not_distinguishable == (1,)
    assert repeated.probability < single.probability


def test_a_configuration_with_one_run_takes_part_beside_others_with_repeats():
    found = select([300, 310, 290, 100], [0, 0, 0, 1])
    assert found.selected == 0
    assert {one.configuration: one.repeats for one in found.candidates} == {0: 3, 1: 1}
    assert found.not_distinguishable == ()


def test_a_configuration_alone_is_certainly_selected():
    found = select([30, 40], [9, 9])
    assert (found.selected, found.probability, found.not_distinguishable) == (9, 1.0, ())


def test_the_same_predictions_twice_are_never_told_apart():
    rng = np.random.default_rng(0)
    one, other = run_with(100, rng), run_with(300, rng)
    predicted = np.array([one, other, other])
    found = selection_uncertainty(predicted, TRUE, [0, 1, 2], "f1_min", "worst", rng)
    assert found.not_distinguishable == (2,)
    assert next(c for c in found.candidates if c.configuration == 2).p_value == 1
    assert found.candidates[-1].probability < 0.01


def test_the_correction_is_tukeys_studentized_range_where_noise_is_independent():
    means = [0.0, 2.0, 3.0, 4.0]
    p_values = pairwise_p(contest(means), 0, np.random.default_rng(1), 40_000)
    # A range of q standard errors is a pair's difference over sqrt(2) of them.
    expected = np.minimum(MARGIN * studentized_range.sf(np.array(means[1:]), 4, 10**6), 1)
    np.testing.assert_allclose(p_values[1:], expected, atol=0.02)
    assert p_values[0] == 1


def test_more_configurations_to_choose_from_make_the_same_difference_less_sure():
    few = pairwise_p(contest([0, 3]), 0, np.random.default_rng(1), 5000)[1]
    many = pairwise_p(contest([0, 3, *[3] * 8]), 0, np.random.default_rng(1), 5000)[1]
    assert many > 3 * few


def test_seeds_whose_spread_is_known_from_two_repeats_are_not_taken_at_their_word():
    def p_value(repeats):
        one = contest([0.0, 3.0], 1e-6, repeats=repeats, runs=repeats)
        return pairwise_p(one, 0, np.random.default_rng(1), 20_000)[1]

    # The same standard error of the means each time, but known ever better.
    assert p_value(2) > 0.1 > p_value(5) > p_value(50)
    assert p_value(50) == pytest.approx(MARGIN * 2 * t.sf(3 / 2**0.5, 98), abs=0.006)


def test_the_probability_is_less_than_resampling_says_where_all_may_be_alike():
    """Of two means a standard error apart, resampling calls the lower one worse at 0.76."""
    rng = np.random.default_rng(2)
    close = chance_of_lowest(contest([0.0, 1.0]), 1.0, rng)[0]
    assert 0.55 < close < 0.72
    assert chance_of_lowest(contest([0.0, 12.0]), 1.0, rng)[0] > 0.999
    assert chance_of_lowest(contest([0.0, 1.0]), -1.0, rng)[0] == pytest.approx(1 - close, abs=0.03)


def test_noise_of_images_that_are_hard_for_everyone_cancels_out():
    alone = contest([0.0, 3.0])
    hard = 100 * np.random.default_rng(4).standard_normal(4000)
    shared = replace(alone, deviations=alone.deviations + hard)
    for one in (alone, shared):
        assert pairwise_p(one, 0, np.random.default_rng(1), 10_000)[1] == pytest.approx(
            MARGIN * 0.034, abs=0.01
        )


def test_a_spread_over_seeds_is_moderated_by_no_more_than_the_others_know():
    two = contest([0.0, 0.0], repeats=2)
    np.testing.assert_array_equal(two.freedom, [2, 2])
    # Own spread 1 and pooled 2, each with one degree of freedom.
    np.testing.assert_allclose(two.moderated(np.array([1.0, 3.0])), [1.5, 2.5])
    many = replace(contest([0.0] * 20, repeats=3), repeats=np.array([1.0, *[3.0] * 19]))
    assert many.freedom[0] == PRIOR_FREEDOM
    assert many.moderated(np.array([0.0, *[4.0] * 19]))[0] == pytest.approx(4)


def test_image_noise_that_differs_between_runs_is_told_from_seeds_also_for_single_runs():
    rng = np.random.default_rng(5)
    noise = np.array([1.0, 1.0, 2.0, 2.0, 9.0])[:, None] * rng.standard_normal((5, 20_000))
    table = Resampled(np.arange(5.0), noise, 1, 1)
    found = contest_of(table, [np.array([0, 1]), np.array([2, 3]), np.array([4])])
    # The single run takes over what the others have in common: (1 + 4) / 2.
    np.testing.assert_allclose(found.interaction, [1, 4, 2.5], rtol=0.05)
    np.testing.assert_allclose(found.runs, [0.5, 0.5, 0])


def test_duplicates_among_the_candidates_do_not_hide_that_another_is_worse():
    doubled = contest([0.0, 3.0, 3.0])
    doubled.deviations[2] = doubled.deviations[1]
    assert chance_of_lowest(doubled, 1.0, np.random.default_rng(3))[0] > 0.75


def test_the_same_seed_gives_the_same_answer_which_is_plain_json():
    found = select([200, 210, 190], [0, 1, 2], metric="f1_min")
    assert found == select([200, 210, 190], [0, 1, 2], metric="f1_min")
    json.dumps(asdict(found), allow_nan=False)


def test_a_direction_or_metric_that_does_not_exist_is_refused():
    with pytest.raises(SelectionError, match="'lowest'"):
        select([1, 2], [0, 1], "lowest")
    with pytest.raises(SelectionError, match="'auc'"):
        select([1, 2], [0, 1], metric="auc")
