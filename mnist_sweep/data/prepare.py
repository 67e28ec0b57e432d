"""From settings to a dataset on disk: found, read, verified, hashed and split, once per sweep."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_sweep.data import mnist
from mnist_sweep.data.arrays import GREY_LEVELS, Bytes
from mnist_sweep.data.cache import absolute, open_cache
from mnist_sweep.data.dataset import DatasetInfo
from mnist_sweep.data.readers import Reader, function, readers
from mnist_sweep.data.source import Fetch, Fetched, fetch
from mnist_sweep.data.split import validation_rows
from mnist_sweep.errors import DataError

# If the largest of the grey levels is below this, their range is probably not 0 to 255.
MIN_EXPECTED_MAXIMUM = 64


def prepare(settings: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> DatasetInfo:
    """Find, read, verify and cache the data of some settings; called once, before any run.

    Files that were read before are not read again unless they changed, but the content in the
    cache is hashed each time.

    Args:
        settings: The plain values of `settings.DataSettings`, all keys.
        environ: The environment, for `MNIST_SWEEP_DATA`, `MNIST_SWEEP_CACHE` and `KERAS_HOME`.

    Raises:
        DataError: The data is missing or damaged, or its hash is not `data.sha256`.
    """
    cache = open_cache(environ)
    fraction, seed = settings["validation_fraction"], settings["split_seed"]
    fetched = _find(
        settings,
        environ,
        partial(fetch, cache=cache, test_fraction=settings["test_fraction"], split_seed=seed),
    )
    stored = fetched.stored
    wanted = settings["sha256"]
    if wanted and wanted.lower() != stored.sha256:
        raise DataError(
            f"data.sha256 expects content of hash {wanted}, but {fetched.text} has "
            f"{stored.sha256}. Correct the setting, or use the data it was written for."
        )
    arrays = stored.arrays
    train_index, validation_index = validation_rows(
        stored.directory, arrays.train_labels, fraction, seed
    )
    notices = [
        fetched.notice,
        *_notices(fetched, arrays.train_labels[validation_index]),
        cache.notice(stored),
    ]
    return DatasetInfo(
        name="mnist" if stored.is_mnist else fetched.name,
        source=fetched.text,
        sha256=stored.sha256,
        shape=arrays.shape,
        classes=arrays.classes,
        class_names=_class_names(settings.get("classes"), fetched),
        scale=arrays.scale,
        n_train=len(train_index),
        n_validation=len(validation_index),
        n_test=len(arrays.test_labels),
        validation_fraction=fraction,
        split_seed=seed,
        test_fraction=None if fetched.has_test_split else settings["test_fraction"],
        cache=str(stored.directory),
        notice=" ".join(filter(None, notices)) or None,
        stamp=stored.stamp,
    )


def _class_names(given: list[Any] | None, fetched: Fetched) -> tuple[str, ...]:
    if given is None:
        return fetched.stored.class_names
    names = tuple(map(str, given))
    if len(set(names)) != len(names) or len(names) != fetched.stored.arrays.classes:
        raise DataError(
            f"data.classes must name each of the {fetched.stored.arrays.classes} classes of "
            f"{fetched.text} once, in the order of the labels; it is {', '.join(names)[:200]}."
        )
    return names


def _find(settings: Mapping[str, Any], environ: Mapping[str, str], fetch: Fetch) -> Fetched:
    name, path, target = settings["name"], settings["path"], settings.get("_target_")
    if target:
        if path:
            raise DataError(f"data.path={path} has no effect with data._target_: remove one.")
        reader = Reader(lambda _: function.read(target), description=f"the function {target}")
        return fetch(target, reader)
    if name == "own":
        raise DataError("data=own needs data._target_=…, the function that returns the arrays.")
    known = readers()
    found = known.get(name)
    if found and found.needs_path:
        if not path:
            raise DataError(f"data={name} needs data.path=…, the place of its files.")
        return fetch(name, found, absolute(path, "data.path"), "data.path")
    if path:
        with_path = ", ".join(kind for kind, one in known.items() if one.needs_path)
        raise DataError(
            f"data.path={path} belongs to data={with_path}; data={name} does not use it. For "
            f"MNIST in your own files set {mnist.VARIABLE} instead."
        )
    if found:
        return fetch(name, found)
    if name not in ("auto", "mnist"):
        raise DataError(f"data={name} is unknown; known are auto, mnist, own, {', '.join(known)}.")
    return mnist.find(fetch, environ, settings["download_timeout_s"], required=name == "mnist")


def _notices(fetched: Fetched, validation_labels: Bytes) -> Iterator[str]:
    """What is unusual about the pixels and the classes of a dataset."""
    arrays = fetched.stored.arrays
    # MNIST's range is known, and a reader that knows another one says so by the scale.
    if arrays.scale == GREY_LEVELS and not fetched.stored.is_mnist:
        largest = int(arrays.train_images.max())
        if largest < MIN_EXPECTED_MAXIMUM:
            yield (
                f"The largest pixel value in {fetched.text} is {largest}, but values are assumed "
                "to range from 0 to 255: if they do not, scale them in the file."
            )
    trained, validated, tested = (
        np.bincount(labels, minlength=arrays.classes)
        for labels in (arrays.train_labels, validation_labels, arrays.test_labels)
    )
    for split, counts in (("validation", validated), ("test", tested)):
        if counts.any() and not counts.all():  # there may be no validation split at all
            yield (
                f"The {split} split has no examples of {_classes(counts == 0)}: precision, "
                "recall, F1 and f1_min are those of the other classes."
            )
    untrained = (tested > 0) & (trained == 0)
    if untrained.any():
        yield (
            f"The training data have no examples of {_classes(untrained)}, but the test split has: "
            "a network cannot learn what it never sees, so f1_min is about 0."
        )


def _classes(chosen: NDArray[np.bool_]) -> str:
    labels = np.flatnonzero(chosen)
    return f"{'class' if len(labels) == 1 else 'classes'} {', '.join(map(str, labels))}"
