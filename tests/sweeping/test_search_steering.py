"""A search over simulated runs: what it asks for, what it stops, and how it goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from mnist_sweep.records.plan_file import Invocation
from mnist_sweep.settings import SearchSettings
from mnist_sweep.sweeping.plan.directory import note_points
from mnist_sweep.sweeping.plan.points import Plan
from mnist_sweep.sweeping.search.sampler import PrunerAdapter, Trial, reason, suggest
from support.factories import DATA_SHA256
from support.search_simulation import Searched
from support.sweep_parts import info_of

pytest.importorskip("optuna", reason="a search needs Optuna: pip install 'mnist-sweep[optuna]'")

SPACE = [
    "layers=range(1,4)", "nodes=range(50,400,50)", "dropout=interval(0,0.5)",
    "learning_rate=tag(log,interval(1e-4,1e-1))", "epochs=8",
]  # fmt: skip


@pytest.fixture
def searched(hydra_master, tmp_path: Path) -> Callable[..., Searched]:
    def make(name: str, *settings: str, words: list[str] = SPACE, **more) -> Searched:
        return Searched(tmp_path / name, words, hydra_master(*settings), **more)

    return make


@pytest.mark.slow
@pytest.mark.parametrize("pruner", ["none", "median", "halving", "hyperband"])
def test_an_interrupted_search_goes_on_as_if_it_had_not_been(searched, pruner: str):
    words = ["search.runs=16", f"search.pruner={pruner}"]
    whole = searched("whole", *words).go()
    assert len(set(whole.order)) == 16
    for after in (1, 13):
        part = searched(f"part{after}", *words).go(at_most=after)
        rest = searched(f"part{after}", *words).go()
        # The run that was under way is run again, and it comes first.
        assert part.order[:after] + rest.order == whole.order
        assert sorted(rest.statuses()) == sorted(whole.statuses())


@pytest.mark.slow
@pytest.mark.parametrize(("pruner", "seed"), [("median", 6), ("halving", 1)])
def test_an_interrupted_search_over_epochs_stops_the_same_runs(searched, pruner: str, seed: int):
    # Judged after epoch 4, which for half of the runs is the last: nobody asks then. With these
    # seeds other runs would be stopped if those counted.
    words = ["search.runs=24", "search.sampler=random", "search.min_epochs=4"]
    words += [f"search.pruner={pruner}", f"search.seed={seed}"]
    space = [*SPACE[:-1], "epochs=choice(4,9)"]
    whole = searched("whole", *words, words=space).go()
    ended = dict(zip(whole.order, whole.statuses(), strict=True))
    assert set(ended.values()) == {"finished", "pruned"}
    for after in (6, 12):
        part = searched(f"part{after}", *words, words=space).go(at_most=after)
        rest = searched(f"part{after}", *words, words=space).go()
        assert part.order[:after] + rest.order == whole.order
        again = [known.record for known in rest._known()]
        assert {record.label: record.status for record in again} == ended


@pytest.mark.slow
def test_a_search_asked_for_more_keeps_what_it_has(searched):
    first = searched("more", "search.runs=6").go()
    more = searched("more", "search.runs=10").go()
    assert first.order + more.order == searched("at_once", "search.runs=10").go().order
    assert searched("more", "search.runs=10").go().order == []


def test_another_seed_asks_for_other_points(searched):
    orders = [searched(f"s{s}", "search.runs=5", f"search.seed={s}").go().order for s in (0, 1)]
    assert not set(orders[0]) & set(orders[1])


def test_at_random_the_points_do_not_depend_on_the_workers(searched):
    words = ("search.runs=12", "search.sampler=random")
    one = searched("one", *words).go()
    three = searched("three", *words).go(workers=3)
    assert set(one.order) == set(three.order)


def test_several_workers_end_with_as_many_runs(searched):
    found = searched("several", "search.runs=20", "search.pruner=median").go(workers=4)
    assert len(found.order) == len(set(found.order)) == 20
    assert set(found.statuses()) == {"finished", "pruned"}


def test_all_that_was_under_way_is_run_first(searched):
    words = ("search.runs=12", "search.pruner=median")
    before = searched("killed", *words).go(at_most=5, workers=3)
    begun = len(before.order) - 5
    assert before.statuses().count("begun") == begun > 0
    rest = searched("killed", *words).go(workers=3)
    assert set(rest.order[:begun]) <= set(before.order)
    assert len(set(before.order) | set(rest.order)) == 12
    assert "begun" not in rest.statuses()


@pytest.mark.slow
def test_a_search_finds_better_than_chance(searched):
    ways = {"tpe": [], "random": []}
    for sampler, ends in ways.items():
        for seed in range(2):
            words = (f"search.sampler={sampler}", f"search.seed={seed}", "search.runs=25")
            ends.append(searched(f"{sampler}{seed}", *words).go().best)
    assert fmean(ways["tpe"]) > fmean(ways["random"])


@pytest.mark.slow
def test_pruning_spends_fewer_epochs_on_as_many_runs(searched):
    spent = {}
    for pruner in ("none", "median", "halving", "hyperband"):
        words = ("search.runs=16", "search.sampler=random", f"search.pruner={pruner}")
        found = searched(pruner, *words).go()
        spent[pruner] = found.epochs
        # The curves never cross, so the best at the end is the best all along.
        assert found.best == pytest.approx(searched("none", *words).best)
    assert spent["none"] == 16 * 8
    assert spent["median"] < 0.8 * spent["none"]
    assert spent["halving"] < 0.6 * spent["none"]
    assert spent["hyperband"] < spent["none"]


@pytest.mark.slow
def test_a_search_for_the_worst_stops_the_good(searched):
    words = ("search.runs=16", "search.direction=worst", "search.pruner=median")
    worst = searched("worst", *words).go()
    best = searched("best", "search.runs=16", "search.pruner=median").go()
    assert worst.worst < best.worst


def test_no_run_is_stopped_before_min_epochs(searched):
    words = ("search.pruner=halving", "search.min_epochs=4", "search.runs=12")
    searched("late", *words).go()
    runs = [p.read_text() for p in (searched("late").directory / "runs").glob("*/record.json")]
    pruned = [text for text in runs if '"status": "pruned"' in text]
    assert pruned
    assert not any(f"stopped after epoch {n} " in text for text in pruned for n in (1, 2, 3))


@pytest.mark.slow
def test_a_grid_is_carried_out_once_each_and_halving_leaves_the_best(searched):
    grid = ["layers=1,2,3", "nodes=range(50,400,50)", "learning_rate=0.002,0.0001", "epochs=9"]
    whole = searched("grid", "search.sampler=grid", words=grid).go()
    assert len(set(whole.order)) == len(whole.order) == 42
    halved = searched("half", "search.sampler=grid", "search.pruner=halving", words=grid).go()
    assert set(halved.order) == set(whole.order)
    assert halved.order != whole.order  # shuffled, lest the smallest networks set the standard
    assert halved.epochs < 0.6 * whole.epochs
    assert halved.best == whole.best


def test_a_search_with_pruning_off_runs_pruned_points_to_their_end(searched):
    pruned = searched("again", "search.runs=12", "search.pruner=median").go()
    stopped = pruned.statuses().count("pruned")
    assert stopped
    again = searched("again", "search.runs=12").go()
    assert len(again.order) == stopped
    assert again.statuses() == ["finished"] * 12


def test_failed_runs_teach_nothing_and_are_tried_again(searched):
    words = ("search.runs=10",)
    failing = searched("fails", *words, fails=lambda s: s["layers"] == 2).go()
    assert len(failing.order) == 10
    failed = failing.statuses().count("failed")
    assert failed
    again = searched("fails", *words).go()
    assert len(again.order) == failed
    assert again.statuses() == ["finished"] * 10
    kept = searched("kept", *words, fails=lambda s: s["layers"] == 2).go()
    assert searched("kept", *words, "rerun_failed=false").go().order == []
    assert kept.statuses().count("failed") == failed


def test_a_space_that_is_used_up_ends_the_search(searched):
    found = searched("small", "search.runs=30", words=["layers=1,2", "nodes=range(1,4)"])
    found.words += ["learning_rate=0.001", "dropout=0.1", "epochs=2"]
    found.go()
    assert len(found.order) == len(set(found.order)) == 6
    assert found.search is not None
    assert "The space is used up: 6 runs" in found.search.notices()[0]


def test_a_grid_of_which_much_is_there_goes_on_with_the_rest(searched):
    grid = ["layers=1,2,3", "nodes=range(10,730,10)", "learning_rate=0.001", "dropout=0.1"]
    there = searched("long", "search.sampler=grid", words=[*grid, "epochs=1"])
    space = there.start()._space
    points = list(space.points())
    first = [space.point(one, info_of(sha256=DATA_SHA256)) for one in points[:205]]
    (there.directory / "runs").mkdir(parents=True)
    note_points(there.directory, Invocation(), Plan(points=first))
    rest = searched("long", "search.sampler=grid", words=[*grid, "epochs=1"]).start()
    asked = {job.label for job in iter(rest.next, None)}
    assert len(asked) == len(points) == 216


def test_of_two_searches_in_a_directory_one_tries_a_failed_run_again(searched):
    def fails(settings: dict[str, Any]) -> bool:
        return bool(settings["layers"] == 2)

    words = ("search.runs=10", "search.sampler=random")
    failed = searched("two", *words, fails=fails).go().statuses().count("failed")
    assert failed
    one, other = (searched("two", *words, fails=fails) for _ in range(2))
    one.start()
    other.start()
    assert len(one.go().order) == failed
    assert other.go().order == []
    # One that is started afterwards tries them once more.
    assert len(searched("two", *words).go().order) == failed


def test_points_that_do_not_fit_together_are_left_out_and_told(searched):
    words = [*SPACE, "schedule=exponential,linear", "schedule_end=0,0.5"]
    found = searched("misfit", "search.runs=12", words=words).go()
    assert len(found.order) == 12
    assert not any("schedule=exponential,schedule_end=0," in label for label in found.order)
    assert found.search is not None
    assert "left out: schedule_end=0: must be above 0" in found.search.notices()[0]


def test_runs_of_a_grid_in_the_same_directory_count(searched):
    grid = searched("shared", "search.sampler=grid", words=[
        "layers=1,2", "nodes=100,150", "dropout=0.1,0.9", "learning_rate=0.002", "epochs=8",
    ]).go()  # fmt: skip
    assert len(grid.order) == 8
    search = searched("shared", "search.runs=10")
    assert search.start().left == 6  # dropout=0.9 lies outside the space


def test_a_suggestion_needs_no_memory_but_what_was_tried(searched):
    space = searched("pure").start()._space
    settings = SearchSettings(n_startup=2)
    tried = [
        Trial(suggest(space, [], settings, maximize=True, attempt=n), "finished", n / 10, (0.1,))
        for n in range(4)
    ]
    once = suggest(space, tried, settings, maximize=True)
    assert once == suggest(space, list(tried), settings, maximize=True)
    assert once != suggest(space, tried, settings, maximize=False)
    assert once != suggest(space, tried[:3], settings, maximize=True)


def test_the_median_is_the_median_of_whole_runs():
    settings = SearchSettings(pruner="median", min_runs=3, min_epochs=2)
    judge = PrunerAdapter(settings, maximize=True, epochs=4)
    for number, end in enumerate((0.6, 0.8, 0.9)):
        judge.replay(f"r{number}", Trial((), "finished", end, (0.1, end, end)), 3)
    judge.replay("pruned", Trial((), "pruned", None, (0.1, 0.99)), 3)
    for name, figure, stops in (("low", 0.79, True), ("high", 0.81, False)):
        judge.begin(name)
        assert not judge.stops(name, 1, 0.0)
        assert judge.stops(name, 2, figure) is stops
        # A run whose process died tells the same epochs again.
        assert judge.stops(name, 2, figure) is stops


@pytest.mark.parametrize(
    ("direction", "behind", "among"),
    [("best", "is behind", "best"), ("worst", "is ahead", "worst")],
)
def test_the_reason_says_what_was_looked_for(direction: str, behind: str, among: str):
    said = {
        pruner: reason(SearchSettings(pruner=pruner, direction=direction), "loss 2")
        for pruner in ("median", "halving", "hyperband")
    }
    assert said["median"].startswith(f"loss 2 {behind}")
    assert said["halving"].startswith(f"loss 2 is not among the {among} 1 in 3")
    assert said["hyperband"].startswith(f"loss 2 is not among the {among} 1 in 3")


def test_a_point_drawn_at_random_depends_on_how_many_were_tried_alone(searched):
    space = searched("chance").start()._space
    settings = SearchSettings(sampler="random")
    points = [suggest(space, [], settings, maximize=True, attempt=n) for n in range(4)]
    good, poor = (Trial(points[0], "finished", 0.9), Trial(points[1], "finished", 0.1))
    once = suggest(space, [good, poor], settings, maximize=True)
    assert once == suggest(space, [poor, Trial(points[2])], settings, maximize=True)
    assert once != suggest(space, [poor], settings, maximize=True)


def test_what_diverges_is_a_poor_choice(searched):
    space = searched("poor").start()._space
    settings = SearchSettings(n_startup=1)
    points = [
        suggest(space, [], SearchSettings(sampler="random"), maximize=True, attempt=n)
        for n in range(30)
    ]
    rate = [d.key for d in space.dimensions].index("learning_rate")
    tried = [
        Trial(p, "diverged", None, (0.1, None)) if p[rate] > 0.01 else Trial(p, "finished", 0.9)
        for p in points
    ]
    assert any(one.status == "diverged" for one in tried)
    asked = [
        suggest(space, [*tried, *[tried[0]] * n], settings, maximize=True)[rate] for n in range(8)
    ]
    assert sum(value > 0.01 for value in asked) <= 2
