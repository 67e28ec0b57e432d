"""Which settings matter: the share of a metric's variance that each one explains, with intervals.

Main effects, fitted together by least squares so that an unbalanced sweep does not blame one
setting for another (first-order indices of Sobol', 1993; in a grid the shares of an ANOVA). The
rest is interactions, seeds and images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_sweep.analysis.configurations import Configuration, varying_settings
from mnist_sweep.metrics import Metric

REPLICATES = 300
# Positive numbers that span more than this factor are shown, and taken, on a logarithmic scale.
WIDE = 20.0
# Numbers with more values than this act by a curve (a parabola), not by a level for each value.
_MAX_LEVELS = 4
_TINY = 1e-12


@dataclass(frozen=True)
class Importance:
    """One setting: the share of the variance that it explains, 0 to 1, with its 95 % interval."""

    setting: str
    share: float
    low: float
    high: float


def importance(shown: Sequence[Configuration], metric: Metric) -> list[Importance]:
    """The settings that vary, the most important first; each run of the configurations counts.

    Empty where a metric does not differ, or where there are too few runs for the settings: at least
    one more than the effects to be estimated.
    """
    runs = [(one.settings, value) for one in shown for value in one.values(metric.column)]
    y = np.array([value for _, value in runs], dtype=np.float64)
    parts = {
        name: part
        for name in varying_settings(shown)
        if (part := _columns([settings.get(name) for settings, _ in runs])).shape[1]
    }
    effects = sum(part.shape[1] for part in parts.values())
    if len(parts) < 2 or len(y) < effects + 2 or np.ptp(y) < _TINY:
        return []
    rng = np.random.default_rng(0)
    even = np.full(len(y), 1 / len(y))
    shares = _shares(parts, y, even)
    # The Bayesian bootstrap (Rubin, 1981) weights runs instead of leaving some out, so every value
    # of a small grid stays.
    weights = rng.dirichlet(np.ones(len(y)), REPLICATES)
    spread = np.array([_shares(parts, y, one) for one in weights])
    low, high = np.quantile(spread, [0.025, 0.975], axis=0)
    found = map(Importance, parts, shares.tolist(), low.tolist(), high.tolist())
    return sorted(found, key=lambda one: -one.share)


def is_continuous(values: Sequence[Any]) -> bool:
    """Whether a setting's values are numbers, and too many to be shown one by one."""
    return all(type(value) in (int, float) for value in values) and len(set(values)) > 8


def is_wide(values: Sequence[float]) -> bool:
    """Whether numbers belong on a logarithmic scale: they span a factor, and most are small."""
    if not values or min(values) <= 0:
        return False
    return max(values) > max(WIDE * min(values), 4 * median(values))


def _columns(values: Sequence[Any]) -> NDArray[np.float64]:
    """How a setting enters the fit: a parabola of many numbers, else one column per level."""
    levels = list(dict.fromkeys(map(repr, values)))
    are_numbers = all(type(value) in (int, float) for value in values)
    if are_numbers and len(levels) > _MAX_LEVELS:
        x = np.array([math.log(v) for v in values] if is_wide(values) else values, dtype=np.float64)
        x = (x - x.mean()) / x.std()
        return np.stack([x, x**2], axis=1)
    if len(levels) > max(len(values) // 2, 2):
        return np.empty((len(values), 0))  # a text of its own for each run explains nothing
    return np.array([[repr(value) == one for one in levels[1:]] for value in values], np.float64)


def _shares(
    parts: dict[str, NDArray[np.float64]], y: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The share that each setting explains of the weighted variance, less what chance explains."""
    y = y - weights @ y
    total = weights @ y**2
    centred = [part - weights @ part for part in parts.values()]
    root = np.sqrt(weights)[:, None]
    fit = np.linalg.lstsq(root * np.hstack(centred), root[:, 0] * y, rcond=None)[0]
    cuts = np.cumsum([part.shape[1] for part in centred])
    fitted = [part @ own for part, own in zip(centred, np.split(fit, cuts[:-1]), strict=True)]
    noise = weights @ (y - sum(fitted)) ** 2 / (len(y) - 1 - cuts[-1])
    explained = [
        weights @ own**2 - part.shape[1] * noise for own, part in zip(fitted, centred, strict=True)
    ]
    return np.asarray(np.clip(np.array(explained) / max(total, _TINY), 0.0, 1.0))
