"""The subcommand `export`: a sweep's records where a team already looks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnist_sweep.errors import DirectoryError, UsageError
from mnist_sweep.records.paths import run_directories
from mnist_sweep.records.sweep import load

if TYPE_CHECKING:
    from mnist_sweep.records.sweep import Sweep


@click.command("export")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "tracker",
    required=True,
    type=click.Choice(["tensorboard", "mlflow"]),
    help="Each needs its extra: pip install 'mnist-sweep[tensorboard]' or '[mlflow]'.",
)
@click.option(
    "--output",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where it goes.  [default: DIR/tensorboard or DIR/mlflow]",
)
@click.option(
    "--tracking-uri",
    metavar="URI",
    help="An MLflow server or database instead: http://localhost:5000, sqlite:///mlflow.db.",
)
@click.option(
    "--experiment", metavar="NAME", help="MLflow's experiment.  [default: the directory's name]"
)
def export(
    directory: Path,
    tracker: str,
    output: Path | None,
    tracking_uri: str | None,
    experiment: str | None,
) -> None:
    """Show a sweep's runs in TensorBoard or MLflow: settings, curves, results.

    Exporting again adds what is new and changes nothing else.
    """
    if tracker == "tensorboard" and (tracking_uri or experiment):
        raise UsageError("--tracking-uri and --experiment belong to --to mlflow.")
    if output and tracking_uri:
        raise UsageError(
            "--output makes a local store, --tracking-uri names one: give one of them."
        )
    sweep = load(directory)
    if not sweep.records:
        reasons = [str(problem) for problem in sweep.problems]
        reasons += [f"{point.label}: {point.reason}" for point in sweep.missing]
        raise DirectoryError(
            f"Expected records in {directory}, but none can be read: {'; '.join(reasons[:3])}. "
            "Run the sweep's command again."
        )
    place = output or directory / tracker
    if tracker == "tensorboard":
        _to_tensorboard(sweep, place)
    else:
        _to_mlflow(sweep, place, tracking_uri, experiment)
    for problem in sweep.problems:
        click.echo(f"Not exported, as it cannot be read: {problem}", err=True)
    for point in sweep.missing:
        click.echo(f"Not exported, as it has no record: {point.label} ({point.reason})", err=True)


def _to_tensorboard(sweep: Sweep, place: Path) -> None:
    from mnist_sweep.reporting.export.tensorboard import export as write

    click.echo(_counts(*write(sweep.records, place)) + f" in {place}")
    click.echo(f"Look at it: tensorboard --logdir {_word(place)}")


def _to_mlflow(sweep: Sweep, place: Path, tracking_uri: str | None, name: str | None) -> None:
    from mnist_sweep.reporting.export.mlflow import export as log
    from mnist_sweep.reporting.export.mlflow import local_store

    uri = tracking_uri or local_store(place)
    directories = run_directories(sweep.directory)
    if not directories and len(sweep.records) == 1:
        directories = {sweep.records[0].run_id: sweep.directory}
    experiment = name or sweep.directory.absolute().name
    click.echo(_counts(*log(sweep.records, directories, uri, experiment)), nl=False)
    click.echo(f" in experiment {experiment} at {uri}")
    if not uri.startswith("http"):
        click.echo(f"Look at it: mlflow ui --backend-store-uri {_word(uri)}")


def _counts(new: int, known: int) -> str:
    runs = f"{new} run" + "s" * (new != 1)
    return f"{runs} exported, {known} there already," if known else f"{runs} exported"


def _word(value: object) -> str:
    """A path or URI as one word for a shell."""
    import shlex

    return shlex.quote(str(value))
