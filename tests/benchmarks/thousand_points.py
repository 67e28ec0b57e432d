"""A thousand points of a tiny network on the bundled digits: how soon the first run starts.

    python tests/benchmarks/thousand_points.py [--points 1000] [--run]

Prints the seconds from the command to the first run's log, beside what composing every point twice
with Hydra takes (as its own sweeper does), and what a run costs beyond training. The sweep is
stopped after the first runs; with `--run` it goes to its end and the parent's memory is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.real_sweeps import Place

FIRST_RUNS = 12


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--run", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = Place(Path(scratch), Path(scratch) / "cache")
        words = ["-m", "data=digits", "layers=1", "epochs=1", "report=false"]
        # Prepares the data and compiles once.
        place.run(*words, "nodes=4", "name=before")
        nodes = options.points // 40
        words += [f"nodes=range(4,{4 + nodes})", "seed=range(0,40)", "name=large"]
        began = time.monotonic()
        # Nobody reads what it says, and a full pipe would stop it.
        nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = place.start(*words, **nowhere)
        runs = place.directory("large") / "runs"
        while not any(runs.glob("*/job.log")):
            time.sleep(0.005)
        print(
            f"{nodes * 40} points: first run started after {time.monotonic() - began:.2f} s, of "
            f"which {processor_s(process.pid):.2f} s of processor time in the parent"
        )
        memory = []
        while process.poll() is None:
            done = len(list(runs.glob("*/record.json")))
            memory.append((done, resident_mb(process.pid)))
            if not options.run and done >= FIRST_RUNS:
                break
            time.sleep(0.5)
        wall = time.monotonic() - began
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        place.wait(process)
        parts(place, wall)
        print("parent's memory (runs done: MB):", *thinned(memory))
    print(f"Hydra composes a point twice, {hydra_s():.3f} s: {nodes * 40 * hydra_s():.0f} s in all")


def resident_mb(pid: int) -> int:
    """Resident memory of a process, 2**20 bytes."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def processor_s(pid: int) -> float:
    """Seconds of processor time of a process so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def thinned(memory: list[tuple[int, int]]) -> list[str]:
    step = max(1, len(memory) // 8)
    return [f"{done}: {mb}" for done, mb in memory[::step]]


def parts(place: Place, wall: float) -> None:
    """What a run's time is made of."""
    records = [
        json.loads(path.read_bytes())
        for path in place.directory("large").glob("runs/*/record.json")
    ]
    times = [record["time"] for record in records]
    print(f"{len(records)} runs in {wall:.1f} s; medians of one run:")
    for name in ("total_s", "train_s", "compile_s", "evaluate_s"):
        print(f"  {name:10s} {statistics.median(t[name] for t in times):.3f} s")
    rest = [t["total_s"] - t["train_s"] - t["compile_s"] - t["evaluate_s"] for t in times]
    print(f"  {'rest':10s} {statistics.median(rest):.3f} s (building, loading the data)")
    per_run = wall * records[0]["environment"]["workers"] / len(records)
    outside = per_run - statistics.mean(t["total_s"] for t in times)
    print(f"  {'outside':10s} {outside:.3f} s (start of the sweep and of processes, writing files)")


def hydra_s() -> float:
    """Seconds that Hydra takes to compose one point twice."""
    from hydra import compose, initialize_config_dir

    import mnist_sweep  # noqa: F401  (makes the plugins known)
    from mnist_sweep.command import conf_directory

    with initialize_config_dir(str(conf_directory()), version_base="1.3"):
        began = time.perf_counter()
        for nodes in range(10):
            compose("config", overrides=[f"nodes={nodes + 1}", "data=digits"])
        return 2 * (time.perf_counter() - began) / 10


if __name__ == "__main__":
    main()
