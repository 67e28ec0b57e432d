"""The search for MNIST: the user's own files, Keras's cache, Keras's download.

Keras itself is imported in a process of its own only (`keras_download`).
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_sweep.atomic_files import write_bytes
from mnist_sweep.data import source
from mnist_sweep.data.cache import absolute
from mnist_sweep.data.source import Fetch, Fetched, Source
from mnist_sweep.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "MNIST_SWEEP_DATA"
HOW_TO_GET_MNIST = (
    f"To get MNIST, set {VARIABLE} to a folder with its IDX files (or an .npz or CSV file), or "
    "run `python -m mnist_sweep data mnist` once where there is a network"
)
FILE = "mnist.npz"
CHILD = Path(__file__).with_name("keras_download.py")
KILL_GRACE_S = 5.0
MAX_TIMEOUT_S = 86_400.0
"""The system's timers do not take arbitrary numbers."""

logger = logging.getLogger(__name__)


def find(
    fetch: Fetch, environ: Mapping[str, str], download_timeout_s: float, *, required: bool
) -> Fetched:
    """MNIST from the first place that has it.

    Args:
        fetch: Reads a source.
        environ: The environment, for `MNIST_SWEEP_DATA` and `KERAS_HOME`.
        download_timeout_s: Seconds for Keras's download; 0 does not try.
        required: Whether to fail without MNIST; otherwise scikit-learn's digits replace it, with a
            notice.

    Raises:
        DataError: `MNIST_SWEEP_DATA` names something unusable, or MNIST is required and was not
            found; the message lists where it was searched for.
    """
    named = environ.get(VARIABLE)
    if named:
        # What a user has set is meant: an error there never falls back to another place.
        found = fetch(source.at(absolute(named, VARIABLE), VARIABLE))
        return _checked(found, required=required)
    tried = [f"{VARIABLE} (not set)"]
    places: dict[str, Callable[[], Path]] = {
        "Keras's cache": lambda: _cached(environ),
        "Keras's download": lambda: download(environ, download_timeout_s),
    }
    for label, path_of in places.items():
        try:
            found = fetch(Source("npz", path_of(), label))
        except DataError as error:
            tried.append(f"{label} ({str(error).rstrip('.')})")
            continue
        if found.stored.original:
            return found
        tried.append(f"{label} ({found.source.path} is not MNIST)")
    searched = "; ".join(tried)
    if required:
        raise DataError(f"MNIST was not found. Tried: {searched}. {HOW_TO_GET_MNIST}.")
    notice = (
        "NOT MNIST: scikit-learn's bundled digits (1,797 real handwritten 8x8 digits) are used "
        f"instead, as MNIST was not found. Tried: {searched}. {HOW_TO_GET_MNIST}."
    )
    return replace(fetch(Source("digits")), notice=notice)


def _checked(found: Fetched, *, required: bool) -> Fetched:
    path = found.source.path
    if found.stored.original:
        return found
    if required:
        raise DataError(
            f"data=mnist accepts only the original MNIST, but {VARIABLE}={path} is something else "
            "(its content does not match the published checksums). Use data=auto to use it, or "
            "point the variable at MNIST's files."
        )
    return replace(found, notice=f"{VARIABLE}={path} is not the original MNIST; it is used as is.")


def _cached(environ: Mapping[str, str]) -> Path:
    path = cached_file(environ)
    if not path.exists():
        raise DataError(f"no {path}")
    return path


def cached_file(environ: Mapping[str, str]) -> Path:
    """Where Keras keeps its copy: `KERAS_HOME` or `~/.keras`, then `datasets/mnist.npz`."""
    home = environ.get("KERAS_HOME") or "~/.keras"
    return absolute(home, "KERAS_HOME") / "datasets" / FILE


def download(environ: Mapping[str, str], timeout_s: float) -> Path:
    """Have Keras download MNIST into its cache, in a process that can be stopped.

    Keras's own download has no time limit. It runs in a process group of its own, into a fresh
    directory; the file, whose checksum Keras has verified, is then renamed into Keras's cache, so
    an interrupted download leaves no partial file.

    Args:
        environ: The environment, for `KERAS_HOME`.
        timeout_s: Seconds for all of it; 0 does not try.

    Returns:
        The downloaded file.

    Raises:
        DataError: It failed or took too long; the text is a clause for a longer sentence.
    """
    if timeout_s == 0:
        raise DataError("not tried, as data.download_timeout_s=0")
    target = cached_file(environ)
    logger.info("downloading MNIST through Keras, for at most %g s", timeout_s)
    try:
        with tempfile.TemporaryDirectory(prefix="mnist-sweep-") as workspace:
            _run_child(environ, workspace, timeout_s)
            content = (Path(workspace) / "datasets" / FILE).read_bytes()
        target.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(target, content)
    except OSError as error:
        where = error.filename or target
        raise DataError(f"{where} cannot be used: {error.strerror or error}") from error
    return target


def _run_child(environ: Mapping[str, str], keras_home: str, timeout_s: float) -> None:
    environment = {
        **environ,
        "KERAS_HOME": keras_home,
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    # -P: the script's directory must not come first on the child's path, hiding other modules.
    child = subprocess.Popen(
        [sys.executable, "-P", str(CHILD), str(timeout_s)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = child.communicate(timeout=min(timeout_s, MAX_TIMEOUT_S))
    except subprocess.TimeoutExpired as error:
        raise DataError(
            f"not finished after data.download_timeout_s={timeout_s:g} seconds"
        ) from error
    finally:
        _end(child)
    if child.returncode != 0:
        last = (output.strip().splitlines() or [f"exit status {child.returncode}"])[-1]
        raise DataError(f"failed: {last[:300]}")


def _end(child: subprocess.Popen[str]) -> None:
    """Kill the child with all it started, also when this process is interrupted."""
    if child.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(child.pid, signal.SIGKILL)
            else:
                child.kill()
    with suppress(subprocess.TimeoutExpired):
        child.wait(KILL_GRACE_S)
    if child.stdout:
        child.stdout.close()
