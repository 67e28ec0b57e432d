"""The search for MNIST: the user's own files, Keras's cache, a download into Keras's cache."""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mnist_sweep.atomic_files import write_bytes
from mnist_sweep.command import command
from mnist_sweep.data import source
from mnist_sweep.data.cache import absolute
from mnist_sweep.data.readers import readers
from mnist_sweep.data.source import Fetch, Fetched
from mnist_sweep.errors import DataError

VARIABLE = "MNIST_SWEEP_DATA"
# Address and hash of keras.datasets.mnist; a test compares them.
ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
STALL_S = 15.0  # seconds to wait for the server's next bytes
MAX_TIMEOUT_S = 86_400.0  # the system's timers do not take arbitrary numbers
MAX_BYTES = 1 << 26
CHUNK = 1 << 16

logger = logging.getLogger(__name__)


def find(
    fetch: Fetch, environ: Mapping[str, str], download_timeout_s: float, *, required: bool
) -> Fetched:
    """MNIST from the first place that has it, read by `fetch`.

    Unless it is `required`, scikit-learn's digits replace it where it is not found, with a notice.
    """
    if environ.get(VARIABLE):
        # What a user has set is meant: an error there never falls back to another place.
        path = absolute(environ[VARIABLE], VARIABLE)
        found = fetch(*source.at(path, VARIABLE), path, VARIABLE)
        if found.stored.is_mnist:
            return found
        if required:
            raise DataError(
                f"data=mnist accepts only the original MNIST, but {VARIABLE}={path} is something "
                "else (its content has another hash). Use data=auto to use it, or point the "
                "variable at MNIST's files."
            )
        notice = f"{VARIABLE}={path} is not the original MNIST; it is used as is."
        return replace(found, notice=notice)
    tried = [f"{VARIABLE} (not set)"]
    for label in ("Keras's cache", "the download"):
        path = cached_file(environ)
        if label == "Keras's cache" and not path.exists():
            tried.append(f"{label} (no {path})")
            continue
        try:
            if label == "the download":
                path = download(environ, download_timeout_s)
            found = fetch("npz", readers()["npz"], path, label)
        except DataError as error:
            tried.append(f"{label} ({str(error).rstrip('.')})")
            continue
        if found.stored.is_mnist:
            return found
        tried.append(f"{label} ({path} is not MNIST)")
    searched = (
        f"{'; '.join(tried)}. To get MNIST, set {VARIABLE} to a folder with its IDX files (or an "
        ".npz or CSV file), or run once with network access:"
    )
    if required:
        raise DataError(f"MNIST was not found. Tried: {searched} {command('data', 'mnist')}")
    notice = (
        "NOT MNIST: scikit-learn's bundled digits (1,797 real handwritten 8x8 digits) are used "
        # Records keep it: the same words wherever it was made.
        f"instead, as MNIST was not found. Tried: {searched} mnist-sweep data mnist"
    )
    return replace(fetch("digits", readers()["digits"]), notice=notice)


def cached_file(environ: Mapping[str, str]) -> Path:
    """Where Keras keeps its copy: `KERAS_HOME` or `~/.keras`, then `datasets/mnist.npz`."""
    home = environ.get("KERAS_HOME") or "~/.keras"
    return absolute(home, "KERAS_HOME") / "datasets" / "mnist.npz"


def download(environ: Mapping[str, str], timeout_s: float) -> Path:
    """Download the file that `keras.datasets.mnist` downloads, into Keras's cache.

    It takes at most `timeout_s` seconds; 0 does not try. The file is complete and has its hash.
    """
    if timeout_s == 0:
        raise DataError("not tried, as data.download_timeout_s=0")
    logger.info("downloading MNIST, for at most %g s", timeout_s)
    content = _downloaded(timeout_s)
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise DataError(f"the {len(content):,} bytes from {ORIGIN} are not the expected file")
    target = cached_file(environ)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(target, content)
    except OSError as error:
        where = error.filename or target
        raise DataError(f"{where} cannot be used: {error.strerror or error}") from error
    return target


def _downloaded(timeout_s: float) -> bytes:
    # Imported here: few programs download, and these import the whole of SSL.
    import urllib.request
    from http.client import HTTPException

    timeout_s = min(timeout_s, MAX_TIMEOUT_S)
    deadline = time.monotonic() + timeout_s
    result: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()

    def work() -> None:
        content = bytearray()
        try:
            with urllib.request.urlopen(ORIGIN, timeout=min(STALL_S, timeout_s)) as response:
                while time.monotonic() < deadline and len(content) < MAX_BYTES:
                    piece = response.read(CHUNK)
                    if not piece:
                        break
                    content += piece
            result.put(bytes(content))
        except (OSError, ValueError, HTTPException) as error:
            result.put(error)

    # In a thread, because a socket's timeout limits neither the name's resolution nor the whole
    # download; a daemon, because the program must not wait for it.
    threading.Thread(target=work, daemon=True).start()
    try:
        found = result.get(timeout=timeout_s)
    except queue.Empty:
        raise DataError(
            f"not finished after data.download_timeout_s={timeout_s:g} seconds"
        ) from None
    if isinstance(found, Exception):
        reason = getattr(found, "reason", found)
        raise DataError(f"{ORIGIN} cannot be downloaded: {reason}") from found
    return found
