"""The stages of a study: what their config may say, and what is refused before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from mnist_sweep.errors import SettingsError
from mnist_sweep.sweeping.study.stages import Stage, depth, read_stages, undecidable

GRID = {"name": "grid", "params": {"layers": "1,2"}, "select": {"where": ["layers=2"]}}
DROPOUT = {"name": "dropout", "of": "grid", "params": {"dropout": 0.2}}


def test_a_stage_says_what_it_runs_and_what_it_selects():
    grid, dropout = read_stages([GRID, DROPOUT])
    assert grid.overrides == ["layers=1,2"]
    assert dropout == Stage("dropout", "grid", {"dropout": "0.2"}, None)
    choice = grid.select
    assert choice is not None
    assert choice.where == ("layers=2",)
    assert choice.among == ("grid",)


def test_a_selection_is_of_the_worst_by_the_objective_unless_it_says_otherwise():
    (stage,) = read_stages([{"name": "grid", "select": {}}])
    assert stage.select is not None
    assert (stage.select.by, stage.select.direction) == ("validation.accuracy", "worst")
    assert stage.select.split == "validation"


@pytest.mark.parametrize(
    ("value", "written"),
    [("1,2", "1,2"), ([1, 2], "1,2"), (0.2, "0.2"), (True, "true"), (None, "null"),
     ({"patience": 3}, "{patience:3}")],
)  # fmt: skip
def test_a_value_is_written_as_on_the_command_line(value: Any, written: str):
    (stage,) = read_stages([{"name": "grid", "params": {"key": value}}])
    assert stage.params == {"key": written}


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        ([7], "stage 1 of the study: must be a mapping"),
        ([{}], "stage 1 of the study: name=None"),
        ([{"name": "a b"}], "must be a word"),
        ([GRID, {**DROPOUT, "name": "grid"}], "one of that name already"),
        ([DROPOUT, GRID], "of=grid: must be the name of an earlier stage; it is the first"),
        ([GRID, {**DROPOUT, "of": "gird"}], "earlier are grid"),
        ([GRID, {**DROPOUT, "of": "dropout"}], "it cannot start from itself"),
        ([{**GRID, "select": None}, DROPOUT], "selects nothing; give it a select"),
        ([GRID, {"name": "b", "of": "grid"}], "changes nothing"),
        ([{"name": "a", "parms": {}}], "did you mean params?"),
        ([{"name": "a", "params": 3}], "must be a mapping of settings"),
        ([{"name": "a", "params": {"seed": "0,1"}}], "set study.repeats"),
        ([{"name": "a", "params": {"study.repeats": 3}}], "belongs to the whole study"),
        ([{"name": "a", "params": {"hydra.verbose": True}}], "belongs to the whole study"),
        ([{"name": "a", "select": "worst"}], "must be a mapping of where"),
        ([{"name": "a", "select": {"wher": []}}], "did you mean where?"),
        ([{"name": "a", "select": {"by": "f1_mim"}}], "did you mean f1_min?"),
        ([{"name": "a", "select": {"split": "train"}}], "No split 'train'"),
        ([{"name": "a", "select": {"direction": "worse"}}], "must be worst or best"),
        ([{"name": "a", "select": {"where": "layers"}}], "Expected a condition KEY=VALUE"),
        ([{"name": "a", "select": {"among": ["b"]}}], "select.among=b: must be the name of an e"),
    ],
)
def test_a_bad_stage_is_refused_with_what_is_wrong_and_what_would_be_right(
    stages: list[Any], told: str
):
    with pytest.raises(SettingsError) as error:
        read_stages(stages)
    assert told in str(error.value)
    assert "--where" not in str(error.value)


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(SettingsError, match="3 settings are wrong"):
        read_stages([{"name": "a", "x": 1, "select": {"by": "y"}}, 7])


def test_depth_counts_the_selections_that_lie_before_a_stage():
    first, second = GRID, {**DROPOUT, "select": {"among": ["grid", "dropout"]}}
    third = {"name": "wider", "of": "dropout", "params": {"nodes": 64}}
    sibling = {"name": "slower", "of": "grid", "params": {"learning_rate": 0.01}}
    stages = read_stages([first, second, third, sibling])
    assert [depth(stage, stages) for stage in stages] == [0, 1, 2, 1]


@pytest.mark.parametrize("by", ["f1_min", "accuracy", "f1.8", "test.recall"])
def test_deciding_needs_a_metric_made_of_predictions(by: str):
    (stage,) = read_stages([{"name": "a", "select": {"by": by}}])
    assert undecidable(stage) == []


@pytest.mark.parametrize("by", ["loss", "time.train_s", "train.accuracy", "parameters"])
def test_a_metric_of_another_kind_cannot_be_decided_by_further_seeds(by: str):
    (stage,) = read_stages([{"name": "a", "select": {"by": by}}])
    (problem,) = undecidable(stage)
    assert "study.decide needs a metric that is made of predictions" in problem
