"""One side of a comparison: the runs of a directory, ours or not, in one form."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.collect import collect
from mnist_sweep.records.fields import Flat, flat, flat_settings
from mnist_sweep.settings import MLP_KEYS, MLP_TARGET, MOMENTUM_OPTIMIZERS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mnist_sweep.records.record import Record

SUMMARIES = ("accuracy", "f1", "f1_min", "precision", "recall")
"""Metrics of all classes together that predictions give, in the order they are told."""

_UNDECIDING = (
    "seed", "save_model", "model", "data.name", "data.path", "data.sha256",
    "data.download_timeout_s",
)  # fmt: skip
_TIMES = ("compile_s", "train_s", "evaluate_s", "total_s", "epoch_s")
_MACHINE = ("cpu", "threads", "workers", "device")
_CODE = ("git_sha", "git_dirty", "mnist_sweep", "python", "tensorflow", "keras", "numpy", "hydra")
BUSY = 2.0
"""An epoch this many times as long as the median one tells of a machine that did other work."""
_WARM_UP_EPOCHS = 1
_FEWEST_EPOCHS = 4
_BUSY_S = 0.2
"""Below so many seconds an epoch's time says nothing of the machine's load."""


@dataclass(frozen=True)
class ComparedRun:
    """One finished run as comparisons see it.

    Attributes:
        label: Its readable name.
        seed: None where it has none.
        settings: All settings that decide its result but the seed; nested ones dotted.
        data: What it was evaluated on, by name (`sha256`, `n_test`, …).
        values: Metric -> value on the split compared; None where there is none.
        lower_is_better: The metrics of which less is better.
        times: Part -> seconds, and `peak_memory_mb`.
        machine: CPU, threads, workers, device, and whether the machine was busy.
        code: Commit and versions.
        confusion: (classes, classes) examples by true and predicted class, or None.
        directory: Where its predictions are; None if it keeps none that we can read.
    """

    label: str
    seed: int | None
    settings: Flat
    data: Flat
    values: Mapping[str, float | None]
    lower_is_better: frozenset[str] = frozenset({"loss"})
    times: Flat = field(default_factory=dict)
    machine: Flat = field(default_factory=dict)
    code: Flat = field(default_factory=dict)
    confusion: tuple[tuple[int, ...], ...] | None = None
    directory: Path | None = None


@dataclass(frozen=True)
class Side:
    """A directory's runs: those that finished, and a line for everything that did not."""

    name: str
    directory: Path
    split: str
    runs: tuple[ComparedRun, ...]
    unfinished: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def load_side(directory: Path, split: str = "test") -> Side:
    """Read a sweep's or a run's directory.

    Raises:
        DirectoryError: It does not exist, holds nothing of ours, or no run of it finished.
    """
    found = collect(directory)
    runs = [
        _run(run.record, run.directory or directory, split)
        for run in found.runs
        if run.status == "finished"
    ]
    unfinished = [
        f"{run.label}: {run.status}: {': '.join(run.error)}"
        for run in found.runs
        if run.error is not None
    ]
    unfinished += [f"{point.label}: {point.reason}" for point in found.missing]
    problems = [str(problem) for problem in found.problems]
    if not runs:
        reasons = "; ".join([*problems, *unfinished][:3]) or "it holds none"
        raise DirectoryError(
            f"Expected at least one finished run in {directory}, but: {reasons}. "
            "Run the sweep's command again."
        )
    name = directory.name or str(directory)
    return Side(name, directory, split, tuple(runs), tuple(unfinished), tuple(problems))


def deciding(config: Mapping[str, Any]) -> Flat:
    """The flat settings that have a say in a run's result, without the seed.

    Settings that the others make meaningless (momentum of adam) are left out, as in the run id.
    """
    settings = flat_settings(config)
    target = settings.get("model._target_")
    doubled = [f"model.{key}" for key in MLP_KEYS] + ["model._target_"]
    left_out = {*_UNDECIDING, *(doubled if target == MLP_TARGET else MLP_KEYS)}
    if settings.get("schedule") == "constant":
        left_out.add("schedule_end")
    if settings.get("optimizer") not in MOMENTUM_OPTIMIZERS:
        left_out.add("momentum")
    if not settings.get("early_stopping.patience"):
        left_out |= {key for key in settings if key.startswith("early_stopping.")}
    if settings.get("trainer.name") != "fit":
        left_out |= {"trainer.jit_compile", "trainer.steps_per_execution"}
    return {key: value for key, value in settings.items() if key not in left_out}


def _run(record: Record, directory: Path, split: str) -> ComparedRun:
    row = flat(record)
    metrics = getattr(record.metrics, split)
    classes = range(len(metrics.per_class))
    times = {name: row[f"time.{name}"] for name in _TIMES}
    times["peak_memory_mb"] = record.environment.peak_memory_mb
    machine = {name: row[f"environment.{name}"] for name in _MACHINE}
    machine["busy"] = _was_busy(record)
    return ComparedRun(
        label=record.label,
        seed=record.seed,
        settings=deciding(record.config),
        data={name: row[f"dataset.{name}"] for name in ("name", "sha256", f"n_{split}")},
        values={name: row[f"{split}.{name}"] for name in (*SUMMARIES, "loss")}
        | {f"f1.{k}": row[f"{split}.f1.{k}"] for k in classes},
        times=times,
        machine=machine,
        code={name: row[f"environment.{name}"] for name in _CODE},
        confusion=tuple(tuple(row) for row in metrics.confusion),
        directory=directory,
    )


def _was_busy(record: Record) -> bool:
    """Whether some epoch took much longer than most, which only another load explains.

    The first epoch may compile and load, and so does not count.
    """
    epochs = record.time.epoch_s[_WARM_UP_EPOCHS:] if record.time else []
    if len(epochs) < _FEWEST_EPOCHS or median(epochs) < _BUSY_S:
        return False
    return max(epochs) > BUSY * median(epochs)
