"""The gate: green when only the seed changed, red when it got worse, and closed when in doubt.

`test_gate_cheats.py` has the ways to damage a sweep, a baseline or rules.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_sweep.analysis.gate import (
    CheckKind,
    Problem,
    Rules,
    baseline_of,
    check,
    read_baseline,
    read_rules,
    write_baseline,
)
from mnist_sweep.analysis.gate import rules as rules_module
from mnist_sweep.analysis.gate.baseline import DATA, MACHINE
from mnist_sweep.analysis.gate.noise import level_of_each, noise_limits, room_of
from mnist_sweep.command import command
from mnist_sweep.errors import DirectoryError, UsageError
from mnist_sweep.metrics import resolve
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting.gate import notes, sentence, title
from support.factories import make_run, reference_grid, write_run, write_sweep
from support.gate_simulation import ACCURACIES, relative_checks, simulated

NO_BASELINE_RULE = {"baseline": []}
FIRST_EDITION = Path(__file__).parents[1] / "support" / "baseline_of_first_edition.json"


@pytest.fixture(scope="module")
def repeated(tmp_path_factory):
    """A sweep of four configurations with three seeds each, and its baseline."""
    directory = write_sweep(tmp_path_factory.mktemp("gate") / "good", reference_grid((0, 1, 2)))
    return directory, baseline_of(load(directory))


def sweep_in(path, runs, missing=()):
    return load(write_sweep(path, runs, missing))


def reasons(result):
    return [sentence(check) for check in result.failures]


def test_very_many_missing_runs_are_counted_and_a_few_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["mnist_sweep.analysis.gate.check"], "MAX_MISSING", 2)
    runs = [make_run(nodes=n, n_test=60, n_validation=40, epochs=2) for n in range(8, 14)]
    baseline = baseline_of(sweep_in(tmp_path / "baseline", runs[:1]))
    result = check(sweep_in(tmp_path / "sweep", runs[:1], runs[1:]), baseline, Rules())
    found = [one for one in result.failures if one.kind is CheckKind.FINISHED]
    assert [one.problem for one in found] == [Problem.MISSING] * 2 + [Problem.MORE_MISSING]
    assert "without a record that are not listed here: 3." in sentence(found[-1])


def test_a_sweep_passes_against_itself(repeated):
    directory, baseline = repeated
    result = check(load(directory), baseline, Rules())
    assert result.passed
    assert all(c.value == pytest.approx(c.baseline) for c in result.checks if c.noticeable)


def test_a_baseline_file_says_what_its_directory_says(repeated, tmp_path):
    directory, baseline = repeated
    file = tmp_path / "baseline.json"
    write_baseline(file, load(directory))
    read = read_baseline(file)
    metrics = ["test.accuracy", "validation.loss", "test.f1.8", "test.precision.3", "time.train_s"]
    names = ["run_id", "configuration_id", "label", "status", "seed", *DATA, *MACHINE, *metrics]
    for other in (baseline, read_baseline(directory)):
        for name in names:
            assert read[name].to_list() == pytest.approx(other[name].to_list(), abs=1e-3), name
    assert file.stat().st_size < 20_000


def test_a_baseline_file_of_the_first_edition_is_read():
    """The shipped one, which was written by it and has one run a configuration."""
    values = json.loads(FIRST_EDITION.read_text())
    runs = read_baseline(FIRST_EDITION)
    assert len(runs) == len(values["configurations"]) == 4
    matrix = np.array(values["configurations"][0]["runs"][0]["confusion"]["test"])
    f1 = 2 * matrix[8, 8] / (matrix[8].sum() + matrix[:, 8].sum())
    assert runs["test.f1.8"].iloc[0] == pytest.approx(f1)


def test_other_seeds_pass_and_a_real_drop_fails(repeated, tmp_path):
    _, baseline = repeated
    reseeded = sweep_in(tmp_path / "seeds", reference_grid((3, 4, 5)))
    assert check(reseeded, baseline, Rules()).passed
    worse = [make_run(layers=2, nodes=300, seed=s, accuracy=0.88) for s in (3, 4, 5)]
    runs = [
        r
        for r in reference_grid((3, 4, 5))
        if not r.values["label"].startswith("layers=2,nodes=300")
    ]
    dropped = check(sweep_in(tmp_path / "worse", [*runs, *worse]), baseline, Rules())
    assert [check.configuration for check in dropped.failures] == ["layers=2,nodes=300"]
    assert "worse by more than" in reasons(dropped)[0]


# Failing closed, one by one.


def test_a_damaged_record_fails_even_if_nothing_else_does(repeated, tmp_path):
    directory = write_sweep(tmp_path / "a", [*reference_grid((0, 1, 2)), make_run(layers=3)])
    damaged = next((directory / "runs").glob("layers=3*")) / "record.json"
    damaged.write_text(damaged.read_text()[:-40])
    result = check(load(directory), repeated[1], Rules(all_finished=False))
    assert len(result.failures) == 1
    assert str(damaged) in reasons(result)[0]


def test_a_value_that_was_not_finite_fails_the_rule_about_it(repeated, tmp_path):
    runs = reference_grid((0, 1, 2))
    runs[0].values["metrics"]["test"]["loss"] = None
    rules = Rules.model_validate({"baseline": ["test.loss"], "floors": ["test.loss <= 9"]})
    result = check(sweep_in(tmp_path / "a", runs), repeated[1], rules)
    assert len(result.failures) == 2
    assert all("missing or not finite" in reason for reason in reasons(result))


def test_a_changed_setting_is_named_once(repeated, tmp_path):
    found = sweep_in(tmp_path / "a", reference_grid((0, 1), epochs=5, optimizer="sgd"))
    result = check(found, repeated[1], Rules())
    (failure,) = result.failures
    assert failure.problem is Problem.CHANGED_SETTING
    assert failure.changed == (("epochs", 20, 5), ("optimizer", "adam", "sgd"))
    assert "epochs: 20 -> 5, optimizer: adam -> sgd in 4 configurations" in sentence(failure)
    assert "layers=1,nodes=100 0.97" in sentence(failure)
    update = command("baseline", Path(found.directory), "--update", "-o", "FILE")
    assert update in notes(result)[0]


def test_edited_code_is_checked_against_the_same_settings(repeated, tmp_path):
    """The ids cover the source of the user's network; the baseline was written before the edit."""
    runs = reference_grid((0, 1, 2))
    for run in runs:
        run.values["configuration_id"] = run.values["configuration_id"][::-1]
    result = check(sweep_in(tmp_path / "a", runs), repeated[1], Rules())
    assert result.passed
    assert sum(one.kind is CheckKind.RELATIVE for one in result.checks) == 4


