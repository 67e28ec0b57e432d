"""A hyperparameter-sweep framework on Hydra for Keras networks on handwritten digits.

`python -m mnist_sweep -m layers=1,2 nodes=100,300` trains a grid of networks and leaves a directory
of records and comparison tables; `load` gives such a directory to Python.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mnist_sweep.results.sweep import Sweep, load

__version__ = "0.1.0"
__all__ = ["Sweep", "__version__", "load"]

# Hydra finds plugins in the namespace `hydra_plugins` only; appended, so that it shadows nothing.
_PLUGINS = str(Path(__file__).parent / "_hydra")
if _PLUGINS not in sys.path:
    sys.path.append(_PLUGINS)
