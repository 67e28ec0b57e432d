"""Records of real shape for tests: simulated predictions and their metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_sweep.analysis.uncertainty import select_with_uncertainty
from mnist_sweep.records import study_file
from mnist_sweep.records.paths import RunPaths, SweepPaths, label_and_run_id
from mnist_sweep.records.predictions import write_predictions
from mnist_sweep.records.record import SCHEMA_VERSION, Record, build
from mnist_sweep.records.store import write_json, write_record
from mnist_sweep.records.study_file import Stage, Study
from mnist_sweep.records.sweep import all_runs, load
from mnist_sweep.safe_files import sha256_of
from mnist_sweep.settings import RUN_KEYS, canonical, configuration_id, defaults, label, run_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

DATA_SHA256 = "d" * 64
BUNDLED_NOTICE = (
    "scikit-learn's bundled digits stand in for MNIST: 1,797 real handwritten 8x8 digits."
)
REPLICATES = 300
"""Of the images, in studies made here: enough for tests."""
CONFUSABLE = {2: 7, 3: 5, 4: 9, 5: 3, 7: 9, 8: 3, 9: 4}
"""A wrong prediction of a simulated network is most often this class."""


@dataclass
class Made:
    """A simulated run: its record's values, and its predictions (None if it did not finish)."""

    values: dict[str, Any]
    arrays: dict[str, NDArray[Any]] | None = field(repr=False, default=None)

    @property
    def record(self) -> Record:
        return build(self.values)

    @property
    def directory_name(self) -> str:
        return f"{self.values['label']}-{self.values['run_id']}"


def make_settings(**changes: Any) -> dict[str, Any]:
    """All settings of a run at their defaults but for `changes` (nested mappings are merged)."""
    settings = {key: value for key, value in defaults().items() if key in RUN_KEYS}
    for key, value in changes.items():
        known = settings.get(key)
        settings[key] = {**known, **value} if isinstance(known, dict) else value
    settings.setdefault(
        "model",
        {
            "_target_": "mnist_sweep.training.model.mlp",
            **{k: settings[k] for k in ("layers", "nodes", "dropout", "activation")},
        },
    )
    return settings


def simulate(
    rng: np.random.Generator,
    true: NDArray[np.uint8],
    accuracy: float | Iterable[float],
    classes: int = 10,
) -> NDArray[np.uint8]:
    """Predictions right with probability `accuracy` (one, or one per class); (n,) uint8."""
    right = np.broadcast_to(np.asarray(accuracy, float), (classes,))[true]
    other = (true + rng.integers(1, classes, true.size)) % classes
    usual = np.array([CONFUSABLE.get(k, (k + 1) % classes) % classes for k in range(classes)])
    wrong = np.where(rng.random(true.size) < 0.7, usual[true], other)
    return np.where(rng.random(true.size) < right, true, wrong).astype(np.uint8)


def split_metrics(
    true: NDArray[np.uint8], predicted: NDArray[np.uint8], loss: float, classes: int = 10
) -> dict[str, Any]:
    """The record's metrics of one split; `tests/test_factories.py` has scikit-learn's beside them.

    Scikit-learn itself takes ten times as long as all else here.
    """
    labels = list(range(classes))
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (true, predicted), 1)
    hits, support, named = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    precision, recall = hits / np.maximum(named, 1), hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(support + named, 1)
    present = support > 0
    return {
        "loss": loss,
        "accuracy": float((true == predicted).mean()),
        "precision": float(precision[present].mean()),
        "recall": float(recall[present].mean()),
        "f1": float(f1[present].mean()),
        "f1_min": float(f1[present].min()),
        "per_class": [
            {
                "label": k,
                "precision": float(precision[k]),
                "recall": float(recall[k]),
                "f1": float(f1[k]),
                "support": int(support[k]),
            }
            for k in labels
        ],
        "confusion": confusion.tolist(),
    }


