"""The Python interface: the functions of the command line, for notebooks and scripts.

`import mnist_sweep as ms` provides these names; large packages are imported on first use.
Results are displayed in notebooks (`_repr_html_`) and print as text.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from mnist_sweep.api.directory import Sweep
from mnist_sweep.api.results import Compared, Gate, Plots, Selected, Tables
from mnist_sweep.command import command
from mnist_sweep.errors import UsageError
from mnist_sweep.records import sweep as records

if TYPE_CHECKING:
    import os

    from mnist_sweep.records.external.mapping import ResultMapping
    from mnist_sweep.sweeping.result import SweepResult

    Directory = str | os.PathLike[str]

_CODE = (FunctionType, type)
__all__ = [
    "Compared", "Gate", "Plots", "Selected", "Sweep", "Tables", "check", "compare", "load", "sweep",
]  # fmt: skip


def sweep(*overrides: str, **settings: Any) -> Sweep:
    """Run a sweep in the working directory, like `python -m mnist_sweep -m`.

    Args:
        *overrides: Hydra's overrides: "layers=1,2", "+experiment=smoke", "model=cnn".
        **settings: Settings by name; a list or tuple holds several values to sweep over. Nested
            settings are given by their dotted name: `**{"early_stopping.patience": 3}`. `model`,
            `data` and `task` also accept a function of a module.

    Returns:
        The sweep with all runs, new and earlier ones, including failed ones. The tables are
        written, and the report unless `report=False`; notices, such as that MNIST was not found,
        are issued as warnings.

    Raises:
        MnistSweepError: Nothing was run; the message gives the reason.
        KeyboardInterrupt: The sweep was interrupted; finished runs are kept, and the message gives
            the command that runs the others.

    Examples:
        >>> import mnist_sweep as ms
        >>> grid = ms.sweep(
        ...     "layers=1,2", nodes=[8, 16], data="digits", epochs=1, name="api"
        ... )  # doctest: +SKIP
        >>> grid.best().value  # doctest: +SKIP
    """
    from mnist_sweep.report_images import images_of
    from mnist_sweep.reporting.phrases.names import data_name
    from mnist_sweep.reporting.phrases.tables import data_warning
    from mnist_sweep.reporting.report import write_report
    from mnist_sweep.reporting.tables.tables import write_tables
    from mnist_sweep.sweeping.interrupts import Interrupted

    given = [word for name, value in settings.items() for word in _overrides(name, value)]
    result = _run([*overrides, *given])
    content, tables = write_tables(result.directory)
    names = ["dataset.name", "dataset.notice"]
    pairs = content.frame.reindex(columns=names).dropna().drop_duplicates().to_numpy()
    notices = [*result.notices, *result.plan.notes()]
    notices += [f"{data_name(*pair)}: {data_warning(*pair)}" for pair in pairs]
    others = f"To run the others: {command('resume', result.directory)}"
    if result.used_up:
        used_up = f"budget_s={result.used_up:g} s is used up before all runs were started."
        notices.append(f"{used_up} {others}")
    for notice in notices:
        warnings.warn(notice, stacklevel=2)
    if result.interrupted:
        runs = content.frame
        finished = runs.query("status == 'finished'")["run_id"] if len(runs) else ()
        done = len({*finished} & {point.run_id for point in result.plan.points})
        raise Interrupted(f"{done} of {result.requested} runs finished. {others}")
    if result.report and tables:
        directories = [result.directory]
        images = images_of(directories)
        write_report(directories, images=images, loaded=[content], tables=tables)
    return Sweep.of(content)


def load(
    directory: Directory,
    *,
    record: str | None = None,
    metrics: Mapping[str, str] | None = None,
    experiment: str | None = None,
) -> Sweep:
    """Read a sweep's directory, a single run's, or the results of another program.

    A Hydra multirun, an MLflow store, a TensorBoard folder and a CSV file are recognised; `notes`
    lists the assumptions.

    Args:
        directory: The directory, or for another program also a file.
        record: For another program: the pattern of its files, such as `runs/*/results.json`.
        metrics: For another program: metric -> its place in a file, {"accuracy": "test.acc"}.
        experiment: For an MLflow store: the experiment to read; None reads all.

    Raises:
        DirectoryError: It does not exist or contains nothing readable.

    Examples:
        >>> import mnist_sweep as ms
        >>> ms.load("outputs/grid").frame["test.accuracy"].max()  # doctest: +SKIP
    """
    return Sweep.of(records.load(directory, _mapping(record, metrics, experiment)))


def compare(
    *directories: Directory,
    split: str | None = None,
    record: str | None = None,
    metrics: Mapping[str, str] | None = None,
    experiment: str | None = None,
) -> Compared:
    """Compare sweep directories (or runs) with the first one.

    Args:
        *directories: Two or more directories.
        split: The split of the metrics; None: test, of another program the objective's.
        record: For another program: the pattern of its files, see `load`.
        metrics: For another program: metric -> its place in a file.
        experiment: For an MLflow store: the experiment to read.

    Raises:
        UsageError: Fewer than two directories.
        DirectoryError: One of them cannot be read.
    """
    from mnist_sweep.analysis import compare as sides

    if len(directories) < 2:
        raise UsageError("Expected two or more directories to compare.")
    mapping = _mapping(record, metrics, experiment)
    loaded = [sides.load_side(Path(one), split, mapping) for one in directories]
    return Compared(sides.compare(loaded))


def check(
    directory: Directory,
    *,
    baseline: Directory,
    rules: Directory | None = None,
    record: str | None = None,
    metrics: Mapping[str, str] | None = None,
    experiment: str | None = None,
) -> Gate:
    """Check a sweep against a baseline, like `mnist-sweep check`.

    Args:
        directory: The sweep's directory.
        baseline: A file written by `mnist-sweep baseline`, or another sweep's directory.
        rules: A YAML file of rules. None checks that every point finished, and that test accuracy
            dropped no more than variation between seeds explains.
        record: For another program: the pattern of its files, see `load`.
        metrics: For another program: metric -> its place in a file.
        experiment: For an MLflow store: the experiment to read.

    Raises:
        DirectoryError: A file or directory cannot be read.
    """
    from mnist_sweep.analysis import gate

    chosen = gate.read_rules(Path(rules)) if rules is not None else gate.Rules()
    mapping = _mapping(record, metrics, experiment)
    runs = gate.read_baseline(Path(baseline), mapping)
    return Gate(gate.check(records.load(directory, mapping), runs, chosen, Path(baseline)))


def _mapping(
    record: str | None, metrics: Mapping[str, str] | None, experiment: str | None
) -> ResultMapping | None:
    """How another program's directory is read; None where nothing is said."""
    from mnist_sweep.records.external.mapping import mapping_of

    words = [f"{name}={place}" for name, place in (metrics or {}).items()]
    return mapping_of(record, words, experiment)