def test_another_dataset_fails_and_says_so_once(repeated, tmp_path):
    found = sweep_in(tmp_path / "a", reference_grid((0, 1, 2), bundled=True))
    result = check(found, repeated[1], Rules())
    assert len(result.failures) == 1
    assert "Another dataset: its sha256 is bbbbbbbbbbbb" in reasons(result)[0]
    assert result.failures[0].configuration == found.frame["label"].iloc[0]


def test_a_baseline_s_runs_are_in_order_of_seed(tmp_path):
    found = sweep_in(tmp_path / "a", [make_run(layers=1, seed=seed) for seed in (10, 9, 2)])
    assert baseline_of(found)["seed"].to_list() == [2, 9, 10]


def test_another_split_of_the_same_data_fails(repeated, tmp_path):
    runs = reference_grid((0, 1, 2))
    for run in runs:
        run.values["config"] = {**run.values["config"], "data": {"split_seed": 1}}
    assert (
        "Another dataset" in reasons(check(sweep_in(tmp_path / "a", runs), repeated[1], Rules()))[0]
    )


def test_a_time_that_is_not_known_fails_its_rule(repeated, tmp_path):
    runs = reference_grid((0, 1, 2))
    runs[0].values["time"] = None
    rules = Rules.model_validate({"ratios": {"time.train_s": 2}})
    result = check(sweep_in(tmp_path / "a", runs), repeated[1], rules)
    assert ["unknown for" in reason for reason in reasons(result)] == [True]


def test_a_drop_that_single_runs_cannot_judge_fails_and_says_what_to_do(tmp_path):
    baseline = baseline_of(sweep_in(tmp_path / "a", reference_grid()))
    assert check(load(tmp_path / "a"), baseline, Rules()).passed
    lower = sweep_in(tmp_path / "b", [make_run(layers=1, nodes=100, seed=1, accuracy=0.9)])
    result = check(lower, baseline, Rules())
    (failure,) = (one for one in result.failures if one.kind is CheckKind.RELATIVE)
    assert failure.problem is Problem.NOISE_UNKNOWN
    assert "seed=0,1,2" in sentence(failure)
    assert "tolerance" in sentence(failure)


