"""Directories compared: what differs in settings, data, environment and results, and how surely.

`load_side` reads a directory, `compare` puts several beside each other (the first is what the
others are measured against), and the answer is a `Comparison` of plain values.
"""

from mnist_sweep.analysis.compare.comparison import Comparison, Pair, compare
from mnist_sweep.analysis.compare.sides import ComparedRun, Side, load_side

__all__ = ["ComparedRun", "Comparison", "Pair", "Side", "compare", "load_side"]
