"""The gate: a sweep's runs checked against a baseline's, by rules.

`check` takes a `Sweep`, a baseline's runs (`read_baseline`) and `Rules` (`read_rules`), and returns
a `GateResult` of fields; `reporting.gate` writes it. May import records and the rest of analysis.
"""

from mnist_sweep.analysis.gate.baseline import baseline_of as baseline_of
from mnist_sweep.analysis.gate.baseline import read_baseline as read_baseline
from mnist_sweep.analysis.gate.baseline import write_baseline as write_baseline
from mnist_sweep.analysis.gate.check import SHOWN_METRIC as SHOWN_METRIC
from mnist_sweep.analysis.gate.check import check as check
from mnist_sweep.analysis.gate.check import refused as refused
from mnist_sweep.analysis.gate.match import BaselinePair as BaselinePair
from mnist_sweep.analysis.gate.match import mean_of as mean_of
from mnist_sweep.analysis.gate.match import pair_up as pair_up
from mnist_sweep.analysis.gate.result import Check as Check
from mnist_sweep.analysis.gate.result import CheckKind as CheckKind
from mnist_sweep.analysis.gate.result import GateResult as GateResult
from mnist_sweep.analysis.gate.result import Problem as Problem
from mnist_sweep.analysis.gate.rules import Rules as Rules
from mnist_sweep.analysis.gate.rules import read_rules as read_rules
