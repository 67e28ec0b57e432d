"""What the gate found: a `GateResult` of one `Check` for every rule and configuration."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# Settings (or columns) that differ: name, value in the baseline, value in the sweep.
Changed = tuple[tuple[str, Any, Any], ...]


class CheckKind(StrEnum):
    """What is checked."""

    BASELINE = "baseline"  # can be read, and is not the sweep itself
    RECORDS = "records"  # can be read, and some run finished
    PLAN = "plan"  # is there, and lists every run
    FINISHED = "finished"  # every planned point has a finished run
    DATA = "data"  # the sweep was evaluated on the baseline's
    CONFIGURATIONS = "configurations"  # all those of the baseline, with as many runs
    BOUND = "bound"  # a metric keeps a fixed bound
    RELATIVE = "relative"  # a metric is not worse than the baseline's
    RATIO = "ratio"  # a time or another cost is not much higher than the baseline's


class Problem(StrEnum):
    """Why a check does not hold."""

    VIOLATED = "violated"  # beyond the limit, or another value than the baseline's
    UNREADABLE = "unreadable"
    SAME_DIRECTORY = "same directory"  # the baseline is the sweep itself
    NO_RUN = "no run"  # no finished one to check
    NOT_FINISHED = "not finished"  # a run failed, diverged or was pruned
    MISSING = "missing"  # the plan, a planned run, or a configuration of the baseline
    MORE_MISSING = "more missing"  # of very many planned runs, those that are not listed
    UNPLANNED = "unplanned"  # the plan does not list a run that has a record
    FEWER_RUNS = "fewer runs"  # of a configuration than in the baseline
    CHANGED_SETTING = "changed setting"  # the configuration is there with other settings
    NO_VALUE = "no value"  # some run of the sweep has no finite one
    NO_BASELINE_VALUE = "no baseline value"
    NOISE_UNKNOWN = "noise unknown"  # the value fell; no repeats, and no tolerance
    ALLOWS_ANY = "allows any value"  # the tolerance is so large that no value could fail


@dataclass(frozen=True)
class Check:
    """One rule applied to one configuration, or to the whole sweep."""

    kind: CheckKind
    problem: Problem | None = None  # why it does not hold
    rule: str = ""  # a bound as its user wrote it: "test.accuracy >= 0.97 where layers=2"
    configuration: str = ""  # its label, or the run's; empty for the whole sweep
    metric: str = ""  # the column that is checked; for data the column that differs
    baseline: Any = None  # a mean over runs, for costs a median
    value: Any = None  # the sweep's
    limit: float | None = None  # the bound; how far a metric may be worse; the highest ratio
    tolerance: float = 0.0  # the part of the limit that the rules allow, beside noise of seeds
    noticeable: float | None = None  # the smallest worsening that is noticed with 80 % power
    count: int = 0  # of the runs, records or configurations that it is about
    changed: Changed = ()
    # Of configurations whose settings changed: label, the metric then and now.
    values: tuple[tuple[str, float | None, float | None], ...] = ()
    detail: str = ""  # text of others: a path with the reason, an error, the experiments

    @property
    def passed(self) -> bool:
        """Whether the rule holds."""
        return self.problem is None


@dataclass(frozen=True)
class GateResult:
    """All checks, and what a reader should know beside them."""

    checks: tuple[Check, ...]
    directory: str = ""
    baseline: str = ""  # its path
    n_new: int = 0  # configurations that the baseline does not have: only bounds apply
    n_unfinished: int = 0  # runs without a result, where the rules do not ask for all of them
    n_copied: int = 0  # runs that are the baseline's own: the same measurement, not a new one
    other_machine: Changed = ()  # with rules on costs
    without_noise: tuple[str, ...] = ()  # metrics whose noise the baseline does not show

    @property
    def passed(self) -> bool:
        """Whether every check holds, and there was at least one."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that do not hold."""
        return tuple(check for check in self.checks if not check.passed)
