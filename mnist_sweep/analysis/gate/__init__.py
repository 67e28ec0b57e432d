"""The gate: a sweep's runs checked against a baseline's, by rules.

`check` takes a `Sweep`, a baseline's runs (`read_baseline`) and `Rules` (`read_rules`), and returns
a `GateResult` of fields; `reporting.gate` writes it. May import records and the rest of analysis.
"""

from mnist_sweep.analysis.gate.baseline import baseline_of, read_baseline, write_baseline
from mnist_sweep.analysis.gate.check import SHOWN_METRIC, check, refused
from mnist_sweep.analysis.gate.match import BaselinePair, mean_of, pair_up
from mnist_sweep.analysis.gate.result import Check, CheckKind, GateResult, Problem
from mnist_sweep.analysis.gate.rules import Rules, read_rules

__all__ = [
    "SHOWN_METRIC",
    "BaselinePair",
    "Check",
    "CheckKind",
    "GateResult",
    "Problem",
    "Rules",
    "baseline_of",
    "check",
    "mean_of",
    "pair_up",
    "read_baseline",
    "read_rules",
    "refused",
    "write_baseline",
]
