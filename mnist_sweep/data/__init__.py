"""Data: from settings to uint8 arrays on disk that every run maps into memory.

`prepare` finds, reads, verifies, hashes and splits the data once, before any run; `load` is what a
run does. `readers/` has a module for each file format, `mnist` searches for MNIST, `cache` keeps
the prepared arrays on disk.

Whatever is wrong with data is a `DataError`, whose text names the file and the way out.

May import `settings` and the modules beside the packages. Nothing here imports TensorFlow, Keras or
Hydra; scikit-learn is imported only where it computes a split or its digits are read.
"""

from mnist_sweep.data.dataset import NO_DATA as NO_DATA
from mnist_sweep.data.dataset import Dataset as Dataset
from mnist_sweep.data.dataset import DatasetInfo as DatasetInfo
from mnist_sweep.data.dataset import check_unchanged as check_unchanged
from mnist_sweep.data.dataset import class_counts as class_counts
from mnist_sweep.data.dataset import load as load
from mnist_sweep.data.prepare import prepare as prepare
from mnist_sweep.data.readers import Reader as Reader
from mnist_sweep.data.split import split as split
