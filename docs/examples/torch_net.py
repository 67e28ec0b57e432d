"""A task with PyTorch: a small network on the digits that the sweep prepared.

mnist-sweep -m task._target_=torch_net.train task.width=16,64 data=digits name=torch
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mnist_sweep import report_epoch


def train(
    dataset: Any,
    directory: Path,
    width: int = 32,
    lr: float = 0.01,
    epochs: int = 5,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, Any]:
    """Train a network with one hidden layer.

    Args:
        dataset: The data selected by `data=…`, with their splits.
        directory: Where the run may store files.
        width: Nodes of the hidden layer.
        lr: Learning rate.
        epochs: Passes over the training images.
        seed: Seed of the weights and the order of images.
        threads: Number of threads of this run.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    training, training_labels = _tensors(dataset, dataset.train_index)
    validation, validation_labels = _tensors(dataset, dataset.validation_index)
    network = nn.Sequential(nn.Linear(training.shape[1], width), nn.ReLU(), nn.Linear(width, 10))
    optimizer = torch.optim.Adam(network.parameters(), lr)
    for _ in range(epochs):
        for rows in torch.randperm(len(training)).split(32):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(training[rows]), training_labels[rows])
            loss.backward()
            optimizer.step()
        right = network(validation).argmax(1) == validation_labels
        report_epoch({"loss": loss.item(), "val_accuracy": right.float().mean().item()})
    torch.save(network.state_dict(), directory / "network.pt")
    images = torch.tensor(_flat(dataset.test_images) / dataset.info.scale, dtype=torch.float32)
    return {
        "predictions": {
            "validation": (validation_labels, network(validation).argmax(1)),
            "test": (dataset.test_labels, network(images).argmax(1)),
        }
    }


def _tensors(dataset: Any, rows: Any) -> tuple[torch.Tensor, torch.Tensor]:
    images = _flat(dataset.train_images[rows]) / dataset.info.scale
    labels = dataset.train_labels[rows].astype(np.int64)
    return torch.tensor(images, dtype=torch.float32), torch.tensor(labels)


def _flat(images: Any) -> Any:
    return images.reshape(len(images), -1)
