"""A stored network's answers to new images: read, check, load, predict.

`read` turns a file into images like those the network was trained on; it and what it needs import
neither TensorFlow nor Keras, so that a wrong file is refused at once. `load` and `predict` do, and
are imported when there is something to predict.
"""

from mnist_sweep.inference.inputs import Expected, Inputs, read

__all__ = ["Expected", "Inputs", "read"]