def _run(words: list[str]) -> SweepResult:
    from mnist_sweep.sweeping import app
    from mnist_sweep.sweeping.context import SweepContext
    from mnist_sweep.sweeping.result import SweepResult

    with SweepContext() as context:
        context.start_processes(words)
        result = app.run(["-m", *words], context)
    if not isinstance(result, SweepResult):
        raise UsageError("Expected a sweep; use the command line for plan=true, --cfg and --help.")
    return result


def _overrides(name: str, value: Any) -> list[str]:
    """A keyword argument as Hydra's overrides: nodes=[8, 16] as `nodes=8,16`."""
    from mnist_sweep.sweeping.plan.overrides import hydra_text

    several = value if isinstance(value, (list, tuple)) and value else [value]
    group = []
    if name in ("model", "data", "task") and all(isinstance(o, _CODE) for o in several):
        # model=build is `model=own` and its function's name
        group = [f"{name}=own"] if name != "task" else []
        name = f"{name}._target_"
    value = _plain(value)
    is_swept = isinstance(value, list) and name not in ("points", "exclude")
    return [*group, f"{name}={','.join(map(hydra_text, value if is_swept else [value]))}"]


def _plain(value: Any) -> Any:
    """An array, a NumPy number, a tuple or a range as plain values; a function as its name."""
    if isinstance(value, _CODE):
        return f"{value.__module__}.{value.__qualname__}"
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [*map(_plain, value)] if isinstance(value, (list, tuple, range)) else value
