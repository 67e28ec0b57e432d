"""Files of a run, changed in every way: flipped bits, cut ends, other values in every place.

Used by the tests of integrity, with a seeded few, and by `tests/benchmarks/damage.py` with all.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mnist_sweep.errors import MnistSweepError
from mnist_sweep.records.fields import flat
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.records.predictions import read_predictions
from mnist_sweep.records.reading import Unread, read_run
from support.factories import make_run, write_run

SMALL: dict[str, Any] = {"n_test": 60, "n_validation": 40, "epochs": 2}
VALUES = (
    None, True, False, 0, -1, 2, 3, 10**400, 0.5, -0.5, 1e300, "", "x", "0", "zero", "\x1b]0;x\x07",
    "\u202e", [], [1], [[]], {}, {"a": 1},
)  # fmt: skip


def run_of(directory: Path, *, older: bool = False) -> RunPaths:
    """A run's directory; `older`: its record has no hashes, as those of the first edition."""
    paths = RunPaths(write_run(make_run(**SMALL), directory))
    if older:
        unseal(paths.record)
    return paths


def unseal(record: Path, **changes: Any) -> None:
    """Write a record without its hashes, and with other values of some fields."""
    values = {**json.loads(record.read_bytes()), **changes}
    del values["sha256"], values["artefacts"]
    record.write_text(json.dumps(values), "utf-8")


def shown(paths: RunPaths) -> Any:
    """All numbers and texts that a run gives tables and analysis; None where it is refused."""
    read = read_run(paths)
    if isinstance(read, Unread):
        assert read.reason
        assert "\n" not in read.reason
        return None
    try:
        arrays = vars(read_predictions(paths.predictions))
    except MnistSweepError:
        return None
    return repr(flat(read[0])), {
        name: np.asarray(array).tobytes() for name, array in arrays.items()
    }


def flips(rng: np.random.Generator, paths: RunPaths, count: int) -> Iterator[tuple[str, int, Any]]:
    """Flip one bit of the record or the predictions at a time: file, bit, what is then shown."""
    for _ in range(count):
        path = (paths.record, paths.predictions)[int(rng.integers(2))]
        whole = path.read_bytes()
        bit = int(rng.integers(8 * len(whole)))
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            yield path.name, bit, shown(paths)
        finally:
            path.write_bytes(whole)


def cuts(path: Path, read: Callable[[], Any], step: int = 1) -> Iterator[tuple[int, Any]]:
    """Cut a file at every (or every `step`-th) byte: the length, and what `read` then returns.

    None stands for a refusal; any other exception goes through.
    """
    whole = path.read_bytes()
    try:
        for length in range(0, len(whole), step):
            path.write_bytes(whole[:length])
            try:
                found = read()
            except (MnistSweepError, ValueError):
                found = None
            yield length, found
    finally:
        path.write_bytes(whole)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """All places in a value, outermost first; of a list the first and the last entry."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list) and value:
        for index in sorted({0, len(value) - 1}):
            yield from places(value[index], (*path, index))


def changed(values: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value at a place."""
    made = copy.deepcopy(values)
    inner = made
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return made
