"""How sure a number is: pure functions over what runs predicted on the same images.

- How good is each configuration, give or take? `metric_intervals`
- Which is the worst (or best), how probably, and which cannot be told from it?
  `selection_uncertainty`
- Is that decided, or who should be run with further seeds? `decide`
- Is one run or configuration better than another, overall and on which class? `compare_runs`
- Are two runs right equally often? `mcnemar`
- What did a change do to a selected configuration, and what did training it again do?
  `effect_of_change`
- Which of many p-values still count? `holm`

All take `predicted`, (n_runs, n_examples) integers, and `true`, (n_examples,) integers; those about
several configurations also take `configuration`, (n_runs,) integers, which one each run repeats.
Metrics are `accuracy`, `precision`, `recall`, `f1` (macro averages), `f1_min` (the lowest class's
F1), or one class's as in `f1.8`; all are scikit-learn's. Randomness comes from the numpy Generator
given, so the same seed gives the same answer. Answers are frozen dataclasses of plain values:
`dataclasses.asdict` makes JSON of them.

What is covered is said in `covers`: with single runs the images alone ("images"), and the answer is
about these very runs; with repeats "images and seeds", and the answer is about configurations.
Simulated coverage, calibration and error rates are kept in
`tests/benchmarks/statistics_calibration.md`.
"""

from mnist_sweep.analysis.statistics.decision import Decision, decide
from mnist_sweep.analysis.statistics.intervals import Interval, metric_intervals
from mnist_sweep.analysis.statistics.measures import METRICS, checked_metric
from mnist_sweep.analysis.statistics.multiplicity import holm
from mnist_sweep.analysis.statistics.paired import (
    Comparison,
    Difference,
    McNemar,
    compare_runs,
    mcnemar,
)
from mnist_sweep.analysis.statistics.ranking import (
    Candidate,
    SelectionUncertainty,
    selection_uncertainty,
)
from mnist_sweep.analysis.statistics.retraining import Effect, effect_of_change

__all__ = [
    "METRICS",
    "Candidate",
    "Comparison",
    "Decision",
    "Difference",
    "Effect",
    "Interval",
    "McNemar",
    "SelectionUncertainty",
    "checked_metric",
    "compare_runs",
    "decide",
    "effect_of_change",
    "holm",
    "mcnemar",
    "metric_intervals",
    "selection_uncertainty",
]
