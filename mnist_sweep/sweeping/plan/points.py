"""From overrides to points: composed by Hydra, checked, and identified by what decides results."""

from __future__ import annotations

import copy
import functools
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mnist_sweep import settings as schema
from mnist_sweep.data import NO_DATA, DatasetInfo
from mnist_sweep.errors import SettingsError, UsageError, listed
from mnist_sweep.records.fields import flat_settings
from mnist_sweep.settings import Plain
from mnist_sweep.settings.source import source_of, targets_of
from mnist_sweep.sweeping.plan import checks
from mnist_sweep.sweeping.plan.overrides import (
    Axis,
    axes_of,
    chooses_group,
    innermost,
    parse,
    text_of,
)
from mnist_sweep.sweeping.plan.sets import exclusions_of

MAX_NAMED = 3
Prepare = Callable[[Plain], DatasetInfo]
"""Data settings to the dataset they mean, downloaded and split."""


class Composed(NamedTuple):
    """A point before its data are known."""

    overrides: list[str]
    given: Plain  # its settings as they were given
    settings: Plain  # the same with those without effect at their defaults
    excluded: str = ""  # the condition of `exclude` that leaves it out, if one does


@dataclass(frozen=True)
class Point:
    """One resolved combination of settings, ready to run."""

    run_id: str
    configuration_id: str
    label: str
    settings: Plain
    overrides: list[str]  # that make it, as given to Hydra
    data_key: str  # which of the plan's datasets it uses
    code: Plain | None = None  # hash and files of the user's own code that it runs


@dataclass
class Plan:
    """The points of one command."""

    points: list[Point] = field(default_factory=list)  # each run id once, in the grid's order
    datasets: dict[str, DatasetInfo] = field(default_factory=dict)  # prepared, by `data_key`
    duplicates: list[str] = field(default_factory=list)  # labels of points with an earlier run id
    unused: set[str] = field(default_factory=set)  # settings that have no effect in some of these
    excluded: dict[str, int] = field(default_factory=dict)  # condition -> points it left out
    remarks: list[str] = field(default_factory=list)  # what else the user should know
    seedless: list[str] = field(default_factory=list)  # the tasks that take no seed

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


class Composer:
    """Settings of the points that some axes describe.

    Hydra composes a config in some 100 ms. Where a point only sets values, they are merged into a
    config composed once for its choice of config groups; the tests hold both ways to the same
    result over the whole schema.
    """

    def __init__(self, loader: ConfigLoader, master: DictConfig, axes: Sequence[Axis]) -> None:
        self._loader = loader
        self._master = master
        self._exclusions = exclusions_of(master.exclude)
        self._mergeable = [_mergeable(axis, axes) for axis in axes]
        self._bases: dict[tuple[str, ...], DictConfig] = {}
        words: Any = OmegaConf.to_container(master.hydra.overrides.task, resolve=False)
        own = tuple(text_of(one) for one in parse(words, loader) if not one.is_sweep_override())
        # What the sweep's own config is composed of; a group that is still to be chosen it lacks.
        self._own = None if OmegaConf.missing_keys(master.hydra.runtime.choices) else own

    def point(self, options: Sequence[Override]) -> Composed:
        """One point, an option of each axis."""
        given = self.settings(options)
        excluded = ""
        if self._exclusions:  # of what is given, and of what was asked for
            asked = {one.key_or_group: one.value() for one in options if one.value() is not None}
            row = {**flat_settings(given), "dataset.name": given["data"]["name"], **asked}
            for text, conditions in self._exclusions.items():
                if all(one.holds(row) for one in conditions):
                    excluded = excluded or text
        return Composed([*map(text_of, options)], given, schema.effective(given), excluded)

    def settings(self, options: Sequence[Override]) -> Plain:
        """The settings of one point, plain and resolved, without Hydra's own, as they were given.

        Raises:
            SettingsError: A value does not fit its key, or refers to something that is not there.
        """
        merged = list(zip(options, self._mergeable, strict=True))
        try:
            # Not copied: every point sets all of these axes, so nothing of the last one stays.
            config = self._base(tuple(text_of(one) for one, merge in merged if not merge))
            for one, merge in merged:
                if merge:
                    key, added = one.key_or_group, one.is_force_add()
                    OmegaConf.update(config, key, one.value(), force_add=added)
            plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        except (OmegaConfBaseException, HydraException) as error:
            lines = [line.strip() for line in str(innermost(error)).splitlines() if line.strip()]
            words = " ".join(map(text_of, options))
            text = f"Hydra cannot make settings of {words}: {' '.join(lines[:3])}"
            raise SettingsError(text) from error
        return cast("Plain", plain)

    def _base(self, fixed: tuple[str, ...]) -> DictConfig:
        if fixed not in self._bases:
            if fixed == self._own:
                base = _without_hydra(copy.deepcopy(self._master))
            else:
                base = compose(self._loader, self._master, list(fixed))
            checks.check_secrets(base)  # a file that only this choice reads
            self._bases[fixed] = base
        return self._bases[fixed]


