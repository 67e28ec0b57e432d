"""The subcommands `check` and `baseline`: a CI job's gate. They import no TensorFlow, no Hydra."""

from __future__ import annotations

import os
from pathlib import Path

import click

from mnist_sweep.analysis import gate
from mnist_sweep.analysis.gate.baseline import build_baseline, read_baseline, write_baseline
from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.collect import collect
from mnist_sweep.records.store import write_text
from mnist_sweep.reporting.gate.gate_report import FORMATS, render, summary

REFUSED = 3
"""The exit code where the gate says no."""


@click.command("check")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--baseline",
    "baseline_path",
    metavar="FILE-OR-DIR",
    required=True,
    type=click.Path(path_type=Path),
    help="What `mnist-sweep baseline` wrote, or a sweep's directory.",
)
@click.option(
    "--rules",
    "rules_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="YAML: floors, baseline, ratios, all_finished, level. Without it: every point finished, "
    "and test accuracy not below the baseline's beyond its noise.",
)
@click.option(
    "--format", "format_name", type=click.Choice(FORMATS), default="text", show_default=True
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

    It fails closed: no baseline, no records, a damaged record, a value that is not finite, a
    missing configuration or another dataset each fail.
    """
    rules = gate.read_rules(rules_path) if rules_path else gate.Rules()
    judgement = _judge(directory, baseline_path, rules)
    written = render(judgement, format_name)
    _append_summary(summary(judgement))
    if output is None:
        click.echo(written, nl=False)
    else:
        write_text(output, written)
        # The file is for a machine; whoever reads the job's log wants the reasons.
        click.echo(render(judgement, "text"), nl=False, err=True)
    return 0 if judgement.passed else REFUSED


@click.command("baseline")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File."
)
def baseline(directory: Path, output: Path) -> None:
    """Write a sweep's numbers as a small file to commit, for `check` to hold later sweeps against.

    Repeats (seed=0,1,2) tell the gate how much seeds matter: with them it notices smaller drops.
    """
    made = build_baseline(collect(directory))
    write_baseline(output, made)
    runs = sum(len(one.runs) for one in made.configurations)
    click.echo(f"{runs} runs of {len(made.configurations)} configurations written to {output}")


def _judge(directory: Path, baseline_path: Path, rules: gate.Rules) -> gate.Judgement:
    try:
        held_against = read_baseline(baseline_path)
    except DirectoryError as error:
        return gate.refused("a baseline", str(error))
    try:
        found = collect(directory)
    except DirectoryError as error:
        return gate.refused("records", str(error))
    return gate.check(found, held_against, rules)


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
