"""Jobs in a queue: noted beside the sweep, and collected by whatever command comes next."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mnist_sweep.cli.output import ExitCode
from mnist_sweep.cli.status import status_of
from mnist_sweep.cli.sweep_summary import show
from mnist_sweep.errors import DirectoryError, UsageError
from mnist_sweep.records.locks import release, try_lock
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.sweep import load
from mnist_sweep.sweeping import app
from mnist_sweep.sweeping.context import SweepContext
from mnist_sweep.sweeping.launch import processes, stock_launchers, submitted
from mnist_sweep.sweeping.launch.job import Job, failed_at, record_of
from mnist_sweep.sweeping.launch.submitted import SubmittedJob, collect, note
from mnist_sweep.sweeping.result import SweepResult
from support.factories import make_run, write_run
from support.sweep_parts import job_of, point_of


@pytest.fixture
def squeue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Slurm whose squeue prints what a file says."""
    (tmp_path / "bin").mkdir()
    program, said = tmp_path / "bin" / "squeue", tmp_path / "queue.txt"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked.txt\nexec cat {said}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return said


def queued(job: Job, job_id: str = "12_0", **changes: Any) -> SubmittedJob:
    values = {"cluster": "slurm", "machine": platform.node(), "folder": f"{job.sweep}/jobs/%j"}
    return SubmittedJob(**{**values, "job_id": job_id, "job": job, **changes})


def test_each_job_is_kept_while_the_queue_has_it_or_its_lock_is_held(tmp_path: Path, squeue: Path):
    sweep = tmp_path / "grid"
    runs = [make_run(seed=seed) for seed in range(6)]
    jobs = [job_of(sweep, run) for run in runs]
    note(sweep, [queued(job, f"12_{place}") for place, job in enumerate(jobs)])
    # Of 12_5 Slurm knows no more; the queue still has 12_0, whose record is there.
    squeue.write_text(
        "12_0 COMPLETING\n12_1 RUNNING\n12_2 PENDING\n12_3 FAILED\n12_4 TIMEOUT\n9 FAILED\n"
    )
    write_run(runs[0], jobs[0].paths.directory)
    logs = sweep / "jobs" / "12_4"
    logs.mkdir(parents=True)
    (logs / "12_4_0_log.err").write_text("slurmstepd: error: time limit\n")
    lock = try_lock(jobs[3].lock)
    assert lock is not None
    still = collect(sweep)
    assert [(one.job_id, one.state) for one in still] == [
        ("12_1", "RUNNING"), ("12_2", "PENDING"), ("12_3", "FAILED"),
    ]  # fmt: skip
    release(lock)
    assert [one.job_id for one in collect(sweep)] == ["12_1", "12_2"]
    records = [record_of(job) for job in jobs]
    assert [one and one.status for one in records] == ["finished", None, None, *["failed"] * 3]
    messages = [one.error.message for one in records[3:] if one and one.error]
    log = "The end of its log:\nslurmstepd: error: time limit"
    assert messages == [
        "its job 12_3 ended without a record (slurm: FAILED)",
        f"its job 12_4 ended without a record (slurm: TIMEOUT)\n{log}",
        "its job 12_5 ended without a record (slurm: no longer in the queue)",
    ]
    asked = (tmp_path / "asked.txt").read_text()
    assert f"--user={os.getuid()}" in asked
    squeue.write_text("")
    assert collect(sweep) == []
    assert not SweepPaths(sweep).submitted.exists()


def test_a_failed_record_that_a_job_is_to_replace_is_not_its_own(tmp_path: Path, squeue: Path):
    sweep, run = tmp_path / "grid", make_run(status="failed")
    write_run(run, job_of(sweep, run).paths.directory)
    job = job_of(sweep, run, failed_at=failed_at(run.record))
    note(sweep, [queued(job)])
    squeue.write_text("12_0 PENDING\n")
    assert len(collect(sweep)) == 1
    squeue.write_text("")
    assert collect(sweep) == []
    record = record_of(job)
    assert record is not None
    assert record.error is not None
    assert record.error.type == "WorkerDiedError"


@pytest.mark.parametrize("answer", ["exit 1", "kill -9 $$"])
def test_nothing_is_taken_for_dead_while_the_queue_does_not_answer(
    tmp_path: Path, squeue: Path, answer: str
):
    (tmp_path / "bin" / "squeue").write_text(f"#!/bin/sh\n{answer}\n")
    job = job_of(tmp_path)
    note(tmp_path, [queued(job)])
    assert [one.state for one in collect(tmp_path)] == ["UNKNOWN"]
    assert record_of(job) is None


def test_a_process_of_another_machine_is_not_looked_for_here(tmp_path: Path):
    jobs = [job_of(tmp_path, make_run(seed=seed)) for seed in range(2)]
    own = {"job_id": str(os.getpid()), "cluster": "local", "folder": "python"}
    here, there = (queued(one, **own) for one in jobs)
    note(tmp_path, [here, there.model_copy(update={"machine": "elsewhere"})])
    # This process exists, with the word in its command, but it is no job of submitit's.
    assert [one.machine for one in collect(tmp_path)] == ["elsewhere"]
    assert record_of(jobs[0]) is not None


