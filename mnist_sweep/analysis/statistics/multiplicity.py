"""Many comparisons at once: Holm's correction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values: those below a level keep the family's error below it.

    Holm, 1979, "A simple sequentially rejective multiple test procedure", Scand. J. Stat. 6:65.

    Args:
        p_values: One for each comparison of the family, between 0 and 1.

    Returns:
        The adjusted ones, in the order given.
    """
    raw = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(raw, kind="stable")
    steps = raw[order] * np.arange(len(raw), 0, -1)
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(value) for value in adjusted]
