"""A study: a sweep of several stages, where a later stage's points come from a selection.

All stages' runs live in one directory and go through one pool. A stage begins when the one before
it has come to its end; its points are noted in sweep.json as soon as they are known. Nothing is
remembered but records: the same command again selects the same from them, and finds the runs done.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, cast

from omegaconf import OmegaConf
from rich.console import Console

from mnist_sweep.analysis.selection import Selection
from mnist_sweep.analysis.uncertainty import select_with_uncertainty
from mnist_sweep.data import prepare
from mnist_sweep.errors import MnistSweepError, listed
from mnist_sweep.records.study_file import Stage as StageResult
from mnist_sweep.records.study_file import Study, load_study, write_study
from mnist_sweep.records.sweep import load
from mnist_sweep.settings import Plain, is_task, nested_problems
from mnist_sweep.sweeping import sweep
from mnist_sweep.sweeping.plan import directory
from mnist_sweep.sweeping.plan.checks import raise_for
from mnist_sweep.sweeping.plan.estimate import Preview
from mnist_sweep.sweeping.plan.overrides import bare
from mnist_sweep.sweeping.plan.points import Plan, Point, union
from mnist_sweep.sweeping.result import SweepResult
from mnist_sweep.sweeping.study.interim_analysis import InterimAnalysis, analyze
from mnist_sweep.sweeping.study.stage_points import Points
from mnist_sweep.sweeping.study.stages import SelectionRule, Stage, read_stages, undecidable
from mnist_sweep.sweeping.sweep import SweepRequest


def run(request: SweepRequest) -> SweepResult | Preview:
    """Run a study, or only say what it would run (`plan=true`)."""
    config = request.config
    settings: Any = OmegaConf.to_container(config.study, resolve=True)
    raise_for(nested_problems("study", settings))
    # Which metrics a task returns, only its runs tell.
    tasks = is_task(cast("Plain", OmegaConf.to_container(config))) or any(
        bare(text).partition(".")[0] == "task" for text in request.overrides
    )
    stages = read_stages(settings["stages"], str(config.objective), tasks=tasks)
    if settings["decide"]:
        raise_for([text for stage in stages for text in undecidable(stage)])
    points = Points(stages, request.overrides, config, request.loader, prepare)
    possible = points.possible()
    every = [point for found in possible.values() for point in found]
    plan = union(points.first(stage) for stage in points.stages if stage.of is None)
    plan.remarks += sweep.check_models(Plan(points=every, datasets=points.datasets))
    unmatched = {text for text, n in plan.excluded.items() if not n}
    for text in unmatched if points.sampled else unmatched & points.excluded:
        del plan.excluded[text]  # it holds, or may hold, for points of later stages
    if config.plan:
        return points.previews(sweep.preview(request, plan), possible)
    return sweep.carry_out(
        request, plan, lambda _, outcome: _StudyRun(request, points, outcome, settings).run()
    )


class _StudyRun:
    """A study while it is carried out."""

    def __init__(
        self, request: SweepRequest, points: Points, outcome: SweepResult, settings: Plain
    ) -> None:
        self._request, self._points, self._settings = request, points, settings
        self.outcome = outcome
        try:
            self._before = load_study(outcome.directory)
        except MnistSweepError as error:
            self._before = None
            outcome.notices.append(f"{error} It is replaced.")
        self._known = {point.run_id: point for point in outcome.plan.points}
        self._say = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
        stages = [StageResult(name=s.name, of=s.of, params=s.params) for s in points.stages]
        self.study = Study(
            level=settings["level"],
            replicates=settings["replicates"],
            seeds=tuple(points.seeds),
            stages=tuple(stages),
        )

    def run(self) -> None:
        """Carry out all stages that can be."""
        self._write()
        for number, stage in enumerate(self._points.stages, 1):
            self._say.print(f"stage {number} of {len(self._points.stages)}: {stage.name}")
            if reason := self._stage(stage):
                self._note(stage, status="blocked", reason=reason)
            else:
                self._note(stage, status="done")

    def _stage(self, stage: Stage) -> str | None:
        """Carry a stage out; why it could not be, or not to its end."""
        if self._stopped:
            return self._stopped
        chosen = self.study.stage(stage.of).selection if stage.of else None
        if stage.of and not chosen:
            return f"Stage {stage.of}, which it starts from, selected nothing."
        self._note(stage, status="running")
        if chosen:
            configuration = chosen["configuration_id"]
            base = next(p for p in self._known.values() if p.configuration_id == configuration)
            found = self._points.after(stage, base)
            plan, control = found.plan, found.control
            if found.same:
                self.outcome.notices.append(
                    f"Stage {stage.name}: the change has no effect in {'; '.join(found.same)}."
                )
            self._note(stage, control_run_ids=control, changed=found.changed)
        else:
            plan, control = self._points.first(stage), []
        ids = [point.run_id for point in plan.points if point.run_id not in control]
        self._note(stage, run_ids=ids)
        self._launch(plan)
        if stage.select and not self._stopped:
            try:
                self._select(stage, stage.select)
            except MnistSweepError as error:
                return f"Nothing could be selected: {error}"
        return self._stopped

    @property
    def _stopped(self) -> str | None:
        """Why the study ends before its last stage."""
        if self._request.config.fail_fast and self.outcome.failures:
            return "A run failed, and fail_fast=true ends the study there."
        budget = self.outcome.used_up
        return f"budget_s={budget:g} s is used up." if budget else None

    def _launch(self, plan: Plan) -> None:
        """Run what of a plan is not done."""
        outcome = self.outcome
        known = {point.run_id for point in outcome.plan.points}
        if any(point.run_id not in known for point in plan.points):
            # A condition may well match no point of one stage.
            plan.excluded = {text: n for text, n in plan.excluded.items() if n}
            outcome.plan = union([outcome.plan, plan])
            directory.note_points(outcome.directory, outcome.invocation, outcome.plan)
        self._known |= {point.run_id: point for point in plan.points}
        sweep.launch(self._request, outcome, plan)

    def _select(self, stage: Stage, choice: SelectionRule) -> None:
        last = self._decide(stage, choice) if self._settings["decide"] else None
        points = self._among(choice)
        found = self._selection(choice, points)
        if last and found.chosen.configuration_id != last.contenders[0]:
            # Those put out had fewer runs, and luck may set one of them in front again: the
            # selection is among those that still contend.
            points = [one for one in points if one.configuration_id in last.contenders]
            found = self._selection(choice, points)
        self.outcome.selections[stage.name] = found
        reason = None
        if lost := found.uncounted:
            first = listed([f"{run.label} ({run.status})" for run in lost], 3)
            runs = "run has" if len(lost) == 1 else "runs have"
            reason = (
                f"{len(lost)} candidate {runs} no result and could not be counted: {first}. "
                "The selection is among the rest; with them it might be another."
            )
        self._note(stage, selection=found.to_json(), reason=reason)

    def _selection(self, choice: SelectionRule, points: Sequence[Point]) -> Selection:
        stages = self._points.stages
        selections = sum(stage.select is not None for stage in stages)
        return select_with_uncertainty(
            load(self.outcome.directory),
            choice.where,
            choice.by,
            choice.direction,
            split=choice.split,
            level=self._settings["level"],
            replicates=self._settings["replicates"],
            # The best, each selection, what changes did, and how those compare with the best.
            questions=1 + selections + 2 * any(stage.of for stage in stages),
            run_ids={point.run_id for point in points},
        )

    def _decide(self, stage: Stage, choice: SelectionRule) -> InterimAnalysis:
        """Run rounds of further seeds until the selection is decided or the budget is spent."""
        started, spent_before = time.monotonic(), self._spent_before(stage)
        budget = self._settings["budget_s"]
        while True:
            points = self._among(choice)
            now = analyze(self.outcome.directory, choice, points, self._settings)
            stopped = self._stopped or ""
            wall_s = spent_before + time.monotonic() - started
            plan = self._further(points, now)
            # What an interrupted study paid for is not paid for again.
            there = set(load(self.outcome.directory).frame["run_id"])
            is_done = all(point.run_id in there for point in plan.points)
            if not stopped and now.wanted and not plan.points:
                stopped = "Not decided: runs failed, and their configurations have no seeds left."
            elif not stopped and budget and wall_s >= budget and not is_done:
                stopped = f"Not decided: the budget of {budget:g} s is spent."
            self._note(stage, decision=now.to_json(stopped=stopped, wall_s=round(wall_s, 3)))
            if stopped or not now.wanted:
                return now
            if not is_done:
                names = "; ".join(point.label for point in plan.points)
                self._say.print(f"stage {stage.name}: still open, one more run each: {names}")
            self._add(choice, plan.points)
            self._launch(plan)

    def _further(self, points: Sequence[Point], now: InterimAnalysis) -> Plan:
        """One more repeat of each configuration that needs one and may have one."""
        plans = []
        for wanted in now.wanted:
            own = [point for point in points if point.configuration_id == wanted]
            if len(own) < self._settings["max_repeats"]:
                last = max(point.settings["seed"] for point in own)
                plans.append(self._points.further(own[0], last + 1))
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
            self._known[point.run_id] = point
            self._note(self._points.named(name), **{part: [*held, point.run_id]})

    def _among(self, choice: SelectionRule) -> list[Point]:
        """The points a selection looks at, in the order they were asked for."""
        stages = [self.study.stage(name) for name in choice.among]
        ids = [i for stage in stages for i in (*stage.run_ids, *stage.control_run_ids)]
        return [self._known[run_id] for run_id in dict.fromkeys(ids)]

    def _spent_before(self, stage: Stage) -> float:
        """Seconds that earlier invocations spent on the same stage's rounds."""
        # If the stage has other points now, its whole budget is available again.
        mine = set(self.study.stage(stage.name).run_ids)
        for earlier in self._before.stages if self._before else ():
            if earlier.name == stage.name and earlier.decision and mine <= set(earlier.run_ids):
                return float(earlier.decision.get("wall_s") or 0.0)
        return 0.0

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
        self.outcome.study = self.study
        write_study(self.outcome.directory, self.study)
