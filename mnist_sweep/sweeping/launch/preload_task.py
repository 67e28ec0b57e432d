"""What the fork server imports for tasks of the user's own, which may need no TensorFlow.

Imported only, as `preload`: nothing runs that would not survive a fork.
"""

# ruff: noqa: E402, F401  (imports are what this module is for, in this order)
from __future__ import annotations

import gc
import signal

# Ctrl-C is the parent's business, from the first moment on.
signal.signal(signal.SIGINT, signal.SIG_IGN)

import mnist_sweep.sweeping.launch.worker

# What was imported stays for good: left alone by the garbage collector, its pages stay shared.
gc.freeze()
