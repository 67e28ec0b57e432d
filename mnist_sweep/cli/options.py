"""Arguments and options that several subcommands share."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from mnist_sweep.cli.output import wrap
from mnist_sweep.errors import UsageError
from mnist_sweep.settings import DEFAULT_LEVEL

Command = TypeVar("Command", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)


def option(
    names: str, text: str, metavar: str | None = None, **how: Any
) -> Callable[[Command], Command]:
    """An option by its names, as in "-o --output", its help, and what its value is called."""
    return click.option(*names.split(), help=text, metavar=metavar, **how)


directory_argument = click.argument("directory", metavar="DIR", type=PATH)
directories_argument = click.argument(
    "directories", metavar="DIR...", nargs=-1, required=True, type=click.Path()
)
output_option = option("-o --output", "Write to this file.", type=FILE)
where_option = option(
    "--where",
    "Only runs that meet this condition: layers=2, layers=1,2, 'dropout>0', "
    "'test.accuracy>0.98' (a fraction, although shown in percent). Repeatable.",
    "EXPR",
    multiple=True,
)
level_option = option(
    "--level",
    "Confidence level of intervals and comparisons.",
    default=DEFAULT_LEVEL,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    show_default=True,
)


class Choice(click.Choice[str]):
    """One of some words; a misspelt one is answered with the closest."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The word, or an error with the closest one."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            close = difflib.get_close_matches(str(value), self.choices, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise click.BadParameter(f"{error.message}{hint}", ctx, param) from None


def flag(names: str, text: str) -> Callable[[Command], Command]:
    """An option without a value."""
    return option(names, text, is_flag=True)


def format_option(
    formats: Sequence[str], text: str | None = None, default: str | None = "text"
) -> Callable[[Command], Command]:
    """--format; its argument is `format_name`."""
    return click.option(
        "--format",
        "format_name",
        type=Choice(formats),
        default=default,
        show_default=default is not None,
        help=text,
    )


def external_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --record, --metric and others, which it has as its argument `mapping`."""

    @option(
        "--record",
        "For results of other programs: pattern of the JSON, YAML or CSV files, such as "
        "'*/results.json'.",
        "GLOB",
    )
    @option(
        "--metric metrics",
        "For results of other programs: a metric and where it is, as in "
        "accuracy=metrics.test.acc. Repeatable.",
        "NAME=PATH",
        multiple=True,
    )
    @option("--experiment", "For an MLflow store: the experiment to read.  [default: all]", "NAME")
    @option(
        "--mapping mapping_file",
        "YAML file with record, metrics, lower_is_better (a list), seed or experiment.",
        "FILE",
        type=PATH,
    )
    # Click takes the help from what it decorates: `wraps` hands on the command's own.
    @wraps(command)
    def run(
        record: str | None,
        metrics: tuple[str, ...],
        experiment: str | None,
        mapping_file: Path | None,
        **options: Any,
    ) -> Any:
        # Completion and --help do without.
        from mnist_sweep.records.external.mapping import mapping_of, read_mapping

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
