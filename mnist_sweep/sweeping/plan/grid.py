"""A grid: the product of everything the overrides sweep over."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Override, OverrideType, RangeSweep, Transformer

from mnist_sweep.errors import SettingsError
from mnist_sweep.sweeping.plan.overrides import (
    chooses_group,
    plain_value,
    range_size,
    values,
)


@dataclass(frozen=True)
class Option:
    """One value of an axis.

    Attributes:
        key: Dotted key or group.
        text: The override, `key=value` as Hydra writes it.
        value: The plain value; None where the override deletes its key.
    """

    key: str
    text: str
    value: Any


@dataclass(frozen=True)
class Axis:
    """What one override stands for.

    Attributes:
        key: Dotted key or group.
        options: Its values; one if it is not swept.
        group: Whether it chooses a config group.
        plain: Whether it only sets a value (no +, ~ or package).
    """

    key: str
    options: tuple[Option, ...]
    group: bool
    plain: bool

    @property
    def swept(self) -> bool:
        """Whether it has more than one value."""
        return len(self.options) > 1


def axes(overrides: list[Override], max_points: int) -> list[Axis]:
    """The axes of a grid, in the order of the command line; a later override of a key wins.

    Raises:
        SettingsError: The grid has more than `max_points` points; nothing is expanded.
    """
    given = latest(overrides)
    sizes = [(override.get_key_element(), _size(override)) for override in given]
    n_points = math.prod(size for _, size in sizes)
    if n_points > max_points:
        product = " x ".join(f"{size} {key}" for key, size in sizes if size > 1)
        raise SettingsError(
            f"The grid has {n_points:,} points ({product}), more than max_points={max_points:,}. "
            f"Make it smaller, or allow it with max_points={n_points}."
        )
    return [axis_of(override) for override in given]


def latest(overrides: list[Override]) -> list[Override]:
    """Of several overrides of a key the last, at the place of the first."""
    # model=cnn chooses and model={filters: 8} sets: neither takes the other's place.
    found = {
        (override.get_key_element(), chooses_group(override)): override for override in overrides
    }
    return list(found.values())


def points(grid: Sequence[Axis]) -> Iterator[tuple[Option, ...]]:
    """All points, an option of each axis; the last axis varies fastest."""
    return itertools.product(*(axis.options for axis in grid))


def axis_of(override: Override, ends: Sequence[Any] = ()) -> Axis:
    """What an override stands for.

    Args:
        override: As Hydra reads it.
        ends: Of an interval, which has no end of values: its ends, taken as its options.
    """
    key, name = override.key_or_group, override.get_key_element()
    if ends:
        options = [(f"{name}={end!r}", end) for end in ends]
    elif override.is_sweep_override():
        # Iterated once: shuffle() gives another order each time.
        swept = list(override.sweep_iterator())
        options = [(f"{name}={Transformer.str(value)}", plain_value(value)) for value in swept]
    else:
        value = None if override.is_delete() else values(override)[0]
        options = [(str(override.input_line), value)]
    sets = (OverrideType.CHANGE, OverrideType.FORCE_ADD)
    plain = override.type in sets and override.package is None
    own = tuple(Option(key, text, value) for text, value in options)
    return Axis(key, own, chooses_group(override), plain)


def _size(override: Override) -> int:
    if not override.is_sweep_override():
        return 1
    sweep = override.value()
    if isinstance(sweep, RangeSweep):
        return range_size(sweep)
    return sum(1 for _ in override.sweep_iterator())
