"""Former names of what `records.sweep` and `records.problems` hold."""

from mnist_sweep.records.problems import Missing, Problem
from mnist_sweep.records.reading import read_record
from mnist_sweep.records.sweep import Sweep as Collection
from mnist_sweep.records.sweep import load as collect

__all__ = ["Collection", "Missing", "Problem", "collect", "read_record"]
