"""A hundred runs of fifty tiny networks on the bundled digits, against Hydra's joblib launcher.

Run by hand on a quiet machine, from the project's root:

    python tests/benchmarks/hundred_runs.py [--rounds 3] [--epochs 2] [--workers 2]

The other side is a Hydra program as people write it: `hydra/launcher=joblib`, Keras's `fit`, the
metrics by scikit-learn, a JSON file a run. Whole processes, in turn: that program, a sweep with
nothing compiled before (cold), and a sweep with the compiled programs of an earlier one (warm). The
ratios of each round are printed with their median.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = """
import json
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig

ConfigStore.instance().store("config", {"layers": 1, "nodes": 4, "seed": 0, "epochs": 2})


@hydra.main(version_base=None, config_name="config")
def main(cfg):
    import keras
    from sklearn.datasets import load_digits
    from sklearn.metrics import classification_report, confusion_matrix
    from sklearn.model_selection import train_test_split

    keras.utils.set_random_seed(cfg.seed)
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x / 16, y, test_size=0.2, random_state=0)
    hidden = [keras.layers.Dense(cfg.nodes, activation="relu") for _ in range(cfg.layers)]
    network = keras.Sequential([
        keras.Input((64,)), *hidden, keras.layers.Dense(10, activation="softmax")
    ])
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = network.fit(x_train, y_train, 32, cfg.epochs, validation_split=0.1, verbose=0).history
    predicted = network.predict(x_test, verbose=0).argmax(axis=1)
    folder = Path(HydraConfig.get().runtime.output_dir)
    network.save(folder / "model.keras")
    (folder / "result.json").write_text(json.dumps({
        "history": history,
        "report": classification_report(y_test, predicted, output_dict=True, zero_division=0),
        "confusion": confusion_matrix(y_test, predicted).tolist(),
    }))


main()
"""
GRID = ["layers=1,2", "nodes=range(4,29)", "seed=0,1"]


def seconds(command: list[str], folder: Path, pattern: str, **environ: str) -> float:
    """Wall-clock seconds of a command that must leave a hundred results."""
    started = time.perf_counter()
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    environment = {**os.environ, **quiet, **environ}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    wall = time.perf_counter() - started
    if (found := len(list(folder.glob(pattern)))) != 100:
        raise SystemExit(f"Expected 100 results, found {found}.")
    return wall


def ours(epochs: int, workers: int, cache: Path) -> float:
    """Seconds of our sweep."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            sys.executable, "-m", "mnist_sweep", "-m", "data=digits", *GRID, f"epochs={epochs}",
            f"n_jobs={workers}", "name=hundred",
        ]  # fmt: skip
        pattern = "outputs/hundred/runs/*/record.json"
        return seconds(command, Path(scratch), pattern, MNIST_SWEEP_CACHE=str(cache))


def plain(epochs: int, workers: int) -> float:
    """Seconds of the Hydra program with the joblib launcher."""
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "program.py"
        program.write_text(PROGRAM)
        command = [
            sys.executable, str(program), "-m", *GRID, f"epochs={epochs}",
            "hydra/launcher=joblib", f"hydra.launcher.n_jobs={workers}",
        ]  # fmt: skip
        return seconds(command, Path(scratch), "multirun/*/*/*/result.json")


def main() -> None:
    """Measure in turn and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    walls = []
    with tempfile.TemporaryDirectory() as kept:
        ours(options.epochs, options.workers, Path(kept))
        for _ in range(options.rounds):
            joblib = plain(options.epochs, options.workers)
            with tempfile.TemporaryDirectory() as fresh:
                cold = ours(options.epochs, options.workers, Path(fresh))
            warm = ours(options.epochs, options.workers, Path(kept))
            walls.append((joblib, cold, warm))
            print(
                f"joblib {joblib:.1f} s, cold {cold:.1f} s ({joblib / cold:.2f} times), "
                f"warm {warm:.1f} s ({joblib / warm:.2f} times)",
                flush=True,
            )
    joblib_s, cold_s, warm_s = (statistics.median(column) for column in zip(*walls, strict=True))
    ratios = [statistics.median(one[0] / one[place] for one in walls) for place in (1, 2)]
    print(
        f"median: joblib {joblib_s:.1f} s, cold {cold_s:.1f} s, warm {warm_s:.1f} s; "
        f"joblib / ours {ratios[0]:.2f} cold, {ratios[1]:.2f} warm"
    )


if __name__ == "__main__":
    main()
