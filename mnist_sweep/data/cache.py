"""Prepared datasets on disk: uint8 arrays that all workers map into memory.

    <cache>/data/<sha256>/{train_images,train_labels,test_images,test_labels}.npy, info.json
    <cache>/sources/<key>.json      which source files had which content

Each file appears whole, info.json last, and two processes that write the same dataset write the
same bytes. Whoever finds one computes its hash again (some 30 ms for MNIST); one that is incomplete
or does not match is written again, while a run that has mapped the old files keeps them.
"""

from __future__ import annotations

import json
import logging
import os
import re
import stat
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from mnist_sweep.atomic_files import atomic, write_bytes
from mnist_sweep.data.arrays import ARRAY_NAMES, MNIST_SHA256, Arrays, Bytes, content_sha256
from mnist_sweep.errors import DataError
from mnist_sweep.safe_files import ARRAY_FILE_ERRORS, content, identity, strict_json

VARIABLE = "MNIST_SWEEP_CACHE"
INFO_FORMAT = 1
ABANDONED_AFTER_S = 24 * 3600.0
MAX_INFO_BYTES = 2**16

# The identity of each file of arrays, see `safe_files.identity`.
Stamp = tuple[tuple[int, ...], ...]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stored:
    """A prepared dataset in the cache."""

    directory: Path
    arrays: Arrays  # memory-mapped
    sha256: str  # of their content
    stamp: Stamp | None = None  # of the files just before they were hashed
    class_names: tuple[str, ...] = ()

    @property
    def is_mnist(self) -> bool:
        """Whether it is the original MNIST, whatever files it came in."""
        return self.sha256 == MNIST_SHA256


@dataclass(frozen=True)
class Cache:
    """The directories of prepared datasets; the first one that can be written is written to."""

    configured: Path  # the user's cache directory
    private: Path  # in the temporary directory, for this user only

    def find(self, sha256: str) -> Stored | None:
        """The dataset of this content if it is stored undamaged."""
        for root in self._roots():
            if stored := verified(root / "data" / sha256, sha256):
                # The configured cache may be writable again.
                return stored if root == self.configured else self.store(stored.arrays)
        return None

    def _roots(self) -> list[Path]:
        return [self.configured, *([self.private] if _is_private(self.private) else [])]

    def store(self, arrays: Arrays) -> Stored:
        """Write a dataset unless it is stored undamaged."""
        sha256 = content_sha256(arrays)
        failures = []
        for root, mode in ((self.configured, 0o777), (self.private, 0o700)):
            try:
                root.mkdir(parents=True, exist_ok=True, mode=mode)
                if root == self.private and not _is_private(root):
                    why = "exists and belongs to another user or is open to others"
                    raise PermissionError(13, why)
                (root / "data").mkdir(exist_ok=True)
                directory = root / "data" / sha256
                return verified(directory, sha256) or _write(directory, arrays, sha256)
            except OSError as error:
                failures.append(f"{root} ({error.strerror or error})")
        raise DataError(
            f"No cache directory for prepared data can be written: tried {', '.join(failures)}. "
            f"Set {VARIABLE} to a directory with free space and write permission."
        )

    def remembered(self, key: str) -> Stored | None:
        """The dataset that the source files of this key had when they were last read."""
        for root in self._roots():
            # Where it is unknown or damaged, the source is read again.
            with suppress(OSError, ValueError, KeyError, TypeError):
                known = _json(root / "sources" / f"{key}.json")
                if re.fullmatch(r"[0-9a-f]{64}", known["sha256"]):
                    found = self.find(known["sha256"])
                    names = tuple(map(str, known.get("class_names", ())))
                    return replace(found, class_names=names) if found else None
        return None

    def remember(self, key: str, stored: Stored) -> None:
        """Note the content of the source files of this key. A failure only costs time later."""
        folder = stored.directory.parent.parent / "sources"
        with suppress(OSError):
            folder.mkdir(exist_ok=True)
            text = json.dumps({"sha256": stored.sha256, "class_names": stored.class_names})
            write_bytes(folder / f"{key}.json", text.encode())

    def notice(self, stored: Stored) -> str | None:
        """A sentence if the data had to be kept elsewhere than configured."""
        if stored.directory.is_relative_to(self.configured):
            return None
        return (
            f"The cache directory {self.configured} cannot be written, so the prepared data is in "
            f"{stored.directory}; set {VARIABLE} to a directory that can be written."
        )


