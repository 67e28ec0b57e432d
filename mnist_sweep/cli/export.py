"""The subcommand `export`: a sweep's runs in TensorBoard, MLflow or another tracker."""

from __future__ import annotations

from pathlib import Path

import click

from mnist_sweep.cli.output import Choice
from mnist_sweep.cli.results import need_records
from mnist_sweep.errors import UsageError, visible
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting.export import ExportOptions, find, names


@click.command("export")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "tracker",
    required=True,
    type=Choice(names()),
    help="Target; needs pip install 'mnist-sweep[tensorboard]' or 'mnist-sweep[mlflow]'.",
)
@click.option(
    "--output",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where to write.  [default: DIR/tensorboard or DIR/mlflow]",
)
@click.option(
    "--tracking-uri",
    metavar="URI",
    help="MLflow server or database to use instead: http://localhost:5000, sqlite:///mlflow.db.",
)
@click.option(
    "--experiment",
    metavar="NAME",
    help="Name of the MLflow experiment.  [default: the directory's name]",
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
    sweep = load(directory)
    need_records([sweep])
    options = ExportOptions(
        output or directory / tracker, tracking_uri, experiment or directory.absolute().name
    )
    done = find(tracker)(sweep, options)
    runs = f"{done.new} run{'' if done.new == 1 else 's'} exported"
    known = f", {done.known} there already," if done.known else ""
    click.echo(f"{runs}{known} {done.place}")
    if done.command:
        click.echo(f"To view it: {done.command}")
    for problem in sweep.problems:
        click.echo(f"Not exported (cannot be read): {problem}", err=True)
    for point in sweep.missing:
        click.echo(visible(f"Not exported (no record): {point.label} ({point.reason})"), err=True)
