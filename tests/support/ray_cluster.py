"""A Ray cluster of two nodes on this machine, for tests: in a process of its own.

As a script it starts the cluster, prints its address and the process ids of its raylets as JSON,
and takes the cluster down when its standard input closes.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.real_sweeps import Place

STORE_BYTES = 80 * 2**20
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: mnist-sweep[ray]"
)


@dataclass(frozen=True)
class RunningCluster:
    """A cluster: its address, and the raylets of its head and its other node."""

    address: str
    raylets: list[int]


@contextmanager
def cluster_of_two(cache: Path) -> Iterator[RunningCluster]:
    """Two nodes of one processor each, whose cache of data and programs is `cache`.

    They are started in a directory with another program of the same name, which is not to be run.
    """
    other = cache / "other"
    (other / "mnist_sweep").mkdir(parents=True)
    (other / "mnist_sweep" / "__init__.py").write_text("raise RuntimeError('another program')")
    environment = {
        **os.environ, "MNIST_SWEEP_CACHE": str(cache), "RAY_USAGE_STATS_ENABLED": "0",
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=environment, cwd=other,
        start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the cluster did not start: {process.communicate()[1]}")
        yield RunningCluster(**json.loads(line))
    finally:
        process.communicate(timeout=60)


def on_cluster(cluster: RunningCluster | None, place: Place) -> list[str]:
    """The words that send a sweep to a cluster; what it starts there is known by its mark."""
    marks = {"TROUBLE_LOG": place.environment["TROUBLE_LOG"], "MARK_OF_TEST": place.mark}
    variables = ",".join(f"{name}:'{value}'" for name, value in marks.items())
    address = [f"hydra.launcher.address={cluster.address}"] if cluster else []
    return [
        "hydra/launcher=ray", f"+hydra.launcher.runtime_env.env_vars={{{variables}}}", *address,
    ]  # fmt: skip


def _serve() -> None:
    import tempfile

    from ray.cluster_utils import Cluster

    # Ray notes there which cluster was started last, and expects the directory to exist.
    Path("/tmp/ray").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ray-test-", ignore_cleanup_errors=True) as folder:
        one = {"num_cpus": 1, "object_store_memory": STORE_BYTES, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args={**one, "temp_dir": folder})
        nodes = [cluster.head_node, cluster.add_node(**one)]
        cluster.wait_for_nodes()
        raylets = [node.all_processes["raylet"][0].process.pid for node in nodes]
        print(json.dumps({"address": cluster.address, "raylets": raylets}), flush=True)
        sys.stdin.read()
        cluster.shutdown()


if __name__ == "__main__":
    _serve()
