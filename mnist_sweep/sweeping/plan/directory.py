"""A sweep's directory: claimed for one sweep or shared on purpose, and the plan it keeps."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import DirectoryError
from mnist_sweep.records import store
from mnist_sweep.records.locks import locked
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.plan_file import (
    Git,
    Invocation,
    PlanFile,
    PlannedPoint,
    read_plan,
    write_plan,
)
from mnist_sweep.records.reading import reason
from mnist_sweep.settings import Plain
from mnist_sweep.sweeping.plan.points import Plan


def claim(directory: Path, *, own: bool) -> Path:
    """Make a sweep's directory.

    Args:
        directory: Where it should be.
        own: Whether the sweep must have it for itself, as one without a name does; then the first
            free of `directory`, `directory-2`, … is made and returned.

    Raises:
        DirectoryError: It cannot be made or written.
    """
    if not own:
        store.make_directory(SweepPaths(directory).runs)
        _check_writable(directory)
        return directory
    store.make_directory(directory.parent)
    number = 1
    while True:
        candidate = directory if number == 1 else Path(f"{directory}-{number}")
        try:
            candidate.mkdir()
        except FileExistsError:
            number += 1
        except OSError as error:
            raise store.cannot_write(candidate, error) from error
        else:
            return candidate


def _check_writable(directory: Path) -> None:
    if not os.access(directory, os.W_OK | os.X_OK):
        raise DirectoryError(
            f"Cannot write to {directory}: no permission. Choose another directory with name=… or "
            "hydra.sweep.dir=…."
        )


def invocation_of(
    plan: Plan, overrides: list[str], hydra: list[str], config: Plain, environment: Plain
) -> Invocation:
    """A command as `sweep.json` has it.

    Args:
        plan: What is to be run.
        overrides: The command's, without those for Hydra.
        hydra: Overrides and options of Hydra's own.
        config: Settings of the whole sweep.
        environment: See `environment.describe`.
    """
    versions = ("python", "tensorflow", "keras", "numpy", "hydra", "mnist_sweep")
    return Invocation(
        id=uuid4().hex,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        overrides=tuple(overrides),
        hydra_overrides=tuple(hydra),
        config=config,
        versions={key: environment[key] for key in versions},
        git=Git(sha=environment["git_sha"], dirty=environment["git_dirty"]),
        **_what_is_planned(plan),
    )


def note_invocation(directory: Path, invocation: Invocation) -> list[str]:
    """Add a command to `sweep.json`; two sweeps at once do not lose each other's.

    Returns:
        Notices: what differs from the directory's last command, or was wrong with the file.
    """
    with locked(directory / ".locks" / "sweep"):
        # Under this lock nobody else writes here; a killed sweep may have left its part.
        store.clean_temporary(directory, below=False)
        content, notices = read(directory)
        if content.last:
            notices += _changes(content.last, invocation)
        _write(directory, content, [*content.invocations, invocation])
    return notices


def note_points(directory: Path, invocation: Invocation, plan: Plan) -> None:
    """Let a command's points grow: those of a study's later stages, once they are known.

    Args:
        directory: The sweep's.
        invocation: The command, as it was noted first.
        plan: All points so far.
    """
    grown = invocation.model_copy(update=_what_is_planned(plan))
    with locked(directory / ".locks" / "sweep"):
        content, _ = read(directory)
        others = [grown if one.id == grown.id else one for one in content.invocations]
        if grown not in others:  # the file was lost meanwhile
            others.append(grown)
        _write(directory, content, others)


def read(directory: Path) -> tuple[PlanFile, list[str]]:
    """`sweep.json`, and a notice if it was damaged and is kept aside.

    Raises:
        DirectoryError: It was written by a newer version of this program.
    """
    try:
        return read_plan(directory), []
    except (OSError, ValueError) as error:
        path = SweepPaths(directory).sweep_json
        kept = path.with_name("sweep.json.damaged")
        path.replace(kept)
        notice = f"{path} was damaged ({reason(error)}). It is kept as {kept.name}."
        return PlanFile(name=directory.name, invocations=()), [notice]


def _write(directory: Path, content: PlanFile, invocations: list[Invocation]) -> None:
    write_plan(directory, content.model_copy(update={"invocations": tuple(invocations)}))


def dataset_of(directory: Path, key: str) -> DatasetInfo:
    """The prepared dataset that the plan in `directory` chose for some data settings.

    Raises:
        DirectoryError: There is no such plan.
    """
    for invocation in reversed(read(directory)[0].invocations):
        if key in invocation.data:
            return DatasetInfo.from_dict(invocation.data[key])
    raise DirectoryError(
        f"{SweepPaths(directory).sweep_json} holds no plan with these data settings: {key}. "
        "Start the sweep with `python -m mnist_sweep -m …`."
    )


def last_command(directory: Path) -> list[str]:
    """The words of the command line that ran last in `directory`, to be run there again.

    Raises:
        DirectoryError: There is no plan.
    """
    last = read(directory)[0].last
    if last is None or not last.at:
        raise DirectoryError(
            f"{directory} holds no sweep to resume: expected {SweepPaths(directory).sweep_json}. "
            "Name the directory of a sweep, as in outputs/NAME."
        )
    single = SINGLE in last.hydra_overrides
    here = (
        "hydra.sweep.dir",
        "hydra.run.dir",
        "hydra.mode",
        "hydra.sweeper.single",
        "hydra.sweeper.same_data",
    )
    kept = [text for text in last.hydra_overrides if not text.lstrip("+").startswith(here)]
    escaped = str(directory.absolute()).replace("'", "\\'")
    place = f"hydra.{'run' if single else 'sweep'}.dir='{escaped}'"
    return [*([] if single else ["-m"]), *last.overrides, *kept, place]


SINGLE = "hydra.sweeper.single=true"


def _what_is_planned(plan: Plan) -> dict[str, Any]:
    """The part of a command that grows with its plan."""
    return {
        "data": {key: info.to_dict() for key, info in plan.datasets.items()},
        "points": tuple(
            PlannedPoint(run_id=point.run_id, label=point.label, overrides=tuple(point.overrides))
            for point in plan.points
        ),
    }


def check_same_data(directory: Path, plan: Plan) -> None:
    """Refuse to go on with other data than the directory's last sweep had.

    Raises:
        DirectoryError: The data differ; the message names both.
    """
    last = read(directory)[0].last
    before = _sources(last) if last else {}
    now = {info.sha256: info.source for info in plan.datasets.values()}
    if before and not before.keys() & now.keys():
        raise DirectoryError(
            f"{directory} was run with {'; '.join(before.values())}, and what is found now is "
            f"{'; '.join(now.values())}. Make the same data available again (MNIST_SWEEP_DATA=…), "
            "or run the sweep's own command to add runs on the other data."
        )


def _sources(invocation: Invocation) -> dict[str, str]:
    """Content hash -> where it came from, of an invocation's data."""
    return {str(info.get("sha256")): str(info.get("source")) for info in invocation.data.values()}


def _changes(last: Invocation, entry: Invocation) -> list[str]:
    """What differs between two commands in the same directory, for the person who reads it."""
    notices = []
    before, now = _sources(last).keys(), _sources(entry).keys()
    if before and not before & now:
        notices.append(
            "The data differ from this directory's last sweep, so its runs count as others."
        )
    for name in ("tensorflow", "keras", "numpy", "mnist_sweep"):
        old, new = last.versions.get(name), entry.versions[name]
        if old != new:
            notices.append(f"{name} is {new}; this directory's last sweep ran with {old}.")
    if last.git.sha != entry.git.sha:
        notices.append("The code (git commit) differs from this directory's last sweep.")
    if _network_edited(last, entry):
        notices.append(
            "The code of a network differs from this directory's last sweep, or was not part of "
            "the run id then: its runs count as others."
        )
    return notices


def _network_edited(last: Invocation, entry: Invocation) -> bool:
    """Whether points with the same name, data and settings have another run id."""
    before = {point.label: point.run_id for point in last.points}
    same = last.data.keys() == entry.data.keys() and _sources(last) == _sources(entry)
    return same and any(
        point.label.startswith("model=") and before.get(point.label, point.run_id) != point.run_id
        for point in entry.points
    )
