"""Runs that differ only in seed summed up as one row: means, spreads, and what has no result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from mnist_sweep.records.columns import Layout, names_of
from mnist_sweep.records.paths import without_seed
from mnist_sweep.records.view import values_of
from mnist_sweep.reporting.tables.rows import SWEEP, RunRow, column_values, is_result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mnist_sweep.analysis.statistics import Interval
    from mnist_sweep.records.fields import Flat, FlatValues

REPEATS = "repeats"
"""The name of the number of finished runs in a configuration's row."""

_OF_ONE_RUN = ("seed", "run_id", "label", "status", "error.type", "error.message")


@dataclass(frozen=True)
class ConfigurationRow(RunRow):
    """One configuration: `values` holds its settings and the means over its finished runs.

    Attributes:
        runs: All its runs, finished or not.
        spreads: Name of a result -> standard deviation over the finished runs, if two have it.
        intervals: Name of a result -> its interval, where one could be had.
        unknown: Why there are no intervals; empty if there are, or none were asked for.
    """

    runs: tuple[RunRow, ...] = ()
    spreads: Mapping[str, float] = field(default_factory=dict)
    intervals: dict[str, Interval] = field(default_factory=dict)
    unknown: str = ""

    @property
    def finished(self) -> tuple[RunRow, ...]:
        """The runs with a result: those that the means are over."""
        return tuple(run for run in self.runs if run.status == "finished")


def summed_up(rows: Sequence[RunRow]) -> list[ConfigurationRow]:
    """One row per configuration of each directory, in the order of their first runs."""
    return [_summed_up(group) for group in _groups(rows)]


def has_repeats(rows: Sequence[RunRow]) -> bool:
    """Whether any configuration has several runs, finished or not."""
    return any(len(group) > 1 for group in _groups(rows))


def _groups(rows: Sequence[RunRow]) -> list[list[RunRow]]:
    groups: dict[Any, list[RunRow]] = {}
    by_label: dict[Any, set[Any]] = {}
    unknown = []
    ids = column_values(rows, "configuration_id")
    for row, place, configuration_id in zip(rows, _places(rows), ids, strict=True):
        if configuration_id:
            groups.setdefault((place, configuration_id), []).append(row)
        else:
            unknown.append((place, row))
    if not unknown:
        return list(groups.values())
    for known, group in groups.items():
        for row in group:
            by_label.setdefault((known[0], label_without_seed(row)), set()).add(known)
    for place, row in unknown:
        # A point without a record is known by its label; a cut one (~) or an ambiguous one is not.
        label = (place, label_without_seed(row))
        keys = by_label.get(label, {label})
        key: Any = (*label, row.values.get("run_id")) if len(keys) > 1 else next(iter(keys))
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def _places(rows: Sequence[RunRow]) -> list[int]:
    """A number for the directory that each row is of: very many paths are slow to compare."""
    numbers: dict[Any, int] = {}
    known: dict[tuple[Any, int], int] = {}
    found = []
    for row, sweep in zip(rows, column_values(rows, SWEEP), strict=True):
        key = (sweep, id(row.origin))
        if key not in known:
            known[key] = numbers.setdefault((sweep, row.origin), len(numbers))
        found.append(known[key])
    return found


def label_without_seed(row: RunRow) -> str:
    """The label that a configuration's runs share."""
    return without_seed(row.label)


def _summed_up(runs: Sequence[RunRow]) -> ConfigurationRow:
    runs = sorted(runs, key=lambda run: (run.values.get("seed") or 0, run.label))
    finished = [run for run in runs if run.status == "finished"]
    status, reason = _status(runs, len(finished))
    own = {"label": label_without_seed(runs[0]), "status": status, REPEATS: len(finished)}
    values = _Means((finished or runs)[0].values, finished, own)
    first = runs[0]
    return ConfigurationRow(
        values, status, reason, first.files, first.origin,
        runs=tuple(runs), spreads=_Spreads(values),
    )  # fmt: skip


class _Means(Mapping[str, Any]):
    """A configuration's flat values, each mean computed when it is asked for.

    There are some eighty results, of which a table shows a few, of perhaps 10,000 configurations.
    """

    def __init__(self, first: FlatValues, finished: Sequence[RunRow], own: Flat) -> None:
        self._first, self._finished, self._own = first, finished, own
        self._kept, self.results = _kept_and_results(names_of(first))
        self._known: dict[str, Any] = {}

    def found(self, name: str) -> list[float]:
        """A result of each finished run that has it."""
        values = values_of([run.values for run in self._finished], name)
        return [value for value in values if value is not None]

    def __getitem__(self, name: str) -> Any:
        if name in self._own:
            return self._own[name]
        if name in self._kept:
            return self._first[name]
        if name not in self.results:
            raise KeyError(name)
        if name not in self._known:
            self._known[name] = _mean(self.found(name))
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._kept or name in self.results

    def __iter__(self) -> Iterator[str]:
        return iter((*self._kept, *self.results, *self._own))

    def __len__(self) -> int:
        return len(self._kept) + len(self.results) + len(self._own)


class _Spreads(Mapping[str, float]):
    """Standard deviations over a configuration's finished runs, where two or more have a result."""

    def __init__(self, means: _Means) -> None:
        self._means = means

    def __getitem__(self, name: str) -> float:
        found = self._means.found(name) if name in self._means.results else []
        if len(found) < 2:
            raise KeyError(name)
        return stdev(found)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._means.results if len(self._means.found(name)) > 1)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@lru_cache
def _kept_and_results(names: Layout) -> tuple[dict[str, None], dict[str, None]]:
    """Which of a run's names its configuration has as they are, and which as means."""
    kept = (
        name
        for name in names
        if name not in _OF_ONE_RUN and not name.startswith("environment.") and not is_result(name)
    )
    return dict.fromkeys(kept), dict.fromkeys(filter(is_result, names))


def _mean(values: Sequence[float]) -> float | None:
    """The mean; equal values as they are, so that a whole number stays one."""
    if not values:
        return None
    return values[0] if len(set(values)) == 1 else fmean(values)


def _status(runs: Sequence[RunRow], finished: int) -> tuple[str, str]:
    """Finished if all are, the one status they share, or partial; and what the others came to."""
    others: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        if run.status != "finished":
            seed = run.values.get("seed")
            others.setdefault((run.status, run.reason), []).append(
                "?" if seed is None else str(seed)
            )
    if not others:
        return "finished", ""
    if len(runs) == 1:
        return runs[0].status, runs[0].reason
    said = "; ".join(
        f"seed {', '.join(seeds)} {status}: {reason}" for (status, reason), seeds in others.items()
    )
    statuses = {status for status, _ in others}
    status = "partial" if finished or len(statuses) > 1 else statuses.pop()
    return status, f"{finished} of {len(runs)} runs finished; {said}"
