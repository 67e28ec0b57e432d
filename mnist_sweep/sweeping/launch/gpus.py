"""Which GPUs of this machine a sweep uses, and which of them each run gets.

A run sees its own GPU only: TensorFlow, like other frameworks, otherwise opens all of them.
"""

from __future__ import annotations

import itertools
import os
import subprocess
from collections import Counter
from contextlib import suppress

from mnist_sweep.errors import SettingsError
from mnist_sweep.sweeping.launch import processes
from mnist_sweep.training import runtime

# The variable by which CUDA, and what is built on it, is told the GPUs of a process.
CUDA_VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"
LIST_TIMEOUT_S = 30.0
_DEVICES = ("/dev/nvidiactl", "/dev/dxg")  # of NVIDIA's driver on Linux, and under Windows' Linux


class Gpus:
    """The GPUs of a sweep, by their names in `CUDA_VISIBLE_DEVICES`; None: runs are told none."""

    def __init__(self, names: list[str] | None = None) -> None:
        self.names = names
        self._runs = Counter(dict.fromkeys(names or (), 0))

    @classmethod
    def of(cls, requested: int | None, *, tensorflow: bool) -> Gpus:
        """Those that a sweep requests, or all that TensorFlow can use, if that trains on them.

        Raises:
            SettingsError: There are fewer.
        """
        if requested == 0:
            return cls([])
        # Nobody knows whether the user's own code uses any: it gets some if they are requested.
        if requested is None and not tensorflow:
            return cls()
        found = visible(tensorflow=tensorflow)
        if requested is not None and requested > len(found):
            n = {0: "no GPU", 1: "one GPU"}.get(len(found), f"{len(found)} GPUs")
            usable = " that TensorFlow can use" if tensorflow else ""
            raise SettingsError(
                f"gpus={requested}: this machine has {n}{usable}. Request fewer, or check "
                f"`nvidia-smi`, {CUDA_VISIBLE_DEVICES}, and that TensorFlow was installed with "
                'CUDA (pip install "tensorflow[and-cuda]").'
            )
        return cls(found[:requested] or None)

    def acquire(self) -> dict[str, str]:
        """The variables of a run's process: they name the GPU that has the fewest runs."""
        if self.names is None:
            return {}
        if not self.names:
            return {CUDA_VISIBLE_DEVICES: "-1"}
        name = min(self.names, key=lambda one: self._runs[one])
        self._runs[name] += 1
        return {CUDA_VISIBLE_DEVICES: name}

    def release(self, variables: dict[str, str]) -> None:
        """Note that a run has ended which got these."""
        self._runs.subtract(variables.values())


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
