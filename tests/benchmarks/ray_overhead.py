"""What Ray costs a run beside the pool, and what travels.

    python tests/benchmarks/ray_overhead.py [--runs 20] [--rounds 5] [--mnist FOLDER]

The same tiny runs on the bundled digits, one worker, by the pool and by a Ray started on this
machine, in turn. Between two starts of runs lie the run itself and what handing over costs; its
median over a sweep's runs is one figure, the pairs of a round give the difference. Beside it the
seconds from the command to the first run's start. Then bytes: of a job, of what comes back, of the
code, and of the data, which a node fetches once; with `--mnist` of networks and data of real size.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import mnist_sweep
from mnist_sweep import settings as schema
from mnist_sweep.data import DatasetInfo, prepare
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.sweeping.launch.job import Job
from mnist_sweep.sweeping.launch.on_ray import node
from mnist_sweep.sweeping.plan.environment import describe
from mnist_sweep.sweeping.plan.points import identify
from support.real_sweeps import Place

WAYS = {"pool": [], "ray": ["hydra/launcher=ray"]}


def sweep(place: Place, name: str, words: Sequence[str]) -> tuple[list[dict[str, Any]], float]:
    """Run a sweep; its records in the order of their starts, and when the command was given."""
    began = time.time()
    ended = place.run("-m", "report=false", f"name={name}", *words)
    if ended.code:
        raise SystemExit(ended.err)
    records = list(place.records(name).values())
    return sorted(records, key=lambda record: record["environment"]["started_at"]), began


def starts(records: list[dict[str, Any]]) -> list[float]:
    """When the runs started, seconds."""
    return [
        datetime.fromisoformat(record["environment"]["started_at"]).timestamp()
        for record in records
    ]


def between(records: list[dict[str, Any]]) -> float:
    """The median of the seconds between a run's end and the next one's start."""
    moments = starts(records)
    ends = [at + record["time"]["total_s"] for at, record in zip(moments, records, strict=True)]
    return statistics.median(b - a for a, b in zip(ends, moments[1:], strict=False))


def times(place: Place, runs: int, rounds: int) -> None:
    """Measure and print what a run costs beside itself."""
    words = ["data=digits", "nodes=4", "epochs=1", "n_jobs=1", f"seed=range(0,{runs})"]
    sweep(place, "warm", [*words[:-1], "seed=0"])
    found: dict[str, list[tuple[float, float, float]]] = {way: [] for way in WAYS}
    for number in range(rounds):
        # In turn, and the other way round the next time.
        for way in sorted(WAYS, reverse=bool(number % 2)):
            records, began = sweep(place, f"{way}-{number}", [*words, *WAYS[way]])
            run_s = statistics.median(record["time"]["total_s"] for record in records)
            found[way].append((between(records), starts(records)[0] - began, run_s))
    for way, figures in found.items():
        gap, first, run_s = (statistics.median(column) for column in zip(*figures, strict=True))
        print(
            f"{way}: {gap * 1000:.0f} ms between two runs of {run_s:.2f} s, "
            f"{first:.1f} s to the first"
        )
    pairs = [b[0] - a[0] for a, b in zip(found["pool"], found["ray"], strict=True)]
    spread = f"{min(pairs) * 1000:+.0f} to {max(pairs) * 1000:+.0f}"
    print(f"ray against pool: {statistics.median(pairs) * 1000:+.0f} ms a run ({spread})")


def sizes(place: Place, info: DatasetInfo, words: Sequence[str], name: str) -> None:
    """Measure and print what travels for a run, and for a node."""
    from ray import cloudpickle

    [record], _ = sweep(place, name, words)
    settings = {**schema.defaults(), **record["config"], "name": name}
    point = identify(settings, list(words), info)
    job = Job(point, info, place.directory(name), describe())
    files = node.files_of(RunPaths(place.directory(name) / "runs" / _only(place, name)))
    answer = node.TaskResult(None, files=files)
    print(f"{record['label']} on {info.name}:")
    print(f"  a job: {len(cloudpickle.dumps(job)):,} bytes out")
    kinds = ", ".join(f"{kind} {len(content):,}" for kind, content in files.items())
    print(f"  its result: {len(cloudpickle.dumps(answer)):,} bytes back ({kinds})")
    packed = len(cloudpickle.dumps(node.pack(info)))
    print(f"  data: {packed:,} bytes to a node that has not got them, once")


def _only(place: Place, name: str) -> str:
    [directory] = (place.directory(name) / "runs").iterdir()
    return directory.name


def code_bytes() -> int:
    """This program's code as an archive."""
    buffer = io.BytesIO()
    package = Path(mnist_sweep.__file__).parent
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in package.rglob("*"):
            if "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(package.parent))
    return len(buffer.getvalue())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mnist")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ray-overhead-") as folder:
        place = Place(Path(folder), Path(folder) / "cache")
        times(place, options.runs, options.rounds)
        environ = {"MNIST_SWEEP_CACHE": str(place.cache)}
        print(f"code: {code_bytes():,} bytes to a node, once a sweep")
        data = {**schema.defaults()["data"], "name": "digits"}
        words = ["data=digits", "nodes=4", "epochs=1", "seed=0"]
        sizes(place, prepare(data, environ), words, "digits-bytes")
        if options.mnist:
            environ["MNIST_SWEEP_DATA"] = place.changes["MNIST_SWEEP_DATA"] = options.mnist
            os.environ["MNIST_SWEEP_DATA"] = options.mnist
            info = prepare({**data, "name": "mnist"}, environ)
            for layers, nodes in ((1, 100), (2, 300)):
                words = ["data=mnist", f"layers={layers}", f"nodes={nodes}", "epochs=20", "seed=0"]
                sizes(place, info, words, f"mnist-{layers}-{nodes}")
        print(json.dumps({"runs": options.runs, "rounds": options.rounds}))


if __name__ == "__main__":
    main()
