"""Configurations as figures and reports get them: grouped and named."""

from mnist_sweep.analysis import configurations as grouping
from mnist_sweep.analysis.configurations import Configuration
from mnist_sweep.metrics import resolve
from mnist_sweep.records.sweep import Sweep, all_runs
from mnist_sweep.reporting.phrases.names import with_names

OBJECTIVE = resolve("validation.accuracy")


def configurations(sweeps: list[Sweep]) -> list[Configuration]:
    """The named configurations of some sweeps."""
    return with_names(grouping.configurations(all_runs(sweeps)))
