"""`resume` completes all commands of a directory and shows them as one sweep."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mnist_sweep.cli import sweep as cli
from mnist_sweep.cli.sweep import resume
from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.sweeping import app
from mnist_sweep.sweeping.context import SweepContext
from mnist_sweep.sweeping.plan import commands, directory
from mnist_sweep.sweeping.plan.estimate import Preview
from mnist_sweep.sweeping.result import SweepResult
from support.sweep_parts import ENVIRONMENT, plan_of, point_of


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A directory with two commands; what is run is noted, and nothing is."""
    ran: list[tuple[str, ...]] = []
    shown: list[SweepResult] = []
    for layers in (1, 2):
        plan, words = plan_of(point_of(layers=layers)), ("-m", f"layers={layers}")
        invocation = commands.invocation_of(plan, words, list(words), [], {}, ENVIRONMENT)
        directory.note_invocation(tmp_path, invocation)

    def run(words: tuple[str, ...], _context: SweepContext, repeats: Any) -> Any:
        ran.append(tuple(word for word in words[1:] if "hydra.sweep.dir" not in word))
        if "layers=99" in words:
            raise SettingsError("layers=99")
        number = int(words[1].removeprefix("layers="))
        plan = plan_of(point_of(layers=number))
        if "plan=true" in words:
            return Preview(directory=tmp_path, plan=plan)
        assert repeats.words[1] == words[1]
        return SweepResult(tmp_path, plan, notices=["the same"], wall_s=1.0)

    monkeypatch.setattr(app, "run", run)
    monkeypatch.setattr(cli, "show", lambda result, *_: shown.append(result) or 0)
    return tmp_path, ran, shown


def call(place: Path, *words: str) -> Any:
    return resume.main([str(place), *words], standalone_mode=False)


def test_all_commands_are_checked_then_run_and_shown_as_one(given: Any):
    place, ran, shown = given
    call(place, "n_jobs=1")
    assert ran == [
        ("layers=1", "n_jobs=1", "plan=true"), ("layers=2", "n_jobs=1", "plan=true"),
        ("layers=1", "n_jobs=1"), ("layers=2", "n_jobs=1"),
    ]  # fmt: skip
    (result,) = shown
    assert [point.settings["layers"] for point in result.plan.points] == [1, 2]
    assert (result.requested, result.notices, result.wall_s) == (2, ["the same"], 2.0)


def test_a_command_that_is_refused_keeps_all_from_running(given: Any):
    place, ran, shown = given
    with pytest.raises(SettingsError):
        call(place, "layers=99")
    assert len(ran) == 1
    assert shown == []


def test_a_plan_shows_each_command_and_runs_none(given: Any, capsys: Any):
    place, ran, shown = given
    call(place, "plan=true")
    assert all("plan=true" in words for words in ran)
    assert capsys.readouterr().out.count("Nothing was run.") == 2
    assert shown == []


def test_nothing_is_resumed_from_within_the_directory(given: Any, monkeypatch: pytest.MonkeyPatch):
    place, ran, _ = given
    (place / "runs").mkdir()
    monkeypatch.chdir(place / "runs")
    with pytest.raises(UsageError, match="Python would import modules"):
        call(place)
    assert ran == []


@pytest.mark.slow
def test_the_program_imports_no_module_of_a_sweeps_directory(tmp_path: Path):
    (tmp_path / "sweep.json").write_text("{}")
    (tmp_path / "click.py").write_text("print('imported')")
    ended = subprocess.run(
        [sys.executable, "-m", "mnist_sweep", "resume", "."],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Python would import modules" in ended.stderr
