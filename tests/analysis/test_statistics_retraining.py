"""The effect of a change, beside what training again does by itself."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from mnist_sweep.analysis.statistics import compare_runs, effect_of_change
from mnist_sweep.errors import DataError

TRUE = np.arange(2000) % 10


def runs_of(*errors, seed=0):
    rng = np.random.default_rng(seed)
    predicted = np.tile(TRUE, (len(errors), 1))
    for row, count in zip(predicted, errors, strict=True):
        wrong = rng.choice(2000, size=count, replace=False)
        row[wrong] = (row[wrong] + 1) % 10
    return predicted


SELECTED = runs_of(200, seed=1)
UNCHANGED = runs_of(100, 120, 140, seed=2)


def effect(changed, **options):
    rng = np.random.default_rng(4)
    return effect_of_change(UNCHANGED, changed, SELECTED, TRUE, "accuracy", rng, **options)


def test_a_change_that_does_nothing_looks_good_only_in_the_naive_difference():
    found = effect(runs_of(100, 120, 140, seed=3))
    assert found.naive == pytest.approx(80 / 2000)
    assert found.overall.estimate == pytest.approx(0)
    assert found.overall.low < 0 < found.overall.high
    assert found.retraining == pytest.approx(80 / 2000)


def test_the_naive_difference_is_the_effect_and_what_retraining_does():
    found = effect(runs_of(50, 70, 90, seed=3))
    assert found.naive == pytest.approx(found.overall.estimate + found.retraining)
    assert found.selected == pytest.approx(0.9)
    assert found.overall.estimate == pytest.approx(0.025)
    assert found.overall.p_value < 0.05


def test_it_is_paired_by_seed():
    changed = runs_of(50, 70, 90, seed=3)
    paired = effect(changed).overall
    rng = np.random.default_rng(4)
    loose = compare_runs(UNCHANGED, changed, TRUE, "accuracy", rng).overall
    assert paired.high - paired.low < 0.75 * (loose.high - loose.low)
    assert paired.covers == "images and seeds"


def test_every_class_has_its_effect_and_holm_never_makes_one_surer():
    found = effect(runs_of(50, 70, 90, seed=3))
    assert [one.metric for one in found.per_class] == [f"f1.{label}" for label in range(10)]
    assert all(one.p_holm >= one.p_value for one in found.per_class)
    json.dumps(asdict(found), allow_nan=False)


def test_with_one_fresh_seed_it_covers_images_only():
    rng = np.random.default_rng(4)
    found = effect_of_change(UNCHANGED[0], runs_of(90, seed=3)[0], SELECTED[0], TRUE, "f1_min", rng)
    assert found.overall.covers == "images"


def test_unequal_numbers_of_seeds_are_refused():
    with pytest.raises(DataError, match="same seeds"):
        effect(runs_of(50, 60))
