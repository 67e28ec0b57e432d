"""Intervals and selections are read where nothing they depend on has changed, else computed."""

import json
import shutil

import pytest

from mnist_sweep.analysis import uncertainty
from mnist_sweep.analysis.uncertainty import select_with_uncertainty
from mnist_sweep.records import computed
from mnist_sweep.records.computed import Computed
from mnist_sweep.records.paths import RunPaths, SweepPaths
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting.tables import intervals
from mnist_sweep.reporting.tables.render import render
from mnist_sweep.reporting.tables.tables import comparison
from support.factories import make_run, write_sweep

RUNS = [
    make_run(nodes=nodes, seed=seed, accuracy=0.8 + nodes / 1000, n_test=200, n_validation=100)
    for nodes in (10, 30)
    for seed in (0, 1)
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    directory = write_sweep(tmp_path_factory.mktemp("sweeps") / "grid", RUNS)
    ask(directory)
    return directory


@pytest.fixture
def grid(made, tmp_path):
    return shutil.copytree(made, tmp_path / "grid")


@pytest.fixture
def resampled(monkeypatch):
    """How often predictions are resampled."""
    calls = []
    for module in (intervals, uncertainty):
        original = module.resample_predictions

        def counted(*args, _original=original, **options):
            calls.append(args)
            return _original(*args, **options)

        monkeypatch.setattr(module, "resample_predictions", counted)
    return calls


def ask(directory, level=0.95, **options):
    sweep = load(directory, **options)
    tables = render(comparison([sweep], level=level), "json")
    return tables, select_with_uncertainty(sweep, level=level).to_json()


def test_the_same_question_is_answered_without_resampling_and_alike(grid, resampled):
    first = ask(grid)
    assert not resampled
    SweepPaths(grid).computed.unlink()
    assert ask(grid) == first
    assert resampled


def test_a_moved_sweep_keeps_its_answers(grid, resampled, monkeypatch):
    moved = grid.rename(grid.with_name("moved"))
    monkeypatch.chdir(moved.parent)
    ask("moved")
    assert not resampled


def damage(grid):
    path = SweepPaths(grid).computed
    kept = json.loads(path.read_text())
    for value in kept.values():
        value[0] = json.loads(json.dumps(value[0]).replace("0.9", "0.8"))
    path.write_text(json.dumps(kept))


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', "[" * 100_000])
def test_a_file_that_is_none_of_ours_counts_as_none(grid, resampled, text):
    first = ask(grid)
    SweepPaths(grid).computed.write_text(text)
    assert ask(grid) == first
    assert resampled


def test_a_damaged_answer_is_computed_again(grid, resampled):
    first = ask(grid)
    damage(grid)
    assert ask(grid) == first
    assert resampled


def test_another_level_or_other_code_is_another_question(grid, resampled, monkeypatch):
    ask(grid, level=0.9)
    assert resampled
    resampled.clear()
    ask(grid, level=0.9)
    assert not resampled
    monkeypatch.setattr(computed, "_IMPORTED", "other")
    ask(grid)
    assert resampled


def test_other_predictions_are_another_question(grid):
    sweep = load(grid)
    directories = [path.parent for path in sorted(grid.glob("runs/*/predictions.npz"))]
    Computed(sweep, "question", directories).keep("answer")
    assert Computed(sweep, "question", directories).answer == "answer"
    assert Computed(sweep, "question", directories[::-1]).answer is None
    assert Computed(sweep, "another", directories).answer is None
    path = RunPaths(directories[0]).predictions
    path.write_bytes(path.read_bytes() + b" ")
    assert Computed(sweep, "question", directories).answer is None


def test_a_question_without_a_key_has_no_answer(grid):
    known = {"": [1, computed._sha256(b"1")]}
    SweepPaths(grid).computed.write_text(json.dumps(known))
    assert Computed(load(grid), "question", [grid / "without predictions"]).answer is None


def test_nothing_is_kept_where_nothing_may_be_written(grid):
    path = SweepPaths(grid).computed
    path.unlink()
    ask(grid, memory=[])
    assert not path.exists()


def test_few_answers_are_kept(grid, monkeypatch):
    monkeypatch.setattr(computed, "_MAX_KEPT", 3)
    for level in (0.8, 0.85, 0.9):
        ask(grid, level=level)
    assert len(json.loads(SweepPaths(grid).computed.read_text())) == 3


def test_all_code_that_makes_the_numbers_counts():
    found = {path.stem for one in computed._CODE for path in computed._PACKAGE.glob(one)}
    assert found >= {"bootstrap", "variance", "estimates", "comparisons", "metrics", "intervals"}


def test_code_that_is_changed_later_is_another_question_in_the_next_process(
    grid, resampled, monkeypatch
):
    before = computed._code()
    monkeypatch.setattr(computed, "_CODE", ("metrics.py",))  # as if files had changed meanwhile
    assert computed._code() != before
    ask(grid)
    assert not resampled


def test_another_number_of_bootstrap_samples_is_another_question(grid, resampled, monkeypatch):
    monkeypatch.setattr(intervals, "DEFAULT_REPLICATES", 150)
    ask(grid)
    assert resampled
