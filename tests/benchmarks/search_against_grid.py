"""Search against grid on the same budget of runs, and what pruning saves.

    python tests/benchmarks/search_against_grid.py [--seeds 5] [--data mnist] [--epochs 10]

Each way gets the same number of runs in the same space (layers, nodes, dropout, learning rate) and
as many repeats as there are seeds: of the sampler, of the networks, and of the split into training
and validation. The grid takes the middle of equal parts of each dimension, 2 x 3 x 2 x 2 points for
24 runs. What counts is the test accuracy of the network that validation chose, for all ways alike.
With pruning the same number of points is begun, and some of them are stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SPACE = [
    "layers=range(1,4)", "nodes=range(50,400,50)", "dropout=interval(0,0.5)",
    "learning_rate=tag(log,interval(1e-4,1e-2))",
]  # fmt: skip
GRID = [
    "layers=1,3",
    "nodes=100,200,300",
    "dropout=0.125,0.375",
    "learning_rate=0.0003162,0.003162",
]
GRID_RUNS = 24
WAYS = {
    "grid": None,
    "random": ["search.sampler=random"],
    "tpe": [],
    "tpe, median": ["search.pruner=median"],
    "tpe, halving": ["search.pruner=halving"],
    "tpe, hyperband": ["search.pruner=hyperband"],
}


@dataclass
class Came:
    """What one sweep came to."""

    validation: float
    test: float
    epochs: int
    pruned: int
    train_s: float
    wall_s: float


def main() -> None:
    """Run all ways with all seeds and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=GRID_RUNS)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--ways", default=",".join(WAYS).replace(", ", "+"))
    options = parser.parse_args()
    ways = [way.replace("+", ", ") for way in options.ways.split(",")]
    if options.runs != GRID_RUNS and "grid" in ways:
        print(f"The grid always has {GRID_RUNS} runs, the others {options.runs}.")
    found: dict[str, list[Came]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(options.seeds):
            for way in ways:
                came = carry_out(Path(scratch), way, seed, options)
                found[way].append(came)
                print(f"seed {seed}  {way:<15} {came}", flush=True)
    print(table(found, options))


def carry_out(scratch: Path, way: str, seed: int, options: Any) -> Came:
    """Run one way with one seed."""
    name = f"{way}-{seed}".replace(", ", "-")
    words = [
        "-m", f"name={name}", f"data={options.data}", f"data.split_seed={seed}",
        f"epochs={options.epochs}", f"n_jobs={options.workers}", "report=false", "save_model=false",
    ]  # fmt: skip
    more = WAYS[way]
    if more is None:
        words += [*GRID, f"seed={seed}"]
    else:
        words += [
            *SPACE, "hydra/sweeper=search", f"search.seed={seed}", f"search.runs={options.runs}",
            f"seed={seed}", *more,
        ]  # fmt: skip
    environ = {"MNIST_SWEEP_CACHE": str(scratch / "cache"), **os.environ}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "mnist_sweep", *words],
        cwd=scratch, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    wall_s = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{name} ended with {done.returncode}: {done.stderr}")
    paths = (scratch / "outputs" / name / "runs").glob("*/record.json")
    records = [json.loads(path.read_bytes()) for path in paths]
    finished = [record for record in records if record["status"] == "finished"]
    chosen = max(finished, key=lambda r: (r["metrics"]["validation"]["accuracy"], r["label"]))[
        "metrics"
    ]
    return Came(
        chosen["validation"]["accuracy"],
        chosen["test"]["accuracy"],
        sum(len(record["history"]["loss"]) for record in records),
        sum(record["status"] == "pruned" for record in records),
        sum(record["time"]["train_s"] for record in records),
        wall_s,
    )


def table(found: dict[str, list[Came]], options: Any) -> str:
    """Means over seeds, with the standard deviation of what varies, as Markdown."""
    asked = f"{options.runs} runs of {options.epochs} epochs, {options.seeds} seeds"
    names = ("way", "validation [%]", "test [%]", "test better than the first way's, by seed",
             "epochs", "pruned", "training [s]", "wall [s]")  # fmt: skip
    lines = [
        f"\n{options.data}, {asked}, {options.workers} worker(s)\n",
        f"| {' | '.join(names)} |",
        f"|{' --- |' * len(names)}",
    ]
    first = next(iter(found.values()))
    for way, all_came in found.items():
        validation, test = ([100 * getattr(c, k) for c in all_came] for k in ("validation", "test"))
        wins = sum(c.test > other.test for c, other in zip(all_came, first, strict=True))
        ties = sum(c.test == other.test for c, other in zip(all_came, first, strict=True))
        beside = f"{wins} of {len(all_came)}" + (f", {ties} equal" if ties else "")
        lines.append(
            f"| {way} | {spread(validation)} | {spread(test)} | {beside} | "
            f"{mean(c.epochs for c in all_came):.0f} | {mean(c.pruned for c in all_came):.1f} | "
            f"{mean(c.train_s for c in all_came):.1f} | {mean(c.wall_s for c in all_came):.1f} |"
        )
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    """Mean and standard deviation."""
    if len(values) < 2:
        return f"{values[0]:.2f}"
    return f"{statistics.fmean(values):.2f} ± {statistics.stdev(values):.2f}"


def mean(values: Any) -> float:
    """The mean of an iterable."""
    return statistics.fmean(values)


if __name__ == "__main__":
    main()
