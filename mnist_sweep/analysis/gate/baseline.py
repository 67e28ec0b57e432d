"""A baseline: what a later sweep is checked against, as a small file that can be committed.

In memory it is a runs table, whether it comes from a file or from a sweep's directory. The file
keeps every run's numbers and confusion matrices, which give the metrics of single classes, and no
predictions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from mnist_sweep.analysis.compare.sides import MACHINE
from mnist_sweep.analysis.gate.rules import Strict, costs
from mnist_sweep.analysis.where import plain_rows
from mnist_sweep.command import command
from mnist_sweep.errors import DirectoryError, listed
from mnist_sweep.metrics import HELD_OUT, Metric, counts_of, of_split, overall
from mnist_sweep.records.external.mapping import ResultMapping
from mnist_sweep.records.paths import without_seed
from mnist_sweep.records.reading import reason
from mnist_sweep.records.record import Record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.store import write_text
from mnist_sweep.records.sweep import Sweep, load
from mnist_sweep.records.table import RunsTable
from mnist_sweep.safe_files import validated

SCHEMA_VERSION = 1
# Digits that are kept of a metric; smaller changes are none.
DECIMALS = 6
_SPLIT = ("validation_fraction", "test_fraction", "split_seed")
# Columns that say which images a run was evaluated on.
DATA = (
    "dataset.sha256", "dataset.n_train", "dataset.n_validation", "dataset.n_test",
    *(f"data.{name}" for name in _SPLIT),
)  # fmt: skip
_DATASET = ("name", "sha256", "n_train", "n_validation", "n_test")
_ABOUT = tuple(f"environment.{one}" for one in ("tensorflow", "keras", "git_sha", "started_at"))

_Confusion = list[list[Annotated[int, Field(ge=0)]]]


class _Run(Strict):
    run_id: str
    seed: int | None
    values: dict[str, float | None]
    confusion: dict[str, _Confusion] = Field({})

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> _Run:
        for column, expected in (pair for split in HELD_OUT for pair in self.computed(split)):
            value = self.values.get(column)
            if value is not None and abs(value - expected) > 2 * 10**-DECIMALS:
                raise ValueError(
                    f"{column} of run {self.run_id} is {value:g}, but its confusion matrix gives "
                    f"{expected:g}"
                )
        train, total = (self.values.get(f"time.{name}") for name in ("train_s", "total_s"))
        if train is not None and total is not None and train > total + 0.01:
            raise ValueError(f"run {self.run_id} trained for {train:g} s of {total:g} s")
        return self

    def computed(self, split: str, *, of_classes: bool = False) -> Iterator[tuple[str, float]]:
        """The metrics that the confusion matrix gives, by column."""
        matrix = self.confusion.get(split)
        if not matrix or not any(map(any, matrix)):
            return
        if any(len(row) != len(matrix) for row in matrix):
            raise ValueError(f"the confusion matrix of run {self.run_id} is not square")
        counts = counts_of(matrix)
        for one in of_split(split):
            # Means over classes counted those without examples in the first edition.
            is_known = one.from_counts and (one.name == "accuracy" or counts[0].all())
            metrics = [Metric(one, split)] if is_known else []
            if of_classes and one.class_values is not None:
                metrics = [Metric(one, split, k) for k in range(len(matrix))]
            for metric in metrics:
                yield metric.column, float(metric.compute(*counts))


class _Configuration(Strict):
    configuration_id: str
    label: str
    runs: Annotated[list[_Run], Field(min_length=1)]


class _File(Strict):
    kind: Literal["mnist_sweep baseline"]
    schema_version: Annotated[int, Field(ge=1)]
    dataset: dict[str, str | int | None]
    machine: dict[str, str | int | None] = Field({})
    configurations: Annotated[list[_Configuration], Field(min_length=1)]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> _File:
        runs = [run for one in self.configurations for run in one.runs]
        _refuse_twice("configuration", [one.configuration_id for one in self.configurations])
        _refuse_twice("run", [run.run_id for run in runs])
        for one in self.configurations:
            _refuse_twice(f"seed of {one.label}", [r.seed for r in one.runs if r.seed is not None])
        for run, split in ((run, split) for run in runs for split in HELD_OUT):
            matrix, expected = run.confusion.get(split), self.dataset.get(f"n_{split}")
            # A task of the user's own may return an accuracy alone; it has no images.
            if not matrix:
                if expected and run.values.get(f"{split}.accuracy") is not None:
                    raise ValueError(f"run {run.run_id} has no confusion matrix of {split}")
            elif expected not in (None, images := sum(map(sum, matrix))):
                raise ValueError(
                    f"the confusion matrix of run {run.run_id} counts {images} {split} images, "
                    f"the dataset has {expected}"
                )
        return self


def baseline_of(sweep: Sweep) -> RunsTable:
    """The runs of a sweep as a baseline: by label and seed; of another program the finished ones.

    Raises:
        DirectoryError: A run is missing, damaged or did not finish, or the runs did not all see
            the same data: nothing can be checked against half a sweep.
    """
    runs = sweep.frame
    unfinished = runs[runs["status"] != RunStatus.FINISHED]
    if sweep.is_external:  # its failed runs cannot be run again
        runs, unfinished = runs.drop(unfinished.index), unfinished.iloc[:0]
    named = [str(problem) for problem in sweep.problems]
    named += [f"{point.label}: {point.reason}" for point in sweep.missing]
    named += [f"{run.label}: {run.status}" for run in unfinished.itertuples()]
    if named or runs.empty:
        raise DirectoryError(
            f"Expected a complete sweep in {sweep.directory} for a baseline, but: "
            f"{listed(named, 3) or 'it has no record'}. Run the sweep's command again, "
            "then make the baseline."
        )
    n_datasets = len(runs.reindex(columns=[*DATA]).astype(str).drop_duplicates())
    if n_datasets > 1:
        raise DirectoryError(
            f"Expected runs of one dataset in {sweep.directory} for a baseline, but they saw "
            f"{n_datasets}. Make one baseline for each."
        )
    return runs.assign(label=runs["label"].map(without_seed)).sort_values(
        ["label", "configuration_id", "seed", "run_id"], kind="stable"
    )


def read_baseline(path: Path, mapping: ResultMapping | None = None) -> RunsTable:
    """A baseline's runs from a file or a directory; a DirectoryError says why there are none."""
    if path.is_dir() or path.suffix.lower() == ".csv":
        return baseline_of(load(path, mapping))
    try:
        return _frame(validated(path, _File, SCHEMA_VERSION))
    except (OSError, ValueError, RecursionError) as error:
        name = "NEW-FILE" if path.exists() else path  # nobody's file is to be overwritten
        raise DirectoryError(
            f"Expected a baseline at {path}: {reason(error)}. Make one from a good sweep: "
            f"{command('baseline', 'DIR', '-o', name)}"
        ) from error


