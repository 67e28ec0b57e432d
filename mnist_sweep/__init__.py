"""A hyperparameter-sweep framework on Hydra for Keras networks.

`python -m mnist_sweep -m layers=1,2 nodes=100,300` trains a grid of networks and leaves a directory
of records, comparison tables and a report. The same from Python:

    import mnist_sweep as ms

    grid = ms.sweep("layers=1,2", "nodes=100,300", name="grid", epochs=5)
    grid.frame, grid.best(), grid.worst("layers=2", by="f1_min"), grid.table(), grid.report()
    ms.load("outputs/grid"), ms.compare("outputs/a", "outputs/b")
    ms.check("outputs/a", baseline="b.json")
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_sweep.api import Sweep, check, compare, load, sweep
    from mnist_sweep.task import report_epoch

__version__ = "0.1.0"
__all__ = ["Sweep", "__version__", "check", "compare", "load", "report_epoch", "sweep"]

# Hydra finds plugins in the namespace `hydra_plugins` only; appended, so that it shadows nothing.
_PLUGINS = str(Path(__file__).parent / "_hydra")
if _PLUGINS not in sys.path:
    sys.path.append(_PLUGINS)


def __getattr__(name: str) -> Any:
    """The Python interface, imported when it is first used: commands start without it."""
    if name not in __all__:
        raise AttributeError(f"module 'mnist_sweep' has no attribute {name!r}")
    if name == "report_epoch":  # called by tasks, which should not wait for all of the interface
        from mnist_sweep.task import report_epoch

        return report_epoch
    from mnist_sweep import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return __all__
