"""From overrides to points: checked settings on their data, by what decides their results."""

from __future__ import annotations

import functools
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig

from mnist_sweep import settings as schema
from mnist_sweep.data import NO_DATA, DatasetInfo
from mnist_sweep.errors import SettingsError, UsageError, listed
from mnist_sweep.settings import Plain
from mnist_sweep.settings.source import source_of, targets_of
from mnist_sweep.sweeping.plan import checks, overrides
from mnist_sweep.sweeping.plan.compose import Composed, Composer
from mnist_sweep.sweeping.plan.hydra_settings import check_varying
from mnist_sweep.sweeping.plan.overrides import Axis
from mnist_sweep.sweeping.plan.sets import exclusions_of

MAX_NAMED = 3
Prepare = Callable[[Plain], DatasetInfo]
"""Data settings to the dataset they mean, downloaded and split."""


@dataclass(frozen=True)
class Point:
    """One resolved combination of settings, ready to run.

    Attributes:
        overrides: That make it, as given to Hydra.
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
        datasets: Prepared data by `data_key`.
        duplicates: Labels of points left out because another has the same run id.
        unused: Settings that have no effect in some of these.
        excluded: Conditions of `exclude` -> how many points each left out.
        remarks: What else the user should know.
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
            found.append(f"{_left_out(n)} by" if n else "No point matches")
            found[-1] += f" exclude={text}."
        if self.duplicates:
            why = f" ({', '.join(sorted(self.unused))}: no effect there)" if self.unused else ""
            named = listed(self.duplicates, MAX_NAMED)
            found.append(f"{_left_out(len(self.duplicates))} as duplicates{why}: {named}.")
        return found


def _left_out(number: int) -> str:
    return "1 point was left out" if number == 1 else f"{number} points were left out"


def data_key(settings: Plain) -> str:
    """Points with the same data settings share one prepared dataset; empty for no data."""
    # As text, since it is a key of `data` in sweep.json too.
    used = schema.run_settings(settings).get("data")
    return "" if used is None else json.dumps(used, sort_keys=True)


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
    """
    grids = []
    for words in asked:
        parsed = overrides.parse(words, loader)
        checks.check(parsed)
        grids.append(overrides.axes(parsed, int(master.max_points)))
    swept = [axis.key for grid in grids for axis in grid if axis.swept]
    if single and swept:
        raise UsageError(
            f"Several values for {', '.join(swept)} make a sweep: add -m to run all of them."
        )
    # What differs between the grids of `points`, though each gives one value of it.
    firsts = [{axis.key: axis.options[0].text for axis in grid} for grid in grids]
    differing = [
        key for one in firsts for key in one if any(t.get(key) != one[key] for t in firsts)
    ]
    check_varying(master, [*swept, *differing])
    plan = _identify(_composed(grids, master, loader), prepare)
    for one in exclusions_of(master.exclude):
        plan.excluded.setdefault(one.text, 0)
    return plan


def _composed(
    grids: Iterable[Sequence[Axis]], master: DictConfig, loader: ConfigLoader
) -> list[Composed]:
    """The checked settings of every point, those that are excluded too."""
    found = Counter[str]()
    points: list[Composed] = []
    for axes in grids:
        composer = Composer(loader, master, axes)
        for options in itertools.product(*(axis.options for axis in axes)):
            try:
                one = composer.point(options)
            except SettingsError as error:
                found[str(error)] += 1
                continue
            points.append(one)
            if not one.excluded:
                found.update(map(str, schema.problems(one.settings)))
    wanted = [one.given for one in points if not one.excluded]
    # An excluded point may well have settings without effect: that is why it is left out.
    if not found:
        found.update(map(str, schema.without_effect(wanted)))
    checks.raise_for([text if n == 1 else f"{text} ({n} points)" for text, n in found.items()])
    if not wanted:
        raise UsageError("exclude leaves no point to run.")
    return points


def _identify(composed: Iterable[Composed], prepare: Prepare) -> Plan:
    """Points by what decides their results, without the duplicates."""
    plan = Plan()
    first: dict[str, Composed] = {}
    find_source = functools.cache(source_of)  # once a plan: the file may be edited before the next
    for one in composed:
        if one.excluded:
            plan.excluded[one.excluded] = plan.excluded.get(one.excluded, 0) + 1
            continue
        key = data_key(one.settings)
        if key not in plan.datasets:
            plan.datasets[key] = prepare(one.settings["data"]) if key else NO_DATA
        point = identify(one.settings, one.overrides, plan.datasets[key], find_source)
        if point.run_id in first:
            plan.duplicates.append(point.label)
            same = (one, first[point.run_id])
            plan.unused.update(key for each in same for key in schema.unused(each.given))
        else:
            first[point.run_id] = one
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
    deciding = info.deciding() if info.sha256 else {}  # a task without data has no hash of any
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
