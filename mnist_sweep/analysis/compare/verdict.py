"""What happened to the second side as a whole: what changed, or that nothing did beyond noise."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean
from typing import TYPE_CHECKING

from mnist_sweep.metrics import resolve
from mnist_sweep.settings import DEFAULT_OBJECTIVE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.analysis.compare.changes import Change, ConfigurationChange

LEADING = resolve(DEFAULT_OBJECTIVE).name
"""The metric that a verdict is about, if it changed."""


class VerdictKind(StrEnum):
    """What happened to the second side."""

    NOTHING_SHARED = "nothing shared"
    IDENTICAL = "identical"
    NOISE = "noise"
    """Tested, and no change is significant."""
    UNTESTED = "untested"
    """Single runs: they differ, and nothing says whether configurations do."""
    BETTER = "better"
    WORSE = "worse"
    MIXED = "mixed"
    """Better in some configurations, worse in others."""


@dataclass(frozen=True)
class Verdict:
    """The verdict of one pair of sides.

    Attributes:
        kind: What happened to the second side.
        change: The change it is about: the largest significant one, or the largest at all.
        configuration: The name of its configuration; empty if it is the mean over all.
        n_changed: In how many configurations that metric changed significantly.
        n_tests: How many changes were tested.
        digits: Classes whose F1 changed significantly, with the mean of these changes, largest
            first.
    """

    kind: VerdictKind
    change: Change | None = None
    configuration: str = ""
    n_changed: int = 0
    n_tests: int = 0
    digits: tuple[tuple[str, float], ...] = ()


def verdict_of(changes: Sequence[ConfigurationChange], mean: Sequence[Change]) -> Verdict:
    """Sum up one pair of sides.

    Args:
        changes: Of the configurations that both sides have.
        mean: The mean change of every metric over them.
    """
    if not changes:
        return Verdict(VerdictKind.NOTHING_SHARED)
    if all(one.identical for one in changes):
        return Verdict(VerdictKind.IDENTICAL)
    own = [(one.shared.name, change) for one in changes for change in one.summaries]
    tested = [(name, change) for name, change in own if change.p_value is not None]
    if not tested:
        # Single runs: only whether configurations move together can be tested.
        tested = [("", change) for change in mean if change.p_value is not None]
    found = [(name, change) for name, change in tested if change.significant]
    if not found:
        kind = VerdictKind.NOISE if tested else VerdictKind.UNTESTED
        name, change = _largest(tested or [("", change) for change in mean])
        return Verdict(kind, change, name, n_tests=len(tested))
    metric = _leading([change for _, change in found])
    found = [(name, change) for name, change in found if change.metric == metric]
    name, change = _largest(found)
    signs = {change.better for _, change in found}
    kind = VerdictKind.BETTER if signs == {True} else VerdictKind.WORSE
    kind = VerdictKind.MIXED if len(signs) > 1 else kind
    return Verdict(kind, change, name, len(found), len(tested), _digits(changes))


def _largest(found: Sequence[tuple[str, Change]]) -> tuple[str, Change | None]:
    """The largest change of the leading metric, or of any."""
    leading = [one for one in found if one[1].metric == LEADING] or found
    return max(leading, key=lambda one: abs(one[1].change), default=("", None))


def _leading(found: Sequence[Change]) -> str:
    count = Counter(change.metric for change in found)
    return LEADING if count[LEADING] else count.most_common(1)[0][0]


def _digits(changes: Sequence[ConfigurationChange]) -> tuple[tuple[str, float], ...]:
    steps: dict[str, list[float]] = {}
    for change in (change for one in changes for change in one.digits if change.significant):
        steps.setdefault(change.metric.partition(".")[2], []).append(change.change)
    order = sorted(steps, key=lambda label: -abs(sum(steps[label])))
    return tuple((label, fmean(steps[label])) for label in order)
