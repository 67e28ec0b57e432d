"""A grid: the product of everything the overrides sweep over."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Override, OverrideType, RangeSweep

from mnist_sweep.errors import SettingsError
from mnist_sweep.sweeping.plan.overrides import GROUPS, key_of, range_size, values


@dataclass(frozen=True)
class Axis:
    """One override of the grid.

    Attributes:
        key: Dotted key or group.
        texts: The overrides it stands for, `key=value` as Hydra writes them; one if not swept.
        values: Their plain values, in the same order.
        group: Whether it chooses a config group.
        plain: Whether it only sets a value that exists (no +, ++, ~ or package).
    """

    key: str
    texts: tuple[str, ...]
    values: tuple[Any, ...]
    group: bool
    plain: bool

    @property
    def swept(self) -> bool:
        """Whether it has more than one value, or was written as a sweep."""
        return len(self.texts) > 1


def axes(overrides: list[Override], max_points: int) -> list[Axis]:
    """The axes of a grid, in the order of the command line; a later override of a key wins.

    Raises:
        SettingsError: The grid has more than `max_points` points; nothing is expanded.
    """
    given = latest(overrides)
    sizes = [(override.get_key_element(), _size(override)) for override in given]
    points = math.prod(size for _, size in sizes)
    if points > max_points:
        product = " x ".join(f"{size} {key}" for key, size in sizes if size > 1)
        raise SettingsError(
            f"The grid has {points:,} points ({product}), more than max_points={max_points:,}. "
            f"Make it smaller, or allow it with max_points={points}."
        )
    return [axis_of(override) for override in given]


def latest(overrides: list[Override]) -> list[Override]:
    """Of several overrides of a key the last, at the place of the first."""
    # model=cnn chooses and model={filters: 8} sets: neither takes the other's place.
    found = {(override.get_key_element(), _chooses(override)): override for override in overrides}
    return list(found.values())


def points(grid: list[Axis]) -> Iterator[tuple[int, ...]]:
    """All points as one index per axis; the last axis varies fastest."""
    yield from itertools.product(*(range(len(axis.texts)) for axis in grid))


def texts(grid: list[Axis], point: tuple[int, ...]) -> list[str]:
    """The overrides of one point."""
    return [axis.texts[i] for axis, i in zip(grid, point, strict=True)]


def _size(override: Override) -> int:
    if not override.is_sweep_override():
        return 1
    sweep = override.value()
    if isinstance(sweep, RangeSweep):
        return range_size(sweep)
    return sum(1 for _ in override.sweep_iterator())


def axis_of(override: Override) -> Axis:
    """What one override stands for; it is no interval."""
    name = override.get_key_element()
    if override.is_sweep_override():
        texts = tuple(f"{name}={value}" for value in override.sweep_string_iterator())
    else:
        texts = (str(override.input_line),)
    plain = override.type == OverrideType.CHANGE and override.package is None
    found = () if override.is_delete() else tuple(values(override))
    return Axis(key_of(override), texts, found, _chooses(override), plain)


def _chooses(override: Override) -> bool:
    """Whether an override chooses a config group's file, and does not set a value."""
    key = key_of(override)
    return "/" in key or (key in GROUPS and not isinstance(override.value(), dict))