def compose(loader: ConfigLoader, master: DictConfig, words: list[str]) -> DictConfig:
    """Hydra's own composition of one point, without the `hydra` node."""
    return _without_hydra(loader.load_sweep_config(master, words))


def _without_hydra(config: DictConfig) -> DictConfig:
    # It would be resolved with each point, and has values that only a running job can give.
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    OmegaConf.set_struct(config, True)
    return config


def to_plain(config: DictConfig) -> Plain:
    """A composed config as plain, resolved values, without the `hydra` node."""
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return cast("Plain", OmegaConf.to_container(own, resolve=True))


def _mergeable(axis: Axis, axes: Sequence[Axis]) -> bool:
    """Whether an axis only sets a value and no other axis touches the same part of the config."""
    first, kinds = axis[0], (OverrideType.CHANGE, OverrideType.FORCE_ADD)
    if len(axis) == 1 or first.package or first.type not in kinds or chooses_group(first):
        return False
    # early_stopping={patience: 3} early_stopping.patience=1,2: which of the two wins depends on
    # their order, and only Hydra's own composition keeps it.
    mine = f"{first.key_or_group}."
    others = [one for one, *_ in axes if one is not first and not chooses_group(one)]
    keys = [f"{one.key_or_group}." for one in others]
    if any(key.startswith(mine) or mine.startswith(key) for key in keys):
        return False
    return not any(isinstance(option.value(), dict) for option in axis)


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

    `asked` has the overrides of each grid, of which a later one of a key wins; `master` is the
    sweep's own config, and `single` says that the command requests one run, not a sweep.
    """
    grids = []
    for words in asked:
        parsed = parse(words, loader)
        checks.check(parsed)
        grids.append(axes_of(parsed, int(master.max_points)))
    swept = [axis[0].key_or_group for grid in grids for axis in grid if len(axis) > 1]
    if single and swept:
        raise UsageError(
            f"Several values for {', '.join(swept)} make a sweep: add -m to run all of them."
        )
    # What differs between the grids of `points`, though each gives one value of it.
    firsts = [{one.key_or_group: text_of(one) for one, *_ in grid} for grid in grids]
    differing = [
        key for one in firsts for key in one if any(t.get(key) != one[key] for t in firsts)
    ]
    checks.check_varying(master, [*swept, *differing])
    plan = _identify(_composed(grids, master, loader), prepare)
    for text in exclusions_of(master.exclude):
        plan.excluded.setdefault(text, 0)
    return plan


def _composed(
    grids: Iterable[Sequence[Axis]], master: DictConfig, loader: ConfigLoader
) -> list[Composed]:
    """The checked settings of every point, those that are excluded too."""
    found = Counter[str]()
    points: list[Composed] = []
    for axes in grids:
        composer = Composer(loader, master, axes)
        for options in itertools.product(*axes):
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
