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
    """Where an export goes.

    Attributes:
        output: A local folder.
        tracking_uri: A server or database instead of the folder; None for the folder.
        experiment: The name under which the tracker shows the runs.
    """

    output: Path
    tracking_uri: str | None = None
    experiment: str = ""


@dataclass(frozen=True)
class Exported:
    """What an export did.

    Attributes:
        new: How many runs were written.
        known: How many runs were there already, unchanged.
        place: Where they are, in words: "in outputs/grid/tensorboard".
        command: A shell command that shows them; empty if there is none.
    """

    new: int
    known: int
    place: str
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
