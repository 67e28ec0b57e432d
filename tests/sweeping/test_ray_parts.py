"""Parts of runs on Ray that need no Ray: what travels, where data lie, what a run asks for."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

import mnist_sweep
from mnist_sweep import settings as schema
from mnist_sweep.data import NO_DATA, DatasetInfo, load, prepare
from mnist_sweep.errors import DataError, SettingsError, UsageError
from mnist_sweep.records.locks import held, is_held, release, try_lock
from mnist_sweep.records.status import RunStatus
from mnist_sweep.sweeping.context import SweepContext
from mnist_sweep.sweeping.launch.execute import Epoch, too_late
from mnist_sweep.sweeping.launch.job import Job, RunSummary, done_summary
from mnist_sweep.sweeping.launch.on_ray import connection
from mnist_sweep.sweeping.launch.on_ray import node as on_node
from mnist_sweep.sweeping.launch.on_ray.connection import (
    environment_of_runs,
    fit,
    locked_directory,
    options_of,
    words_of,
)
from mnist_sweep.sweeping.launch.on_ray.launcher import RayLauncher, RayRun
from support.factories import make_run, write_run
from support.sweep_parts import begun, job_of


@pytest.fixture
def digits(tmp_path: Path) -> DatasetInfo:
    settings = {**schema.defaults()["data"], "name": "digits"}
    return prepare(settings, {"MNIST_SWEEP_CACHE": str(tmp_path / "drivers")})


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of a node that has seen nothing yet."""
    monkeypatch.setenv("MNIST_SWEEP_CACHE", str(tmp_path / "nodes"))
    # The spare cache, too, is of this test alone, whatever earlier programs left on the machine.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / "nodes"


def elsewhere(info: DatasetInfo) -> DatasetInfo:
    """The dataset as a node sees it that does not have the driver's files."""
    return replace(info, cache="/not/on/this/machine")


def counted(info: DatasetInfo) -> tuple[Callable[[], dict[str, Any]], list[int]]:
    calls: list[int] = []

    def fetch() -> dict[str, Any]:
        calls.append(1)
        return on_node.pack(info)

    return fetch, calls


def test_a_node_fetches_data_once_and_finds_them_again(digits: DatasetInfo, node: Path):
    fetch, calls = counted(digits)
    placed = on_node.place(elsewhere(digits), fetch)
    assert Path(placed.cache).is_relative_to(node)
    there, here = load(digits), load(placed)
    for name in ("train_images", "train_labels", "test_images", "test_labels", "validation_index"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))
    assert on_node.place(elsewhere(digits), fetch) == placed
    assert len(calls) == 1


def test_a_node_that_has_the_drivers_files_uses_them(digits: DatasetInfo, node: Path):
    assert on_node.place(digits, None) == digits
    assert not node.exists()


def test_a_damaged_file_on_a_node_is_fetched_again(digits: DatasetInfo, node: Path):
    fetch, calls = counted(digits)
    placed = on_node.place(elsewhere(digits), fetch)
    images = Path(placed.cache) / "train_images.npy"
    content = bytearray(images.read_bytes())
    content[-1] ^= 1
    images.write_bytes(content)
    assert on_node.place(elsewhere(digits), fetch) == placed
    assert len(calls) == 2
    np.testing.assert_array_equal(load(placed).train_images, load(digits).train_images)


def test_other_data_than_were_planned_with_are_refused(digits: DatasetInfo, node: Path):
    def other() -> dict[str, Any]:
        packed = on_node.pack(digits)
        return {**packed, "train_labels": packed["train_labels"][::-1]}

    with pytest.raises(DataError, match=f"not {digits.sha256}"):
        on_node.place(elsewhere(digits), other)


def test_data_that_are_nowhere_are_an_error_that_says_where_they_were_looked_for(
    digits: DatasetInfo, node: Path
):
    with pytest.raises(DataError, match="/not/on/this/machine"):
        on_node.place(elsewhere(digits), None)
    with pytest.raises(DataError, match="/not/on/this/machine"):
        on_node.pack(elsewhere(digits))


@pytest.mark.parametrize(
    ("settings", "runs"),
    [
        ({}, 8), ({"num_cpus": 3}, 2), ({"num_gpus": 0.5}, 4), ({"memory_mb": 1024}, 4),
        ({"num_cpus": 0.1, "num_gpus": 0.2}, 10), ({"resources": {"fast": 1}}, 3),
        ({"resources": {"slow": 1}}, 0), ({"num_cpus": 16}, 0),
    ],
)  # fmt: skip
def test_runs_fit_as_the_scarcest_resource_allows(settings: dict[str, Any], runs: int):
    node = {"CPU": 8.0, "GPU": 2.0, "memory": 4 * 2**30, "fast": 3.0}
    assert fit(RayLauncher(**settings).needs(1), node) == runs


