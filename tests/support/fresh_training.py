"""A small training in a process that has not trained anything before."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping


def weights(environ: Mapping[str, str]) -> str:
    """A hash of the weights of a network trained on the bundled digits by a compiled program."""
    os.environ.update(environ)
    from mnist_sweep.data import prepare
    from mnist_sweep.training import model, small, train
    from support.training_settings import settings  # which sets TensorFlow up

    small.MAX_WORK = 0
    options = settings(data__name="digits", epochs=2)
    result = train.train(options, prepare(options["data"]), lambda s, c: model.mlp(s, c, 1, 8, 0.2))
    return hashlib.sha256(b"".join(w.tobytes() for w in result.network.get_weights())).hexdigest()