def test_single_runs_are_judged_by_the_tolerance(tmp_path):
    baseline = baseline_of(load(write_run(make_run(), tmp_path / "a")))
    found = load(write_run(make_run(seed=1, accuracy=0.95), tmp_path / "b"))
    for tolerance, passes in ((0.05, True), (0.001, False)):
        rule = {"metric": "test.accuracy", "tolerance": tolerance}
        result = check(found, baseline, Rules.model_validate({"baseline": [rule]}))
        assert result.passed is passes
        assert any("varies between seeds" in note for note in notes(result)) is passes


def in_a_file(directory, path):
    write_baseline(path, load(directory))
    return path.read_text()


def test_a_task_without_images_needs_no_confusion_matrix(repeated, tmp_path):
    values = json.loads(in_a_file(repeated[0], tmp_path / "whole.json"))
    values["dataset"] |= {"n_test": None, "n_validation": None}
    for one in values["configurations"]:
        for run in one["runs"]:
            run["confusion"] = {}
    (tmp_path / "b.json").write_text(json.dumps(values))
    runs = read_baseline(tmp_path / "b.json")
    assert runs["test.accuracy"].notna().all()


def test_no_baseline_is_made_of_half_a_sweep(tmp_path):
    found = sweep_in(tmp_path / "a", reference_grid(), [make_run(layers=3)])
    with pytest.raises(DirectoryError, match="complete sweep"):
        baseline_of(found)


# Rules.


def test_floors_hold_or_fail_with_the_value(repeated):
    floors = ["test.accuracy >= 0.96", {"rule": "test.accuracy >= 0.9", "where": "layers=2"}]
    rules = Rules.model_validate({"floors": floors, **NO_BASELINE_RULE})
    result = check(load(repeated[0]), repeated[1], rules)
    assert [f.configuration for f in result.failures] == ["layers=2,nodes=300"]
    assert "test.accuracy is 0.9" in reasons(result)[0]
    assert "the mean of 3 runs" in reasons(result)[0]
    assert sum("where layers=2" in title(check) for check in result.checks) == 2


def test_ratios_are_of_medians(repeated, tmp_path):
    runs = [make_run(layers=1, nodes=100, seed=s, train_s=t) for s, t in enumerate((1.0, 9.0, 1.0))]
    baseline = baseline_of(sweep_in(tmp_path / "a", runs))
    now = [make_run(layers=1, nodes=100, seed=s, train_s=1.4) for s in range(3)]
    found = sweep_in(tmp_path / "b", now)
    for most, passes in ((1.5, True), (1.3, False)):
        rules = Rules.model_validate({"ratios": {"time.train_s": most}, **NO_BASELINE_RULE})
        result = check(found, baseline, rules)
        assert result.passed is passes
        assert any("x 1.40" in sentence(check) for check in result.checks)


def test_times_of_another_machine_are_noted(repeated, tmp_path):
    runs = reference_grid((0, 1, 2))
    for run in runs:
        run.values["environment"]["cpu"] = "a faster processor"
    rules = Rules.model_validate({"ratios": {"time.train_s": 1.5}})
    result = check(sweep_in(tmp_path / "a", runs), repeated[1], rules)
    assert any(
        "a processor in the baseline, a faster processor now" in note for note in notes(result)
    )


def test_a_tolerance_lets_a_known_drop_pass(repeated, tmp_path):
    grid = zip(((1, 100), (1, 300), (2, 100), (2, 300)), ACCURACIES, strict=True)
    runs = [
        make_run(layers=layers, nodes=nodes, seed=seed, accuracy=accuracy - 0.06)
        for (layers, nodes), accuracy in grid
        for seed in (3, 4, 5)
    ]
    found = sweep_in(tmp_path / "a", runs)
    assert not check(found, repeated[1], Rules()).passed
    tolerant = {"baseline": [{"metric": "test.accuracy", "tolerance": 0.06}]}
    assert check(found, repeated[1], Rules.model_validate(tolerant)).passed


