"""The report's five networks: one command of ours against a plain Keras script, whole processes.

Run by hand on a quiet machine, from the project's root:

    python tests/benchmarks/five_networks.py MNIST_FOLDER [--rounds 3] [--epochs 10] [--warm]

The two run in turn, each time in a fresh directory with nothing compiled before (with `--warm`,
the compiled programs of an earlier sweep are kept, as on a user's second day); the ratio of each
pair is printed with the median. "Computing" is the share of the workers' time that went into
epochs: the sum of all runs' epochs over workers x wall.
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
from pathlib import Path

HERE = Path(__file__).parent


def seconds(command: list[str], **environ: str) -> float:
    """Wall-clock seconds of a command that must succeed."""
    started = time.perf_counter()
    subprocess.run(command, env={**os.environ, **environ}, check=True, capture_output=True)
    return time.perf_counter() - started


def ours(folder: Path, epochs: int, cache: Path) -> tuple[float, float]:
    """Seconds of our sweep, and its share of computing."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            sys.executable, "-m", "mnist_sweep", "-m", "+experiment=reference",
            f"epochs={epochs}", f"hydra.sweep.dir={scratch}/sweep",
        ]  # fmt: skip
        wall = seconds(command, MNIST_SWEEP_DATA=str(folder), MNIST_SWEEP_CACHE=str(cache))
        records = [
            json.loads(path.read_text()) for path in Path(scratch).glob("sweep/runs/*/record.json")
        ]
    computing = sum(sum(record["time"]["epoch_s"]) for record in records)
    return wall, computing / (wall * records[0]["environment"]["workers"])


def main() -> None:
    """Measure in turn and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--warm", action="store_true")
    options = parser.parse_args()
    ratios, walls, shares = [], [], []
    with tempfile.TemporaryDirectory() as kept:
        if options.warm:
            ours(options.folder, 1, Path(kept))
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as fresh:
                wall, share = ours(
                    options.folder, options.epochs, Path(kept if options.warm else fresh)
                )
            plain = seconds(
                [
                    sys.executable, str(HERE / "plain_keras.py"), str(options.folder),
                    "--epochs", str(options.epochs),
                ]
            )  # fmt: skip
            ratios.append(plain / wall)
            walls.append(wall)
            shares.append(share)
            print(
                f"ours {wall:.1f} s, computing {share:.0%}; plain {plain:.1f} s; {ratios[-1]:.2f}"
            )
    print(
        f"median: ours {statistics.median(walls):.1f} s, plain / ours "
        f"{statistics.median(ratios):.2f}, computing {statistics.median(shares):.0%}"
    )


if __name__ == "__main__":
    main()
