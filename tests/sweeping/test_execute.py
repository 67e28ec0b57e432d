"""One job to its record: tried with a trainer that ends at once."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mnist_sweep.errors import DataError, ModelError
from mnist_sweep.records import predictions
from mnist_sweep.records.locks import release, try_lock
from mnist_sweep.records.record import Record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.sweeping.launch import execute as module
from mnist_sweep.sweeping.launch.execute import Epoch, execute
from mnist_sweep.sweeping.launch.job import Job, Origin, record_of
from mnist_sweep.training import runtime
from mnist_sweep.training.progress import History, OnEpoch, Training
from mnist_sweep.training.train import Result
from support.factories import make_run, write_run
from support.sweep_parts import job_of

Trainer = Callable[..., Result]


@pytest.fixture(autouse=True)
def no_tensorflow(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runtime, "device", lambda: "CPU")


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Callable[[Trainer], None]:
    return lambda trainer: monkeypatch.setattr(module, "train", trainer)


def epochs(on_epoch: OnEpoch, count: int) -> tuple[History, str | None]:
    """Train for some epochs, each better than the last; the history, and why it was stopped."""
    history = History()
    for epoch in range(1, count + 1):
        history.add((1 / epoch, 0.5), (1 / epoch, 0.5 + 0.1 * epoch))
        if reason := on_epoch(epoch, history):
            return history, reason
    return history, None


def finishes(_settings: Any, _info: Any, _build: Any, on_epoch: OnEpoch) -> Result:
    run = make_run()
    history, pruned = epochs(on_epoch, 3)
    training = Training(SimpleNamespace(), history, [0.1] * 3, 0.2, 0.3, pruned=pruned)  # type: ignore[arg-type]
    network: Any = SimpleNamespace(save=lambda path: path.write_bytes(b"network"))
    if pruned:
        return Result(training, 10, 0.0, None, None, network)
    return Result(training, 10, 0.1, run.values["metrics"], run.arrays, network)


def diverges(*_arguments: Any) -> Result:
    history = History([float("nan")], [0.1], [float("nan")], [0.1])
    training = Training(SimpleNamespace(), history, diverged="non-finite loss in epoch 1")  # type: ignore[arg-type]
    return Result(training, 10, 0.0, None, None, SimpleNamespace())  # type: ignore[arg-type]


def record(job: Job) -> Record:
    found = record_of(job)
    assert found
    return found


def test_a_run_that_finishes_leaves_its_record_its_predictions_and_its_network(
    tmp_path: Path, trained: Callable[[Trainer], None]
):
    trained(finishes)
    job, reported = job_of(tmp_path), list[Epoch]()
    summary = execute(job, reported.append)
    assert [epoch.number for epoch in reported] == [0, 1, 2, 3, module.WRITING]
    figures = {"loss": 0.5, "accuracy": 0.5, "val_loss": 0.5, "val_accuracy": 0.7}
    assert reported[2].figures == figures
    assert (summary.status, summary.origin) == (RunStatus.FINISHED, Origin.RAN)
    found = record(job)
    assert found.metrics
    assert summary.headline == f"test accuracy {found.metrics.test.accuracy:.2%}"
    assert found.config == job.settings
    assert found.environment.threads == job.settings["threads"]
    assert found.environment.started_at
    assert found.history.val_accuracy == [0.6, 0.7, 0.8]
    assert predictions.read_predictions(job.paths.predictions)
    assert job.paths.model.exists() is job.settings["save_model"]


def test_files_of_an_attempt_that_left_no_record_are_not_of_the_next(
    tmp_path: Path, trained: Callable[[Trainer], None]
):
    trained(diverges)
    job = job_of(tmp_path)
    job.paths.directory.mkdir(parents=True)
    for path in job.paths.artefacts:
        path.write_bytes(b"of another attempt")
    execute(job)
    assert not record(job).artefacts
    assert not any(path.exists() for path in job.paths.artefacts)


def test_a_value_that_an_epoch_does_not_report_is_not_sent_again(
    tmp_path: Path, trained: Callable[[Trainer], None]
):
    def reports_some_values_once(*arguments: Any) -> Result:
        on_epoch, history = arguments[-1], History()
        vars(history)["rate"] = [0.1]
        for epoch in (1, 2):
            history.add((1 / epoch, 0.5), (1 / epoch, 0.5))
            on_epoch(epoch, history)
        raise NotImplementedError

    trained(reports_some_values_once)
    reported: list[Epoch] = []
    execute(job_of(tmp_path), reported.append)
    assert [one.figures.get("rate") for one in reported] == [None, 0.1, None]
    assert [one.figures.get("loss") for one in reported] == [None, 1.0, 0.5]


@pytest.mark.parametrize("text", ["", "\n", "it was here\n", None])
def test_the_error_of_a_run_whose_process_died_has_the_end_of_its_log_if_there_is_one(
    tmp_path: Path, text: str | None
):
    log = tmp_path / "train.log"
    if text is not None:
        log.write_text(text)
    ends = {"it was here\n": "it was here", None: "(there is none)"}
    end = f"\nThe end of its log:\n{ends[text]}" if text in ends else ""
    assert str(module.death("it died", log)) == f"it died{end}"
    assert str(module.death("it died")) == "it died"


def test_a_network_that_is_saved_in_part_is_a_failed_run(
    tmp_path: Path, trained: Callable[[Trainer], None], monkeypatch: pytest.MonkeyPatch
):
    def differs(*_arguments: Any) -> None:
        raise ModelError("The saved network predicts something else")

    trained(finishes)
    monkeypatch.setattr(module, "verify", differs)
    job = job_of(tmp_path, make_run(save_model=True))
    assert execute(job).failed
    error = record(job).error
    assert error
    assert error.message == "The saved network predicts something else"
    assert not job.paths.model.exists()


def test_a_record_names_the_objective_of_its_sweep(
    tmp_path: Path, trained: Callable[[Trainer], None]
):
    trained(finishes)
    job = job_of(tmp_path, objective="test.f1_min")
    execute(job)
    assert record(job).objective == "test.f1_min"


def test_the_given_job_is_not_changed(tmp_path: Path, trained: Callable[[Trainer], None]):
    trained(finishes)
    job = job_of(tmp_path)
    before = dict(job.environment)
    execute(job)
    assert job.environment == before


def test_a_run_that_diverges_says_so_and_needs_no_second_try(
    tmp_path: Path, trained: Callable[[Trainer], None]
):
    trained(diverges)
    job = job_of(tmp_path)
    summary = execute(job)
    assert (summary.status, summary.message) == ("diverged", "non-finite loss in epoch 1")
    assert record(job).history.loss == [None]
    assert execute(job).origin is Origin.ALREADY_DONE


def test_a_run_that_is_stopped_early_keeps_its_history(
    tmp_path: Path, trained: Callable[[Trainer], None]
):
    trained(finishes)
    job = job_of(tmp_path, prune=True)
    summary = execute(job, lambda epoch: "it is behind" if epoch.number == 2 else None)
    assert summary.pruned
    assert summary.message == "stopped after epoch 2 of 20: it is behind"
    assert record(job).metrics is None
    assert not job.paths.model.exists()


@pytest.mark.parametrize(
    ("error", "message", "has_traceback"),
    [
        (ValueError("shape\n\nof x\nand y"), "ValueError: shape of x", True),
        (MemoryError(), "MemoryError: MemoryError", True),
        (SystemExit(3), "SystemExit: 3", True),
        (ValueError("\x1b[1mbold\x1b[0m"), "ValueError: bold", True),
        (DataError("the data are gone"), "DataError: the data are gone", False),
    ],
    ids=["two lines", "no text", "exit", "bold", "own"],
)
def test_whatever_a_run_raises_is_in_its_record(
    tmp_path: Path,
    trained: Callable[[Trainer], None],
    error: BaseException,
    message: str,
    has_traceback: bool,
):
    def fails(_settings: Any, _info: Any, _build: Any, on_epoch: OnEpoch) -> Result:
        epochs(on_epoch, 2)
        raise error

    trained(fails)
    job = job_of(tmp_path)
    summary = execute(job)
    assert summary.failed
    assert summary.message == message
    found = record(job)
    assert found.error
    assert found.error.type == type(error).__name__
    assert (found.error.traceback is not None) is has_traceback
    # How far it came is kept.
    assert found.history.val_accuracy == [0.6, 0.7]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no such timer")
@pytest.mark.parametrize("caught", [False, True])
def test_a_run_is_stopped_at_its_timeout(
    tmp_path: Path, trained: Callable[[Trainer], None], caught: bool
):
    def endless(_settings: Any, _info: Any, _build: Any, on_epoch: OnEpoch) -> Result:
        epochs(on_epoch, 2)
        if caught:  # as a library that goes on after any exception of the usual kind
            with suppress(Exception):
                time.sleep(600)
        time.sleep(600)
        raise NotImplementedError

    trained(endless)
    before = signal.getsignal(signal.SIGALRM)
    job = job_of(tmp_path, timeout_s=0.05)
    summary = execute(job)
    assert summary.failed
    assert summary.message == "RunTimeoutError: stopped after timeout_s=0.05 s"
    found = record(job)
    assert found.error
    assert "in endless" in str(found.error.traceback)
    assert found.history.val_accuracy == [0.6, 0.7]
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_run_that_ends_in_time_is_not_stopped(tmp_path: Path, trained: Callable[[Trainer], None]):
    trained(finishes)
    left: list[float] = []

    def report(epoch: Epoch) -> None:
        if epoch.number == module.WRITING and hasattr(signal, "setitimer"):
            left.extend(signal.getitimer(signal.ITIMER_REAL))

    assert execute(job_of(tmp_path, timeout_s=600.0), report).status == RunStatus.FINISHED
    assert not any(left), "a result must not be lost while it is written"
    if hasattr(signal, "setitimer"):
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_record_that_cannot_be_written_is_a_failed_run(
    tmp_path: Path, trained: Callable[[Trainer], None]
):
    def spoils(*arguments: Any) -> Result:
        result = finishes(*arguments)
        result.metrics = {"test": "no figures"}
        return result

    trained(spoils)
    job = job_of(tmp_path)
    assert execute(job).failed
    assert not job.paths.predictions.exists()


def test_a_run_that_another_process_holds_is_left_to_it(tmp_path: Path):
    job = job_of(tmp_path)
    lock = try_lock(job.lock)
    assert lock is not None
    summary = execute(job)
    release(lock)
    assert (summary.origin, summary.status) == (Origin.BUSY, RunStatus.MISSING)
    assert not job.paths.directory.exists()


def test_a_run_that_is_done_is_not_run(tmp_path: Path, trained: Callable[[Trainer], None]):
    def never(*_arguments: Any) -> Result:
        raise NotImplementedError

    trained(never)
    run = make_run()
    job = job_of(tmp_path, run)
    write_run(run, job.paths.directory)
    summary = execute(job)
    assert (summary.origin, summary.status) == (Origin.ALREADY_DONE, RunStatus.FINISHED)


def test_what_a_killed_writer_left_is_removed_before_the_run(
    tmp_path: Path, trained: Callable[[Trainer], None]
):
    trained(finishes)
    job = job_of(tmp_path)
    left = job.paths.directory / ".record.json.0123456789abcdef.partial"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    execute(job)
    assert not left.exists()


def test_the_log_says_what_ran_and_how_it_ended(
    tmp_path: Path, trained: Callable[[Trainer], None], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    trained(finishes)
    job = job_of(tmp_path)
    execute(job)
    assert f"run {job.run_id}: {job.label}" in caplog.text
    assert "test accuracy 9" in caplog.text
