"""A sweep as an MLflow experiment: a run each, with its parameters, metrics and files.

Exporting again adds nothing: a run is known by its run id, and is complete when it carries the hash
of its record; what an interrupted export left, and a run that was repeated, is replaced.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shlex
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mnist_sweep.errors import DirectoryError, UsageError
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.records.record import Record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.store import make_directory, to_json
from mnist_sweep.records.sweep import Sweep
from mnist_sweep.reporting.export import Exported, ExportOptions, content

RUN_ID = "mnist_sweep.run_id"
# Set last: a run without it is not whole.
RECORD = "mnist_sweep.record_sha256"
DATABASE = "mlflow.db"
ARTIFACTS = "artifacts"
_MAX_BATCH = 1000
_MAX_PARAMETERS = 100
# MLflow's own limits, the last a little below it.
_MAX_TEXT = 5000
_QUIET = {
    # MLflow reports its use to its makers, unless told not to; a sweep is nobody else's business.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Its patience with a server that does not answer is several minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}


def local_store(directory: Path) -> str:
    """The tracking URI of a store in `directory`: an SQLite database, its files beside it."""
    from sqlalchemy import URL, make_url

    path = str((directory / DATABASE).absolute())
    plain = f"sqlite:///{path}"
    if make_url(plain).database == path:
        return plain
    # A % or ? is encoded. By the driver's name, since of "sqlite:///" MLflow makes the folder too,
    # with the encoded name.
    return str(URL.create("sqlite+pysqlite", database=path))


def _folder(tracking_uri: str) -> Path | None:
    """The folder of an SQLite database; None for another store."""
    if not tracking_uri.startswith("sqlite"):
        return None
    from sqlalchemy import make_url

    return Path(make_url(tracking_uri).database or "").absolute().parent


def export(sweep: Sweep, options: ExportOptions) -> Exported:
    """Log all runs to MLflow, in an experiment that is made if it is not there.

    Raises:
        UsageError: MLflow, or what it needs for this store, is not installed.
        DirectoryError: The store cannot be reached or written.
    """
    client, uri, failures = _client(options)
    logged, run_ids = 0, list(sweep.frame["run_id"])
    try:
        place = _experiment(client, uri, options.experiment)
        known = _known(client, place)
        for record in map(sweep.record, run_ids):
            sha256 = hashlib.sha256(to_json(record).encode()).hexdigest()
            earlier = known[record.run_id]
            if any(run.data.tags.get(RECORD) == sha256 for run in earlier):
                continue
            _log(client, place, record, sweep.run_paths(record.run_id), sha256)
            for run in earlier:
                client.delete_run(run.info.run_id)
            logged += 1
    except failures as error:
        raise DirectoryError(
            f"MLflow could not store the sweep at {uri}: {_short(error)}. Check the address, or "
            f"leave out --tracking-uri for a local store; {logged} of {len(run_ids)} runs were "
            "logged, and the same command logs the rest."
        ) from error
    command = "" if uri.startswith("http") else f"mlflow ui --backend-store-uri {shlex.quote(uri)}"
    if command and find_spec("flask") is None:
        command = f"pip install mlflow && {command}"  # the extra has MLflow without its server
    return Exported(
        logged, len(run_ids) - logged, f"in experiment {options.experiment} at {uri}", command
    )


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:400]


def _client(options: ExportOptions) -> tuple[Any, str, tuple[type[Exception], ...]]:
    """A client of the store, its tracking URI, and what it may raise."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        failures: tuple[type[Exception], ...] = (MlflowException, OSError)
        tracking_uri = options.tracking_uri or local_store(options.output)
        if folder := _folder(tracking_uri):
            make_directory(folder)
            import alembic  # noqa: F401  (asked for only: MLflow's message does not name it)
            from sqlalchemy.exc import SQLAlchemyError

            failures = (*failures, SQLAlchemyError)
    except ImportError as error:
        raise UsageError(
            f"Exporting to MLflow needs packages that cannot be imported ({error}). Install them "
            "with: pip install 'mnist-sweep[mlflow]'"
        ) from error
    for library in ("mlflow", "alembic"):
        logging.getLogger(library).setLevel(logging.WARNING)
    try:
        return MlflowClient(tracking_uri, registry_uri=tracking_uri), tracking_uri, failures
    except failures as error:
        raise DirectoryError(
            f"MLflow cannot use the store {tracking_uri}: {_short(error)}. Give another "
            "--tracking-uri, such as sqlite:///mlflow.db or http://localhost:5000, or leave it out "
            "for a local one."
        ) from error


def _experiment(client: Any, tracking_uri: str, name: str) -> str:
    """The experiment's id; a new one in an SQLite store keeps its files beside the database."""
    found = client.get_experiment_by_name(name)
    if found is None:
        folder = _folder(tracking_uri)
        location = (folder / ARTIFACTS).as_uri() if folder else None
        return str(client.create_experiment(name, artifact_location=location))
    if found.lifecycle_stage != "active":
        raise UsageError(
            f"The MLflow experiment {name!r} at {tracking_uri} is deleted. Restore it there, "
            "or give another name with --experiment."
        )
    return str(found.experiment_id)


def _known(client: Any, experiment_id: str) -> dict[str, list[Any]]:
    """Runs of earlier exports by our run id."""
    known: dict[str, list[Any]] = defaultdict(list)
    token: str | None = ""
    while token is not None:
        page = client.search_runs([experiment_id], page_token=token or None)
        for run in page:
            known[run.data.tags.get(RUN_ID, "")].append(run)
        token = page.token or None
    return known


def _log(client: Any, experiment_id: str, record: Record, paths: RunPaths, sha256: str) -> None:
    from mlflow.entities import Metric, Param, RunTag

    one = content(record)
    ended_ms = round(one.ended_s * 1000)
    tags = {
        RUN_ID: record.run_id,
        "mnist_sweep.configuration_id": record.configuration_id,
        "mnist_sweep.status": record.status,
        "mnist_sweep.data": record.data.name,
        "mnist_sweep.data_sha256": record.data.sha256,
        "mnist_sweep.notice": record.data.notice,
        "mnist_sweep.git_sha": record.environment.git_sha,
        "mnist_sweep.error": record.error and f"{record.error.type}: {record.error.message}",
    }
    run_id = client.create_run(
        experiment_id, start_time=round(one.started_s * 1000), run_name=one.name,
        tags={name: text[:_MAX_TEXT] for name, text in tags.items() if text},
    ).info.run_id  # fmt: skip
    params = [Param(n, str(v)[:_MAX_TEXT]) for n, v in one.settings.items() if v is not None]
    for start in range(0, len(params), _MAX_PARAMETERS):
        client.log_batch(run_id, params=params[start : start + _MAX_PARAMETERS])
    metrics = [Metric(name, value, ended_ms, one.epochs) for name, value in one.results.items()]
    metrics += [
        Metric(name, value.value, round(value.time_s * 1000), value.step)
        for name, values in one.series.items()
        for value in values
    ]
    for start in range(0, len(metrics), _MAX_BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + _MAX_BATCH])
    for path in (paths.record, paths.predictions, paths.model, paths.log):
        if path.is_file():
            client.log_artifact(run_id, str(path))
    client.log_batch(run_id, tags=[RunTag(RECORD, sha256)])
    # A pruned run did not fail: it was stopped, which MLflow calls so.
    ended = {RunStatus.FINISHED: "FINISHED", RunStatus.PRUNED: "KILLED"}
    status = ended.get(RunStatus(record.status), "FAILED")
    client.set_terminated(run_id, status=status, end_time=ended_ms)
