"""From a grid to the points that are to be run: checked, identified, each only once."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from mnist_sweep import settings as schema
from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import SettingsError
from mnist_sweep.settings import Plain
from mnist_sweep.settings.source import Source, source_of
from mnist_sweep.sweeping.plan.overrides import raise_for

Prepare = Callable[[Plain], DatasetInfo]


@dataclass(frozen=True)
class Point:
    """One resolved configuration, ready to run.

    Attributes:
        run_id: See `config.run_id`.
        configuration_id: The same for all repeats.
        label: Readable, made of settings.
        settings: A run's settings, plain.
        overrides: What asked for it, as given to Hydra.
        data_key: Which of the plan's datasets it uses.
        code: Hash and files of the user's own code behind `model._target_`; None where there is
            none.
    """

    run_id: str
    configuration_id: str
    label: str
    settings: Plain
    overrides: list[str]
    data_key: str
    code: Plain | None = None


@dataclass
class Plan:
    """The points of one invocation.

    Attributes:
        points: Each run id once, in the order of the grid.
        datasets: Prepared data by key.
        varying: Dotted keys that differ between points.
        duplicates: Labels of points left out because another has the same run id.
    """

    points: list[Point] = field(default_factory=list)
    datasets: dict[str, DatasetInfo] = field(default_factory=dict)
    varying: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)


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
    raise_for([text if n == 1 else f"{text} ({n} points)" for text, n in found.items()])
    return settings


def data_key(settings: Plain) -> str:
    """Points with the same data settings share one prepared dataset."""
    return json.dumps(settings["data"], sort_keys=True)


def make_plan(all_settings: list[Plain], all_overrides: list[list[str]], prepare: Prepare) -> Plan:
    """Identify points by what decides their results and drop the duplicates.

    Args:
        all_settings: Checked settings of every point.
        all_overrides: Overrides of every point.
        prepare: Makes a dataset ready; called once for each that occurs.

    Raises:
        DataError: A dataset cannot be had or is damaged.
    """
    plan = Plan()
    seen: set[str] = set()
    find_source = functools.cache(source_of)  # once a plan: the file may be edited before the next
    for settings, overrides in zip(all_settings, all_overrides, strict=True):
        key = data_key(settings)
        if key not in plan.datasets:
            plan.datasets[key] = prepare(settings["data"])
        point = identify(settings, overrides, plan.datasets[key], find_source)
        if point.run_id in seen:
            plan.duplicates.append(point.label)
            continue
        seen.add(point.run_id)
        plan.points.append(point)
    plan.varying = varying(point.settings for point in plan.points)
    return plan


def identify(
    settings: Plain,
    overrides: list[str],
    info: DatasetInfo,
    find_source: Callable[[str], Source | None] = source_of,
) -> Point:
    """The point of some settings on some data, with the user's own code as it is now."""
    source = find_source(str(settings["model"].get("_target_")))
    form = schema.canonical(settings, info.deciding(), source.sha256 if source else None)
    return Point(
        run_id=schema.run_id(form),
        configuration_id=schema.configuration_id(form),
        label=schema.label(settings),
        settings=schema.run_settings(settings),
        overrides=overrides,
        data_key=data_key(settings),
        code=source.to_dict() if source else None,
    )


def varying(all_settings: Iterable[Plain]) -> list[str]:
    """Dotted keys that take more than one value."""
    variation = Variation()
    for settings in all_settings:
        variation.add(settings)
    return variation.keys


class Variation:
    """The values that settings take, of points that come one after another."""

    def __init__(self) -> None:
        self._values: dict[str, set[str]] = {}

    def add(self, settings: Plain) -> None:
        """Take in a point's."""
        for key, value in _flat(settings, ""):
            self._values.setdefault(key, set()).add(json.dumps(value, sort_keys=True))

    @property
    def keys(self) -> list[str]:
        """Dotted keys that take more than one value."""
        return [key for key, seen in self._values.items() if len(seen) > 1]


def _flat(settings: Plain, prefix: str) -> Iterable[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
