"""scikit-learn's bundled digits: 1,797 real handwritten 8x8 digits, available on every machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mnist_sweep.data.arrays import Examples

# Pixels are counts of inked dots in 4x4 blocks, 0 to 16 (UCI, Alpaydin and Kaynak 1998).
SCALE = 16.0
DESCRIPTION = "scikit-learn's bundled digits (1,797 real handwritten 8x8 digits)"


def read(_path: Path) -> tuple[Examples, Examples | None]:
    """All 1,797 examples, images (1797, 8, 8); there is no test split."""
    # Imported here: it takes most of a second, and the arrays are read once and then cached.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # float64 in scikit-learn, all of them whole numbers.
    where = "sklearn.datasets.load_digits"
    images = np.ascontiguousarray(bunch.images.astype(np.uint8))
    return Examples(images, bunch.target.astype(np.uint8), where, where, SCALE), None
