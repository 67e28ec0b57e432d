"""What is assumed of found runs: an experiment, splits, the seed, percentages; with a note of each.

`convert` calls these in turn; they change the runs in place.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from mnist_sweep.errors import UsageError
from mnist_sweep.metrics import HELD_OUT, TRAIN, definitions
from mnist_sweep.records.external.found import (
    Found,
    FoundRun,
    Series,
    number,
    seed_of,
    split_and_name,
)
from mnist_sweep.records.external.mapping import ResultMapping
from mnist_sweep.settings import configuration_id


def choose_experiment(path: Path, found: Found, mapping: ResultMapping) -> None:
    """Keep the runs of the chosen experiment; without a choice it is a setting, and said.

    Raises:
        UsageError: There is no such experiment.
    """
    names = sorted({run.experiment for run in found.runs if run.experiment})
    listed = ", ".join(map(repr, names))
    if (wanted := mapping.experiment) is not None:
        if wanted not in names:
            known = f"known: {listed}" if names else "only MLflow stores have experiments"
            raise UsageError(f"There is no experiment {wanted!r} in {path}; {known}.")
        found.runs = [run for run in found.runs if run.experiment == wanted]
        found.notes.append(f"only the experiment {wanted!r}")
    elif len(names) > 1:
        found.notes.append(
            f"its experiments are mixed, as a setting: {listed}; choose one with --experiment NAME"
        )
        for run in found.runs:
            run.settings.setdefault("experiment", run.experiment)


def name_columns(found: Found, mapping: ResultMapping, split: str) -> None:
    """Name metrics and their history by columns, `split` where a name says none."""
    for run in found.runs:
        run.settings = {name: _plain(value) for name, value in run.settings.items()}
        _name_columns(run, split, said=bool(mapping.metrics))


def _name_columns(run: FoundRun, split: str, *, said: bool) -> None:
    columns: dict[str, str] = {}
    history: Series = {}
    for name in sorted(run.metrics, key=_is_of_epochs):
        first, dot, _ = name.partition(".")
        if not said:
            column = ".".join(split_and_name(name, split))
        elif dot and first in (TRAIN, *HELD_OUT):  # a name that the user gave stays
            column = name
        else:
            column = f"{split}.{name.replace('.', '_')}"
        if column in columns and not _is_of_epochs(name):  # val/loss and loss_val: both are kept
            column = f"{split}.{re.sub('[./]', '_', name)}"
        columns.setdefault(column, name)
        if name in run.history:  # perhaps epoch_loss, of loss
            history.setdefault(column, run.history[name])
    run.metrics, run.history = {at: run.metrics[one] for at, one in columns.items()}, history


def _is_of_epochs(name: str) -> bool:
    return "epoch" in re.split("[._/]", name)


def _plain(value: Any) -> Any:
    """A setting as JSON may hold it; a date, a number without end and the like as text."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    is_plain = value is None or isinstance(value, bool | int | str) or number(value) is not None
    return value if is_plain else str(value)


def take_seeds(found: Found, mapping: ResultMapping) -> list[int | None]:
    """Take the seeds out of the settings; without one, number the repeats."""
    names = dict.fromkeys(name for run in found.runs for name in run.settings)
    name = mapping.seed if mapping.seed in names else seed_of(names)
    if name is not None:
        found.notes.append(f"the seed is the setting {name}")
        taken = [run.settings.pop(name, None) for run in found.runs]
        return [
            one if isinstance(one, int) and not isinstance(one, bool) else None for one in taken
        ]
    counts: Counter[str] = Counter()
    seeds: list[int | None] = []
    for run in found.runs:
        run.settings = run.settings or {"run": run.name}
        key = configuration_id({"task": run.settings})
        seeds.append(counts[key])
        counts[key] += 1
    if any(count > 1 for count in counts.values()):
        found.notes.append("no setting is called seed: runs of the same settings are numbered")
    return seeds


def scale_percentages(found: Found) -> None:
    """Shares that were written in percent, as shares."""
    shares = [name for name, one in definitions().items() if one.format.is_share]
    names = {n for run in found.runs for n in run.metrics if n.partition(".")[2] in shares}
    for name in sorted(names):
        values = [run.metrics[name] for run in found.runs if name in run.metrics]
        if max(values) > 1 and min(values) >= 0 and max(values) <= 100:
            found.notes.append(f"{name} is in percent")
            for run in found.runs:
                if name in run.metrics:
                    run.metrics[name] /= 100
                    run.history[name] = [
                        None if one is None else one / 100 for one in run.history.get(name, [])
                    ]
