"""One job from its description to its record: what every launcher's worker does.

A job is a mapping of plain values, so it crosses processes and machines as it is. The record is
written last, whole or not at all: a run is done when its record is there.
"""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hydra.utils
from hydra.errors import HydraException

from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import DirectoryError, MnistSweepError, ModelError
from mnist_sweep.records import store
from mnist_sweep.records.collect import read_record
from mnist_sweep.records.locks import release, try_lock
from mnist_sweep.records.paths import RunPaths, SweepPaths
from mnist_sweep.records.record import SCHEMA_VERSION, Record
from mnist_sweep.settings import Plain
from mnist_sweep.sweeping.plan.points import Point
from mnist_sweep.training import train as training
from mnist_sweep.training.progress import History, OnEpoch, ignore

log = logging.getLogger(__name__)

_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*m")
"""Keras prints parts of its messages in bold, which a record is no place for."""

DONE = ("finished", "diverged")
"""Statuses that running again would not change."""


def make_job(point: Point, info: DatasetInfo, directory: Path, environment: Plain) -> Plain:
    """The description of a run: plain values, all that a worker needs.

    Args:
        point: What to run.
        info: Its prepared data.
        directory: The sweep's.
        environment: Of the sweep.
    """
    return {
        "run_id": point.run_id,
        "configuration_id": point.configuration_id,
        "label": point.label,
        "settings": point.settings,
        "overrides": point.overrides,
        "data": info.to_dict(),
        "directory": str(SweepPaths(directory).run(point.label, point.run_id).directory),
        "lock": str(SweepPaths(directory).lock(point.run_id)),
        "environment": {**environment, "workers": 1},
        "rerun_failed": True,
        "prune": False,
    }


def _nothing() -> None:
    """An `on_start` that does nothing."""


def execute(
    job: Plain, on_epoch: OnEpoch = ignore, on_start: Callable[[], None] = _nothing
) -> Plain:
    """Carry a job out, unless it is done or somebody else is at it.

    Every exception becomes a failed record; only the death of the process leaves none.

    Args:
        job: See `make_job`.
        on_epoch: Called after every epoch; a reason it returns ends the run there, as pruned.
        on_start: Called once the run is this process's own, before it starts.

    Returns:
        `outcome`: finished, failed, diverged or pruned for a run carried out here, "done" where its
        record was there already, "busy" where another process holds its lock; `run_id`, `label`,
        `message`, and where there are any `accuracy` (test, of a pruned run validation) and
        `total_s`.
    """
    lock = try_lock(Path(job["lock"]))
    if lock is None:
        return {"run_id": job["run_id"], "label": job["label"], "outcome": "busy", "message": ""}
    try:
        if settled(job):
            return summary(job, "done", "")
        store.make_directory(Path(job["directory"]))
        store.clean_temporary(Path(job["directory"]))
        return _carry_out(job, on_epoch, on_start)
    finally:
        release(lock)


def status_of(job: Plain) -> str | None:
    """The status of the job's record, or None where there is none that can be read."""
    record = record_of(job)
    return record.status if record else None


def failed_at(job: Plain) -> str | None:
    """When the run of the job's failed record started; None where there is no such record."""
    record = record_of(job)
    return str(record.environment.started_at) if record and record.status == "failed" else None


def settled(job: Plain) -> bool:
    """Whether there is a record that is not to be replaced.

    A failed run is tried again once by a sweep that asks for it, and so not where the record came
    after the sweep was planned: then another sweep beside this one has just tried. A pruned run
    stands only where a job may be pruned itself; any other wants the whole run.
    """
    status = status_of(job)
    if status == "pruned":
        return bool(job.get("prune"))
    if status != "failed" or not job["rerun_failed"]:
        return status is not None
    return "failed_at" in job and job["failed_at"] != failed_at(job)


def recorded(job: Plain) -> Plain | None:
    """The summary of a run from its record, or None where there is none that can be read."""
    record = record_of(job)
    if record is None:
        return None
    message = record.error.message if record.error else None
    told = summary(job, record.status, message or "")
    if record.status == "pruned" and record.time:
        accuracy = record.history.val_accuracy[-1]
        return told | {"accuracy": accuracy, "total_s": record.time.total_s}
    if record.metrics and record.time:
        told |= {"accuracy": record.metrics.test.accuracy, "total_s": record.time.total_s}
    return told


def record_of(job: Plain) -> Record | None:
    """The job's record, or None where there is none that can be read."""
    try:
        record = read_record(RunPaths(job["directory"]).record)
    except DirectoryError:
        return None
    return record if record.run_id == job["run_id"] else None


