"""A process for every run, or one for many: time, memory, and whether data are mapped or copied.

    python tests/benchmarks/worker_processes.py [MNIST_FOLDER] [--runs 6]

The same runs one after another: each in a fresh process of the fork server, and all in one. Prints
wall-clock seconds a run and the worker's memory from /proc/PID/smaps_rollup: its proportional share
(PSS: pages shared with the fork server and other workers count in part), what is its own (private
and written to) and its share of mapped files, the data among them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import Any

from mnist_sweep import settings
from mnist_sweep.data import DatasetInfo, prepare
from mnist_sweep.sweeping.launch import processes


def memory_mb() -> dict[str, float]:
    """Memory of this process, 2**20 bytes: its share of all, its own, and of mapped files."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    sizes = {line.partition(":")[0]: int(line.split()[1]) / 1024 for line in lines}
    return {"pss": sizes["Pss"], "own": sizes["Private_Dirty"], "files": sizes["Pss_File"]}


def run_all(many: list[dict[str, Any]], described: dict[str, Any]) -> list[dict[str, float]]:
    """Train networks one after another in this process; what each took."""
    from mnist_sweep.sweeping.launch.user_code.checks import builder
    from mnist_sweep.training import train

    found = []
    for one in many:
        before, began = memory_mb(), time.perf_counter()
        result = train.train(one, DatasetInfo.from_dict(described), builder(one["model"]))
        took = time.perf_counter() - began
        after = memory_mb()
        found.append({
            "seconds": took, "compile_s": result.training.compile_s, "own before": before["own"],
            **after, "parameters": result.parameters,
        })  # fmt: skip
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--runs", type=int, default=6)
    options = parser.parse_args()
    data = {**settings.defaults()["data"], "name": "digits"}
    if options.folder:
        os.environ["MNIST_SWEEP_DATA"] = options.folder
        data["name"] = "mnist"
    info = prepare(data)
    pixels = (info.n_train + info.n_validation + info.n_test) * info.shape[0] * info.shape[1]
    print(
        f"{info.name}: {pixels / 2**20:.0f} MB of pixels, kept programs: "
        f"{os.environ.get('MNIST_SWEEP_PROGRAMS', '1')}"
    )
    many = []
    for run in range(options.runs):
        layers, nodes = 1 + run % 2, (100, 300)[run // 2 % 2]
        network = {"layers": layers, "nodes": nodes, "dropout": 0.0, "activation": "relu"}
        many.append({
            **settings.defaults(), **network, "epochs": 2, "seed": run,
            "model": {"_target_": settings.MLP_TARGET, **network},
        })  # fmt: skip
    processes.start_fork_server()
    processes.call(memory_mb)  # until the fork server is there
    for name, groups in (("fresh", [[one] for one in many]), ("reused", [many])):
        began = time.perf_counter()
        found = [
            line for group in groups for line in processes.call(run_all, group, info.to_dict())
        ]
        wall = time.perf_counter() - began
        print(
            f"\n{name}: {wall / len(many):.2f} s a run, of which in the run "
            f"{statistics.mean(line['seconds'] for line in found):.2f} s"
        )
        for line in found:
            print("  " + ", ".join(f"{key} {value:,.1f}" for key, value in line.items()))
    processes.end_fork_server()


if __name__ == "__main__":
    main()