def test_needs_do_not_lose_a_run_to_rounding():
    assert fit(RayLauncher(num_cpus=0.1).needs(1), {"CPU": 0.3}) == 3


def test_needs_are_said_in_words_and_in_rays_terms():
    needs = RayLauncher(num_gpus=1, memory_mb=512, resources={"fast": 1}).needs(2)
    assert words_of(needs) == "2 CPU, 1 GPU, 512 MB of memory, 1 fast"
    assert options_of(needs) == {
        "num_cpus": 2, "num_gpus": 1, "memory": 512 * 2**20, "resources": {"fast": 1},
    }  # fmt: skip
    assert "memory" not in options_of(RayLauncher().needs(1))
    large = RayLauncher(num_cpus=0.5, memory_mb=2**21, resources={"part": 0.25}).needs(1)
    assert words_of(large) == "0.5 CPU, 2097152 MB of memory, 0.25 part"


SETUP: Any = {
    "hydra_context": None, "task_function": None,
    "config": OmegaConf.create({
        "gpus": None, "runs_per_gpu": 1, "hydra": {"job": {"chdir": None}},
    }),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "setting"), [("CPU", "num_cpus"), ("GPU", "num_gpus"), ("memory", "memory_mb")]
)
def test_a_resource_that_has_a_setting_of_its_own_is_refused_among_others(name: str, setting: str):
    pytest.importorskip("ray", reason="needs the extra: pip install 'mnist-sweep[ray]'")
    with SweepContext():
        RayLauncher(resources={"fast": 1}).setup(**SETUP)
        with pytest.raises(
            SettingsError, match=rf"launcher\.resources\.{name}: .*hydra\.launcher\.{setting} inst"
        ):
            RayLauncher(resources={"fast": 1, name: 2}).setup(**SETUP)


def test_code_travels_and_what_the_user_adds_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/here", "/there"]))
    asked = {"py_modules": ["/mine"], "env_vars": {"A": "1"}, "pip": ["einops"]}
    found = environment_of_runs(asked)
    assert found["py_modules"] == [str(Path(mnist_sweep.__file__).parent), "/mine"]
    assert found["pip"] == ["einops"]
    assert found["env_vars"]["A"] == "1"
    assert found["env_vars"]["PYTHONSAFEPATH"] == "1"
    assert found["env_vars"]["PYTHONPATH"].split(os.pathsep) == [str(tmp_path), "/here", "/there"]
    assert environment_of_runs({"env_vars": {"PYTHONPATH": "/only"}})["env_vars"][
        "PYTHONPATH"
    ] == "/only"  # fmt: skip


def test_without_ray_one_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with (
        SweepContext(),
        pytest.raises(UsageError, match=r"pip install 'mnist-sweep\[ray\]'"),
    ):
        RayLauncher().setup(**SETUP)


def test_the_mailbox_keeps_the_latest_report_of_each_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(on_node, "PATIENCE_S", 0.01)

    async def talk() -> list[dict[str, Any]]:
        box = on_node.Mailbox()
        await box.tell("a", Epoch(0, {}))
        await box.tell("a", Epoch(2, {"val_accuracy": 0.5}))
        await box.tell("b", Epoch(1, {"val_accuracy": 0.25}))
        return [await box.take(), await box.take()]

    first, second = asyncio.run(talk())
    assert first == {"a": (2, {"val_accuracy": 0.5}), "b": (1, {"val_accuracy": 0.25})}
    assert second == {}


def test_a_run_that_asks_waits_for_the_answer_to_its_own_question():
    async def talk() -> list[str | None]:
        box = on_node.Mailbox()
        asking = [
            asyncio.create_task(box.tell(name, Epoch(1, {"val_accuracy": 0.1}), asks=True))
            for name in ("a", "b")
        ]
        assert set(await box.take()) == {"a", "b"}
        await box.answer("nobody", "not asked")
        await box.answer("b", "too poor")
        await box.answer("a", None)
        return [await one for one in asking]

    assert asyncio.run(talk()) == [None, "too poor"]


def test_what_killed_tasks_left_is_removed_and_what_is_in_use_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, used, young, other = (
        tmp_path / f"{on_node.SCRATCH}left", tmp_path / f"{on_node.SCRATCH}used",
        tmp_path / f"{on_node.SCRATCH}young", tmp_path / "somebody-elses",
    )  # fmt: skip
    for path in (left, used, young, other):
        path.mkdir()
        (path / "file").touch()
    lock = try_lock(used / ".used")
    for path in (left, used, other):
        os.utime(path, (1, 1))
    with locked_directory(on_node.SCRATCH) as mine:
        assert mine.parent == tmp_path
        assert not left.exists()
        assert used.exists()
        assert young.exists()
        assert other.exists()
    assert not mine.exists()
    assert lock is not None
    release(lock)


