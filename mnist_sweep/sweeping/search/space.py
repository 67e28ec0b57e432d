"""The space of a search: what its overrides leave open, in Hydra's own words.

    layers=choice(1,2,3)  model=mlp,cnn                 options without an order
    nodes=range(50,400,50)                              options in order, without the stop
    dropout=interval(0,0.5)  nodes=interval(50,400)     all (whole) numbers between, ends included
    learning_rate=tag(log,interval(1e-4,1e-2))          the same, drawn by their logarithm

A point of the space is one parameter a dimension: the number of an option, or a number itself.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override, RangeSweep
from omegaconf import DictConfig

from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import DirectoryError, SettingsError, UsageError
from mnist_sweep.records.fields import columns_of_planned
from mnist_sweep.records.record import Record
from mnist_sweep.records.sweep import load
from mnist_sweep.settings import MLP_KEYS, SETTINGS, Plain, problems, without_effect
from mnist_sweep.settings.setting import value_at
from mnist_sweep.sweeping.plan import checks, overrides
from mnist_sweep.sweeping.plan.compose import Composed, Composer
from mnist_sweep.sweeping.plan.hydra_settings import check_varying
from mnist_sweep.sweeping.plan.overrides import Axis, Option
from mnist_sweep.sweeping.plan.points import Point, identify

Parameters = tuple[float, ...]
"""A point: of each dimension the number of an option (from 0), or the value itself."""

DIGITS = 4
"""Significant digits of a number drawn from an interval: enough to search, and readable."""


class ExcludedError(SettingsError):
    """A point for which a condition of `exclude` holds."""


@dataclass(frozen=True)
class Dimension:
    """One override that leaves something open: an interval, or options.

    Attributes:
        axis: Its options; of an interval both ends.
        low: The lowest parameter: an interval's lower end, or the first option's number, 0.
        high: The highest.
        interval: Whether it is an interval.
        ordered: Whether its options are in order.
        log: Whether it is drawn by its logarithm.
    """

    axis: Axis
    low: Any
    high: Any
    interval: bool
    ordered: bool
    log: bool

    @property
    def whole(self) -> bool:
        """Whether parameters are whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def size(self) -> float:
        """How many values it has; infinite where they are fractions."""
        return self.high - self.low + 1 if self.whole else math.inf

    @property
    def ends(self) -> Sequence[float]:
        """All options, or both ends of an interval."""
        return [self.low, self.high] if self.interval else range(len(self.axis.options))

    def option(self, parameter: float) -> Option:
        """What a parameter stands for."""
        if not self.interval:
            return self.axis.options[int(parameter)]
        value = int(parameter) if self.whole else parameter
        name = self.axis.options[0].text.partition("=")[0]
        return Option(self.axis.key, f"{name}={value!r}", value)

    def draw(self, chance: np.random.Generator) -> float:
        """A parameter at random, rounded."""
        if self.whole and not self.log:
            return int(chance.integers(self.low, self.high + 1))
        low, high = self.low, self.high
        if self.whole:  # so that both ends are as likely as the numbers between
            low, high = low - 0.5, high + 0.5
        if self.log:
            return self.rounded(math.exp(chance.uniform(math.log(low), math.log(high))))
        return self.rounded(chance.uniform(low, high))

    def rounded(self, parameter: float) -> float:
        """A parameter as it is used."""
        near = round(parameter) if self.whole else float(f"{parameter:.{DIGITS}g}")
        return type(near)(min(max(near, self.low), self.high))

    def parameter(self, value: Any) -> float | None:
        """The parameter that stands for a value; None where the value is not in the dimension."""
        if not self.interval:
            values = [option.value for option in self.axis.options]
            return values.index(value) if value in values else None
        fits = isinstance(value, int if self.whole else (int, float))
        is_number = fits and not isinstance(value, bool)
        return value if is_number and self.low <= value <= self.high else None

    def __str__(self) -> str:
        """As a plan shows it."""
        if self.interval:
            return f"{self.low} to {self.high}{', logarithmic' if self.log else ''}"
        return ", ".join(option.text.partition("=")[2] for option in self.axis.options)


