"""From overrides to points: checked settings on their data, by what decides their results."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig

from mnist_sweep import settings as schema
from mnist_sweep.data import NO_DATA, DatasetInfo
from mnist_sweep.errors import SettingsError, UsageError, listed
from mnist_sweep.settings import Plain
from mnist_sweep.settings.source import source_of, targets_of
from mnist_sweep.sweeping.plan import checks, grid, overrides
from mnist_sweep.sweeping.plan.compose import Composer
from mnist_sweep.sweeping.plan.grid import Option
from mnist_sweep.sweeping.plan.hydra_settings import check_place
from mnist_sweep.sweeping.plan.sets import Exclusion, exclusions_of, row_of

MAX_NAMED = 3
Prepare = Callable[[Plain], DatasetInfo]
"""Data settings to the dataset they mean, downloaded and split."""


@dataclass(frozen=True)
class Point:
    """One resolved combination of settings, ready to run.

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
        seedless: The tasks that take no seed.
    """

    points: list[Point] = field(default_factory=list)
    datasets: dict[str, DatasetInfo] = field(default_factory=dict)
    duplicates: list[str] = field(default_factory=list)
    unused: set[str] = field(default_factory=set)
    excluded: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    seedless: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        """The remarks, and how many of the requested points are left out, and why."""
        found = list(self.remarks)
        for text, n in self.excluded.items():
            left = f"{_points(n)} left out by" if n else "No point matches"
            found.append(f"{left} exclude={text}.")
        if self.duplicates:
            why = f" ({', '.join(sorted(self.unused))}: no effect there)" if self.unused else ""
            found.append(
                f"{_points(len(self.duplicates))} left out as duplicates{why}: "
                f"{listed(self.duplicates, MAX_NAMED)}."
            )
        return found


def _points(number: int) -> str:
    return "1 point was" if number == 1 else f"{number} points were"


def data_key(settings: Plain) -> str:
    """Points with the same data settings share one prepared dataset; empty for no data."""
    used = schema.run_settings(settings).get("data")
    return "" if used is None else json.dumps(used, sort_keys=True)


class _Composed(NamedTuple):
    """A point before its data are known; `excluded` is the condition that leaves it out."""

    options: tuple[Option, ...]
    settings: Plain
    unused: tuple[str, ...] = ()
    excluded: str = ""


def make_plan(
    asked: Sequence[Sequence[str]],
    master: DictConfig,
    loader: ConfigLoader,
    prepare: Prepare,
    *,
    single: bool = False,
) -> Plan:
    """Every point of the grids that overrides describe, in their order, each once.

    Args:
        asked: The overrides of each grid; a later one of a key wins.
        master: The sweep's own config.
        loader: Hydra's.
        prepare: Makes a dataset ready; called once for each that occurs.
        single: Whether the command requests one run, not a sweep.

    Raises:
        UsageError: Several values for what belongs to the whole sweep, or for one run.
        SettingsError: Lists every problem of every point.
        DataError: A dataset was not found or is damaged.
    """
    exclusions = exclusions_of(master.exclude)
    composed = _compose(asked, master, loader, exclusions, single=single)
    plan = _identify(composed, prepare)
    for one in exclusions:
        plan.excluded.setdefault(one.text, 0)
    return plan


def _compose(
    asked: Sequence[Sequence[str]],
    master: DictConfig,
    loader: ConfigLoader,
    exclusions: Sequence[Exclusion],
    *,
    single: bool,
) -> list[_Composed]:
    """The checked settings of every point; those without effect are at their defaults."""
    found = Counter[str]()
    points: list[_Composed] = []
    raw: list[Plain] = []
    texts: list[dict[str, str]] = []
    varying: set[str] = set()
    for words in asked:
        parsed = overrides.parse(words, loader)
        checks.check(parsed)
        axes = grid.axes(parsed, int(master.max_points))
        texts.append({axis.key: axis.options[0].text for axis in axes})
        swept = [axis.key for axis in axes if axis.swept]
        varying.update(swept)
        if single and swept:
            raise UsageError(
                f"Several values for {', '.join(swept)} make a sweep: add -m to run all of them."
            )
        whole = [key for key in swept if key.partition(".")[0] in schema.SWEEP_KEYS]
        if whole:
            raise UsageError(f"{', '.join(whole)}: one value for the whole sweep, not several.")
        composer = Composer(loader, master, axes)
        for options in grid.points(axes):
            try:
                given = composer.settings(options)
            except SettingsError as error:
                found[str(error)] += 1
                continue
            row = row_of(given, options)
            excluded = next((one.text for one in exclusions if one.holds(row)), "")
            settings = schema.effective(given)
            if not excluded:
                raw.append(given)
                found.update(map(str, schema.problems(settings)))
            points.append(_Composed(options, settings, tuple(schema.unused(given)), excluded))
    varying |= {key for one in texts for key in one if any(t.get(key) != one[key] for t in texts)}
    check_place(master, varying)
    if not found:
        found.update(map(str, schema.without_effect(raw)))
    checks.raise_for([text if n == 1 else f"{text} ({n} points)" for text, n in found.items()])
    if not raw:
        raise UsageError("exclude leaves no point to run.")
    return points


def _identify(composed: Iterable[_Composed], prepare: Prepare) -> Plan:
    """Points by what decides their results, without the duplicates."""
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
        words = [option.text for option in options]
        point = identify(settings, words, plan.datasets[key], find_source)
        if point.run_id in seen:
            plan.duplicates.append(point.label)
            plan.unused.update(unused, seen[point.run_id])
        else:
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
    words: list[str],
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
        overrides=words,
        data_key=data_key(settings),
        code=source,
    )
