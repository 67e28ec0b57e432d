"""From overrides to the checked settings of every point of their grid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig

from mnist_sweep import settings as schema
from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.settings import Plain
from mnist_sweep.sweeping.plan import checks, grid, overrides
from mnist_sweep.sweeping.plan.compose import Composer
from mnist_sweep.sweeping.plan.grid import Option


class Composed(NamedTuple):
    """A point of a grid before its data are known: an option of each axis, and what they make."""

    options: tuple[Option, ...]
    settings: Plain


def expand(
    asked: Sequence[str], master: DictConfig, loader: ConfigLoader, *, single: bool = False
) -> list[Composed]:
    """Every point of the grid that overrides describe, in its order.

    Args:
        asked: Overrides; a later one of a key wins.
        master: The sweep's own config.
        loader: Hydra's.
        single: Whether the command requests one run, not a sweep.

    Raises:
        UsageError: Several values for what belongs to the whole sweep, or for one run.
        SettingsError: Lists every problem of every point.
    """
    parsed = overrides.parse(asked, loader)
    checks.check(parsed)
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
    settings = check_points(partial(composer.settings, point) for point in points)
    return list(map(Composed, points, settings))


def check_points(points: Iterable[Callable[[], Plain]]) -> list[Plain]:
    """Settings of all points, or every problem of every point at once.

    Args:
        points: For each point, a function that gives its settings.

    Raises:
        SettingsError: Lists each problem once, with the number of points that have it.
    """
    found: dict[str, int] = {}
    settings = []
    for compose in points:
        try:
            plain = compose()
            texts = [str(problem) for problem in schema.problems(plain)]
            settings.append(plain)
        except SettingsError as error:
            texts = [str(error)]
        for text in texts:
            found[text] = found.get(text, 0) + 1
    checks.raise_for([text if n == 1 else f"{text} ({n} points)" for text, n in found.items()])
    return settings
