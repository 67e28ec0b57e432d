"""Which points a study's stages ask for, and what is found wrong before any of them is run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mnist_sweep.errors import SelectionError, SettingsError, UsageError
from mnist_sweep.sweeping.plan.points import Plan, Point, union
from mnist_sweep.sweeping.study import stage_points
from mnist_sweep.sweeping.study.stage_points import Points
from mnist_sweep.sweeping.study.stages import Stage, read_stages
from support.sweep_parts import info_of

GRID = {
    "name": "grid",
    "params": {"layers": "1,2", "nodes": "8,16"},
    "select": {"where": ["layers=2"]},
}
DROPOUT = {"name": "dropout", "of": "grid", "params": {"dropout": "0.1,0.2"}}
Make = Callable[..., Points]


@pytest.fixture
def study(hydra_master: Callable[..., Any]) -> Make:
    def make(*stages: dict[str, Any], asked: tuple[str, ...] = (), decide: bool = False) -> Points:
        plain = [text for text in asked if "," not in text and "range" not in text]
        loaded = hydra_master(*plain, *(["study.decide=true"] if decide else []))
        read = read_stages(stages or [GRID, DROPOUT])
        return Points(read, asked, loaded.master, loaded.loader, lambda _: info_of())

    return make


def seeds(points: list[Point]) -> list[int]:
    return sorted({point.settings["seed"] for point in points})


def sizes(points: list[Point]) -> set[tuple[int, int]]:
    return {(point.settings["layers"], point.settings["nodes"]) for point in points}


def chosen(points: Points, layers: int = 2, nodes: int = 16) -> Point:
    return next(
        point
        for point in points.first(points.stages[0]).points
        if (point.settings["layers"], point.settings["nodes"]) == (layers, nodes)
    )


def test_the_first_stage_is_its_grid(study: Make):
    points = study()
    plan = points.first(points.stages[0])
    assert sizes(plan.points) == {(1, 8), (1, 16), (2, 8), (2, 16)}
    assert seeds(plan.points) == [0, 1, 2]


def test_a_following_stage_runs_the_changed_and_the_unchanged_on_the_same_fresh_seeds(study: Make):
    points = study(asked=("study.repeats=3",))
    found = points.after(points.stages[1], chosen(points))
    control = [point for point in found.plan.points if point.run_id in found.control]
    changed = [point for point in found.plan.points if point.run_id not in found.control]
    assert seeds(points.first(points.stages[0]).points) == [0, 1, 2]
    assert seeds(control) == seeds(changed) == [3, 4, 5]
    assert sizes(found.plan.points) == {(2, 16)}
    assert {point.settings["dropout"] for point in control} == {0.0}
    assert sorted(found.changed.values(), key=str) == [{"dropout": 0.1}, {"dropout": 0.2}]
    assert {point.configuration_id for point in changed} == set(found.changed)
    assert {point.configuration_id for point in control} == {chosen(points).configuration_id}


def test_seeds_of_the_command_line_repeat_the_study(study: Make):
    points = study(asked=("seed=range(3,6)",))
    assert points.seeds == [3, 4, 5]
    assert points.seeds_of(points.stages[1]) == [6, 7, 8]
    one = study(asked=("seed=7", "study.repeats=2"))
    assert one.seeds == [7, 8]


def test_deciding_keeps_the_seeds_it_may_use_away_from_later_stages(study: Make):
    points = study(asked=("study.max_repeats=6",), decide=True)
    assert points.seeds == [0, 1]
    assert points.seeds_of(points.stages[1]) == [6, 7]


def test_a_stage_of_a_following_stage_gets_seeds_that_neither_has_used(study: Make):
    wider = {"name": "wider", "of": "dropout", "params": {"nodes": 64}}
    points = study(GRID, {**DROPOUT, "select": {}}, wider, asked=("study.repeats=2",))
    assert [points.seeds_of(stage) for stage in points.stages] == [[0, 1], [2, 3], [4, 5]]
    possible = points.possible()
    assert sizes(possible["wider"]) == {(2, 8), (2, 16), (2, 64)}


def test_a_key_that_a_stage_names_is_replaced_there_and_nowhere_else(study: Make):
    points = study(asked=("nodes=32,64", "dropout=0.5", "epochs=3"))
    first = points.first(points.stages[0])
    assert {nodes for _, nodes in sizes(first.points)} == {32, 64}
    assert {point.settings["dropout"] for point in first.points} == {0.0}
    found = points.after(points.stages[1], chosen(points, nodes=32))
    assert list(found.changed.values()) == [{"dropout": 0.5}]
    assert {point.settings["epochs"] for point in found.plan.points} == {3}


def test_a_swept_key_that_no_stage_names_widens_the_first_stage(study: Make):
    points = study(asked=("learning_rate=0.01,0.001",))
    first = points.first(points.stages[0])
    assert len(first.points) == 3 * 8
    base = next(point for point in first.points if point.settings["learning_rate"] == 0.01)
    found = points.after(points.stages[1], base)
    assert {point.settings["learning_rate"] for point in found.plan.points} == {0.01}


def test_a_change_that_changes_nothing_is_the_unchanged_configuration(study: Make):
    points = study(GRID, {**DROPOUT, "params": {"dropout": "0.0,0.2"}})
    found = points.after(points.stages[1], chosen(points))
    assert list(found.changed.values()) == [{"dropout": 0.2}]
    assert len(found.same) == 3
    assert len(found.plan.points) == 3 * 2


def test_one_more_repeat_differs_in_the_seed_alone(study: Make):
    points = study()
    base = chosen(points)
    (more,) = points.further(base, 9).points
    assert more.configuration_id == base.configuration_id
    assert more.run_id != base.run_id
    assert more.settings == {**base.settings, "seed": 9}


def test_candidates_are_what_the_conditions_on_settings_leave(study: Make):
    where = ["layers=2", "validation.accuracy>0.9", "status=finished", "dataset.name=mnist"]
    points = study({**GRID, "select": {"where": where}})
    assert sizes(points.candidates(points.stages[0], points.possible())) == {(2, 8), (2, 16)}


def test_data_are_prepared_once_for_all_stages(hydra_master: Callable[..., Any]):
    prepared = []

    def prepare(data: dict[str, Any]):
        prepared.append(data["name"])
        return info_of()

    loaded = hydra_master()
    stages: list[Stage] = read_stages([GRID, DROPOUT])
    Points(stages, (), loaded.master, loaded.loader, prepare).possible()
    assert prepared == ["auto"]


def test_a_union_holds_each_run_once(study: Make):
    points = study()
    plan = points.first(points.stages[0])
    both = union([plan, plan, points.after(points.stages[1], chosen(points)).plan])
    ids = [point.run_id for point in both.points]
    assert len(ids) == len(set(ids)) == 3 * 7


def test_a_union_keeps_what_is_noted_of_each():
    one = Plan(remarks=["a"], excluded={"x": 1, "y": 0}, duplicates=["l"], unused={"momentum"})
    both = union([one, Plan(remarks=["b", "a"], excluded={"y": 2}), one])
    assert both.remarks == ["a", "b"]
    assert both.excluded == {"x": 1, "y": 2}
    assert (both.duplicates, both.unused) == (["l"], {"momentum"})


@pytest.mark.parametrize(
    ("where", "told"),
    [
        (["layers=3"], "can match where layers=3: there is layers 1, 2"),
        (["layers=2", "nodes>16"], "there is layers 1, 2; nodes 8, 16"),
        (["layrs=2"], "did you mean layers?"),
        (["data=digits"], "dataset.name mnist"),
    ],
)
def test_a_selection_that_nothing_can_match_is_refused(study: Make, where: list[str], told: str):
    points = study({**GRID, "select": {"where": where}}, DROPOUT)
    with pytest.raises(SelectionError) as error:
        points.possible()
    assert str(error.value).startswith("Nothing was run: stage grid: ")
    assert told in str(error.value)


def test_a_class_that_the_data_do_not_have_is_refused(study: Make):
    points = study({**GRID, "select": {"by": "f1.12"}})
    with pytest.raises(SelectionError, match="classes are 0 to 9, got 12"):
        points.possible()


def test_a_change_that_would_be_wrong_for_what_may_be_selected_is_refused(study: Make):
    points = study(GRID, {**DROPOUT, "params": {"momentum": 0.9}})
    with pytest.raises(SettingsError, match=r"(?s)stage dropout.*momentum=0.9: has no effect"):
        points.possible()


def test_a_last_seed_that_is_out_of_range_is_found_before_anything_runs(study: Make):
    points = study(asked=("seed=4294967291",))
    with pytest.raises(SettingsError, match=r"(?s)stage dropout.*seed=4294967296"):
        points.possible()


def test_repeats_are_said_once(study: Make):
    with pytest.raises(UsageError, match="both say how many repeats"):
        study(asked=("seed=0,1", "study.repeats=2"))


def test_deciding_needs_room(study: Make):
    with pytest.raises(SettingsError, match="is more than"):
        study(asked=("study.min_repeats=5", "study.max_repeats=4"), decide=True)
    with pytest.raises(SettingsError, match=r"set study.max_repeats higher"):
        study(asked=("study.repeats=12",), decide=True)


def test_of_many_candidates_some_are_gone_through_and_none_is_ruled_out(
    study: Make, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stage_points, "CHECKED_CANDIDATES", 5)
    grid = {**GRID, "params": {"layers": "2", "nodes": "range(1,13)"}}
    late = {**DROPOUT, "select": {"where": ["nodes=12"]}}
    points = study(grid, late)
    possible = points.possible()
    assert len(possible["grid"]) == 12
    assert 3 <= len({nodes for _, nodes in sizes(possible["dropout"])}) <= 5
