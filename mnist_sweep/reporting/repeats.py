"""Runs that differ only in seed summed up as one row: means, spreads, and what has no result."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from mnist_sweep.reporting.rows import SWEEP, RunRow, is_result

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mnist_sweep.results.fields import Flat
    from mnist_sweep.results.statistics import Interval

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
    spreads: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, Interval] = field(default_factory=dict)
    unknown: str = ""

    @property
    def finished(self) -> tuple[RunRow, ...]:
        """The runs with a result: those that the means are over."""
        return tuple(run for run in self.runs if run.status == "finished")


def summed_up(rows: Iterable[RunRow]) -> list[ConfigurationRow]:
    """One row per configuration of each directory, in the order of their first runs."""
    return [_summed_up(group) for group in _groups(rows)]


def has_repeats(rows: Iterable[RunRow]) -> bool:
    """Whether any configuration has several runs, finished or not."""
    return any(len(group) > 1 for group in _groups(rows))


def _groups(rows: Iterable[RunRow]) -> list[list[RunRow]]:
    groups: dict[Any, list[RunRow]] = {}
    by_label: dict[Any, set[Any]] = {}
    unknown = []
    for row in rows:
        configuration_id = row.values.get("configuration_id")
        if configuration_id:
            known = (*_place(row), configuration_id)
            groups.setdefault(known, []).append(row)
            by_label.setdefault((*_place(row), label_without_seed(row)), set()).add(known)
        else:
            unknown.append(row)
    for row in unknown:
        # A point without a record is known by its label; a cut one (~) or an ambiguous one is not.
        label = (*_place(row), label_without_seed(row))
        keys = by_label.get(label, {label})
        key: Any = (*label, row.values.get("run_id")) if len(keys) > 1 else next(iter(keys))
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def _place(row: RunRow) -> tuple[Any, Any]:
    return row.values.get(SWEEP), row.directory.parent if row.directory else None


def label_without_seed(row: RunRow) -> str:
    """The label that a configuration's runs share."""
    return ",".join(part for part in row.label.split(",") if not part.startswith("seed="))


def _summed_up(runs: Sequence[RunRow]) -> ConfigurationRow:
    runs = sorted(runs, key=lambda run: (run.values.get("seed") or 0, run.label))
    finished = [run for run in runs if run.status == "finished"]
    first = (finished or runs)[0].values
    kept = {
        name: value
        for name, value in first.items()
        if name not in _OF_ONE_RUN and not name.startswith("environment.") and not is_result(name)
    }
    results: dict[str, list[float]] = {}
    for name in filter(is_result, first):
        found = [run.values.get(name) for run in finished]
        results[name] = [value for value in found if value is not None]
    status, reason = _status(runs, len(finished))
    values: Flat = {
        **kept,
        **{name: _mean(found) for name, found in results.items()},
        "label": label_without_seed(runs[0]),
        "status": status,
        REPEATS: len(finished),
    }
    spreads = {name: stdev(found) for name, found in results.items() if len(found) > 1}
    return ConfigurationRow(
        values, status, reason, runs[0].directory, runs=tuple(runs), spreads=spreads
    )


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
