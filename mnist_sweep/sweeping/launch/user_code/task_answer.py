"""What a task of the user's own returned: checked, and put into the result of its run."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import ValidationError

from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import TaskError
from mnist_sweep.metrics import HELD_OUT, TEST, TRAIN
from mnist_sweep.records.reading import reason
from mnist_sweep.records.record import SplitMetrics
from mnist_sweep.settings import Plain
from mnist_sweep.training.evaluate import held_out_metrics
from mnist_sweep.training.train import Result

OWN_DATA = "own data"
"""What data are called of which only the predicted examples' truth is known."""
_NAME = re.compile(r"[A-Za-z_]\w*(\.\w+)*")
_TAKEN = ("per_class", "confusion")
_SAME = 1e-6


def take(result: Result, answer: Any, name: str, info: DatasetInfo) -> None:
    """Put what a task (`name`) returned of its data (`info`) into a result.

    These are metrics by name, with `predictions` and `history` among them where it has any.

    Raises:
        TaskError: It is no mapping of finite numbers, or the predictions are no classes.
    """
    if not isinstance(answer, Mapping):
        raise TaskError(
            f"{name} returned {type(answer).__name__}: expected a mapping of metrics to finite "
            "numbers, such as {'accuracy': 0.97}."
        )
    values = dict(answer)
    predictions, history = values.pop("predictions", {}), values.pop("history", None)
    metrics: dict[str, Plain] = {}
    for key, value in values.items():
        split, _, own = str(key).partition(".")
        split, own = (split, own) if split in (TRAIN, *HELD_OUT) and own else (TEST, str(key))
        if not _NAME.fullmatch(own) or own in _TAKEN:
            raise TaskError(
                f"{name} returned a metric {key!r}: expected a name of letters, digits and _, with "
                "an optional prefix train., validation. or test. (default: test)."
            )
        number = _number(value)
        if not math.isfinite(number):
            raise TaskError(f"{name} returned {key} = {value!r}: expected a finite number.")
        metrics.setdefault(split, {})[own] = number
    if predictions:
        _take_predictions(result, metrics, predictions, name, info)
    if not metrics:
        raise TaskError(f"{name} returned no metric: expected at least one.")
    try:
        result.metrics = {
            split: SplitMetrics.model_validate(own).model_dump() for split, own in metrics.items()
        }
    except ValidationError as error:
        raise TaskError(f"{name} returned a metric out of range: {reason(error)}.") from None
    if history is not None and not result.training.epoch_s:
        for key, series in dict(history).items():
            setattr(result.training.history, str(key), [*map(_number, series)])


def _number(value: Any) -> float:
    """A plain number of an int, a float, or a scalar of NumPy or PyTorch; of all else NaN."""
    try:
        return math.nan if isinstance(value, (str, bool, np.bool_)) else float(value)
    except (TypeError, ValueError):
        return math.nan


def _take_predictions(
    result: Result, metrics: dict[str, Plain], predictions: Any, name: str, info: DatasetInfo
) -> None:
    """Keep predictions, and add the metrics that follow from them."""
    splits = predictions if isinstance(predictions, Mapping) else {TEST: predictions}
    found = {split: _classes(name, split, pair) for split, pair in splits.items()}
    classes = info.classes or 1 + max(int(part.max()) for pair in found.values() for part in pair)
    arrays: dict[str, Any] = {}
    for split in HELD_OUT:
        true, predicted = found.get(split, (np.zeros(0, np.uint8),) * 2)
        arrays[f"{split}_true"], arrays[f"{split}_predicted"] = true, predicted
        arrays[f"{split}_probability"] = np.full(len(true), np.nan, np.float16)
        if not len(true):
            continue
        computed = held_out_metrics(split, true, predicted, 0.0, classes)
        del computed["loss"]
        own = metrics.get(split, {})
        for key, value in own.items():
            if key in computed and not math.isclose(value, computed[key], abs_tol=_SAME):
                raise TaskError(
                    f"{name} returned {split}.{key} = {value:g}, but its predictions give "
                    f"{computed[key]:g}: these disagree."
                )
        # The first metric is the objective unless one is set: the task's own, else the accuracy.
        metrics[split] = own | {n: computed[n] for n in ("accuracy", *computed) if n not in own}
    n_validation, n_test = (len(arrays[f"{split}_true"]) for split in ("validation", "test"))
    truth = hashlib.sha256(b"".join(arrays[f"{split}_true"].tobytes() for split in HELD_OUT))
    arrays["validation_index"] = np.arange(n_validation, dtype=np.int32)
    arrays["data_sha256"] = np.array(info.sha256 or truth.hexdigest())
    result.predictions = arrays
    if not info.sha256:
        result.data = {
            "name": OWN_DATA, "source": f"the examples that {name} predicted",
            "sha256": truth.hexdigest(), "shape": [], "classes": classes, "n_train": 0,
            "n_validation": n_validation, "n_test": n_test,
        }  # fmt: skip


def _classes(name: str, split: Any, pair: Any) -> list[Any]:
    """True and predicted classes of a split, (n,) uint8 each."""
    if split in HELD_OUT and isinstance(pair, (tuple, list)) and len(pair) == 2:
        found = [np.asarray(one) for one in pair]
        if (
            all(one.ndim == 1 and one.dtype.kind in "iub" and len(one) for one in found)
            and len(found[0]) == len(found[1])
            and all(one.min() >= 0 and one.max() <= 255 for one in found)
        ):
            return [one.astype(np.uint8) for one in found]
    raise TaskError(
        f"{name} returned predictions of {split!r} that cannot be used: expected "
        "{'test': (true, predicted)}, or validation: two lists of classes of equal length, whole "
        "numbers from 0 to 255."
    )
