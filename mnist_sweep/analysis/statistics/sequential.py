"""Spend further seeds only where they matter, until a selection is decided.

After each round of repeats the configurations that differ from the one in front are eliminated and
get no further runs. Every interim analysis may err, so the permitted error is split evenly over all
that there may be (Bonferroni, valid however dependent they are): the chance to eliminate the
truly worst (or best) configuration at any of them stays below 1 - level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mnist_sweep.analysis.statistics.bootstrap import Resampled
from mnist_sweep.analysis.statistics.comparisons import Direction, direction_sign
from mnist_sweep.analysis.statistics.variance import checked_level, means_of, ratio
from mnist_sweep.settings import DEFAULT_LEVEL

State = Literal["decided", "undecided", "spent"]

# One run of each says nothing of the seeds.
MIN_REPEATS = 2


@dataclass(frozen=True)
class Decision:
    """Where a selection stands; configurations by their place in `groups`."""

    # "undecided": run `next_runs` and ask again; "spent": every repeat permitted is used.
    state: State
    selected: int  # the one in front
    contenders: tuple[int, ...]  # all that still contend, the selected first, then by estimate
    eliminated: dict[int, int]  # configuration -> the repeats after which it was eliminated
    next_runs: tuple[int, ...]  # to be given one more run
    looks: int  # interim analyses so far
    repeats: int  # of each contender in the last of them
    # Whether further seeds are of no use: at the differences as they stand, the images alone are
    # too few to distinguish any of the contenders.
    limited_by_images: bool


def decide(
    table: Resampled,
    groups: Sequence[NDArray[np.intp]],
    direction: Direction,
    *,
    max_repeats: int,
    min_repeats: int = MIN_REPEATS,
    level: float = DEFAULT_LEVEL,
) -> Decision:
    """Say whether a selection is decided by the results so far, and who should be run again.

    It replays all interim analyses from the first, so it needs no memory: the same results in the
    same order give the same answer, after an interruption too.

    `table` has a metric of all runs so far, `groups` the rows of each configuration in the order of
    its repeats. All get `min_repeats`, at least 2, before the first analysis, and none more than
    `max_repeats`. `level` is that of all analyses together.
    """
    sign = direction_sign(direction)
    error = (1 - checked_level(level)) / (max_repeats - min_repeats + 1)
    means = [sign * float(table.observed[rows].mean()) for rows in groups]
    contenders = sorted(range(len(groups)), key=means.__getitem__)
    eliminated: dict[int, int] = {}
    looks, repeats, limited = 0, 0, False
    while len(contenders) > 1 and repeats < max_repeats:
        wanted = max(repeats + 1, min_repeats)
        if any(len(groups[key]) < wanted for key in contenders):
            break
        looks, repeats = looks + 1, wanted
        rows = [groups[key][:repeats] for key in contenders]
        order, stays, limited = _analysis(table, rows, sign, error)
        eliminated |= {contenders[at]: repeats for at in order if not stays[at]}
        contenders = [contenders[at] for at in order if stays[at]]
    is_open = len(contenders) > 1
    state: State = "spent" if repeats == max_repeats else "undecided"
    wanted = max(repeats + 1, min_repeats) if is_open and state == "undecided" else 0
    return Decision(
        state=state if is_open else "decided",
        selected=contenders[0],
        contenders=tuple(contenders),
        eliminated=dict(sorted(eliminated.items())),
        next_runs=tuple(sorted(key for key in contenders if len(groups[key]) < wanted)),
        looks=looks,
        repeats=repeats,
        limited_by_images=limited,
    )


def _analysis(
    table: Resampled, groups: Sequence[NDArray[np.intp]], sign: float, error: float
) -> tuple[NDArray[np.intp], NDArray[np.bool_], bool]:
    """The contenders' order, which of them stay, and whether the images are what limits."""
    from scipy.special import ndtri

    means = means_of(table, groups)
    order = np.argsort(sign * means.values, kind="stable")
    front, others = int(order[0]), len(groups) - 1
    apart = sign * (means.centers - means.centers[front])
    found = means.uncertainty(front)
    # The truly worst is eliminated only if it seems better than some other, of which there are one
    # fewer than contenders: so one-sided p-values are multiplied by their number.
    stays = others * found.tail(-apart) > error
    stays[front] = True
    is_open = stays & (np.arange(len(groups)) != front)
    endless = ratio(apart, found.endless_error)
    limited = is_open.any() and np.all(endless[is_open] < -float(ndtri(error / others)))
    return order, stays, bool(limited)
