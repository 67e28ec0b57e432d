"""One run's record and the files beside it: read strictly, and only if they belong together.

`read_run` is the one way from a run's directory to its record. A record ends with a hash of its own
text (its seal) and names the hash of each file that the run left beside it, so any later change of
any of them is noticed. Records of earlier versions have neither. Of these the run id must follow
from the settings, the metrics from the confusion matrices, and the confusion matrices from the
predictions.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from mnist_sweep.errors import DirectoryError
from mnist_sweep.metrics import (
    HELD_OUT,
    VALIDATION,
    Metric,
    confusion_matrix,
    counts_of,
    definitions,
)
from mnist_sweep.records.paths import CHECKED, RunPaths
from mnist_sweep.records.record import SCHEMA_VERSION, SEALED, Record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.store import is_sealed, seal
from mnist_sweep.safe_files import content, refuse_newer, sha256_of, strict_json
from mnist_sweep.settings import MLP_KEYS, MLP_TARGET, canonical, configuration_id
from mnist_sweep.settings import run_id as run_id_of

# Metrics of every network's record, whichever version wrote it.
_COMPARED = ("accuracy", "precision", "recall", "f1", "f1_min")
_TOLERANCE = 1e-9


class Unread(NamedTuple):
    """Why a run's directory gave no record.

    `kind` is stray for a file that is no run's directory at all, begun where there is no record
    (yet), and problem for a record, or another file of the run, that cannot be used; `file` is
    that file's name.
    """

    kind: str
    reason: str
    file: str


def read_run(
    paths: RunPaths, run_id: str | None = None
) -> tuple[Record, list[os.stat_result | None]] | Unread:
    """A run's record, if it is whole and the files beside it are those of which it speaks.

    Args:
        paths: Of the run.
        run_id: Whose record it must be; None takes any.

    Returns:
        The record, and the status of it and of each of `RunPaths.artefacts` before it was read,
        None where there is no such file; or why the record cannot be used.
    """
    file, *artefacts = [f"{paths.directory}{ending}" for ending in CHECKED]
    statuses: list[os.stat_result | None] = []
    try:
        read, status = content(file)
        record = parse(read, run_id)
        statuses.append(status)
        for file in artefacts:
            statuses.append(_check_artefact(record, file))
    except (OSError, ValueError) as error:
        kind = "problem"
        if not statuses and isinstance(error, (FileNotFoundError, NotADirectoryError)):
            kind = "begun" if isinstance(error, FileNotFoundError) else "stray"
        return Unread(kind, reason(error), Path(file).name)
    return record, statuses


def read_record(path: Path) -> Record:
    """The record at `path`, read as `read_run` does.

    Raises:
        DirectoryError: It is missing, or it or a file beside it cannot be used; the text says why.
    """
    found = read_run(RunPaths(path.parent))
    if isinstance(found, Unread):
        place = path.parent / found.file
        raise DirectoryError(f"Expected a run's record at {path}, but {place}: {found.reason}.")
    return found[0]


def parse(read: bytes, run_id: str | None = None) -> Record:
    """The record in a file's bytes, of run `run_id` if that is given.

    Raises:
        ValueError: They hold no valid record, or one that was changed after it was written;
            `reason` puts it into words.
    """
    # pydantic's parser takes NaN for a number, and of two values of one key the last. A sealed
    # record was written by this program, so it is parsed once.
    values = None if is_sealed(read) else strict_json(read)
    try:
        record = Record.model_validate_json(read, context=SEALED if values is None else None)
    except ValidationError:
        values = strict_json(read) if values is None else values
        if isinstance(values, dict):  # a newer one may look different
            refuse_newer(values, SCHEMA_VERSION)
        raise
    if run_id not in (None, record.run_id):
        raise ValueError(f"holds run {record.run_id}, not the one its directory is named after")
    if values is None:
        return record
    if record.sha256 is None:
        _check_ids(record, values.get("configuration_id"))
        _check_metrics(record)
    elif seal(values)[1] != record.sha256:  # changed in more than white space
        raise ValueError("changed after it was written: it does not have the sha256 that it names")
    return record


def _check_artefact(record: Record, file: str) -> os.stat_result | None:
    """Check one file beside a record; its status, or None where there is no such file."""
    try:
        status = os.stat(file)  # noqa: PTH116  (a path costs as much as the call)
    except FileNotFoundError:
        return None
    path = Path(file)
    if record.status != RunStatus.FINISHED:
        return status  # of an earlier attempt: nothing that is shown comes from it
    expected = record.artefacts.get(path.name)
    if expected is not None:
        if sha256_of(path) != expected:
            raise ValueError("not the file that the run wrote: its sha256 is not the record's")
    elif record.sha256 is not None:
        raise ValueError("not a file of this run: the record does not name it")
    elif path.suffix == ".npz":
        _check_predictions(record, path)
    return status


def _check_ids(record: Record, configuration: str | None) -> None:
    """Whether run id and configuration id (if any) follow from settings, data and code."""
    if record.task is not None:
        return
    try:
        model, data = record.config["model"], record.config["data"]
        # Tables show the keys at the top, and the run id is made of the model's.
        own = MLP_KEYS if model["_target_"] == MLP_TARGET else ()
        differ = any(record.config[key] != model[key] for key in own)
        kept = {name: data[name] for name in ("validation_fraction", "split_seed")}
        forms = [
            canonical(
                record.config,
                {"sha256": record.data.sha256, **kept, "test_fraction": fraction},
                record.code.sha256 if record.code else None,
            )
            for fraction in (None, data["test_fraction"])  # None: the data's own test split
        ]
        ids = {(run_id_of(form), configuration_id(form)) for form in forms}
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise ValueError("config: not the settings of a run") from error
    if record.run_id not in {own for own, _ in ids} or differ:
        raise ValueError(f"settings and data are not those of run {record.run_id}")
    if configuration and (record.run_id, configuration) not in ids:
        raise ValueError(f"settings are not those of configuration {configuration}")


def _check_metrics(record: Record) -> None:
    """Whether a record's metrics follow from its confusion matrices."""
    known = definitions()
    for split in HELD_OUT:
        found = getattr(record.metrics, split, None)
        if found is None or not found.confusion:
            continue
        counts = counts_of(found.confusion)
        n = record.data.n_validation if split == VALIDATION else record.data.n_test
        if counts[0].sum() != n:
            raise ValueError(f"metrics.{split}: {counts[0].sum():.0f} examples, not {n}")
        pairs: dict[str, tuple[Any, Any]] = {}
        for name in _COMPARED:
            # How classes without examples count has changed over the versions.
            if name in found.values and (name == "accuracy" or counts[0].all()):
                pairs[name] = found.values[name], Metric(known[name], split).compute(*counts)
        for name in ("precision", "recall", "f1", "support"):
            of_class = known[name].class_values if name in known else None
            values = of_class(*counts) if of_class else counts[0]
            for k, entry in enumerate(found.per_class):
                pairs[f"per_class.{k}.{name}"] = getattr(entry, name), values[k]
        for place, (stated, counted) in pairs.items():
            if abs(float(stated) - float(counted)) > _TOLERANCE:
                raise ValueError(
                    f"metrics.{split}.{place} is {stated:.6g}, but the confusion matrix gives "
                    f"{float(counted):.6g}"
                )