@pytest.mark.parametrize(
    "text",
    ["floors: [accuracy is good]", "floors: ['test.acuracy >= 1']", "floors: ['test.f1 >= nan']",
     "baseline: [accuracy]", "baseline: [{metric: test.f1, tolerance: -1}]", "ratios: {speed: 2}",
     "ratios: {time.train_s: 0}", "level: 2", "unknown: 1", "- a", "{", "floors: 3",
     "floors: [{rule: test.f1 >= 1, where: layers}]", "all_finished: perhaps"],
)  # fmt: skip
def test_a_wrong_rule_is_refused_by_name(tmp_path, text):
    (tmp_path / "rules.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"rules\.yaml"):
        read_rules(tmp_path / "rules.yaml")


def test_the_documented_rules_can_be_read(tmp_path):
    lines = rules_module.__doc__.splitlines()
    example = "\n".join(line[4:] for line in lines if line.startswith("    "))
    (tmp_path / "rules.yaml").write_text(example)
    assert len(read_rules(tmp_path / "rules.yaml").floors) == 3
    (tmp_path / "rules.yaml").write_text("")
    assert read_rules(tmp_path / "rules.yaml") == Rules()


# Noise.


def limits(before, after, level=0.95):
    return noise_limits(before, after, 1 / 1000, level)


def test_the_limit_is_students_one_sided():
    before, after = [0.970, 0.974, 0.969], [0.971, 0.968, 0.975, 0.966]
    interval = scipy.stats.ttest_ind(after, before, equal_var=True).confidence_interval(0.9)
    expected = np.mean(after) - np.mean(before) - interval.low
    assert limits(before, after)[0] == pytest.approx(expected)


def test_equal_repeats_leave_the_worth_of_an_image():
    expected = scipy.stats.t.ppf(0.95, 2) * 1e-3 * math.sqrt(2 / 3)
    assert limits([0.97] * 3, [0.97] * 3)[0] == pytest.approx(expected)
    assert limits([0.97], [0.97]) is None


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=5),
    st.lists(st.floats(0, 1), min_size=2, max_size=5),
    st.floats(0.9, 0.999),
)
def test_a_noticeable_drop_is_larger_than_an_allowed_one(before, after, level):
    allowed, noticeable = limits(before, after, level)
    assert 0 < allowed < noticeable
    assert allowed <= limits(before, after, level_of_each(level, 4))[0]


def test_another_processors_rounding_passes():
    """Baselines whose seeds agree to the image: a rerun that loses one image on each passes."""

    def runs_of(right):
        return [pd.DataFrame({"dataset.n_test": 1000, "test.accuracy": [right / 1000] * 3})]

    assert all(one.passed for one in relative_checks(runs_of(990), runs_of(989)))
    assert not all(one.passed for one in relative_checks(runs_of(990), runs_of(980)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("repeats", "spread"),
    [(3, [0.002] * 4), (3, [0.001, 0.001, 0.001, 0.004]), (2, [0.003] * 4)],
)
def test_reruns_that_differ_by_seed_alone_fail_at_most_5_percent(repeats, spread):
    rng = np.random.default_rng(3)
    failed = sum(
        not all(
            one.passed
            for one in relative_checks(
                simulated(rng, ACCURACIES, spread, repeats),
                simulated(rng, ACCURACIES, spread, repeats),
            )
        )
        for _ in range(100)
    )
    assert failed <= 11, "12 or more of 100 have chance 0.004 at an error rate of 5 %"


@pytest.mark.slow
def test_a_drop_of_the_smallest_noticeable_size_is_caught_4_times_in_5():
    rng = np.random.default_rng(4)
    spread = [0.004] * 4
    caught = 0
    for _ in range(80):
        old = simulated(rng, ACCURACIES, spread, 5)
        new = simulated(rng, ACCURACIES, spread, 5)
        drop = relative_checks(old, new)[3].noticeable
        lower = [*ACCURACIES[:3], ACCURACIES[3] - drop]
        caught += not relative_checks(old, simulated(rng, lower, spread, 5))[3].passed
    assert caught >= 54, "53 or fewer of 80 have chance 0.003 at a power of 80 %"


@pytest.mark.parametrize("rule", ["highest:test.reward >= -50", "highest:test.r2 >= 0"])
def test_a_free_metric_may_be_bounded_where_a_share_could_not(rule):
    assert Rules.model_validate({"floors": [rule]}).floors[0].bound[2] <= 0


@pytest.mark.parametrize(
    ("metric", "columns", "expected"),
    [("highest:test.reward", {}, math.inf), ("test.loss", {}, math.log(10)),
     ("test.loss", {"dataset.classes": [47, 47]}, math.log(47)), ("test.accuracy", {}, 0.5)],
)  # fmt: skip
def test_a_metric_can_become_worse_as_far_as_it_is_bounded(metric, columns, expected):
    assert room_of(resolve(metric), 0.5, pd.DataFrame(columns)) == expected
