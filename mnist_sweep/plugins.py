"""What other packages add to this one, found by Python's entry points.

An installed package adds a metric, a table format, an export, a reader of datasets or a trainer by
an entry point in one of the `GROUPS`; its `pyproject.toml` names the object, for example

    [project.entry-points."mnist_sweep.metrics"]
    kappa = "my_package.metrics:kappa"

A network, a dataset or a task of one's own needs no entry point: `_target_` names it.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Any

from mnist_sweep.errors import UsageError

GROUPS = ("metrics", "table_formats", "exports", "readers", "trainers")


@cache
def plugins(group: str) -> dict[str, Any]:
    """The objects that installed packages add to a group, by name.

    Args:
        group: One of `GROUPS`.

    Raises:
        UsageError: An entry point cannot be imported; the text says which and why.
    """
    found: dict[str, Any] = {}
    for point in entry_points(group=f"mnist_sweep.{group}"):
        try:
            found[point.name] = point.load()
        except Exception as error:  # another package's import may raise anything
            raise UsageError(
                f"The entry point {point.name} = {point.value!r} in the group "
                f"mnist_sweep.{group} cannot be loaded ({type(error).__name__}: {error}). "
                "Repair or uninstall the package that declares it."
            ) from error
    return found


@cache
def target_of(group: str, name: str) -> str | None:
    """The dotted name of a plugin's object, found without importing it; None if there is none."""
    points = entry_points(group=f"mnist_sweep.{group}", name=name)
    return next((point.value.partition(" ")[0].replace(":", ".") for point in points), None)
