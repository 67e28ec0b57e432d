"""One run's record and the files beside it: read strictly, and only if they belong together."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.integrity import check_artefact, check_content, is_sealed
from mnist_sweep.records.record import SEALED, Record
from mnist_sweep.safe_files import content, strict_json

if TYPE_CHECKING:
    from pathlib import Path

    from mnist_sweep.records.paths import RunPaths


class Unread(NamedTuple):
    """Why a run's directory gave no record.

    `kind` is stray for a file that is no run's directory at all, begun where there is no record
    (yet), and problem for a record, or another file of the run, that cannot be used; `file` is
    that file's name.
    """

    kind: str
    reason: str
    file: str


def read_record(path: Path) -> Record:
    """Read one record strictly, without a look at the files beside it.

    Raises:
        DirectoryError: The file is missing or is not a whole, valid record; the text says why.
    """
    try:
        return parse(content(path)[0])
    except (OSError, ValueError) as error:
        raise DirectoryError(f"Expected a run's record at {path}: {reason(error)}.") from error


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
    file, statuses = paths.record, list[os.stat_result | None]()
    try:
        read, status = content(file)
        record = parse(read, run_id)
        statuses.append(status)
        for file in paths.artefacts:
            statuses.append(check_artefact(record, file))
    except (OSError, ValueError) as error:
        kind = "problem"
        if not statuses and isinstance(error, (FileNotFoundError, NotADirectoryError)):
            kind = "begun" if isinstance(error, FileNotFoundError) else "stray"
        return Unread(kind, reason(error), file.name)
    return record, statuses


def parse(read: bytes, run_id: str | None = None) -> Record:
    """The record in a file's bytes.

    Args:
        read: The bytes.
        run_id: Whose record it must be; None takes any.

    Raises:
        ValueError: They hold no valid record, or one that was changed after it was written;
            `reason` puts it into words.
    """
    # pydantic's parser takes NaN for a number, and of two values of one key the last.
    values = None if is_sealed(read) else strict_json(read)
    record = Record.model_validate_json(read, context=SEALED if values is None else None)
    if run_id not in (None, record.run_id):
        raise ValueError(f"holds run {record.run_id}, not the one its directory is named after")
    if values is not None:
        check_content(record, values)
    return record


def reason(error: Exception) -> str:  # noqa: PLR0911  (one return per kind of error)
    """One short line about why a file could not be taken."""
    if isinstance(error, ValidationError):
        first, *others = error.errors(include_url=False, include_input=False, include_context=False)
        place = ".".join(map(str, first["loc"]))
        said = first["msg"].replace("Extra inputs are not permitted", "no such field")
        text = f"{place}: {said}" if place else said
        text = text.replace("Value error, ", "").replace("Invalid JSON:", "not valid JSON:")
        more = f" (and {len(others)} more)" if others else ""
        return " ".join(text.split())[:300] + more
    if isinstance(error, IsADirectoryError):
        return "a directory stands in its place"
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON: {error}"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8 text"
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error)[:300]
