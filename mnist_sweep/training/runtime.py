"""TensorFlow in one process: threads, compiler flags, no start-up messages, a run's fresh start.

TensorFlow creates its thread pools at its first operation and reads `XLA_FLAGS` at its first
compilation, so `configure` must run before either; a process trains with one number of threads.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import util
from pathlib import Path

from mnist_sweep.errors import SettingsError
from mnist_sweep.training import programs

_COMPILER_FLAGS = (
    # Lets one loop of a compiled program write several arrays, which `fused_adam` relies on.
    "--xla_backend_extra_options=xla_cpu_use_multi_output_fusion",
    # Finds that weights need no copy before they are updated if nothing reads them afterwards.
    "--xla_cpu_copy_insertion_use_region_analysis=true",
    # No YNNPACK kernels for matrix products: with oneDNN's an epoch is 3 to 5 % shorter.
    "--xla_cpu_experimental_ynn_fusion_type=",
    # On GPUs no choice of kernels by timing, after which a point would have other bits; without it
    # compiling takes half the time, and a network with convolutions trains longer.
    "--xla_gpu_autotune_level=0",
)

# TensorFlow's caches grow by half a megabyte or more with each run of a session.
MAX_SESSION_RUNS = 25


@dataclass
class _ProcessState:
    """What `configure` did to this process, and what its last run left.

    A module-level object because TensorFlow's threads, flags and programs are the process's as
    well: threads and flags can be set once, and whoever comes second must find out.
    """

    threads: int | None = None
    programs: Path | None = None
    session_runs: int = 0  # since Keras's session began
    has_kept: bool = False  # whether the last run's programs are kept
    goes_on: bool = False  # whether nothing else happened here since the last run


_process = _ProcessState()


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Discard what native libraries write to standard error; show it if the block raises.

    TensorFlow logs from C++ before it reads any logging setting, so only the file descriptor
    itself can be silenced (https://github.com/tensorflow/tensorflow/issues/100442).
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        except BaseException:
            sink.seek(0)
            os.write(saved, sink.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)


@contextlib.contextmanager
def _hidden(*modules: str) -> Iterator[None]:
    """Within the block, importing these raises ImportError unless they are imported already."""
    hidden = [module for module in modules if module not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: cannot be imported
    try:
        yield
    finally:
        for module in hidden:
            sys.modules.pop(module, None)


def import_tensorflow() -> None:
    """Import TensorFlow and Keras without start-up messages; touches no device.

    If they are installed, Keras also imports matplotlib and pandas, a fifth of its import time.
    Training needs neither, so they are hidden from Keras.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # By default TensorFlow uses it on some processors only, and convolutions take three times as
    # long on others.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # By default a process takes all of a GPU's memory, so that no other could use it.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    with quiet_stderr(), _hidden("matplotlib", "pandas"):
        import keras
        import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    # The user's own ~/.keras/keras.json would change the results of a run id.
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)


@cache
def compiler_flags() -> tuple[str, ...]:
    """The flags of `_COMPILER_FLAGS` that the installed TensorFlow knows.

    TensorFlow aborts the process at an unknown flag, and flags come and go with its versions, so
    their names are searched for in its library.
    """
    found = util.find_spec("tensorflow")
    if found is None or found.origin is None:
        return ()
    library = next(Path(found.origin).parent.glob("libtensorflow_framework.so.*"), None)
    if library is None:
        return ()
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return tuple(
            flag for flag in _COMPILER_FLAGS if text.find(flag[2:].partition("=")[0].encode()) >= 0
        )


def configure(threads: int) -> None:
    """Give this process `threads` threads for TensorFlow's operations and compiled programs.

    Raises:
        SettingsError: This process already trains with another number of threads.
    """
    if _process.threads is not None:
        if _process.threads != threads:
            raise SettingsError(
                f"threads={threads}: this process already trains with "
                f"threads={_process.threads}, and TensorFlow cannot change that. Use the default "
                "launcher (hydra/launcher=pool), which gives every run a process of its own."
            )
        return
    several = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
    # The last occurrence of a flag wins: the user's own beat ours, and `threads` beats both.
    ours = " ".join(compiler_flags())
    os.environ["XLA_FLAGS"] = f"{ours} {os.environ.get('XLA_FLAGS', '')} {several}"
    _keep_programs(os.environ["XLA_FLAGS"])
    import_tensorflow()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.set_soft_device_placement(True)
    _process.threads = threads


def forget_programs() -> bool:
    """Remove the compiled programs kept on disk, as one may be damaged; False if none are kept."""
    if _process.programs is None:
        return False
    programs.forget(_process.programs)
    return True


def _keep_programs(flags: str) -> None:
    path = programs.directory(flags)
    if path is not None:
        programs.prune(path)
        # TensorFlow has no public name for it (https://github.com/openxla/xla/issues/5366).
        flag = f"--tf_xla_persistent_cache_directory={path}"
        os.environ["TF_XLA_FLAGS"] = f"{os.environ.get('TF_XLA_FLAGS', '')} {flag}".strip()
        _process.programs = path


def start_afresh(seed: int, *, keeps_programs: bool) -> None:
    """Set all seeds and restart the numbers in names of layers: no run depends on earlier ones.

    Between two runs that keep their programs, TensorFlow's own seed and the rest of Keras's session
    stay as they are, if no other code ran: after a change of either, TensorFlow prepares every
    program again, which takes longer than such a run trains. Nothing in their networks draws by
    TensorFlow's seed.
    """
    import keras
    import numpy as np
    from keras.src.utils import naming

    follows = _process.goes_on and _process.has_kept and keeps_programs
    restart_names = getattr(naming, "reset_uids", None)  # it has no public name
    make_deterministic(on=False)
    if follows and restart_names and _process.session_runs < MAX_SESSION_RUNS:
        _process.session_runs += 1
        restart_names()
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002  (Keras's own code draws by it)
    else:
        _process.session_runs = 1
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
    _process.has_kept = _process.goes_on = False


def programs_are_kept() -> None:
    """Say that the run's programs can serve the next one."""
    _process.has_kept = True


def go_on() -> None:
    """Say that no other code ran in this process since the last run."""
    _process.goes_on = True


def device() -> str:
    """The kind of device that trains: `GPU` or `CPU`."""
    import tensorflow as tf

    return "GPU" if tf.config.list_logical_devices("GPU") else "CPU"


def make_deterministic(*, on: bool) -> None:
    """Have TensorFlow's own kernels on a GPU give the same bits each time, or as by default.

    XLA's did so by themselves on an H200; where this is on, XLA trained a network with convolutions
    more than twenty times as long there.
    """
    # TensorFlow has no public name for switching it off.
    from tensorflow.python.framework import config

    if device() == "GPU":
        (config.enable_op_determinism if on else config.disable_op_determinism)()


def count_gpus() -> int:
    """The GPUs that TensorFlow can use; opens them, so call it in a process of its own."""
    import_tensorflow()
    import tensorflow as tf

    with quiet_stderr():
        return len(tf.config.list_physical_devices("GPU"))
