"""A saved network is the one whose predictions are recorded.

Called with the file before the run's record is written. Keras saves what layers name in their
configurations; a layer of the user's own may lack some of that, and would then compute something
else wherever the file is used.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.data import DatasetInfo, load
from mnist_sweep.errors import ModelError
from mnist_sweep.training.train import Result

if TYPE_CHECKING:
    import keras

log = logging.getLogger(__name__)

# Test images whose predictions are compared, at most.
N_IMAGES = 256
# Of a probability: recorded ones are float16, and layers may compute in bfloat16.
MAX_DIFFERENCE = 0.02


def verify(
    path: Path, result: Result, info: DatasetInfo, predictions: Mapping[str, np.ndarray]
) -> None:
    """Load a saved network and compare its predictions with those of the run.

    The log says if the file needs code of the user's, and if it was not compared: Keras's safe
    mode does not load every layer of the user's own, and some networks predict at random.

    Raises:
        ModelError: The saved network predicts something else.
    """
    import keras

    from mnist_sweep.training.model import all_layers

    kinds = {type(layer) for layer in all_layers(result.network)}
    own = sorted(one.__qualname__ for one in kinds if not one.__module__.startswith("keras."))
    if own:
        log.warning(
            "model.keras needs the code of %s: Keras loads it where that can be imported, predict "
            "with --trust", ", ".join(own),
        )  # fmt: skip
    try:
        loaded = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # noqa: BLE001  (whatever code of the user's the file needs)
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        log.warning(
            "model.keras was not verified: Keras's safe mode does not load it (%s)", reason,
        )  # fmt: skip
        return
    images = load(info).test_images[:N_IMAGES].astype(np.float32) * np.float32(1 / info.scale)
    logits = result.training.predictor.logits
    n_other = _n_other(_probabilities(loaded, images, logits=logits), predictions)
    if not n_other:
        return
    first, second = (_probabilities(result.network, images, logits=logits) for _ in range(2))
    if not np.array_equal(first, second):
        log.warning("model.keras was not verified: the network predicts at random")
        return
    raise ModelError(
        f"The saved network, loaded again, predicts something else than the trained one for "
        f"{n_other} of {len(images)} test images. Some of it is not saved: what a layer's "
        "get_config does not return, such as an attribute set after construction. Return it "
        "there, or set save_model=false."
    )


def _probabilities(network: keras.Model, images: np.ndarray, *, logits: bool) -> np.ndarray:
    from keras import ops

    outputs = network(images, training=False)
    return np.asarray(ops.softmax(outputs) if logits else outputs, np.float32)


def _n_other(probabilities: np.ndarray, recorded: Mapping[str, np.ndarray]) -> int:
    """How many images have another prediction than the recorded one, beyond rounding."""
    n = len(probabilities)
    of_recorded = probabilities[np.arange(n), recorded["test_predicted"][:n]]
    largest = probabilities.max(axis=1)
    recorded_largest = recorded["test_probability"][:n].astype(np.float32)
    # Not `>`: values that are not a number are other predictions, too.
    same = np.abs(of_recorded - recorded_largest) <= MAX_DIFFERENCE
    return int(np.count_nonzero(~(same & (largest - of_recorded <= MAX_DIFFERENCE))))
