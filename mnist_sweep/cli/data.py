"""The subcommand `data`: fetches, verifies and describes a dataset."""

from __future__ import annotations

from typing import Any

import click

from mnist_sweep.cli.options import Choice, option
from mnist_sweep.data import DatasetInfo, class_counts, prepare
from mnist_sweep.data.readers import readers
from mnist_sweep.errors import visible
from mnist_sweep.settings import defaults


@click.command("data")
@click.argument("name", default="auto", type=Choice(("auto", "mnist", "own", *readers())))
@option("--path", "File or folder, for csv, emnist, folders, idx and npz.")
@option("--target", "Function that returns the arrays, to use instead of NAME.")
@option("--sha256", "Expected SHA-256 of the data; other data are refused.")
@option("--validation-fraction", "Share of the training examples used for validation.", type=float)
@option("--test-fraction", "Share used for testing if the data have no test split.", type=float)
@option("--split-seed", "Seed of the split.", type=int)
def data(name: str, target: str | None, **options: Any) -> None:
    """Download (if needed), verify and describe a dataset: its source, size and splits."""
    given = {key: value for key, value in options.items() if value is not None}
    name = "own" if target else name
    rows = describe(prepare({**defaults()["data"], "name": name, "_target_": target, **given}))
    width = max(len(label) for label, _ in rows)
    for label, text in rows:
        click.echo(f"{label:<{width}}  {text}")


def describe(info: DatasetInfo) -> list[tuple[str, str]]:
    """Rows of a name and a text that describe a dataset."""
    test = "its own split"
    if info.test_fraction is not None:
        test = f"test_fraction {info.test_fraction:g}, split_seed {info.split_seed}"
    validation = f"validation_fraction {info.validation_fraction:g}, split_seed {info.split_seed}"
    rows = [
        ("name", info.name),
        ("source", info.source),
        ("sha256", info.sha256),
        ("images", f"{' x '.join(map(str, info.shape))}, values 0 to {info.scale:g}"),
        ("classes", str(info.classes)),
        ("training", f"{info.n_train:,} examples"),
        ("validation", f"{info.n_validation:,} examples ({validation}, stratified)"),
        ("test", f"{info.n_test:,} examples ({test})"),
    ]
    names = [*map(visible, info.class_names)] or range(info.classes)
    for name, counts in class_counts(info).items():
        text = ", ".join(f"{label}: {count:,}" for label, count in zip(names, counts, strict=True))
        rows.append((f"{name} classes", text))
    rows.append(("cache", info.cache))
    if info.notice:
        rows.append(("notice", info.notice))
    return rows
