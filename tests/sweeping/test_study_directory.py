"""sweep.json of a study: an invocation's points grow as later stages' become known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mnist_sweep.sweeping.plan.directory import note_invocation, note_points
from mnist_sweep.sweeping.plan.points import Plan
from support.sweep_parts import ENVIRONMENT, plan_of, point_of

FIRST = [point_of(nodes=8), point_of(nodes=16)]
LATER = [*FIRST, point_of(nodes=16, dropout=0.2)]


def invocations(directory: Path) -> list[dict[str, Any]]:
    return json.loads((directory / "sweep.json").read_text(encoding="utf-8"))["invocations"]


def run_ids(invocation: dict[str, Any]) -> list[str]:
    return [point["run_id"] for point in invocation["points"]]


def begin(directory: Path, plan: Plan, *words: str) -> None:
    note_invocation(directory, plan, list(words), [], ENVIRONMENT)


def grow(directory: Path, plan: Plan, *words: str) -> None:
    note_points(directory, plan, list(words), [], ENVIRONMENT)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path


def test_later_points_are_added_to_the_invocation_that_asked_for_the_first(directory: Path):
    begin(directory, plan_of(*FIRST), "a=1")
    at = invocations(directory)[0]["at"]
    grow(directory, plan_of(*LATER), "a=1")
    (invocation,) = invocations(directory)
    assert run_ids(invocation) == [point.run_id for point in LATER]
    assert invocation["at"] == at


def test_another_sweep_that_started_meanwhile_keeps_its_own(directory: Path):
    begin(directory, plan_of(*FIRST), "a=1")
    begin(directory, plan_of(FIRST[0]), "b=2")
    grow(directory, plan_of(*LATER), "a=1")
    study, other = invocations(directory)
    assert len(run_ids(study)) == 3
    assert run_ids(other) == [FIRST[0].run_id]


def test_of_two_equal_invocations_the_last_one_grows(directory: Path):
    begin(directory, plan_of(*LATER), "a=1")
    begin(directory, plan_of(*FIRST), "a=1")
    grow(directory, plan_of(*LATER), "a=1")
    assert [len(run_ids(one)) for one in invocations(directory)] == [3, 3]


def test_points_are_noted_though_the_file_was_lost(directory: Path):
    begin(directory, plan_of(*FIRST), "a=1")
    (directory / "sweep.json").unlink()
    grow(directory, plan_of(*LATER), "a=1")
    (invocation,) = invocations(directory)
    assert len(run_ids(invocation)) == 3
