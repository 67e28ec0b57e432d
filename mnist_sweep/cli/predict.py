"""The subcommand `predict`: applies a run's network to images.

TensorFlow is imported only after the run and the images have been read and checked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnist_sweep.cli.options import PATH, flag, format_option, option
from mnist_sweep.cli.output import wrap
from mnist_sweep.errors import UsageError, visible
from mnist_sweep.reporting.predicted_digits import FORMATS, render

if TYPE_CHECKING:
    from mnist_sweep.analysis.resolve_run import ResolvedRun
    from mnist_sweep.inference import Inputs
    from mnist_sweep.inference.predict import Predicted

# From this many images on a progress bar is shown.
MIN_IMAGES_FOR_PROGRESS = 5_000


@click.command("predict")
@click.argument("run", metavar="RUN", type=PATH)
@click.argument("source", metavar="INPUT", type=PATH)
@option("-o --output", "File to write.", "FILE", required=True, type=PATH)
@flag("--best", "Use the best run of a sweep; RUN is the sweep's directory.")
@option(
    "--by",
    "Metric for --best, of the validation split unless written test.…  [default: objective]",
    "METRIC",
)
@option(
    "--where",
    "For --best: only runs that meet this condition: layers=2, 'dropout>0'. Repeatable.",
    "EXPR",
    multiple=True,
)
@flag("--probabilities", "Also write the probability of every class.")
@flag(
    "--trust",
    "Allow custom layers: imports their modules and the network's, which can run any code. "
    "Use only for networks whose origin you know.",
)
@format_option(
    FORMATS,
    "submission has ImageId,Label from 1; csv and json have image names and probabilities. "
    "[default: json for FILE.json, csv for image files and --probabilities, else submission]",
    None,
)
def predict(
    run: Path,
    source: Path,
    output: Path,
    *,
    best: bool,
    by: str | None,
    where: tuple[str, ...],
    probabilities: bool,
    trust: bool,
    format_name: str | None,
) -> None:
    """Write the classes that a run's network predicts for INPUT.

    RUN is a run's directory, or with --best a sweep's directory. INPUT is a CSV file like Digit
    Recognizer's test.csv, an IDX or NPZ file, or a PNG or JPEG file of one digit, or a folder of
    these; such images are scaled and centred like MNIST's.
    """
    if (by or where) and not best:
        raise UsageError("--by and --where need --best.")
    if probabilities and format_name == "submission":
        raise UsageError(
            "A submission has the columns ImageId and Label only. For --probabilities use "
            "--format csv or json."
        )
    from mnist_sweep.analysis.resolve_run import resolve_run
    from mnist_sweep.inference import Expected, read
    from mnist_sweep.records.store import write_text
    from mnist_sweep.reporting.phrases.tables import data_warning
    from mnist_sweep.reporting.phrases.values import counted

    chosen = resolve_run(run, best=best, by=by, where=where)
    record = chosen.record
    reader = record.config.get("data", {}).get("name", "")
    shape, scale = tuple(record.data.shape), record.data.scale or 255.0
    with _progress("Reading pictures", None) as advance:
        inputs = read(source, Expected(shape, scale, record.data.classes, reader), advance)
    if format_name is None:  # a submission numbers images, so it fits only what has no names
        format_name = "csv" if probabilities or inputs.names else "submission"
        format_name = "json" if output.suffix.lower() == ".json" else format_name
    predicted = _predict(chosen, inputs, probabilities=probabilities, trust=trust)
    text = render(
        format_name,
        predicted.predicted,
        predicted.probability,
        names=inputs.names,
        probabilities=predicted.probabilities,
        about={
            "run_id": record.run_id,
            "label": record.label,
            "data_sha256": record.data.sha256,
            "source": inputs.source,
        },
    )
    write_text(output, text)
    reason = f", {chosen.reason}" if chosen.reason else ""
    run_shown = f"{record.label} (run {record.run_id}){reason}, trained on {record.data.name}."
    click.echo(visible(run_shown))
    if record.data.notice:
        click.echo(wrap(data_warning(record.data.name, record.data.notice), err=True), err=True)
    count = len(predicted.predicted)
    if inputs.labels is not None:
        right = int((predicted.predicted == inputs.labels).sum())
        share = f"{right:,} of {count:,} predictions ({right / count:.4f})"
        click.echo(f"{share} agree with the labels in {inputs.source}.")
    click.echo(f"{counted(count, 'image')} from {inputs.source}: classes written to {output}")


def _predict(chosen: ResolvedRun, inputs: Inputs, *, probabilities: bool, trust: bool) -> Predicted:
    from mnist_sweep.inference.load import inspect, load
    from mnist_sweep.training import runtime

    own = inspect(chosen.paths.model, trust=trust)
    record = chosen.record
    modules: set[str] = set()
    if own:  # registered classes are found once the network's own module is imported
        builder = str(record.config["model"]["_target_"]).rpartition(".")[0]
        modules = {builder, *filter(None, own.values())}
        click.echo(visible(f"Importing {', '.join(sorted(modules))} (--trust)."), err=True)
        sys.path.append(str(Path.cwd()))
    # As many threads as the run had: sums in another order could change the last bit.
    runtime.configure(int(record.config.get("threads") or 1))
    from mnist_sweep.inference.predict import predict as predict_images

    shape, classes = tuple(record.data.shape), record.data.classes
    network = load(chosen.paths.model, shape, classes, record.parameters, sorted(modules))
    count = len(inputs.images)
    with _progress("Predicting", count if count >= MIN_IMAGES_FOR_PROGRESS else 0) as advance:
        return predict_images(
            network,
            inputs.images,
            record.data.scale or 255.0,
            # As the run itself was evaluated; older records are of XLA.
            xla=record.training is None or record.training.form == "xla",
            logits=record.config.get("outputs") == "logits",
            probabilities=probabilities,
            on_progress=advance,
        )


@contextmanager
def _progress(text: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on standard error if that is a terminal; nothing otherwise, or if `total` is 0."""
    if total == 0 or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda done: bar.update(task, completed=done)
