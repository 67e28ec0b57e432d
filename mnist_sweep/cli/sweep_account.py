"""How the requested runs of a sweep ended, and the exit code that follows from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mnist_sweep.cli.output import ExitCode
from mnist_sweep.records.paths import label_and_run_id
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import Sweep
from mnist_sweep.reporting.phrases.values import counted
from mnist_sweep.sweeping.launch.job import Origin, RunSummary
from mnist_sweep.sweeping.launch.submitted import SubmittedJob
from mnist_sweep.sweeping.result import SweepResult

_WITHOUT_RESULT = (RunStatus.FAILED, RunStatus.DIVERGED)
_NOT_FINISHED = (*_WITHOUT_RESULT, RunStatus.PRUNED)


@dataclass(frozen=True)
class SweepAccount:
    """How the requested runs ended."""

    result: SweepResult
    # Run id -> status, of those that have a record, or failed without one.
    statuses: Mapping[str, RunStatus]
    # Runs that left a record which is gone: somebody deleted it meanwhile.
    lost: Sequence[RunSummary]

    @classmethod
    def of(cls, result: SweepResult, found: Sweep) -> SweepAccount:
        """What a directory holds of what a command requested."""
        frame = found.frame
        recorded = dict(zip(frame.get("run_id", ()), frame.get("status", ()), strict=True))
        there = {*recorded, *(label_and_run_id(p.path.parent.name)[1] for p in found.problems)}
        lost = [o for o in result.summaries if o.status.is_final and o.run_id not in there]
        requested = {point.run_id for point in result.plan.points}
        ended = {one.run_id: one.status for one in reversed(result.summaries) if one not in lost}
        for run_id in there - recorded.keys():  # whatever a run has told, its record cannot be read
            ended.pop(run_id, None)
        # A failed record is replaced once the job in the queue has run.
        counted = (requested & recorded.keys()) - {one.job.run_id for one in result.queued}
        known = {run_id: RunStatus(recorded[run_id]) for run_id in counted}
        return cls(result, {**ended, **known}, lost)

    def __str__(self) -> str:
        """'3 of 4 runs finished (2 earlier), 1 failed'."""
        result, counts = self.result, Counter(self.statuses.values())
        earlier = sum(self.statuses.get(one) is RunStatus.FINISHED for one in result.skipped)
        elsewhere = sum(one.origin is Origin.ALREADY_DONE for one in result.summaries)
        by_whom = [f"{earlier:,} earlier"] if earlier else []
        by_whom += [f"{elsewhere:,} by another sweep"] if elsewhere else []
        finished = f"{counts[RunStatus.FINISHED]:,} of {counted(result.requested, 'run')} finished"
        parts = [f"{finished} ({', '.join(by_whom)})" if by_whom else finished]
        parts += [f"{counts[status]:,} {status}" for status in _NOT_FINISHED if counts[status]]
        queued = len(self.queued)
        parts += [f"{queued:,} queued or running"] if queued else []
        left = result.requested - len(self.statuses) - queued
        budget = self.result.used_up
        why = f": budget_s={budget:g} s is used up" if budget else ""
        if left > 0:
            parts.append(f"{left:,} not started{why}" if why else f"{left:,} not run")
        elif why:  # these failed earlier, and count as such
            parts.append(f"not repeated{why}")
        return ", ".join(parts)

    @property
    def queued(self) -> Mapping[str, SubmittedJob]:
        """Run id -> its job in a cluster's queue, of those that have no record that counts."""
        return {one.job.run_id: one for one in self.result.queued}

    @property
    def needs_resume(self) -> bool:
        """Whether some run has no result, which the same command might still give."""
        is_whole = len(self.statuses) + len(self.queued) == self.result.requested
        return not is_whole or any(one in _WITHOUT_RESULT for one in self.statuses.values())

    @property
    def exit_code(self) -> ExitCode:
        """Whether all requested runs have a result."""
        result = self.result
        if result.interrupted:
            return ExitCode.INTERRUPTED
        # A search stops poor runs itself: that is no failure. Others need every run to its end.
        well = {RunStatus.FINISHED} | ({RunStatus.PRUNED} if result.objective else set())
        left = self.queued if result.leaves else {}
        whole = all(
            point.run_id in left or self.statuses.get(point.run_id) in well
            for point in result.plan.points
        )
        stages = result.study.stages if result.study else ()
        all_stages = all(stage.status == "done" for stage in stages)
        return ExitCode.DONE if whole and all_stages else ExitCode.SOME_FAILED
