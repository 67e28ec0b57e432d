"""Evaluation of a trained network: a record's metrics and its stored predictions.

Which metrics there are, and how each is computed from counts, is declared in
`mnist_sweep.metrics`; definitions are scikit-learn's, with `zero_division=0`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_sweep.data import Dataset
from mnist_sweep.metrics import (
    TEST,
    TRAIN,
    VALIDATION,
    Metric,
    confusion_matrix,
    counts_of,
    of_split,
)

if TYPE_CHECKING:
    from mnist_sweep.training.predictor import Predictor

Metrics = dict[str, Any]
Predictions = dict[str, np.ndarray]


def split_metrics(
    split: str, truth: np.ndarray, predicted: np.ndarray, loss: float, classes: int
) -> Metrics:
    """The metrics of one split, all classes together, from (n,) classes and the mean loss."""
    counts = counts_of(confusion_matrix(truth, predicted, classes))
    values: Metrics = {"loss": loss}
    for definition in of_split(split):
        if definition.from_counts is not None:
            values[definition.name] = float(Metric(definition, split).compute(*counts))
    return values


def held_out_metrics(
    split: str, truth: np.ndarray, predicted: np.ndarray, loss: float, classes: int
) -> Metrics:
    """The metrics of a held-out split, with a row for every class and the confusion matrix.

    Args:
        split: validation or test.
        truth: True class of each example, (n,) uint8.
        predicted: Predicted class, (n,) integer.
        loss: Mean cross-entropy of the examples.
        classes: Number of classes.
    """
    confusion = confusion_matrix(truth, predicted, classes)
    counts = counts_of(confusion)
    columns = {one.name: one.class_values(*counts) for one in of_split(split) if one.class_values}
    per_class = [
        {
            "label": label,
            **{name: float(values[label]) for name, values in columns.items()},
            "support": int(counts[0][label]),
        }
        for label in range(classes)
    ]
    return {
        **split_metrics(split, truth, predicted, loss, classes),
        "per_class": per_class,
        "confusion": confusion.tolist(),
    }


def evaluate(predictor: Predictor, dataset: Dataset) -> tuple[Metrics, Predictions]:
    """Metrics of the training, validation and test split, and predictions of the latter two.

    Returns:
        A record's `metrics`, and the arrays of its `predictions.npz`. Without a validation split
        its metrics are left out, and its arrays are empty.
    """
    images, labels, classes = dataset.train_images, dataset.train_labels, dataset.info.classes
    training = predictor(images, labels, dataset.train_index)
    truth = dataset.train_labels[dataset.train_index]
    loss, _ = training.loss_and_accuracy(truth)
    metrics = {TRAIN: split_metrics(TRAIN, truth, training.predicted, loss, classes)}
    predictions: Predictions = {
        "validation_index": dataset.validation_index.astype(np.int32),
        "data_sha256": np.array(dataset.info.sha256),
    }
    all_rows = np.arange(len(dataset.test_labels), dtype=np.int32)
    for split, (pixels, known, rows) in {
        VALIDATION: (images, labels, dataset.validation_index),
        TEST: (dataset.test_images, dataset.test_labels, all_rows),
    }.items():
        outputs, truth = predictor(pixels, known, rows), known[rows]
        if len(truth):
            loss, _ = outputs.loss_and_accuracy(truth)
            metrics[split] = held_out_metrics(split, truth, outputs.predicted, loss, classes)
        predictions |= {
            f"{split}_true": truth.astype(np.uint8),
            f"{split}_predicted": outputs.predicted.astype(np.uint8),
            f"{split}_probability": outputs.probability.astype(np.float16),
        }
    return metrics, predictions
