"""Time and memory of a submission: a Digit-Recognizer-shaped CSV of 28,000 rows.

    python tests/benchmarks/predict_submission.py RUN MNIST_FOLDER [ROWS]

RUN is a finished run's directory, MNIST_FOLDER has the IDX files; the CSV repeats the test images.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

from mnist_sweep.data.readers import idx

ROWS = 28_000


def write_csv(path: Path, images: np.ndarray) -> None:
    """Images as `pixel0,…` lines; the header as Digit Recognizer's test.csv has it."""
    flat = images.reshape(len(images), -1)
    header = ",".join(f"pixel{i}" for i in range(flat.shape[1]))
    lines = (",".join(map(str, row)) for row in flat.tolist())
    path.write_text("\n".join([header, *lines]) + "\n")


def main(run: str, folder: str, rows: int = ROWS) -> None:
    """Measure one prediction in a process of its own, start-up included."""
    images = np.asarray(idx.read(Path(folder))[1].images)  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory() as scratch:
        source, output = Path(scratch) / "test.csv", Path(scratch) / "submission.csv"
        write_csv(source, np.resize(images, (rows, *images.shape[1:])))
        started = perf_counter()
        words = ["-m", "mnist_sweep", "predict", run, str(source), "-o", str(output)]
        done = subprocess.run([sys.executable, *words], check=True, capture_output=True, text=True)
        seconds = perf_counter() - started
        lines = output.read_text().count("\n")
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        megabytes, computing = usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime
        print(done.stdout, end="")
        print(
            f"{rows:,} rows, {source.stat().st_size / 2**20:.1f} MiB of CSV: {seconds:.1f} s "
            f"({computing:.1f} s of a core), {megabytes:.0f} MiB at most, "
            f"{lines - 1:,} rows of submission"
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
