"""A stored network is loaded without running anything in its file, and is the one of its record."""

import io
import json
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest

from mnist_sweep.errors import ModelError
from mnist_sweep.inference.load import UNSAFE, inspect, load
from mnist_sweep.inference.predict import BLOCK, predict
from mnist_sweep.training import runtime
from mnist_sweep.training.model import cnn, mlp
from mnist_sweep.training.predictor import Predictor
from support.own_layers import OWN_LAYERS

runtime.configure(1)

SHAPE = (4, 5)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(1)
    return mlp(SHAPE, 3, layers=1, nodes=6, dropout=0.1)


@pytest.fixture
def path(tmp_path, network):
    network.save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def recorded(network, **changes):
    return {"shape": SHAPE, "classes": 3, "parameters": network.count_params(), **changes}


def rewrite(path, name, content):
    """The archive with one member's content changed, added, or (None) left out."""
    with zipfile.ZipFile(path) as archive:
        members = {entry: archive.read(entry) for entry in archive.namelist()}
    members[name] = content(members.get(name)) if callable(content) else content
    with zipfile.ZipFile(path, "w") as archive:
        for entry, value in members.items():
            if value is not None:
                archive.writestr(entry, value)


def edit_layer(path, **changes):
    def change(content):
        config = json.loads(content)
        config["config"]["layers"][2] |= changes
        return json.dumps(config)

    rewrite(path, "config.json", change)


def test_a_loaded_network_answers_bit_for_bit_as_the_saved_one(path, network):
    images = np.random.default_rng(0).integers(0, 256, (BLOCK + 7, *SHAPE), dtype=np.uint8)
    done = []
    found = predict(
        load(path, **recorded(network)), images, 255.0, probabilities=True, on_progress=done.append
    )
    labels = np.zeros(len(images), np.uint8)
    answers = Predictor(network, 255.0)(images, labels, np.arange(len(images), dtype=np.int32))
    np.testing.assert_array_equal(found.predicted, answers.predicted)
    np.testing.assert_array_equal(found.probability, answers.probability)
    assert found.probabilities.shape == (len(images), 3)
    np.testing.assert_array_equal(found.probabilities.argmax(axis=1), found.predicted)
    wanted = network.predict(images / 255.0, verbose=0)
    np.testing.assert_allclose(found.probabilities, wanted, atol=1e-5)
    assert done == [BLOCK, BLOCK + 7]


def test_a_convolutional_network_is_loaded_too(tmp_path):
    network = cnn((8, 8), 10, filters=2, nodes=4, dropout=0.2)
    network.save(tmp_path / "model.keras")
    assert load(tmp_path / "model.keras", (8, 8), 10, None).count_params() > 0


@pytest.mark.parametrize(
    "changes", [{"shape": (5, 4)}, {"shape": (20,)}, {"classes": 4}, {"parameters": 7}]
)
def test_another_runs_network_is_refused(path, network, changes):
    with pytest.raises(
        ModelError, match=r"not the one of its record.*Were files of two runs mixed"
    ):
        load(path, **recorded(network, **changes))


def test_weights_that_are_not_finite_are_refused(path, network):
    weights = [np.full_like(one, np.nan) for one in network.get_weights()]
    clone = keras.models.clone_model(network)
    clone.set_weights(weights)
    clone.save(path)
    with pytest.raises(ModelError, match="not finite"):
        load(path, **recorded(network))


@pytest.mark.parametrize("name", UNSAFE)
def test_a_layer_that_runs_code_or_reads_other_files_is_refused(path, name):
    edit_layer(path, class_name=name, module="keras.layers")
    with pytest.raises(ModelError, match=rf"Refused to load .*its {name} "):
        inspect(path)


@pytest.mark.parametrize(
    ("module", "name"),
    [("os", "system"), ("builtins", "eval"), ("my.package", "Layer"), ("keras_hub", "Task"),
     ("kerasx.layers", "Dense"), (None, "Dense"), ("keras.layers", None)],
)  # fmt: skip
def test_anything_but_kerass_own_classes_is_refused(path, module, name):
    edit_layer(path, class_name=name, module=module)
    with pytest.raises(ModelError, match=r"Refused to load .* not Keras's own"):
        inspect(path)


def test_a_class_registered_under_another_name_is_refused(path):
    edit_layer(path, registered_name="Custom>Dense")
    with pytest.raises(ModelError, match="Custom>Dense, which is not Keras's own"):
        inspect(path)


