"""A sweep's directory: claimed for one sweep or shared on purpose, and the plan it keeps."""

from __future__ import annotations

import errno
import itertools
import os
from pathlib import Path
from typing import Any

from mnist_sweep.command import command
from mnist_sweep.data import NO_DATA, DatasetInfo
from mnist_sweep.errors import DirectoryError
from mnist_sweep.records import plan_file, store
from mnist_sweep.records.locks import locked
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.plan_file import Invocation, PlanFile
from mnist_sweep.records.reading import reason
from mnist_sweep.sweeping.plan.points import Plan


def claim(directory: Path, *, own: bool) -> Path:
    """Make a sweep's directory.

    If the sweep must have it for its `own`, as one without a name does, the first free of
    `directory`, `directory-2`, … is made and returned.
    """
    if not own:
        store.make_directory(SweepPaths(directory).runs)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise DirectoryError(
                f"Cannot write to {directory}: no permission. Choose another directory with "
                "name=… or hydra.sweep.dir=…."
            )
        return directory
    store.make_directory(directory.parent)
    # `mkdir` decides who has it: of two sweeps that start at once only one makes the directory.
    for number in itertools.count(1):
        candidate = directory if number == 1 else Path(f"{directory}-{number}")
        try:
            candidate.mkdir()
            break
        except FileExistsError:
            continue
        except OSError as error:
            raise store.cannot_write(candidate, error) from error
    return candidate


def what_is_planned(plan: Plan) -> dict[str, Any]:
    """The part of a command that grows with its plan."""
    return {
        "data": {key: info.to_dict() for key, info in plan.datasets.items() if key},
        "points": tuple(
            plan_file.PlannedPoint(
                run_id=point.run_id, label=point.label, overrides=tuple(point.overrides)
            )
            for point in plan.points
        ),
    }


def note_invocation(directory: Path, invocation: Invocation) -> list[str]:
    """Add a command to `sweep.json`; returns what differs from the directory's last command."""
    before = _note(directory, invocation).last
    return _changes(before, invocation) if before else []


def note_points(directory: Path, invocation: Invocation, plan: Plan) -> None:
    """Let a command's points grow: those of a study's later stages, once they are known."""
    _note(directory, invocation.model_copy(update=what_is_planned(plan)))


def _note(directory: Path, invocation: Invocation) -> PlanFile:
    """Add a command, or replace what there is of it; returns what was there."""
    # Two sweeps at once do not lose each other's commands.
    with locked(directory / ".locks" / "sweep"):
        # Under this lock nobody else writes here; a killed sweep may have left its part.
        store.clean_temporary(directory, below=False)
        before = read(directory)
        noted = [invocation if one.id == invocation.id else one for one in before.invocations]
        if invocation not in noted:  # also where the file was lost meanwhile
            noted.append(invocation)
        plan_file.write_plan(directory, before.model_copy(update={"invocations": tuple(noted)}))
    return before


def read(directory: Path) -> PlanFile:
    """`sweep.json`.

    Raises:
        DirectoryError: It is damaged, or was written by a newer version of this program. It is
            left as it is: what was requested is part of what a sweep shows.
    """
    try:
        return plan_file.read_plan(directory)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOTDIR, errno.ENAMETOOLONG):
            return PlanFile(name=directory.name, invocations=())  # no directory; `claim` says so
        raise DirectoryError(
            f"{SweepPaths(directory).sweep_json} cannot be used ({reason(error)}), so which runs "
            "were requested is unknown. Nothing was run or changed. Restore the file from a copy; "
            "or move it away and repeat the sweep's own command."
        ) from error


def dataset_of(directory: Path, key: str) -> DatasetInfo:
    """The prepared dataset that the plan in `directory` chose for some data settings."""
    if not key:
        return NO_DATA
    for invocation in reversed(read(directory).invocations):
        if key in invocation.data:
            return DatasetInfo.from_dict(invocation.data[key])
    raise DirectoryError(
        f"{SweepPaths(directory).sweep_json} holds no plan with these data settings: {key}. "
        f"Start the sweep with `{command('-m …')}`."
    )


def check_same_data(directory: Path, before: Invocation, plan: Plan) -> None:
    """Refuse to repeat a command with other data than it had."""
    had = _sources(before)
    now = {info.sha256: info.source for key, info in plan.datasets.items() if key}
    if had and not had.keys() & now.keys():
        raise DirectoryError(
            f"{directory} was run with {'; '.join(had.values())}, but the data found now are "
            f"{'; '.join(now.values())}. Make the same data available again (MNIST_SWEEP_DATA=…), "
            "or run the sweep's own command to add runs on the other data."
        )


def _sources(invocation: Invocation) -> dict[str, str]:
    """Content hash -> where it came from, of an invocation's data."""
    return {str(info.get("sha256")): str(info.get("source")) for info in invocation.data.values()}


def _changes(last: Invocation, entry: Invocation) -> list[str]:
    """What differs between two commands in the same directory, for the person who reads it."""
    notices = []
    before, now = _sources(last), _sources(entry)
    if before and not before.keys() & now.keys():
        notices.append(
            "The data differ from this directory's last sweep, so its runs are not reused."
        )
    for name in ("tensorflow", "keras", "numpy", "mnist_sweep"):
        old, new = last.versions.get(name), entry.versions[name]
        if old != new:
            notices.append(f"{name} is {new}; this directory's last sweep ran with {old}.")
    if last.git.sha != entry.git.sha:
        notices.append("The code (git commit) differs from this directory's last sweep.")
    # The same name, data and settings with another run id: only the user's code can have changed.
    known = {point.label: point.run_id for point in last.points}
    same_data = last.data.keys() == entry.data.keys() and before == now
    if same_data and any(
        point.label.startswith(("model=", "task="))
        and known.get(point.label, point.run_id) != point.run_id
        for point in entry.points
    ):
        notices.append(
            "The code of a network or task differs from this directory's last sweep, or was not "
            "part of the run id then: its runs count as others."
        )
    return notices
