"""Which configuration of a sweep belongs to which one of a baseline, and what changed between."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from statistics import fmean
from typing import Any

from mnist_sweep.analysis.gate.result import Changed
from mnist_sweep.records.fields import flat_settings
from mnist_sweep.records.paths import settings_of, without_seed
from mnist_sweep.records.table import RunsTable
from mnist_sweep.settings import RUN_KEYS, defaults

_ABSENT = "(not set)"


@dataclass(frozen=True, eq=False)
class BaselinePair:
    """A configuration of the baseline, and its runs there and in the sweep.

    Where another configuration took its place, `sweep` has the runs of that one, and `changed` the
    settings in which it differs. None if there is neither.
    """

    label: str
    baseline: RunsTable
    sweep: RunsTable | None
    changed: Changed = ()

    @property
    def is_same(self) -> bool:
        """Whether the sweep has this configuration with as many runs."""
        return self.sweep is not None and not self.changed and len(self.sweep) >= len(self.baseline)


def pair_up(baseline: RunsTable, finished: RunsTable) -> list[BaselinePair]:
    """All configurations of the baseline, each with the same or the closest one of the sweep.

    The id decides. It also changes with the source of the user's network, and with the version of
    the id's form; then the label, which names the settings, finds the configuration. Of those left
    each takes the unmatched configuration of the sweep from which it differs in fewest settings.
    """
    known = set(baseline["configuration_id"])
    by_id = dict(list(finished.groupby("configuration_id", sort=False)))
    free = {key: group for key, group in by_id.items() if key not in known}
    labels = {key: label_of(group) for key, group in free.items()}
    names = list(labels.values())
    by_label = {label: key for key, label in labels.items() if names.count(label) == 1}
    found = []
    for key, group in baseline.groupby("configuration_id", sort=False):
        label, own = label_of(group), by_id.get(key)
        if own is None and label in by_label:
            own = free.pop(by_label[label])
        found.append(BaselinePair(label, group, own))
    for place, pair in enumerate(found):
        if pair.sweep is None:
            changes = {key: _changed(pair.label, labels[key]) for key in free}
            others = [key for key in changes if changes[key]]
            if others:
                closest = min(others, key=lambda key: len(changes[key]))
                found[place] = replace(pair, sweep=free.pop(closest), changed=changes[closest])
    return found


def label_of(runs: RunsTable) -> str:
    """The label of a configuration's runs, without the seed."""
    return without_seed(str(runs["label"].iloc[0]))


def values_of(runs: RunsTable | None, column: str) -> list[float] | None:
    """A column's value of every run; None if some run has none that is finite."""
    if runs is None or column not in runs:
        return None
    known = [float(value) for value in runs[column].dropna() if math.isfinite(value)]
    return known if len(known) == len(runs) else None


def mean_of(runs: RunsTable | None, column: str) -> float | None:
    """The mean of `values_of`."""
    values = values_of(runs, column)
    return fmean(values) if values else None


def _changed(before: str, after: str) -> Changed:
    old, new = _settings(before), _settings(after)
    sides = ((name, old.get(name, _ABSENT), new.get(name, _ABSENT)) for name in old | new)
    return tuple(one for one in sides if one[1] != one[2])


@cache
def _settings(label: str) -> dict[str, Any]:
    # A label leaves out what is at its default.
    usual = flat_settings({key: value for key, value in defaults().items() if key in RUN_KEYS})
    return {**usual, **settings_of(label)}
