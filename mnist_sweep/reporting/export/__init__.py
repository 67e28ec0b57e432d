"""Runs shown where a team already looks: TensorBoard and MLflow, both optional extras.

An export is a function `export(sweep, options) -> Exported`, in a module of this folder or named by
an entry point in the group `mnist_sweep.exports`. A tracker's own package is imported inside
functions, so nothing else needs it. This folder imports records and settings, and no other exports.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from mnist_sweep.plugins import plugins

if TYPE_CHECKING:
    from pathlib import Path

    from mnist_sweep.records.sweep import Sweep

BUILT_IN = ("tensorboard", "mlflow")


@dataclass(frozen=True)
class ExportOptions:
    """Where an export goes."""

    output: Path
    # A server or database instead of the folder; None for the folder.
    tracking_uri: str | None = None
    # The name under which the tracker shows the runs.
    experiment: str = ""


@dataclass(frozen=True)
class Exported:
    """What an export did."""

    new: int
    # How many runs were there already, unchanged.
    known: int
    # Where they are, in words: "in outputs/grid/tensorboard".
    place: str
    # A shell command that shows them; empty if there is none.
    command: str = ""


Export = Callable[["Sweep", ExportOptions], Exported]


def names() -> list[str]:
    """The exports there are."""
    return [*BUILT_IN, *plugins("exports")]


def find(name: str) -> Export:
    """The export with a name of `names`."""
    if name in BUILT_IN:
        found: Export = import_module(f"{__name__}.{name}").export
        return found
    return plugins("exports")[name]  # type: ignore[no-any-return]
