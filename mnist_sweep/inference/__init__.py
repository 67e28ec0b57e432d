"""Inference: a stored network's predictions for new images.

`inputs` reads images like those the network was trained on, with `normalise` for pictures; `load`
checks and loads a network; `predict` runs it.

May import `settings`, `data` and `training`. Only `predict` imports TensorFlow at its top, and
`load.load` when called, so that a wrong file is refused at once.
"""

from mnist_sweep.inference.inputs import Expected, Inputs, read

__all__ = ["Expected", "Inputs", "read"]