def absolute(path: str, given_by: str) -> Path:
    """A path as a user gave it by a setting or variable, made absolute; `~` is a home directory."""
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError as error:
        raise DataError(f"{given_by}={path} is not a usable path: {error}.") from error


def cache_root(environ: Mapping[str, str]) -> Path:
    """The directory that `MNIST_SWEEP_CACHE` names, or the platform's usual one."""
    if configured := environ.get(VARIABLE):
        return absolute(configured, VARIABLE)
    return platformdirs.user_cache_path("mnist-sweep", appauthor=False)


def open_cache(environ: Mapping[str, str]) -> Cache:
    """The cache of prepared data."""
    root = cache_root(environ)
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return Cache(root, Path(tempfile.gettempdir()) / f"mnist-sweep-{user}")


def _is_private(root: Path) -> bool:
    """Whether nobody else can have put files there: the temporary directory is open to all."""
    with suppress(OSError):
        status = root.lstat()
        is_own = not hasattr(os, "getuid") or status.st_uid == os.getuid()
        return stat.S_ISDIR(status.st_mode) and is_own and not status.st_mode & 0o022
    return False


def _json(path: Path) -> Any:
    return strict_json(content(path, MAX_INFO_BYTES)[0])


def stamp(directory: Path) -> Stamp | None:
    """The identity of a dataset's files, which changes when they do; None where one is missing."""
    try:
        return tuple(identity((directory / f"{name}.npy").stat()) for name in ARRAY_NAMES)
    except OSError:
        return None


def map_arrays(directory: Path) -> dict[str, Bytes]:
    """The four arrays of a dataset's directory, memory-mapped; never write to them.

    Raises:
        OSError: A file is missing or cannot be read.
        ValueError: A file is not exactly one array of uint8.
    """
    arrays: dict[str, Bytes] = {}
    for name in ARRAY_NAMES:
        path = directory / f"{name}.npy"
        # Copy-on-write: processes share pages as long as nobody writes, and NumPy treats the
        # array as writable, which DLPack needs for handing it on without a copy.
        array = np.load(path, mmap_mode="c", allow_pickle=False)
        if not isinstance(array, np.memmap) or array.dtype != np.uint8:
            raise ValueError(f"{path} does not contain an array of uint8")
        if array.offset + array.nbytes != path.stat().st_size:
            raise ValueError(f"{path} is longer than its array")
        arrays[name] = array
    return arrays


def verified(directory: Path, sha256: str) -> Stored | None:
    """The dataset in `directory` if it is there, complete, and its hash is `sha256`."""
    before = stamp(directory)
    try:
        info = _json(directory / "info.json")
        if info["format"] != INFO_FORMAT:
            return None
        arrays = Arrays(
            **map_arrays(directory), classes=int(info["classes"]), scale=float(info["scale"])
        )
    except (FileNotFoundError, NotADirectoryError):
        return None  # perhaps another process is just writing it
    except ARRAY_FILE_ERRORS as error:
        logger.warning("the prepared data in %s is damaged (%s): rebuilding it", directory, error)
        return None
    if content_sha256(arrays) != sha256:
        logger.warning("the prepared data in %s does not match its hash: rebuilding it", directory)
        return None
    return Stored(directory, arrays, sha256, before)


def _write(directory: Path, arrays: Arrays, sha256: str) -> Stored:
    """Write a dataset to its directory, over a damaged one."""
    for path in directory.parent.glob("*/.*.partial"):  # of killed processes
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime > ABANDONED_AFTER_S:
                path.unlink()
    if not directory.is_dir():
        with suppress(OSError):  # it is not there, or another process has just made it
            directory.unlink()
    directory.mkdir(exist_ok=True)
    for name, array in arrays.four().items():
        with atomic(directory / f"{name}.npy") as stream:
            np.save(stream, array, allow_pickle=False)
    info = {"format": INFO_FORMAT, "classes": arrays.classes, "scale": arrays.scale}
    write_bytes(directory / "info.json", json.dumps(info, indent=1).encode())
    if stored := verified(directory, sha256):
        return stored
    raise OSError(f"{directory} does not keep written data")
