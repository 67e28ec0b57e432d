"""Very many candidates: a bound instead of each with each, that never claims too much."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_sweep.analysis import uncertainty
from mnist_sweep.analysis.statistics.bootstrap import resample
from mnist_sweep.analysis.statistics.patterns import collapse
from mnist_sweep.analysis.statistics.screening import certainly_different, class_error, share_error
from mnist_sweep.records.sweep import load
from support.factories import make_run, write_sweep

IMAGES, CLASSES = 2000, 5


def simulated(rng, runs, wrong):
    true = (np.arange(IMAGES) % CLASSES).astype(np.uint8)
    other = (true + rng.integers(1, CLASSES, (runs, IMAGES))) % CLASSES
    return true, np.where(rng.random((runs, IMAGES)) < wrong, other, true).astype(np.uint8)


@pytest.mark.parametrize("metric", ["accuracy", "f1", "f1_min", "recall", "precision", "f1.2"])
def test_the_bound_is_no_smaller_than_the_bootstraps_standard_error(metric):
    rng = np.random.default_rng(1)
    true, predicted = simulated(rng, 6, 0.06)
    found = resample(collapse(predicted, true, CLASSES), [metric], rng, 800)[metric]
    measured = found.replicates.std(axis=1)
    support = float(IMAGES // CLASSES)
    base, _, label = metric.partition(".")
    errors = []
    for k in [int(label)] if label else range(CLASSES):
        hits = ((predicted == k) & (true == k)).sum(axis=1)
        precision, recall = hits / (predicted == k).sum(axis=1), hits / support
        errors.append(class_error(base.removesuffix("_min"), precision, recall, support))
    bound = np.max(errors, axis=0) if base == "f1_min" else np.mean(errors, axis=0)
    if base == "accuracy":
        bound = share_error((predicted == true).mean(axis=1), IMAGES)
    assert (bound > 0.92 * measured).all()
    assert (bound < 4 * measured).all()


def test_equal_configurations_are_hardly_ever_called_different():
    rng = np.random.default_rng(2)
    claims = 0
    for _ in range(200):
        means = rng.normal(0.95, 0.005, 300)
        errors = np.full(300, 0.005)
        claims += certainly_different(
            means, errors, int(means.argmin()), level=0.95, repeats=np.ones(300),
            spreads=np.zeros(300),
        ).any()  # fmt: skip
    assert claims <= 10


def test_what_lies_far_apart_is_called_different_and_few_seeds_make_it_careful():
    means, errors = np.array([0.5, 0.9, 0.52]), np.full(3, 0.005)
    single = {"repeats": np.ones(3), "spreads": np.zeros(3)}
    assert certainly_different(means, errors, 0, level=0.95, **single).tolist() == [
        False,
        True,
        False,
    ]
    repeated = {"repeats": np.full(3, 2.0), "spreads": np.full(3, 0.05**2)}
    assert not certainly_different(means, errors, 0, level=0.95, **repeated).any()


def test_the_lowest_of_several_is_given_the_room_of_each_of_them():
    # Two standard errors of 0.01 each: apart by 1.96 / (1 - 0.025 / 10 ...) of their sum or more.
    means, errors = np.array([0.90, 0.95]), np.full(2, 0.01)
    single = {"level": 0.95, "repeats": np.ones(2), "spreads": np.zeros(2)}
    assert certainly_different(means, errors, 0, **single).tolist() == [False, True]
    assert not certainly_different(means, errors, 0, **single, lowest_of=10).any()


def test_few_seeds_that_tell_nothing_apart_are_said_to_tell_nothing(tmp_path):
    def told(seeds, accuracy):
        runs = [
            make_run(layers=n, seed=seed, accuracy=accuracy if n == 1 else 0.97)
            for n in (1, 2, 3) for seed in range(seeds)
        ]  # fmt: skip
        sweep = load(write_sweep(tmp_path / f"{seeds}-{accuracy}", runs))
        return uncertainty.select_with_uncertainty(sweep, by="accuracy", most=2).unknown

    assert "0 of the others differ" in told(2, 0.96)
    assert "at most 2 runs each it can hardly tell any apart" in told(2, 0.96)
    assert "hardly" not in told(2, 0.2)
    assert "hardly" not in told(1, 0.96)


def test_among_too_many_candidates_the_bound_is_told_and_exact_computes_it_all(tmp_path):
    runs = [make_run(layers=n, accuracy=0.4 if n == 1 else 0.99) for n in range(1, 6)]
    sweep = load(write_sweep(tmp_path / "grid", runs))
    found = uncertainty.select_with_uncertainty(sweep, by="accuracy", most=4)
    assert found.sureness == ()
    assert "5 candidates are too many" in found.unknown
    assert "4 of the others differ" in found.unknown
    assert "remaining 0 may be as bad" in found.unknown
    exact = uncertainty.select_with_uncertainty(sweep, by="accuracy", most=None, replicates=100)
    assert exact.probability is not None
    assert exact.selection.chosen.label == found.selection.chosen.label


def test_of_candidates_that_saw_different_images_no_bound_is_told(tmp_path):
    runs = [make_run(layers=1), make_run(layers=2, n_validation=500)]
    sweep = load(write_sweep(tmp_path / "grid", runs))
    assert "different images" in uncertainty.select_with_uncertainty(sweep, most=1).unknown
