"""The promises, kept on simulated predictions with known truth: the small version.

`benchmarks/statistics_calibration.md` has the large one. Bounds here leave room for the few
simulations: 0.95 of 200 is 0.95 give or take 0.045 (3 standard errors).
"""

import numpy as np
import pytest

from benchmarks.statistics_calibration import (
    EASE,
    World,
    decisions,
    difference_errors,
    effects,
    false_distinctions,
    interval_coverage,
    probability_pairs,
)

SMALL = 500


def rng():
    return np.random.default_rng(20)


@pytest.mark.parametrize("metric", ["accuracy", "f1_min", "precision.3"])
def test_the_simulated_worlds_truth_is_what_many_images_and_runs_show(metric):
    from mnist_sweep.analysis.statistics.bootstrap import observed_metric
    from mnist_sweep.analysis.statistics.patterns import collapse

    world = World((0.9,), seeds=0.1, images=40_000)
    predicted, true, _, drawn = world.draw(6, rng())
    seen = observed_metric(collapse(predicted, true), metric)
    np.testing.assert_allclose(seen, world.truth_of_run(metric, 0, drawn), atol=0.012)
    nodes = np.random.default_rng(1).standard_normal(40_000)
    assert world.truth(metric) == pytest.approx(
        world.truth_of_run(metric, 0, nodes).mean(), abs=5e-4
    )


@pytest.mark.parametrize(("metric", "repeats"), [("accuracy", 1), ("f1", 2), ("f1_min", 4)])
def test_intervals_hold_the_truth_as_often_as_they_say(metric, repeats):
    ease = np.where(np.arange(10) == 8, -0.5, 0.0) if metric == "f1_min" else EASE
    world = World((0.93,), images=SMALL, ease=ease)
    assert 0.90 <= interval_coverage(world, metric, repeats, 200, rng()) <= 0.995


def test_differences_hold_the_truth_and_holm_keeps_the_family_error():
    world = World((0.93, 0.93), images=SMALL)
    held, family, raw = difference_errors(world, "f1", 3, 100, rng())
    assert held >= 0.89
    assert family <= 0.10
    assert raw > 2 * family


def test_a_configuration_as_good_as_the_selected_is_rarely_set_apart():
    world = World((0.93, 0.93, 0.93, 0.97), images=SMALL)
    assert false_distinctions(world, "accuracy", 3, 150, rng()) <= 0.10


@pytest.mark.parametrize("repeats", [1, 3])
def test_stated_probabilities_of_being_the_worst_come_true(repeats):
    stated, happened = probability_pairs("accuracy", repeats, 100, rng())
    chosen = stated.argmax(axis=1)
    rows = np.arange(len(stated))
    assert stated[rows, chosen].mean() == pytest.approx(happened[rows, chosen].mean(), abs=0.1)
    unlikely = stated < 0.1
    assert happened[unlikely].mean() == pytest.approx(stated[unlikely].mean(), abs=0.05)


def test_deciding_errs_less_often_than_its_level_and_saves_runs():
    race = decisions(World((0.91, 0.93, 0.97, 0.98), images=1000), "accuracy", 6, 30, rng())
    assert race.wrong <= 0.1
    assert race.decided > 0.2
    print(f"deciding took {race.runs:.1f} runs, equal repeats {race.equal_runs:.1f}")
    assert race.runs < 0.85 * race.equal_runs


def test_the_effect_is_unbiased_where_the_naive_difference_is_not():
    held, honest, naive, called = effects(3, 60, rng())
    assert held >= 0.85
    assert called <= 0.15
    assert naive > 0.01
    assert abs(honest) < naive / 3
