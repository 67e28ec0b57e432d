"""The report's five networks as a notebook would have them: `model.fit`, one after another."""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import keras
import numpy as np
from sklearn.metrics import classification_report, confusion_matrix


def read_idx(path: Path) -> np.ndarray:
    """An IDX file of bytes, gzipped."""
    content = gzip.decompress(path.read_bytes())
    shape = [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(content[3])]
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def main() -> None:
    """Train, evaluate and print all five."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="MNIST's gzipped IDX files")
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    x_train, y_train, x_test, y_test = (
        read_idx(options.folder / f"{name}-ubyte.gz")
        for name in (
            "train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1",
        )
    )  # fmt: skip
    x_train, x_test = x_train.astype("float32") / 255, x_test.astype("float32") / 255
    for layers, nodes, dropout in [
        (1, 100, 0), (1, 300, 0), (2, 100, 0), (2, 300, 0), (2, 300, 0.2),
    ]:  # fmt: skip
        model = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten()])
        for _ in range(layers):
            model.add(keras.layers.Dense(nodes, activation="relu"))
            if dropout:
                model.add(keras.layers.Dropout(dropout))
        model.add(keras.layers.Dense(10, activation="softmax"))
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(
            x_train, y_train, batch_size=32, epochs=options.epochs, validation_split=0.1, verbose=0
        )
        print(layers, nodes, dropout, model.evaluate(x_test, y_test, verbose=0))
        predicted = model.predict(x_test, verbose=0).argmax(axis=1)
        print(classification_report(y_test, predicted))
        print(confusion_matrix(y_test, predicted))


if __name__ == "__main__":
    main()
