"""Intervals, selections and decisions hold what they promise on simulated predictions.

This is the small version of `benchmarks/statistics_calibration.md`. Bounds leave room for the few
simulations: of 120 intervals at 95 %, fewer than 106 or all 120 hold with chance 0.003 together.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.statistics_calibration import (
    World,
    decisions,
    distinctions,
    interval_coverage,
    probability_pairs,
)
from mnist_sweep.analysis.statistics import resample_predictions

PAGE = Path(__file__).parents[1] / "benchmarks" / "statistics_calibration.md"


def rng():
    return np.random.default_rng(20)


@pytest.mark.parametrize("metric", ["accuracy", "f1_min", "precision.3"])
def test_the_simulated_worlds_truth_is_what_many_images_and_runs_show(metric):
    world = World((0.9,), seeds=0.1, images=40_000)
    predicted, true, drawn = world.draw(6, rng())
    seen = resample_predictions(predicted, true, [metric], rng(), replicates=100)[metric].observed
    np.testing.assert_allclose(seen, world.truth_of_runs(metric, 0, drawn), atol=0.012)
    nodes = np.random.default_rng(1).standard_normal(40_000)
    assert world.truth(metric) == pytest.approx(
        world.truth_of_runs(metric, 0, nodes).mean(), abs=5e-4
    )


@pytest.mark.parametrize(("metric", "repeats"), [("accuracy", 1), ("f1", 2), ("f1_min", 4)])
def test_intervals_hold_the_truth_as_often_as_they_say(metric, repeats):
    world = World((0.93,), images=500)
    assert 106 <= 120 * interval_coverage(world, metric, repeats, 120, rng()).held < 119.5


def test_a_configuration_as_good_as_the_chosen_one_is_rarely_called_different():
    wrong, _ = distinctions(World((0.93,) * 3 + (0.97,), images=500), "accuracy", 3, 100, rng())
    assert wrong <= 0.11, "12 or more of 100 have chance 0.004 at 5 %"


@pytest.mark.parametrize("repeats", [1, 3])
def test_stated_probabilities_of_being_the_worst_come_true(repeats):
    stated, happened = probability_pairs("accuracy", repeats, 60, rng())
    chosen = stated.argmax(axis=1)
    rows = np.arange(len(stated))
    assert stated[rows, chosen].mean() == pytest.approx(happened[rows, chosen].mean(), abs=0.17)
    unlikely = stated < 0.1
    assert happened[unlikely].mean() == pytest.approx(stated[unlikely].mean(), abs=0.05)


def test_deciding_errs_less_often_than_its_level_and_saves_runs():
    found = decisions(World((0.91, 0.93, 0.97, 0.98), images=1000), "accuracy", 6, 20, rng())
    assert found.wrong <= 0.15, "4 or more of 20 have chance 0.016 at 5 %"
    assert found.decided > 0.2
    assert found.runs < 0.9 * found.equal_runs


def test_the_kept_table_is_compatible_with_95_percent_and_calls_at_most_5_percent_wrongly():
    """Each of 24 shares lies within 3.5 standard errors of its simulations."""
    text = PAGE.read_text(encoding="utf-8")
    covered = re.findall(
        r"^\| (?:accuracy|f1|f1_min) \| \d+ \| \d \| ([\d.]+)%", text, re.MULTILINE
    )
    simulations = int(re.search(r"--simulations (\d+)", text)[1])
    assert len(covered) == 24
    for share in covered:
        assert abs(float(share) - 95) <= 350 * (0.95 * 0.05 / simulations) ** 0.5
    wrong = re.findall(r"^\| \d+ \| \d+ \| \d \| ([\d.]+)% \|", text, re.MULTILINE)
    assert len(wrong) == 6
    assert all(float(share) <= 6.5 for share in wrong)
