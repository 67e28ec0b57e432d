"""What a sweep's report needs imported, while the first runs are on their way.

Matplotlib, Jinja and SciPy take most of a second. A sweep's parent waits longer than that for the
fork server, at its start; at its end somebody waits for the report.
"""

from __future__ import annotations

import importlib
import threading
from contextlib import suppress

_NEEDED = (
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.font_manager",
    "scipy.sparse",
    "scipy.special",
    "mnist_sweep.reporting.figures.files",
    "mnist_sweep.reporting.html.page",
)
_threads: list[threading.Thread] = []


def start() -> None:
    """Import it in a thread, once."""
    if not _threads:
        _threads.append(threading.Thread(target=_import_all, daemon=True))
        _threads[0].start()


def finish() -> None:
    """Wait until the thread is through: a process forked in the middle would never be."""
    for thread in _threads:
        thread.join()


def _import_all() -> None:
    for module in _NEEDED:
        # Whatever is wrong with it is told where it is used.
        with suppress(Exception):
            importlib.import_module(module)
