"""Whether a dataset is the original MNIST, whatever file it came in."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mnist_sweep.data.arrays import Arrays, Bytes

# SHA-256 of the original distribution's four IDX files, uncompressed.
PUBLISHED = {
    "train_labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "test_labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    "test_images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "train_images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
}
NAME = "mnist"


def is_original(arrays: Arrays) -> bool:
    """Whether the four arrays, written as IDX files, are the original ones byte for byte."""
    if arrays.train_images.shape != (60_000, 28, 28):
        return False
    four = arrays.four()
    return all(_idx_sha256(four[name]) == digest for name, digest in PUBLISHED.items())


def _idx_sha256(array: Bytes) -> str:
    head = struct.pack(f">HBB{array.ndim}I", 0, 0x08, array.ndim, *array.shape)
    digest = hashlib.sha256(head)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
