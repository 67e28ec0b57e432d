"""A sweep's directory in Python: its runs table, and methods that evaluate it."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_sweep.api.results import Plots, Selected, Tables, preformatted
from mnist_sweep.errors import SelectionError, SettingsError
from mnist_sweep.records import sweep as records
from mnist_sweep.records.study_file import load_study
from mnist_sweep.settings import DEFAULT_LEVEL

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(records.Sweep):
    """A sweep's directory: its runs table, and methods that evaluate it.

    Attributes:
        directory: The sweep's directory, or a single run's.
        frame: The runs table: a row per run that has a record, including failed ones. Columns are
            dotted names: settings (`layers`, `data.name`), metrics by split (`test.accuracy`),
            times in seconds (`time.train_s`), `run_id`, `label`, `status`, `directory`. Values
            that a run does not have are NA.
        problems: Files that could not be read, with the reasons.
        missing: Planned runs without a record, with the reasons.
        objective: The metric that defines `best`.
        notes: For another program's directory: the assumptions, and what is unknown.

    Examples:
        >>> import mnist_sweep as ms
        >>> grid = ms.load("outputs/grid")  # doctest: +SKIP
        >>> grid.frame.groupby(["layers", "nodes"])["test.accuracy"].mean()  # doctest: +SKIP
        >>> print(grid.worst("layers=2", by="f1_min"))  # doctest: +SKIP
    """

    @classmethod
    def of(cls, content: records.Sweep) -> Sweep:
        """What was loaded from a directory."""
        return cls(**{one.name: getattr(content, one.name) for one in fields(content)})

    def best(
        self,
        *where: str,
        by: str | None = None,
        split: str | None = None,
        level: float = DEFAULT_LEVEL,
    ) -> Selected:
        """The best configuration, with its uncertainty.

        Args:
            *where: Conditions that must hold: "layers=2", "dropout>0".
            by: A metric: "f1_min", "test.accuracy", "f1.8"; None: the objective.
            split: The split of a metric that is given without one, and of the objective. None:
                validation, and for the objective its own split.
            level: Confidence level of the comparison with the others.

        Raises:
            SelectionError: Unknown metric or setting, or no finished run matches.
        """
        from mnist_sweep.analysis.uncertainty import select_with_uncertainty

        return Selected(select_with_uncertainty(self, where, by, "best", split=split, level=level))

    def worst(
        self,
        *where: str,
        by: str | None = None,
        split: str | None = None,
        level: float = DEFAULT_LEVEL,
    ) -> Selected:
        """The worst configuration, with its uncertainty; see `best`."""
        from mnist_sweep.analysis.uncertainty import select_with_uncertainty

        return Selected(select_with_uncertainty(self, where, by, "worst", split=split, level=level))

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
            columns: Settings and metrics of a single table; None: the three default tables.
            sort: "KEY" or "KEY,desc"; None sorts by the settings.
            runs: Show a row for every run, even if some differ only in seed.

        Raises:
            SelectionError: A condition has an unknown name, or no run matches.
            UsageError: `columns` or `sort` has an unknown name.
        """
        from mnist_sweep.reporting.tables.tables import comparison

        keys = columns.split(",") if isinstance(columns, str) else columns
        return Tables(comparison([self], where=where, sort=sort, columns=keys, runs=runs))

    def plots(self) -> Plots:
        """The report's plots as Matplotlib figures, by name; a notebook shows them."""
        from mnist_sweep.analysis.configurations import configurations
        from mnist_sweep.metrics import resolve
        from mnist_sweep.reporting.figures import drawing, files
        from mnist_sweep.reporting.phrases.names import with_names

        shown = with_names(configurations(records.all_runs([self])))
        made = files.plots(shown, resolve(self.objective), [self.plan])
        with drawing.styled():
            return Plots({one.name: drawing.draw(one, one.title) for one in made})

    def report(self, output: str | os.PathLike[str] | None = None, *, figures: bool = True) -> Path:
        """Write report.html, figures and tables, and return the page's path.

        Args:
            output: The folder to write to; None: the sweep's directory.
            figures: Whether to write figures as PNG and SVG, which takes most of the time.

        Raises:
            DirectoryError: The folder cannot be written.
        """
        from mnist_sweep.report_images import images_of
        from mnist_sweep.reporting.report import write_report

        return write_report(
            [self.directory], output, images=images_of([self.directory]), figures=figures,
            loaded=[self],
        ).page  # fmt: skip

    def model(self, run_id: str) -> Any:
        """A run's trained network (a `keras.Model`), loaded without running code from its file.

        Raises:
            SelectionError: There is no such run.
            ModelError: The run is of a task, or its network is damaged or does not fit the record.
        """
        from mnist_sweep.analysis.resolve_run import require_network
        from mnist_sweep.inference.load import load as load_network
        from mnist_sweep.training import runtime

        require_network(self, run_id)
        paths, record = self.run_paths(run_id), self.record(run_id)
        if not paths.model.exists():
            raise SelectionError(
                f"The run {run_id} in {self.directory} has no network: it is {record.status}, or "
                "save_model was false. Choose a finished run."
            )
        with suppress(SettingsError):  # other threads than before: these stay
            runtime.configure(record.environment.threads or 1)
        data = record.data
        return load_network(paths.model, tuple(data.shape), data.classes, record.parameters)

    def __fspath__(self) -> str:
        return str(self.directory)

    def __repr__(self) -> str:
        counts = Counter(self.frame["status"]) if len(self.frame) else Counter()
        parts = [f"{count} {status}" for status, count in counts.most_common()]
        parts += [f"{len(self.missing)} missing"] if self.missing else []
        return f"<Sweep {self.directory}: {', '.join(parts) or 'no runs'}>"

    def _repr_html_(self) -> str:
        lines = preformatted("\n".join([repr(self), *self._answers()]))
        return lines + (self.table()._repr_html_() if len(self.frame) else "")

    def _answers(self) -> Iterator[str]:
        """The lines Best and Worst of a sweep's summary."""
        from mnist_sweep.analysis.answers import best_of, default_selections, standing_of
        from mnist_sweep.reporting.phrases.overview import certainty_line, standing_line

        study = load_study(self.directory)
        found = () if study else default_selections([self])
        standings = [standing_of(self, one) for one in found or (best_of(self, study),) if one]
        for one in standings:
            label = one.found.direction.capitalize()
            yield f"{label:<8}{standing_line(one)}"
        yield from filter(None, (certainty_line(one.found, study) for one in standings[:1]))
