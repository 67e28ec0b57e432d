"""Sweep directories of very many records, and what reading them costs.

    python tests/benchmarks/many_records.py make DIR --records 100000 [--seeds 10] [--predictions]
    python tests/benchmarks/many_records.py measure [--records 10000 100000] [--scratch DIR]

`make` writes records as the program writes them (20 epochs, confusion matrices, all classes; about
7 kB each), whose metrics are those of simulated predictions on 10,000 test and 6,000 validation
images; with `--predictions` these are written too. `measure` prints seconds and peak memory of the
commands: cold (no cache yet), again, and again after ten new runs, each in a process of its own.
The files are in the page cache all the time, so what is measured is the program and not the disk.
From two sizes it extrapolates to a million runs.
"""

from __future__ import annotations

import argparse
import copy
import io
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from mnist_sweep.records.paths import RunPaths, SweepPaths
from mnist_sweep.records.store import sealed
from mnist_sweep.safe_files import sha256_of
from mnist_sweep.settings import canonical, configuration_id, label, run_id
from support.factories import DATA_SHA256, make_run

TEST, VALIDATION, CLASSES, EPOCHS = 10_000, 6_000, 10, 20
DECIDING = {
    "sha256": DATA_SHA256, "validation_fraction": 0.1, "split_seed": 0, "test_fraction": None,
}  # fmt: skip
COMMANDS = {
    "table": ["table"],
    "table as CSV": ["table", "--format", "csv"],
    "best": ["best"],
    "worst": ["worst"],
}
MILLION = 1_000_000


def main() -> None:
    """Make or measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make")
    make.add_argument("directory", type=Path)
    make.add_argument("--records", type=int, default=1000)
    make.add_argument("--first", type=int, default=0, help="number of the first one")
    make.add_argument("--seeds", type=int, default=1)
    make.add_argument("--predictions", action="store_true")
    parts = commands.add_parser("measure")
    parts.add_argument("--records", type=int, nargs="+", default=[10_000, 100_000])
    parts.add_argument("--seeds", type=int, default=1)
    parts.add_argument("--scratch", type=Path)
    options = parser.parse_args()
    if options.command == "make":
        began = time.perf_counter()
        write_many(
            options.directory, options.records, first=options.first, seeds=options.seeds,
            predictions=options.predictions,
        )  # fmt: skip
        print(f"{options.records:,} records in {time.perf_counter() - began:.1f} s")
    else:
        measure(options.records, options.seeds, options.scratch)


# --- making ---------------------------------------------------------------------------------------


def points(seeds: int) -> Iterator[dict[str, Any]]:
    """Settings of a grid without end, seeds first."""
    for nodes in itertools.count(10):
        for rate, layers, dropout in itertools.product(
            (0.0003, 0.001, 0.003, 0.01, 0.03), (1, 2), (0.0, 0.1, 0.2, 0.3, 0.5)
        ):
            for seed in range(seeds):
                yield {
                    "layers": layers, "nodes": nodes, "dropout": dropout, "learning_rate": rate,
                    "seed": seed,
                }  # fmt: skip


def write_many(
    directory: Path, count: int, *, first: int = 0, seeds: int = 1, predictions: bool = False
) -> None:
    """Write `count` runs, from the grid's point number `first` on, and the plan's invocation."""
    paths = SweepPaths(directory)
    template = make_run(epochs=EPOCHS, n_test=TEST, n_validation=VALIDATION).values
    true = {n: np.sort(np.arange(n) % CLASSES).astype(np.uint8) for n in (TEST, VALIDATION)}
    planned = []
    for settings in itertools.islice(points(seeds), first, first + count):
        values = copy.copy(template)
        own = {k: settings[k] for k in ("layers", "nodes", "dropout")}
        model = {**template["config"]["model"], **own}
        values["config"] = {**template["config"], **settings, "model": model}
        form = canonical(values["config"], DECIDING)
        values["run_id"], values["label"] = run_id(form), label(values["config"])
        values["configuration_id"] = configuration_id(form)
        rng = np.random.default_rng(int(values["run_id"], 16))
        wrong = _error_rate(settings)
        found = {n: _simulated(rng, one, wrong) for n, one in true.items()}
        values["metrics"] = {
            "train": {"loss": wrong / 10, "accuracy": 1 - wrong / 10},
            "test": _metrics(true[TEST], found[TEST]),
            "validation": _metrics(true[VALIDATION], found[VALIDATION]),
        }
        seconds = settings["layers"] * settings["nodes"] / 20 + float(rng.random())
        values["time"] = {**template["time"], "train_s": seconds, "total_s": seconds + 0.9}
        place = paths.run(values["label"], values["run_id"])
        place.directory.mkdir(parents=True)
        if predictions:
            place.predictions.write_bytes(_npz(found, true))
            values["artefacts"] = {place.predictions.name: sha256_of(place.predictions)}
        temporary = place.directory / ".record.json"
        temporary.write_text(sealed(values))
        temporary.rename(place.record)
        overrides = [f"{key}={value}" for key, value in settings.items()]
        planned.append(
            {"run_id": values["run_id"], "label": values["label"], "overrides": overrides}
        )
    plan: dict[str, Any] = {"schema_version": 1, "name": directory.name, "invocations": []}
    if paths.sweep_json.exists():
        plan = json.loads(paths.sweep_json.read_bytes())
    plan["invocations"].append({"at": "2026-01-02T03:04:05+00:00", "points": planned})
    paths.sweep_json.write_text(json.dumps(plan))


def _error_rate(settings: dict[str, Any]) -> float:
    rate = abs(np.log10(settings["learning_rate"]) + 3) * 0.01
    return float(0.018 + 0.25 / settings["nodes"] + rate + 0.01 * settings["dropout"] ** 2)


def _simulated(rng: np.random.Generator, true: Any, wrong: float) -> Any:
    """Predictions with errors at random places, more of them in the higher classes."""
    predicted = true.copy()
    rows = rng.integers(len(true), size=rng.binomial(len(true), wrong))
    predicted[rows] = (true[rows] + rng.integers(1, CLASSES, len(rows))) % CLASSES
    return predicted


def _metrics(true: Any, predicted: Any) -> dict[str, Any]:
    """As `training.evaluate` computes them, without scikit-learn's checks."""
    counts = np.bincount(true.astype(np.intp) * CLASSES + predicted, minlength=CLASSES**2)
    confusion = counts.reshape(CLASSES, CLASSES)
    hits, support, named = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    precision, recall, f1 = (
        hits / np.maximum(named, 1),
        hits / support,
        2 * hits / (support + named),
    )
    return {
        "loss": float(1 - hits.sum() / len(true)) * 4,
        "accuracy": float(hits.sum() / len(true)),
        "precision": float(precision.mean()), "recall": float(recall.mean()),
        "f1": float(f1.mean()), "f1_min": float(f1.min()),
        "per_class": [
            {"label": k, "precision": p, "recall": r, "f1": f, "support": n}
            for k, (p, r, f, n) in enumerate(
                zip(precision.tolist(), recall.tolist(), f1.tolist(), support.tolist(), strict=True)
            )
        ],
        "confusion": confusion.tolist(),
    }  # fmt: skip


