"""Spend further seeds only where they matter, until a selection is decided.

After each round of repeats the configurations that differ from the one in front are eliminated and
get no further runs. Every interim analysis may err, so the permitted error is split evenly over all
that there may be (Bonferroni, valid however dependent they are): the chance to eliminate the
truly worst (or best) configuration at any of them stays below 1 - level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from mnist_sweep.analysis.statistics.bootstrap import Resampled
from mnist_sweep.analysis.statistics.comparisons import Direction, direction_sign
from mnist_sweep.analysis.statistics.variance import checked_level, means_of
from mnist_sweep.errors import SelectionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

State = Literal["decided", "undecided", "spent"]

MIN_REPEATS = 2
"""One run of each says nothing of the seeds."""


@dataclass(frozen=True)
class Decision:
    """Where a selection stands; configurations by their place in `groups`.

    Attributes:
        state: "decided"; "undecided": run `next_runs` and ask again; or "spent": every repeat
            permitted is used and it is still open.
        selected: The configuration in front.
        contenders: All that still contend, the selected first, then by estimate.
        eliminated: Configuration -> the number of repeats after which it was eliminated.
        next_runs: Configurations to be given one more run; empty unless undecided.
        looks: How many interim analyses were made so far.
        repeats: Repeats of each contender in the last of them.
        runs: How many runs were used to get here.
        equal_runs: How many it would have taken with as many repeats for every configuration.
        limited_by_images: Whether further seeds are of no use: at the differences as they stand,
            the images alone are too few to distinguish any of the contenders.
        reason: One sentence.
    """

    state: State
    selected: int
    contenders: tuple[int, ...]
    eliminated: dict[int, int]
    next_runs: tuple[int, ...]
    looks: int
    repeats: int
    runs: int
    equal_runs: int
    limited_by_images: bool
    reason: str

    @property
    def decided(self) -> bool:
        """Whether the selection is decided at the level."""
        return self.state == "decided"


def decide(
    table: Resampled,
    groups: Sequence[NDArray[np.intp]],
    direction: Direction,
    *,
    max_repeats: int,
    min_repeats: int = MIN_REPEATS,
    level: float = 0.95,
) -> Decision:
    """Say whether a selection is decided by the results so far, and who should be run again.

    It replays all interim analyses from the first, so it needs no memory: the same results in the
    same order give the same answer, after an interruption too.

    Args:
        table: A metric of all runs so far: observed (n_runs,), replicates (n_runs, n_replicates).
        groups: The rows of each configuration in the order of its repeats; those beyond what an
            analysis needs are not used by it.
        direction: "worst" for the lowest, "best" for the highest.
        max_repeats: The most repeats any configuration may get.
        min_repeats: Repeats all get before the first analysis, at least 2.
        level: Confidence level over all analyses together.

    Raises:
        DataError: A level outside 0 to 1.
        SelectionError: The direction does not exist, or the repeats make no sense.
    """
    sign = direction_sign(direction)
    if not MIN_REPEATS <= min_repeats <= max_repeats:
        raise SelectionError(
            "To decide a selection, repeats must go from min_repeats, at least "
            f"{MIN_REPEATS}, to max_repeats: got {min_repeats} to {max_repeats}."
        )
    error = (1 - checked_level(level)) / (max_repeats - min_repeats + 1)
    elimination = SequentialElimination(table, groups, sign, error)
    for repeats in range(min_repeats, max_repeats + 1):
        if len(elimination.contenders) == 1 or elimination.short_of(repeats):
            break
        elimination.analyze(repeats)
    return elimination.decision(min_repeats, max_repeats)


class SequentialElimination:
    """The interim analyses so far, replayed one after the other."""

    def __init__(
        self,
        table: Resampled,
        groups: Sequence[NDArray[np.intp]],
        sign: float,
        error: float,
    ) -> None:
        self.table, self.groups, self.sign, self.error = table, groups, sign, error
        means = [sign * float(table.observed[rows].mean()) for rows in groups]
        self.contenders = sorted(range(len(groups)), key=means.__getitem__)
        self.eliminated: dict[int, int] = {}
        self.looks, self.repeats = 0, 0
        self.limited_by_images = False

    def short_of(self, repeats: int) -> list[int]:
        """Contenders that have fewer repeats."""
        return [key for key in self.contenders if len(self.groups[key]) < repeats]

    def analyze(self, repeats: int) -> None:
        """Eliminate contenders that differ from the one in front by their first runs.

        The truly worst is eliminated only if it seems better than some other, of which there are
        one fewer than contenders: so one-sided p-values are multiplied by their number.
        """
        from scipy.special import ndtri

        means = means_of(self.table, [self.groups[key][:repeats] for key in self.contenders])
        front = int(np.argmin(self.sign * means.values))
        apart = self.sign * (means.centers - means.centers[front])
        others = len(self.contenders) - 1
        stays = others * means.uncertainty_from(front).tail(-apart) > self.error
        stays[front] = True
        still_open = stays & (np.arange(len(stays)) != front)
        threshold = -float(ndtri(self.error / others))
        endless = self.sign * means.t_of_images(front)
        self.limited_by_images = bool(still_open.any() and np.all(endless[still_open] < threshold))
        for key, keep in zip(self.contenders, stays, strict=True):
            if not keep:
                self.eliminated[key] = repeats
        order = np.argsort(self.sign * means.values, kind="stable")
        self.contenders = [self.contenders[index] for index in order if stays[index]]
        self.looks, self.repeats = self.looks + 1, repeats

    def decision(self, min_repeats: int, max_repeats: int) -> Decision:
        """Where it stands after the analyses made."""
        next_runs: tuple[int, ...] = ()
        if len(self.contenders) == 1:
            state: State = "decided"
            reason = f"Decided after {self.repeats} repeats: only one configuration still contends."
            if not self.eliminated:
                reason = "There is only one configuration."
        elif self.repeats == max_repeats:
            state = "spent"
            reason = (
                f"Not decided: {len(self.contenders)} configurations still contend after "
                f"{max_repeats} repeats, the most permitted."
            )
        else:
            state = "undecided"
            wanted = max(self.repeats + 1, min_repeats)
            next_runs = tuple(sorted(self.short_of(wanted)))
            reason = f"{len(self.contenders)} configurations still contend and need more repeats."
        if self.limited_by_images:
            reason += " The images are too few to tell them apart, however many the repeats."
        given = [self.eliminated.get(key, self.repeats) for key in range(len(self.groups))]
        return Decision(
            state=state,
            selected=self.contenders[0],
            contenders=tuple(self.contenders),
            eliminated=dict(sorted(self.eliminated.items())),
            next_runs=next_runs,
            looks=self.looks,
            repeats=self.repeats,
            runs=sum(given),
            equal_runs=self.repeats * len(self.groups),
            limited_by_images=self.limited_by_images,
            reason=reason,
        )
