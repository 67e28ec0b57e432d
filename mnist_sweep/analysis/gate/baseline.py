"""A baseline: what a later sweep is held against, as a small file that can be committed.

It keeps every run's numbers and confusion matrices, without predictions: the seeds' spread comes
from the repeats' values, and how much the test images matter from the confusions.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.collect import Collection, collect
from mnist_sweep.records.fields import SPLITS, flat
from mnist_sweep.records.paths import without_seed
from mnist_sweep.records.store import write_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mnist_sweep.records.record import Record

Dataset = dict[str, str | int | None]
"""What names a record's data, see `dataset_of`."""

SCHEMA_VERSION = 1
LARGEST_BYTES = 64 * 2**20
COSTS = (
    "time.compile_s", "time.train_s", "time.evaluate_s", "time.total_s", "time.epoch_s",
    "environment.peak_memory_mb",
)  # fmt: skip
_MACHINE = ("cpu", "threads", "workers", "device", "tensorflow", "keras", "git_sha", "started_at")
_SPLIT = ("validation_fraction", "test_fraction", "split_seed")
_SUMMARIES = ("accuracy", "f1", "f1_min", "precision", "recall", "loss")
_DECIMALS = 6


class _Strict(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False, frozen=True)


class BaselineRun(_Strict):
    """One run's numbers by their names in `results.fields`, and its confusions by split."""

    run_id: str
    seed: int | None
    values: dict[str, float | None]
    confusion: dict[str, list[list[Annotated[int, Field(ge=0)]]]] = {}


class BaselineConfiguration(_Strict):
    """A configuration's runs; `label` is readable, without the seed."""

    configuration_id: str
    label: str
    runs: Annotated[list[BaselineRun], Field(min_length=1)]


