"""Sweeps that are no product: sets of points, exclusions, and settings without effect."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mnist_sweep.errors import MnistSweepError
from mnist_sweep.sweeping import app
from mnist_sweep.sweeping.plan import sets
from mnist_sweep.sweeping.plan.estimate import Preview
from mnist_sweep.sweeping.plan.points import Plan

Planned = Callable[..., Plan]


@pytest.fixture
def planned(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Planned:
    from mnist_sweep.sweeping.launch import processes

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(processes, "start_fork_server", lambda *_: None)

    def plan(*words: str) -> Plan:
        found = app.run(["-m", *words, "data=digits", "plan=true"])
        assert isinstance(found, Preview)
        return found.plan

    return plan


def labels(plan: Plan) -> list[str]:
    return [point.label.removesuffix(",seed=0") for point in plan.points]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("points=[[a=1,b=2],[a=3]]", "points=[['a=1','b=2'],['a=3']]"),
        ("points=[[a=1,2,b=range(0,3)],[a=[1,2]]]",
         "points=[['a=1,2','b=range(0,3)'],['a=[1,2]']]"),
        ("points=[a=1 b=2,a=3]", "points=['a=1 b=2','a=3']"),
        ("points=[[x=it's]]", "points=[['x=it\\'s']]"),
        ("points=[{a: 1}]", "points=[{a: 1}]"),
        ("points=['a=1']", "points=['a=1']"),
        ("points=null", "points=null"),
        ("exclude=[a=1,b>2]", "exclude=['a=1','b>2']"),
        ("exclude=[[a=1,b!=2],[c<=3]]", "exclude=[['a=1','b!=2'],['c<=3']]"),
        ("layers=[1,2]", "layers=[1,2]"),
    ],
)  # fmt: skip
def test_words_in_brackets_are_quoted_for_hydra(written: str, read: str):
    assert sets.for_hydra(written) == read


def test_a_set_is_a_list_a_text_or_a_mapping():
    given = [["a=1", "b=2,3"], "a=1 'b=x y'", {"a": 1, "b": [2, 3], "c": None}]
    assert [sets.words_of(one) for one in given] == [
        ["a=1", "b=2,3"], ["a=1", "b=x y"], ["a=1", "b=2,3", "c=null"],
    ]  # fmt: skip
    assert list(sets.exclusions_of(["layers=1", "nodes>2"])) == ["[layers=1,nodes>2]"]
    assert len(sets.exclusions_of([["layers=1"], ["nodes>2"]])) == 2
    assert len(sets.exclusions_of(["layers=1 nodes>2", "nodes=3"])) == 2
    (own,) = sets.exclusions_of(["task.kernel=linear", "task.gamma<1"]).values()
    assert [one.key for one in own] == ["task.kernel", "task.gamma"]


def test_points_are_grids_one_after_another(planned: Planned):
    assert labels(planned("points=[[layers=1,nodes=10],[layers=2,nodes=20,30]]")) == [
        "layers=1,nodes=10", "layers=2,nodes=20", "layers=2,nodes=30",
    ]  # fmt: skip
    mappings = "points=[{layers:1,nodes:10},{layers:2,nodes:[20,30]}]"
    assert labels(planned(mappings, "dropout=0.5")) == [
        "layers=1,nodes=10,dropout=0.5", "layers=2,nodes=20,dropout=0.5",
        "layers=2,nodes=30,dropout=0.5",
    ]  # fmt: skip


def test_excluded_points_are_not_run_and_counted(planned: Planned):
    grid = ("layers=1,2,3", "nodes=8,16")
    plan = planned(*grid, "exclude=[layers=1,nodes=16]")
    assert len(plan.points) == 5
    assert plan.notes() == ["1 point was left out by exclude=[layers=1,nodes=16]."]
    # A condition on what a network does not have is not met.
    assert planned("layers=1,2", "exclude=[[layers=7],[model.filters=3]]").notes() == [
        "No point matches exclude=[layers=7].",
        "No point matches exclude=[model.filters=3].",
    ]
    study = ("+experiment=study", "dropout=0.1,0.2", "exclude=[[dropout=0.2],[layers=7]]")
    assert planned(*study).notes() == ["No point matches exclude=[layers=7]."]
    plan = planned(*grid, "exclude=[[layers>2],[layers=1,nodes=16]]")
    assert labels(plan) == ["layers=1,nodes=8", "layers=2,nodes=8", "layers=2,nodes=16"]
    assert plan.excluded == {"[layers=1,nodes=16]": 1, "[layers>2]": 2}
    # What cannot be run need not be, where it is excluded.
    assert len(planned("schedule=linear,exponential", "schedule_end=0,0.5",
                       "exclude=[schedule=exponential,schedule_end=0]").points) == 3  # fmt: skip
    # A condition speaks of what was asked for, with an effect or without.
    plan = planned("optimizer=adam,sgd", "momentum=0,0.9", "exclude=[optimizer=adam,momentum=0.9]")
    assert (len(plan.points), plan.duplicates) == (3, [])


def test_settings_without_effect_make_no_further_points(planned: Planned):
    plan = planned("optimizer=adam,sgd", "momentum=0.9,0", "nodes=8")
    assert labels(plan) == [
        "layers=1,nodes=8", "layers=1,nodes=8,optimizer=sgd,momentum=0.9",
        "layers=1,nodes=8,optimizer=sgd",
    ]  # fmt: skip
    assert [point.settings["momentum"] for point in plan.points] == [0.0, 0.9, 0.0]
    assert plan.notes() == [
        ("1 point was left out as duplicates (momentum: no effect there): layers=1,nodes=8,seed=0.")
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["optimizer=adam", "momentum=0.9"], "momentum=0.9: has no effect here"),
        (["schedule_end=0.5"], "it needs schedule="),
        (["points=[[optimizer=adam,momentum=0.9],[optimizer=sgd]]"], "momentum=0.9: has no effect"),
        (["points=[[layers=1],[layers=2]]", "layers=3"], "layers: given in points and on its own"),
        (["points=[[layrs=1]]"], "did you mean layers"),
        (["points=[3]"], "Cannot read '3'"),
        (["points=[[n_jobs=1],[layers=2]]"], "n_jobs: one value for the whole sweep"),
        (["exclude=[layrs=1]"], "did you mean layers"),
        (["exclude=[layers]"], "Expected a condition"),
        (["exclude=[layers>0]"], "leaves no point"),
        (["points=[[layers=1,layers=2]]"], "layers=1 has no effect"),
        (["layers=${nosuch}"], r"settings of layers=\${nosuch} data=digits.*'nosuch' not found"),
    ],
)
def test_what_would_be_ignored_is_refused(planned: Planned, words: list[str], message: str):
    with pytest.raises(MnistSweepError, match=message):
        planned(*words)


def test_several_points_are_no_single_run(planned: Planned):
    with pytest.raises(MnistSweepError, match="add -m"):
        app.run(["points=[[layers=1],[layers=2]]", "data=digits", "plan=true"])


def test_a_word_that_a_later_one_replaces_is_said_to_have_no_effect(planned: Planned):
    plan = planned("layers=1,2", "layers=3", "model=mlp")
    assert labels(plan) == ["layers=3,nodes=100"]
    assert plan.notes() == ["layers=1,2 has no effect: it is replaced by a later layers=3."]
