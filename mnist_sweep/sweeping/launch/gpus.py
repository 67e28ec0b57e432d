"""Which GPUs of this machine a sweep uses."""

from __future__ import annotations

import itertools
import os
import subprocess
from contextlib import suppress

from mnist_sweep.errors import SettingsError
from mnist_sweep.sweeping.launch import processes
from mnist_sweep.training import runtime

# The variable by which CUDA, and what is built on it, is told the GPUs of a process.
CUDA_VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"
LIST_TIMEOUT_S = 30.0
_DEVICES = ("/dev/nvidiactl", "/dev/dxg")  # of NVIDIA's driver on Linux, and under Windows' Linux


def gpus_of(requested: int | None, *, tensorflow: bool) -> list[str] | None:
    """The GPUs of a sweep, by their names in `CUDA_VISIBLE_DEVICES`; None: runs are told none.

    They are those requested, else all that TensorFlow can use, if that trains on them.

    Raises:
        SettingsError: There are fewer.
    """
    if requested == 0:
        return []
    # Nobody knows whether the user's own code uses any: it gets some if they are requested.
    if requested is None and not tensorflow:
        return None
    found = visible(tensorflow=tensorflow)
    if requested is not None and requested > len(found):
        n = {0: "no GPU", 1: "one GPU"}.get(len(found), f"{len(found)} GPUs")
        usable = " that TensorFlow can use" if tensorflow else ""
        raise SettingsError(
            f"gpus={requested}: this machine has {n}{usable}. Request fewer, or check "
            f"`nvidia-smi`, {CUDA_VISIBLE_DEVICES}, and that TensorFlow was installed with "
            'CUDA (pip install "tensorflow[and-cuda]").'
        )
    return found[:requested] or None


def visible(*, tensorflow: bool) -> list[str]:
    """The GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them."""
    named = os.environ.get(CUDA_VISIBLE_DEVICES)
    if named in ("", "-1"):
        return []
    n = 0
    with suppress(OSError, subprocess.SubprocessError):  # no driver, or one that does not answer
        listed = subprocess.run(
            ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, timeout=LIST_TIMEOUT_S,
            check=True,
        )  # fmt: skip
        n = sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
    # TensorFlow may have been installed without CUDA, or for another GPU.
    if tensorflow and (n or any(map(os.path.exists, _DEVICES))):
        n = processes.call(runtime.count_gpus)
    if named is None:
        return [str(i) for i in range(n)]
    names = (one.strip() for one in named.split(","))
    # CUDA ignores what follows a name that is none, usually -1.
    return list(itertools.takewhile(lambda one: one not in ("", "-1"), names))[:n]
