"""The pool: which runs share a process, and that nothing of one is seen by the next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mnist_sweep.data import prepare
from mnist_sweep.settings import defaults
from mnist_sweep.sweeping.launch import gpus, pool, processes
from mnist_sweep.sweeping.launch.gpus import CUDA_VISIBLE_DEVICES as VISIBLE
from mnist_sweep.sweeping.launch.gpus import gpus_of
from mnist_sweep.sweeping.launch.job import Job, record_of
from mnist_sweep.sweeping.launch.pool import PoolLauncher, can_share
from mnist_sweep.sweeping.launch.worker import WorkerProcess
from mnist_sweep.sweeping.plan.environment import describe
from mnist_sweep.sweeping.plan.points import identify
from mnist_sweep.training import runtime
from support.factories import make_settings
from support.sweep_parts import begun, info_of, job_of, point_of


@pytest.fixture(scope="module")
def fork_server() -> Iterator[None]:
    processes.start_fork_server()
    yield
    processes.end_fork_server()


def small(sweep: Path, **changes: Any) -> Job:
    info = prepare({**defaults()["data"], "name": "digits"})
    values = {**defaults(), **make_settings(**{"nodes": 6, "epochs": 2} | changes), "name": "s"}
    return Job(identify(values, [], info), info, sweep, describe())


def pool_of(workers: int) -> PoolLauncher:
    launcher = PoolLauncher()
    launcher.gpus, launcher.idle = None, []
    return begun(launcher, workers)


def run(
    jobs: list[Job],
    monkeypatch: pytest.MonkeyPatch,
    started: list[WorkerProcess] | None = None,
) -> tuple[list[Any], list[WorkerProcess]]:
    """What a pool of one worker returns, and the processes it started."""
    started = [] if started is None else started

    class Counted(WorkerProcess):
        def __init__(self, *arguments: Any) -> None:
            started.append(self)
            super().__init__(*arguments)

    monkeypatch.setattr(pool, "WorkerProcess", Counted)
    return pool_of(1).run(jobs), started


def predictions(job: Job) -> dict[str, Any]:
    with np.load(job.paths.predictions) as arrays:
        return dict(arrays)


@pytest.mark.slow
@pytest.mark.usefixtures("fork_server")
def test_small_runs_share_a_process_and_have_the_same_bits_as_in_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    variants: list[dict[str, Any]] = [
        {"dropout": 0.3}, {"nodes": 7, "layers": 2, "trainer": {"name": "fit"}},
        {"early_stopping": {"patience": 1}, "seed": 1}, {"dropout": 0.3, "seed": 2},
    ]  # fmt: skip
    shared, alone = ([small(tmp_path / place, **one) for one in variants] for place in "ab")
    summaries, started = run(shared, monkeypatch)
    assert [one.status for one in summaries] == ["finished"] * 4, summaries
    assert [one.runs for one in started] == [4]
    assert not started[0].process.is_alive()
    monkeypatch.setattr(pool, "MAX_RUNS", 1)
    _, started = run(alone, monkeypatch)
    assert [one.runs for one in started] == [1] * 4
    for one, other in zip(shared, alone, strict=True):
        expected = predictions(other)
        for name, array in predictions(one).items():
            np.testing.assert_array_equal(array, expected[name], err_msg=f"{one.label} {name}")
        log = one.paths.log.read_text()
        assert f"run {one.run_id}" in log
        assert log.count("test accuracy") == 1


@pytest.mark.slow
@pytest.mark.usefixtures("fork_server")
def test_a_run_that_failed_leaves_its_process_to_no_other_and_a_dead_one_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    jobs = [small(tmp_path, seed=seed) for seed in range(3)]
    jobs[0] = small(tmp_path, learning_rate=1e30)
    started: list[WorkerProcess] = []
    finish = PoolLauncher.finish

    def then_killed(self: PoolLauncher, job: Job, summary: Any) -> None:
        finish(self, job, summary)
        if not summary.failed:
            started[-1].process.kill()
            started[-1].process.join()

    monkeypatch.setattr(PoolLauncher, "finish", then_killed)
    summaries, _ = run(jobs, monkeypatch, started)
    assert [one.status for one in summaries][1:] == ["finished"] * 2, summaries
    assert [one.runs for one in started] == [1, 1, 1]


class Stopping:
    """Stops runs of nodes=5 after their second epoch; the third job comes from it."""

    def __init__(self, extra: list[Job]) -> None:
        self.extra, self.asked, self.over = extra, [], []

    def next(self) -> Job | None:
        return self.extra.pop() if self.extra else None

    def epoch(self, job: Job, epoch: int, figures: dict[str, float]) -> str | None:
        self.asked.append((job.settings["nodes"], epoch))
        assert set(figures) == {"loss", "accuracy", "val_loss", "val_accuracy"}
        return "it is behind" if job.settings["nodes"] == 5 and epoch == 2 else None

    def ended(self, job: Job) -> None:
        record = record_of(job)
        self.over.append((job.settings["nodes"], record and record.status))


@pytest.mark.slow
@pytest.mark.usefixtures("fork_server")
def test_a_pool_stops_the_runs_that_its_scheduler_names(tmp_path: Path):
    jobs = [
        replace(small(tmp_path, nodes=nodes, epochs=3, trainer={"name": trainer}), prune=True)
        for nodes, trainer in ((4, "compiled"), (5, "compiled"), (5, "fit"))
    ]
    scheduler = Stopping(extra=jobs[2:])
    launcher = PoolLauncher()
    launcher.gpus = None
    summaries = begun(launcher, 2, scheduler=scheduler).run(jobs[:2])
    assert sorted((s.status, s.run_id == jobs[0].run_id) for s in summaries) == [
        ("finished", True), ("pruned", False), ("pruned", False),
    ]  # fmt: skip
    assert sorted(scheduler.over) == [(4, "finished"), (5, "pruned"), (5, "pruned")]
    assert sorted(scheduler.asked) == [(4, 1), (4, 2), (4, 3), (5, 1), (5, 1), (5, 2), (5, 2)]
    stopped = json.loads(jobs[1].paths.record.read_bytes())
    assert stopped["error"] == {
        "type": "Pruned", "message": "stopped after epoch 2 of 3: it is behind", "traceback": None,
    }  # fmt: skip
    assert stopped["parameters"]
    assert len(stopped["time"]["epoch_s"]) == len(stopped["history"]["val_accuracy"]) == 2
    assert not jobs[1].paths.model.exists()
    whole = json.loads(jobs[0].paths.record.read_bytes())
    assert whole["status"] == "finished"
    assert np.isfinite(whole["metrics"]["test"]["accuracy"])


@pytest.mark.slow
@pytest.mark.usefixtures("fork_server")
def test_processes_that_wait_end_with_an_interrupted_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    started: list[WorkerProcess] = []
    monkeypatch.setattr(pool.processes, "is_running", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run([small(tmp_path, seed=seed) for seed in range(2)], monkeypatch, started)
    assert [one.process.is_alive() for one in started] == [False]


@pytest.mark.parametrize(
    ("changes", "shares"),
    [
        ({}, True), ({"layers": 2, "seed": 3}, True), ({"trainer": {"name": "fit"}}, True),
        ({"trainer": {"name": "mine"}}, False), ({"threads": 2}, False), ({"epochs": 500}, False),
        ({"nodes": 60_000}, False), ({"model": {"_target_": "my.network"}}, False),
        ({"task": {"_target_": "my.task"}}, False),
    ],
)  # fmt: skip
def test_which_runs_may_go_where_another_one_went(
    tmp_path: Path, changes: dict[str, Any], shares: bool
):
    info = info_of(n_train=1_293, shape=[8, 8])
    first = job_of(tmp_path, data=info, point=point_of(nodes=5, epochs=2))
    settings = {**first.settings, **changes}
    if "layers" in changes or "nodes" in changes:
        settings["model"] = {**settings["model"], **changes}
    point = replace(first.point, settings=settings)
    assert can_share(job_of(tmp_path, data=info, point=point), first) is shares
    moves = {"job": {"chdir": True}}
    assert not can_share(job_of(tmp_path, data=info, point=point, hydra=moves), first)


def test_a_run_takes_the_idle_process_that_suits_it_and_ends_no_other_without_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    info = info_of(n_train=1_293, shape=[8, 8])

    def job(**changes: Any) -> Job:
        return job_of(tmp_path, data=info, point=point_of(**{"nodes": 5, "epochs": 2} | changes))

    released: list[Any] = []

    def idle(**changes: Any) -> Any:
        one = SimpleNamespace(job=job(**changes), process="alive", devices={})
        one.release = lambda: released.append(one)
        return one

    monkeypatch.setattr(pool.processes, "is_running", lambda process: process == "alive")
    own = pool_of(4)
    same, other, two = idle(), idle(nodes=6), idle(threads=2)
    own.idle = [same, two, other]
    assert own.take_idle(job(seed=1)) is same
    assert own.take_idle(job(seed=1)) is other
    assert own.idle == [two]
    assert own.take_idle(job(threads=2)) is two
    assert (own.idle, released) == ([], [])
    # A process that fits none is needed only where all workers are taken.
    own.idle, own.active = [two, other], [SimpleNamespace()]
    assert own.take_idle(job(threads=3)) is None
    assert released == []
    own.active *= 2
    assert own.take_idle(job(threads=3)) is None
    assert (own.idle, released) == ([other], [two])
    other.process = "dead"
    assert own.take_idle(job(seed=1)) is None
    assert (own.idle, released) == ([], [two, other])


def test_a_run_gets_the_gpu_that_has_the_fewest():
    own = pool_of(4)
    own.gpus = ["0", "1"]

    def started() -> str:
        own.active.append(SimpleNamespace(devices=own.free_gpu()))
        return own.active[-1].devices[VISIBLE]

    assert [started() for _ in range(4)] == ["0", "1", "0", "1"]
    own.idle.append(own.active.pop(1))  # it keeps its GPU while it waits for another run
    own.active.pop()
    assert [started() for _ in range(2)] == ["1", "0"]
    own.idle.clear()
    assert started() == "1"
    own.gpus = []
    assert [started(), started()] == ["-1", "-1"]
    own.gpus = None
    assert own.free_gpu() == {}


def test_which_gpus_a_sweep_gets(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gpus, "visible", lambda **_: ["0", "1", "2"])
    assert gpus_of(2, tensorflow=True) == ["0", "1"]
    assert gpus_of(None, tensorflow=True) == ["0", "1", "2"]
    assert gpus_of(0, tensorflow=True) == []
    # A task gets GPUs only if they are requested.
    assert gpus_of(None, tensorflow=False) is None
    assert gpus_of(1, tensorflow=False) == ["0"]
    monkeypatch.setattr(gpus, "visible", lambda **_: [])
    assert gpus_of(None, tensorflow=True) is None


@pytest.mark.parametrize(
    ("tensorflow", "message"),
    [(True, "gpus=3: this machine has one GPU that TensorFlow"), (False, "has 2 GPUs. Request")],
)
def test_more_gpus_than_there_are_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tensorflow: bool, message: str
):
    driver(tmp_path, monkeypatch, 2)
    monkeypatch.delenv(VISIBLE, raising=False)
    monkeypatch.setattr(gpus.processes, "call", lambda _: 1)
    with pytest.raises(gpus.SettingsError, match=message):
        gpus_of(3, tensorflow=tensorflow)


def driver(folder: Path, monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    """Put a driver's tool that lists n GPUs on the path, and no other."""
    tool = folder / "nvidia-smi"
    lines = "".join(f"echo 'GPU {i}: a card (UUID: GPU-{i})'\n" for i in range(n))
    tool.write_text(f"#!/bin/sh\n{lines}")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (None, ["0", "1", "2"]), ("", []), ("-1", []), ("2", ["2"]), ("2, 0", ["2", "0"]),
        ("GPU-1,GPU-2", ["GPU-1", "GPU-2"]), ("0,1,2,3", ["0", "1", "2"]), ("1,-1,2", ["1"]),
    ],
)  # fmt: skip
def test_the_gpus_that_may_be_used_are_those_that_cuda_would_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str | None, expected: list[str]
):
    driver(tmp_path, monkeypatch, 3)
    if named is None:
        monkeypatch.delenv(VISIBLE, raising=False)
    else:
        monkeypatch.setenv(VISIBLE, named)
    assert gpus.visible(tensorflow=False) == expected


def test_no_process_is_asked_for_gpus_where_there_is_no_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(VISIBLE, raising=False)
    monkeypatch.setattr(gpus, "_DEVICES", ())
    monkeypatch.setattr(gpus.processes, "call", pytest.fail)
    assert gpus.visible(tensorflow=True) == []


def test_tensorflow_is_asked_how_many_gpus_it_can_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv(VISIBLE, raising=False)
    asked: list[Any] = []

    def call(function: Any) -> int:
        asked.append(function)
        return 1

    monkeypatch.setattr(gpus.processes, "call", call)
    driver(tmp_path, monkeypatch, 2)
    assert gpus.visible(tensorflow=True) == ["0"]
    monkeypatch.setenv("PATH", "")  # a driver without its tool
    monkeypatch.setattr(gpus, "_DEVICES", (str(tmp_path),))
    assert gpus.visible(tensorflow=True) == ["0"]
    assert asked == [runtime.count_gpus] * 2
