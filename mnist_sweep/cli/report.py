"""The subcommands that show results elsewhere: `report`, `export`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnist_sweep.cli.options import (
    PATH,
    Choice,
    directories_argument,
    directory_argument,
    external_options,
    flag,
    option,
    print_notes,
)
from mnist_sweep.errors import DirectoryError, UsageError, visible
from mnist_sweep.reporting.export import ExportOptions, find, names

if TYPE_CHECKING:
    from mnist_sweep.records.external.mapping import ResultMapping
    from mnist_sweep.reporting.report import Written

# Between looks at the directories while watching.
SETTLE_S = 1.0


@click.command("report")
@directories_argument
@option("-o --output", "Where to write.  [default: DIR]", "DIR", type=click.Path())
@option("--figures/--no-figures", "Write figures as PNG and SVG, or not.", default=True)
@flag("--watch", "Update the report while runs finish; Ctrl-C ends this.")
@option(
    "--interval",
    "With --watch: seconds between updates.",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
)
@external_options
def report(
    directories: tuple[str, ...],
    mapping: ResultMapping | None,
    output: str | None,
    *,
    figures: bool,
    watch: bool,
    interval: int,
) -> None:
    """Write the report of one or several sweep directories from their records.

    report.html is a single file that needs no network; figures/ and tables/ are written to the same
    directory. With --watch the page is rewritten, and reloaded in the browser, whenever a run
    finishes, until every planned run has a record.
    """
    from mnist_sweep.records.sweep import load
    from mnist_sweep.report_images import images_of
    from mnist_sweep.reporting.report import write_report

    def write(*, figures: bool, refresh_s: int = 0) -> Written:
        sweeps = [load(directory, mapping) for directory in directories]
        if not refresh_s:
            print_notes(note for sweep in sweeps for note in sweep.notes)
        images = images_of(directories)
        return write_report(
            directories, output, images=images, figures=figures, refresh_s=refresh_s, loaded=sweeps
        )

    if watch:
        _watch(directories, interval, partial(write, figures=False, refresh_s=interval))
    # Once more after watching: with figures, and without the reload.
    click.echo(_said(write(figures=figures)))


def _said(written: Written) -> str:
    drawn = f", {len(written.figures)} figures" if written.figures else ""
    return f"Report: {written.page}{drawn} ({written.seconds:.1f} s)"


def _watch(directories: Sequence[str], interval: int, write: Callable[[], Written]) -> None:
    """Write the page whenever something changed, until all is done or the user has seen enough."""
    from mnist_sweep.records.paths import SweepPaths

    seen: set[tuple[str, int]] | None = None
    waiting = ""
    try:
        while True:
            started = time.monotonic()
            now = _signature(directories)
            try:
                if now != seen:
                    written = write()
                    seen = now
                    click.echo(f"{_said(written)}, {written.missing} runs missing")
                    if written.missing == 0:
                        return
            except DirectoryError as error:
                # A sweep that has only begun has nothing to report yet.
                if not all(SweepPaths(directory).sweep_json.exists() for directory in directories):
                    raise
                if str(error) != waiting:
                    waiting = str(error)
                    click.echo(f"Waiting: {waiting}", err=True)
            time.sleep(max(SETTLE_S, interval - (time.monotonic() - started)))
    except KeyboardInterrupt:
        click.echo("Stopped watching; the page no longer reloads.", err=True)


def _signature(directories: Sequence[str]) -> set[tuple[str, int]]:
    """What changes when a run finishes or more are planned: the files' times of change."""
    from mnist_sweep.records.paths import SweepPaths

    found = set()
    for paths in map(SweepPaths, directories):
        for path in (paths.sweep_json, *Path(paths.runs).glob("*/record.json")):
            with suppress(OSError):  # replaced this very moment: the next look finds it
                found.add((str(path), path.stat().st_mtime_ns))
    return found


@click.command("export")
@directory_argument
@option(
    "--to tracker",
    "Target; needs pip install 'mnist-sweep[tensorboard]' or 'mnist-sweep[mlflow]'.",
    required=True,
    type=Choice(names()),
)
@option(
    "--output",
    "Where to write.  [default: DIR/tensorboard or DIR/mlflow]",
    "FOLDER",
    type=PATH,
)
@option(
    "--tracking-uri",
    "MLflow server or database to use instead: http://localhost:5000, sqlite:///mlflow.db.",
    "URI",
)
@option(
    "--experiment",
    "Name of the MLflow experiment.  [default: the directory's name]",
    "NAME",
)
def export(
    directory: Path,
    tracker: str,
    output: Path | None,
    tracking_uri: str | None,
    experiment: str | None,
) -> None:
    """Export a sweep's runs to TensorBoard or MLflow: settings, curves, results.

    A repeated export adds new runs and changes nothing else.
    """
    if tracker == "tensorboard" and (tracking_uri or experiment):
        raise UsageError("--tracking-uri and --experiment belong to --to mlflow.")
    if output and tracking_uri:
        raise UsageError("--output and --tracking-uri both name a store: give one of them.")
    from mnist_sweep.cli.results import need_records
    from mnist_sweep.records.sweep import load
    from mnist_sweep.reporting.phrases.values import counted

    sweep = load(directory)
    need_records([sweep])
    name = experiment or directory.absolute().name
    done = find(tracker)(sweep, ExportOptions(output or directory / tracker, tracking_uri, name))
    known = f", {done.known} there already," if done.known else ""
    click.echo(f"{counted(done.new, 'run')} exported{known} {done.place}")
    if done.command:
        click.echo(f"To view it: {done.command}")
    for problem in sweep.problems:
        click.echo(f"Not exported (cannot be read): {problem}", err=True)
    for point in sweep.missing:
        click.echo(visible(f"Not exported (no record): {point.label} ({point.reason})"), err=True)
