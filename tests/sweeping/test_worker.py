"""What a worker sends to its parent, tried in this process."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from multiprocessing import Pipe, forkserver, resource_tracker
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.status import RunStatus
from mnist_sweep.sweeping.launch import processes, worker
from mnist_sweep.sweeping.launch.execute import Epoch
from mnist_sweep.sweeping.launch.job import Job, RunSummary
from support.factories import make_run, write_run
from support.sweep_parts import job_of


class LeftError(Exception):
    """Stands for the end of the process."""


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch):
    def leave(*_: Any) -> None:
        raise LeftError

    monkeypatch.setattr(worker.os, "_exit", leave)
    monkeypatch.setattr(worker, "_log_to", lambda _path: None)


def two_epochs(job: Job, report: Any) -> RunSummary:
    report(Epoch(0, {}))
    answers = [report(Epoch(number, {"loss": 1.0 / number})) for number in (1, 2)]
    report(Epoch(worker.WRITING, {}))
    return RunSummary.of(job, RunStatus.FINISHED, str(answers))


def sent(ours: Any) -> list[Any]:
    found = []
    while ours.poll():
        try:
            found.append(ours.recv())
        except EOFError:
            break
    return found


@pytest.mark.parametrize("prune", [False, True])
def test_epochs_and_the_summary_are_sent_and_answers_awaited_only_where_a_run_may_be_pruned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prune: bool
):
    monkeypatch.setattr(worker, "execute", two_epochs)
    ours, theirs = Pipe()
    job = job_of(tmp_path, prune=prune)
    job.paths.directory.mkdir(parents=True)
    if prune:
        ours.send(None)
        ours.send("it is behind")
    ours.send(None)
    worker.run(theirs, job, {})
    start, first, second, end, last = sent(ours)
    assert start == Epoch(0, {})
    assert (first, second) == (Epoch(1, {"loss": 1.0}), Epoch(2, {"loss": 0.5}))
    assert end == Epoch(worker.WRITING, {})
    answers = [None, "it is behind" if prune else None]
    assert last == RunSummary.of(job, RunStatus.FINISHED, str(answers))
    assert (job.paths.hydra / "config.yaml").exists()


def test_jobs_that_follow_are_run_in_the_same_process_on_the_devices_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    done: list[str] = []

    def run(job: Job, report: Any) -> RunSummary:
        done.append(job.run_id)
        return two_epochs(job, report)

    monkeypatch.setattr(worker, "execute", run)
    monkeypatch.setattr(worker, "reset_peak_memory", lambda: done.append("reset"))
    # What was trained before need not be prepared again.
    monkeypatch.setattr(worker.runtime, "go_on", lambda: done.append("go on"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    ours, theirs = Pipe()
    jobs = [job_of(tmp_path, make_run(seed=seed)) for seed in range(3)]
    for job in jobs:
        job.paths.directory.mkdir(parents=True)
    for following in (*jobs[1:], None):
        ours.send(following)
    worker.run(theirs, jobs[0], {"CUDA_VISIBLE_DEVICES": "1"})
    summaries = [message for message in sent(ours) if isinstance(message, RunSummary)]
    assert [one.run_id for one in summaries] == [job.run_id for job in jobs]
    first, second, third = (job.run_id for job in jobs)
    assert done[:7] == [first, "go on", "reset", second, "go on", "reset", third]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux only")
def test_the_memory_of_an_earlier_run_is_not_that_of_the_next():
    code = (
        "import os, sys, numpy as np; from mnist_sweep.sweeping.launch import execute, worker\n"
        "if child := os.fork(): sys.exit(os.waitpid(child, 0)[1] > 0)\n"
        "np.ones(2**25)\n"
        "before = execute._peak_memory_mb(); worker.reset_peak_memory()\n"
        "assert before - execute._peak_memory_mb() > 200, before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_keeps_a_record_from_being_written_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: Any) -> RunSummary:
        raise DirectoryError("the disk is full")

    monkeypatch.setattr(worker, "execute", full)
    ours, theirs = Pipe()
    ours.send(None)
    job = job_of(tmp_path)
    worker.run(theirs, job, {})
    assert sent(ours) == [RunSummary.of(job, RunStatus.FAILED, "the disk is full")]


def test_a_worker_whose_parent_has_ended_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(worker, "execute", two_epochs)
    ours, theirs = Pipe()
    ours.close()
    job = job_of(tmp_path)
    job.paths.directory.mkdir(parents=True)
    with pytest.raises(LeftError):
        worker.run(theirs, job, {})


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (-9, "was ended by SIGKILL (out of memory, perhaps)"),
        (-11, "was ended by SIGSEGV"),
        (-200, "was ended by signal 200"),
        (3, "ended with exit code 3 and no answer"),
    ],
)
def test_ends_of_processes_in_words(code: int, text: str):
    assert processes.ending(code) == text


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        (["-m", "layers=1,2"], True), ([], True), (["--help"], False), (["-c", "job"], False),
        (["--cfg=job"], False), (["layers=2", "plan=true"], False),
    ],
)  # fmt: skip
def test_processes_are_started_early_only_for_what_runs(words: list[str], needed: bool):
    assert bool(processes.preload_of(words)) is needed


def test_processes_that_cannot_be_started_are_an_error_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
):
    def no_more() -> None:
        raise OSError("no more processes")

    context = SimpleNamespace(Process=lambda **_: SimpleNamespace(start=no_more))
    monkeypatch.setattr(processes, "context", lambda: context)
    monkeypatch.setattr(processes, "start_fork_server", lambda *_: None)
    monkeypatch.setattr(processes, "RESTART_S", 0.0)
    with pytest.raises(processes.WorkerDiedError, match="4 attempts failed: OSError: no more"):
        processes.start(print)


def test_sockets_are_put_where_their_paths_are_short(monkeypatch: pytest.MonkeyPatch):
    config = multiprocessing.current_process()._config  # type: ignore[attr-defined]
    monkeypatch.setitem(config, "tempdir", None)
    del config["tempdir"]
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")
    monkeypatch.setattr(forkserver, "ensure_running", lambda: None)
    monkeypatch.setattr(resource_tracker, "ensure_running", lambda: None)
    processes.start_fork_server()
    assert "tempdir" not in config
    monkeypatch.setattr(tempfile, "tempdir", f"/{'x' * 100}")
    processes.start_fork_server()
    assert len(config["tempdir"]) < processes.MAX_FOLDER_LENGTH
    Path(config["tempdir"]).rmdir()


def test_processes_whose_end_is_not_told_are_killed_and_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
):
    now, killed = [0.0], list[int]()
    monkeypatch.setattr(processes, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def wait(seconds: float) -> None:
        now[0] += seconds

    def stopped(number: int) -> Any:
        return SimpleNamespace(
            join=wait, is_alive=lambda: True, kill=lambda: killed.append(number)
        )  # fmt: skip

    processes.end(*map(stopped, range(16)))
    assert killed == list(range(16))
    assert now == [2 * processes.STOP_S]


def test_another_preload_ends_the_fork_server(monkeypatch: pytest.MonkeyPatch):
    ended: list[int] = []
    monkeypatch.setattr(processes, "end_fork_server", lambda: ended.append(1))
    monkeypatch.setattr(forkserver, "ensure_running", lambda: None)
    monkeypatch.setattr(resource_tracker, "ensure_running", lambda: None)
    monkeypatch.setattr(processes, "_preloaded", [processes.PRELOAD])
    chosen: list[list[str]] = []
    monkeypatch.setattr(forkserver, "set_forkserver_preload", lambda names: chosen.append([*names]))
    for preload in (None, processes.PRELOAD_TASK, None, processes.PRELOAD):
        processes.start_fork_server(preload)
    assert [one for (one,) in chosen] == [
        processes.PRELOAD, processes.PRELOAD_TASK, processes.PRELOAD_TASK, processes.PRELOAD,
    ]  # fmt: skip
    assert len(ended) == 2


class Stub:
    """A process that runs on until it is killed."""

    sentinel, exitcode = 1234567, -9

    def __init__(self) -> None:
        self.killed = 0

    def kill(self) -> None:
        self.killed += 1

    def join(self, _timeout: float) -> None: ...

    def is_alive(self) -> bool:
        return not self.killed


def test_a_run_that_does_not_stop_at_its_timeout_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    now, stub = [100.0], Stub()

    monkeypatch.setattr(worker.processes, "start", lambda *_: stub)
    monkeypatch.setattr(worker.processes, "is_running", lambda _: False)
    monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: now[0]))
    ours, other = Pipe()
    monkeypatch.setattr(
        worker.processes, "context", lambda: SimpleNamespace(Pipe=lambda **_: (ours, Pipe()[0]))
    )
    process = worker.WorkerProcess(job_of(tmp_path, timeout_s=2.0))
    now[0] += 1000  # while its process starts, which takes as long as it takes
    assert process.receive(()) is None
    assert stub.killed == 0
    other.send(Epoch(0, {}))
    assert process.receive([ours]) is None
    now[0] += 2.0 + worker.LATE_S
    process.receive(())
    assert stub.killed == 0
    now[0] += 0.1
    process.receive(())
    assert stub.killed == 1
    process.receive([stub.sentinel])
    assert process.ended
    assert process.late == "stopped after timeout_s=2 s"


def test_a_run_whose_result_is_there_has_time_to_write_it_and_no_more_than_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    now, stub = [100.0], Stub()
    monkeypatch.setattr(worker.processes, "start", lambda *_: stub)
    monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: now[0]))
    ours, other = Pipe()
    monkeypatch.setattr(
        worker.processes, "context", lambda: SimpleNamespace(Pipe=lambda **_: (ours, Pipe()[0]))
    )
    process = worker.WorkerProcess(job_of(tmp_path, timeout_s=2.0))
    other.send(Epoch(0, {}))
    process.receive([ours])
    now[0] += 1.9
    other.send(Epoch(worker.WRITING, {}))
    assert process.receive([ours]) is None
    now[0] += worker.WRITE_S
    process.receive(())
    assert stub.killed == 0
    now[0] += 0.1
    process.receive(())
    assert stub.killed == 1
    assert process.late == "stopped: its files were not written within 300 s"


def test_a_run_that_died_after_its_record_is_its_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for status, kept in [("finished", True), ("diverged", True), ("failed", False), (None, False)]:
        run = make_run(status=status or "finished", seed=len(str(status)))
        job = job_of(tmp_path, run)
        if status:
            write_run(run, job.paths.directory)
        monkeypatch.setattr(worker.processes, "start", lambda *_: Stub())
        process = worker.WorkerProcess(job)
        process._die()
        assert (process.summary is not None) is kept
        if process.summary:
            assert process.summary.status == status
