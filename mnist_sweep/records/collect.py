"""All records of a directory, and everything that should be a record and is not.

Reading is strict and never fails on a bad file: what cannot be read becomes a `Problem`, what was
planned and is not there becomes a `Missing`, so nothing is left out silently. Only a directory that
does not exist, or holds nothing of ours, is an error.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records import index
from mnist_sweep.records.paths import RunPaths, SweepPaths, label_and_run_id, names_in
from mnist_sweep.records.reading import Unread, content, read_record, reason, try_record
from mnist_sweep.records.runs import Records, Run, Runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Collection", "Missing", "Problem", "collect", "read_record"]

_RUN_ID = re.compile(r"[0-9a-f]{12}")
DEFAULT_OBJECTIVE = "validation.accuracy"
"""What "best" means where a sweep does not say."""
_BEGUN = "no record: interrupted, or still running"


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


class _Point(TypedDict):
    run_id: str
    label: NotRequired[str]
    overrides: NotRequired[list[str]]


class _Invocation(TypedDict):
    points: NotRequired[list[_Point]]
    config: NotRequired[dict[str, Any]]


class _Plan(TypedDict):
    """The part of sweep.json that tells which runs there should be."""

    invocations: list[_Invocation]


@dataclass
class Collection:
    """What a directory holds: runs in the order of their directories' names."""

    directory: Path
    runs: Runs = field(default_factory=Runs)
    problems: list[Problem] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    objective: str = DEFAULT_OBJECTIVE

    @property
    def records(self) -> Records:
        """The runs' records; those of a large sweep are read when they are asked for."""
        return Records(self.runs)


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
    points = _planned(paths.sweep_json, found) if "sweep.json" in names else {}
    begun = _read_runs(paths, found) if "runs" in names else {}
    if not (found.runs or found.problems or points):
        raise DirectoryError(_holds_nothing(path))
    _note_missing(found, points, begun)
    return found


def _single(path: Path) -> Collection:
    found = Collection(path)
    record = RunPaths(path).record
    read = try_record(record)
    if isinstance(read, Unread):
        found.problems.append(Problem(record, read.reason))
    else:
        found.runs = Runs([Run(read[0], path)])
    return found


def _read_runs(paths: SweepPaths, found: Collection) -> dict[str, Path]:
    """Read every run directory into `found`; returns those without a record, by run id."""
    begun: dict[str, Path] = {}
    first: dict[str, str] = {}
    try:
        names = sorted(name for name in names_in(paths.runs) if not name.startswith("."))
    except OSError as error:
        found.problems.append(Problem(paths.runs, reason(error)))
        return begun
    looked = _looked(paths, names)
    # A plain file among the runs (.DS_Store, notes) is nobody's run: a stray is no problem.
    reasons = {name: one.reason for name, one in looked.unread.items() if one.kind == "problem"}
    kept = []
    for place, (name, own) in enumerate(zip(looked.names, looked.runs.run_ids, strict=True)):
        if label_and_run_id(name)[1] != own:
            reasons[name] = f"holds run {own}, which is not the one its directory is named after"
        elif first.setdefault(own, name) != name:
            reasons[name] = f"the same run as {first[own]}, which was taken instead"
        else:
            kept.append(place)
    found.runs = looked.runs if len(kept) == len(looked.runs) else looked.runs.pick(kept)
    found.problems += [
        Problem(RunPaths(paths.runs / name).record, reasons[name])
        for name in names
        if name in reasons
    ]
    return {
        label_and_run_id(name)[1]: paths.runs / name
        for name, one in sorted(looked.unread.items())
        if one.kind == "begun"
    }


def _looked(paths: SweepPaths, names: Sequence[str]) -> index.Looked:
    """What each run directory holds; with many, what an index knows is not read again."""
    if index.is_worth_it(len(names)):
        return index.look(paths, names)
    runs: dict[str, Run] = {}
    unread: dict[str, Unread] = {}
    for name in names:
        directory = paths.runs / name
        read = try_record(RunPaths(directory).record)
        if isinstance(read, Unread):
            unread[name] = read
        else:
            runs[name] = Run(read[0], directory)
    return index.Looked(list(runs), Runs(runs.values()), unread)


def _note_missing(found: Collection, points: Mapping[str, _Point], begun: dict[str, Path]) -> None:
    read = set(found.runs.run_ids)
    damaged = {label_and_run_id(problem.path.parent.name)[1] for problem in found.problems}
    accounted = read | damaged
    for run_id, point in points.items():
        was_begun = begun.pop(run_id, None) is not None
        if run_id not in accounted:
            why = _BEGUN if was_begun else "not run"
            overrides = tuple(point.get("overrides", ()))
            found.missing.append(Missing(run_id, point.get("label") or run_id, overrides, why))
    for run_id, directory in begun.items():
        if _RUN_ID.fullmatch(run_id) and run_id not in read:
            label = label_and_run_id(directory.name)[0]
            found.missing.append(Missing(run_id, label, (), _BEGUN))
        else:
            found.problems.append(Problem(directory, "a directory without a record"))


def _planned(path: Path, found: Collection) -> dict[str, _Point]:
    """The points that sweep.json asks for, each once; what is wrong in it becomes a problem."""
    try:
        plan = TypeAdapter(_Plan).validate_json(content(path)[0])
    except (OSError, ValueError) as error:
        found.problems.append(Problem(path, f"the plan cannot be read: {reason(error)}"))
        return {}
    last = plan["invocations"][-1:]
    objective = last[0].get("config", {}).get("objective") if last else None
    found.objective = objective if isinstance(objective, str) else DEFAULT_OBJECTIVE
    return {
        point["run_id"]: point
        for invocation in plan["invocations"]
        for point in invocation.get("points", ())
    }


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
