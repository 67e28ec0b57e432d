"""Which of very many configurations certainly differ from the chosen one, from counts alone.

`selection_uncertainty` compares each with each on their stored predictions, which takes the square
of their number in time. For more than some hundreds there is this bound. It reads no predictions,
and it errs on one side: what it calls different is so, at the level, whichever was chosen by
looking; of the others it says nothing.

The standard errors of single shares and F1 scores are estimates, as near as the counts allow. Every
step from them on makes the bound wider, never narrower. The standard error of a difference is at
most the sum of both standard errors, however alike two networks' answers are. That of an average
over runs or classes is at most the average of theirs. The lowest of several classes lies below the
true lowest on average (by one and a half standard errors with ten equal classes), and the more so
the more alike they are, so one configuration's more than another's: no bound of its variance covers
that. But if each class lies within c standard errors of its true value, the lowest lies within c of
the largest of theirs of the true lowest: a union bound over the classes and runs that may be it.
And the correction for having chosen is Bonferroni's, over all pairs.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.statistics.contest import MARGIN, PRIOR_FREEDOM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnist_sweep.analysis.statistics.patterns import Floats


def f1_error(hits: Floats, mistakes: Floats) -> Floats:
    """About the standard error of a class's F1 over other images, by the delta method.

    F1 is 2h / (2h + m) of the hits h and mistakes m, two disjoint kinds of images; its
    gradient is orthogonal to their mean, so its variance is 4 h m (h + m) / (2h + m)^4. One of each
    kind is added: none seen does not mean none.

    Args:
        hits: Images of the class recognised as such, (...).
        mistakes: Images of the class not recognised, and others taken for it, (...).
    """
    h, m = hits + 1.0, mistakes + 1.0
    return np.asarray(2 * np.sqrt(h * m * (h + m)) / (2 * h + m) ** 2)


def share_error(share: Floats, of: Floats | float) -> Floats:
    """About the standard error of a share, such as an accuracy, of so many images.

    Two successes and two failures are added (Agresti and Coull, 1998, Am. Stat. 52:119).
    """
    adjusted = (share * of + 2) / (of + 4)
    return np.asarray(np.sqrt(adjusted * (1 - adjusted) / (of + 4)))


def class_error(base: str, precision: Floats, recall: Floats, support: float) -> Floats:
    """About the standard error of one class's metric over other images, (n_runs,).

    Args:
        base: f1, precision or recall.
        precision: Of the class in each run, (n_runs,).
        recall: Of the class in each run, (n_runs,).
        support: Images of the class.
    """
    hits = recall * support
    # Where nothing was recognised, nobody knows how often the class was named: as if never.
    named = np.divide(hits, precision, out=np.zeros_like(hits), where=precision > 0)
    if base == "recall":
        return share_error(recall, support)
    if base == "precision":
        return share_error(precision, named)
    return f1_error(hits, named - hits + support - hits)


def certainly_different(
    means: Floats,
    errors: Floats,
    chosen: int,
    *,
    level: float,
    repeats: Floats,
    spreads: Floats,
    lowest_of: int = 1,
) -> NDArray[np.bool_]:
    """Which configurations differ from the chosen one for certain, at the level, (n,) bool.

    Args:
        means: Each configuration's mean metric, (n,).
        errors: At most its standard error over other images, (n,).
        chosen: The index of the chosen one, whichever it is and for whatever reason.
        level: Confidence level.
        repeats: How many runs each has, (n,).
        spreads: Sample variance over its runs, (n,); 0 with one run.
        lowest_of: Of how many values a mean's lowest ones were taken at most: classes times runs
            where the metric is that of the weakest class, else 1.
    """
    count = len(means)
    pairs = count * (count - 1) / 2
    tail = (1 - level) / MARGIN / pairs / 2 / lowest_of
    own = repeats - 1
    if not own.any():
        seeds, critical = np.zeros(count), np.full(count, -NormalDist().inv_cdf(tail))
    else:
        from scipy.special import stdtrit

        pooled = float(np.sum(own * spreads) / own.sum())
        freedom = own + np.minimum(PRIOR_FREEDOM, own.sum() - own)
        moderated = (own * spreads + (freedom - own) * pooled) / np.maximum(freedom, 1.0)
        seeds = moderated / repeats
        # As `scipy.stats` has it, whose import takes longer than all of this.
        critical = -stdtrit(np.maximum(np.minimum(freedom, freedom[chosen]), 1.0), tail)
    error = np.sqrt((errors + errors[chosen]) ** 2 + seeds + seeds[chosen])
    different = np.abs(means - means[chosen]) > critical * error
    different[chosen] = False
    return np.asarray(different)
