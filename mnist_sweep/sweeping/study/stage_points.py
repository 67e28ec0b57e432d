"""Which points the stages of a study ask for, known as far as they can be before anything is run.

A stage `of` another begins with the configuration selected there, which only its runs tell. So all
that can be selected is gone through beforehand: a setting that would be wrong for one of them, or a
selection that nothing can match, is found before the first run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf

from mnist_sweep.analysis.where import check_keys, matches, parse
from mnist_sweep.data import NO_DATA, DatasetInfo
from mnist_sweep.errors import SelectionError, SettingsError, UsageError, listed
from mnist_sweep.metrics import is_metric, resolve
from mnist_sweep.records.fields import flat_settings, result_columns
from mnist_sweep.records.paths import without_seed
from mnist_sweep.settings import Plain
from mnist_sweep.sweeping.plan import checks, overrides
from mnist_sweep.sweeping.plan.estimate import Preview, past_runs, wall_s
from mnist_sweep.sweeping.plan.overrides import bare
from mnist_sweep.sweeping.plan.points import Plan, Point, Prepare, make_plan, union
from mnist_sweep.sweeping.study.stages import SelectionRule, Stage, depth

CHECKED_CANDIDATES = 25
"""Of more candidates than this only so many, evenly spread, are gone through beforehand: Hydra
needs some 40 ms for each."""


class FollowUp(NamedTuple):
    """What a stage runs once the configuration it starts from is known."""

    plan: Plan  # changed and unchanged points
    changed: dict[str, dict[str, Any]]  # configuration id -> its change
    control: list[str]  # run ids of the unchanged configuration
    same: list[str]  # labels of points whose change changes nothing, run as the unchanged ones


class Points:
    """The points of a study's stages."""

    def __init__(
        self,
        stages: Sequence[Stage],
        asked: Sequence[str],
        master: DictConfig,
        loader: ConfigLoader,
        prepare: Prepare,
    ) -> None:
        named = {bare(key) for stage in stages for key in stage.params}
        self._shared = [text for text in asked if bare(text) not in {*named, "seed"}]
        # The command line's values take the place of a stage's own, and the grid keeps its order.
        given = {bare(text): text.partition("=")[::2] for text in asked}
        self.stages = [
            replace(one, params=dict(given.get(bare(own[0]), own) for own in one.params.items()))
            for one in stages
        ]
        self._master, self._loader, self._ready = master, loader, prepare
        self.datasets: dict[str, DatasetInfo] = {"": NO_DATA}
        self.excluded: set[str] = set()
        self.sampled: set[str] = set()
        self._firsts: dict[str, Plan] = {}
        self._study = cast("Plain", OmegaConf.to_container(master.study, resolve=True))
        self.seeds = _seeds(asked, int(master.seed), self._study)

    def named(self, name: str) -> Stage:
        """The stage of a name."""
        return next(stage for stage in self.stages if stage.name == name)

    def first(self, stage: Stage) -> Plan:
        """The plan of a stage that has a grid of its own."""
        if stage.name not in self._firsts:
            words = [*self._shared, *stage.overrides]
            self._firsts[stage.name] = self._plan(words, self.seeds)
        return self._firsts[stage.name]

    def after(self, stage: Stage, base: Point) -> FollowUp:
        """What a stage `of` another runs when it starts from the configuration of `base`."""
        seeds = self.seeds_of(stage)
        # Both on fresh seeds: on those by which it was selected, a configuration looks worse (or
        # better) than it is.
        control, plan = self._plan(base.overrides, seeds), self._changed(stage, base, seeds)
        controls = [point.run_id for point in control.points]
        mine = {bare(key) for key in stage.params}
        changed, same = {}, []
        for point in plan.points:
            if point.run_id in controls:
                same.append(point.label)
                continue
            words = overrides.parse(text for text in point.overrides if bare(text) in mine)
            changed[point.configuration_id] = {one.key_or_group: one.value() for one in words}
        return FollowUp(union([plan, control]), changed, controls, same)

    def further(self, base: Point, seed: int) -> Plan:
        """The plan of one more repeat of a configuration."""
        return self._plan(base.overrides, [seed])

    def _changed(self, stage: Stage, base: Point, seeds: Sequence[int]) -> Plan:
        mine = {bare(key) for key in stage.params}
        kept = [text for text in base.overrides if bare(text) not in mine]
        return self._plan([*kept, *stage.overrides], seeds)

    def _plan(self, words: Sequence[str], seeds: Sequence[int]) -> Plan:
        asked = [text for text in words if bare(text) != "seed"]
        asked.append(f"seed={','.join(map(str, seeds))}")
        plan = make_plan([asked], self._master, self._loader, self._prepare)
        self.excluded |= {text for text, n in plan.excluded.items() if n}
        return plan

    def _prepare(self, data: Plain) -> DatasetInfo:
        # Data are chosen once for the whole study, before any run.
        key = json.dumps(data, sort_keys=True)
        if key not in self.datasets:
            self.datasets[key] = self._ready(data)
        return self.datasets[key]

    def seeds_of(self, stage: Stage) -> list[int]:
        """The stage's seeds: those of the study, or as many that no earlier stage can have used."""
        level, count = depth(stage, self.stages), len(self.seeds)
        if not level:
            return self.seeds
        # A selection that is decided by further seeds may use up to max_repeats of them.
        block = max(count, int(self._study["max_repeats"]) if self._study["decide"] else 0)
        start = max(self.seeds) + 1 + (block - count) + (level - 1) * block
        return list(range(start, start + count))

    def possible(self) -> dict[str, list[Point]]:
        """Stage -> a point of every configuration it can come to run, the unchanged ones too."""
        found: dict[str, list[Point]] = {}
        for stage in self.stages:
            try:
                points = self._possible_of(stage, found)
            except SettingsError as error:
                checks.raise_for(error.problems, f"Nothing was run, stage {stage.name}")
                raise
            found[stage.name] = _one_each(points)
            self.candidates(stage, found)
        return found

    def _possible_of(self, stage: Stage, earlier: dict[str, list[Point]]) -> list[Point]:
        if stage.of is None:
            return self.first(stage).points
        bases = self.candidates(self.named(stage.of), earlier)
        if len(bases) > CHECKED_CANDIDATES or stage.of in self.sampled:
            self.sampled.add(stage.name)
            bases = bases[:: -(-len(bases) // CHECKED_CANDIDATES)]
        seed = self.seeds_of(stage)[-1:]  # if one is out of range, the last is
        plans = [self._changed(stage, base, seed) for base in bases]
        return [*(point for plan in plans for point in plan.points), *bases]

    def candidates(self, stage: Stage, possible: dict[str, list[Point]]) -> list[Point]:
        """A point of every configuration that a stage's selection may come to select."""
        if stage.select is None:
            return []
        points = _one_each(point for name in stage.select.among for point in possible[name])
        try:
            return self._matching(stage.select, points)
        except SelectionError as error:
            raise SelectionError(f"Nothing was run: stage {stage.name}: {error}") from error

    def _matching(self, choice: SelectionRule, points: list[Point]) -> list[Point]:
        classes = max(self.datasets[point.data_key].classes for point in points)
        resolve(choice.by, choice.split, classes or None)
        # What is known of configurations before they run, by the columns of the runs table.
        rows = [flat_settings(point.settings) for point in points]
        for point, row in zip(points, rows, strict=True):
            del row["seed"]
            data = self.datasets[point.data_key].record_fields()
            row |= {f"dataset.{name}": value for name, value in data.items()}
        planned = {name for row in rows for name in row}
        conditions = parse(choice.where)
        # Which metrics a task has only its runs tell.
        free = {one.key for one in conditions if not classes and is_metric(one.key)}
        check_keys(conditions, planned | set(result_columns(classes)) | {"seed", *free})
        # What only a run can tell (a metric, a time, its status) may still come to hold.
        known = [condition for condition in conditions if condition.key in planned]
        found = [p for p, row in zip(points, rows, strict=True) if matches(known, row)]
        if found:
            return found
        if self.sampled & set(choice.among):
            return points  # one that was not gone through may match
        there = "; ".join(
            f"{key} {listed(list(dict.fromkeys(str(row.get(key)) for row in rows)), 8, ', ')}"
            for key in dict.fromkeys(condition.key for condition in known)
        )
        raise SelectionError(
            f"select: no configuration of {', '.join(choice.among)} can match where "
            f"{' and '.join(choice.where)}: there is {there}."
        )

    def previews(self, known: Preview, possible: dict[str, list[Point]]) -> StudyPreview:
        """What each stage selects, and what those that start from a selection will run."""
        estimator, stages = past_runs(known.directory), []
        for stage in self.stages:
            names = [without_seed(one.label) for one in self.candidates(stage, possible)]
            more = (self._study["max_repeats"] - len(self.seeds)) * len(names)
            n_deciding = max(0, more) if self._study["decide"] else 0
            if stage.of is None:
                stages.append(StagePreview(stage, names, n_deciding))
                continue
            base = self.candidates(self.named(stage.of), possible)[0]
            runs = len(self.after(stage, base).plan.points)
            expected = [
                estimator.of(point, self.datasets[point.data_key]).seconds
                for point in possible[stage.name]
            ]
            time_s = wall_s([max(expected)] * runs, min(known.workers, runs))
            seeds = self.seeds_of(stage)
            stages.append(StagePreview(stage, names, n_deciding, seeds, runs, time_s))
        return StudyPreview(**vars(known), stages=stages)


@dataclass(frozen=True)
class StagePreview:
    """What is known of a stage before anything runs."""

    stage: Stage
    candidates: Sequence[str]  # labels, without seed, of what may be selected
    n_deciding: int  # the most further runs that this may take
    # Of a stage that starts from what another selects:
    seeds: Sequence[int] = ()
    n_runs: int = 0
    wall_s: float = 0.0  # at most


@dataclass(frozen=True, kw_only=True)
class StudyPreview(Preview):
    """What a study would run: the points that are known, and its stages."""

    stages: Sequence[StagePreview]


def _one_each(points: Iterable[Point]) -> list[Point]:
    """The first point of each configuration."""
    found: dict[str, Point] = {}
    for point in points:
        found.setdefault(point.configuration_id, point)
    return list(found.values())


def _seeds(asked: Sequence[str], first: int, study: Plain) -> list[int]:
    """The study's seeds: those the command line names, or `repeats` from the one it names."""
    decide, repeats, most = study["decide"], int(study["repeats"]), study["max_repeats"]
    is_asked = any(bare(text) == "study.repeats" for text in asked)
    if decide and study["min_repeats"] > most:
        raise SettingsError(
            f"study.min_repeats={study['min_repeats']} is more than study.max_repeats="
            f"{most}: leave room between the two."
        )
    given = [text for text in asked if bare(text) == "seed"]
    parsed = overrides.parse(given[-1:])
    checks.check(parsed)
    asked_for = [one.value() for one in overrides.axis_of(parsed[-1])] if parsed else [first]
    seeds: list[Any] = list(dict.fromkeys(asked_for))
    if parsed and parsed[-1].is_sweep_override():
        if is_asked and repeats > 1:
            raise UsageError(
                f"{given[-1]} and study.repeats={repeats} both say how many repeats there are: "
                "give one of them."
            )
    else:
        if decide:  # further ones follow where they are needed
            repeats = max(repeats if is_asked else 1, study["min_repeats"])
        seeds = list(range(seeds[0], seeds[0] + repeats))
    if decide and len(seeds) > most:
        raise SettingsError(
            f"{len(seeds)} repeats are more than study.max_repeats={most}, the "
            "most that deciding may use: set study.max_repeats higher."
        )
    return seeds
