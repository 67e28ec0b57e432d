"""Run as a process of its own: let Keras download MNIST into `KERAS_HOME`.

Importing Keras takes seconds, so the server is asked for the file first: without a network this
ends at once. The last line on standard output says what went wrong.
"""

from __future__ import annotations

import math
import signal
import socket
import sys
import urllib.request

ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
"""Keras's own source (keras.datasets.mnist); only a HEAD request is sent to it here."""
PROBE_S = 5.0
STALL_S = 15.0


def main(timeout_s: float) -> str | None:
    """Download MNIST; returns the reason if that fails.

    Args:
        timeout_s: Seconds until this process ends itself, even without its parent.
    """
    if hasattr(signal, "alarm"):  # its default action ends the process wherever it hangs
        signal.alarm(math.ceil(min(timeout_s, 86_400.0)) + 1)
    request = urllib.request.Request(ORIGIN, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=min(PROBE_S, timeout_s)):  # noqa: S310
            pass
    except (OSError, ValueError) as error:
        return f"{ORIGIN} cannot be reached: {getattr(error, 'reason', error)}"
    # Keras downloads by urlretrieve, which has no timeout; this one is per wait for data.
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