class Endless:
    """One of submitit's jobs where `sacct` knows nothing."""

    cancelled = False

    def done(self) -> bool:
        return False

    def cancel(self, *, check: bool) -> None:
        self.cancelled = not check


def test_a_job_that_died_is_seen_without_accounts_and_the_others_cancelled_at_an_interrupt(
    tmp_path: Path, squeue: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stock_launchers, "QUERY_EVERY_S", 0.0)
    jobs = [job_of(tmp_path, make_run(seed=seed)) for seed in range(2)]
    noted = [queued(job, f"12_{place}") for place, job in enumerate(jobs)]
    note(tmp_path, noted)
    squeue.write_text("12_0 OUT_OF_MEMORY\n12_1 RUNNING\n")
    running = Endless()
    ends = stock_launchers.ended([(noted[0], Endless()), (noted[1], running)])
    assert next(ends) == (0, "its job 12_0 ended without a record (slurm: OUT_OF_MEMORY)")
    ends.close()  # type: ignore[attr-defined]
    assert running.cancelled
    assert not SweepPaths(tmp_path).submitted.exists()


def test_jobs_of_the_directory_that_was_copied_are_not_those_of_the_copy(
    tmp_path: Path, squeue: Path
):
    first, copy = tmp_path / "grid", tmp_path / "copy"
    job = job_of(first)
    note(first, [queued(job)])
    squeue.write_text("")
    SweepPaths(copy).submitted.parent.mkdir(parents=True)
    SweepPaths(copy).submitted.write_bytes(SweepPaths(first).submitted.read_bytes())
    assert collect(copy) == []
    assert record_of(job) is None
    assert not SweepPaths(copy).runs.exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"schema_version": 2}, "newer"),
        ({"more": 1}, "no such field"),
        ({"jobs": [{"job_id": "1; rm"}]}, "cluster"),
    ],
)
def test_a_list_of_jobs_that_cannot_be_read_is_an_error_that_says_so(
    tmp_path: Path, change: dict[str, Any], why: str
):
    note(tmp_path, [queued(job_of(tmp_path))])
    path = SweepPaths(tmp_path).submitted
    path.write_text(json.dumps(json.loads(path.read_bytes()) | change))
    with pytest.raises(DirectoryError, match=f"submitted.json cannot be used .*{why}"):
        collect(tmp_path)


@pytest.mark.parametrize("change", [{"label": "../../other/x"}, {"run_id": "../../../x"}])
def test_a_list_of_jobs_names_no_directory_outside_of_its_sweep(
    tmp_path: Path, squeue: Path, change: dict[str, str]
):
    sweep = tmp_path / "a" / "grid"
    note(sweep, [queued(job_of(sweep))])
    squeue.write_text("")
    path = SweepPaths(sweep).submitted
    listed = json.loads(path.read_bytes())
    listed["jobs"][0]["job"]["point"] |= change
    path.write_text(json.dumps(listed))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DirectoryError, match="a run's directory is runs/LABEL-RUNID"):
        collect(sweep)
    assert [one for one in sorted(tmp_path.rglob("*")) if ".locks" not in one.parts] == [
        one for one in before if ".locks" not in one.parts
    ]


def test_a_log_that_is_no_file_is_not_read(tmp_path: Path, squeue: Path):
    job = job_of(tmp_path)
    job.paths.directory.mkdir(parents=True)
    job.paths.log.symlink_to("/dev/zero")
    note(tmp_path, [queued(job)])
    squeue.write_text("")
    assert collect(tmp_path) == []
    record = record_of(job)
    assert record is not None
    assert record.error is not None
    assert record.error.message.endswith("(there is none)")


def test_the_copied_code_is_what_a_job_imports_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    own = tmp_path / "here"
    package = own / "snapped_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from snapped_package.net import build\n")
    (package / "net.py").write_text("def build(): return 'as submitted'\n")
    (package / "by_name.py").write_text("VALUE = 'found'\n")
    (package / "weights.txt").write_text("beside it")
    monkeypatch.syspath_prepend(str(own))
    job = job_of(tmp_path, point=point_of(model={"_target_": "snapped_package.build"}))
    start = submitted.copy_code(tmp_path, [job])
    assert submitted.copy_code(tmp_path, [job]) == start
    (package / "net.py").write_text("def build(): return 'edited'\n")
    assert submitted.copy_code(tmp_path, [job]) != start
    # In place of submitit's own module, to see what a job would.
    (own / "submitit" / "core").mkdir(parents=True)
    for name in ("submitit/__init__.py", "submitit/core/__init__.py"):
        (own / name).touch()
    (own / "submitit" / "core" / "_submit.py").write_text(
        "import importlib, pathlib, sys, mnist_sweep, snapped_package as own\n"
        "beside = pathlib.Path(own.__file__).with_name('weights.txt').read_text()\n"
        "by_name = importlib.import_module('snapped_package.' + 'by_name').VALUE\n"
        "print(own.build(), beside, by_name, mnist_sweep.__file__, *sys.argv[1:], sep='|')\n"
    )
    ended = subprocess.run(
        [sys.executable, start, "-u", "-m", "submitit.core._submit", "FOLDER"], cwd=own,
        capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(own), "PYTHONSAFEPATH": "1"},
    )  # fmt: skip
    *seen, package_file, folder = ended.stdout.strip().split("|")
    assert seen == ["as submitted", "beside it", "found"]
    assert folder == "FOLDER"
    assert Path(package_file).is_relative_to(start.parent)


