"""TensorFlow set up for one process: its threads, its compiler's flags, its silence.

TensorFlow makes its thread pools at its first operation and reads `XLA_FLAGS` at its first
compilation, so `configure` must come before either; a process trains with one number of threads.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib import util
from pathlib import Path

from mnist_sweep.errors import SettingsError
from mnist_sweep.training import programs

_COMPILER = (
    # Lets one loop of a compiled program write several arrays, as `one_pass` needs it.
    "--xla_backend_extra_options=xla_cpu_use_multi_output_fusion",
    # Sees that weights which are read for the last time need no copy before they are written.
    "--xla_cpu_copy_insertion_use_region_analysis=true",
    # No products by YNNPACK: with oneDNN's, taken otherwise, an epoch is 3 to 5 % shorter.
    "--xla_cpu_experimental_ynn_fusion_type=",
)

_configured: list[int] = []
_programs: list[Path] = []


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Swallow what native libraries write to standard error; give it back if the block raises.

    TensorFlow greets from C++ before any logging setting of its own is read, so only the file
    descriptor itself can be silenced.
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
def _absent(*modules: str) -> Iterator[None]:
    """Within the block, importing these raises ImportError unless they are imported already."""
    hidden = [module for module in modules if module not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: not to be had
    try:
        yield
    finally:
        for module in hidden:
            sys.modules.pop(module, None)


def import_tensorflow() -> None:
    """Import TensorFlow and Keras without their start-up chatter; touches no device.

    Keras also imports what it draws with (matplotlib) and data frames (pandas) where they are
    installed, a fifth of the time; training needs neither, so Keras is not to find them.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with quiet_stderr(), _absent("matplotlib", "pandas"):
        import keras
        import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    # A user's own ~/.keras/keras.json would change what a run id stands for.
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)


@cache
def compiler_flags() -> tuple[str, ...]:
    """The compiler's flags that make programs faster, those which this TensorFlow knows.

    It ends the process for a flag that it does not know, and flags come and go with its versions,
    so their names are looked for in its library.
    """
    found = util.find_spec("tensorflow")
    if found is None or found.origin is None:
        return ()
    library = next(Path(found.origin).parent.glob("libtensorflow_framework.so.*"), None)
    if library is None:
        return ()
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
        return tuple(
            flag for flag in _COMPILER if held.find(flag[2:].partition("=")[0].encode()) >= 0
        )


def configure(threads: int) -> None:
    """Give this process `threads` threads for TensorFlow's operations and compiled programs.

    Raises:
        SettingsError: This process already trains with another number of threads.
    """
    if _configured:
        if _configured != [threads]:
            raise SettingsError(
                f"threads={threads}: this process already trains with threads={_configured[0]}, "
                "and TensorFlow cannot change that. Use the default launcher "
                "(hydra/launcher=pool), which gives every run a process of its own."
            )
        return
    several = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
    # The last word on a flag counts, and the user's own is to have it where a choice is left.
    ours = " ".join(compiler_flags())
    os.environ["XLA_FLAGS"] = f"{ours} {os.environ.get('XLA_FLAGS', '')} {several}"
    _keep_programs(os.environ["XLA_FLAGS"])
    import_tensorflow()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.set_soft_device_placement(True)
    _configured.append(threads)


def forget_programs() -> bool:
    """Remove the compiled programs kept on disk, one of which may be damaged; False if none are."""
    for path in _programs:
        programs.forget(path)
    return bool(_programs)


def _keep_programs(flags: str) -> None:
    path = programs.directory(flags)
    if path is not None:
        programs.prune(path)
        flag = f"--tf_xla_persistent_cache_directory={path}"
        os.environ["TF_XLA_FLAGS"] = f"{os.environ.get('TF_XLA_FLAGS', '')} {flag}".strip()
        _programs.append(path)


def device() -> str:
    """What trains: `GPU` or `CPU`."""
    import tensorflow as tf

    return "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
