"""The compiler's flags: only those that the installed TensorFlow knows."""

import importlib.util
import sys

import pytest

from mnist_sweep.training import runtime


@pytest.fixture(autouse=True)
def flags_searched_again():
    runtime.compiler_flags.cache_clear()
    yield
    runtime.compiler_flags.cache_clear()


@pytest.mark.skipif(sys.platform != "linux", reason="the library has this name on Linux")
def test_a_flag_that_this_tensorflow_does_not_know_is_left_out(monkeypatch):
    known = "--xla_cpu_copy_insertion_use_region_analysis=true"
    monkeypatch.setattr(runtime, "_COMPILER_FLAGS", ("--xla_no_such_flag=1", known))
    assert runtime.compiler_flags() == (known,)


@pytest.mark.skipif(sys.platform != "linux", reason="the library has this name on Linux")
def test_the_flag_that_one_loop_for_adam_needs_is_known():
    assert any("multi_output_fusion" in flag for flag in runtime.compiler_flags())


def test_without_the_library_there_are_no_flags(monkeypatch, tmp_path):
    (tmp_path / "__init__.py").touch()
    elsewhere = importlib.util.spec_from_file_location("tensorflow", tmp_path / "__init__.py")
    for spec in (elsewhere, None):
        runtime.compiler_flags.cache_clear()
        monkeypatch.setattr(runtime.util, "find_spec", lambda _, spec=spec: spec)
        assert runtime.compiler_flags() == ()


def test_a_users_own_settings_of_keras_do_not_count():
    from keras import config

    config.set_image_data_format("channels_first")  # as keras.json would
    config.set_floatx("float64")
    config.set_epsilon(0.1)
    runtime.import_tensorflow()
    shown = (config.image_data_format(), config.floatx(), config.epsilon())
    assert shown == ("channels_last", "float32", 1e-7)


def test_a_gpu_gives_the_same_bits_in_every_form(monkeypatch):
    from tensorflow.python.framework import config

    monkeypatch.setattr(runtime, "device", lambda: "GPU")
    try:
        for on in (True, False, True):
            runtime.make_deterministic(on=on)
            assert config.is_op_determinism_enabled() is on
    finally:
        runtime.make_deterministic(on=False)


def test_nothing_is_switched_on_a_cpu():
    from tensorflow.python.framework import config

    runtime.make_deterministic(on=True)
    assert not config.is_op_determinism_enabled()
