"""Execute one job and write its record: what the worker of every launcher does.

The record is written last, whole or not at all: a run is done when its record is there.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from mnist_sweep.errors import MnistSweepError
from mnist_sweep.records import store
from mnist_sweep.records.locks import held
from mnist_sweep.records.predictions import write_predictions
from mnist_sweep.records.record import SCHEMA_VERSION, Record, build
from mnist_sweep.records.status import RunStatus
from mnist_sweep.safe_files import opened, sha256_of
from mnist_sweep.settings import Plain, epochs_of, is_task
from mnist_sweep.sweeping.launch.job import Job, Origin, RunSummary, done_summary, summary_of
from mnist_sweep.sweeping.launch.processes import WorkerDiedError
from mnist_sweep.sweeping.launch.user_code import tasks
from mnist_sweep.sweeping.launch.user_code.checks import builder, check_code
from mnist_sweep.training import small
from mnist_sweep.training.progress import History
from mnist_sweep.training.saved import verify
from mnist_sweep.training.train import Result, train

log = logging.getLogger(__name__)

WRITING = -1
"""In place of an epoch's number: the run's result is there, and is written now."""
MAX_LOG_LINES = 15
MAX_LOG_LINE_LENGTH = 300
MAX_LOG_BYTES = 2**24
# Keras prints parts of its messages in bold; a record holds plain text.
_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*m")


class Epoch(NamedTuple):
    """What a run reports: an epoch has ended, with the history's values of it by name."""

    number: int  # from 1; 0 when the run starts, `WRITING` when only its files are to be written
    figures: dict[str, float]


Report = Callable[[Epoch], str | None]
"""Is told of an epoch; a reason it returns ends the run there, as pruned."""


class RunTimeoutError(BaseException):
    """A run took too long. No `Exception`, so that a run does not catch it unawares."""


def too_late(timeout_s: float) -> str:
    """Why a run was stopped, in words."""
    return f"stopped after timeout_s={timeout_s:g} s"


def execute(job: Job, report: Report = lambda _: None) -> RunSummary:
    """Run a job, unless its record is there or another process is running it.

    Every exception becomes a failed record; only the death of the process leaves none. `report` is
    called once this process holds the run's lock, after every epoch, and before the result is
    written, for which a run has time beyond `timeout_s`.
    """
    with ExitStack() as lock:
        return claim(job, lock) or _run(job.started_now(), report)


def claim(job: Job, lock: ExitStack) -> RunSummary | None:
    """Take a run's lock and clear its directory; where it need not be run, the summary of it."""
    if not lock.enter_context(held(job.lock)):
        return RunSummary.of(job, RunStatus.MISSING, origin=Origin.BUSY)
    if done := done_summary(job):
        return done
    store.make_directory(job.paths.directory)
    store.clean_temporary(job.paths.directory)
    for path in job.paths.artefacts:
        path.unlink(missing_ok=True)  # of an attempt that left no record
    return None


def _run(job: Job, report: Report) -> RunSummary:
    history = History()

    def on_epoch(number: int, so_far: History) -> str | None:
        history.__dict__.update(so_far.__dict__)
        # A task may report some values in some epochs only.
        new = {name: one[-1] for name, one in vars(so_far).items() if len(one) == number}
        return report(Epoch(number, new))

    started = time.perf_counter()
    try:
        report(Epoch(0, {}))
        log.info("run %s: %s", job.run_id, job.label)
        check_code(job.settings, job.point.code)
        with _stopped_after(job.timeout_s):
            if is_task(job.settings):
                result = tasks.run(job, on_epoch)
            else:
                kept = small.KEEPS_PROGRAMS.set(True)
                try:
                    result = train(job.settings, job.data, builder(job.settings["model"]), on_epoch)
                finally:
                    small.KEEPS_PROGRAMS.reset(kept)
        report(Epoch(WRITING, {}))
        record = _record(job, result, time.perf_counter() - started)
        _write(job, result, record)
    except (Exception, SystemExit, RunTimeoutError) as error:  # whatever a run dies of is recorded
        log.exception("the run failed")
        return write_failure(job, error, time.perf_counter() - started, history)
    summary = summary_of(job, record)
    if summary.status is RunStatus.FINISHED:
        log.info("%s", summary.headline)
    else:
        log.warning("the run is %s: %s", summary.status, summary.message)
    return summary


