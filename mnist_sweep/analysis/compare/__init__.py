"""Directories compared: what differs in settings, data, environment and results.

`sides` reads the directories, `match` pairs their configurations, `changes` measures and tests what
changed in each, `comparison` puts several beside each other (the first is what the others are
measured against). All return fields; `reporting.comparison` writes them.
"""

from mnist_sweep.analysis.compare.comparison import Comparison, Pair, Verdict, VerdictKind, compare
from mnist_sweep.analysis.compare.sides import Side, load_side

__all__ = ["Comparison", "Pair", "Side", "Verdict", "VerdictKind", "compare", "load_side"]