def make_run(
    *,
    status: str = "finished",
    accuracy: float | Iterable[float] = 0.97,
    simulation_seed: int | None = None,
    n_test: int = 1000,
    n_validation: int = 600,
    classes: int = 10,
    bundled: bool = False,
    error: Mapping[str, Any] | None = None,
    train_s: float | None = None,
    **settings: Any,
) -> Made:
    """One run with settings `settings` (layers=2, nodes=300, seed=1, …) and simulated predictions.

    Args:
        status: finished, failed or diverged.
        accuracy: Of the simulated network on test and validation; one, or one per class.
        simulation_seed: Of the simulated predictions; None derives it from the run id.
        n_test: Examples of the test split.
        n_validation: Examples of the validation split.
        classes: Number of classes.
        bundled: The data are the bundled digits standing in for MNIST.
        error: The record's error; None makes a usual one for a run that did not finish.
        train_s: Seconds of training; None derives it from the network's size.
        **settings: Keys of `mnist_sweep.settings.Settings`.
    """
    config = make_settings(**settings)
    sha256 = "b" * 64 if bundled else DATA_SHA256
    deciding = {
        "sha256": sha256, "validation_fraction": 0.1, "split_seed": 0, "test_fraction": None,
    }  # fmt: skip
    form = canonical(config, deciding)
    epochs = int(config["epochs"])
    rng = np.random.default_rng(
        int(run_id(form), 16) if simulation_seed is None else simulation_seed
    )
    finished = status == "finished"
    parameters = (
        784 * config["nodes"] + config["nodes"] * config["nodes"] * (config["layers"] - 1) + 10
    )
    loss = (0.4 * 0.75 ** np.arange(epochs)).tolist()
    seconds = train_s if train_s is not None else epochs * parameters / 5e5
    values: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id(form),
        "configuration_id": configuration_id(form),
        "label": label(config),
        "status": status,
        "config": config,
        "data": {
            "name": "digits" if bundled else "mnist",
            "source": "scikit-learn load_digits" if bundled else "Keras cache",
            "sha256": sha256,
            "shape": [8, 8] if bundled else [28, 28],
            "classes": classes,
            "scale": 16.0 if bundled else 255.0,
            "n_train": n_validation * 9,
            "n_validation": n_validation,
            "n_test": n_test,
            "notice": BUNDLED_NOTICE if bundled else None,
        },
        "parameters": parameters if finished else None,
        "history": {"loss": loss, "accuracy": [1 - x for x in loss], "val_loss": loss,
                    "val_accuracy": [1 - x for x in loss]} if finished else {},
        "metrics": None,
        "time": None,
        "environment": {
            "python": "3.11.9", "tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.4.6",
            "hydra": "1.3.8", "mnist_sweep": "0.1.0", "git_sha": "a" * 40, "git_dirty": False,
            "cpu": "a processor", "threads": 1, "workers": 1, "device": "CPU",
            "started_at": "2026-01-02T03:04:05+00:00",
        },
        "error": None,
    }  # fmt: skip
    if not finished:
        values["error"] = error or (
            {"type": "Diverged", "message": "the loss was nan in epoch 3", "traceback": None}
            if status == "diverged"
            else {"type": "MemoryError", "message": "out of memory", "traceback": "Traceback …"}
        )
        if status == "diverged":
            values["history"] = {"loss": [2.0, 3.0, None]}
        return Made(values)
    arrays: dict[str, NDArray[Any]] = {}
    metrics: dict[str, Any] = {"train": {"loss": loss[-1] / 10, "accuracy": 0.9995}}
    for split, n in (("validation", n_validation), ("test", n_test)):
        # The labels are the data's own: the same in every run.
        true = np.random.default_rng(n).permutation(np.arange(n) % classes).astype(np.uint8)
        predicted = simulate(rng, true, accuracy, classes)
        arrays[f"{split}_true"] = true
        arrays[f"{split}_predicted"] = predicted
        arrays[f"{split}_probability"] = rng.uniform(0.5, 1, n).astype(np.float16)
        metrics[split] = split_metrics(true, predicted, 0.1, classes)
    arrays["validation_index"] = np.arange(n_validation, dtype=np.int32) * 10
    arrays["data_sha256"] = np.array(sha256, dtype="<U64")
    values["metrics"] = metrics
    values["time"] = {
        "compile_s": 0.7, "train_s": seconds, "evaluate_s": 0.2, "total_s": seconds + 0.9,
        "epoch_s": [seconds / epochs] * epochs,
    }  # fmt: skip
    return Made(values, arrays)


