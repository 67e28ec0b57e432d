"""The gate: a sweep's records against a baseline's, by rules, with a reason for every failure.

`check` is a pure function over a `Collection`, a `Baseline` (see `results.baseline`) and `Rules`.
It fails closed: whatever cannot be judged is a failure with its reason.
"""

from mnist_sweep.analysis.gate.judge import Finding, Judgement, check, refused
from mnist_sweep.analysis.gate.rules import Rules, read_rules

__all__ = ["Finding", "Judgement", "Rules", "check", "read_rules", "refused"]
