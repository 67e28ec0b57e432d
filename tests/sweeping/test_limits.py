"""`timeout_s` and `budget_s` of a whole sweep, in this process: no run of it trains a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from mnist_sweep.cli.output import ExitCode
from mnist_sweep.cli.sweep_account import SweepAccount
from mnist_sweep.records.sweep import load
from mnist_sweep.sweeping import app
from mnist_sweep.sweeping.launch import processes
from mnist_sweep.sweeping.result import SweepResult

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def own_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "sleepy.py").write_text(
        "import time\n"
        "def run(seconds=0.0):\n"
        "    time.sleep(seconds)\n"
        "    return {'rmse': seconds}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(processes, "start_fork_server", lambda *_: None)
    monkeypatch.setattr(processes, "call", lambda function, *arguments: function(*arguments))


def swept(*words: str) -> SweepResult:
    """A sweep by Hydra's basic launcher, which runs in this process."""
    usual = ("-m", "task._target_=sleepy.run", "objective=rmse", "name=limited", "report=false",
             "hydra/launcher=basic")  # fmt: skip
    result = app.run([*usual, *words])
    assert isinstance(result, SweepResult)
    return result


def test_a_run_that_takes_too_long_is_recorded_as_failed_and_run_again_by_the_next_command():
    swept("task.seconds=0")
    result = swept("task.seconds=0,600", "timeout_s=0.05")
    assert [summary.status for summary in result.summaries] == ["failed"]
    frame = load(result.directory).frame.set_index("task.seconds")
    assert frame.loc[600, "status"] == "failed"
    assert frame.loc[600, "error.message"] == "stopped after timeout_s=0.05 s"
    again = swept("task.seconds=0,600", "timeout_s=0.05")
    assert len(again.skipped) == len(again.summaries) == 1
    no_time = swept("task.seconds=0,600", "budget_s=0.001")
    account = str(SweepAccount.of(no_time, load(no_time.directory)))
    assert account.endswith("(1 earlier), 1 failed, not repeated: budget_s=0.001 s is used up")


def test_what_does_not_fit_into_the_budget_is_not_started_and_run_by_the_next_command():
    result = swept("task.seconds=0,0.01", "budget_s=1e-9")
    assert (result.summaries, result.used_up) == ([], 1e-9)
    result = swept("task.seconds=0,0.01", "budget_s=600")
    assert len(result.summaries) == 2
    assert result.used_up is None
    # A run of this task is known now, and takes longer than this.
    result = swept("task.seconds=0.02", "budget_s=1e-3")
    assert result.summaries == []
    account = SweepAccount.of(result, load(result.directory))
    assert str(account) == "0 of 1 run finished, 1 not started: budget_s=0.001 s is used up"
    assert account.exit_code == ExitCode.SOME_FAILED
