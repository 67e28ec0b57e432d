"""The classes that a configuration finds hardest, what it takes them for, and how sure that is."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.statistics import corrected, difference, interval, resample_predictions
from mnist_sweep.analysis.weakest import weakest_classes
from mnist_sweep.reporting.phrases import conclusions as phrases
from mnist_sweep.reporting.phrases.conclusions import Conclusion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.analysis.statistics import Resampled
    from mnist_sweep.records.predicted import Predicted
    from mnist_sweep.records.record import Record


def hardest_classes(
    name: str,
    records: Sequence[Record],
    answers: Predicted,
    *,
    level: float,
    replicates: int,
    seed: int,
    reported: str = "",
) -> Conclusion:
    """Which classes are hardest for a configuration on the test split.

    Args:
        name: The configuration's.
        records: Its runs.
        answers: Their predictions of the test split.
        level: Confidence level.
        replicates: Bootstrap samples of the images.
        seed: Of the statistics' randomness.
        reported: What the published report says.
    """
    weak = weakest_classes(records, "test")
    data = records[0].data
    names = [f"f1.{label}" for label in range(data.classes)]
    tables = resample_predictions(
        answers.predicted, answers.true, names, np.random.default_rng(seed),
        replicates=replicates, classes=data.classes,
    )  # fmt: skip
    support = np.bincount(answers.true, minlength=data.classes).tolist()
    return phrases.hardest_classes(
        name,
        data.name,
        [(one, interval(tables[f"f1.{one.label}"], level)) for one in weak],
        not_distinguishable(tables, weak[0].label, level),
        support,
        runs=len(records),
        classes=data.classes,
        reported=reported,
    )


def not_distinguishable(tables: dict[str, Resampled], hardest: int, level: float) -> list[int]:
    """Classes whose F1 is not distinguishable from the hardest one's.

    It was chosen by looking, so p-values are corrected over all pairs, not over its own alone.

    Args:
        tables: `f1.K` -> the metric resampled, for each class.
        hardest: The class of lowest F1.
        level: Confidence level.
    """
    labels = range(len(tables))
    pairs = list(combinations(labels, 2))
    found = corrected(
        [difference(tables[f"f1.{a}"], tables[f"f1.{b}"], paired_seeds=True) for a, b in pairs]
    )
    adjusted = {pair: one.p_holm for pair, one in zip(pairs, found, strict=True)}
    others = [k for k in labels if k != hardest]
    p_values = [adjusted[min(k, hardest), max(k, hardest)] for k in others]
    return [k for k, p in zip(others, p_values, strict=True) if p is None or p > 1 - level]
