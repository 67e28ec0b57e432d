"""The networks of `networks.py` in PyTorch, trained as a careful user does: called by it.

Images stay in memory as uint8 and batches are taken by `index_select` with a permutation, so there
is no DataLoader; the optimizer is fused Adam, convolutions are channels-last.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

VALIDATION_BATCH = 500


class Image(nn.Module):
    """(batch, 28, 28) to (batch, 1, 28, 28), channels last."""

    def forward(self, x: Any) -> Any:
        return x.unsqueeze(1).contiguous(memory_format=torch.channels_last)


class Mean(nn.Module):
    """Global average pooling over the given axes."""

    def __init__(self, *axes: int) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x: Any) -> Any:
        return x.mean(self.axes)


class LastOutput(nn.Module):
    """The last output of a recurrent layer over the rows of an image."""

    def __init__(self, kind: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.cells = kind(28, 64, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.cells(x)[0][:, -1]


class Block(nn.Module):
    """Two convolutions with BatchNorm, and a way round them."""

    def __init__(self, inputs: int, filters: int, strides: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(inputs, filters, 3, strides, padding=1), nn.BatchNorm2d(filters), nn.ReLU(),
            nn.Conv2d(filters, filters, 3, padding=1), nn.BatchNorm2d(filters),
        )  # fmt: skip
        self.around = nn.Conv2d(inputs, filters, 1, strides) if strides > 1 else nn.Identity()

    def forward(self, x: Any) -> Any:
        return functional.relu(self.around(x) + self.inner(x))


class Attention(nn.Module):
    """Self-attention over the rows of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(28, 32)
        self.attention = nn.MultiheadAttention(32, 2, batch_first=True)
        self.norm = nn.LayerNorm(32)

    def forward(self, x: Any) -> Any:
        x = self.inner(x)
        return self.norm(x + self.attention(x, x, x, need_weights=False)[0])


class Augment(nn.Module):
    """Each image moved by up to a tenth of its size, then turned by up to a twentieth turn."""

    def forward(self, x: Any) -> Any:
        if not self.training:
            return x
        for moves in (True, False):
            n = len(x)
            turn = torch.zeros(n) if moves else (torch.rand(n) * 2 - 1) * 0.05 * 2 * torch.pi
            shift = (torch.rand(n, 2) * 2 - 1) * 0.2 if moves else torch.zeros(n, 2)
            cos, sin = turn.cos(), turn.sin()
            rows = [
                torch.stack([cos, -sin, shift[:, 0]], 1),
                torch.stack([sin, cos, shift[:, 1]], 1),
            ]
            grid = functional.affine_grid(torch.stack(rows, 1), x.shape, align_corners=False)
            x = functional.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
        return x


def _mlp(layers: int, nodes: int, dropout: float = 0.0) -> list[nn.Module]:
    widths = [784, *[nodes] * layers]
    found: list[nn.Module] = [nn.Flatten()]
    for i in range(layers):
        found += [nn.Linear(widths[i], nodes), nn.ReLU()]
        found += [nn.Dropout(dropout)] if dropout else []
    return [*found, nn.Linear(nodes, 10)]


def networks() -> dict[str, Callable[[], list[nn.Module]]]:
    """Builders of the layers, by the names of `networks.networks`; outputs are logits."""

    def conv(inputs: int, filters: int, size: int = 3, **options: Any) -> list[nn.Module]:
        return [nn.Conv2d(inputs, filters, size, **options), nn.ReLU()]

    pool = nn.MaxPool2d
    return {
        "1 x 100": lambda: _mlp(1, 100),
        "2 x 300": lambda: _mlp(2, 300),
        "2 x 300, dropout 0.2": lambda: _mlp(2, 300, 0.2),
        "1 x 800": lambda: _mlp(1, 800),
        "LeNet-5": lambda: [
            Image(), *conv(1, 6, 5, padding=2), nn.AvgPool2d(2), *conv(6, 16, 5), nn.AvgPool2d(2),
            nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
            nn.Linear(84, 10),
        ],
        "model=cnn": lambda: [
            Image(), *conv(1, 16, padding=1), pool(2), *conv(16, 32, padding=1), pool(2),
            nn.Flatten(), nn.Linear(1568, 64), nn.ReLU(), nn.Linear(64, 10),
        ],
        "Keras's mnist_convnet": lambda: [
            Image(), *conv(1, 32), pool(2), *conv(32, 64), pool(2), nn.Flatten(), nn.Dropout(0.5),
            nn.Linear(1600, 10),
        ],
        "2 convolutions, global pooling": lambda: [
            Image(), *conv(1, 16), *conv(16, 32, stride=2), Mean(2, 3), nn.Linear(32, 10),
        ],
        "separable convolutions": lambda: [
            Image(), *conv(1, 16), nn.Conv2d(16, 16, 3, groups=16, bias=False), *conv(16, 32, 1),
            pool(2), nn.Flatten(), nn.Linear(4608, 10),
        ],
        "ResNet-like, BatchNorm": lambda: [
            Image(), *conv(1, 16, padding=1), Block(16, 16, 1), Block(16, 32, 2), Mean(2, 3),
            nn.Linear(32, 10),
        ],
        "LSTM over rows": lambda: [LastOutput(nn.LSTM), nn.Linear(64, 10)],
        "GRU over rows": lambda: [LastOutput(nn.GRU), nn.Linear(64, 10)],
        "attention over rows": lambda: [
            Attention(), nn.Linear(32, 64), nn.ReLU(), Mean(1), nn.Linear(64, 10),
        ],
        "augmentation, convolutions": lambda: [
            Image(), Augment(), *conv(1, 16), pool(2), *conv(16, 32), pool(2), nn.Flatten(),
            nn.Linear(800, 10),
        ],
    }  # fmt: skip


def train(
    name: str, images: np.ndarray, labels: np.ndarray, training: np.ndarray,
    validation: np.ndarray, epochs: int, threads: int,
) -> tuple[list[tuple[float, float]], int]:  # fmt: skip
    """Processor and wall time at the end of each epoch, and the number of weights."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network = nn.Sequential(*networks()[name]()).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    x, y = torch.from_numpy(images.copy()), torch.from_numpy(labels.astype(np.int64))
    rows, held_out = (torch.from_numpy(i.astype(np.int64)) for i in (training, validation))

    def batch(index: Any) -> tuple[Any, Any]:
        return x.index_select(0, index).float().div_(255), y.index_select(0, index)

    ends = []
    for _ in range(epochs):
        loss_sum, correct = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        network.train()
        for index in rows[torch.randperm(len(rows))].split(32):
            pixels, truth = batch(index)
            outputs = network(pixels)
            loss = functional.cross_entropy(outputs, truth)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach() * len(index)
            correct += (outputs.detach().argmax(1) == truth).sum()
        network.eval()
        with torch.no_grad():
            for index in held_out.split(VALIDATION_BATCH):
                pixels, truth = batch(index)
                outputs = network(pixels)
                loss_sum += functional.cross_entropy(outputs, truth)
                correct += (outputs.argmax(1) == truth).sum()
        if not np.isfinite(float(loss_sum)):
            raise ValueError(f"{name}: the loss is not finite")
        ends.append((time.process_time(), time.perf_counter()))
    return ends, sum(one.numel() for one in network.parameters())
