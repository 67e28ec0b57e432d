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
from typing import Any, cast

import numpy as np
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override, RangeSweep
from omegaconf import DictConfig

from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.settings import (
    MLP_KEYS,
    SETTINGS,
    SWEEP_KEYS,
    Plain,
    Problem,
    effective,
    problems,
    without_effect,
)
from mnist_sweep.sweeping.plan import checks, grid, overrides
from mnist_sweep.sweeping.plan.compose import Composer
from mnist_sweep.sweeping.plan.grid import Axis, Option
from mnist_sweep.sweeping.plan.hydra_settings import check_place
from mnist_sweep.sweeping.plan.sets import exclusions_of, row_of

Parameters = tuple[float, ...]
"""A point: of each dimension the number of an option (from 0), or the value itself."""

DIGITS = 4
"""Significant digits of a number drawn from an interval: enough to search, and readable."""


class ExcludedError(SettingsError):
    """A point for which a condition of `exclude` holds."""


@dataclass(frozen=True)
class Dimension:
    """One override that leaves something open.

    Attributes:
        axis: Its options; of an interval both ends.
        interval: Whether it is an interval.
        ordered: Whether its options are in order.
        log: Whether it is drawn by its logarithm.
    """

    axis: Axis
    interval: bool
    ordered: bool
    log: bool

    @property
    def size(self) -> float:
        """How many values it has; infinite where they are fractions."""
        if not self.interval:
            return len(self.axis.options)
        return self.high - self.low + 1 if self.whole else math.inf

    @property
    def whole(self) -> bool:
        """Whether an interval holds whole numbers only."""
        return all(isinstance(option.value, int) for option in self.axis.options)

    @property
    def low(self) -> Any:
        """An interval's lower end."""
        return self.axis.options[0].value

    @property
    def high(self) -> Any:
        """An interval's upper end."""
        return self.axis.options[1].value

    def option(self, parameter: float) -> Option:
        """What a parameter stands for."""
        if not self.interval:
            return self.axis.options[int(parameter)]
        value = int(parameter) if self.whole else parameter
        name = self.axis.options[0].text.partition("=")[0]
        return Option(self.axis.key, f"{name}={value!r}", value)

    def draw(self, chance: np.random.Generator) -> float:
        """A parameter at random."""
        if not self.interval:
            return int(chance.integers(len(self.axis.options)))
        if self.whole and not self.log:
            return int(chance.integers(self.low, self.high + 1))
        low, high = (self.low - 0.5, self.high + 0.5) if self.whole else (self.low, self.high)
        if self.log:
            value = math.exp(chance.uniform(math.log(low), math.log(high)))
        else:
            value = chance.uniform(low, high)
        return min(max(round(value), self.low), self.high) if self.whole else value

    def rounded(self, parameter: float) -> float:
        """A drawn parameter as it is used."""
        if not self.interval or self.whole:
            return int(parameter)
        return float(min(max(float(f"{parameter:.{DIGITS}g}"), self.low), self.high))

    def parameter(self, value: Any) -> float | None:
        """The parameter that stands for a value; None where the value is not in the dimension."""
        if not self.interval:
            values = [option.value for option in self.axis.options]
            return values.index(value) if value in values else None
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high:
            return None
        return None if self.whole and not isinstance(value, int) else value

    def __str__(self) -> str:
        """As a plan shows it."""
        if self.interval:
            kind = ", logarithmic" if self.log else ""
            return f"{self.low} to {self.high}{kind}"
        return ", ".join(option.text.partition("=")[2] for option in self.axis.options)