@dataclass
class Nodes:
    """A connection as a pool sees it, to a cluster of so many processors that has lost the data."""

    cpus: int = 4
    own: bool = False

    def room(self, needs: connection.Needs) -> int:
        return fit(needs, {"CPU": self.cpus})

    def hand_out(self, job: Job, *_: Any) -> None:
        raise DataError(f"no data of {job.data.name}")


def launcher_on(
    nodes: Nodes, workers: int = 1, waiting: int | None = None, **settings: Any
) -> RayLauncher:
    launcher: Any = RayLauncher(waiting=waiting)
    launcher._threads, launcher._connect = 1, lambda _threads: nodes
    return begun(launcher, workers, **settings)


def run_of(job: Job) -> RayRun:
    return RayRun(job, None, "ticket", lambda: None)


@pytest.mark.parametrize(
    ("guided", "waiting", "room"),
    [(False, None, 36), (False, 2, 6), (True, None, 4), (True, 0, 4), (True, 5, 9)],
)
def test_a_search_hands_over_runs_that_wait_only_where_it_was_asked_to(
    guided: bool, waiting: int | None, room: int
):
    scheduler = SimpleNamespace() if guided else None
    assert launcher_on(Nodes(), scheduler=scheduler, waiting=waiting).room() == room
    assert launcher_on(Nodes(), scheduler=scheduler, waiting=waiting, n_jobs=3).room() == 3


def test_within_a_budget_no_run_waits_on_the_cluster():
    pool = launcher_on(Nodes(), budget_s=100.0)
    assert pool.room() == 4
    pool.config.n_jobs = 64
    assert pool.room() == 4
    pool.config.n_jobs = 2
    assert pool.room() == 2


def test_on_a_ray_of_our_own_no_more_run_than_was_said():
    assert launcher_on(Nodes(own=True), workers=2).room() == 2
    assert launcher_on(Nodes(own=True), workers=9).room() == 4


def test_fail_fast_starts_nothing_after_a_run_that_could_not_start(tmp_path: Path):
    jobs = [job_of(tmp_path, make_run(seed=seed)) for seed in range(3)]
    for fail_fast, failed in ((True, 1), (False, 3)):
        pool = launcher_on(Nodes(), fail_fast=fail_fast)
        summaries = pool.run(list(jobs))
        assert [summary.status for summary in summaries] == ["failed"] * failed
        assert "no data of mnist" in summaries[0].message


def test_what_a_node_returns_is_kept_with_the_record_last(tmp_path: Path):
    run = make_run()
    job = job_of(tmp_path, run)
    written = write_run(run, tmp_path / "written")
    files = {path.name: path.read_bytes() for path in written.iterdir()}
    pool = launcher_on(Nodes())
    answer = on_node.TaskResult(RunSummary.of(job, RunStatus.FINISHED), files=files)
    pool._take(run_of(job), answer)
    assert [summary.status for summary in pool.summaries] == ["finished"]
    assert done_summary(job)
    assert job.paths.predictions.exists()


@pytest.mark.parametrize(("late", "fails"), [("", False), (too_late(2.0), True)])
def test_a_run_that_died_on_a_node_is_repeated_unless_it_took_too_long(
    tmp_path: Path, late: str, fails: bool
):
    job = replace(job_of(tmp_path, make_run()), timeout_s=2.0)
    pool = launcher_on(Nodes(), retries=1)
    answer = on_node.TaskResult(None, died="its process was ended by SIGKILL", late=late)
    pool._take(run_of(job), answer)
    assert [summary.message for summary in pool.summaries] == [
        "RunTimeoutError: stopped after timeout_s=2 s"
    ] * fails
    assert job.paths.record.exists() is fails


def test_a_run_that_has_ended_is_unlocked_whatever_came_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ray = pytest.importorskip("ray", reason="needs the extra: pip install 'mnist-sweep[ray]'")
    job, lock = job_of(tmp_path, make_run()), ExitStack()
    assert lock.enter_context(held(job.lock))
    pool = launcher_on(Nodes())
    pool._reports = "reports"
    pool.active.append(RayRun(job, "task", "ticket", lock.close))
    monkeypatch.setattr(ray, "wait", lambda *_, **__: (["task"], ["reports"]))
    monkeypatch.setattr(ray, "get", lambda _: on_node.TaskResult(None, died="its process died"))
    pool.wait()
    assert [summary.message for summary in pool.summaries] == ["its process died"]
    assert not is_held(job.lock)
    assert pool.active == []


