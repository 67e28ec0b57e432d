"""The space of a search: what its overrides leave open, in Hydra's own words.

layers=choice(1,2,3)  model=mlp,cnn                 options without an order
nodes=range(50,400,50)                              options in order, without the stop
dropout=interval(0,0.5)  nodes=interval(50,400)     all (whole) numbers between, ends included
learning_rate=tag(log,interval(1e-4,1e-2))          the same, drawn by their logarithm
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
from mnist_sweep.sweeping.plan.checks import check_varying
from mnist_sweep.sweeping.plan.overrides import Axis
from mnist_sweep.sweeping.plan.points import Composed, Composer, Point, identify

Parameters = tuple[float, ...]
"""A point: of each dimension the number of an option (from 0), or the value itself."""

DIGITS = 4
"""Significant digits of a number drawn from an interval: enough to search, and readable."""


@dataclass(frozen=True)
class Dimension:
    """One override that leaves something open: options, or an interval."""

    axis: Axis  # its options, or both ends of an interval
    low: Any  # the lowest parameter: an interval's lower end, or the first option's number, 0
    high: Any
    group: bool  # options are choices of a config group
    interval: bool
    ordered: bool  # options are in order
    log: bool  # drawn by its logarithm

    @property
    def key(self) -> str:
        """The setting that it leaves open."""
        return self.axis[0].key_or_group

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
        return [self.low, self.high] if self.interval else range(len(self.axis))

    def option(self, parameter: float) -> Override:
        """What a parameter stands for."""
        if not self.interval:
            return self.axis[int(parameter)]
        return overrides.with_value(self.axis[0], parameter)

    def distribution(self, kinds: Any) -> Any:
        """What Optuna calls it; `kinds` is `optuna.distributions`."""
        if not (self.interval or self.ordered):
            return kinds.CategoricalDistribution(tuple(self.ends))
        kind = kinds.IntDistribution if self.whole else kinds.FloatDistribution
        return kind(self.low, self.high, log=self.log)

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
            values = [option.value() for option in self.axis]
            return values.index(value) if value in values else None
        fits = isinstance(value, int if self.whole else (int, float))
        is_number = fits and not isinstance(value, bool)
        return value if is_number and self.low <= value <= self.high else None

    def __str__(self) -> str:
        """As a plan shows it."""
        if self.interval:
            return f"{self.low} to {self.high}{', logarithmic' if self.log else ''}"
        return ", ".join(map(overrides.written, self.axis))


class Space:
    """All that the overrides of a search allow."""

    def __init__(self, asked: Sequence[str], master: DictConfig, loader: ConfigLoader) -> None:
        parsed = overrides.parse(asked, loader)
        checks.check(parsed, intervals=True)
        self._all: list[Dimension | Override] = [
            _dimension(one) if one.is_sweep_override() else one for one in overrides.latest(parsed)
        ]
        self.dimensions = [one for one in self._all if isinstance(one, Dimension)]
        if not self.dimensions:
            raise UsageError(
                "A search needs something to search: leave settings open, as in "
                "layers=choice(1,2,3) nodes=range(50,400,50) dropout=interval(0,0.5)."
            )
        self.keys = [dimension.key for dimension in self.dimensions]
        check_varying(master, self.keys, "search")
        if any(key.partition(".")[0] == "data" for key in self.keys):
            raise UsageError("data: a search compares runs on the same data; give one value.")
        axes = [one.axis if isinstance(one, Dimension) else [one] for one in self._all]
        self._composer = Composer(loader, master, axes)

    @property
    def size(self) -> float:
        """How many points there are; infinite where a dimension holds fractions."""
        return math.prod(dimension.size for dimension in self.dimensions)

    def composed(self, parameters: Parameters) -> Composed:
        """A point's settings; neither conditions nor whether they fit together are checked."""
        left = iter(parameters)
        options = [x.option(next(left)) if isinstance(x, Dimension) else x for x in self._all]
        return self._composer.point(options)

    def point(self, parameters: Parameters, info: DatasetInfo) -> Point:
        """The point of some parameters.

        Raises:
            SettingsError: Its settings do not fit together, or it is excluded.
        """
        one = self.composed(parameters)
        if wrong := _wrong(one):
            raise SettingsError("; ".join(wrong))
        return identify(one.settings, one.overrides, info)

    @cached_property
    def ends(self) -> list[Plain]:
        """The settings at the space's ends: every option and every end once."""
        first = tuple(dimension.ends[0] for dimension in self.dimensions)
        every = (
            (*first[:index], end, *first[index + 1 :])
            for index, dimension in enumerate(self.dimensions)
            for end in dimension.ends
        )
        # Not every combination: a setting that is wrong at an end is so whatever the others are.
        points = [self.composed(parameters) for parameters in dict.fromkeys(every)]
        fine = [one for one in points if not _wrong(one)]
        if not fine:
            checks.raise_for([text for one in points for text in _wrong(one)])
        given = [one.given for one in fine]
        # An end may be without effect beside one option and have an effect beside another.
        checks.raise_for(
            [p for p in without_effect(given) if not any(SETTINGS[p.key].applies(g) for g in given)]
        )
        return [one.settings for one in fine]

    def points(self) -> Iterator[Parameters]:
        """All points, the last dimension varying fastest."""
        if intervals := [one.key for one in self.dimensions if one.interval]:
            raise SettingsError(
                f"search.sampler=grid takes all points of a grid, and {', '.join(intervals)} has "
                "no end of values: give a list (1,2) or a range (range(1,5)), or another sampler."
            )
        return itertools.product(*(dimension.ends for dimension in self.dimensions))

    def like(self, value_of: Callable[[str], Any]) -> Iterator[Parameters]:
        """Points that a run may have come from, by what it says of each setting."""
        choices: list[Sequence[float]] = []
        for dimension in self.dimensions:
            key = dimension.key
            found = dimension.parameter(value_of(key))
            rule = SETTINGS[key].only_if if key in SETTINGS and key not in MLP_KEYS else None
            unused = rule and not rule.holds({rule.key: value_of(rule.key)})
            if dimension.group:  # a run tells what a choice led to, not what it was
                choices.append(dimension.ends)
            elif found is None and unused:  # its record has the default
                choices.append(dimension.ends[:1])
            else:
                choices.append([] if found is None else [found])
        return itertools.product(*choices)


