"""What the `data` subcommand says about a dataset."""

from __future__ import annotations

import numpy as np

from mnist_sweep.data.dataset import DatasetInfo, load


def class_counts(info: DatasetInfo) -> dict[str, list[int]]:
    """How many examples each class has in `train`, `validation` and `test`, by label.

    Raises:
        DataError: The prepared data is missing or damaged.
    """
    data = load(info)
    labels = {
        "train": data.train_labels[data.train_index],
        "validation": data.train_labels[data.validation_index],
        "test": data.test_labels,
    }
    return {
        name: [int(n) for n in np.bincount(values, minlength=info.classes)]
        for name, values in labels.items()
    }


def describe(info: DatasetInfo) -> list[tuple[str, str]]:
    """Rows of a name and a text that describe a dataset, to be printed one below the other.

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
