"""One prepared dataset's directory: written whole or not at all, and verified when found."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_sweep.atomic_files import sync_directory, write_bytes
from mnist_sweep.data.arrays import ARRAY_NAMES, Arrays, Bytes, content_sha256
from mnist_sweep.data.files import NOT_AN_ARRAY
from mnist_sweep.data.original import is_original

INFO_FORMAT = 1
ABANDONED_AFTER_S = 24 * 3600.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stored:
    """A prepared dataset: where it lies, its arrays (memory-mapped), hash and nature."""

    directory: Path
    arrays: Arrays
    sha256: str
    original: bool


def map_arrays(directory: Path) -> dict[str, Bytes]:
    """The four arrays of a dataset's directory, memory-mapped and never written to.

    The mapping is copy-on-write: pages are shared between processes as long as nobody writes, and
    NumPy takes the array for writable, which handing it on without a copy (DLPack) asks for.

    Raises:
        OSError: A file is missing or cannot be read.
        ValueError: A file is not a whole array of uint8.
    """
    arrays: dict[str, Bytes] = {}
    for name in ARRAY_NAMES:
        path = directory / f"{name}.npy"
        array = np.load(path, mmap_mode="c", allow_pickle=False)
        if not isinstance(array, np.memmap) or array.dtype != np.uint8:
            raise ValueError(f"{path} does not hold an array of uint8")
        if array.offset + array.nbytes != path.stat().st_size:
            raise ValueError(f"{path} is longer than its array")
        arrays[name] = array
    return arrays


def verified(directory: Path, sha256: str) -> Stored | None:
    """The dataset in `directory` if it is there, whole, and hashes to `sha256`."""
    try:
        info = json.loads((directory / "info.json").read_bytes())
        if info["format"] != INFO_FORMAT:
            return None
        arrays = Arrays(
            **map_arrays(directory), classes=int(info["classes"]), scale=float(info["scale"])
        )
        original = info["original"] is True
    except (FileNotFoundError, NotADirectoryError) as error:
        if directory.is_dir():
            logger.warning("the prepared data in %s is incomplete (%s)", directory, error)
        return None
    except NOT_AN_ARRAY as error:
        logger.warning("the prepared data in %s is damaged (%s): making it anew", directory, error)
        return None
    if content_sha256(arrays) != sha256:
        logger.warning("the prepared data in %s does not match its hash: making it anew", directory)
        return None
    return Stored(directory, arrays, sha256, original)


def write(folder: Path, arrays: Arrays, sha256: str) -> Stored:
    """Write a dataset to `folder`/`sha256`; one that is there and damaged is replaced.

    Args:
        folder: Where datasets lie.
        arrays: What to write.
        sha256: Its content hash.

    Raises:
        OSError: It cannot be written; nothing is left behind.
    """
    _remove_abandoned(folder)
    original = is_original(arrays)
    temporary = Path(tempfile.mkdtemp(prefix=f".{sha256[:12]}-", dir=folder))
    try:
        temporary.chmod(0o755)
        for name, array in arrays.four().items():
            with (temporary / f"{name}.npy").open("wb") as stream:
                np.save(stream, array, allow_pickle=False)
                stream.flush()
                os.fsync(stream.fileno())
        info = {
            "format": INFO_FORMAT,
            "classes": arrays.classes,
            "scale": arrays.scale,
            "original": original,
            "shapes": {name: list(array.shape) for name, array in arrays.four().items()},
        }
        write_bytes(temporary / "info.json", json.dumps(info, indent=1).encode())
        return _put_in_place(temporary, folder / sha256, sha256)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put_in_place(temporary: Path, directory: Path, sha256: str) -> Stored:
    for attempt in range(5):
        with suppress(OSError):  # ENOTEMPTY: somebody was first, or a damaged one is in the way
            temporary.rename(directory)
            sync_directory(directory.parent)
        stored = verified(directory, sha256)
        if stored:
            return stored
        # Moved aside and not deleted in place: a run may still map the files.
        aside = directory.parent / f".damaged-{os.getpid()}-{attempt}-{sha256[:12]}"
        with suppress(FileNotFoundError):
            directory.rename(aside)
        if aside.is_dir() and not aside.is_symlink():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.unlink(missing_ok=True)
    raise OSError(f"{directory} does not keep what is written to it")


def _remove_abandoned(folder: Path) -> None:
    """Delete what processes that were killed while writing left a day ago or longer."""
    for path in folder.glob(".*-*"):
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime > ABANDONED_AFTER_S:
                shutil.rmtree(path, ignore_errors=True)
