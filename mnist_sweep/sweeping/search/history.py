"""What a search knows of the runs so far, read from their records: there is no other memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import DirectoryError, SettingsError
from mnist_sweep.records.fields import columns_of_planned
from mnist_sweep.records.record import Record
from mnist_sweep.records.sweep import load
from mnist_sweep.settings import problems
from mnist_sweep.settings.setting import value_at
from mnist_sweep.sweeping.plan.points import Point, identify
from mnist_sweep.sweeping.search.space import Parameters, Space


@dataclass(frozen=True)
class PastTrial:
    """A run of a directory that lies in a search's space; `record` is None where it has none."""

    point: Point
    parameters: Parameters
    record: Record | None


def past_trials(directory: Path, space: Space, info: DatasetInfo) -> list[PastTrial]:
    """The runs in a directory that a search might have asked for, in the order they started.

    Those of a grid count too, where all their settings lie in the space. Planned ones without a
    record come last, in the order they were planned.
    """
    try:
        sweep = load(directory)
    except DirectoryError:
        return []
    started = sorted(sweep.records, key=lambda r: (r.environment.started_at or "", r.run_id))
    found = [_find(one.run_id, partial(value_at, one.config), one, space, info) for one in started]
    planned = columns_of_planned([(one.label, one.overrides) for one in sweep.missing])
    for place, one in enumerate(sweep.missing):
        settings = {name: values[place] for name, values in planned.items()}
        found.append(_find(one.run_id, settings.get, None, space, info))
    return [one for one in found if one]


def point_of(space: Space, parameters: Parameters, info: DatasetInfo) -> Point:
    """The point of some parameters.

    Raises:
        SettingsError: Its settings do not fit together, or it is excluded.
    """
    settings = space.settings(parameters)
    wrong = problems(settings)
    if wrong:
        raise SettingsError("; ".join(map(str, wrong)))
    return identify(settings, space.overrides(parameters), info)


def _find(
    run_id: str,
    value_of: Callable[[str], Any],
    record: Record | None,
    space: Space,
    info: DatasetInfo,
) -> PastTrial | None:
    for parameters in space.like(value_of):
        try:
            point = point_of(space, parameters, info)
        except SettingsError:
            continue
        if point.run_id == run_id:
            return PastTrial(point, parameters, record)
    return None