@contextmanager
def _stopped_after(timeout_s: float | None) -> Iterator[None]:
    """Raise RunTimeoutError in the block once it takes longer, where signals can (not on Windows).

    Native code is not interrupted: a worker's parent ends its process then.
    """
    main = threading.current_thread() is threading.main_thread()
    if timeout_s is None or not main or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise RunTimeoutError(too_late(timeout_s))

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, timeout_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _write(job: Job, result: Result, record: Record) -> None:
    paths = job.paths
    if result.predictions is not None:
        if result.network is not None and job.settings["save_model"]:
            with store.scratch(paths.directory) as scratch:
                # Keras chooses by the name's ending how it saves, so a temporary name would not do.
                saved = scratch / "model.keras"
                result.network.save(saved)
                verify(saved, result, job.data, result.predictions)
                store.write_bytes(paths.model, saved.read_bytes())
        write_predictions(paths.predictions, result.predictions)
    # A run is done when its record is there, so all that the record vouches for is written before.
    hashes = {path.name: sha256_of(path) for path in paths.artefacts if path.exists()}
    store.write_record(paths.record, record.model_copy(update={"artefacts": hashes}))


def _record(job: Job, result: Result, total_s: float) -> Record:
    """The record of a run that finished, diverged or was pruned."""
    done = result.training
    status, error = RunStatus.FINISHED, None
    if done.diverged:
        status = RunStatus.DIVERGED
        error = {"type": "Diverged", "message": done.diverged}
    elif done.pruned:
        status = RunStatus.PRUNED
        of_all = f" of {epochs}" if (epochs := epochs_of(job.settings)) else ""
        reached = max(map(len, vars(done.history).values()), default=0)
        message = f"stopped after epoch {reached}{of_all}: {done.pruned}"
        error = {"type": "Pruned", "message": message}
    values = _head(job, status)
    values["environment"]["peak_memory_mb"] = _peak_memory_mb()
    if result.network is not None:
        from mnist_sweep.training.runtime import device

        values["environment"]["device"] = device()
    times = {name: getattr(done, name) for name in ("compile_s", "train_s", "epoch_s")}
    return build(
        {
            **values,
            "data": result.data or values["data"],
            "parameters": result.parameters,
            "history": done.history.__dict__,
            "metrics": result.metrics,
            "training": {"form": done.form, "reason": done.reason} if done.form else None,
            "time": {**times, "evaluate_s": result.evaluate_s, "total_s": total_s},
            "error": error,
        }
    )


def write_failure(
    job: Job, error: BaseException, total_s: float = 0.0, history: History | None = None
) -> RunSummary:
    """Write the record of a run that failed and return its summary; DirectoryError if it cannot."""
    # An error of this program's own says all in its message; others need their traceback.
    ours = isinstance(error, MnistSweepError) and error.__cause__ is None
    trace = None if ours else "".join(traceback.format_exception(error))
    message = _TERMINAL_CODES.sub("", str(error)).strip() or type(error).__name__
    name = type(error).__name__
    record = {
        **_head(job, RunStatus.FAILED),
        "history": (history or History()).__dict__,
        "time": {"total_s": total_s, "epoch_s": []},
        "error": {"type": name, "message": message, "traceback": trace},
    }
    store.write_record(job.paths.record, record)
    # Keras says in the first line where, and in the next what.
    lines = [line for line in message.splitlines() if line.strip()]
    return RunSummary.of(job, RunStatus.FAILED, f"{name}: {' '.join(lines[:2])}")


def _head(job: Job, status: RunStatus) -> Plain:
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": job.run_id,
        "configuration_id": job.point.configuration_id,
        "label": job.label,
        "status": status,
        "task": job.settings["task"]["_target_"] if is_task(job.settings) else None,
        "config": job.settings,
        "code": job.point.code,
        "objective": job.objective,
        "data": job.data.record_fields() if job.data.sha256 else None,
        "environment": {**job.environment, "threads": job.settings["threads"]},
    }


def _peak_memory_mb() -> float | None:
    """The most memory this process held so far, 2**20 bytes; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def death(why: str, log: Path | None = None) -> WorkerDiedError:
    """The error of a run whose process died, for its failed record: with the end of its log."""
    end = _end_of_log(log) if log else ""
    return WorkerDiedError(f"{why}\nThe end of its log:\n{end}" if end.strip() else why)


def _end_of_log(path: Path) -> str:
    """The last lines of a log, or what a crash left in it."""
    try:
        with opened(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - MAX_LOG_BYTES))
            lines = file.read(MAX_LOG_BYTES).decode("utf-8", "replace").splitlines()
    except (OSError, ValueError):
        return "(there is none)"
    # What faulthandler writes at a signal starts with the innermost line; its callers follow.
    crash = max((i for i, line in enumerate(lines) if line.startswith("Fatal Python")), default=-1)
    shown = lines[-MAX_LOG_LINES:] if crash < 0 else lines[crash : crash + MAX_LOG_LINES]
    return "\n".join(line[:MAX_LOG_LINE_LENGTH] for line in shown)
