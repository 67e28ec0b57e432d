"""A dataset of the user's own: arrays that a function returns, named by `data._target_`.

    def load():
        return {"x_train": …, "y_train": …, "x_test": …, "y_test": …}

`x` are images (examples, height, width[, channels]) of whole numbers from 0 to 255, `y` classes
(examples,) from 0, or one-hot rows (examples, classes). The test arrays may be left out; then
`data.test_fraction` splits the data. The two or four arrays may also be a tuple in this order, or
Keras's ((x, y), (x, y)). A mapping may also have `classes`, their number or names, where labels do
not go up to the last class.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from mnist_sweep.data.arrays import Examples, parts_of
from mnist_sweep.data.readers.npz import CLASSES, NAMES
from mnist_sweep.errors import DataError


def read(target: str) -> tuple[Examples, Examples | None]:
    """Call the function of that dotted name and check what it returns."""
    module, _, name = target.rpartition(".")
    try:
        function = getattr(import_module(module), name)
    except Exception as error:  # a module may raise anything when it is imported
        raise DataError(
            f"data._target_={target} cannot be imported ({type(error).__name__}: {error}). "
            "Expected package.module.function, in a module that Python can import from here."
        ) from error
    if not callable(function):
        raise DataError(f"data._target_={target} is not a function: {type(function).__name__}.")
    try:
        returned = function()
    except Exception as error:  # the user's own code may raise anything
        raise DataError(
            f"data._target_={target} failed ({type(error).__name__}: {error})."
        ) from error
    arrays = _by_name(returned, target)
    stated = arrays.pop(CLASSES, None)
    found = [np.asarray(arrays[name]) for name in NAMES if name in arrays]
    where = [f"{name} of {target}" for name in NAMES]
    return parts_of(found, where, stated, f"{CLASSES} of {target}")


def _by_name(returned: Any, target: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(returned, Mapping):
        found = dict(returned)
    elif isinstance(returned, (tuple, list)):
        # ((x, y), (x, y)) and (x, y, x, y) are the same.
        flat = [one for part in returned for one in (part if isinstance(part, tuple) else (part,))]
        found = dict(zip(NAMES, flat, strict=False)) if len(flat) in (2, 4) else {}
    if {*found} - {CLASSES} not in ({*NAMES}, {*NAMES[:2]}):
        got = ", ".join(map(str, found)) or type(returned).__name__
        raise DataError(
            f"data._target_={target} must return a mapping of the arrays {', '.join(NAMES)} (the "
            f"last two may be left out) or a tuple of them in this order; it returned {got}."
        )
    return found
