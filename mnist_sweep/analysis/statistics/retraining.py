"""What a change did to a selected configuration, beside what a single retraining would suggest.

A network chosen for being worst was partly unlucky, so it does better when merely trained again.
The change is therefore measured against the unchanged configuration on the same fresh seeds, never
against the runs it was chosen by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mnist_sweep.analysis.statistics.bootstrap import observed_metric
from mnist_sweep.analysis.statistics.estimates import Difference
from mnist_sweep.analysis.statistics.from_predictions import compare_runs
from mnist_sweep.analysis.statistics.patterns import collapse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Effect:
    """The effect of a change, changed less unchanged.

    Attributes:
        overall: The paired difference on fresh seeds.
        per_class: The same for each class's F1, `p_holm` corrected over the classes.
        selected: The metric of the runs the configuration was selected by.
        naive: Changed runs less those selected runs: what a report without fresh seeds would say.
        retraining: Unchanged fresh runs less the selected runs: the part of `naive` that training
            again brings by itself. `naive` = `overall.estimate` + `retraining`.
    """

    overall: Difference
    per_class: tuple[Difference, ...]
    selected: float
    naive: float
    retraining: float


def effect_of_change(
    unchanged: ArrayLike,
    changed: ArrayLike,
    selected: ArrayLike,
    true: ArrayLike,
    metric: str,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    replicates: int = 2000,
    classes: int = 10,
) -> Effect:
    """The effect of a change on a selected configuration, from fresh runs paired by seed and image.

    With one fresh seed the interval covers the images alone, and says nothing of other seeds.

    Args:
        unchanged: Fresh runs of the selected configuration, (n_seeds, n_examples) integers.
        changed: Runs with the change and the same seeds in the same order, same shape.
        selected: The runs the configuration was selected by, (n_selected, n_examples) integers.
        true: (n_examples,) integers.
        metric: The overall metric.
        rng: Where the randomness comes from.
        level: Confidence level.
        replicates: How many bootstrap samples of the images to draw.
        classes: How many classes there are.

    Raises:
        DataError: The arrays do not fit together.
        SelectionError: The metric does not exist.
    """
    comparison = compare_runs(
        unchanged,
        changed,
        true,
        metric,
        rng,
        paired_seeds=True,
        level=level,
        replicates=replicates,
        classes=classes,
    )
    before = float(observed_metric(collapse(selected, true, classes), metric).mean())
    return Effect(
        overall=comparison.overall,
        per_class=comparison.per_class,
        selected=before,
        naive=comparison.overall.second - before,
        retraining=comparison.overall.first - before,
    )
