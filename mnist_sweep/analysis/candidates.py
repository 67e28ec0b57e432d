"""The configurations among which one is selected, each with its runs and their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple, overload

from mnist_sweep.records.paths import without_seed
from mnist_sweep.records.runs import Records, Run, Runs, runs_of
from mnist_sweep.records.view import View

if TYPE_CHECKING:
    from mnist_sweep.records.fields import Flat, FlatValues
    from mnist_sweep.records.record import Record


@dataclass(frozen=True)
class Candidate:
    """One configuration: its finished runs and their values of the metric, in order of seed."""

    configuration_id: str
    records: Sequence[Record] = field(repr=False)
    values: tuple[float, ...]

    @property
    def runs(self) -> Sequence[Run]:
        """The same runs as flat values, their records read only when asked for."""
        return runs_of(self.records)

    @cached_property
    def value(self) -> float:
        """The mean over the configuration's runs."""
        return fmean(self.values)

    @property
    def settings(self) -> Flat:
        """Flat settings of the configuration, without the seed."""
        return {k: v for k, v in self.runs[0].settings.items() if k != "seed"}

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """Seeds of the runs."""
        return tuple(run.seed for run in self.runs)

    @property
    def label(self) -> str:
        """The configuration's label: that of its runs without the seed."""
        return without_seed(self.runs[0].label)


class Group(NamedTuple):
    """A configuration's id, the places of its runs in order, and their values."""

    configuration_id: str
    places: Sequence[int]
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean of the values."""
        return self.values[0] if len(self.values) == 1 else fmean(self.values)


class Candidates(Sequence[Candidate]):
    """Configurations in order; of 100,000, objects are made of those that are asked for.

    Args:
        runs: All runs, of which the groups name the places.
        groups: One per configuration.
    """

    def __init__(self, runs: Runs, groups: Sequence[Group]) -> None:
        self._runs, self._groups = runs, groups
        self._made: dict[int, Candidate] = {}

    @overload
    def __getitem__(self, index: int) -> Candidate: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Candidate]: ...
    def __getitem__(self, index: int | slice) -> Candidate | Sequence[Candidate]:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        place = range(len(self))[index]
        if place not in self._made:
            group = self._groups[place]
            records = Records(self._runs.pick(group.places))
            self._made[place] = Candidate(group.configuration_id, records, group.values)
        return self._made[place]

    def __len__(self) -> int:
        return len(self._groups)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Candidates):
            return NotImplemented
        return list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(tuple(self))

    @cached_property
    def means(self) -> list[float]:
        """The value of each."""
        return [group.mean for group in self._groups]

    @property
    def counts(self) -> list[int]:
        """How many runs each has."""
        return [len(group.values) for group in self._groups]

    @property
    def values(self) -> list[float]:
        """The values of all their runs, one candidate after the other."""
        return list(chain.from_iterable(group.values for group in self._groups))

    @cached_property
    def runs(self) -> Runs:
        """All their runs, one candidate after the other."""
        return self._runs.pick([place for group in self._groups for place in group.places])

    @cached_property
    def rows(self) -> Sequence[FlatValues]:
        """The flat values of the first run of each."""
        return self._runs.pick([group.places[0] for group in self._groups]).rows

    def ordered(self, *, downward: bool) -> Candidates:
        """By their means, equal ones by label."""
        sign = -1 if downward else 1
        means = [sign * mean for mean in self.means]
        labels = [without_seed(label) for label in View(self.rows).values("label")]
        order = sorted(range(len(self)), key=labels.__getitem__)
        order.sort(key=means.__getitem__)
        return Candidates(self._runs, [self._groups[place] for place in order])
