"""One statistical method for every interval, test and selection; pure functions over arrays.

- `interval`: how good is a configuration, give or take?
- `difference`: is one configuration better than another, by how much?
- `compare_all`: which configurations differ from the worst (or best), and how probable is it to be
  that? `decide` asks it again after every further repeat.

They take `Resampled` tables: a metric of some runs, as observed and in bootstrap replicates of the
images, made of predictions by `resample_predictions`, or of values alone by `of_values`.
What an answer is about stands in `covers`: single runs cover images alone, so they have no
p-values. The model is in `variance`; simulated coverage in `tests/benchmarks`.
"""

from mnist_sweep.analysis.statistics.bootstrap import Resampled, resample_predictions
from mnist_sweep.analysis.statistics.comparisons import Comparisons, compare_all
from mnist_sweep.analysis.statistics.estimates import (
    Difference,
    Interval,
    corrected,
    difference,
    holm,
    interval,
    of_values,
)
from mnist_sweep.analysis.statistics.sequential import Decision, decide
from mnist_sweep.analysis.statistics.variance import Covers, SeedVariances

__all__ = [
    "Comparisons",
    "Covers",
    "Decision",
    "Difference",
    "Interval",
    "Resampled",
    "SeedVariances",
    "compare_all",
    "corrected",
    "decide",
    "difference",
    "holm",
    "interval",
    "of_values",
    "resample_predictions",
]
