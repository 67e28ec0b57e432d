"""A sweep's directory: claimed for one sweep or shared on purpose, and the plan it keeps."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import DirectoryError
from mnist_sweep.records import store
from mnist_sweep.records.locks import locked
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.settings import Plain
from mnist_sweep.sweeping.plan.points import Plan

SCHEMA_VERSION = 1


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


def note_invocation(
    directory: Path, plan: Plan, overrides: list[str], hydra: list[str], environment: Plain
) -> list[str]:
    """Add an invocation to `sweep.json`; two sweeps at once do not lose each other's.

    Args:
        directory: The sweep's.
        plan: What is to be run.
        overrides: That asked for it.
        hydra: Overrides of Hydra's own settings.
        environment: See `environment.describe`.

    Returns:
        Notices: what differs from the directory's last invocation, or was wrong with the file.
    """
    paths = SweepPaths(directory)
    with locked(directory / ".locks" / "sweep"):
        # Under this lock nobody else writes here; a killed sweep may have left its part.
        store.clean_temporary(directory, below=False)
        content, notices = read(directory)
        entry = {**_invocation(plan, overrides, environment), "hydra_overrides": hydra}
        notices += _changes(content["invocations"], entry)
        content["invocations"].append(entry)
        store.write_json(paths.sweep_json, content)
    return notices


def note_points(
    directory: Path, plan: Plan, overrides: list[str], hydra: list[str], environment: Plain
) -> None:
    """Let an invocation's points grow: those of a study's later stages, once they are known.

    Args:
        directory: The sweep's.
        plan: All points so far; the first of them are noted already.
        overrides: As for `note_invocation`, which came before.
        hydra: The same.
        environment: The same.
    """
    with locked(directory / ".locks" / "sweep"):
        content, _ = read(directory)
        entry = {**_invocation(plan, overrides, environment), "hydra_overrides": hydra}
        ids = [point["run_id"] for point in entry["points"]]
        for earlier in reversed(content["invocations"]):
            noted = [point["run_id"] for point in earlier.get("points", [])]
            if earlier["overrides"] == overrides and noted == ids[: len(noted)]:
                earlier.update({key: entry[key] for key in ("points", "varying", "data")})
                break
        else:
            content["invocations"].append(entry)
        store.write_json(SweepPaths(directory).sweep_json, content)


def read(directory: Path) -> tuple[Plain, list[str]]:
    """`sweep.json` and a notice if it was damaged; an empty one where there is none."""
    path = SweepPaths(directory).sweep_json
    empty: Plain = {"schema_version": SCHEMA_VERSION, "name": directory.name, "invocations": []}
    try:
        content = json.loads(path.read_bytes())
        _check_plan(content)
        newer = content["schema_version"] > SCHEMA_VERSION
    except FileNotFoundError:
        return empty, []
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        kept = path.with_name("sweep.json.damaged")
        path.replace(kept)
        return empty, [f"{path} was damaged ({error}); it is kept as {kept.name}, records stand."]
    if newer:
        raise DirectoryError(
            f"{path} has schema_version {content['schema_version']}, newer than {SCHEMA_VERSION}, "
            "the newest this version of mnist-sweep reads. Update mnist-sweep."
        )
    return content, []


def _check_plan(content: Any) -> None:
    """Refuse what cannot be the content of a `sweep.json`; KeyError or TypeError says why."""
    if not isinstance(content["invocations"], list):
        raise TypeError("invocations is not a list")
    for invocation in content["invocations"]:
        for key, kind in (("data", dict), ("versions", dict), ("git", dict), ("overrides", list)):
            if not isinstance(invocation[key], kind):
                raise TypeError(f"an invocation's {key} is of another type than expected")


def dataset_of(directory: Path, key: str) -> DatasetInfo:
    """The prepared dataset that the plan in `directory` chose for some data settings.

    Raises:
        DirectoryError: There is no such plan.
    """
    for invocation in reversed(read(directory)[0]["invocations"]):
        if key in invocation["data"]:
            return DatasetInfo.from_dict(invocation["data"][key])
    raise DirectoryError(
        f"{SweepPaths(directory).sweep_json} holds no plan with these data settings: {key}. "
        "Start the sweep with `python -m mnist_sweep -m …`."
    )


def last_command(directory: Path) -> list[str]:
    """The words of the command line that ran last in `directory`, to be run there again.

    Raises:
        DirectoryError: There is no plan.
    """
    invocations = read(directory)[0]["invocations"]
    if not invocations:
        raise DirectoryError(
            f"{directory} holds no sweep to resume: expected {SweepPaths(directory).sweep_json}. "
            "Name the directory of a sweep, as in outputs/NAME."
        )
    last = invocations[-1]
    hydra = [str(text) for text in last.get("hydra_overrides", [])]
    single = SINGLE in hydra
    here = (
        "hydra.sweep.dir",
        "hydra.run.dir",
        "hydra.mode",
        "hydra.sweeper.single",
        "hydra.sweeper.same_data",
    )
    kept = [text for text in hydra if not text.lstrip("+").startswith(here)]
    escaped = str(directory.absolute()).replace("'", "\\'")
    place = f"hydra.{'run' if single else 'sweep'}.dir='{escaped}'"
    return [*([] if single else ["-m"]), *map(str, last["overrides"]), *kept, place]


SINGLE = "hydra.sweeper.single=true"


def _invocation(plan: Plan, overrides: list[str], environment: Plain) -> Plain:
    versions = ("python", "tensorflow", "keras", "numpy", "hydra", "mnist_sweep")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "overrides": overrides,
        "varying": plan.varying,
        "data": {key: info.to_dict() for key, info in plan.datasets.items()},
        "versions": {key: environment[key] for key in versions},
        "git": {"sha": environment["git_sha"], "dirty": environment["git_dirty"]},
        "points": [
            {"run_id": point.run_id, "label": point.label, "overrides": point.overrides}
            for point in plan.points
        ],
    }


def check_same_data(directory: Path, plan: Plan) -> None:
    """Refuse to go on with other data than the directory's last sweep had.

    Raises:
        DirectoryError: The data are others; tells both.
    """
    invocations = read(directory)[0]["invocations"]
    before = _sources(invocations[-1]["data"]) if invocations else {}
    now = {info.sha256: info.source for info in plan.datasets.values()}
    if before and not before.keys() & now.keys():
        raise DirectoryError(
            f"{directory} was run with {'; '.join(before.values())}, and what is found now is "
            f"{'; '.join(now.values())}. Make the same data available again (MNIST_SWEEP_DATA=…), "
            "or run the sweep's own command to add runs on the other data."
        )


def _sources(data: Plain) -> dict[str, str]:
    """Content hash -> where it came from, of an invocation's data."""
    return {
        str(info.get("sha256")): str(info.get("source"))
        for info in data.values()
        if isinstance(info, dict)
    }


def _changes(earlier: list[Any], entry: Plain) -> list[str]:
    if not earlier:
        return []
    last, notices = earlier[-1], []
    before = _sources(last["data"]).keys()
    now = {info["sha256"] for info in entry["data"].values()}
    if before and not before & now:
        notices.append(
            "The data differ from this directory's last sweep, so its runs count as others."
        )
    for name in ("tensorflow", "keras", "numpy", "mnist_sweep"):
        old, new = last["versions"].get(name), entry["versions"][name]
        if old != new:
            notices.append(f"{name} is {new}; this directory's last sweep ran with {old}.")
    if last["git"].get("sha") != entry["git"]["sha"]:
        notices.append("The code (git commit) differs from this directory's last sweep.")
    return notices
