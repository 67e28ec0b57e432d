"""Where everything lies in a sweep's directory, and what the names of runs say.

No other module spells these names.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from mnist_sweep.settings import NESTED, RUN_KEYS, TASK_KEYS, known_keys

# Format of a written table -> the ending of its file.
TABLE_FORMATS = {"md": "md", "csv": "csv", "latex": "tex", "json": "json"}


class _Below:
    """A path below the directory of what has it: a property without three lines for each."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, paths: _Paths, _kind: object = None) -> Path:
        return paths.directory / self._name


@dataclass(frozen=True, init=False)
class _Paths:
    directory: Path

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        object.__setattr__(self, "directory", Path(directory))


class RunPaths(_Paths):
    """The files of one run's directory."""

    record = _Below("record.json")  # the run's record, JSON
    # Predicted classes of the test and validation split, NPZ.
    predictions = _Below("predictions.npz")
    model = _Below("model.keras")  # the trained network, Keras's own format
    log = _Below("job.log")  # the run's log, with the traceback if it failed
    files = _Below("files")  # what a task of the user's own wrote
    hydra = _Below(".hydra")  # Hydra's own files of the run
    progress = _Below("progress.jsonl")  # the epochs of a run under way, JSON lines

    @property
    def artefacts(self) -> tuple[Path, Path]:
        """The files whose hashes the record holds."""
        return self.predictions, self.model


# A run's record and its artefacts, as text to append: 100,000 runs' paths take seconds to make.
CHECKED = tuple(
    f"{os.sep}{one.name}" for one in (RunPaths("").record, *RunPaths("").artefacts)
)  # fmt: skip


class SweepPaths(_Paths):
    """The files of a sweep's directory."""

    sweep_json = _Below("sweep.json")  # the plan: every invocation with its points
    study_json = _Below("study.json")  # what the stages of a study requested, selected and decided
    runs = _Below("runs")  # the directory that holds one directory per run
    tables = _Below("tables")  # the directory of the comparison tables
    # The runs table of a large sweep as it was last read; may be deleted at any time.
    cache = _Below(".runs.parquet")
    # Intervals and selections as they were last computed; may be deleted at any time.
    computed = _Below(".computed.json")
    report = _Below("report.html")  # the report, one self-contained HTML file
    figures = _Below("figures")  # the directory of the figures

    submitted = _Below(".submitit/submitted.json")  # the jobs in a cluster's queue
    code = _Below(".submitit/code")  # the code of submitted jobs as it was then

    def lock(self, name: str) -> Path:
        """The lock file of a run (its run id), or of `sweep.json` ("sweep") or the tables."""
        return self.directory / ".locks" / name

    def run(self, label: str, run_id: str) -> RunPaths:
        """The directory of one run, named by its label and its run id."""
        return RunPaths(self.runs / f"{label}-{run_id}")

    def comparison(self, format_name: str) -> Path:
        """The comparison tables' file in one of `TABLE_FORMATS`."""
        return self.tables / f"comparison.{TABLE_FORMATS[format_name]}"


def label_and_run_id(directory_name: str) -> tuple[str, str]:
    """A run directory's name taken apart: ('layers=2,nodes=300,seed=0', '0123456789ab')."""
    label, _, run_id = directory_name.rpartition("-")
    return label, run_id


def without_seed(label: str) -> str:
    """The label that runs share which differ in seed alone; one of a seed alone stays."""
    head, _, tail = label.rpartition(",seed=")
    if head and "," not in tail and "seed=" not in head:
        return head  # the usual case, of which there may be 100,000
    return ",".join(part for part in label.split(",") if not part.startswith("seed=")) or label


def settings_of(label: str, overrides: tuple[str, ...] = ()) -> dict[str, Any]:
    """The settings that a label (`layers=2,nodes=300,seed=0`) and overrides spell out.

    What is no setting of this program is passed over: a directory's name can be anything.
    """
    parts = label.rstrip("~").split(",")
    if label.startswith("task="):  # its settings' names stand there without `task.`
        parts = [one if one.startswith(TASK_KEYS) else f"task.{one}" for one in parts]
        overrides = tuple(one for one in overrides if not one.startswith("task="))
    return dict(found for part in (*parts, *overrides) if (found := _setting_of(part)))


@lru_cache(100_000)
def _setting_of(part: str) -> tuple[str, Any] | None:
    dotted, known = _spelled()
    key, equals, value = part.partition("=")
    key = key.lstrip("+~")
    key = dotted.get(key, key)
    is_setting = equals and (key in known or key.startswith(("model.", "task.")))
    return (key, scalar(value)) if is_setting else None


def scalar(text: str) -> Any:
    """The plain value that `text` spells, as on Hydra's command line: null, true, 2, 0.5, text."""
    text = text.strip()
    words = {"null": None, "none": None, "true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        return value if math.isfinite(value) else text
    return text.strip("'\"")


@cache
def _spelled() -> tuple[dict[str, str], set[str]]:
    """What labels call nested settings -> their dotted keys; and the keys of a run's settings."""
    names = {key: [f.name for f in fields(NESTED[key])] for key in NESTED}
    dotted = {name: f"early_stopping.{name}" for name in names["early_stopping"]}
    dotted |= {name: f"trainer.{name}" for name in names["trainer"] if name != "name"}
    dotted |= {"trainer": "trainer.name", "data": "data.name"}
    return dotted, {key for key in known_keys() if key.partition(".")[0] in RUN_KEYS}