def _npz(predicted: dict[int, Any], true: dict[int, Any]) -> bytes:
    file = io.BytesIO()
    arrays = {"data_sha256": np.array(DATA_SHA256, dtype="<U64")}
    for name, n in (("test", TEST), ("validation", VALIDATION)):
        arrays[f"{name}_true"], arrays[f"{name}_predicted"] = true[n], predicted[n]
        arrays[f"{name}_probability"] = np.full(n, 0.9, np.float16)
    arrays["validation_index"] = np.arange(VALIDATION, dtype=np.int32)
    # The fastest level: making them is no part of what is measured.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return file.getvalue()


# --- measuring ------------------------------------------------------------------------------------


def measure(sizes: list[int], seeds: int, scratch: Path | None) -> None:
    """Print what each command takes on sweeps of these sizes."""
    seconds: dict[str, list[float]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=scratch) as place:
            directory = Path(place) / "many"
            began = time.perf_counter()
            write_many(directory, size, seeds=seeds)
            total = sum(p.stat().st_size for p in directory.glob("runs/*/record.json"))
            print(f"{size:,} records, {total / 1e6:,.0f} MB, made in "
                  f"{time.perf_counter() - began:.0f} s")  # fmt: skip
            print(f"  reading the bytes alone: {_bytes_s(directory):.2f} s")
            SweepPaths(directory).cache.unlink(missing_ok=True)
            # A record that was written in the last seconds is not cached yet.
            time.sleep(3)
            for moment in ("cold", "again"):
                for name, words in COMMANDS.items():
                    wall, mb = _run(words, directory)
                    print(f"  {moment:16s} {name:14s} {wall:7.2f} s {mb:7,.0f} MB")
                    seconds.setdefault(f"{moment} {name}", []).append(wall)
            for number, (name, words) in enumerate(COMMANDS.items()):
                write_many(directory, 10, first=size + 10 * number, seeds=seeds)
                wall, mb = _run(words, directory)
                print(f"  {'after 10 new':16s} {name:14s} {wall:7.2f} s {mb:7,.0f} MB")
                seconds.setdefault(f"after 10 new {name}", []).append(wall)
            print(f"  cache: {SweepPaths(directory).cache.stat().st_size / 1e6:.1f} MB")
    if len(sizes) >= 2:
        print(f"{MILLION:,} records, on the straight line through the last two sizes:")
        for name, values in seconds.items():
            slope = (values[-1] - values[-2]) / (sizes[-1] - sizes[-2])
            print(f"  {name:30s} {values[-1] + slope * (MILLION - sizes[-1]):8.1f} s")


def _bytes_s(directory: Path) -> float:
    began = time.perf_counter()
    for entry in os.scandir(SweepPaths(directory).runs):
        RunPaths(entry.path).record.read_bytes()
    return time.perf_counter() - began


def _run(words: list[str], directory: Path) -> tuple[float, float]:
    """Seconds and peak memory, 2**20 bytes, of one command in a process of its own."""
    program = (
        "import re, sys\n"
        "from mnist_sweep.cli import main\n"
        "try:\n"
        f"    main({[words[0], str(directory), *words[1:]]!r})\n"
        "finally:\n"
        "    peak = re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1]\n"
        "    print('PEAK', peak, file=sys.stderr)\n"
    )
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    wall = time.perf_counter() - began
    return wall, int(done.stderr.rpartition("PEAK ")[2]) / 1024


if __name__ == "__main__":
    main()
