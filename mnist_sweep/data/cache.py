"""Prepared datasets on disk: uint8 arrays that all workers map into memory.

    <cache>/data/<sha256>/{train_images,train_labels,test_images,test_labels}.npy, info.json
    <cache>/sources/<key>.json      which source files held which content

A dataset's directory is made under another name, flushed, and renamed, so it is there whole or not
at all, and two processes that make it at once do no harm. Whoever finds one hashes it again
(some 30 ms for MNIST); what does not match is made anew.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from mnist_sweep.atomic_files import write_bytes
from mnist_sweep.data.arrays import Arrays, content_sha256
from mnist_sweep.data.files import absolute
from mnist_sweep.data.stored import Stored, verified, write
from mnist_sweep.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "MNIST_SWEEP_CACHE"


@dataclass(frozen=True)
class Cache:
    """The directories prepared datasets are looked for in, and written to: the first that can be.

    Attributes:
        configured: The cache that is meant.
        private: One under the temporary directory, for this user alone, used where the other
            cannot be written.
    """

    configured: Path
    private: Path

    def find(self, sha256: str) -> Stored | None:
        """The dataset of this content if it is stored undamaged."""
        stored = verified(self.configured / "data" / sha256, sha256)
        if stored or not _is_private(self.private):
            return stored
        spare = verified(self.private / "data" / sha256, sha256)
        # The configured cache may be back.
        return self.store(spare.arrays) if spare else None

    def store(self, arrays: Arrays) -> Stored:
        """Write a dataset, unless it is there undamaged.

        Raises:
            DataError: No directory can be written.
        """
        sha256 = content_sha256(arrays)
        failures = []
        for root in (self.configured, self.private):
            try:
                _make(root, private=root == self.private)
                found = verified(root / "data" / sha256, sha256)
                return found or write(root / "data", arrays, sha256)
            except OSError as error:
                failures.append(f"{root} ({error.strerror or error})")
        raise DataError(
            f"No cache directory for prepared data can be written: tried {', '.join(failures)}. "
            f"Point {VARIABLE} at a directory with room and permission."
        )

    def remembered(self, key: str) -> Stored | None:
        """The dataset that source files of this key held when they were last read."""
        for root in (self.configured, self.private):
            if root == self.private and not _is_private(root):
                continue
            try:
                text = (root / "sources" / f"{key}.json").read_bytes()
                sha256 = json.loads(text)["sha256"]
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                continue  # not known, or damaged: the source is read again
            if isinstance(sha256, str) and len(sha256) == 64 and sha256.isalnum():
                return self.find(sha256)
        return None

    def remember(self, key: str, stored: Stored) -> None:
        """Note what source files of this key hold. That it fails costs time, not correctness."""
        folder = stored.directory.parent.parent / "sources"
        with suppress(OSError):
            folder.mkdir(exist_ok=True)
            text = json.dumps({"sha256": stored.sha256})
            write_bytes(folder / f"{key}.json", text.encode())

    def notice(self, stored: Stored) -> str | None:
        """A sentence if the data had to be kept elsewhere than configured."""
        if stored.directory.is_relative_to(self.configured):
            return None
        return (
            f"The cache directory {self.configured} cannot be written, so the prepared data is in "
            f"{stored.directory}; point {VARIABLE} at a directory that can."
        )


def cache_root(environ: Mapping[str, str]) -> Path:
    """The directory that `MNIST_SWEEP_CACHE` names, or the platform's usual one."""
    configured = environ.get(VARIABLE)
    if configured:
        return absolute(configured, VARIABLE)
    return platformdirs.user_cache_path("mnist-sweep", appauthor=False)


def open_cache(environ: Mapping[str, str]) -> Cache:
    """The cache of prepared data."""
    root = cache_root(environ)
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return Cache(root, Path(tempfile.gettempdir()) / f"mnist-sweep-{user}")


def _make(root: Path, *, private: bool) -> None:
    """Make the cache directory; one in a directory open to all must be ours alone."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700 if private else 0o777)
    if private and not _is_private(root):
        raise PermissionError(13, "exists and belongs to somebody else or is open to others")
    (root / "data").mkdir(exist_ok=True)


def _is_private(root: Path) -> bool:
    """Whether nobody else can have planted files there: the temporary directory is open to all."""
    try:
        status = root.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(status.st_mode)
        and (not hasattr(os, "getuid") or status.st_uid == os.getuid())
        and not status.st_mode & 0o022
    )
