"""MNIST as Keras keeps it and downloads it, without importing Keras here."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_sweep.atomic_files import write_bytes
from mnist_sweep.data.files import absolute
from mnist_sweep.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = "mnist.npz"
CHILD = Path(__file__).with_name("keras_download.py")
KILL_GRACE_S = 5.0
LONGEST_S = 86_400.0
"""The system's own timers do not take any number."""

logger = logging.getLogger(__name__)


def cached_file(environ: Mapping[str, str]) -> Path:
    """Where Keras keeps its copy: `KERAS_HOME` or `~/.keras`, then `datasets/mnist.npz`."""
    home = environ.get("KERAS_HOME") or "~/.keras"
    return absolute(home, "KERAS_HOME") / "datasets" / FILE


def download(environ: Mapping[str, str], timeout_s: float) -> Path:
    """Have Keras download MNIST into its cache, in a process that can be stopped.

    Keras's own download has no time limit. It runs in a process group of its own, into a fresh
    directory; the file, whose checksum Keras has verified, is then renamed into Keras's cache, so
    an interrupted download leaves nothing that looks whole.

    Args:
        environ: The environment; `KERAS_HOME` is honoured.
        timeout_s: Seconds for all of it; 0 does not try.

    Returns:
        The downloaded file.

    Raises:
        DataError: It was not had in time; the text is a reason without a capital or full stop.
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
    # -P: its own directory must not come first on the child's path.
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
        output, _ = child.communicate(timeout=min(timeout_s, LONGEST_S))
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
