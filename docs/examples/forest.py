"""A task with scikit-learn: a random forest on the bundled digits.

mnist-sweep -m --config-dir conf task=forest task.trees=5,50 seed=0,1,2 name=forest
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split


@dataclass
class Settings:
    """The task's settings, with their types and ranges. `seed` is the seed of the run."""

    trees: Annotated[int, Field(ge=1, le=1000)] = 50
    depth: int | None = None
    seed: int = 0


def train(settings: Settings) -> dict[str, Any]:
    """Train a forest.

    Returns:
        The predictions for a validation and a test split. Accuracy, F1 and intervals over examples
        are computed from them.
    """
    images, labels = load_digits(return_X_y=True)
    # The splits do not depend on the seed: runs are compared on the same examples.
    images, test_images, labels, test_labels = train_test_split(images, labels, random_state=0)
    images, val_images, labels, val_labels = train_test_split(images, labels, random_state=0)
    forest = RandomForestClassifier(
        settings.trees, max_depth=settings.depth, random_state=settings.seed
    )
    forest.fit(images, labels)
    return {
        "predictions": {
            "validation": (val_labels, forest.predict(val_images)),
            "test": (test_labels, forest.predict(test_images)),
        }
    }