def test_a_task_of_ones_own_imports_no_tensorflow_on_a_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    preloaded: list[str] = []
    left: list[int] = []
    ended = SimpleNamespace(
        ended=True, summary=None, ending="", late="", release=lambda: left.append(1)
    )
    # It changes the main module of a node's process, which here is pytest's.
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    monkeypatch.setattr(on_node.processes, "start_fork_server", preloaded.append)
    monkeypatch.setattr(on_node, "WorkerProcess", lambda *_: ended)
    network = job_of(tmp_path, make_run())
    settings = {**network.settings, "task": {"_target_": "my.task"}}
    own = replace(network, point=replace(network.point, settings=settings))
    for job in (network, own):
        on_node._in_a_process(job, lambda *_: None)
    assert preloaded == [on_node.processes.PRELOAD, on_node.processes.PRELOAD_TASK]
    assert len(left) == 2


def test_what_a_task_of_ones_own_wrote_comes_back(tmp_path: Path):
    run = make_run()
    there, here = (job_of(tmp_path / place, run) for place in ("node", "home"))
    written = there.paths.files / "sub" / "notes.txt"
    written.parent.mkdir(parents=True)
    written.write_text("of the task")
    write_run(run, there.paths.directory)
    summary = RunSummary.of(here, RunStatus.FINISHED)
    answer = on_node.TaskResult(summary, files=on_node.files_of(there.paths))
    launcher_on(Nodes())._take(run_of(here), answer)
    assert (here.paths.files / "sub" / "notes.txt").read_text() == "of the task"


def test_no_data_are_sent_for_a_task_without():
    connected: Any = SimpleNamespace(own=False, _data={})
    assert connection.Connection.data(connected, NO_DATA) == []


def launcher_of(context: SweepContext, address: str | None, n_jobs: int) -> Any:
    launcher: Any = RayLauncher(address=address)
    launcher.context, launcher.config = context, OmegaConf.create({"n_jobs": n_jobs})
    return launcher


def test_a_ray_of_our_own_is_restarted_where_a_later_stage_needs_more(
    monkeypatch: pytest.MonkeyPatch,
):
    ray = pytest.importorskip("ray", reason="needs the extra: pip install 'mnist-sweep[ray]'")
    calls: list[Any] = []
    monkeypatch.setattr(ray, "init", lambda **options: calls.append(options.get("num_cpus")))
    monkeypatch.setattr(ray, "shutdown", lambda: calls.append("shutdown"))
    with SweepContext() as context:
        launcher = launcher_of(context, None, n_jobs=1)
        two = launcher._connect(2)
        assert launcher._connect(1) is two
        four = launcher._connect(4)
        assert four is not two
        assert four.own
        assert calls == [2, "shutdown", 4]
        # The next command of `resume` has a launcher of its own.
        next_one = launcher_of(context, None, n_jobs=1)
        assert next_one._connect(1) is four
    assert calls == [2, "shutdown", 4, "shutdown"]


def test_an_empty_address_starts_a_ray_of_our_own(monkeypatch: pytest.MonkeyPatch):
    ray = pytest.importorskip("ray", reason="needs the extra: pip install 'mnist-sweep[ray]'")
    addresses: list[Any] = []
    monkeypatch.setattr(ray, "init", lambda **options: addresses.append(options["address"]))
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    with SweepContext() as context:
        assert launcher_of(context, "", n_jobs=1)._connect(1).own
    assert addresses == ["local"]


def test_a_connection_to_a_cluster_is_kept_whatever_a_stage_needs(monkeypatch: pytest.MonkeyPatch):
    ray = pytest.importorskip("ray", reason="needs the extra: pip install 'mnist-sweep[ray]'")
    monkeypatch.setattr(ray, "init", lambda **_: None)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    with SweepContext() as context:
        launcher = launcher_of(context, "10.0.0.1:6379", n_jobs=1)
        cluster = launcher._connect(1)
        assert not cluster.own
        assert launcher._connect(64) is cluster


def test_a_connection_that_cannot_be_opened_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ray = pytest.importorskip("ray", reason="needs the extra: pip install 'mnist-sweep[ray]'")

    def refuse(**_options: Any) -> None:
        raise ConnectionError("no\nroute")

    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(connection, "MAX_FOLDER_LENGTH", 1000)
    with pytest.raises(UsageError, match="on this machine, but ConnectionError: no route"):
        connection.Connection(None, 1, {})
    assert list(tmp_path.iterdir()) == []