def write_run(run: Made, directory: Path) -> Path:
    """Write a run's record and predictions into its own directory; a network may lie there."""
    paths = RunPaths(directory)
    if run.arrays is not None:
        write_predictions(paths.predictions, run.arrays)
    hashes = {path.name: sha256_of(path) for path in paths.artefacts if path.exists()}
    write_record(paths.record, {**run.values, "artefacts": hashes})
    return directory


def run_directories(sweep: Path) -> dict[str, Path]:
    """Run id -> the run's directory."""
    return {label_and_run_id(one.name)[1]: one for one in (sweep / "runs").iterdir()}


def write_sweep(directory: Path, runs: Iterable[Made], missing: Iterable[Made] = ()) -> Path:
    """Write a sweep's directory: its plan over all runs, the records of `runs` only."""
    paths = SweepPaths(directory)
    made, absent = list(runs), list(missing)
    points = [
        {
            "run_id": run.values["run_id"],
            "label": run.values["label"],
            "overrides": run.values["label"].split(","),
        }
        for run in made + absent
    ]
    invocation = {
        "at": "2026-01-02T03:04:05+00:00", "overrides": [], "varying": ["layers", "nodes"],
        "data": {}, "versions": {}, "git": {"sha": None, "dirty": None}, "points": points,
    }  # fmt: skip
    plan = {"schema_version": 1, "name": directory.name, "invocations": [invocation]}
    write_json(paths.sweep_json, plan)
    for run in made:
        write_run(run, paths.run(run.values["label"], run.values["run_id"]).directory)
    return directory


def runs_table(directory: Path, runs: Iterable[Made], missing: Iterable[Made] = ()) -> Any:
    """Write a sweep's directory and read its runs table, a DataFrame."""
    return all_runs([load(write_sweep(directory, runs, missing))])


def reference_grid(seeds: Iterable[int] = (0,), **more: Any) -> list[Made]:
    """The report's four networks; of those with two layers, 300 nodes is the worst."""
    accuracy = {(1, 100): 0.975, (1, 300): 0.985, (2, 100): 0.972, (2, 300): 0.955}
    return [
        make_run(layers=layers, nodes=nodes, seed=seed, accuracy=value, **more)
        for (layers, nodes), value in accuracy.items()
        for seed in seeds
    ]


def write_study(
    directory: Path,
    repeats: int = 2,
    *,
    dropout: float = 0.2,
    changed: float = 0.97,
    split: str = "validation",
    **more: Any,
) -> Study:
    """Write a study's directory: the report's grid, its worst two-layer network, dropout.

    Args:
        directory: Where.
        repeats: Runs of every configuration; stage 2 has as many on fresh seeds, with controls.
        dropout: What stage 2 changes.
        changed: Accuracy of the changed networks.
        split: The split of the selection.
        **more: Of every run, see `make_run`.
    """
    grid = reference_grid(seeds=range(repeats), **more)
    write_sweep(directory, grid)
    selection = select_with_uncertainty(
        load(directory), ["layers=2"], "f1_min", replicates=REPLICATES, split=split,
        run_ids=[run.values["run_id"] for run in grid],
    )  # fmt: skip
    chosen = {key: selection.chosen.records[0].config[key] for key in ("layers", "nodes")}
    fresh = range(repeats, 2 * repeats)
    controls = [make_run(**chosen, seed=seed, accuracy=0.955, **more) for seed in fresh]
    made = [
        make_run(**chosen, dropout=dropout, seed=seed, accuracy=changed, **more) for seed in fresh
    ]
    write_sweep(directory, [*grid, *controls, *made])
    study = Study(
        replicates=REPLICATES,
        seeds=tuple(range(repeats)),
        stages=(
            Stage(
                name="grid",
                params={"layers": "1,2", "nodes": "100,300"},
                run_ids=tuple(run.values["run_id"] for run in grid),
                selection=selection.to_json(),
                status="done",
            ),
            Stage(
                name="dropout",
                of="grid",
                params={"dropout": str(dropout)},
                run_ids=tuple(run.values["run_id"] for run in made),
                control_run_ids=tuple(run.values["run_id"] for run in controls),
                changed={made[0].values["configuration_id"]: {"dropout": dropout}},
                status="done",
            ),
        ),
    )
    study_file.write_study(directory, study)
    return study
