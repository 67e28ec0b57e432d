"""From settings to a dataset on disk: chosen, read, verified, hashed and split once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_sweep.data.cache import open_cache
from mnist_sweep.data.choice import Choice, Chooser
from mnist_sweep.data.dataset import DatasetInfo
from mnist_sweep.data.original import NAME
from mnist_sweep.data.source import GREYLEVELS
from mnist_sweep.data.validation_split import validation_rows
from mnist_sweep.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

DIM_BELOW = 64
"""Greylevels whose largest is below this were hardly meant to go up to 255."""


def prepare(settings: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> DatasetInfo:
    """Resolve, read, verify and cache the data that settings ask for.

    Done once, before any run. What was read before is not read again while its files stay as
    they were, but its content in the cache is hashed each time.

    Args:
        settings: The plain values of `config.DataSettings`, all keys.
        environ: The environment, for `MNIST_SWEEP_DATA`, `MNIST_SWEEP_CACHE` and `KERAS_HOME`.

    Returns:
        A description that `load` maps into memory, here or in any process of this machine.

    Raises:
        DataError: The data is missing, damaged, or not the one that was promised.
    """
    cache = open_cache(environ)
    chooser = Chooser(
        cache=cache,
        environ=environ,
        test_fraction=settings["test_fraction"],
        split_seed=settings["split_seed"],
        download_timeout_s=settings["download_timeout_s"],
    )
    choice = chooser.choose(settings["name"], settings["path"])
    stored, source = choice.stored, choice.source
    promised = settings["sha256"]
    if promised and promised.lower() != stored.sha256:
        raise DataError(
            f"data.sha256 promises content of hash {promised}, but {source.text} has "
            f"{stored.sha256}. Mend the setting, or find the data that was meant."
        )
    arrays = stored.arrays
    train_index, validation_index = validation_rows(
        stored.directory,
        arrays.train_labels,
        settings["validation_fraction"],
        settings["split_seed"],
    )
    notices = [choice.notice, _dim(choice), cache.notice(stored)]
    return DatasetInfo(
        name=NAME if stored.original else source.name,
        source=source.text,
        sha256=stored.sha256,
        shape=arrays.shape,
        classes=arrays.classes,
        scale=arrays.scale,
        n_train=len(train_index),
        n_validation=len(validation_index),
        n_test=len(arrays.test_labels),
        validation_fraction=settings["validation_fraction"],
        split_seed=settings["split_seed"],
        test_fraction=None if source.own_test_split else settings["test_fraction"],
        cache=str(Path(stored.directory)),
        notice=" ".join(filter(None, notices)) or None,
    )


def _dim(choice: Choice) -> str | None:
    arrays = choice.stored.arrays
    if arrays.scale != GREYLEVELS or choice.stored.original:
        return None
    largest = int(arrays.train_images.max())
    if largest >= DIM_BELOW:
        return None
    return (
        f"The largest pixel value in {choice.source.text} is {largest}, while values are taken to "
        "go from 0 to 255: if they do not, scale them in the file."
    )