def _wrong(one: Composed) -> list[str]:
    if one.excluded:
        return [f"left out by exclude={one.excluded}"]
    return [str(problem) for problem in problems(one.settings)]


def _dimension(override: Override) -> Dimension:
    sweep: Any = override.value()
    is_range, log = isinstance(sweep, RangeSweep), "log" in sweep.tags
    interval = override.is_interval_sweep() or (is_range and log)
    if override.is_interval_sweep():
        ends = overrides.interval_ends(override)
        axis = [overrides.with_value(override, end) for end in ends]
    else:
        axis = overrides.axis_of(override)
    low, high = axis[0].value(), axis[-1].value()
    if is_range and log and (sweep.step != 1 or not isinstance(low, int) or low < 1):
        raise SettingsError(
            f"{override.key_or_group}: a logarithmic range takes every whole number from 1 "
            f"up; write tag(log,interval({low},{high})) for all numbers between."
        )
    return Dimension(
        axis,
        low if interval else 0,
        high if interval else len(axis) - 1,
        group=overrides.chooses_group(override),
        interval=interval,
        ordered=is_range,
        log=interval and log,
    )


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
    there: list[tuple[str, Record | None, Callable[[str], Any]]] = [
        (one.run_id, one, partial(value_at, one.config)) for one in started
    ]
    planned = columns_of_planned([(one.label, one.overrides) for one in sweep.missing])
    for place, one in enumerate(sweep.missing):
        settings = {name: values[place] for name, values in planned.items()}
        there.append((one.run_id, None, settings.get))
    found = []
    for run_id, record, value_of in there:
        # A record has settings, not which choice of a group led to them: the run id tells.
        for parameters in space.like(value_of):
            try:
                point = space.point(parameters, info)
            except SettingsError:
                continue
            if point.run_id == run_id:
                found.append(PastTrial(point, parameters, record))
                break
    return found
