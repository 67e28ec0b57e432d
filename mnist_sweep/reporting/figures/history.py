"""A search as it went: each run's objective in order, and the best so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

from mnist_sweep.analysis.configurations import Configuration, varying_settings
from mnist_sweep.analysis.importance import is_continuous
from mnist_sweep.metrics import Metric
from mnist_sweep.reporting.figures.plot import Axis, Plot, Series, axis_title, on_axis


def history(shown: Sequence[Configuration], by: Metric) -> Plot | None:
    """Each finished run in order of its start; None for a grid, whose order means nothing."""
    if not is_search(shown):
        return None
    started = "environment.started_at"
    runs = [
        (str(at), place, value)
        for place, one in enumerate(shown) if started in one and by.column in one
        for at, value in zip(one.frame[started], one.frame[by.column], strict=True)
        if math.isfinite(value)
    ]  # fmt: skip
    runs.sort()
    x, places = range(1, len(runs) + 1), [place for _, place, _ in runs]
    y = on_axis(by, (value for *_, value in runs))
    best = list(accumulate(y, max if by.higher_is_better else min))
    hover = [f"run {k}\n{shown[p].name}\n{v:.4g}" for k, p, v in zip(x, places, y, strict=True)]
    series = (
        Series(x, y, hover, places, name="Runs", opacity=0.75),
        Series(x, best, [f"best of {k}: {v:.4g}" for k, v in zip(x, best, strict=True)],
               name="Best so far", look=1, kind="line"),
    )  # fmt: skip
    axes = (Axis("Run, in order of its start", is_whole=True), Axis(axis_title(by)))
    return Plot("history", (axes,), series, by=str(by))


def is_search(shown: Sequence[Configuration]) -> bool:
    """Whether some setting is continuous, and the points are far from a grid."""
    columns = [[one.settings.get(name) for one in shown] for name in varying_settings(shown)]
    whole = math.prod(len({repr(value) for value in values}) for values in columns)
    return any(map(is_continuous, columns)) and 2 * len(shown) < whole