class Baseline(_Strict):
    """What a later sweep is held against.

    `machine` says on what the runs were carried out, for the notes beside times.
    """

    kind: Literal["mnist_sweep baseline"]
    schema_version: Annotated[int, Field(ge=1)]
    dataset: dict[str, str | int | None]
    machine: dict[str, str | int | None] = {}
    configurations: Annotated[list[BaselineConfiguration], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _is_known(cls, values: Any) -> Any:
        version = values.get("schema_version") if isinstance(values, dict) else None
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise ValueError(
                f"schema_version {version} is newer than {SCHEMA_VERSION}, the newest this version "
                "of mnist-sweep reads; update mnist-sweep"
            )
        return values

    @model_validator(mode="after")
    def _holds_each_once(self) -> Baseline:
        ids = [one.configuration_id for one in self.configurations]
        if len(set(ids)) < len(ids):
            raise ValueError("a configuration is listed twice")
        return self


def build_baseline(found: Collection) -> Baseline:
    """The baseline of a sweep's records.

    Raises:
        DirectoryError: Something is missing, damaged or did not finish, or the runs did not all
            see the same data: nothing can be held against half a sweep.
    """
    reasons = [str(problem) for problem in found.problems]
    reasons += [f"{point.label}: {point.reason}" for point in found.missing]
    reasons += [f"{r.label}: {r.status}" for r in found.runs if r.status != "finished"]
    if reasons or not found.runs:
        more = f" (and {len(reasons) - 3} more)" if len(reasons) > 3 else ""
        raise DirectoryError(
            f"Expected a whole sweep in {found.directory} for a baseline, but: "
            f"{'; '.join(reasons[:3]) or 'it holds no record'}{more}. Run the sweep's command "
            "again, then make the baseline."
        )
    configurations, datasets = configurations_and_datasets(found.records)
    if len(datasets) > 1:
        raise DirectoryError(
            f"Expected runs of one dataset in {found.directory} for a baseline, but they saw "
            f"{len(datasets)}. Make one baseline for each."
        )
    return Baseline(
        kind="mnist_sweep baseline",
        schema_version=SCHEMA_VERSION,
        dataset=datasets[0][0],
        machine=machine_of(found.records[0]),
        configurations=configurations,
    )


def configurations_and_datasets(
    records: Iterable[Record],
) -> tuple[list[BaselineConfiguration], list[tuple[Dataset, str]]]:
    """What a baseline keeps of records, each looked at once and not held on to.

    Returns:
        The finished runs by configuration, in order of label and seed; and the datasets of all
        records, each with the label of the first that has it.
    """
    labels: dict[str, str] = {}
    groups: dict[str, list[BaselineRun]] = {}
    datasets: dict[str, tuple[Dataset, str]] = {}
    for record in records:
        dataset = dataset_of(record)
        datasets.setdefault(json.dumps(dataset, sort_keys=True), (dataset, record.label))
        if record.status == "finished":
            key = record.configuration_id
            labels.setdefault(key, without_seed(record.label))
            groups.setdefault(key, []).append(_run(record))
    made = [
        BaselineConfiguration(
            configuration_id=key,
            label=labels[key],
            runs=sorted(group, key=lambda run: (run.seed or 0, run.run_id)),
        )
        for key, group in groups.items()
    ]
    ordered = sorted(made, key=lambda one: (one.label, one.configuration_id))
    return ordered, list(datasets.values())


def dataset_of(record: Record) -> Dataset:
    """What names a record's data: two records with the same were evaluated on the same images."""
    config = record.config.get("data")
    settings = config if isinstance(config, dict) else {}
    split = {name: settings.get(name) for name in _SPLIT}
    return {
        "name": record.data.name,
        "sha256": record.data.sha256,
        "n_train": record.data.n_train,
        "n_validation": record.data.n_validation,
        "n_test": record.data.n_test,
        "split": json.dumps(split, sort_keys=True),
    }


def machine_of(record: Record) -> dict[str, str | int | None]:
    """On what a record's run was carried out."""
    return {name: getattr(record.environment, name) for name in _MACHINE}


def read_baseline(path: Path) -> Baseline:
    """A baseline from a file, or from a sweep's directory.

    Raises:
        DirectoryError: There is none, or it is damaged; the text says why.
    """
    if path.is_dir():
        return build_baseline(collect(path))
    try:
        return _parse(path)
    except (OSError, ValueError, RecursionError) as error:
        raise DirectoryError(
            f"Expected a baseline at {path}, but {_reason(error)}. Make one from a sweep that is "
            f"good: mnist-sweep baseline DIR -o {path}"
        ) from error


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline, one run a line, so that its changes can be read in a diff.

    Raises:
        DirectoryError: It cannot be written.
    """
    values = baseline.model_dump()
    head = [f'  "{k}": {_compact(v)},' for k, v in values.items() if k != "configurations"]
    blocks = []
    for one in values["configurations"]:
        runs = ",\n".join(f"      {_compact(run)}" for run in one["runs"])
        names = f'"configuration_id": {_compact(one["configuration_id"])}'
        names += f', "label": {_compact(one["label"])}'
        blocks.append(f'    {{{names}, "runs": [\n{runs}\n    ]}}')
    lines = ["{", *head, '  "configurations": [', ",\n".join(blocks), "  ]", "}"]
    write_text(path, "\n".join(lines) + "\n")


def _run(record: Record) -> BaselineRun:
    row = flat(record)
    names = [f"{split}.{name}" for split in SPLITS for name in _SUMMARIES]
    values = {n: None if row[n] is None else round(row[n], _DECIMALS) for n in names}
    costs = {name: row.get(name) for name in COSTS}
    values |= {k: round(v, 3) for k, v in costs.items() if isinstance(v, (int, float))}
    splits = {split: getattr(record.metrics, split).confusion for split in SPLITS}
    return BaselineRun(run_id=record.run_id, seed=record.seed, values=values, confusion=splits)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _parse(path: Path) -> Baseline:
    if path.stat().st_size > LARGEST_BYTES:
        raise ValueError("it is too large for a baseline")
    content = path.read_text(encoding="utf-8")
    # pydantic's parser takes NaN for a number; strict JSON has no such numbers.
    json.loads(content, parse_constant=_refuse)
    return Baseline.model_validate_json(content)


def _refuse(word: str) -> None:
    raise ValueError(f"{word} stands in it, which is not JSON")


def _reason(error: Exception) -> str:  # noqa: PLR0911  (one return per kind of error)
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        return " ".join(f"it is not one: {place}: {first['msg']}".split())[:300]
    if isinstance(error, json.JSONDecodeError):
        return f"it is not valid JSON: {error}"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, OSError):
        return f"it cannot be read: {error.strerror or error}"
    return str(error)[:300]