def _carry_out(job: Plain, on_epoch: OnEpoch, on_start: Callable[[], None]) -> Plain:
    settings = job["settings"]
    history = History()

    def watch(epoch: int, so_far: History) -> str | None:
        history.__dict__.update(so_far.__dict__)
        return on_epoch(epoch, so_far)

    started = time.perf_counter()
    job["environment"]["started_at"] = datetime.now(UTC).isoformat(timespec="milliseconds")
    try:
        on_start()
        log.info("run %s: %s", job["run_id"], job["label"])
        info = DatasetInfo.from_dict(job["data"])
        result = training.train(settings, info, builder(settings["model"]), watch)
        record = _record(job, result, time.perf_counter() - started)
        _write(job, result, record)
    except (Exception, SystemExit) as error:  # whatever a run dies of belongs in its record
        log.exception("the run failed")
        return record_failure(job, error, history, time.perf_counter() - started)
    metrics = record["metrics"]
    if record["status"] == "pruned":
        log.info("the run was %s", record["error"]["message"])
        return recorded(job) or summary(job, "pruned", record["error"]["message"])
    if metrics is None:
        log.error("the run diverged: %s", record["error"]["message"])
        return summary(job, "diverged", record["error"]["message"])
    log.info("test accuracy %.4f, validation %.4f", *(metrics[s]["accuracy"] for s in _SPLITS))
    return {
        **summary(job, "finished", ""),
        "accuracy": metrics["test"]["accuracy"],
        "metrics": {split: _scalars(metrics[split]) for split in metrics},
        "total_s": record["time"]["total_s"],
    }


_SPLITS = ("test", "validation")


def _scalars(values: Plain) -> Plain:
    return {key: value for key, value in values.items() if isinstance(value, float)}


def record_failure(job: Plain, error: BaseException, history: History, total_s: float) -> Plain:
    """Write a failed record and return its summary."""
    told = isinstance(error, MnistSweepError) and error.__cause__ is None
    message = _TERMINAL_CODES.sub("", str(error)).strip() or type(error).__name__
    failure = {
        "type": type(error).__name__,
        "message": message,
        "traceback": None if told else "".join(traceback.format_exception(error)),
    }
    record = {
        **_head(job, "failed"),
        "history": history.__dict__,
        "time": {"total_s": total_s, "epoch_s": []},
        "error": failure,
    }
    store.write_record(RunPaths(job["directory"]).record, record)
    # Keras says in the first line where, and in the next what.
    lines = [line for line in message.splitlines() if line.strip()]
    return summary(job, "failed", f"{failure['type']}: {' '.join(lines[:2])}")


def builder(model: Plain) -> Callable[[tuple[int, ...], int], Any]:
    """The function that builds a network of some data's shape, found by Hydra's `_target_`.

    The builder raises ModelError where the target cannot be imported or called so.
    """

    def build(input_shape: tuple[int, ...], classes: int) -> Any:
        try:
            return hydra.utils.instantiate(
                model, input_shape=list(input_shape), classes=classes, _convert_="all"
            )
        except HydraException as error:
            raise ModelError(
                f"model._target_={model['_target_']} cannot build a network: {_cause(error)}. "
                "Expected a function build(input_shape, classes, …) in a module that Python can "
                "import, which takes the settings under model"
                f"{_without(model)}."
            ) from error

    return build


def _cause(error: HydraException) -> str:
    cause = error.__cause__ or error
    lines = [line.strip() for line in str(cause).splitlines()[:2]]
    text = " ".join(lines).rstrip(".")
    return text if isinstance(cause, HydraException) else f"{type(cause).__name__}: {text}"


def _without(model: Plain) -> str:
    """The settings under `model`, and the way to leave one out."""
    names = [key for key in model if key != "_target_"]
    return f" ({', '.join(names)}; leave one out with ~model.{names[0]})" if names else ""


def _head(job: Plain, status: str) -> Plain:
    return {
        "schema_version": SCHEMA_VERSION,
        **{key: job[key] for key in ("run_id", "configuration_id", "label")},
        "status": status,
        "config": job["settings"],
        "data": DatasetInfo.from_dict(job["data"]).record_fields(),
        "environment": {**job["environment"], "threads": job["settings"]["threads"]},
        "parameters": None,
        "metrics": None,
        "error": None,
    }


def _record(job: Plain, result: training.Result, total_s: float) -> Plain:
    done = result.training
    record = {
        **_head(job, "diverged" if done.diverged else "pruned" if done.pruned else "finished"),
        "parameters": result.parameters,
        "history": done.history.__dict__,
        "metrics": result.metrics,
        "time": {
            "compile_s": done.compile_s,
            "train_s": done.train_s,
            "evaluate_s": result.evaluate_s,
            "total_s": total_s,
            "epoch_s": done.epoch_s,
        },
    }
    from mnist_sweep.training.runtime import device

    record["environment"] |= {"device": device(), "peak_memory_mb": _peak_memory_mb()}
    if done.diverged:
        record["error"] = {"type": "Diverged", "message": done.diverged, "traceback": None}
    elif done.pruned:
        epoch, epochs = len(done.history.loss), job["settings"]["epochs"]
        message = f"stopped after epoch {epoch} of {epochs}: {done.pruned}"
        record["error"] = {"type": "Pruned", "message": message, "traceback": None}
    return record


def _peak_memory_mb() -> float | None:
    """The most memory this process held so far, 2**20 bytes; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def _write(job: Plain, result: training.Result, record: Plain) -> None:
    paths = RunPaths(job["directory"])
    if result.predictions is not None:
        store.write_predictions(paths.predictions, result.predictions)
        if job["settings"]["save_model"]:
            with store.scratch(paths.directory) as scratch:
                saved = scratch / "model.keras"
                result.network.save(saved)
                store.write_bytes(paths.model, saved.read_bytes())
    store.write_record(paths.record, record)


def summary(job: Plain, outcome: str, message: str) -> Plain:
    """What a worker tells of a run that came to an end."""
    return {
        "run_id": job["run_id"],
        "label": job["label"],
        "outcome": outcome,
        "message": message,
    }
