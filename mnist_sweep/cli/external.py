"""Options of commands that also read what other programs wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from mnist_sweep.cli.output import wrap
from mnist_sweep.errors import UsageError
from mnist_sweep.records.external.mapping import mapping_of, read_mapping


def external_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --record, --metric and others, which it has as its argument `mapping`."""

    @click.option(
        "--record",
        metavar="GLOB",
        help="For results of other programs: pattern of the JSON, YAML or CSV files, such as "
        "'*/results.json'.",
    )
    @click.option(
        "--metric",
        "metrics",
        metavar="NAME=PATH",
        multiple=True,
        help="For results of other programs: a metric and where it is, as in "
        "accuracy=metrics.test.acc. Repeatable.",
    )
    @click.option(
        "--experiment",
        metavar="NAME",
        help="For an MLflow store: the experiment to read.  [default: all]",
    )
    @click.option(
        "--mapping",
        "mapping_file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="YAML file with record, metrics, lower_is_better (a list), seed or experiment.",
    )
    @wraps(command)
    def run(
        record: str | None,
        metrics: tuple[str, ...],
        experiment: str | None,
        mapping_file: Path | None,
        **options: Any,
    ) -> Any:
        mapping = mapping_of(record, metrics, experiment)
        if mapping_file is not None and mapping is not None:
            raise UsageError(
                "Expected either --mapping FILE or --record, --metric and --experiment, got both."
            )
        return command(mapping=read_mapping(mapping_file) if mapping_file else mapping, **options)

    return run


def print_notes(notes: Iterable[str]) -> None:
    """Say how other programs' directories were read, once each."""
    for note in dict.fromkeys(notes):
        click.echo(wrap(f"Note: {note}", err=True), err=True)