class Space:
    """All that the overrides of a search allow.

    Raises:
        UsageError: Nothing is left open, or something that no search may choose.
        SettingsError: Lists every override that is wrong.
    """

    def __init__(self, asked: Sequence[str], master: DictConfig, loader: ConfigLoader) -> None:
        parsed = overrides.parse(asked, loader)
        checks.check(parsed, intervals=True)
        given = grid.latest(parsed)
        self._axes = [_axis(override) for override in given]
        open_ones = [
            (override, axis)
            for override, axis in zip(given, self._axes, strict=True)
            if override.is_sweep_override()
        ]
        self.dimensions = [_dimension(override, axis) for override, axis in open_ones]
        if not self.dimensions:
            raise UsageError(
                "A search needs something to search: leave settings open, as in "
                "layers=choice(1,2,3) nodes=range(50,400,50) dropout=interval(0,0.5)."
            )
        keys = [dimension.axis.key for dimension in self.dimensions]
        sweeps = [key for key in keys if key.partition(".")[0] in SWEEP_KEYS]
        if sweeps:
            raise UsageError(f"{', '.join(sweeps)}: one value for the whole search, not several.")
        if any(key.partition(".")[0] == "data" for key in keys):
            raise UsageError("data: a search compares runs on the same data; give one value.")
        check_place(master, keys)
        self.keys = keys
        self._composer = Composer(loader, master, self._axes)
        self._exclusions = exclusions_of(master.exclude)

    @property
    def size(self) -> float:
        """How many points there are; infinite where a dimension holds fractions."""
        return math.prod(dimension.size for dimension in self.dimensions)

    def overrides(self, parameters: Parameters) -> list[str]:
        """The overrides of a point."""
        return [option.text for option in self._options(parameters)]

    def settings(self, parameters: Parameters) -> Plain:
        """The settings of a point, plain and resolved; see `problems` of `mnist_sweep.settings`.

        Raises:
            SettingsError: Hydra cannot compose them, or they are excluded.
        """
        settings = self._given(parameters)
        row = row_of(settings, self._options(parameters))
        if found := [one.text for one in self._exclusions if one.holds(row)]:
            raise ExcludedError(f"left out by exclude={found[0]}")
        return effective(settings)

    def _given(self, parameters: Parameters) -> Plain:
        return self._composer.settings(self._options(parameters))

    def check(self) -> list[tuple[Parameters, Plain]]:
        """The points at the space's ends with their settings: every option and every end once.

        Raises:
            SettingsError: Hydra cannot compose one, or none of them could be run.
        """
        fine, found = [], list[str]()
        for parameters in self._ends():
            try:
                settings = self.settings(parameters)
            except ExcludedError as error:
                found.append(str(error))
                continue
            wrong: list[Problem] = problems(settings)
            found += map(str, wrong)
            if not wrong:
                fine.append((parameters, settings))
        if not fine:
            checks.raise_for(found)
        given = [self._given(parameters) for parameters, _ in fine]
        checks.raise_for(
            [p for p in without_effect(given) if not any(SETTINGS[p.key].applies(g) for g in given)]
        )
        return fine

    def points(self) -> Iterator[Parameters]:
        """All points, the last dimension varying fastest.

        Raises:
            SettingsError: There are intervals, which have no end of values.
        """
        intervals = [d.axis.key for d in self.dimensions if d.interval]
        if intervals:
            raise SettingsError(
                f"search.sampler=grid takes all points of a grid, and {', '.join(intervals)} has "
                "no end of values: give a list (1,2) or a range (range(1,5)), or another sampler."
            )
        return itertools.product(*(range(len(d.axis.options)) for d in self.dimensions))

    def like(self, value_of: Callable[[str], Any]) -> Iterator[Parameters]:
        """Points that a run may have come from."""
        choices: list[Sequence[float]] = []
        for dimension in self.dimensions:
            if dimension.axis.group:  # a run tells what a choice led to, not what it was
                choices.append(range(len(dimension.axis.options)))
            else:
                found = dimension.parameter(value_of(dimension.axis.key))
                if found is None and not _has_effect(dimension.axis.key, value_of):
                    found = 0 if not dimension.interval else dimension.low
                choices.append([] if found is None else [found])
        return itertools.product(*choices)

    def _options(self, parameters: Parameters) -> list[Option]:
        chosen = {
            id(dimension.axis): dimension.option(parameter)
            for dimension, parameter in zip(self.dimensions, parameters, strict=True)
        }
        return [chosen.get(id(axis), axis.options[0]) for axis in self._axes]

    def _ends(self) -> list[Parameters]:
        values: list[list[float]] = [
            [d.low, d.high] if d.interval else list(range(len(d.axis.options)))
            for d in self.dimensions
        ]
        first = tuple(options[0] for options in values)
        ends = [
            (*first[:index], option, *first[index + 1 :])
            for index, options in enumerate(values)
            for option in options
        ]
        return list(dict.fromkeys(ends))


def _has_effect(key: str, value_of: Callable[[str], Any]) -> bool:
    """Whether a run used a setting; where it did not, its record has the default."""
    rule = SETTINGS[key].only_if if key in SETTINGS and key not in MLP_KEYS else None
    return rule is None or rule.holds({rule.key: value_of(rule.key)})


def _is_interval(override: Override) -> bool:
    """Whether all numbers between two may come; a logarithmic range of whole numbers is one."""
    sweep: Any = override.value()
    return overrides.is_interval(override) or (
        isinstance(sweep, RangeSweep) and "log" in sweep.tags
    )


def _axis(override: Override) -> Axis:
    if not override.is_sweep_override() or not _is_interval(override):
        return grid.axis_of(override)
    return grid.axis_of(override, _ends_of(override))


def _ends_of(override: Override) -> tuple[Any, Any]:
    if overrides.is_interval(override):
        return overrides.interval_ends(override)
    found, sweep = overrides.values(override), cast("Any", override.value())
    if sweep.step != 1 or not isinstance(found[0], int) or found[0] < 1:
        raise SettingsError(
            f"{overrides.key_of(override)}: a logarithmic range takes every whole number from 1 "
            f"up; write tag(log,interval({found[0]},{found[-1]})) for all numbers between."
        )
    return found[0], found[-1]


def _dimension(override: Override, axis: Axis) -> Dimension:
    sweep: Any = override.value()
    return Dimension(
        axis,
        interval=_is_interval(override),
        ordered=isinstance(sweep, RangeSweep),
        log="log" in sweep.tags,
    )
