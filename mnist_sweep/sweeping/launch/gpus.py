"""Which GPUs of this machine a sweep uses, and which of them each run gets.

A run sees its own GPU only: TensorFlow, like other frameworks, otherwise opens all of them.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import Self

from mnist_sweep.errors import SettingsError
from mnist_sweep.sweeping.launch import processes
from mnist_sweep.training import runtime

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""The variable by which CUDA, and what is built on it, is told the GPUs of a process."""
LIST_S = 30.0


@dataclass
class Gpus:
    """The GPUs of a sweep.

    Attributes:
        free: A GPU, as `CUDA_VISIBLE_DEVICES` names it, for each run that may start now; None
            where runs are not told which GPU is theirs.
        n: Runs that have a GPU at a time.
    """

    free: list[str] | None = None
    n: int = field(init=False)

    def __post_init__(self) -> None:
        self.n = len(self.free or ())

    @classmethod
    def of(cls, asked: int | None, runs_per_gpu: int, *, tensorflow: bool) -> Self:
        """Those that a sweep asks for, or all.

        Args:
            asked: The setting `gpus`.
            runs_per_gpu: The setting of that name.
            tensorflow: Whether TensorFlow trains on them, or code of the user's own.

        Raises:
            SettingsError: There are fewer.
        """
        if asked == 0:
            return cls([])
        found = visible(tensorflow=tensorflow)
        if asked is not None and asked > len(found):
            n = {0: "no GPU", 1: "one GPU"}.get(len(found), f"{len(found)} GPUs")
            usable = " that TensorFlow can use" if tensorflow else ""
            raise SettingsError(
                f"gpus={asked}: this machine has {n}{usable}. Ask for fewer, or check "
                f"`nvidia-smi`, {VISIBLE}, and that TensorFlow was installed with CUDA "
                '(pip install "tensorflow[and-cuda]").'
            )
        return cls(found[:asked] * runs_per_gpu) if found else cls()

    def take(self) -> dict[str, str]:
        """The variables of a run's process, with a GPU that is then its own until `give_back`."""
        if self.free is None:
            return {}
        return {VISIBLE: self.free.pop(0) if self.n else "-1"}

    def give_back(self, variables: dict[str, str]) -> None:
        """Free the GPU of a run that has ended."""
        if self.free is not None and self.n:
            self.free.append(variables[VISIBLE])


def visible(*, tensorflow: bool) -> list[str]:
    """The GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them."""
    named = os.environ.get(VISIBLE)
    n = _in_machine() if named not in ("", "-1") else 0
    if n and tensorflow:  # it may have been installed without CUDA, or for another GPU
        n = processes.call(runtime.count_gpus)
    if named is None:
        return [str(i) for i in range(n)]
    names = (one.strip() for one in named.split(","))
    # CUDA stops at the first name that is none, usually -1.
    return list(itertools.takewhile(lambda one: one not in ("", "-1"), names))[:n]


def _in_machine() -> int:
    """The number of NVIDIA's GPUs, by the driver's own tool, which is there where a driver is."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return 0
    try:
        listed = subprocess.run(
            [tool, "--list-gpus"], capture_output=True, text=True, timeout=LIST_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
