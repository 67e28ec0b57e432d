"""Run as a process of its own: let Keras download MNIST into `KERAS_HOME`.

Importing Keras takes seconds, so the network is asked first whether the file is to be had: on a
machine without one this ends at once. The last line on standard output tells what went wrong.
"""

from __future__ import annotations

import math
import signal
import socket
import sys
import urllib.request

ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
"""Where Keras gets it from (keras.datasets.mnist); asked for its head only."""
PROBE_S = 5.0
STALL_S = 15.0


def main(timeout_s: float) -> str | None:
    """Download it; returns the reason if that fails.

    Args:
        timeout_s: When to give up, even if the parent process is gone by then.
    """
    if hasattr(signal, "alarm"):  # its default action ends the process wherever it hangs
        signal.alarm(math.ceil(min(timeout_s, 86_400.0)) + 1)
    request = urllib.request.Request(ORIGIN, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=min(PROBE_S, timeout_s)):  # noqa: S310
            pass
    except (OSError, ValueError) as error:
        return f"{ORIGIN} cannot be reached: {getattr(error, 'reason', error)}"
    # urlretrieve, which Keras uses, takes no timeout of its own; this one is per wait for data.
    socket.setdefaulttimeout(min(STALL_S, timeout_s))
    try:
        from keras.datasets import mnist

        mnist.load_data()
    except Exception as error:  # noqa: BLE001  Keras raises a bare Exception for a failed download
        return f"{type(error).__name__}: {error}".replace("\n", " ")
    return None


if __name__ == "__main__":
    problem = main(float(sys.argv[1]))
    if problem:
        print(f"\n{problem}")
        sys.exit(1)
