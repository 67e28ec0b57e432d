"""sweep.json of a study: an invocation's points grow as later stages' become known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mnist_sweep.records.plan_file import Invocation
from mnist_sweep.sweeping.plan.commands import invocation_of
from mnist_sweep.sweeping.plan.directory import note_invocation, note_points
from mnist_sweep.sweeping.plan.points import Plan
from support.sweep_parts import ENVIRONMENT, plan_of, point_of

FIRST = [point_of(nodes=8), point_of(nodes=16)]
LATER = [*FIRST, point_of(nodes=16, dropout=0.2)]


def invocations(directory: Path) -> list[dict[str, Any]]:
    return json.loads((directory / "sweep.json").read_text(encoding="utf-8"))["invocations"]


def run_ids(invocation: dict[str, Any]) -> list[str]:
    return [point["run_id"] for point in invocation["points"]]


def begin(directory: Path, plan: Plan, *words: str) -> Invocation:
    invocation = invocation_of(plan, words, list(words), [], {}, ENVIRONMENT)
    note_invocation(directory, invocation)
    return invocation


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path


def test_later_points_are_added_to_the_invocation_that_asked_for_the_first(directory: Path):
    begun = begin(directory, plan_of(*FIRST), "a=1")
    note_points(directory, begun, plan_of(*LATER))
    (invocation,) = invocations(directory)
    assert run_ids(invocation) == [point.run_id for point in LATER]
    assert invocation["at"] == begun.at


def test_another_sweep_that_started_meanwhile_keeps_its_own(directory: Path):
    begun = begin(directory, plan_of(*FIRST), "a=1")
    begin(directory, plan_of(FIRST[0]), "a=1")
    note_points(directory, begun, plan_of(*LATER))
    study, other = invocations(directory)
    assert len(run_ids(study)) == 3
    assert run_ids(other) == [FIRST[0].run_id]


def test_points_are_noted_though_the_file_was_lost(directory: Path):
    begun = begin(directory, plan_of(*FIRST), "a=1")
    (directory / "sweep.json").unlink()
    note_points(directory, begun, plan_of(*LATER))
    (invocation,) = invocations(directory)
    assert len(run_ids(invocation)) == 3
