"""Options of commands that also read what other programs wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from mnist_sweep.cli.output import wrap
from mnist_sweep.errors import UsageError
from mnist_sweep.records.external.mapping import ResultMapping, mapping_of, read_mapping


def external_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --record, --metric and --mapping, which it has as its argument `mapping`."""

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
        "--mapping",
        "mapping_file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="YAML file with record and metrics, and optionally lower_is_better (a list) and seed.",
    )
    @wraps(command)
    def run(
        record: str | None, metrics: tuple[str, ...], mapping_file: Path | None, **options: Any
    ) -> Any:
        return command(mapping=_mapping(record, metrics, mapping_file), **options)

    return run


def print_notes(notes: Iterable[str]) -> None:
    """Say how other programs' directories were read, once each."""
    for note in dict.fromkeys(notes):
        click.echo(wrap(f"Note: {note}", err=True), err=True)


def _mapping(
    record: str | None, metrics: tuple[str, ...], file: Path | None
) -> ResultMapping | None:
    if file is not None and (record or metrics):
        raise UsageError("Expected either --mapping FILE or --record with --metric, got both.")
    if file is not None:
        return read_mapping(file)
    return mapping_of(record, metrics) if record is not None or metrics else None
