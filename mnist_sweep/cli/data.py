"""The subcommand `data`: fetches, verifies and describes a dataset."""

from __future__ import annotations

from typing import Any

import click

from mnist_sweep.cli.output import Choice
from mnist_sweep.data import DatasetInfo, class_counts, prepare
from mnist_sweep.data.readers import readers
from mnist_sweep.settings import defaults


@click.command("data")
@click.argument("name", default="auto", type=Choice(("auto", "mnist", "own", *readers())))
@click.option("--path", help="File or folder, for idx, npz and csv.")
@click.option("--target", help="Function that returns the arrays, instead of NAME.")
@click.option("--sha256", help="Refuse data whose content has another SHA-256.")
@click.option("--validation-fraction", type=float, help="Share of the training data held out.")
@click.option("--test-fraction", type=float, help="Test share where the data has no test split.")
@click.option("--split-seed", type=int, help="Seed of the split.")
def data(name: str, target: str | None, **options: Any) -> None:
    """Fetch, verify and describe a dataset: what it is, where it came from, how it is split."""
    given = {key: value for key, value in options.items() if value is not None}
    name = "own" if target else name
    rows = describe(prepare({**defaults()["data"], "name": name, "_target_": target, **given}))
    width = max(len(label) for label, _ in rows)
    for label, text in rows:
        click.echo(f"{label:<{width}}  {text}")


def describe(info: DatasetInfo) -> list[tuple[str, str]]:
    """Rows of a name and a text that describe a dataset.

    Raises:
        DataError: The prepared data is missing or damaged.
    """
    if info.test_fraction is None:
        test = "its own split"
    else:
        test = f"test_fraction {info.test_fraction:g}, split_seed {info.split_seed}"
    rows = [
        ("name", info.name),
        ("source", info.source),
        ("sha256", info.sha256),
        ("images", f"{' x '.join(map(str, info.shape))}, values 0 to {info.scale:g}"),
        ("classes", str(info.classes)),
        ("training", f"{info.n_train:,} examples"),
        (
            "validation",
            (
                f"{info.n_validation:,} examples (validation_fraction "
                f"{info.validation_fraction:g}, split_seed {info.split_seed}, stratified)"
            ),
        ),
        ("test", f"{info.n_test:,} examples ({test})"),
    ]
    for name, counts in class_counts(info).items():
        text = ", ".join(f"{label}: {count:,}" for label, count in enumerate(counts))
        rows.append((f"{name} classes", text))
    rows.append(("cache", info.cache))
    if info.notice:
        rows.append(("notice", info.notice))
    return rows
