"""What a trained network is worth: a record's metrics and stored predictions.

Definitions are scikit-learn's. Precision, recall and F1 are macro averages over the classes, a
class that is never predicted counting as 0; `f1_min` is the lowest single class's F1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from mnist_sweep.data import Dataset
from mnist_sweep.training.predictor import Answers, Predictor

Metrics = dict[str, Any]
Predictions = dict[str, np.ndarray]


def split_metrics(
    truth: np.ndarray, predicted: np.ndarray, loss: float, classes: int
) -> dict[str, Any]:
    """Metrics of one split.

    Args:
        truth: True class of each example, (n,) uint8.
        predicted: Predicted class, (n,) integer.
        loss: Mean cross-entropy over the examples.
        classes: How many classes there are; every one gets a row, seen or not.
    """
    labels = np.arange(classes)
    per_class = np.asarray(
        precision_recall_fscore_support(truth, predicted, labels=labels, zero_division=0)
    )
    precision, recall, f1 = per_class[:3].mean(axis=1)
    return {
        "loss": loss,
        "accuracy": float(np.mean(truth == predicted)),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "f1_min": float(per_class[2].min()),
        "per_class": [
            {
                "label": label,
                "precision": float(row[0]),
                "recall": float(row[1]),
                "f1": float(row[2]),
                "support": int(row[3]),
            }
            for label, row in enumerate(per_class.T)
        ],
        "confusion": confusion_matrix(truth, predicted, labels=labels).tolist(),
    }


def evaluate(predictor: Predictor, dataset: Dataset) -> tuple[Metrics, Predictions]:
    """Metrics on training, validation and test split, and predictions on the latter two.

    Returns:
        A record's `metrics`, and the arrays of its `predictions.npz`.
    """
    images, labels = dataset.train_images, dataset.train_labels
    training = predictor(images, labels, dataset.train_index)
    loss, accuracy = training.summary(dataset.train_labels[dataset.train_index])
    metrics: Metrics = {"train": {"loss": loss, "accuracy": accuracy}}
    predictions: Predictions = {
        "validation_index": dataset.validation_index.astype(np.int32),
        "data_sha256": np.array(dataset.info.sha256),
    }
    held_out = predictor(images, labels, dataset.validation_index)
    rows = np.arange(len(dataset.test_labels), dtype=np.int32)
    tested = predictor(dataset.test_images, dataset.test_labels, rows)
    for split, answers, truth in (
        ("validation", held_out, dataset.train_labels[dataset.validation_index]),
        ("test", tested, np.asarray(dataset.test_labels)),
    ):
        metrics[split] = split_metrics(
            truth, answers.predicted, answers.summary(truth)[0], dataset.info.classes
        )
        predictions |= _stored(split, answers, truth)
    return metrics, predictions


def _stored(split: str, answers: Answers, truth: np.ndarray) -> Predictions:
    return {
        f"{split}_true": truth.astype(np.uint8),
        f"{split}_predicted": answers.predicted.astype(np.uint8),
        f"{split}_probability": answers.probability.astype(np.float16),
    }
