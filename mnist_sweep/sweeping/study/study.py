"""A study: a sweep of several stages, where a later stage's points come from a selection.

All stages' runs live in one directory and go through one pool. A stage begins when the one before
it has come to its end; its points are noted in sweep.json as soon as they are known. Nothing is
remembered but records: the same command again selects the same from them, and finds the runs done.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from omegaconf import OmegaConf
from rich.console import Console

from mnist_sweep.analysis.uncertainty import UncertainSelection, select_with_uncertainty
from mnist_sweep.data import prepare
from mnist_sweep.errors import MnistSweepError
from mnist_sweep.metrics import declared
from mnist_sweep.records.study_file import Stage as StageResult
from mnist_sweep.records.study_file import Study, load_study, write_study
from mnist_sweep.records.sweep import load
from mnist_sweep.settings import nested_problems
from mnist_sweep.sweeping.plan import directory
from mnist_sweep.sweeping.plan.checks import raise_for
from mnist_sweep.sweeping.plan.points import Plan, Point, union
from mnist_sweep.sweeping.plan.preview import Preview
from mnist_sweep.sweeping.result import SweepResult
from mnist_sweep.sweeping.study.interim_analysis import InterimAnalysis, analyze
from mnist_sweep.sweeping.study.preview import study_preview
from mnist_sweep.sweeping.study.stage_points import FollowUp, Points
from mnist_sweep.sweeping.study.stages import SelectionRule, Stage, decidable, read_stages
from mnist_sweep.sweeping.sweep import SweepRequest, begin, check_models, launch, preview

_STOPPED = "A run failed, and fail_fast=true ends the study there."


def run(request: SweepRequest) -> SweepResult | Preview:
    """Run a study, or only say what it would run (`plan=true`).

    Raises:
        MnistSweepError: Nothing was run: stages, settings, data or directory are not right.
    """
    started = time.monotonic()
    settings: Any = OmegaConf.to_container(request.config.study, resolve=True)
    raise_for(nested_problems("study", settings))
    objective = str(request.config.objective)
    if request.calls_tasks:  # only its runs tell which metrics it has
        objective = declared(objective)
        settings["stages"] = [_with_declared(stage) for stage in settings["stages"]]
    stages = read_stages(settings["stages"], objective)
    if settings["decide"]:
        raise_for(
            [
                f"stage {stage.name}: {problem}"
                for stage in stages
                if stage.select and (problem := decidable(stage.select))
            ]
        )
    points = Points(stages, request.overrides, request.config, request.loader, prepare)
    possible = points.possible()
    every = [point for found in possible.values() for point in found]
    notes = check_models(Plan(points=every, datasets=points.datasets))
    firsts = {stage.name: points.first(stage) for stage in points.stages if stage.of is None}
    plan = union(firsts.values())
    plan.remarks += notes
    if request.config.plan:
        return study_preview(preview(request, plan), points, possible, settings)
    outcome = begin(request, plan)
    carried_out = _StudyRun(request, points, firsts, outcome, settings)
    try:
        carried_out.run()
    except KeyboardInterrupt:
        outcome.interrupted = True
    outcome.study = carried_out.study
    outcome.wall_s = time.monotonic() - started
    return outcome


def _with_declared(stage: Any) -> Any:
    """A stage as it was written, its selection's metric with its direction."""
    select = stage.get("select") if isinstance(stage, dict) else None
    if not isinstance(select, dict) or "by" not in select:
        return stage
    return {**stage, "select": {**select, "by": declared(str(select["by"]))}}