class Space:
    """All that the overrides of a search allow."""

    def __init__(self, asked: Sequence[str], master: DictConfig, loader: ConfigLoader) -> None:
        parsed = overrides.parse(asked, loader)
        checks.check(parsed, intervals=True)
        self.dimensions: list[Dimension] = []
        self._axes: list[Axis] = []
        for override in overrides.latest(parsed):
            if override.is_sweep_override():
                self.dimensions.append(_dimension(override))
                self._axes.append(self.dimensions[-1].axis)
            else:
                self._axes.append(overrides.axis_of(override))
        if not self.dimensions:
            raise UsageError(
                "A search needs something to search: leave settings open, as in "
                "layers=choice(1,2,3) nodes=range(50,400,50) dropout=interval(0,0.5)."
            )
        self.keys = [dimension.axis.key for dimension in self.dimensions]
        check_varying(master, self.keys, "search")
        if any(key.partition(".")[0] == "data" for key in self.keys):
            raise UsageError("data: a search compares runs on the same data; give one value.")
        self._composer = Composer(loader, master, self._axes)

    @property
    def size(self) -> float:
        """How many points there are; infinite where a dimension holds fractions."""
        return math.prod(dimension.size for dimension in self.dimensions)

    def composed(self, parameters: Parameters) -> Composed:
        """A point's settings, unless it is excluded; whether they fit together is not checked."""
        chosen = {
            id(dimension.axis): dimension.option(parameter)
            for dimension, parameter in zip(self.dimensions, parameters, strict=True)
        }
        one = self._composer.point([chosen.get(id(x), x.options[0]) for x in self._axes])
        if one.excluded:
            raise ExcludedError(f"left out by exclude={one.excluded}")
        return one

    def point(self, parameters: Parameters, info: DatasetInfo) -> Point:
        """The point of some parameters.

        Raises:
            SettingsError: Its settings do not fit together, or it is excluded.
        """
        one = self.composed(parameters)
        if wrong := problems(one.settings):
            raise SettingsError("; ".join(map(str, wrong)))
        return identify(one.settings, one.overrides, info)

    @cached_property
    def ends(self) -> list[Plain]:
        """The settings at the space's ends: every option and every end once."""
        fine, found = list[Composed](), list[str]()
        first = tuple(dimension.ends[0] for dimension in self.dimensions)
        every = (
            (*first[:index], end, *first[index + 1 :])
            for index, dimension in enumerate(self.dimensions)
            for end in dimension.ends
        )
        # Not every combination: a setting that is wrong at an end is so whatever the others are.
        for parameters in dict.fromkeys(every):
            try:
                one = self.composed(parameters)
            except ExcludedError as error:
                found.append(str(error))
                continue
            if wrong := problems(one.settings):
                found += map(str, wrong)
            else:
                fine.append(one)
        if not fine:
            checks.raise_for(found)
        given = [one.given for one in fine]
        # An end may be without effect beside one option and have an effect beside another.
        checks.raise_for(
            [p for p in without_effect(given) if not any(SETTINGS[p.key].applies(g) for g in given)]
        )
        return [one.settings for one in fine]

    def points(self) -> Iterator[Parameters]:
        """All points, the last dimension varying fastest."""
        if intervals := [d.axis.key for d in self.dimensions if d.interval]:
            raise SettingsError(
                f"search.sampler=grid takes all points of a grid, and {', '.join(intervals)} has "
                "no end of values: give a list (1,2) or a range (range(1,5)), or another sampler."
            )
        return itertools.product(*(dimension.ends for dimension in self.dimensions))

    def like(self, value_of: Callable[[str], Any]) -> Iterator[Parameters]:
        """Points that a run may have come from, by what it says of each setting."""
        choices: list[Sequence[float]] = []
        for dimension in self.dimensions:
            key = dimension.axis.key
            found = dimension.parameter(value_of(key))
            rule = SETTINGS[key].only_if if key in SETTINGS and key not in MLP_KEYS else None
            unused = rule and not rule.holds({rule.key: value_of(rule.key)})
            if dimension.axis.group:  # a run tells what a choice led to, not what it was
                choices.append(dimension.ends)
            elif found is None and unused:  # its record has the default
                choices.append(dimension.ends[:1])
            else:
                choices.append([] if found is None else [found])
        return itertools.product(*choices)


def _dimension(override: Override) -> Dimension:
    sweep: Any = override.value()
    is_range, log = isinstance(sweep, RangeSweep), "log" in sweep.tags
    if not override.is_interval_sweep() and not (is_range and log):
        axis = overrides.axis_of(override)
        return Dimension(
            axis, 0, len(axis.options) - 1, interval=False, ordered=is_range, log=False
        )
    found = overrides.interval_ends(override) if not is_range else overrides.values(override)
    low, high = found[0], found[-1]
    if is_range and (sweep.step != 1 or not isinstance(low, int) or low < 1):
        raise SettingsError(
            f"{override.key_or_group}: a logarithmic range takes every whole number from 1 "
            f"up; write tag(log,interval({low},{high})) for all numbers between."
        )
    axis = overrides.axis_of(override, (low, high))
    return Dimension(axis, low, high, interval=True, ordered=is_range, log=log)


@dataclass(frozen=True)
class PastTrial:
    """A run of a directory that lies in a search's space; `record` is None where it has none."""

    point: Point
    parameters: Parameters
    record: Record | None


def past_trials(directory: Path, space: Space, info: DatasetInfo) -> list[PastTrial]:
    """The runs in a directory that a search might have asked for, in the order they started.

    Those of a grid count too, where all their settings lie in the space. Planned ones without a
    record come last, in the order they were planned. There is no other memory of a search.
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


def _find(
    run_id: str,
    value_of: Callable[[str], Any],
    record: Record | None,
    space: Space,
    info: DatasetInfo,
) -> PastTrial | None:
    # A record has settings, not which choice of a group led to them: the run id tells.
    for parameters in space.like(value_of):
        try:
            point = space.point(parameters, info)
        except SettingsError:
            continue
        if point.run_id == run_id:
            return PastTrial(point, parameters, record)
    return None
