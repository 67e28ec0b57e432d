"""What the gate found: a `GateResult` of one `Check` for every rule and configuration.

Fields only. `reporting.gate` makes the sentences, the JSON and the JUnit file from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class CheckKind(StrEnum):
    """What is checked."""

    BASELINE = "baseline"
    """The baseline can be read."""
    RECORDS = "records"
    """The sweep's records can be read, and some run finished."""
    FINISHED = "finished"
    """Every planned point has a finished run."""
    DATA = "data"
    """The sweep was evaluated on the baseline's data."""
    CONFIGURATIONS = "configurations"
    """The sweep has every configuration of the baseline."""
    BOUND = "bound"
    """A metric keeps a fixed bound."""
    RELATIVE = "relative"
    """A metric is not worse than the baseline's."""
    RATIO = "ratio"
    """A time or another cost is not much higher than the baseline's."""


class Problem(StrEnum):
    """Why a check does not hold."""

    VIOLATED = "violated"
    """The value lies beyond the limit, or is another than the baseline's."""
    UNREADABLE = "unreadable"
    NO_RUN = "no run"
    """There is no finished run to check."""
    NOT_FINISHED = "not finished"
    """A run failed, diverged or was pruned."""
    MISSING = "missing"
    """A planned run, or a configuration of the baseline, has no record."""
    CHANGED_SETTING = "changed setting"
    """The configurations differ from the baseline's in some settings, as a whole."""
    NO_VALUE = "no value"
    """Some run of the sweep has no finite value."""
    NO_BASELINE_VALUE = "no baseline value"
    NOISE_UNKNOWN = "noise unknown"
    """The value fell, there are no repeats to say by how much seeds move it, and no tolerance."""


@dataclass(frozen=True)
class Check:
    """One rule applied to one configuration, or to the whole sweep.

    Attributes:
        kind: What is checked.
        problem: Why it does not hold; None if it does.
        rule: A bound as its user wrote it: "test.accuracy >= 0.97 where layers=2".
        configuration: The configuration's or the run's label; empty for the whole sweep.
        metric: The column that is checked; for data the column that differs.
        baseline: The baseline's value: a mean over runs, for costs a median.
        value: The sweep's.
        limit: The bound; how far a metric may be worse; the highest ratio.
        tolerance: The part of the limit that the rules allow, beside the noise of seeds.
        noticeable: The smallest change for the worse that is noticed with 80 % power.
        count: How many runs, records or configurations it is about.
        changed: Settings with the baseline's and the sweep's value, if these explain the problem.
        detail: Text of others: a path with the reason, an error's message.
    """

    kind: CheckKind
    problem: Problem | None = None
    rule: str = ""
    configuration: str = ""
    metric: str = ""
    baseline: Any = None
    value: Any = None
    limit: float | None = None
    tolerance: float = 0.0
    noticeable: float | None = None
    count: int = 0
    changed: tuple[tuple[str, Any, Any], ...] = ()
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether the rule holds."""
        return self.problem is None


@dataclass(frozen=True)
class GateResult:
    """All checks, and what a reader should know beside them.

    Attributes:
        checks: In the order of the rules.
        n_new: Configurations of the sweep that the baseline does not have: only bounds apply.
        other_machine: With rules on costs, what differs between the machines: column, the
            baseline's value, the sweep's.
        without_noise: Metrics whose noise the baseline does not show, as it has no repeats.
    """

    checks: tuple[Check, ...]
    n_new: int = 0
    other_machine: tuple[tuple[str, Any, Any], ...] = ()
    without_noise: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every check holds, and there was at least one."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that do not hold."""
        return tuple(check for check in self.checks if not check.passed)
