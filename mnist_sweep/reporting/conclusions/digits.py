"""The digits that a configuration finds hardest, what it takes them for, and how sure that is."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.statistics import corrected, difference, interval, resample_predictions
from mnist_sweep.analysis.weakest import WeakClass, weakest_classes
from mnist_sweep.records.fields import flat_settings
from mnist_sweep.reporting.conclusions import reported
from mnist_sweep.reporting.conclusions.summary import Conclusion
from mnist_sweep.reporting.phrases.values import covered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.analysis.statistics import Resampled
    from mnist_sweep.records.predicted import Predicted
    from mnist_sweep.records.record import Record


def hardest_digits(
    name: str,
    records: Sequence[Record],
    answers: Predicted,
    *,
    level: float,
    replicates: int,
    seed: int,
) -> Conclusion:
    """Which digits are hardest for a configuration on the test split.

    Args:
        name: The configuration's.
        records: Its runs.
        answers: Their predictions of the test split.
        level: Confidence level.
        replicates: Bootstrap samples of the images.
        seed: Of the statistics' randomness.
    """
    weak = weakest_classes(records, "test")
    classes = records[0].data.classes
    names = [f"f1.{label}" for label in range(classes)]
    rng = np.random.default_rng(seed)
    tables = resample_predictions(
        answers.predicted, answers.true, names, rng, replicates=replicates, classes=classes
    )
    spans = {one.label: interval(tables[f"f1.{one.label}"], level) for one in weak}
    said = "; ".join(_said(one, records) for one in weak)
    shown = ", ".join(f"{k}: {one.low:.4f} to {one.high:.4f}" for k, one in spans.items())
    alike = not_distinguishable(tables, weak[0].label, level)
    first = weak[0].label
    if len(alike) == classes - 1:
        order = f"no digit is distinguishable from {first} as the hardest"
    elif alike:
        others = ", ".join(map(str, alike))
        order = f"not distinguishable from {first} as the hardest: {others}"
    else:
        order = f"{first} is distinguishably the hardest"
    covers = covered(spans[first].covers)
    return Conclusion(
        f"The hardest digits for {name}, test split: {said}.",
        f"F1 {weak[0].f1:.4f} (digit {first})",
        f"{100 * level:g} % intervals {shown} ({covers}); {order} (Holm over all pairs of digits)",
        reported.hardest(flat_settings(records[0].config), [one.label for one in weak]),
    )


def not_distinguishable(tables: dict[str, Resampled], hardest: int, level: float) -> list[int]:
    """Digits whose F1 cannot be told from the hardest one's.

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
    return [
        k
        for k in labels
        if k != hardest
        and ((p := adjusted[min(k, hardest), max(k, hardest)]) is None or p > 1 - level)
    ]


def _said(weak: WeakClass, records: Sequence[Record]) -> str:
    """'8 (F1 0.9712), taken for 3 in 12, for 5 in 7 of 974 images'."""
    metrics = records[0].metrics
    support = metrics.test.per_class[weak.label].support if metrics else 0
    images = f"{support:,} images" if len(records) == 1 else f"{len(records)} x {support:,} images"
    taken = ", ".join(f"for {k} in {n}" for k, n in weak.mistaken_for[:2])
    mistakes = f", taken {taken} of {images}" if taken else ", never mistaken"
    return f"{weak.label} (F1 {weak.f1:.4f}){mistakes}"
