"""How many cores this process may use; the only place that asks."""

from __future__ import annotations

import os


def cores() -> int:
    """The cores that this process is allowed to run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):  # Linux: a container or `taskset` may allow fewer
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
