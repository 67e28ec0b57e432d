"""A sweep as an MLflow experiment: a run each, with its parameters, metrics and files.

Exporting again adds nothing: a run is known by its run id, and is complete when it carries the hash
of its record; what an interrupted export left, and a run that was repeated, is replaced.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_sweep.errors import DirectoryError, UsageError
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.store import make_directory, to_json
from mnist_sweep.reporting.export import Exported, ExportOptions
from mnist_sweep.reporting.export.content import Content, content

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mnist_sweep.records.paths import RunPaths
    from mnist_sweep.records.record import Record
    from mnist_sweep.records.sweep import Sweep

RUN_ID = "mnist_sweep.run_id"
RECORD = "mnist_sweep.record_sha256"
"""Set last: a run without it is not whole."""
DATABASE = "mlflow.db"
ARTIFACTS = "artifacts"
_SQLITE = "sqlite:///"
_MAX_BATCH = 1000
_MAX_PARAMETERS = 100
_MAX_TEXT = 5000
"""MLflow's own limits, the last a little below it."""
_QUIET = {
    # MLflow reports its use to its makers, unless told not to; a sweep is nobody else's business.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Its patience with a server that does not answer is several minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}


def local_store(directory: Path) -> str:
    """The tracking URI of a store in `directory`: an SQLite database, its files beside it."""
    return f"{_SQLITE}{(directory / DATABASE).absolute()}"


def export(sweep: Sweep, options: ExportOptions) -> Exported:
    """Log all runs to MLflow, in an experiment that is made if it is not there.

    Args:
        sweep: The runs, finished or not.
        options: `tracking_uri` is any that MLflow knows: sqlite:///FILE, http://HOST:PORT.

    Raises:
        UsageError: MLflow, or what it needs for this store, is not installed.
        DirectoryError: The store cannot be reached or written.
    """
    uri = options.tracking_uri or local_store(options.output)
    client, failures = _client(uri)
    logged, run_ids = 0, list(sweep.frame["run_id"])
    try:
        place = _experiment(client, uri, options.experiment)
        known = _known(client, place)
        for record in map(sweep.record, run_ids):
            sha256 = fingerprint(record)
            earlier = known.get(record.run_id, [])
            if any(run.data.tags.get(RECORD) == sha256 for run in earlier):
                continue
            _log(client, place, record, sweep.run_paths(record.run_id), sha256)
            for run in earlier:
                client.delete_run(run.info.run_id)
            logged += 1
    except failures as error:
        reason = " ".join(str(error).split())[:400]
        raise DirectoryError(
            f"MLflow could not store the sweep at {uri}: {reason}. Check the address, or "
            f"leave out --tracking-uri for a local store; {logged} of {len(run_ids)} runs were "
            "logged, and the same command logs the rest."
        ) from error
    command = "" if uri.startswith("http") else f"mlflow ui --backend-store-uri {shlex.quote(uri)}"
    if command and find_spec("flask") is None:
        command = f"pip install mlflow && {command}"  # the extra has MLflow without its server
    return Exported(
        logged, len(run_ids) - logged, f"in experiment {options.experiment} at {uri}", command
    )


def fingerprint(record: Record) -> str:
    """SHA-256 of a record, which differs if the run was repeated."""
    return hashlib.sha256(to_json(record).encode()).hexdigest()


def _client(tracking_uri: str) -> tuple[Any, tuple[type[Exception], ...]]:
    """A client of the store, and what it may raise."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    if tracking_uri.startswith(_SQLITE):
        make_directory(Path(tracking_uri.removeprefix(_SQLITE)).parent)
    try:
        import mlflow
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        if "://" in tracking_uri and tracking_uri.startswith("sqlite"):
            import alembic
            import sqlalchemy  # noqa: F401  (asked for only: MLflow's message names neither)

            logging.getLogger(alembic.__name__).setLevel(logging.WARNING)
    except ImportError as error:
        raise UsageError(
            f"Exporting to MLflow needs packages that cannot be imported ({error}). Install them "
            "with: pip install 'mnist-sweep[mlflow]'"
        ) from error
    logging.getLogger(mlflow.__name__).setLevel(logging.WARNING)
    failures = (MlflowException, OSError, *_database_errors(tracking_uri))
    try:
        return MlflowClient(tracking_uri, registry_uri=tracking_uri), failures
    except failures as error:
        reason = " ".join(str(error).split())[:400]
        raise DirectoryError(
            f"MLflow cannot use the store {tracking_uri}: {reason}. Give another --tracking-uri, "
            "such as sqlite:///mlflow.db or http://localhost:5000, or leave it out for a local one."
        ) from error


def _database_errors(tracking_uri: str) -> tuple[type[Exception], ...]:
    if not tracking_uri.startswith("sqlite"):
        return ()
    from sqlalchemy.exc import SQLAlchemyError

    return (SQLAlchemyError,)


def _experiment(client: Any, tracking_uri: str, name: str) -> str:
    """The experiment's id; a new one in an SQLite store keeps its files beside the database."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage != "active":
            raise UsageError(
                f"The MLflow experiment {name!r} at {tracking_uri} is deleted. Restore it there, "
                "or give another name with --experiment."
            )
        return str(found.experiment_id)
    location = None
    if tracking_uri.startswith(_SQLITE):
        folder = Path(tracking_uri.removeprefix(_SQLITE)).absolute().parent
        location = (folder / ARTIFACTS).as_uri()
    return str(client.create_experiment(name, artifact_location=location))


def _known(client: Any, experiment_id: str) -> dict[str, list[Any]]:
    """Runs of earlier exports by our run id."""
    known: dict[str, list[Any]] = {}
    for run in _all_runs(client, experiment_id):
        run_id = run.data.tags.get(RUN_ID)
        if run_id:
            known.setdefault(run_id, []).append(run)
    return known


def _all_runs(client: Any, experiment_id: str) -> Iterator[Any]:
    token = None
    while True:
        page = client.search_runs([experiment_id], max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _log(client: Any, experiment_id: str, record: Record, paths: RunPaths, sha256: str) -> None:
    from mlflow.entities import Param, RunTag

    one = content(record)
    tags = {RUN_ID: record.run_id, **_tags(record)}
    run = client.create_run(
        experiment_id, start_time=round(one.started_s * 1000), tags=tags, run_name=one.name
    )
    run_id = run.info.run_id
    parameters = [
        Param(name, str(value)[:_MAX_TEXT])
        for name, value in one.settings.items()
        if value is not None
    ]
    for start in range(0, len(parameters), _MAX_PARAMETERS):
        client.log_batch(run_id, params=parameters[start : start + _MAX_PARAMETERS])
    metrics = _metrics(one)
    for start in range(0, len(metrics), _MAX_BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + _MAX_BATCH])
    for path in (paths.record, paths.predictions, paths.model, paths.log):
        if path.is_file():
            client.log_artifact(run_id, str(path))
    client.log_batch(run_id, tags=[RunTag(RECORD, sha256)])
    # A pruned run did not fail: it was stopped, which MLflow calls so.
    ended = {RunStatus.FINISHED: "FINISHED", RunStatus.PRUNED: "KILLED"}
    status = ended.get(RunStatus(record.status), "FAILED")
    client.set_terminated(run_id, status=status, end_time=round(one.ended_s * 1000))


def _tags(record: Record) -> dict[str, str]:
    tags = {
        "mnist_sweep.configuration_id": record.configuration_id,
        "mnist_sweep.status": record.status,
        "mnist_sweep.data": record.data.name,
        "mnist_sweep.data_sha256": record.data.sha256,
        "mnist_sweep.notice": record.data.notice or "",
        "mnist_sweep.git_sha": record.environment.git_sha or "",
        "mnist_sweep.error": f"{record.error.type}: {record.error.message}" if record.error else "",
    }
    return {name: text[:_MAX_TEXT] for name, text in tags.items() if text}


def _metrics(one: Content) -> list[Any]:
    from mlflow.entities import Metric

    ended_ms = round(one.ended_s * 1000)
    final = [Metric(name, value, ended_ms, one.epochs) for name, value in one.results.items()]
    return final + [
        Metric(name, value.value, round(value.time_s * 1000), value.step)
        for name, values in one.series.items()
        for value in values
    ]
