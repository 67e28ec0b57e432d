"""Which configuration of a sweep is checked against which one of the baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnist_sweep.analysis.compare.matching import differing
from mnist_sweep.records.fields import flat_settings, settings_of
from mnist_sweep.records.paths import without_seed
from mnist_sweep.settings import RUN_KEYS, defaults

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd


@dataclass(frozen=True, eq=False)
class Pair:
    """A configuration of the baseline and its runs in the sweep; None if there are none."""

    label: str
    baseline: pd.DataFrame
    sweep: pd.DataFrame | None


def pairs(baseline: pd.DataFrame, finished: pd.DataFrame) -> list[Pair]:
    """All configurations of the baseline, each with the same one of the sweep.

    The id decides. It also changes with the source of the user's network, and with the version of
    the id's form; then the label, which names the settings, finds the configuration.

    Args:
        baseline: The baseline's runs.
        finished: The sweep's finished runs.
    """
    by_id = dict(list(finished.groupby("configuration_id", sort=False)))
    taken = by_id.keys() & set(baseline["configuration_id"])
    others = finished[~finished["configuration_id"].isin(taken)]
    by_label = {
        str(label): group
        for label, group in others.groupby(others["label"].map(without_seed), sort=False)
        if len(set(group["configuration_id"])) == 1
    }
    found = []
    for key, group in baseline.groupby("configuration_id", sort=False):
        label = without_seed(str(group["label"].iloc[0]))
        own = by_id.get(key)
        found.append(Pair(label, group, by_label.pop(label, None) if own is None else own))
    return found


def changed_settings(
    absent: Iterable[str], present: Iterable[str]
) -> tuple[tuple[str, Any, Any], ...]:
    """The settings by which a sweep differs from the baseline as a whole.

    Args:
        absent: Labels of the baseline's configurations that the sweep does not have.
        present: Labels of the sweep's runs.

    Returns:
        Name, value in the baseline and value in the sweep, if all configurations are found again
        when these settings are left out; else nothing.
    """
    sides = [_settings(labels) for labels in (absent, present)]
    changed = [one for one in differing(sides) if one.is_constant]
    left_out = {one.name for one in changed}
    keys = [
        {repr(sorted((k, v) for k, v in row.items() if k not in left_out)) for row in rows}
        for rows in sides
    ]
    if not keys[0] or not keys[0] <= keys[1]:
        return ()
    return tuple((one.name, *(values[0] for values in one.by_side)) for one in changed)


def _settings(labels: Iterable[str]) -> list[dict[str, Any]]:
    usual = flat_settings({key: value for key, value in defaults().items() if key in RUN_KEYS})
    return [{**usual, **settings_of(without_seed(label))} for label in labels]
