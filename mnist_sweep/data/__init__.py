"""Data: from settings to uint8 arrays on disk that every run maps into memory.

`prepare` chooses, reads, verifies, hashes and splits once, before any run; `load` is what a run
does. Nothing here imports TensorFlow, Keras or Hydra.
"""

from mnist_sweep.data.dataset import Dataset, DatasetInfo, load
from mnist_sweep.data.describe import class_counts, describe
from mnist_sweep.data.prepare import prepare
from mnist_sweep.data.split import split

__all__ = ["Dataset", "DatasetInfo", "class_counts", "describe", "load", "prepare", "split"]
