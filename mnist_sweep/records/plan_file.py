"""`sweep.json`: every command given in a sweep's directory, and the points that it requested.

Sweeps add to it (`sweeping.plan.directory`); `load` reads from it which runs there should be,
the report where the images are.
"""

from __future__ import annotations

import os
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mnist_sweep.records import store
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.safe_files import validated
from mnist_sweep.settings import DEFAULT_MARGIN, DEFAULT_OBJECTIVE

SCHEMA_VERSION = 1


class _Model(BaseModel):
    # Keys that this version does not know are kept when the file is written again.
    model_config = ConfigDict(extra="allow", frozen=True, strict=True)


class PlannedPoint(_Model):
    """A requested point: its run's id and label (empty if unknown), the overrides that make it."""

    run_id: str = Field(pattern=r"^[^/]+$")  # both are part of a directory's name
    label: str = Field("", pattern=r"^[^/]*$")
    overrides: tuple[str, ...] = ()


class Git(_Model):
    """The commit of the working directory; None outside a repository."""

    sha: str | None = None
    dirty: bool | None = None


class Invocation(_Model):
    """One command."""

    id: str = ""  # unique; empty in files of the first edition
    at: str = ""  # when it started, ISO 8601
    overrides: tuple[str, ...] = ()  # its words, without those for Hydra itself
    hydra_overrides: tuple[str, ...] = ()  # its words for Hydra itself
    # All of its words in order, with Hydra's options; empty in older files.
    words: tuple[str, ...] = ()
    signature: str = ""  # of the words, by a key of the user's; see `sweeping.plan.commands`
    # The sweep's own settings, such as the objective, and its `sweeper`.
    config: dict[str, Any] = {}
    # Data settings as text -> the dataset that was chosen (`DatasetInfo.to_dict`).
    data: dict[str, dict[str, Any]] = {}
    versions: dict[str, str | None] = {}  # package -> its version
    git: Git = Git()
    points: tuple[PlannedPoint, ...] = ()  # what it requested; a study's and a search's grow


class PlanFile(_Model):
    """The content of `sweep.json`."""

    schema_version: int = SCHEMA_VERSION
    name: str = ""
    invocations: tuple[Invocation, ...]

    @property
    def points(self) -> dict[str, PlannedPoint]:
        """Run id -> the point, of all commands."""
        return {point.run_id: point for one in self.invocations for point in one.points}

    @property
    def last(self) -> Invocation | None:
        """The last command; None where there is none."""
        return self.invocations[-1] if self.invocations else None

    @property
    def objective(self) -> str:
        """The objective of the last command, a metric such as `validation.accuracy`."""
        found = self.last.config.get("objective") if self.last else None
        return found if isinstance(found, str) else DEFAULT_OBJECTIVE

    @property
    def margin(self) -> float:
        """The largest difference of a share that counts as none, of the last command."""
        found = self.last.config.get("margin") if self.last else None
        return found if isinstance(found, float) and 0 < found <= 1 else DEFAULT_MARGIN


def read_plan(directory: str | os.PathLike[str]) -> PlanFile:
    """The plan of a sweep's directory, see `safe_files.validated`; an empty one without a file."""
    paths = SweepPaths(directory)
    try:
        return validated(paths.sweep_json, PlanFile, SCHEMA_VERSION)
    except FileNotFoundError:
        return PlanFile(name=paths.directory.name, invocations=())


def write_plan(directory: str | os.PathLike[str], plan: PlanFile) -> None:
    """Write a plan into a sweep's directory, whole or not at all."""
    store.write_json(SweepPaths(directory).sweep_json, plan.model_dump(mode="json"))
