"""kill -9 of sweeps at random moments, on the pool and on Ray, repeated until they are done.

    python tests/benchmarks/kills.py [--kills 500] [--launchers pool,ray] [--seed 1]
        [--sizes 6,12,24] [--pause 2] [--networks]

In sweeps of 6, 12 and 24 runs: of a task that writes predictions and a file, or (`--networks`) of
tiny networks on the bundled digits, whose TensorFlow needs ten times the processor time. Each kill
hits the whole process group, the driving process alone, or one of the other processes: a worker, a
fork server, a process of Ray. After every death of the driver, all finished records must be as they
were, bit by bit. At a sweep's end no run may have begun when its record was there (by the builder's
own log), and its tables must be those of an undisturbed sweep on the pool, but for times.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import nullcontext, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import real_sweeps
from support.ray_cluster import cluster_of_two, on_cluster
from support.real_sweeps import Place, kill_group, table, until

VICTIMS = ("group", "driver", *["other"] * 6)
TASK = """
import os, time
import numpy as np
def run(directory, seed=0):
    log = os.open(os.environ["TROUBLE_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(log, f"task,0,{seed} {os.getpid()} {time.time()}\\n".encode())
    os.close(log)
    time.sleep(0.1 + seed % 5 / 5)
    (directory / "seed.txt").write_text(str(seed))
    true = np.arange(600) % 3
    predicted = np.where(np.arange(600) % (seed + 2), true, 0)
    return {"rmse": 1 / (seed + 1), "predictions": (true, predicted)}
"""


def main() -> None:
    """Kill, start again, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--launchers", default="pool,ray")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sizes", default="6,12,24", help="runs of a sweep")
    parser.add_argument("--pause", type=float, default=2, help="seconds to a kill, at most")
    parser.add_argument("--networks", action="store_true")
    options = parser.parse_args()
    launchers = options.launchers.split(",")
    sizes = [int(size) for size in options.sizes.split(",")]
    real_sweeps.GUARD_S = 1200  # the machine may be busy
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  (else Ray's runs starve)
    moments = random.Random(options.seed)
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        place = Place(Path(scratch), Path(scratch) / "cache")
        (place.path / "modules" / "killed.py").write_text(TASK)

        def command(size: int, *more: str) -> list[str]:
            words = (f"seed=range(0,{size})", "report=false", "n_jobs=6", "retries=3", *more)
            if options.networks:
                return place.sweep_words("epochs=1", *words)
            return ["-m", "task._target_=killed.run", *words]

        wholes = {}
        for size in sizes:
            ended = place.run(*command(size, f"name=whole{size}"))
            if ended.code:
                raise SystemExit(f"an undisturbed sweep failed:\n{ended.out}\n{ended.err}")
            wholes[size] = table(place, f"whole{size}")
        for launcher in launchers:
            counts: Counter[str] = Counter()
            with cluster_of_two(place.cache) if launcher == "ray" else nullcontext() as cluster:
                words = on_cluster(cluster, place) if cluster else []
                words += ["hydra.launcher.num_cpus=0.3"] * bool(cluster)
                while counts["kills"] < options.kills / len(launchers):
                    size = moments.choice(sizes)
                    name = f"{launcher}{counts['sweeps']}"
                    counts += one_sweep(
                        place, command(size, f"name={name}", *words), name, size, moments,
                        options.pause,
                    )  # fmt: skip
                    counts["tables that differ"] += table(place, name) != wholes[size]
                    print(launcher, dict(counts), flush=True)
                until(place.gone, "for all processes to end")
            total += counts
            print(f"{launcher}: {counts['kills']} kills in {counts['sweeps']} sweeps", flush=True)
    bad = {key: n for key, n in total.items() if n and key not in ("kills", "sweeps", *VICTIMS)}
    print(f"{total['kills']} kills, {total['sweeps']} sweeps; wrong: {bad or 'nothing'}")
    raise SystemExit(bool(bad))


def one_sweep(
    place: Place, command: list[str], name: str, size: int, moments: random.Random, pause: float
) -> Counter[str]:
    """Kill a sweep until all its runs are finished, then run it once to its end."""
    counts: Counter[str] = Counter(sweeps=1)
    (place.path / "trouble.log").unlink(missing_ok=True)
    known: dict[str, tuple[int, int, bytes]] = {}
    while len(known) < size:
        process = place.start(*command)
        begun = len(place.executions())
        if moments.random() < 0.8:  # else while it prepares
            until(lambda p=process, n=begun: p.poll() is not None or len(place.executions()) > n)
        while process.poll() is None:
            time.sleep(moments.uniform(0, pause))
            victim = moments.choice(VICTIMS)
            if victim == "group":
                kill_group(process)
            elif victim == "driver":
                process.kill()
                process.communicate()
            elif others := sorted(place.processes().keys() - {process.pid}):
                with suppress(ProcessLookupError):
                    os.kill(moments.choice(others), signal.SIGKILL)
            counts[victim] += 1
            counts["kills"] += 1
        process.communicate()
        found = place.record_files(name)
        counts["lost or changed"] += sum(found.get(run) != value for run, value in known.items())
        known = found
        print(f"  {name}: {counts['kills']} kills, {len(known)} of {size} finished", flush=True)
    ended = place.run(*command)
    counts["exit codes other than 0"] += ended.code != 0
    found = place.record_files(name)
    counts["lost or changed"] += sum(found.get(run) != value for run, value in known.items())
    counts["begun though recorded"] += begun_again(place, name)
    counts["temporary files left"] += len(list(place.directory(name).rglob("*.partial")))
    return counts


def begun_again(place: Place, name: str) -> int:
    """How many runs of the last sweep were begun when their record was there."""
    recorded = {
        record["config"]["seed"]: (
            place.directory(name) / "runs" / f"{record['label']}-{record['run_id']}" / "record.json"
        ).stat().st_mtime
        for record in place.records(name).values()
    }  # fmt: skip
    return sum(moment > recorded[int(who.split(",")[2])] for who, _, moment in place.executions())


if __name__ == "__main__":
    main()
