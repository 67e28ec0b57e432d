"""All records of a directory, and everything that should be a record and is not.

Reading is strict and never fails on a bad file: what cannot be read becomes a `Problem`, what was
planned and is not there becomes a `Missing`, so nothing is left out silently. Only a directory that
does not exist, or holds nothing of ours, is an error.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import BaseModel, ValidationError

from mnist_sweep.errors import DirectoryError
from mnist_sweep.results.paths import RunPaths, SweepPaths, label_and_run_id
from mnist_sweep.results.record import Record

LARGEST_BYTES = 256 * 2**20
"""A record larger than this is refused unread: 100,000 epochs need about 10 MB."""

_RUN_ID = re.compile(r"[0-9a-f]{12}")
_BEGUN = "no record: interrupted, or still running"
_NON_FINITE = re.compile(rb"NaN|Infinity")


@dataclass(frozen=True)
class Problem:
    """A file or directory that could not be taken as a record, and why."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True)
class Missing:
    """A planned point without a record, and why: it was not run, or was interrupted."""

    run_id: str
    label: str
    overrides: tuple[str, ...]
    reason: str


class _Point(BaseModel):
    run_id: str
    label: str = ""
    overrides: list[str] = []


class _Invocation(BaseModel):
    points: list[_Point] = []


class _Plan(BaseModel):
    """The part of sweep.json that tells which runs there should be."""

    invocations: list[_Invocation]


@dataclass
class Collection:
    """What a directory holds: records in the order of their directories' names."""

    directory: Path
    records: list[Record] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)


def collect(directory: str | os.PathLike[str]) -> Collection:
    """Read all records of a sweep's directory, or the one of a run's directory.

    Raises:
        DirectoryError: `directory` does not exist, cannot be listed, or holds no run and no plan.
    """
    path = Path(directory)
    names = _listing(path)
    if "record.json" in names:
        return _single(path)
    found = Collection(path)
    paths = SweepPaths(path)
    points = _planned(paths.sweep_json, found) if "sweep.json" in names else []
    begun = _read_runs(paths.runs, found) if "runs" in names else {}
    if not (found.records or found.problems or points):
        raise DirectoryError(_holds_nothing(path))
    _note_missing(found, points, begun)
    return found


def read_record(path: Path) -> Record:
    """Read one record strictly.

    Raises:
        DirectoryError: The file is missing or is not a whole, valid record; the text says why.
    """
    try:
        return _parse(_content(path))
    except (OSError, ValueError) as error:
        raise DirectoryError(f"Expected a run's record at {path}: {_reason(error)}.") from error


def _single(path: Path) -> Collection:
    found = Collection(path)
    _read_into(found, RunPaths(path).record)
    return found


def _read_runs(runs: Path, found: Collection) -> dict[str, Path]:
    """Read every run directory into `found`; returns those without a record, by run id."""
    begun: dict[str, Path] = {}
    first: dict[str, Path] = {}
    try:
        directories = sorted(child for child in runs.iterdir() if not child.name.startswith("."))
    except OSError as error:
        found.problems.append(Problem(runs, _reason(error)))
        return begun
    for directory in directories:
        run_id = label_and_run_id(directory.name)[1]
        try:
            record = _parse(_content(RunPaths(directory).record))
        except NotADirectoryError:
            continue  # a plain file among the runs (.DS_Store, notes) is nobody's run
        except FileNotFoundError:
            begun[run_id] = directory
            continue
        except (OSError, ValueError) as error:
            found.problems.append(Problem(RunPaths(directory).record, _reason(error)))
            continue
        if run_id != record.run_id:
            reason = f"holds run {record.run_id}, which is not the one its directory is named after"
            found.problems.append(Problem(RunPaths(directory).record, reason))
        elif run_id in first:
            reason = f"the same run as {first[run_id].name}, which was taken instead"
            found.problems.append(Problem(RunPaths(directory).record, reason))
        else:
            first[run_id] = directory
            found.records.append(record)
    return begun


def _read_into(found: Collection, path: Path) -> None:
    try:
        found.records.append(_parse(_content(path)))
    except (OSError, ValueError) as error:
        found.problems.append(Problem(path, _reason(error)))


def _note_missing(found: Collection, points: list[Missing], begun: dict[str, Path]) -> None:
    read = {record.run_id for record in found.records}
    damaged = {label_and_run_id(problem.path.parent.name)[1] for problem in found.problems}
    for point in points:
        was_begun = begun.pop(point.run_id, None) is not None
        if point.run_id not in read | damaged:
            found.missing.append(replace(point, reason=_BEGUN) if was_begun else point)
    for run_id, directory in begun.items():
        if _RUN_ID.fullmatch(run_id) and run_id not in read:
            label = label_and_run_id(directory.name)[0]
            found.missing.append(Missing(run_id, label, (), _BEGUN))
        else:
            found.problems.append(Problem(directory, "a directory without a record"))


def _planned(path: Path, found: Collection) -> list[Missing]:
    """The points that sweep.json asks for, each once; what is wrong in it becomes a problem."""
    try:
        plan = _Plan.model_validate_json(_content(path))
    except (OSError, ValueError) as error:
        found.problems.append(Problem(path, f"the plan cannot be read: {_reason(error)}"))
        return []
    points = [point for invocation in plan.invocations for point in invocation.points]
    return [
        Missing(point.run_id, point.label or point.run_id, tuple(point.overrides), "not run")
        for point in {point.run_id: point for point in points}.values()
    ]


def _content(path: Path) -> bytes:
    """The bytes of a regular file; a pipe of that name must not make the reader wait for ever."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        if status.st_size > LARGEST_BYTES:
            raise ValueError(f"{status.st_size:,} bytes is too large for a record")
        return file.read()


def _parse(content: bytes) -> Record:
    if not content.strip():
        raise ValueError("the file is empty")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8 text") from error
    if _NON_FINITE.search(content):
        # pydantic's parser takes these words as numbers; strict JSON has no such numbers.
        try:
            json.loads(content, parse_constant=_refuse)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
    return Record.model_validate_json(content)


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not JSON; a value that is not finite must be null")


def _reason(error: Exception) -> str:
    """One short line about why a file could not be taken."""
    if isinstance(error, ValidationError):
        first, *others = error.errors(include_url=False, include_input=False, include_context=False)
        place = ".".join(map(str, first["loc"]))
        text = f"{place}: {first['msg']}" if place else first["msg"]
        text = text.replace("Value error, ", "").replace("Invalid JSON:", "not valid JSON:")
        more = f" (and {len(others)} more)" if others else ""
        return " ".join(text.split())[:300] + more
    if isinstance(error, IsADirectoryError):
        return "a directory stands in its place"
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON: {error}"
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error)[:300]


def _listing(path: Path) -> set[str]:
    try:
        return {child.name for child in path.iterdir()}
    except FileNotFoundError:
        reason = "there is no such directory"
    except NotADirectoryError:
        reason = "it is a file"
    except OSError as error:
        reason = f"it cannot be listed: {error.strerror or error}"
    raise DirectoryError(
        f"Expected the directory of a sweep or a run at {path}, but {reason}. "
        "Give a directory that a sweep made, such as outputs/NAME."
    )


def _holds_nothing(path: Path) -> str:
    inside = [
        child.name
        for child in sorted(path.iterdir())
        if (child / "sweep.json").exists() or (child / "record.json").exists()
    ]
    hint = (
        f"Did you mean {path / inside[0]}?"
        if inside
        else "Give a directory that a sweep made, such as outputs/NAME."
    )
    return f"Expected the directory of a sweep or a run at {path}, but it holds no runs. {hint}"
