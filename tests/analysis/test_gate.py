"""The gate: green when only the seed changed, red when it got worse, and closed when in doubt."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_sweep.analysis.gate import Rules, check, read_rules
from mnist_sweep.analysis.gate.baseline import (
    BaselineConfiguration,
    BaselineRun,
    build_baseline,
    read_baseline,
    write_baseline,
)
from mnist_sweep.analysis.gate.noise import Noise, image_deviation, noise_of
from mnist_sweep.errors import DirectoryError, UsageError
from mnist_sweep.records.collect import collect
from mnist_sweep.records.runs import Run
from support.factories import make_run, reference_grid, write_run, write_sweep
from support.gate_simulation import ACCURACIES, outcomes, simulated

NO_BASELINE_RULE = {"baseline": []}


@pytest.fixture(scope="module")
def repeated(tmp_path_factory):
    """A sweep of four configurations with three seeds each, and its baseline."""
    directory = write_sweep(tmp_path_factory.mktemp("gate") / "good", reference_grid((0, 1, 2)))
    return directory, build_baseline(collect(directory))


def sweep_in(path, runs, missing=()):
    return collect(write_sweep(path, runs, missing))


def reasons(judgement):
    return [finding.sentence for finding in judgement.failures]


def test_a_sweep_passes_against_itself(repeated):
    directory, baseline = repeated
    judgement = check(collect(directory), baseline, Rules())
    assert judgement.passed
    assert all("+0.0000" in f.sentence for f in judgement.findings if f.noticeable)


def test_a_baseline_file_says_what_its_directory_says(repeated, tmp_path):
    directory, baseline = repeated
    write_baseline(tmp_path / "baseline.json", baseline)
    assert read_baseline(tmp_path / "baseline.json") == baseline == read_baseline(directory)
    assert (tmp_path / "baseline.json").stat().st_size < 20_000


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
    assert [finding.configuration for finding in dropped.failures] == ["layers=2,nodes=300"]
    assert "worse by more than" in reasons(dropped)[0]


# Failing closed, one by one.


def test_no_record_fails(repeated, tmp_path):
    judgement = check(sweep_in(tmp_path / "a", [], reference_grid()), repeated[1], Rules())
    assert "There is no finished run to judge." in reasons(judgement)


def test_a_damaged_record_fails_even_if_nothing_else_does(repeated, tmp_path):
    directory = write_sweep(tmp_path / "a", [*reference_grid((0, 1, 2)), make_run(layers=3)])
    damaged = next((directory / "runs").glob("layers=3*")) / "record.json"
    damaged.write_text(damaged.read_text()[:-40])
    judgement = check(collect(directory), repeated[1], Rules(all_finished=False))
    assert len(judgement.failures) == 1
    assert str(damaged) in reasons(judgement)[0]


def test_a_nan_in_a_record_fails(repeated, tmp_path):
    directory = write_sweep(tmp_path / "a", reference_grid((0, 1, 2)))
    record = next((directory / "runs").glob("layers=1,nodes=100*seed=0*")) / "record.json"
    values = json.loads(record.read_text())
    values["metrics"]["test"]["accuracy"] = math.nan
    record.write_text(json.dumps(values))
    judgement = check(collect(directory), repeated[1], Rules(all_finished=False))
    assert not judgement.passed
    assert any("NaN" in reason and str(record) in reason for reason in reasons(judgement))


def test_a_value_that_was_not_finite_fails_the_rule_about_it(repeated, tmp_path):
    runs = reference_grid((0, 1, 2))
    runs[0].values["metrics"]["test"]["loss"] = None
    rules = Rules.model_validate({"baseline": ["test.loss"], "floors": ["test.loss <= 9"]})
    judgement = check(sweep_in(tmp_path / "a", runs), repeated[1], rules)
    assert len(judgement.failures) == 2
    assert all("no finite value" in reason for reason in reasons(judgement))


def test_a_missing_configuration_fails(repeated, tmp_path):
    runs = [
        r
        for r in reference_grid((0, 1, 2))
        if not r.values["label"].startswith("layers=1,nodes=300")
    ]
    judgement = check(sweep_in(tmp_path / "a", runs), repeated[1], Rules())
    assert [f.configuration for f in judgement.failures] == ["layers=1,nodes=300"]
    assert "no finished run of it" in reasons(judgement)[0]


def test_another_dataset_fails_and_says_so_once(repeated, tmp_path):
    found = sweep_in(tmp_path / "a", reference_grid((0, 1, 2), bundled=True))
    judgement = check(found, repeated[1], Rules())
    assert len(judgement.failures) == 1
    assert "Another dataset: its sha256 is bbbbbbbbbbbb" in reasons(judgement)[0]
    assert judgement.failures[0].configuration == found.runs[0].label


def test_each_record_is_read_once(repeated, monkeypatch):
    found = collect(repeated[0])
    read = []
    original = Run.record.fget
    monkeypatch.setattr(Run, "record", property(lambda run: read.append(run) or original(run)))
    assert check(found, repeated[1], Rules()).passed
    # And the first again, for the machine.
    assert len(read) == len(found.runs) + 1
    read.clear()
    assert build_baseline(found) == repeated[1]
    assert len(read) == len(found.runs) + 1


def test_a_baseline_s_runs_stand_in_order_of_seed(tmp_path):
    found = sweep_in(tmp_path / "a", [make_run(layers=1, seed=seed) for seed in (10, 9, 2)])
    (one,) = build_baseline(found).configurations
    assert [run.seed for run in one.runs] == [2, 9, 10]


def test_another_split_of_the_same_data_fails(repeated, tmp_path):
    runs = reference_grid((0, 1, 2))
    for run in runs:
        run.values["config"] = {**run.values["config"], "data": {"split_seed": 1}}
    assert (
        "Another dataset" in reasons(check(sweep_in(tmp_path / "a", runs), repeated[1], Rules()))[0]
    )


@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_a_run_that_did_not_finish_fails(repeated, tmp_path, status):
    runs = [*reference_grid((0, 1, 2)), make_run(layers=3, status=status)]
    judgement = check(sweep_in(tmp_path / "a", runs), repeated[1], Rules())
    assert reasons(judgement) == [next(r for r in reasons(judgement) if status in r)]


def test_a_planned_run_without_a_record_fails(repeated, tmp_path):
    found = sweep_in(tmp_path / "a", reference_grid((0, 1, 2)), [make_run(layers=3)])
    assert "no record: not run" in reasons(check(found, repeated[1], Rules()))[0]


def test_a_time_that_is_not_known_fails_its_rule(repeated, tmp_path):
    runs = reference_grid((0, 1, 2))
    runs[0].values["time"] = None
    rules = Rules.model_validate({"ratios": {"time.train_s": 2}})
    judgement = check(sweep_in(tmp_path / "a", runs), repeated[1], rules)
    assert ["not known" in reason for reason in reasons(judgement)] == [True]


def test_a_floor_that_judges_nothing_fails(repeated):
    floor = {"rule": "test.accuracy >= 0.1", "where": "layers=9"}
    rules = Rules.model_validate({"floors": [floor]})
    assert "judged nothing" in reasons(check(collect(repeated[0]), repeated[1], rules))[0]


def test_a_metric_whose_noise_is_not_known_fails(tmp_path):
    baseline = build_baseline(sweep_in(tmp_path / "a", reference_grid()))
    rules = Rules.model_validate({"baseline": ["test.loss"]})
    judgement = check(collect(tmp_path / "a"), baseline, rules)
    assert len(judgement.failures) == 4
    assert "make one with seed=0,1,2" in reasons(judgement)[0]


def test_a_class_that_does_not_exist_fails(repeated):
    rules = Rules.model_validate({"baseline": ["test.f1.99"]})
    assert not check(collect(repeated[0]), repeated[1], rules).passed


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"kind": "mnist_sweep baseline"}', "\x00", "[" * 100_000,
     '{"kind": "other", "schema_version": 1, "dataset": {}, "configurations": []}'],
)  # fmt: skip
def test_a_damaged_baseline_is_refused_by_name(tmp_path, text):
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(DirectoryError, match=r"Expected a baseline at .*b\.json"):
        read_baseline(tmp_path / "b.json")


def damaged_baselines():
    def change(values, old, new):
        return json.loads(json.dumps(values).replace(old, new))

    return {
        "newer": lambda v: {**v, "schema_version": 2},
        "empty": lambda v: {**v, "configurations": []},
        "twice": lambda v: {**v, "configurations": v["configurations"] * 2},
        "text for a number": lambda v: change(
            v, '"test.accuracy": 0', '"test.accuracy": "0'[:-2] + 'true, "x": 0'
        ),
        "without runs": lambda v: {**v, "configurations": [{**v["configurations"][0], "runs": []}]},
    }


@pytest.mark.parametrize("kind", damaged_baselines())
def test_a_baseline_with_a_wrong_value_is_refused(repeated, tmp_path, kind):
    values = damaged_baselines()[kind](repeated[1].model_dump())
    (tmp_path / "b.json").write_text(json.dumps(values))
    with pytest.raises(DirectoryError, match=r"b\.json"):
        read_baseline(tmp_path / "b.json")


def test_a_nan_in_a_baseline_is_refused(repeated, tmp_path):
    text = json.dumps(repeated[1].model_dump()).replace('"seed": 0', '"seed": NaN', 1)
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(DirectoryError, match="NaN"):
        read_baseline(tmp_path / "b.json")


def test_no_baseline_is_made_of_half_a_sweep(tmp_path):
    found = sweep_in(tmp_path / "a", reference_grid(), [make_run(layers=3)])
    with pytest.raises(DirectoryError, match="whole sweep"):
        build_baseline(found)


# Rules.


def test_floors_hold_or_fail_with_the_value(repeated):
    floors = ["test.accuracy >= 0.96", {"rule": "test.accuracy >= 0.9", "where": "layers=2"}]
    rules = Rules.model_validate({"floors": floors, **NO_BASELINE_RULE})
    judgement = check(collect(repeated[0]), repeated[1], rules)
    assert [f.configuration for f in judgement.failures] == ["layers=2,nodes=300"]
    assert "test.accuracy is only 0.9" in reasons(judgement)[0]
    assert "the mean of 3 runs" in reasons(judgement)[0]
    assert sum("where layers=2" in finding.rule for finding in judgement.findings) == 2


def test_ratios_are_of_medians(repeated, tmp_path):
    runs = [make_run(layers=1, nodes=100, seed=s, train_s=t) for s, t in enumerate((1.0, 9.0, 1.0))]
    baseline = build_baseline(sweep_in(tmp_path / "a", runs))
    now = [make_run(layers=1, nodes=100, seed=s, train_s=1.4) for s in range(3)]
    found = sweep_in(tmp_path / "b", now)
    for most, passes in ((1.5, True), (1.3, False)):
        rules = Rules.model_validate({"ratios": {"time.train_s": most}, **NO_BASELINE_RULE})
        judgement = check(found, baseline, rules)
        assert judgement.passed is passes
        assert any("x 1.40" in finding.sentence for finding in judgement.findings)


def test_times_of_another_machine_are_noted(repeated, tmp_path):
    runs = reference_grid((0, 1, 2))
    for run in runs:
        run.values["environment"]["cpu"] = "a faster processor"
    rules = Rules.model_validate({"ratios": {"time.train_s": 1.5}})
    judgement = check(sweep_in(tmp_path / "a", runs), repeated[1], rules)
    assert any("a processor then, a faster processor now" in note for note in judgement.notes)


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
    import mnist_sweep.results.gate.rules as module

    example = "\n".join(line[4:] for line in module.__doc__.splitlines() if line.startswith("    "))
    (tmp_path / "rules.yaml").write_text(example)
    assert len(read_rules(tmp_path / "rules.yaml").floors) == 2
    (tmp_path / "rules.yaml").write_text("")
    assert read_rules(tmp_path / "rules.yaml") == Rules()


# Noise.


def test_the_images_noise_of_accuracy_is_the_binomials():
    matrix = np.diag([90] * 10) + np.roll(np.diag([10] * 10), 1, axis=1)
    expected = math.sqrt(0.9 * 0.1 / 1000)
    assert image_deviation(matrix.tolist(), "accuracy") == pytest.approx(expected, rel=0.1)


def test_a_run_without_a_mistake_still_varies():
    assert image_deviation(np.diag([100] * 10).tolist(), "accuracy") > 0


def test_equal_repeats_leave_the_worth_of_an_image():
    (noise,) = noise_of([[0.97, 0.97, 0.97]], [0.01], 1e-3)
    assert noise.deviation == 1e-3
    assert noise.source == "seeds"


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=5), min_size=1, max_size=5),
    st.floats(0.9, 0.999),
)
def test_a_noticeable_drop_is_larger_than_an_allowed_one(values, level):
    for own, noise in zip(values, noise_of(values, [0.01] * len(values), 1e-4), strict=True):
        repeats = (len(own), 1)
        assert 0 < noise.allowed(repeats, level) < noise.noticeable(repeats, level)
        assert noise.allowed((len(own), 4), level) < noise.allowed(repeats, level)


def test_a_spread_that_is_small_by_luck_is_not_believed():
    lucky, other = noise_of([[0.970, 0.9701], [0.960, 0.980]], [0.01] * 2, 1e-4)
    assert lucky.deviation == pytest.approx(0.01, rel=0.01), "both pooled: sqrt(0.0002 / 2)"
    assert other.deviation == pytest.approx(0.0002**0.5), "its own, which is larger"


def test_another_processors_rounding_passes():
    """Baselines whose seeds agree to the image: a rerun that loses one image on each passes."""

    def runs_of(right):
        run = BaselineRun(
            run_id="a",
            seed=0,
            values={"test.accuracy": right / 1000},
            confusion={"test": [[right, 1000 - right], [0, 0]]},
        )
        return [BaselineConfiguration(configuration_id="a", label="a", runs=[run] * 3)]

    assert all(outcome.passed for outcome in outcomes(runs_of(990), runs_of(989)))
    assert not all(outcome.passed for outcome in outcomes(runs_of(990), runs_of(980)))


def test_the_threshold_is_students():
    from scipy.stats import t

    noise = Noise(0.002, 2.0, "seeds")
    assert noise.allowed((3, 1), 0.95) == pytest.approx(t.ppf(0.95, 2) * 0.002 * math.sqrt(4 / 3))


@pytest.mark.parametrize(
    ("repeats", "spread"),
    [(3, [0.002] * 4), (3, [0.001, 0.001, 0.001, 0.004]), (2, [0.003] * 4), (1, [0.0] * 4)],
)
def test_200_reruns_that_differ_by_seed_alone_fail_at_most_5_percent(repeats, spread):
    rng = np.random.default_rng(3)
    failed = sum(
        not all(
            outcome.passed
            for outcome in outcomes(
                simulated(rng, ACCURACIES, spread, repeats),
                simulated(rng, ACCURACIES, spread, repeats),
            )
        )
        for _ in range(200)
    )
    assert failed <= 10


@pytest.mark.parametrize("repeats", [1, 3])
def test_a_drop_of_the_smallest_noticeable_size_is_caught_4_times_in_5(repeats):
    rng = np.random.default_rng(4)
    spread = [0.002 if repeats > 1 else 0.0] * 4
    caught = 0
    for _ in range(200):
        old = simulated(rng, ACCURACIES, spread, repeats)
        drop = outcomes(old, old)[3].noticeable
        lower = [*ACCURACIES[:3], ACCURACIES[3] - drop]
        caught += not outcomes(old, simulated(rng, lower, spread, repeats))[3].passed
    assert caught >= 160


def test_single_runs_are_judged_by_the_drawing_of_images(tmp_path):
    baseline = build_baseline(collect(write_run(make_run(), tmp_path / "a")))
    judgement = check(collect(write_run(make_run(seed=1), tmp_path / "b")), baseline, Rules())
    assert judgement.passed
    assert any("other test images" in finding.sentence for finding in judgement.findings)
