"""Prepared data on a node: the driver's own files, the node's cache, or fetched once into it.

The data are one object of Ray's store. A node pulls it only if it has no file of that content; what
it unpacks is verified by hash and kept in its cache for later sweeps.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from mnist_sweep.data import DatasetInfo
from mnist_sweep.data.arrays import Arrays
from mnist_sweep.data.cache import Cache, Stored, map_arrays, open_cache, verified
from mnist_sweep.errors import DataError, DirectoryError
from mnist_sweep.records.locks import locked

Fetch = Callable[[], dict[str, Any]]
"""Returns what `pack` packed."""


def pack(info: DatasetInfo) -> dict[str, Any]:
    """A prepared dataset as it travels: its four arrays (uint8), `classes` and `scale`.

    Raises:
        DataError: The prepared files are not there any more.
    """
    try:
        arrays = map_arrays(Path(info.cache))
    except (OSError, ValueError) as error:
        raise DataError(
            f"The prepared data in {info.cache} cannot be read: {error}. Start again: it is "
            "rebuilt from its source."
        ) from error
    return {**arrays, "classes": info.classes, "scale": info.scale}


def place(info: DatasetInfo, fetch: Fetch | None) -> DatasetInfo:
    """The dataset as it lies on this node.

    Raises:
        DataError: It is neither here nor can it be fetched and kept.
    """
    stored = verified(Path(info.cache), info.sha256)
    if stored is None:
        cache = open_cache(os.environ)
        with ExitStack() as held:
            # Of several runs that start here at once, one fetches; where the cache cannot be
            # written, each unpacks into the spare one, which does no harm.
            with suppress(DirectoryError):
                held.enter_context(locked(cache.configured / "locks" / info.sha256))
            stored = cache.find(info.sha256) or _fetched(info, cache, fetch)
    return replace(info, cache=str(stored.directory))


def _fetched(info: DatasetInfo, cache: Cache, fetch: Fetch | None) -> Stored:
    if fetch is None:
        raise DataError(
            f"The prepared data in {info.cache} is missing or damaged. Start again: it is "
            "rebuilt from its source."
        )
    stored = cache.store(Arrays(**fetch()))
    if stored.sha256 != info.sha256:
        raise DataError(
            f"The data that came over the cluster has hash {stored.sha256}, not {info.sha256}, "
            "with which the sweep was planned. Start again."
        )
    return stored
