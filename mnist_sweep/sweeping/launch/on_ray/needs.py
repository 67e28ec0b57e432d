"""What Ray sets aside for one run, and how many such runs fit on a node."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MEGABYTE = 2**20


@dataclass(frozen=True)
class Needs:
    """Resources of one run, as Ray books them; it does not hold the run to them.

    Attributes:
        num_cpus: Processors; may be a fraction.
        num_gpus: GPUs; may be a fraction, then runs share one.
        memory_mb: Memory in 2**20 bytes; None to leave it to Ray.
        resources: Resources that the cluster's administrator named.
    """

    num_cpus: float
    num_gpus: float = 0
    memory_mb: int | None = None
    resources: Mapping[str, float] = field(default_factory=dict)

    def options(self) -> dict[str, Any]:
        """As options of a task."""
        memory = {} if self.memory_mb is None else {"memory": self.memory_mb * MEGABYTE}
        return {
            "num_cpus": self.num_cpus, "num_gpus": self.num_gpus,
            "resources": dict(self.resources), **memory,
        }  # fmt: skip

    def fit(self, node: Mapping[str, float]) -> int:
        """How many runs fit on a node with these resources."""
        memory = 0 if self.memory_mb is None else self.memory_mb * MEGABYTE
        needed = {"CPU": self.num_cpus, "GPU": self.num_gpus, "memory": memory, **self.resources}
        # The small sum keeps 0.3 / 0.1 from being rounded down to 2.
        rooms = [math.floor(node.get(k, 0) / v + 1e-9) for k, v in needed.items() if v]
        return min(rooms, default=1)

    def __str__(self) -> str:
        words = [f"{self.num_cpus:g} CPU"]
        words += [f"{self.num_gpus:g} GPU"] if self.num_gpus else []
        words += [f"{self.memory_mb} MB of memory"] if self.memory_mb else []
        words += [f"{amount:g} {name}" for name, amount in self.resources.items()]
        return ", ".join(words)
