"""The subcommand `report`: writes report.html, figures and tables, once or while runs finish."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import click

from mnist_sweep.cli.external import external_options, print_notes
from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.external.mapping import ResultMapping
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.sweep import load
from mnist_sweep.report_images import images_of
from mnist_sweep.reporting.report import Written, write_report

# Between looks at the directories while watching.
SETTLE_S = 1.0


@click.command("report")
@click.argument("directories", metavar="DIR...", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o", "--output", metavar="DIR", type=click.Path(), help="Where to write.  [default: DIR]"
)
@click.option("--figures/--no-figures", default=True, help="Write figures as PNG and SVG, or not.")
@click.option(
    "--watch", is_flag=True, help="Update the report while runs finish; Ctrl-C ends this."
)
@click.option(
    "--interval",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="With --watch: seconds between updates.",
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
    if watch:
        _watch(directories, output, interval, mapping)
    sweeps = [load(directory, mapping) for directory in directories]
    print_notes(note for sweep in sweeps for note in sweep.notes)
    written = write_report(
        directories, output, images=images_of(directories), figures=figures, loaded=sweeps
    )
    click.echo(said(written))


def said(written: Written) -> str:
    """One line: what was written, and how long that took."""
    drawn = f", {len(written.figures)} figures" if written.figures else ""
    return f"Report: {written.page}{drawn} ({written.seconds:.1f} s)"


def _watch(
    directories: tuple[str, ...], output: str | None, interval: int, mapping: ResultMapping | None
) -> None:
    """Write the page whenever something changed, until all is done or the user has seen enough."""
    seen: set[tuple[str, int]] | None = None
    waiting = ""
    try:
        while True:
            started = time.monotonic()
            now = _signature(directories)
            try:
                if now != seen:
                    written = write_report(
                        directories, output, images=images_of(directories), figures=False,
                        refresh_s=interval, loaded=[load(one, mapping) for one in directories],
                    )  # fmt: skip
                    seen = now
                    click.echo(f"{said(written)}, {written.missing} runs missing")
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


def _signature(directories: tuple[str, ...]) -> set[tuple[str, int]]:
    """What changes when a run finishes or more are planned: the files' times of change."""
    found = set()
    for paths in map(SweepPaths, directories):
        for path in (paths.sweep_json, *Path(paths.runs).glob("*/record.json")):
            with suppress(OSError):  # replaced this very moment: the next look finds it
                found.add((str(path), path.stat().st_mtime_ns))
    return found
