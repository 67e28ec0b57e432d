"""Spending further seeds only on configurations that still contend."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from mnist_sweep.analysis.statistics import Resampled, decide, resample_predictions
from mnist_sweep.analysis.statistics.variance import means_of, ratio

IMAGES = 4000
TRUE = np.arange(IMAGES) % 10


def runs_of(errors, seed=0):
    """One run for each count of errors."""
    rng = np.random.default_rng(seed)
    predicted = np.tile(TRUE, (len(errors), 1))
    for row, count in zip(predicted, errors, strict=True):
        wrong = rng.choice(IMAGES, size=count, replace=False)
        row[wrong] = (row[wrong] + 1) % 10
    return predicted


def decided(predicted, configuration, direction="worst", **options):
    rng = np.random.default_rng(1)
    table = resample_predictions(predicted, TRUE, ["accuracy"], rng, replicates=400)["accuracy"]
    numbers = np.asarray(configuration)
    groups = [np.flatnonzero(numbers == number) for number in np.unique(numbers)]
    return decide(table, groups, direction, **({"max_repeats": 5} | options))


CLEAR = runs_of([500, 200, 100, 505, 205, 95, 495, 195, 105])
CLOSE = runs_of([300, 310, 60, 305, 304, 62, 310, 300, 58])
ROUNDS = np.array([0, 1, 2] * 3)


def test_a_clear_selection_is_decided_and_asks_for_nothing_more():
    found = decided(CLEAR, ROUNDS)
    assert (found.state, found.selected) == ("decided", 0)
    assert (found.contenders, found.next_runs) == ((0,), ())
    assert set(found.eliminated) == {1, 2}
    best = decided(CLEAR, ROUNDS, "best")
    assert (best.state, best.selected) == ("decided", 2)


def test_only_contenders_are_to_be_run_again():
    found = decided(CLOSE, ROUNDS)
    assert found.state == "undecided"
    assert set(found.contenders) == {0, 1}
    assert found.next_runs == (0, 1)
    assert 2 in found.eliminated


def test_once_out_a_configuration_stays_out_with_the_runs_it_had():
    out_after = decided(CLOSE, ROUNDS).eliminated[2]
    more = np.concatenate([CLOSE, runs_of([300, 310], seed=5)])
    found = decided(more, np.append(ROUNDS, [0, 1]))
    assert found.eliminated == {2: out_after}
    assert (found.repeats, found.looks) == (4, 3)


def test_runs_beyond_a_look_are_not_used_by_it():
    spoiled = np.concatenate([CLOSE, runs_of([2000], seed=5)])
    found = decided(spoiled, np.append(ROUNDS, 2))
    assert found.eliminated == decided(CLOSE, ROUNDS).eliminated


def test_before_everyone_has_the_least_repeats_it_asks_for_those():
    found = decided(CLOSE[:4], ROUNDS[:4])
    assert (found.state, found.looks, found.next_runs) == ("undecided", 0, (1, 2))
    assert set(found.contenders) == {0, 1, 2}


def test_a_contender_that_lags_behind_is_waited_for():
    found = decided(CLOSE[:8], ROUNDS[:8], min_repeats=3)
    assert (found.looks, found.next_runs) == (0, (2,))


def test_at_the_most_repeats_it_says_that_it_is_open_and_who_contends():
    found = decided(CLOSE, ROUNDS, max_repeats=3)
    assert (found.state, found.next_runs) == ("spent", ())
    assert set(found.contenders) == {0, 1}


def test_more_looks_to_come_leave_less_error_to_each():
    """A difference that decides at one look does not where fifty looks are planned."""
    predicted = runs_of([186, 160, 190, 166, 182, 158, 188, 162])
    configuration = np.array([0, 1] * 4)
    once = decided(predicted, configuration, min_repeats=4, max_repeats=4)
    often = decided(predicted, configuration, min_repeats=4, max_repeats=53)
    assert (once.state, often.state) == ("decided", "undecided")


def test_one_configuration_needs_no_deciding():
    found = decided(CLEAR[:1], [4])
    assert (found.state, found.selected, found.looks) == ("decided", 0, 0)


def test_it_says_when_the_images_are_too_few_for_any_number_of_repeats():
    one = runs_of([300])[0]
    other = runs_of([290], seed=3)[0]
    predicted = np.array([one, other] * 3)
    found = decided(predicted, [0, 1] * 3, max_repeats=3)
    assert found.limited_by_images


def test_where_seeds_alone_hide_a_difference_the_images_are_no_limit():
    values = np.array([0.0, 3.0, -3.0, 1.0, 4.0, -2.0])
    noise = 0.01 * np.random.default_rng(0).standard_normal((6, 400))
    table = Resampled(values, values[:, None] + noise - noise.mean(axis=1, keepdims=True), 9, 9)
    found = decide(table, [np.arange(3), np.arange(3, 6)], "worst", max_repeats=3)
    assert (found.state, found.limited_by_images) == ("spent", False)


def test_endless_seeds_take_away_the_image_noise_that_differs_from_run_to_run():
    noise = np.random.default_rng(0).standard_normal((4, 50_000))
    values = np.array([0.0, 0.0, 3.0, 3.0])
    # Seen first in a run's own noise alone, then with as much of the configuration's.
    own = values[:, None] + noise - noise.mean(axis=1, keepdims=True)
    groups = [np.array([0, 1]), np.array([2, 3])]
    apart = np.array([0.0, 3.0])
    alone = means_of(Resampled(values, own, 9, 9), groups).uncertainty(0).endless_error
    assert ratio(apart, alone)[1] > 30
    common = own + np.repeat(noise[:2][:, ::-1], 2, axis=0)
    shared = means_of(Resampled(values, common, 9, 9), groups).uncertainty(0).endless_error
    # Variance of the difference over images: 1 + 1, without the interaction of 1 / 2 each.
    assert ratio(apart, shared) == pytest.approx([0, 3 / 2**0.5], rel=0.05)


def test_the_answer_is_the_same_again_and_plain_json():
    assert decided(CLOSE, ROUNDS) == decided(CLOSE, ROUNDS)
    json.dumps(asdict(decided(CLOSE, ROUNDS)), allow_nan=False)