def test_layers_of_ones_own_are_loaded_from_trusted_modules_alone(
    tmp_path, monkeypatch, capsys, network
):
    (tmp_path / "own_layers_of_a_test.py").write_text(OWN_LAYERS + "print('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    from own_layers_of_a_test import Doubles, Shifts

    layers = [Doubles(), Shifts(), keras.layers.Flatten(), keras.layers.Dense(3)]
    own = keras.Sequential([keras.Input(SHAPE), *layers])
    own.save(tmp_path / "own.keras")
    images = np.ones((2, *SHAPE), "float32")
    expected = own(images)
    monkeypatch.delitem(keras.saving.get_custom_objects(), "own>Doubles")
    monkeypatch.delitem(sys.modules, "own_layers_of_a_test")
    capsys.readouterr()
    with pytest.raises(ModelError, match=r"Refused to load .* not Keras's own.*predict --trust"):
        load(tmp_path / "own.keras", **recorded(own))
    names = inspect(tmp_path / "own.keras", trust=True)
    assert set(names) == {"Doubles", "Shifts"}
    assert capsys.readouterr().out == ""
    loaded = load(tmp_path / "own.keras", **recorded(own), trusted=["own_layers_of_a_test"])
    assert "imported" in capsys.readouterr().out
    np.testing.assert_array_equal(loaded(images), expected)
    with pytest.raises(ModelError, match="cannot load"):
        load(tmp_path / "own.keras", **recorded(own), trusted=["no_such_module"])
    edited = tmp_path / "lambda.keras"
    network.save(edited)
    edit_layer(edited, class_name="Lambda", module="keras.layers")
    with pytest.raises(ModelError, match=r"Refused to load .*its Lambda"):
        inspect(edited, trust=True)


def test_a_real_lambda_layer_is_refused_and_does_not_run(tmp_path):
    ran = tmp_path / "ran"

    def leave_a_trace(x, file=str(ran)):
        open(file, "w").close()  # noqa: PTH123  (Keras keeps plain values only)
        return x

    network = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(leave_a_trace)])
    ran.unlink()  # building it ran it
    network.save(tmp_path / "model.keras")
    with pytest.raises(ModelError, match="its Lambda runs Python code"):
        load(tmp_path / "model.keras", (2,), 2, None)
    assert not ran.exists()


def weights_with(change):
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        change(file)
    return stream.getvalue()


def far_away(file):
    source = h5py.VirtualSource("/etc/passwd", "x", shape=(2,))
    layout = h5py.VirtualLayout(shape=(2,), dtype="u1")
    layout[:] = source
    file.create_virtual_dataset("a/virtual", layout)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda file: file.__setitem__("x", h5py.ExternalLink("/etc/hosts", "/")), "link"),
        (lambda file: file.__setitem__("x", h5py.SoftLink("/y")), "link"),
        (
            lambda file: file.create_dataset("a/b", (4,), "u1", external=[("/etc/hostname", 0, 4)]),
            "another file",
        ),
        (far_away, "another file"),
        (lambda file: file.create_dataset("a", (2**40,), "u1", chunks=(2**20,)), "values"),
    ],
    ids=["external link", "soft link", "external storage", "virtual", "absurd size"],
)
def test_weights_from_elsewhere_are_refused(path, change, reason):
    rewrite(path, "model.weights.h5", weights_with(change))
    with pytest.raises(ModelError, match=rf"Refused to load .*{reason}"):
        inspect(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("assets/vocabulary.txt", b"x"),
        ("../outside", b"x"),
        ("evil.py", b"print(1)"),
    ],
)
def test_an_archive_that_holds_more_than_a_network_is_refused(path, name, content):
    rewrite(path, name, content)
    with pytest.raises(ModelError, match="contains more than a network"):
        inspect(path)


def truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("a network"),
    "HDF5, as Keras 2 saved": lambda path: path.write_bytes(weights_with(lambda _: None)),
    "truncated": truncated,
    "no configuration": lambda path: rewrite(path, "config.json", None),
    "no weights": lambda path: rewrite(path, "model.weights.h5", None),
    "not JSON": lambda path: rewrite(path, "config.json", b"{"),
    "a list": lambda path: rewrite(path, "config.json", b"[]"),
    "no UTF-8": lambda path: rewrite(path, "config.json", b"\xff\xfe{}"),
    "nested": lambda path: rewrite(
        path, "config.json", b'{"a":' + b"[" * 10**5 + b"]" * 10**5 + b"}"
    ),
    "weights of text": lambda path: rewrite(path, "model.weights.h5", b"none"),
    "weights without values": lambda path: rewrite(
        path, "model.weights.h5", weights_with(lambda _: None)
    ),
    "a configuration of nothing": lambda path: rewrite(path, "config.json", b"{}"),
    "an unknown layer of Keras's": lambda path: edit_layer(path, class_name="Denser"),
    "missing": lambda path: path.unlink(),
    "a directory": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_one_error_with_its_path(path, network, name):
    DAMAGE[name](path)
    with pytest.raises(ModelError) as caught:
        load(path, **recorded(network))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.h5", "model.pkl", "saved_model", "model.keras.zip"])
def test_other_formats_are_refused_unread(tmp_path, name):
    with pytest.raises(ModelError, match=r"Keras's own format \(\.keras\)"):
        inspect(tmp_path / name)
