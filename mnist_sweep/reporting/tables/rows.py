"""The rows of a comparison: every run of some directories, with a result or a reason.

A row is made of a record, of a planned point that has none, or of a file that could not be read:
nothing is left out silently.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mnist_sweep.analysis.selection import reason_of
from mnist_sweep.analysis.where import check_keys, matches, parse
from mnist_sweep.errors import SelectionError, UsageError
from mnist_sweep.metrics import closest, resolve
from mnist_sweep.records.columns import all_names, with_values
from mnist_sweep.records.fields import Flat, FlatValues, flat_missing, settings_of
from mnist_sweep.records.paths import RunPaths, SweepPaths, label_and_run_id
from mnist_sweep.records.runs import Run
from mnist_sweep.records.view import View, values_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from mnist_sweep.records.collect import Problem
    from mnist_sweep.records.sweep import Sweep

SWEEP = "sweep"
"""The name of the directory in a row, for comparisons of several."""

_ALWAYS = ("layers", "nodes")
_LAST = "seed"
_NO_RESULT = ("save_model", "data.download_timeout_s", "model._target_")
"""Settings that are never worth a column: they change no result, or another column says them."""


@dataclass(frozen=True)
class RunRow:
    """One run: its flat values (see `results.fields`).

    `reason` is empty if it finished; `files` is the directory that holds the run's files or would,
    or the run that knows it; `origin` is the directory that the row was loaded from.
    """

    values: FlatValues
    status: str
    reason: str
    files: Path | Run | None = field(default=None, compare=False)
    origin: Path | None = field(default=None, compare=False)

    @property
    def directory(self) -> Path | None:
        """Where the run's files are or would be."""
        return self.files.directory or self.origin if isinstance(self.files, Run) else self.files

    @property
    def label(self) -> str:
        """The run's readable name."""
        return str(self.values.get("label") or self.values.get("run_id") or "?")


def rows_of(sweeps: Sequence[Sweep]) -> list[RunRow]:
    """All rows of some directories, in order of directories, records first."""
    rows = []
    for sweep in sweeps:
        name = {SWEEP: sweep.directory.name or str(sweep.directory)}
        for run in sweep.runs:
            status = run.status
            reason = "" if status == "finished" else reason_of(run)
            values = with_values(run.values, name)
            rows.append(RunRow(values, status, reason, run, sweep.directory))
        for m in sweep.missing:
            place = SweepPaths(sweep.directory).run(m.label, m.run_id).directory
            values = {**flat_missing(m), **name}
            rows.append(RunRow(values, "missing", m.reason, place, sweep.directory))
        problems = [problem for problem in sweep.problems if _is_of_a_run(problem, sweep)]
        rows += [_of_problem(problem, name, sweep.directory) for problem in problems]
    return rows


def column_values(rows: Sequence[RunRow], name: str) -> list[Any]:
    """The value of `name` in each row; None where it has none."""
    return values_of([row.values for row in rows], name)


def filtered(rows: Sequence[RunRow], where: Iterable[str]) -> list[RunRow]:
    """The rows for which all conditions hold.

    Raises:
        SelectionError: A condition is malformed or names nothing that there is.
    """
    conditions = parse(where)
    if not conditions:
        return list(rows)
    check_keys(conditions, [row.values for row in rows])
    return [row for row in rows if matches(conditions, row.values)]


def varying(rows: Sequence[RunRow]) -> list[str]:
    """Names of the settings that the rows' column block shows.

    Layers and nodes always, others where they differ between the rows, the seed last.
    """
    values = [row.values for row in rows]
    view = View(values)
    names = list(filter(_is_setting, all_names(values)))
    differing = [name for name in names if name not in _ALWAYS and _differs(name, view)]
    shown = [name for name in differing if not _repeats_another(name, view)]
    first = [SWEEP] if _differs(SWEEP, view) else []
    data = [name for name in ("dataset.name", "dataset.sha256") if _differs(name, view)][:1]
    last = [_LAST] if _LAST in shown else []
    return [*first, *data, *_ALWAYS, *(name for name in shown if name != _LAST), *last]


