"""The subcommand `compare`: directories beside each other, without TensorFlow or Hydra."""

from __future__ import annotations

from pathlib import Path

import click

from mnist_sweep.analysis.compare import compare as compare_sides
from mnist_sweep.analysis.compare import load_side
from mnist_sweep.cli.external import external_options, print_notes
from mnist_sweep.cli.output import wrap
from mnist_sweep.errors import UsageError
from mnist_sweep.metrics import HELD_OUT
from mnist_sweep.records.external.mapping import ResultMapping
from mnist_sweep.records.store import write_text
from mnist_sweep.reporting.comparison.render import FORMATS, render, text

ENDINGS = {".md": "md", ".json": "json", ".html": "html", ".htm": "html"}


@click.command("compare")
@click.argument(
    "directories", metavar="A B [C…]", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice([*FORMATS]),
    help="Output format.  [default: text, or the format of the -o file's extension]",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file."
)
@click.option("--full", is_flag=True, help="Show all tables, not only the verdict and 30 lines.")
@click.option(
    "--split", type=click.Choice(HELD_OUT),
    help="Split on which metrics are compared.  [default: test; for results of other programs that "
    "of their objective]",
)  # fmt: skip
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
    is_short = name == "text" and not full and output is None
    written = text(found) if is_short else render(found, name)
    if output is None:
        click.echo(wrap(written) if name == "text" else written.rstrip("\n"))
    else:
        write_text(output, written)
        click.echo(f"Written to {output}", err=True)
