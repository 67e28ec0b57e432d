"""The subcommands `check` and `baseline`: a CI job's gate. They import no TensorFlow, no Hydra."""

from __future__ import annotations

import os
from pathlib import Path

import click

from mnist_sweep.analysis import gate
from mnist_sweep.cli.output import ExitCode
from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.store import write_text
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting.gate.gate_report import FORMATS, baseline_changes, summary


@click.command("check")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--baseline",
    "baseline_path",
    metavar="FILE-OR-DIR",
    required=True,
    type=click.Path(path_type=Path),
    help="What `mnist-sweep baseline` wrote, or another sweep's directory.",
)
@click.option(
    "--rules",
    "rules_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="YAML: floors, baseline, ratios, all_finished, level. Without it: every point finished, "
    "and test accuracy not below the baseline's by more than other seeds explain.",
)
@click.option(
    "--format", "format_name", type=click.Choice([*FORMATS]), default="text", show_default=True
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file."
)
def check(
    directory: Path,
    baseline_path: Path,
    rules_path: Path | None,
    format_name: str,
    output: Path | None,
) -> int:
    """Pass or fail a sweep against a baseline; exit code 3 if it fails, each reason a sentence.

    It fails closed: no baseline, no plan, no records, a damaged record, a value that is not finite,
    a missing configuration, fewer runs or another dataset each fail.
    """
    rules = gate.read_rules(rules_path) if rules_path else gate.Rules()
    result = _check(directory, baseline_path, rules)
    written = FORMATS[format_name](result)
    _append_summary(summary(result))
    if output is None:
        click.echo(written, nl=False)
    else:
        write_text(output, written)
        # The file is for a machine; the job's log should show the reasons.
        click.echo(FORMATS["text"](result), nl=False, err=True)
    return 0 if result.passed else ExitCode.GATE_FAILED


@click.command("baseline")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File."
)
@click.option("--update", is_flag=True, help="FILE is there: show what changes, then write it.")
def baseline(directory: Path, output: Path, *, update: bool) -> None:
    """Write a sweep's numbers as a small file to commit, for `check` to compare later sweeps with.

    Repeats (seed=0,1,2) show by how much seeds move a metric; without them a rule needs a
    tolerance.
    """
    sweep = load(directory)
    runs = gate.baseline_of(sweep)
    if update:
        click.echo(baseline_changes(gate.pair_up(gate.read_baseline(output), runs), runs))
    gate.write_baseline(output, sweep)
    count = runs["configuration_id"].nunique()
    click.echo(f"{len(runs)} runs of {count} configurations written to {output}")
    if len(runs) == count:
        click.echo("One run each: repeat with other seeds (seed=0,1,2) to tell noise from a drop.")


def _check(directory: Path, baseline_path: Path, rules: gate.Rules) -> gate.GateResult:
    try:
        runs = gate.read_baseline(baseline_path)
    except DirectoryError as error:
        return gate.refused(gate.CheckKind.BASELINE, str(error))
    try:
        sweep = load(directory)
    except DirectoryError as error:
        return gate.refused(gate.CheckKind.RECORDS, str(error))
    return gate.check(sweep, runs, rules, baseline_path)


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