def write_baseline(path: Path, sweep: Sweep, runs: RunsTable | None = None) -> None:
    """Write a sweep as a baseline, one run a line, so that its changes can be read in a diff."""
    runs = baseline_of(sweep) if runs is None else runs
    first = plain_rows(runs.iloc[:1])[0]
    split = {name: first.get(f"data.{name}") for name in _SPLIT}
    dataset = {name: first.get(f"dataset.{name}") for name in _DATASET}
    head = {
        "kind": "mnist_sweep baseline",
        "schema_version": SCHEMA_VERSION,
        "dataset": {**dataset, "split": json.dumps(split, sort_keys=True)},
        "machine": {name.partition(".")[2]: first.get(name) for name in (*MACHINE, *_ABOUT)},
    }
    blocks = []
    for (label, key), group in runs.groupby(["label", "configuration_id"], sort=False):
        own = ",\n".join(
            f"      {_compact(_run(row, sweep.record(row['run_id'])))}" for row in plain_rows(group)
        )
        names = f'"configuration_id": {_compact(key)}, "label": {_compact(label)}'
        blocks.append(f'    {{{names}, "runs": [\n{own}\n    ]}}')
    lines = [f"  {_compact(name)}: {_compact(value)}," for name, value in head.items()]
    text = ["{", *lines, '  "configurations": [', ",\n".join(blocks), "  ]", "}"]
    write_text(path, "\n".join(text) + "\n")


def _run(row: dict[str, Any], record: Record) -> dict[str, Any]:
    known = {name: value for name, value in row.items() if value is not None}
    metrics = [Metric(one, split) for split in HELD_OUT for one in of_split(split)]
    metrics += [one for one in overall(known) if one.split in HELD_OUT]
    values = {
        one.column: round(float(known[one.column]), DECIMALS) if one.column in known else None
        for one in metrics
    }
    values |= {name: round(float(known[name]), 3) for name in costs() if name in known}
    confusion = {split: getattr(record.metrics, split).confusion for split in HELD_OUT}
    return {"run_id": row["run_id"], "seed": row.get("seed"), "values": values,
            "confusion": confusion}  # fmt: skip


def _frame(file: _File) -> RunsTable:
    import pandas as pd

    dataset = {f"dataset.{k}": v for k, v in file.dataset.items() if k != "split"}
    text = file.dataset.get("split")
    split = json.loads(text) if isinstance(text, str) else {}
    if not isinstance(split, dict):
        raise ValueError("dataset.split: not a mapping")  # noqa: TRY004  (a damaged file)
    common: dict[str, Any] = dataset | {f"data.{name}": split.get(name) for name in _SPLIT}
    common |= {f"environment.{name}": value for name, value in file.machine.items()}
    common["status"] = str(RunStatus.FINISHED)
    rows = []
    for one in file.configurations:
        for run in one.runs:
            about = {"configuration_id": one.configuration_id, "label": one.label}
            computed = (pair for s in HELD_OUT for pair in run.computed(s, of_classes=True))
            row = common | about | {"run_id": run.run_id, "seed": run.seed} | dict(computed)
            rows.append(row | run.values)  # noqa: PD011  (no data frame)
    return pd.DataFrame(rows)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _refuse_twice(what: str, names: list[Any]) -> None:
    if len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise ValueError(f"the {what} {twice!r} is listed twice")