@pytest.mark.parametrize(
    "words",
    [
        ["hydra/launcher=pool"],
        ["hydra/launcher=submitit_local", "budget_s=60.0"],
        ["hydra/launcher=submitit_local", "fail_fast=true"],
        ["hydra/launcher=submitit_local", "hydra/sweeper=search"],
        ["hydra/launcher=submitit_local", "+experiment=study"],
    ],
    ids=lambda words: words[-1],
)
def test_what_needs_results_to_go_on_cannot_be_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    monkeypatch.setattr(processes, "start_fork_server", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    others = {"+experiment=study": "study.stages", "budget_s=60.0": "budget_s"}
    named = others.get(words[-1], words[-1])
    with pytest.raises(UsageError, match=f"wait=false does not work with {named}"):
        app.run(["-m", "data=digits", "epochs=1", "nodes=4,8", "wait=false", *words])
    assert list(tmp_path.iterdir()) == []


TASK = """
import os, signal

def train(kind="fine", seed=0):
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    return {"accuracy": 0.25}
"""
HOLD = """
import os, time
while "SUBMITIT_LOCAL_JOB_ID" in os.environ and not os.path.exists(os.environ["GO"]):
    time.sleep(0.05)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with a task, whose jobs wait for a file `go` before they import anything."""
    (tmp_path / "left_task.py").write_text(TASK)
    hold = tmp_path / "hold"
    hold.mkdir()
    (hold / "sitecustomize.py").write_text(HOLD)
    paths = [str(hold), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.setenv("GO", str(tmp_path / "go"))
    monkeypatch.setattr(processes, "start_fork_server", lambda *_: None)
    monkeypatch.setattr(processes, "call", lambda function, *arguments: function(*arguments))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    (tmp_path / "go").touch()


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
@pytest.mark.skipif(sys.platform == "win32", reason="asks ps")
def test_a_sweep_that_is_left_runs_as_it_was_submitted_and_is_collected_later(
    place: Path, capsys: pytest.CaptureFixture[str]
):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    words = ["-m", "task._target_=left_task.train", "+task.kind=fine,killed", "name=left"]
    words += ["hydra/launcher=submitit_local", "wait=false"]
    sweep = place / "outputs" / "left"

    def command(*more: str) -> SweepResult:
        with SweepContext() as context:
            result = app.run([*words, *more], context)
        assert isinstance(result, SweepResult)
        return result

    result = command()
    planned = {point.run_id for point in result.plan.points}
    assert {one.job.run_id for one in result.queued} == planned
    assert show(result) == ExitCode.DONE
    ids = [one.job_id for one in result.queued]
    head, left, *commands = capsys.readouterr().out.splitlines()
    assert head.startswith("left · 0 of 2 runs finished, 2 queued or running · ")
    assert left.startswith(f"Left in the queue: local {ids[0]}, {ids[1]}. ")
    assert [line.split()[0] for line in commands] == ["Status", "Table", "Report", "Cancel"]
    assert commands[0].endswith("status outputs/left")
    assert commands[-1] == f"Cancel  kill -INT {ids[0]} {ids[1]}"
    noted = SweepPaths(sweep).submitted.read_bytes()
    # Neither the same command nor one that would wait runs them a second time.
    for more in ("wait=false", "wait=true"):
        again = command(more)
        assert {one.job_id for one in again.queued} == {one.job_id for one in result.queued}
        assert again.summaries == []
        assert show(again) == (ExitCode.SOME_FAILED if more == "wait=true" else ExitCode.DONE)
        assert "2 queued or running" in capsys.readouterr().out
    assert SweepPaths(sweep).submitted.read_bytes() == noted
    assert status_of(sweep).counts == {"waiting": 2}
    (place / "left_task.py").write_text(TASK.replace("0.25", "0.75"))
    (place / "go").touch()
    deadline = time.monotonic() + 120
    while status_of(sweep).queue:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    found = status_of(sweep)
    assert found.counts == {"finished": 1, "failed": 1}
    assert "ended without a record (local: no longer in the queue)" in found.failed[0][2]
    frame = load(sweep).frame
    assert set(frame["run_id"]) == planned
    assert frame["test.accuracy"].dropna().tolist() == [0.25]
    assert not list(SweepPaths(sweep).runs.glob("*/progress.jsonl"))


def test_many_ids_are_shown_by_the_first_and_the_last(tmp_path: Path):
    jobs = [queued(job_of(tmp_path), f"12_{number}") for number in range(9)]
    assert submitted.shown_ids(jobs[:3]) == "12_0, 12_1, 12_2"
    assert submitted.shown_ids(jobs) == "12_0, 12_1 … 12_8"
    assert submitted.cancel_command(jobs) == "scancel 12"
