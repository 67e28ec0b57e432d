"""Directories compared: what differs in settings, data, environment and results.

`load_side` reads a directory, `compare` puts several beside each other (the first is what the
others are measured against) and returns a `Comparison` of fields; `reporting.comparison` writes it.
"""

from mnist_sweep.analysis.compare.comparison import Comparison, Pair, Verdict, VerdictKind, compare
from mnist_sweep.analysis.compare.sides import Side, load_side

__all__ = ["Comparison", "Pair", "Side", "Verdict", "VerdictKind", "compare", "load_side"]
