"""The Python interface: what the command line can do, from a notebook or a script.

`import mnist_sweep as ms` gives these names; everything heavy is imported when it is first used.
Results show themselves in a notebook (`_repr_html_`) and print as text.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mnist_sweep.errors import SelectionError, SettingsError, UsageError
from mnist_sweep.records import sweep as records

if TYPE_CHECKING:
    import os

    from matplotlib.figure import Figure

    from mnist_sweep.analysis.compare import Comparison
    from mnist_sweep.analysis.gate import GateResult
    from mnist_sweep.analysis.uncertainty import UncertainSelection
    from mnist_sweep.records.external_results import ResultMapping
    from mnist_sweep.records.record import Record
    from mnist_sweep.reporting.tables.table import Table
    from mnist_sweep.sweeping.result import SweepResult

    Directory = str | os.PathLike[str]

__all__ = [
    "Compared", "Gate", "Plots", "Selected", "Sweep", "Tables", "check", "compare", "load", "sweep",
]  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(records.Sweep):
    """A sweep's directory: its runs table, and questions to it.

    Attributes:
        directory: The sweep's directory, or a single run's.
        frame: The runs table: a row per run that has a record, failed ones included. Columns are
            dotted names: settings (`layers`, `data.name`), metrics by split (`test.accuracy`),
            times in seconds (`time.train_s`), `run_id`, `label`, `status`, `directory`. A value
            that a run does not have is missing.
        problems: What could not be read, and why.
        missing: Planned runs without a record, and why.
        objective: The metric by which `best` is meant.
        is_external: Whether the runs are of another program: then there is only `frame`.

    Examples:
        >>> import mnist_sweep as ms
        >>> grid = ms.load("outputs/grid")  # doctest: +SKIP
        >>> grid.frame.groupby(["layers", "nodes"])["test.accuracy"].mean()  # doctest: +SKIP
        >>> print(grid.worst("layers=2", by="f1_min"))  # doctest: +SKIP
    """

    is_external: bool = field(default=False, kw_only=True)

    @classmethod
    def of(cls, content: records.Sweep) -> Sweep:
        """What was loaded from a directory."""
        return cls(**{one.name: getattr(content, one.name) for one in fields(content)})

    def best(
        self, *where: str, by: str | None = None, split: str | None = None, level: float = 0.95
    ) -> Selected:
        """The best configuration, with its uncertainty.

        Args:
            *where: Conditions that must hold: "layers=2", "dropout>0".
            by: A metric: "f1_min", "test.accuracy", "f1.8"; None is the objective.
            split: The split of a metric that names none, and of the objective; None is validation,
                and the objective's own.
            level: Confidence level of the comparison with the others.

        Raises:
            SelectionError: Unknown metric or setting, or no finished run matches.
        """
        return self._select("best", where, by, split, level)

    def worst(
        self, *where: str, by: str | None = None, split: str | None = None, level: float = 0.95
    ) -> Selected:
        """The worst configuration, with its uncertainty; see `best`."""
        return self._select("worst", where, by, split, level)

    def table(
        self,
        *where: str,
        columns: Sequence[str] | str = (),
        sort: str | None = None,
        runs: bool = False,
    ) -> Tables:
        """The comparison tables.

        Args:
            *where: Conditions on the runs: "layers=2".
            columns: Settings and metrics: one table of exactly these; else the default three.
            sort: "KEY" or "KEY,desc"; None orders by the settings.
            runs: A row for every run, also where some differ only in seed.

        Raises:
            SelectionError: A condition names nothing known, or no run matches.
            UsageError: `columns` or `sort` names nothing known.
        """
        from mnist_sweep.reporting.tables.tables import comparison

        keys = columns.split(",") if isinstance(columns, str) else columns
        return Tables(comparison([self], where=where, sort=sort, columns=keys, runs=runs))

    def plots(self) -> Plots:
        """The report's plots as Matplotlib figures, by name; a notebook shows them.

        Raises:
            SelectionError: The runs are of another program.
        """
        from mnist_sweep.analysis.configurations import configurations
        from mnist_sweep.metrics import resolve
        from mnist_sweep.reporting.figures import drawing, files
        from mnist_sweep.reporting.phrases.names import with_names

        self._need_records()
        shown = with_names(configurations(records.all_runs([self])))
        made = files.plots(shown, resolve(self.objective))
        return Plots({one.name: drawing.draw(one, one.title) for one in made})

    def report(self, output: Directory | None = None, *, figures: bool = True) -> Path:
        """Write report.html, figures and tables, and return the page's path.

        Args:
            output: The folder to write to; None is the sweep's own directory.
            figures: Whether to draw PNG and SVG figures, which takes most of the time.

        Raises:
            DirectoryError: The folder cannot be written.
        """
        from mnist_sweep.report_images import images_of

        self._need_records()
        from mnist_sweep.reporting.report import write_report

        directories = [str(self.directory)]
        images = images_of(directories)
        return write_report(directories, output, images=images, figures=figures).page

    def record(self, run_id: str) -> Record:
        """The whole record of a run.

        Raises:
            SelectionError: There is no such run, or its program was another one.
            DirectoryError: The record was changed or removed since the directory was read.
        """
        self._need_records()
        return super().record(run_id)

    def model(self, run_id: str) -> Any:
        """A run's trained network (a `keras.Model`), loaded without running code from its file.

        Raises:
            SelectionError: There is no such run.
            ModelError: The network was not saved, is damaged, or does not fit the record.
        """
        from mnist_sweep.inference.load import RecordedNetwork
        from mnist_sweep.inference.load import load as load_network
        from mnist_sweep.training import runtime

        paths, record = self.run_paths(run_id), self.record(run_id)
        if not paths.model.exists():
            raise SelectionError(
                f"The run {run_id} in {self.directory} has no network: it is {record.status}, or "
                "save_model was false. Choose a finished run."
            )
        with suppress(SettingsError):  # other threads than before: these stay
            runtime.configure(record.environment.threads or 1)
        data = record.data
        recorded = RecordedNetwork(tuple(data.shape), data.classes, record.parameters)
        return load_network(paths.model, recorded)

    def _need_records(self) -> None:
        if self.is_external:
            raise SelectionError(
                f"The runs in {self.directory} are of another program: there is `frame`, and no "
                "records, networks or report."
            )

    def _select(
        self,
        direction: Literal["worst", "best"],
        where: Sequence[str],
        by: str | None,
        split: str | None,
        level: float,
    ) -> Selected:
        from mnist_sweep.analysis.uncertainty import select_with_uncertainty

        return Selected(
            select_with_uncertainty(self, where, by, direction, split=split, level=level)
        )

    def __fspath__(self) -> str:
        return str(self.directory)

    def __repr__(self) -> str:
        counts = Counter(self.frame["status"]) if len(self.frame) else Counter()
        parts = [f"{count} {status}" for status, count in counts.most_common()]
        parts += [f"{len(self.missing)} missing"] if self.missing else []
        return f"<Sweep {self.directory}: {', '.join(parts) or 'no runs'}>"

    def _repr_html_(self) -> str:
        shown = self.table()._repr_html_() if len(self.frame) else ""
        return f"<p><code>{escape(repr(self))}</code></p>{shown}"


class _Text:
    """What prints as text, and shows the same in a notebook."""

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


@dataclass(frozen=True)
class Selected(_Text):
    """A selected configuration. Prints as sentences; `selection` has the fields.

    Attributes:
        selection: The candidates in order, values, uncertainty, and what could not be counted.
    """

    selection: UncertainSelection

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration's settings, by dotted name, without the seed."""
        return self.selection.chosen.settings

    @property
    def value(self) -> float:
        """The metric's mean over the configuration's runs."""
        return self.selection.chosen.value

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The configuration's finished runs, in order of seed."""
        return self.selection.chosen.run_ids

    def __str__(self) -> str:
        from mnist_sweep.reporting.phrases.selection import sentences

        return "\n".join(sentences(self.selection))


