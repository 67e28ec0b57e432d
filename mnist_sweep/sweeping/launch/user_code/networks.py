"""Networks of the user's own: found by Hydra's `_target_`, and built."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable
from typing import Any

import hydra.utils
from hydra.errors import HydraException

from mnist_sweep.errors import ModelError
from mnist_sweep.settings import Plain


def builder(model: Plain) -> Callable[[tuple[int, ...], int], Any]:
    """The function that builds a network of some data's shape, found by Hydra's `_target_`.

    The builder raises ModelError where the target cannot be imported or called so.
    """

    def build(input_shape: tuple[int, ...], classes: int) -> Any:
        try:
            return hydra.utils.instantiate(
                model, input_shape=list(input_shape), classes=classes, _convert_="all"
            )
        except HydraException as error:
            raise ModelError(
                f"model._target_={model['_target_']} cannot build a network: "
                f"{_cause(error, model['_target_'])}. "
                "Expected a function build(input_shape, classes, …) in a module that Python can "
                "import, which takes the settings under model"
                f"{_without(model)}."
            ) from error

    return build


def _cause(error: HydraException, target: str) -> str:
    module, _, name = target.rpartition(".")
    if module in sys.modules and not hasattr(sys.modules[module], name):
        close = difflib.get_close_matches(name, dir(sys.modules[module]), n=1)
        return f"the module {module} has no {name}{f' (did you mean {close[0]}?)' if close else ''}"
    cause = error.__cause__ or error
    lines = [line.strip() for line in str(cause).splitlines()[:2]]
    text = " ".join(lines).rstrip(".")
    return text if isinstance(cause, HydraException) else f"{type(cause).__name__}: {text}"


def _without(model: Plain) -> str:
    """The settings under `model`, and the way to leave one out."""
    names = [key for key in model if key != "_target_"]
    return f" ({', '.join(names)}; leave one out with ~model.{names[0]})" if names else ""
