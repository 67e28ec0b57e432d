"""The subcommands `compare`, `check` and `baseline`: without TensorFlow and Hydra."""

from __future__ import annotations

import os
from pathlib import Path

import click

from mnist_sweep.analysis import gate
from mnist_sweep.analysis.compare import compare as compare_sides
from mnist_sweep.analysis.compare import load_side
from mnist_sweep.cli.options import (
    FILE,
    PATH,
    directory_argument,
    external_options,
    flag,
    format_option,
    option,
    output_option,
    print_notes,
)
from mnist_sweep.cli.output import ExitCode, wrap
from mnist_sweep.errors import DirectoryError, UsageError
from mnist_sweep.metrics import HELD_OUT
from mnist_sweep.records.external.mapping import ResultMapping
from mnist_sweep.records.store import write_text
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting import gate as gate_report
from mnist_sweep.reporting.comparison.render import FORMATS, render, text
from mnist_sweep.reporting.phrases.values import counted

ENDINGS = {".md": "md", ".json": "json", ".html": "html", ".htm": "html"}


@click.command("compare")
@click.argument("directories", metavar="A B [C…]", nargs=-1, required=True, type=PATH)
@format_option(
    [*FORMATS], "Output format.  [default: text, or the format of the -o file's extension]", None
)
@output_option
@flag("--full", "Show all tables, not only the verdict and 30 lines.")
@option(
    "--split",
    "Split on which metrics are compared.  [default: test; for results of other programs that "
    "of their objective]",
    type=click.Choice(HELD_OUT),
)
@external_options
def compare(
    directories: tuple[Path, ...],
    format_name: str | None,
    output: Path | None,
    split: str | None,
    mapping: ResultMapping | None,
    *,
    full: bool,
) -> None:
    """Compare sweep directories (or runs) with the first one.

    Shows the differences in settings, data, code and machine, the configurations in both, the
    change of each metric with an interval and a test, and changes by digit, confusion and image.
    """
    if len(directories) < 2:
        raise UsageError("Expected two or more directories to compare, got one. Give another one.")
    sides = [load_side(directory, split, mapping) for directory in directories]
    found = compare_sides(sides)
    print_notes(note for side in sides for note in side.notes)
    ending = ENDINGS.get(output.suffix.lower(), "text") if output is not None else "text"
    name = format_name or ending
    # A file is read at leisure, and gets everything.
    is_short = name == "text" and not full and output is None
    _emit(text(found) if is_short else render(found, name), name, output)
    if output is not None:
        click.echo(f"Written to {output}", err=True)


@click.command("check")
@directory_argument
@option(
    "--baseline baseline_path",
    "File written by the command `baseline`, or the directory of another sweep.",
    "FILE-OR-DIR",
    required=True,
    type=PATH,
)
@option(
    "--rules rules_path",
    "YAML file with floors, baseline, ratios, all_finished, level.  [default: all points must "
    "be finished, and test accuracy may drop only within the variation between seeds]",
    "FILE",
    type=PATH,
)
@format_option([*gate_report.FORMATS])
@output_option
@external_options
def check(
    directory: Path,
    baseline_path: Path,
    rules_path: Path | None,
    format_name: str,
    output: Path | None,
    mapping: ResultMapping | None,
) -> int:
    """Check a sweep against a baseline. Prints the reasons and exits with code 3 if it fails.

    The check fails whenever something cannot be checked: without a baseline, plan or records, with
    a damaged record, a value that is not finite, a missing configuration, fewer runs or different
    data.
    """
    rules = gate.read_rules(rules_path) if rules_path else gate.Rules()
    # What cannot be read is a failed check like others, so that CI shows it where it shows those.
    kind = gate.CheckKind.BASELINE
    try:
        runs = gate.read_baseline(baseline_path, mapping)
        kind = gate.CheckKind.RECORDS
        sweep = load(directory, mapping)
    except DirectoryError as error:
        result = gate.refused(kind, str(error))
    else:
        print_notes(sweep.notes)
        result = gate.check(sweep, runs, rules, baseline_path)
    _append_summary(gate_report.summary(result))
    _emit(gate_report.FORMATS[format_name](result), format_name, output)
    if output is not None:  # that is for a machine; the job's log should show the reasons
        click.echo(wrap(gate_report.text(result), err=True), err=True)
    return 0 if result.passed else ExitCode.GATE_FAILED


@click.command("baseline")
@directory_argument
@option("-o --output", "File to write.", required=True, type=FILE)
@flag("--update", "Show what changes in an existing file, then overwrite it.")
@external_options
def baseline(directory: Path, output: Path, mapping: ResultMapping | None, *, update: bool) -> None:
    """Write a sweep's results to a small file to commit, with which `check` compares later sweeps.

    Repeats (seed=0,1,2) show how much a metric varies between seeds; without them a rule needs a
    tolerance.
    """
    sweep = load(directory, mapping)
    print_notes(sweep.notes)
    runs = gate.baseline_of(sweep)
    if update:  # shown before the file is overwritten, so that a mistake can be seen
        pairs = gate.pair_up(gate.read_baseline(output), runs)
        click.echo(wrap(gate_report.baseline_changes(pairs, runs)))
    gate.write_baseline(output, sweep, runs)
    count = runs["configuration_id"].nunique()
    left = len(sweep.frame) - len(runs)
    without = f", without {left} that did not finish" if left else ""
    written = f"{counted(len(runs), 'run')} of {counted(count, 'configuration')}"
    click.echo(f"{written} written to {output}{without}")
    if len(runs) == count:
        click.echo("One run each: repeat with other seeds (seed=0,1,2) to tell noise from a drop.")


def _emit(text: str, format_name: str, output: Path | None) -> None:
    """To a file, or to standard output; only text is fitted to a terminal."""
    if output is not None:
        write_text(output, text)
    else:
        click.echo(wrap(text) if format_name == "text" else text.rstrip("\n"))


def _append_summary(text: str) -> None:
    """Add to the CI job's summary, where the job has one; a summary never decides a gate."""
    place = os.environ.get("GITHUB_STEP_SUMMARY")
    if not place:
        return
    try:
        with Path(place).open("a", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        click.echo(f"The summary could not be written to {place}: {error.strerror}", err=True)