def ordered(rows: Sequence[RunRow], by: str | None, settings: Sequence[str]) -> list[RunRow]:
    """The rows by their settings, or by `KEY` or `KEY,desc`; rows without the value come last.

    Raises:
        UsageError: There is no such setting or metric, or the order is neither asc nor desc.
    """
    view = View([row.values for row in rows])
    places = list(range(len(rows)))
    for key in reversed(settings):
        # By the last setting first: each sort keeps the order of what it finds equal.
        places.sort(key=_ranks(view.values(key)).__getitem__)
    by_settings = [rows[place] for place in places]
    if not by:
        return by_settings
    key, _, direction = (part.strip() for part in by.partition(","))
    if direction not in ("", "asc", "desc"):
        raise UsageError(f"Expected --sort KEY or --sort KEY,desc, got {by!r}.")
    column = column_of(key, rows, "--sort")
    with_value = [row for row in by_settings if row.values.get(column) is not None]
    without = [row for row in by_settings if row.values.get(column) is None]
    with_value.sort(key=lambda row: _order(row.values[column]), reverse=direction == "desc")
    return with_value + without


def column_of(key: str, rows: Sequence[RunRow], option: str) -> str:
    """The name in `results.fields` that `key` means; a metric without a split is the test split's.

    Raises:
        UsageError: There is no such setting or metric.
    """
    known = set(all_names(row.values for row in rows))
    if key in known:
        return key
    try:
        column = resolve(key, "test").column
    except SelectionError:
        column = ""
    if column in known:
        return column
    raise UsageError(f"In {option}: no such setting or metric as {key}; {closest(key, known)}")


def _of_problem(problem: Problem, name: Flat, origin: Path) -> RunRow:
    of_record = problem.path.name == RunPaths("").record.name
    directory = problem.path.parent if of_record else problem.path
    label, run_id = label_and_run_id(directory.name)
    known = {"run_id": run_id, "label": label or problem.path.parent.name}
    values = {**settings_of(label), **known, **name, "status": "unreadable"}
    return RunRow(values, "unreadable", problem.reason, directory, origin)


def _is_of_a_run(problem: Problem, sweep: Sweep) -> bool:
    """Whether a problem stands for a run, and not for the plan or the directory as a whole."""
    return problem.path.name != "sweep.json" and problem.path != sweep.directory / "runs"


def is_result(name: str) -> bool:
    """Whether a name of `results.fields` is of a number that a run brought out."""
    results = ("train.", "validation.", "test.", "time.", "history.")
    return name.startswith(results) or name in ("epochs_trained", "parameters")


def _is_setting(name: str) -> bool:
    results = (
        "dataset.", "train.", "validation.", "test.", "time.", "environment.", "error.", "history.",
    )  # fmt: skip
    others = (
        "run_id", "configuration_id", "label", "status", "parameters", "epochs_trained", "repeats",
        SWEEP,
    )  # fmt: skip
    return not name.startswith(results) and name not in others and name not in _NO_RESULT


def _differs(name: str, view: View) -> bool:
    """Whether rows that know `name` differ in it."""
    if view.alike(name):
        return False
    identities = map(_identity, view.known(name))
    first = next(identities, None)
    return any(identity != first for identity in identities)


def _identity(value: Any) -> str:
    """Text that is equal for equal settings: 1 and 1.0 are, True and 1 are not."""
    return repr(float(value) if type(value) is int else value)


def _repeats_another(name: str, view: View) -> bool:
    """Whether a model's own setting (`model.layers`) says what the run's setting says already."""
    other = name.removeprefix("model.")
    return name != other and view.repeats(name, other)


def _ranks(values: Sequence[Any]) -> list[int]:
    """Each value's place in the order of them all; of very many rows most values are equal."""
    try:
        orders = {value: _order(value) for value in set(values)}
    except TypeError:  # lists, which are in the order of their text
        return _ranks([str(one) if isinstance(one, (list, dict)) else one for one in values])
    ranks = {order: rank for rank, order in enumerate(sorted(set(orders.values())))}
    of_value = {value: ranks[order] for value, order in orders.items()}
    return [of_value[value] for value in values]


def _order(value: Any) -> tuple[int, float, str]:
    """A key that orders any plain values: null, then numbers, then text."""
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, (bool, int, float)):
        return (1, float(value), "")
    return (2, 0.0, str(value))