@dataclass(frozen=True)
class Tables:
    """Comparison tables. `str` is aligned text; `text(format)` is any format of `table --format`.

    Attributes:
        tables: The tables: columns, rows, cells with values and marks.
    """

    tables: Sequence[Table]

    def text(self, format_name: str = "text") -> str:
        """The tables as text, md, csv, html, latex or json.

        Raises:
            UsageError: There is no such format.
        """
        from mnist_sweep.reporting.tables.render import render

        return render(self.tables, format_name)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.text("html")


class Plots(dict[str, "Figure"]):
    """Matplotlib figures by name."""

    def _repr_html_(self) -> str:
        from io import StringIO

        drawn = []
        for figure in self.values():
            figure.savefig(file := StringIO(), format="svg", bbox_inches="tight")
            drawn.append(file.getvalue().partition("<svg")[2])
        return "".join(f"<svg{one}" for one in drawn)


@dataclass(frozen=True)
class Compared(_Text):
    """A comparison of directories. Prints as a short text; `comparison` has the fields."""

    comparison: Comparison

    def text(self, format_name: str = "text") -> str:
        """The comparison as text, md, json or a whole html page.

        Raises:
            UsageError: There is no such format.
        """
        from mnist_sweep.reporting.comparison.render import FORMATS

        if format_name not in FORMATS:
            raise UsageError(f"No format {format_name!r}: expected one of {', '.join(FORMATS)}.")
        return FORMATS[format_name](self.comparison)

    def __str__(self) -> str:
        from mnist_sweep.reporting.comparison.render import text

        return text(self.comparison)


@dataclass(frozen=True)
class Gate(_Text):
    """What the gate found. Prints as text; `result` has the checks as fields."""

    result: GateResult

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return self.result.passed

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        from mnist_sweep.reporting.gate.gate_report import FORMATS

        return FORMATS["text"](self.result)