def _check_predictions(record: Record, path: Path) -> None:
    """Whether predictions are of a record's data and give its confusion matrices."""
    from mnist_sweep.records.predictions import read_arrays

    try:
        arrays: Mapping[str, Any] = read_arrays(path)
    except DirectoryError as error:
        raise ValueError(f"cannot be read: {error.__cause__}") from error
    if str(arrays["data_sha256"]) != record.data.sha256:
        raise ValueError("of other data than the record")
    for split in HELD_OUT:
        confusion = getattr(record.metrics, split).confusion
        true, predicted = arrays[f"{split}_true"], arrays[f"{split}_predicted"]
        classes = len(confusion)
        if not classes:
            continue
        if max(true.max(initial=0), predicted.max(initial=0)) >= classes:
            raise ValueError(f"{split}: expected classes between 0 and {classes - 1}")
        if confusion_matrix(true, predicted, classes).tolist() != confusion:
            raise ValueError(f"not this run's: the record's confusion matrix of {split} is another")


_REASONS: dict[type[Exception], str] = {
    IsADirectoryError: "a directory stands in its place",
    UnicodeDecodeError: "not UTF-8 text",
    RecursionError: "nested too deeply",
}


def reason(error: Exception) -> str:
    """One short line about why a file could not be taken."""
    if isinstance(error, ValidationError):
        first, *others = error.errors(include_url=False, include_input=False, include_context=False)
        place = ".".join(map(str, first["loc"]))
        said = first["msg"].replace("Extra inputs are not permitted", "no such field")
        text = f"{place}: {said}" if place else said
        text = text.replace("Value error, ", "").replace("Invalid JSON:", "not valid JSON:")
        more = f" (and {len(others)} more)" if others else ""
        return " ".join(text.split())[:300] + more
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON: {error}"
    if isinstance(error, OSError) and not isinstance(error, IsADirectoryError):
        return f"cannot be read: {error.strerror or error}"
    return _REASONS.get(type(error), str(error)[:300])
