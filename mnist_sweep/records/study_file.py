"""`study.json`: a study's stages with their runs, selections and decisions.

A stage that starts from another (`of`) changes the configuration which that one selected, and runs
it on fresh seeds beside the unchanged one, the control. `analysis.study_effect` says what the
change did.
"""

from __future__ import annotations

import os
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.reading import reason
from mnist_sweep.records.store import write_json
from mnist_sweep.safe_files import validated
from mnist_sweep.settings import DEFAULT_LEVEL, DEFAULT_REPLICATES

SCHEMA_VERSION = 1

Status = Literal["pending", "running", "done", "blocked"]


class _Model(BaseModel):
    # Unlike a plan, a study is written by one process from what it holds in memory.
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False, defer_build=True)


class Stage(_Model):
    """One stage of a study."""

    name: str  # unique in its study
    # The stage whose selected configuration it changes; None for a grid of its own.
    of: str | None = None
    params: dict[str, Any] = {}  # what it sets: key -> value as on the command line
    run_ids: tuple[str, ...] = ()  # its runs; of a stage `of` another the changed ones
    # Runs of the unchanged selected configuration on the same fresh seeds.
    control_run_ids: tuple[str, ...] = ()
    changed: dict[str, dict[str, Any]] = {}  # configuration id -> the settings that were changed
    # JSON of `analysis.selection.Selection`, or None.
    selection: dict[str, Any] | None = None
    # JSON of `analysis.statistics.Decision` with what was spent and saved, or None.
    decision: dict[str, Any] | None = None
    status: Status = "pending"  # how far it is
    reason: str | None = None  # why it is blocked, or None

    @field_validator("selection")
    @classmethod
    def _is_a_selection(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        for key in ("configuration_id", "split", "chosen", "candidates"):
            if value is not None and key not in value:
                raise ValueError(f"has no {key!r}")
        return value


class Study(_Model):
    """A study: its level, its seeds and its stages, in order."""

    schema_version: int = SCHEMA_VERSION
    level: float = DEFAULT_LEVEL
    replicates: int = DEFAULT_REPLICATES
    seeds: tuple[int, ...] = ()
    stages: tuple[Stage, ...]

    @model_validator(mode="after")
    def _holds_together(self) -> Study:
        names: list[str] = []
        for stage in self.stages:
            if stage.of is not None and stage.of not in names:
                raise ValueError(f"stage {stage.name} starts from {stage.of}, not an earlier stage")
            names.append(stage.name)
        return self

    def stage(self, name: str) -> Stage:
        """The stage of that name."""
        return {stage.name: stage for stage in self.stages}[name]


def load_study(directory: str | os.PathLike[str]) -> Study | None:
    """The study of a sweep's directory, or None if it is an ordinary sweep.

    Raises:
        DirectoryError: `study.json` is there and cannot be read.
    """
    path = SweepPaths(directory).study_json
    try:
        return validated(path, Study, SCHEMA_VERSION)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise DirectoryError(
            f"Expected a study at {path}, but it cannot be read: {reason(error)}. Run the study's "
            "command again to write a new one."
        ) from error


def write_study(directory: str | os.PathLike[str], study: Study) -> None:
    """Write a study into a sweep's directory, whole or not at all."""
    write_json(SweepPaths(directory).study_json, study.model_dump(mode="json"))
