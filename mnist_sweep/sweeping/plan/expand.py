"""From overrides to the checked settings of every point they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig

from mnist_sweep import settings as schema
from mnist_sweep.errors import UsageError
from mnist_sweep.settings import Plain
from mnist_sweep.sweeping.plan import grid, overrides
from mnist_sweep.sweeping.plan.compose import Composer
from mnist_sweep.sweeping.plan.points import check_points


@dataclass(frozen=True)
class Expanded:
    """A grid's points, in its order.

    Attributes:
        settings: Of each point, plain and resolved.
        overrides: Of each point, as given to Hydra.
        values: Of each point, key -> plain value of every override.
    """

    settings: list[Plain]
    overrides: list[list[str]]
    values: list[dict[str, Any]]


def expand(
    asked: Sequence[str], master: DictConfig, loader: ConfigLoader, *, single: bool = False
) -> Expanded:
    """Every point of the grid that overrides ask for.

    Args:
        asked: Overrides; a later one of a key wins.
        master: The sweep's own config.
        loader: Hydra's.
        single: Whether one run was asked for and not a sweep.

    Raises:
        UsageError: Several values for what belongs to the whole sweep, or for one run.
        SettingsError: Lists every problem of every point.
    """
    parsed = overrides.parse(asked)
    overrides.check(parsed)
    axes = grid.axes(parsed, int(master.max_points))
    swept = [axis.key for axis in axes if axis.swept]
    if single and swept:
        raise UsageError(
            f"Several values for {', '.join(swept)} make a sweep: add -m to run all of them."
        )
    whole = [key for key in swept if key.partition(".")[0] in schema.SWEEP_KEYS]
    if whole:
        raise UsageError(f"{', '.join(whole)}: one value for the whole sweep, not several.")
    composer = Composer(loader, master, axes)
    points = list(grid.points(axes))
    return Expanded(
        check_points([partial(composer.settings, point) for point in points]),
        [grid.texts(axes, point) for point in points],
        [_values(axes, point) for point in points],
    )


def _values(axes: list[grid.Axis], point: tuple[int, ...]) -> dict[str, Any]:
    return {
        axis.key: axis.values[index] if axis.values else None
        for axis, index in zip(axes, point, strict=True)
    }
