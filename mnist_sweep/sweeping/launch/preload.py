"""What the fork server imports once, so that a run's process has it at its start.

Imported only: no operation runs and no device is touched, which would not survive a fork.
"""

# ruff: noqa: E402, F401  (imports are what this module is for, in this order)
from __future__ import annotations

import gc
import os
import signal

# The garbage collector would look through a growing heap hundreds of times, a quarter of the time
# that these imports take, and find next to nothing.
gc.disable()
# Ctrl-C is the parent's business, from the first moment on.
signal.signal(signal.SIGINT, signal.SIG_IGN)
# A worker trains on threads of TensorFlow's; NumPy's own pool would only crowd the machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from mnist_sweep.training import runtime

runtime.compiler_flags()
runtime.import_tensorflow()

import sklearn.metrics
import sklearn.model_selection

import mnist_sweep.sweeping.launch.worker
import mnist_sweep.training.compiled
import mnist_sweep.training.evaluate
import mnist_sweep.training.fit
import mnist_sweep.training.model

# What was imported stays for good: left alone by the garbage collector, its pages stay shared.
gc.freeze()
gc.enable()
