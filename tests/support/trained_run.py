"""A run's directory with a network that was really trained, in a second or two."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_sweep import settings
from mnist_sweep.data import DatasetInfo, prepare
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.records.predictions import write_predictions
from mnist_sweep.records.store import write_record
from mnist_sweep.safe_files import plain, sha256_of
from mnist_sweep.training import runtime
from mnist_sweep.training.train import train
from support.factories import make_settings

if TYPE_CHECKING:
    from support.factories import Made


def prepared(cache: Path, mnist: Path | None) -> DatasetInfo:
    """MNIST in a folder of IDX files, or the bundled digits."""
    named = {"name": "idx", "path": str(mnist)} if mnist else {"name": "digits"}
    environ = {**os.environ, "MNIST_SWEEP_CACHE": str(cache)}
    return prepare({**settings.defaults()["data"], **named}, environ)


def train_run(directory: Path, info: DatasetInfo, made: Made, **changes: Any) -> Path:
    """Train a network and write it with its predictions and a record.

    Args:
        directory: The run's.
        info: The prepared data.
        made: A run of the same settings, whose record is filled with what training gave.
        **changes: Settings, as epochs=3.
    """
    runtime.configure(1)
    from mnist_sweep.training.model import mlp

    values = make_settings(**changes)

    def build(shape: tuple[int, ...], classes: int) -> Any:
        return mlp(shape, classes, values["layers"], values["nodes"], values["dropout"])

    result = train(values, info, build)
    assert result.predictions is not None
    paths = RunPaths(directory)
    write_predictions(paths.predictions, result.predictions)
    result.network.save(paths.model)
    record = {
        **made.values,
        "data": info.record_fields(),
        "parameters": result.parameters,
        "metrics": result.metrics,
        "artefacts": {path.name: sha256_of(path) for path in paths.artefacts},
    }
    write_record(paths.record, plain(record))
    return directory
