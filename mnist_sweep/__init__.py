"""A hyperparameter-sweep framework on Hydra for Keras networks on handwritten digits.

`python -m mnist_sweep -m layers=1,2 nodes=100,300` trains a grid of networks and leaves a directory
of records and comparison tables; `load` gives such a directory to Python.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_sweep.records.sweep import Sweep, load

__version__ = "0.1.0"
__all__ = ["Sweep", "__version__", "load"]

# Hydra finds plugins in the namespace `hydra_plugins` only; appended, so that it shadows nothing.
_PLUGINS = str(Path(__file__).parent / "_hydra")
if _PLUGINS not in sys.path:
    sys.path.append(_PLUGINS)


def __getattr__(name: str) -> Any:
    """`load` and `Sweep`, imported when they are first asked for: a sweep starts without them."""
    if name not in ("Sweep", "load"):
        raise AttributeError(f"module 'mnist_sweep' has no attribute {name!r}")
    from mnist_sweep.records import sweep

    return getattr(sweep, name)
