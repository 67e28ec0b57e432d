"""Points: settings on their data, identified by what decides their results, each only once."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mnist_sweep import settings as schema
from mnist_sweep.data import NO_DATA, DatasetInfo
from mnist_sweep.settings import Plain
from mnist_sweep.settings.source import source_of, targets_of
from mnist_sweep.sweeping.plan.expand import Composed

MAX_NAMED = 3
Prepare = Callable[[Plain], DatasetInfo]
"""Data settings to the dataset they mean, downloaded and split."""


@dataclass(frozen=True)
class Point:
    """One resolved configuration, ready to run.

    Attributes:
        run_id: See `settings.run_id`.
        configuration_id: The same for all repeats.
        label: Readable, made of settings.
        settings: A run's settings, plain.
        overrides: The overrides that make it, as given to Hydra.
        data_key: Which of the plan's datasets it uses.
        code: Hash and files of the user's own code that it runs; None where there is none.
    """

    run_id: str
    configuration_id: str
    label: str
    settings: Plain
    overrides: list[str]
    data_key: str
    code: Plain | None = None


@dataclass
class Plan:
    """The points of one command.

    Attributes:
        points: Each run id once, in the order of the grid.
        datasets: Prepared data by key.
        duplicates: Labels of points left out because another has the same run id.
        unused: Settings that have no effect in some of these.
        excluded: Conditions of `exclude` -> how many points each left out.
        remarks: What else the user should know: words that others replace, what of a network is
            not used in training.
    """

    points: list[Point] = field(default_factory=list)
    datasets: dict[str, DatasetInfo] = field(default_factory=dict)
    duplicates: list[str] = field(default_factory=list)
    unused: set[str] = field(default_factory=set)
    excluded: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        """The remarks, and how many of the requested points are left out, and why."""
        found = list(self.remarks)
        for text, n in self.excluded.items():
            left = f"{_points(n)} left out by" if n else "No point matches"
            found.append(f"{left} exclude={text}.")
        if self.duplicates:
            hidden = len(self.duplicates) - MAX_NAMED
            more = f" and {hidden} more" if hidden > 0 else ""
            why = f" ({', '.join(sorted(self.unused))}: no effect there)" if self.unused else ""
            found.append(
                f"{_points(len(self.duplicates))} left out, the same run as another{why}: "
                f"{'; '.join(self.duplicates[:MAX_NAMED])}{more}."
            )
        return found


def _points(number: int) -> str:
    return "1 point was" if number == 1 else f"{number} points were"


def data_key(settings: Plain) -> str:
    """Points with the same data settings share one prepared dataset; empty for no data."""
    used = schema.run_settings(settings).get("data")
    return "" if used is None else json.dumps(used, sort_keys=True)


def make_plan(composed: Iterable[Composed], prepare: Prepare) -> Plan:
    """Identify points by what decides their results and drop the duplicates.

    Args:
        composed: Checked points.
        prepare: Makes a dataset ready; called once for each that occurs.

    Raises:
        DataError: A dataset was not found or is damaged.
    """
    plan = Plan()
    seen: dict[str, tuple[str, ...]] = {}
    find_source = functools.cache(source_of)  # once a plan: the file may be edited before the next
    for options, settings, unused, excluded in composed:
        if excluded:
            plan.excluded[excluded] = plan.excluded.get(excluded, 0) + 1
            continue
        key = data_key(settings)
        if key not in plan.datasets:
            plan.datasets[key] = prepare(settings["data"]) if key else NO_DATA
        overrides = [option.text for option in options]
        point = identify(settings, overrides, plan.datasets[key], find_source)
        if point.run_id in seen:
            plan.duplicates.append(point.label)
            plan.unused.update(unused, seen[point.run_id])
            continue
        seen[point.run_id] = unused
        plan.points.append(point)
    return plan


def union(plans: Iterable[Plan]) -> Plan:
    """All points of some plans, each once, and all that is noted of them."""
    whole = Plan()
    for plan in plans:
        known = {point.run_id for point in whole.points}
        whole.points += [point for point in plan.points if point.run_id not in known]
        whole.datasets |= plan.datasets
        whole.unused |= plan.unused
        for text, n in plan.excluded.items():
            whole.excluded[text] = max(n, whole.excluded.get(text, 0))
        whole.remarks = list(dict.fromkeys([*whole.remarks, *plan.remarks]))
        whole.duplicates += [label for label in plan.duplicates if label not in whole.duplicates]
    return whole


def identify(
    settings: Plain,
    overrides: list[str],
    info: DatasetInfo,
    find_source: Callable[..., Plain | None] = source_of,
) -> Point:
    """The point of some settings on some data, with the user's own code as it is now."""
    source = find_source(*targets_of(settings))
    deciding = info.deciding() if info.sha256 else {}
    form = schema.canonical(settings, deciding, source["sha256"] if source else None)
    return Point(
        run_id=schema.run_id(form),
        configuration_id=schema.configuration_id(form),
        label=schema.label(settings),
        settings=schema.run_settings(settings),
        overrides=overrides,
        data_key=data_key(settings),
        code=source,
    )
