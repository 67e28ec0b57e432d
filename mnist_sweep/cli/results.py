"""The subcommands that read records: `table`, `worst`, `best`.

Results go to standard output, what could not be read to standard error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from mnist_sweep.analysis.selection import Direction
from mnist_sweep.cli.options import (
    Choice,
    directories_argument,
    directory_argument,
    external_options,
    flag,
    format_option,
    level_option,
    option,
    print_notes,
    where_option,
)
from mnist_sweep.cli.output import terminal, wrap
from mnist_sweep.command import command
from mnist_sweep.errors import DirectoryError, visible
from mnist_sweep.metrics import HELD_OUT
from mnist_sweep.records import cache
from mnist_sweep.records.external.mapping import ResultMapping
from mnist_sweep.records.study_file import load_study
from mnist_sweep.records.sweep import Sweep, load
from mnist_sweep.reporting.escape import listed
from mnist_sweep.reporting.tables.render import format_names, render
from mnist_sweep.reporting.tables.tables import MAX_ROWS, MAX_WITH_INTERVALS, comparison
from mnist_sweep.safe_files import json_text

_SHOWN_PROBLEMS = 20


@click.command("table")
@directories_argument
@format_option(format_names(), "Output format.")
@option(
    "--sort",
    "Sort by a setting or metric, such as test.accuracy,desc, instead of by the settings.",
    "KEY[,desc]",
)
@where_option
@option(
    "--columns",
    "Show one table with these settings and metrics; metrics without a split are of the test "
    "split.",
    "A,B,…",
)
@flag("--runs", "Show a row for every run, even if some differ only in seed.")
@flag(
    "--all everything",
    f"Show all rows; a terminal shows only the first and last of more than {MAX_ROWS}.",
)
@flag(
    "--intervals",
    f"Compute intervals also for more than {MAX_WITH_INTERVALS} configurations (slow).",
)
@level_option
@external_options
def table(
    *,
    mapping: ResultMapping | None,
    directories: tuple[str, ...],
    format_name: str,
    columns: str | None,
    everything: bool,
    **how: Any,
) -> None:
    """Print the comparison tables of one or several sweep directories.

    The tables show time, losses and accuracies; F1, precision and recall; and F1 by class. There is
    one row per run, with the settings that vary; a run without a result has a row with the reason.
    If runs differ only in seed, there is one row per configuration, with mean, standard deviation,
    number of runs and interval.
    """
    chosen = [key.strip() for key in (columns or "").split(",") if key.strip()]
    shown = terminal()
    # Files and pipes get every row: whoever reads them can cut them.
    is_cut = format_name == "text" and shown["width"] is not None and not everything
    sweeps = [load(directory, mapping) for directory in directories]
    need_records(sweeps)
    tables = comparison(sweeps, columns=chosen, most=MAX_ROWS if is_cut else None, **how)
    click.echo(render(tables, format_name, **shown), nl=False)
    _print_problems(sweeps)


def _selection_command(direction: Direction) -> click.Command:
    @click.command(
        direction,
        help=f"Show the {direction} configuration, its uncertainty, its weakest classes and the "
        "classes they are confused with.",
    )
    @directory_argument
    @where_option
    @option(
        "--by",
        "f1_min, accuracy, f1.8 (one class, by number or name), loss, time.train_s, test.f1, "
        "…  [default: the sweep's objective]",
        "METRIC",
    )
    @option(
        "--split",
        "Split of a metric that is given without one.  [default: validation]",
        type=Choice(HELD_OUT),
    )
    @format_option(["text", "json"])
    @level_option
    @option(
        "--margin",
        "Largest difference that counts as none; 0.002 is 0.2 points of accuracy.  "
        "[default: the sweep's margin]",
        type=click.FloatRange(0, 1, min_open=True),
    )
    @option(
        "--replicates",
        "Number of bootstrap samples of the examples, for the uncertainty of the selection.",
        type=click.IntRange(100, 1_000_000),
        default=2000,
        show_default=True,
    )
    @flag("--exact", "Compare all candidates with each other even if there are very many (slow).")
    @external_options
    def run(
        directory: Path, format_name: str, mapping: ResultMapping | None, *, exact: bool, **how: Any
    ) -> None:
        # These import NumPy and SciPy, which `table` and `--help` do without.
        from mnist_sweep.analysis.uncertainty import MAX_COMPARED, select_with_uncertainty
        from mnist_sweep.reporting.phrases.selection import sentences

        sweep = load(directory, mapping)
        need_records([sweep])
        most = None if exact else MAX_COMPARED
        found = select_with_uncertainty(sweep, direction=direction, most=most, **how)
        if format_name == "json":
            problems = [{"path": str(p.path), "reason": p.reason} for p in sweep.problems]
            click.echo(json_text({**found.to_json(), "problems": problems}, indent=2))
        else:
            click.echo(wrap("\n".join(sentences(found))))
            print_notes(_study_note(sweep))
        _print_problems([sweep])

    return run


worst, best = _selection_command("worst"), _selection_command("best")


def _study_note(sweep: Sweep) -> Iterator[str]:
    """Of a study: its summary selects from fewer runs, so that it may name another one."""
    study = load_study(sweep.directory)
    if study is not None and any(stage.of for stage in study.stages):
        first = [visible(stage.name) for stage in study.stages if not stage.of]
        yield (
            f"This directory is a study, and the runs of all its stages were compared. Its summary "
            f"and report select from stage {', '.join(first)} alone, since the later stages' "
            "configurations were chosen by these results."
        )


def need_records(sweeps: Sequence[Sweep]) -> None:
    """Refuse directories of which nothing can be read, with the reasons."""
    if any(len(sweep.frame) for sweep in sweeps):
        return  # the table has rows for what is missing beside them
    reasons = [str(problem) for sweep in sweeps for problem in sweep.problems]
    reasons += [f"{point.label}: {point.reason}" for sweep in sweeps for point in sweep.missing]
    directories = ", ".join(str(sweep.directory) for sweep in sweeps)
    raise DirectoryError(
        f"Expected at least one record in {directories}, but none can be read: "
        f"{listed(reasons, 3)}. Run the sweep again: {command('resume', sweeps[0].directory)}."
    )


def _print_problems(sweeps: Sequence[Sweep]) -> None:
    print_notes(note for sweep in sweeps for note in sweep.notes)
    print_notes(filter(None, (cache.advice(len(sweep.frame)) for sweep in sweeps)))
    problems = [problem for sweep in sweeps for problem in sweep.problems]
    if problems:
        click.echo(f"\nCould not be read ({len(problems)}):", err=True)
        shown = "\n  ".join(map(str, problems[:_SHOWN_PROBLEMS]))
        left = len(problems) - _SHOWN_PROBLEMS
        click.echo(f"  {shown}" + (f"\n  … and {left} more" if left > 0 else ""), err=True)