class _StudyRun:
    """A study while it is carried out; `study` is what study.json holds."""

    def __init__(
        self,
        request: SweepRequest,
        points: Points,
        firsts: dict[str, Plan],
        outcome: SweepResult,
        settings: dict[str, Any],
    ) -> None:
        self._request, self._points, self._firsts = request, points, firsts
        self._outcome, self._settings = outcome, settings
        self._before = _study_before(outcome)
        self._known = {point.run_id: point for point in outcome.plan.points}
        self._say = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
        self.study = Study(
            level=settings["level"],
            replicates=settings["replicates"],
            seeds=tuple(points.seeds),
            stages=tuple(
                StageResult(name=stage.name, of=stage.of, params=stage.params)
                for stage in points.stages
            ),
        )

    def run(self) -> None:
        """Carry out all stages that can be."""
        self._write()
        for number, stage in enumerate(self._points.stages, 1):
            self._say.print(f"stage {number} of {len(self._points.stages)}: {stage.name}")
            self._stage(stage)

    def _stage(self, stage: Stage) -> None:
        blocked = self._why_blocked(stage)
        if blocked:
            self._note(stage, status="blocked", reason=blocked)
            return
        self._note(stage, status="running")
        if stage.of is None:
            plan = self._firsts[stage.name]
            self._note(stage, run_ids=_ids(plan))
        else:
            plan = self._follow(stage)
        self._launch(plan)
        if stage.select and not self._stopped:
            try:
                self._select(stage, stage.select)
            except MnistSweepError as error:
                reason = f"Nothing could be selected: {error}"
                self._note(stage, status="blocked", reason=reason)
                return
        if self._stopped:
            self._note(stage, status="blocked", reason=_STOPPED)
        else:
            self._note(stage, status="done")

    def _why_blocked(self, stage: Stage) -> str | None:
        if self._stopped:
            return _STOPPED
        if stage.of and self.study.stage(stage.of).selection is None:
            return f"Stage {stage.of}, which it starts from, selected nothing."
        return None

    def _follow(self, stage: Stage) -> Plan:
        """Find out what a stage runs, now that the configuration it starts from is known."""
        selection = self.study.stage(str(stage.of)).selection or {}
        chosen = selection["configuration_id"]
        base = next(p for p in self._known.values() if p.configuration_id == chosen)
        found: FollowUp = self._points.after(stage, base)
        if found.same:
            self._outcome.notices.append(
                f"Stage {stage.name}: the change changes nothing in {'; '.join(found.same)}."
            )
        self._note(
            stage,
            run_ids=[run_id for run_id in _ids(found.plan) if run_id not in found.control],
            control_run_ids=found.control,
            changed=found.changed,
        )
        return found.plan

    @property
    def _stopped(self) -> bool:
        """Whether a failed run ends the study."""
        return bool(self._request.config.fail_fast and self._outcome.failures)

    def _launch(self, plan: Plan) -> None:
        """Run what of a plan is not done."""
        part = self._outcome.part(plan)
        known = {point.run_id for point in self._outcome.plan.points}
        if any(point.run_id not in known for point in plan.points):
            self._outcome.plan = union([self._outcome.plan, plan])
            directory.note_points(
                self._outcome.directory, self._outcome.invocation, self._outcome.plan
            )
        self._known |= {point.run_id: point for point in plan.points}
        try:
            launch(self._request, part)
        finally:
            self._outcome.add(part)

    def _select(self, stage: Stage, choice: SelectionRule) -> None:
        last = self._decide(stage, choice) if self._settings["decide"] else None
        found = self._selection(choice, self._runs_among(choice))
        if last and found.configuration_id != last.contenders[0]:
            # Those put out had fewer runs, and luck may set one of them in front again: the
            # selection is among those that still contend.
            contending = set(last.contenders)
            points = [p for p in self._among(choice) if p.configuration_id in contending]
            found = self._selection(choice, [point.run_id for point in points])
        self._outcome.selections[stage.name] = found
        self._note(stage, selection=found.to_json(), reason=_uncounted(found))

    @property
    def _questions(self) -> int:
        """What the study answers together.

        The best, each selection, what changes did, and how the changed compare with the best.
        """
        stages = self._points.stages
        selections = sum(stage.select is not None for stage in stages)
        return 1 + selections + 2 * any(stage.of for stage in stages)

    def _selection(self, choice: SelectionRule, run_ids: Sequence[str]) -> UncertainSelection:
        return select_with_uncertainty(
            load(self._outcome.directory),
            choice.where,
            choice.by,
            choice.direction,
            split=choice.split,
            level=self._settings["level"],
            replicates=self._settings["replicates"],
            questions=self._questions,
            run_ids=set(run_ids),
        )

    def _decide(self, stage: Stage, choice: SelectionRule) -> InterimAnalysis:
        """Run rounds of further seeds until the selection is decided or the budget is spent."""
        started, spent_before = time.monotonic(), self._spent_before(stage)
        budget = self._settings["budget_s"]
        while True:
            now = analyze(
                self._outcome.directory, choice, self._runs_among(choice), self._settings,
                {point.run_id: point.configuration_id for point in self._known.values()},
            )  # fmt: skip
            stopped = ""
            wall_s = spent_before + time.monotonic() - started
            plan = self._further(choice, now)
            if self._stopped:
                stopped = _STOPPED
            elif now.wanted and not plan.points:
                stopped = "Not decided: runs failed, and their configurations have no seeds left."
            elif budget is not None and wall_s >= budget and not self._all_done(plan):
                stopped = f"Not decided: the budget of {budget:g} s is spent."
            self._note(stage, decision=now.to_json(stopped=stopped, wall_s=round(wall_s, 3)))
            if stopped or not now.wanted:
                return now
            if not self._all_done(plan):
                names = "; ".join(point.label for point in plan.points)
                self._say.print(f"stage {stage.name}: still open, one more run each: {names}")
            self._known |= {point.run_id: point for point in plan.points}
            self._add(choice, plan.points)
            self._launch(plan)

    def _all_done(self, plan: Plan) -> bool:
        """Whether all has a record: what an interrupted study paid for is not paid for again."""
        there = set(load(self._outcome.directory).frame["run_id"])
        return all(point.run_id in there for point in plan.points)

    def _further(self, choice: SelectionRule, now: InterimAnalysis) -> Plan:
        """One more repeat of each configuration that needs one and may have one."""
        plans = []
        for wanted in now.wanted:
            seeds = [
                point.settings["seed"] for point in self._among(choice)
                if point.configuration_id == wanted
            ]  # fmt: skip
            if len(seeds) < self._settings["max_repeats"]:
                base = next(p for p in self._among(choice) if p.configuration_id == wanted)
                plans.append(self._points.further(base, max(seeds) + 1))
        return union(plans)

    def _add(self, choice: SelectionRule, new: Sequence[Point]) -> None:
        """Count further runs to the stage that ran their configuration first."""
        for point in new:
            name, part, held = next(
                (name, part, held)
                for name in choice.among
                for part in ("run_ids", "control_run_ids")
                for held in [list(getattr(self.study.stage(name), part))]
                if any(self._known[i].configuration_id == point.configuration_id for i in held)
            )
            stage = next(stage for stage in self._points.stages if stage.name == name)
            self._note(stage, **{part: [*held, point.run_id]})

    def _among(self, choice: SelectionRule) -> list[Point]:
        return [self._known[run_id] for run_id in self._runs_among(choice)]

    def _runs_among(self, choice: SelectionRule) -> list[str]:
        """Run ids a selection looks at, in the order they were asked for."""
        stages = [self.study.stage(name) for name in choice.among]
        ids = [i for stage in stages for i in (*stage.run_ids, *stage.control_run_ids)]
        return list(dict.fromkeys(ids))

    def _spent_before(self, stage: Stage) -> float:
        """Seconds that earlier invocations spent on the same stage's rounds."""
        earlier = {s.name: s for s in self._before.stages} if self._before else {}
        decision = earlier[stage.name].decision if stage.name in earlier else None
        if not decision or not set(earlier[stage.name].run_ids) >= set(
            self.study.stage(stage.name).run_ids
        ):
            return 0.0
        return float(decision.get("wall_s") or 0.0)

    def _note(self, stage: Stage, **changes: Any) -> None:
        # Through the schema again, so that lists become tuples and mistakes are found here.
        stages = [
            StageResult.model_validate({**one.model_dump(), **changes})
            if one.name == stage.name else one
            for one in self.study.stages
        ]  # fmt: skip
        self.study = self.study.model_copy(update={"stages": tuple(stages)})
        self._write()

    def _write(self) -> None:
        write_study(self._outcome.directory, self.study)


def _study_before(outcome: SweepResult) -> Study | None:
    try:
        return load_study(outcome.directory)
    except MnistSweepError as error:
        outcome.notices.append(f"{error} It is replaced.")
        return None


def _uncounted(found: UncertainSelection) -> str | None:
    """What a reader must know of candidates without a result, or None."""
    lost = found.selection.uncounted
    if not lost:
        return None
    first = "; ".join(f"{run.label} ({run.status})" for run in lost[:3])
    more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
    runs = "run has" if len(lost) == 1 else "runs have"
    return (
        f"{len(lost)} candidate {runs} no result and could not be counted: {first}{more}. "
        "The selection is among the rest; with them it might be another."
    )


def _ids(plan: Plan) -> list[str]:
    return [point.run_id for point in plan.points]
