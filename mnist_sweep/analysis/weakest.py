"""Which classes a configuration recognises worst, and what it takes them for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mnist_sweep.records.record import Record, SplitMetrics

SHOWN_CLASSES = 3
SHOWN_MISTAKES = 3


@dataclass(frozen=True)
class WeakClass:
    """One class and what lowers its F1, the most frequent mistakes first; counts over all runs."""

    label: int
    f1: float  # mean over the runs
    mistaken_for: tuple[tuple[int, int], ...]  # (predicted class, examples of this one)
    taken_for_it: tuple[tuple[int, int], ...]  # (true class, examples of that one)


def weakest_classes(records: Sequence[Record], split: str) -> tuple[WeakClass, ...]:
    """The classes with mistakes of lowest F1 over a configuration's runs, lowest first."""
    import numpy as np  # not needed for --help

    runs: list[SplitMetrics] = [getattr(r.metrics, split) for r in records if r.metrics]
    if not runs:
        return ()
    confusion = np.sum([run.confusion for run in runs], axis=0)
    classes = []
    for index, entry in enumerate(runs[0].per_class):
        mistakes = _largest(confusion[index], index), _largest(confusion[:, index], index)
        if any(mistakes):
            f1 = sum(run.per_class[index].f1 for run in runs) / len(runs)
            classes.append(WeakClass(entry.label, f1, *mistakes))
    classes.sort(key=lambda weak: (weak.f1, weak.label))
    return tuple(classes[:SHOWN_CLASSES])


def _largest(counts: NDArray[np.int64], own: int) -> tuple[tuple[int, int], ...]:
    mistakes = [(k, n) for k, n in enumerate(counts.tolist()) if k != own and n > 0]
    return tuple(sorted(mistakes, key=lambda pair: (-pair[1], pair[0]))[:SHOWN_MISTAKES])
