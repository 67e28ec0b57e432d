"""The subcommand `data`: fetches, verifies and describes a dataset."""

from __future__ import annotations

from typing import Any

import click

from mnist_sweep.data import describe, prepare
from mnist_sweep.settings import DATASETS, defaults


@click.command("data")
@click.argument("name", default="auto", type=click.Choice(DATASETS))
@click.option("--path", help="File or folder, for idx, npz and csv.")
@click.option("--sha256", help="What the content must hash to.")
@click.option("--validation-fraction", type=float, help="Share of the training data held out.")
@click.option("--test-fraction", type=float, help="Test share where the data has no test split.")
@click.option("--split-seed", type=int, help="Seed of the split.")
def data(name: str, **options: Any) -> None:
    """Fetch, verify and describe a dataset: what it is, where it came from, how it is split."""
    given = {key: value for key, value in options.items() if value is not None}
    rows = describe(prepare({**defaults()["data"], "name": name, **given}))
    width = max(len(label) for label, _ in rows)
    for label, text in rows:
        click.echo(f"{label:<{width}}  {text}")
