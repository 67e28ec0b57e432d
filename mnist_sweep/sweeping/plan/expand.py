"""From overrides to the checked settings of every point of their grids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig

from mnist_sweep import settings as schema
from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.settings import Plain
from mnist_sweep.sweeping.plan import checks, grid, overrides
from mnist_sweep.sweeping.plan.compose import Composer
from mnist_sweep.sweeping.plan.grid import Option
from mnist_sweep.sweeping.plan.hydra_settings import check_place
from mnist_sweep.sweeping.plan.sets import exclusions_of, row_of


class Composed(NamedTuple):
    """A point of a grid before its data are known.

    Attributes:
        options: One of each axis.
        settings: What they make; those without effect are at their defaults.
        unused: Keys of settings that were given and have no effect.
        excluded: The condition of `exclude` that holds; empty where the point is wanted.
    """

    options: tuple[Option, ...]
    settings: Plain
    unused: tuple[str, ...] = ()
    excluded: str = ""


def expand(
    asked: Sequence[Sequence[str]],
    master: DictConfig,
    loader: ConfigLoader,
    *,
    single: bool = False,
) -> list[Composed]:
    """Every point of the grids that overrides describe, in their order.

    Args:
        asked: The overrides of each grid; a later one of a key wins.
        master: The sweep's own config.
        loader: Hydra's.
        single: Whether the command requests one run, not a sweep.

    Raises:
        UsageError: Several values for what belongs to the whole sweep, or for one run.
        SettingsError: Lists every problem of every point.
    """
    exclusions = exclusions_of(master.exclude)
    found: dict[str, int] = {}
    points: list[Composed] = []
    raw: list[Plain] = []
    texts: list[dict[str, str]] = []
    varying: set[str] = set()
    for words in asked:
        parsed = overrides.parse(words, loader)
        checks.check(parsed)
        axes = grid.axes(parsed, int(master.max_points))
        texts.append({axis.key: axis.options[0].text for axis in axes})
        varying |= {axis.key for axis in axes if axis.swept}
        _check_swept(axes, single=single)
        composer = Composer(loader, master, axes)
        for options in grid.points(axes):
            try:
                given = composer.settings(options)
            except SettingsError as error:
                _count(found, [error])
                continue
            row = row_of(given, options)
            excluded = next((one.text for one in exclusions if one.holds(row)), "")
            settings = schema.effective(given)
            if not excluded:
                raw.append(given)
                _count(found, schema.problems(settings))
            points.append(Composed(options, settings, tuple(schema.unused(given)), excluded))
    varying |= {key for one in texts for key in one if any(t.get(key) != one[key] for t in texts)}
    check_place(master, varying)
    _count(found, [] if found else schema.without_effect(raw))
    checks.raise_for([text if n == 1 else f"{text} ({n} points)" for text, n in found.items()])
    if not raw:
        raise UsageError("exclude leaves no point to run.")
    return points


def _check_swept(axes: Sequence[grid.Axis], *, single: bool) -> None:
    swept = [axis.key for axis in axes if axis.swept]
    if single and swept:
        raise UsageError(
            f"Several values for {', '.join(swept)} make a sweep: add -m to run all of them."
        )
    whole = [key for key in swept if key.partition(".")[0] in schema.SWEEP_KEYS]
    if whole:
        raise UsageError(f"{', '.join(whole)}: one value for the whole sweep, not several.")


def _count(found: dict[str, int], problems: Iterable[object]) -> None:
    for text in map(str, problems):
        found[text] = found.get(text, 0) + 1
