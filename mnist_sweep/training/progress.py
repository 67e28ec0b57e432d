"""What a trainer tells while it works, and what it hands back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_sweep.training.predictor import Predictor


@dataclass
class History:
    """One value an epoch; training values are means over the epoch's batches, as Keras's are."""

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)

    def add(self, training: tuple[float, float], validation: tuple[float, float]) -> None:
        """Append one epoch's (loss, accuracy) of both splits."""
        self.loss.append(training[0])
        self.accuracy.append(training[1])
        self.val_loss.append(validation[0])
        self.val_accuracy.append(validation[1])


@dataclass
class Training:
    """A finished, diverged or pruned training.

    `predictor` answers with the trained weights; `diverged` says in which epoch (from 1) and what;
    `pruned` says why it was stopped before its end.
    """

    predictor: Predictor
    history: History = field(default_factory=History)
    epoch_s: list[float] = field(default_factory=list)
    compile_s: float = 0.0
    train_s: float = 0.0
    diverged: str | None = None
    pruned: str | None = None


OnEpoch = Callable[[int, History], str | None]
"""Called after every epoch (from 1) with the history so far; returns why to stop there, or None."""


def ignore(_epoch: int, _history: History) -> None:
    """An `OnEpoch` that tells nobody and stops nothing."""
