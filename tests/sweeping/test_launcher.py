"""Launchers: how they are found and made, and one that is added from outside the package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from omegaconf import OmegaConf
from rich.console import Console

from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.records.sweep import load
from mnist_sweep.sweeping import app
from mnist_sweep.sweeping.context import SweepContext
from mnist_sweep.sweeping.launch import gpus, pool, processes
from mnist_sweep.sweeping.launch.pool import PoolLauncher
from mnist_sweep.sweeping.launch.progress import MAX_LINES, Progress
from mnist_sweep.sweeping.launch.stock_launchers import StockLauncher, make_launcher
from mnist_sweep.sweeping.plan.points import Plan
from mnist_sweep.sweeping.result import SweepResult

POOL = "mnist_sweep.sweeping.launch.pool.PoolLauncher"
BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"

OWN_LAUNCHER = '''
from mnist_sweep.sweeping.launch.execute import execute
from mnist_sweep.sweeping.launch.launcher import SweepLauncher

LAUNCHED = []

class InTurnLauncher(SweepLauncher):
    """Runs each job in this process."""

    def __init__(self, greeting):
        LAUNCHED.append(greeting)

    def workers(self, n_jobs, threads):
        return 1

    def start(self, job):
        LAUNCHED.append(job.label)
        self.progress.started(job)
        self.finish(job, execute(job))

    def wait(self):
        pass

    def stop(self):
        pass
'''


@pytest.fixture
def context() -> Iterator[SweepContext]:
    with SweepContext() as active:
        yield active


def made_by(target: str, **settings: Any) -> Any:
    config = OmegaConf.create(
        {
            "hydra": {"launcher": {"_target_": target}}, "n_jobs": None, "wait": True,
            "gpus": None, "runs_per_gpu": 1, **settings,
        }
    )  # fmt: skip
    hydra_context: Any = None
    return make_launcher(hydra_context, lambda _: None, config)


def test_a_launcher_of_this_program_is_made_with_the_sweeps_config(context: SweepContext):
    launcher = made_by(POOL, n_jobs=3)
    assert isinstance(launcher, PoolLauncher)
    assert launcher.config.n_jobs == 3
    assert launcher.context is context


def test_a_launcher_of_hydra_takes_all_jobs_at_once(
    context: SweepContext, monkeypatch: pytest.MonkeyPatch
):
    class Basic(Launcher):
        def setup(self, **_: Any) -> None: ...

        def launch(self, *_: Any) -> list[Any]:
            return []

    monkeypatch.setattr(Plugins, "instantiate_launcher", lambda *_, **__: Basic())
    # On a terminal, where runs that report their epochs would have a display.
    monkeypatch.setenv("FORCE_COLOR", "1")
    for name in ("CI", "JPY_PARENT_PID"):
        monkeypatch.delenv(name, raising=False)
    launcher = made_by(BASIC)
    assert isinstance(launcher, StockLauncher)
    assert launcher.context is context
    assert launcher.workers(10, 1) == 1
    shown = launcher.make_progress()
    assert shown.live is None
    assert shown.max_lines == MAX_LINES
    assert not shown.console.quiet
    assert made_by(BASIC, wait=False).make_progress().console.quiet  # the command leaves


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module.Launcher", "hydra.launcher._target_=no_such_module.Launcher: .*no_such"),
        ("builtins.dict", "makes a dict: expected a launcher"),
    ],
)
def test_what_is_no_launcher_is_refused_by_name(context: SweepContext, target: str, message: str):
    with pytest.raises(UsageError, match=message):
        made_by(target)


@pytest.mark.parametrize(
    ("n_jobs", "threads", "jobs", "expected"),
    [(None, 1, 100, 8), (None, 3, 100, 2), (None, 16, 100, 1), (4, 1, 100, 4), (4, 1, 2, 2)],
)
def test_a_pool_has_a_worker_for_each_core_that_threads_leave_or_as_many_as_asked_for(
    context: SweepContext,
    monkeypatch: pytest.MonkeyPatch,
    n_jobs: int | None,
    threads: int,
    jobs: int,
    expected: int,
):
    monkeypatch.setattr(pool, "cores", lambda: 8)
    assert made_by(POOL, n_jobs=n_jobs).workers(jobs, threads) == expected


@pytest.mark.parametrize(
    ("found", "settings", "expected"),
    [
        (3, {}, 3), (3, {"runs_per_gpu": 4}, 12), (3, {"gpus": 2}, 2), (3, {"n_jobs": 2}, 2),
        (3, {"n_jobs": 9}, 9), (3, {"gpus": 0}, 8), (0, {"runs_per_gpu": 4}, 8),
        (0, {"gpus": 0, "n_jobs": 5}, 5), (3, {"task": {"_target_": "my.task"}}, 8),
        (3, {"task": {"_target_": "my.task"}, "gpus": 2}, 2),
    ],
)  # fmt: skip
def test_a_pool_has_as_many_workers_as_fit_on_the_gpus(
    context: SweepContext,
    monkeypatch: pytest.MonkeyPatch,
    found: int,
    settings: dict[str, Any],
    expected: int,
):
    monkeypatch.setattr(pool, "cores", lambda: 8)
    monkeypatch.setattr(gpus, "visible", lambda **_: [str(i) for i in range(found)])
    assert made_by(POOL, **settings).workers(100, 1) == expected


def test_settings_of_gpus_are_refused_where_a_launcher_would_ignore_them(context: SweepContext):
    for settings in ({"gpus": 1}, {"gpus": 0}, {"runs_per_gpu": 2}):
        with pytest.raises(SettingsError, match=r"hydra\.launcher\.num_gpus"):
            made_by(BASIC, **settings)


def test_gpus_that_are_not_there_are_refused_before_anything_is_written(
    context: SweepContext, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(gpus, "visible", lambda **_: ["0"])
    with pytest.raises(SettingsError, match="gpus=2: this machine has one GPU"):
        made_by(POOL, gpus=2)
    with pytest.raises(SettingsError, match="runs_per_gpu has no effect with gpus=0"):
        made_by(POOL, gpus=0, runs_per_gpu=2)


def test_what_an_interrupted_sweep_left_in_the_queue_is_in_its_result(
    context: SweepContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    def run(self: Any, _: Any) -> None:
        self.submitted, self.not_started = ["12_0"], ["a job"]
        raise KeyboardInterrupt

    monkeypatch.setattr(PoolLauncher, "run", run)
    launcher = made_by(POOL, retries=0, fail_fast=False, budget_s=60.0)
    result = SweepResult(tmp_path, Plan([], {}))
    with pytest.raises(KeyboardInterrupt):
        launcher.launch_jobs([], result, Progress(Console(quiet=True)))
    assert (result.queued, result.used_up) == (["12_0"], 60.0)


def test_another_programs_sweeper_is_refused(context: SweepContext):
    with pytest.raises(UsageError, match="With another sweeper use hydra/launcher=basic"):
        made_by(POOL).launch([["layers=1"]], 0)


def test_without_a_context_a_launcher_says_where_it_works():
    with pytest.raises(UsageError, match="only with its own command line"):
        made_by(POOL)


@pytest.mark.slow
def test_a_launcher_from_outside_is_a_module_and_a_config_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "in_turn.py").write_text(OWN_LAUNCHER)
    folder = tmp_path / "mine" / "hydra" / "launcher"
    folder.mkdir(parents=True)
    (folder / "in_turn.yaml").write_text("_target_: in_turn.InTurnLauncher\ngreeting: hello\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(processes, "start_fork_server", lambda *_: None)
    words = ["data=digits", "layers=1,2", "nodes=4", "epochs=1", "name=own", "report=false"]
    result = app.run(["-m", *words, f"--config-dir={tmp_path / 'mine'}", "hydra/launcher=in_turn"])
    import in_turn

    # The longest run first.
    greeting, *labels = in_turn.LAUNCHED
    assert greeting == "hello"
    assert [label.partition(",")[0] for label in labels] == ["layers=2", "layers=1"]
    assert isinstance(result, SweepResult)
    assert [summary.status for summary in result.summaries] == ["finished", "finished"]
    assert len(load(tmp_path / "outputs" / "own").records) == 2
