"""Whether what lies in a run's directory belongs together.

A record ends with a hash of its own text (its seal) and names the hash of each file that the run
left beside it, so any later change of any of them is noticed. Records of earlier versions have
neither. Of these the run id must follow from the settings, the metrics from the confusion
matrices, and the confusion matrices from the predictions.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from mnist_sweep.errors import DirectoryError
from mnist_sweep.metrics import (
    HELD_OUT,
    VALIDATION,
    Metric,
    confusion_matrix,
    counts_of,
    definitions,
)
from mnist_sweep.records.status import RunStatus
from mnist_sweep.safe_files import sha256_of
from mnist_sweep.settings import MLP_KEYS, MLP_TARGET, canonical, configuration_id, run_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mnist_sweep.records.record import Record

_MARK = ',\n  "sha256": "'
_END = '"\n}\n'
_COMPARED = ("accuracy", "precision", "recall", "f1", "f1_min")
"""Metrics of every network's record, whichever version wrote it."""
_TOLERANCE = 1e-9


def sealed(values: Mapping[str, Any]) -> str:
    """A record as JSON text: one line per field, and at the end the hash of these lines."""
    lines = [
        f"  {json.dumps(key)}: {json.dumps(value, allow_nan=False, ensure_ascii=False)}"
        for key, value in values.items()
        if key != "sha256"
    ]
    text = ",\n".join(lines)
    return f"{{\n{text}{_MARK}{hashlib.sha256(text.encode()).hexdigest()}{_END}"


def is_sealed(read: bytes) -> bool:
    """Whether a file's bytes are those of a record just as it was written."""
    text, mark, digest = read.removeprefix(b"{\n").rpartition(_MARK.encode())
    return bool(mark) and digest == f"{hashlib.sha256(text).hexdigest()}{_END}".encode()


def check_content(record: Record, values: Mapping[str, Any]) -> None:
    """Check a record whose file is not as it was written: `values` are those in the file.

    Raises:
        ValueError: Its content was changed or, where it has no seal, contradicts itself.
    """
    if record.sha256 is None:
        _check_ids(record, values.get("configuration_id"))
        _check_metrics(record)
    elif not sealed(values).endswith(f"{_MARK}{record.sha256}{_END}"):  # more than white space
        raise ValueError("changed after it was written: it does not have the sha256 that it names")


def check_artefact(record: Record, path: Path) -> os.stat_result | None:
    """Check one file beside a record; its status, or None where there is no such file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not the one that the record speaks of.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
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
        ids = {(run_id(form), configuration_id(form)) for form in forms}
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
        for name in _COMPARED:
            # How classes without examples count has changed over the versions.
            if name in found.values and (name == "accuracy" or counts[0].all()):
                value = Metric(known[name], split).compute(*counts)
                _compare(f"metrics.{split}.{name}", found.values[name], value)
        for name in ("precision", "recall", "f1", "support"):
            of_class = known[name].class_values if name in known else None
            values = of_class(*counts) if of_class else counts[0]
            for k, entry in enumerate(found.per_class):
                _compare(f"metrics.{split}.per_class.{k}.{name}", getattr(entry, name), values[k])


def _compare(place: str, stated: Any, counted: Any) -> None:
    if abs(float(stated) - float(counted)) > _TOLERANCE:
        raise ValueError(
            f"{place} is {stated:.6g}, but the confusion matrix gives {float(counted):.6g}"
        )


def _check_predictions(record: Record, path: Path) -> None:
    """Whether predictions are of a record's data and give its confusion matrices."""
    from mnist_sweep.records.predictions import read_arrays

    try:
        arrays = read_arrays(path)
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