def sweep(*overrides: str, **settings: Any) -> Sweep:
    """Run a sweep in this process's directory, as `python -m mnist_sweep -m` does.

    Args:
        *overrides: Hydra's overrides: "layers=1,2", "+experiment=smoke", "model=cnn".
        **settings: The same by name; a list or tuple holds several values to sweep over. Nested
            settings take their dotted name: `**{"early_stopping.patience": 3}`.

    Returns:
        The sweep with the runs that finished now or before, failed ones included. The tables are
        written, and the report unless `report=False`; notices are warnings.

    Raises:
        MnistSweepError: Nothing was run; the text says what is wrong.
        KeyboardInterrupt: It was interrupted; what had finished is kept.

    Examples:
        >>> import mnist_sweep as ms
        >>> grid = ms.sweep(
        ...     "layers=1,2", nodes=[8, 16], data="digits", epochs=1, name="api"
        ... )  # doctest: +SKIP
        >>> grid.best().value  # doctest: +SKIP
    """
    from mnist_sweep.reporting.tables.tables import write_tables

    result = _run([*overrides, *map(_override, settings, settings.values())])
    for notice in (*result.notices, *result.plan.notes()):
        warnings.warn(notice, stacklevel=2)
    found = Sweep.of(write_tables(result.directory)[0])
    if result.interrupted:
        raise KeyboardInterrupt
    if result.report and len(found.frame):
        found.report()
    return found


def load(
    directory: Directory,
    *,
    record: str | None = None,
    metrics: Mapping[str, str] | None = None,
) -> Sweep:
    """Read a sweep's directory, a single run's, or the results of another program.

    Args:
        directory: The directory.
        record: Of another program: which JSON files are its records, as in `runs/*/results.json`.
        metrics: Of another program: metric -> where it is in a record, {"accuracy": "test.acc"}.

    Raises:
        DirectoryError: It does not exist or holds nothing that can be read.
        UsageError: `metrics` without `record`.

    Examples:
        >>> import mnist_sweep as ms
        >>> ms.load("outputs/grid").frame["test.accuracy"].max()  # doctest: +SKIP
    """
    from mnist_sweep.metrics import TEST
    from mnist_sweep.records.external_results import read_external_results
    from mnist_sweep.records.fields import result_columns
    from mnist_sweep.settings import DEFAULT_OBJECTIVE

    mapping = _mapping(record, metrics)
    if mapping is None:
        return Sweep.of(records.load(directory))
    frame = read_external_results(Path(directory), mapping)
    absent = [name for name in result_columns(1) if name not in frame]
    frame = frame.reindex(columns=[*frame.columns, *absent])
    first = next(iter(mapping.resolved(TEST).values()), None)
    objective = first.column if first else DEFAULT_OBJECTIVE
    return Sweep(Path(directory), frame, objective=objective, is_external=True)


def compare(
    *directories: Directory,
    split: str = "test",
    record: str | None = None,
    metrics: Mapping[str, str] | None = None,
) -> Compared:
    """Compare sweep directories (or runs) with the first of them.

    Args:
        *directories: Two or more.
        split: The split of the metrics.
        record: Of other programs' directories: which JSON files are records, see `load`.
        metrics: Of other programs' directories: metric -> where it is in a record.

    Raises:
        UsageError: Fewer than two directories, or `metrics` without `record`.
        DirectoryError: One of them cannot be read.
    """
    from mnist_sweep.analysis.compare import compare as compare_sides
    from mnist_sweep.analysis.compare import load_side

    if len(directories) < 2:
        raise UsageError("Expected two or more directories to compare.")
    mapping = _mapping(record, metrics)
    return Compared(compare_sides([load_side(Path(one), split, mapping) for one in directories]))


def check(directory: Directory, *, baseline: Directory, rules: Directory | None = None) -> Gate:
    """Check a sweep against a baseline, as `mnist-sweep check` does.

    Args:
        directory: The sweep's.
        baseline: A file that `mnist-sweep baseline` wrote, or another sweep's directory.
        rules: A YAML file of rules; None checks that every point finished and that the test
            accuracy is not below the baseline's by more than seeds explain.

    Raises:
        DirectoryError: A file or directory cannot be read.
    """
    from mnist_sweep.analysis import gate

    chosen = gate.read_rules(Path(rules)) if rules is not None else gate.Rules()
    runs = gate.read_baseline(Path(baseline))
    return Gate(gate.check(records.load(directory), runs, chosen, Path(baseline)))


def _mapping(record: str | None, metrics: Mapping[str, str] | None) -> ResultMapping | None:
    """How another program's directory is read; None for a sweep's."""
    from mnist_sweep.records.external_results import mapping_of

    if record is not None:
        return mapping_of(record, [f"{name}={place}" for name, place in (metrics or {}).items()])
    if metrics:
        raise UsageError("`metrics` needs `record`, which says what files the metrics are in.")
    return None


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


def _override(name: str, value: Any) -> str:
    """A keyword argument as Hydra's override: nodes=[8, 16] as `nodes=8,16`."""
    from mnist_sweep.sweeping.plan.overrides import hydra_text

    value = value.tolist() if hasattr(value, "tolist") else value  # an array, a NumPy number
    if isinstance(value, (list, tuple, range)) and name not in ("points", "exclude"):
        return f"{name}={','.join(map(hydra_text, value))}"
    return f"{name}={hydra_text(value)}"
