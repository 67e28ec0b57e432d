"""A stored network: inspected, loaded without executing anything in its file, checked.

Keras's safe mode refuses Python functions in a file (`Lambda`). `inspect` goes further, because a
network may come from somebody else: only Keras's own classes, none that wraps code or opens files
by a path in the configuration, and weights that are in the file itself. It imports no Keras, so it
can refuse a file before TensorFlow is imported.
"""

from __future__ import annotations

import importlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_sweep.errors import ModelError
from mnist_sweep.safe_files import ARRAY_FILE_ERRORS, opened, strict_json

if TYPE_CHECKING:
    import keras

MEMBERS = ("metadata.json", "config.json", "model.weights.h5")
MAX_CONFIG_BYTES = 16 * 2**20
MAX_BYTES = 4 * 2**30  # a file that unpacks to more is refused without reading it

# Classes of Keras's own that do more than compute, and what they do.
UNSAFE = {
    "Lambda": "runs Python code kept in the file",
    "__lambda__": "is Python code kept in the file",
    "TFSMLayer": "runs a TensorFlow program from another directory",
    "TorchModuleWrapper": "unpickles a PyTorch module",
    "JaxLayer": "runs a JAX function",
    "FlaxLayer": "runs a Flax module",
    "StringLookup": "reads a vocabulary from another file",
    "IntegerLookup": "reads a vocabulary from another file",
    "TextVectorization": "reads a vocabulary from another file",
}

# How Keras serializes values that are not its objects (keras/src/saving/serialization_lib.py).
_PLAIN = ("__tuple__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__")


class _RefusedError(Exception):
    """What is unsafe about a file."""


def inspect(path: Path, *, trust: bool = False) -> dict[str, str | None]:
    """Refuse a file that is not a plain Keras network.

    Returns:
        With `trust`, the names of layers of the user's own, each with the module that the file
        names for it, if any; otherwise these are refused, too.

    Raises:
        ModelError: It is missing, damaged, not in the `.keras` format, or unsafe.
    """
    if path.suffix != ".keras":
        raise ModelError(
            f"Expected a network in Keras's own format (.keras), got {path}. Other formats can run "
            "code when they are read; save it with Keras 3."
        )
    try:
        with opened(path, MAX_BYTES) as stream, zipfile.ZipFile(stream) as archive:
            config, weights = _members(archive)
        own = _check_config(config, trust=trust)
        _check_weights(weights)
    except FileNotFoundError as error:
        raise ModelError(
            f"Expected a trained network at {path}, but there is no such file. Networks are kept "
            "unless save_model=false; run the point again with save_model=true."
        ) from error
    except ARRAY_FILE_ERRORS as error:
        raise _damaged(path, getattr(error, "strerror", None) or error) from error
    except _RefusedError as error:
        raise ModelError(
            f"Refused to load {path}: {error}. Only networks made of Keras's own layers are "
            "loaded, so that a file from elsewhere cannot run code on this machine; `predict "
            "--trust` also loads networks with custom layers."
        ) from error
    return own


def _damaged(path: Path, reason: object) -> ModelError:
    return ModelError(
        f"Expected a network in Keras's format at {path}, but it cannot be read: {reason}. "
        "Delete that run's directory and run the same command again."
    )


def _members(archive: zipfile.ZipFile) -> tuple[dict[str, Any], bytes]:
    # Sizes are checked before anything is unpacked: a small archive can fill the memory.
    sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    if missing := [name for name in MEMBERS if name not in sizes]:
        raise ValueError(f"it lacks {', '.join(missing)}")
    extra = ", ".join(sorted(set(sizes) - set(MEMBERS)))
    if extra or len(archive.infolist()) > len(MEMBERS):
        raise _RefusedError(f"it contains more than a network ({extra or 'a file twice'})")
    if sum(sizes.values()) > MAX_BYTES or sizes["config.json"] > MAX_CONFIG_BYTES:
        raise _RefusedError(f"it would unpack to {sum(sizes.values()):,} bytes")
    config = strict_json(archive.read("config.json"))
    if not isinstance(config, dict):
        raise TypeError("its config.json is not an object")
    return config, archive.read("model.weights.h5")


def _check_config(config: dict[str, Any], *, trust: bool) -> dict[str, str | None]:
    own: dict[str, str | None] = {}
    for part in _objects(config):
        name, module = part.get("class_name"), part.get("module")
        if name in UNSAFE:
            raise _RefusedError(f"its {name} {UNSAFE[name]}")
        if name in _PLAIN:
            continue
        ours = isinstance(module, str) and (module == "keras" or module.startswith("keras."))
        # Keras looks a registered name up before the module: it could be anybody's class.
        known = part.get("registered_name") in (None, name)
        if ours and known and isinstance(name, str):
            continue
        if trust and not ours and isinstance(name, str) and isinstance(module, str | None):
            own[name] = module
            continue
        full = f"{module}.{name}" if known else part["registered_name"]
        raise _RefusedError(f"it names {full}, which is not Keras's own")
    return own


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """All parts of a configuration that name a class."""
    if isinstance(value, dict):
        if "class_name" in value or "module" in value:
            yield value
        for inner in value.values():
            yield from _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)


def _check_weights(content: bytes) -> None:
    """Refuse weights that HDF5 would read from other files."""
    # Imported here: a wrong file should be refused before this import's cost.
    import h5py

    def check(group: Any) -> None:
        for name in group:
            # The kind of link is asked first: to open an external one reads the other file.
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise _RefusedError(f"its weights {group.name}/{name} are a link to another place")
            entry = group[name]
            if isinstance(entry, h5py.Group):
                check(entry)
            elif entry.external or entry.is_virtual:
                raise _RefusedError(f"its weights {entry.name} are in another file")
            elif entry.size * entry.dtype.itemsize > MAX_BYTES:
                raise _RefusedError(f"its weights {entry.name} claim {entry.size:,} values")

    with h5py.File(io.BytesIO(content), "r") as file:
        check(file)


def load(
    path: Path,
    shape: tuple[int, ...],
    classes: int,
    parameters: int | None,
    trusted: Sequence[str] = (),
) -> keras.Model:
    """Load a network in Keras's safe mode. Imports Keras: call `runtime.configure` first.

    Args:
        path: A `.keras` file.
        shape: One image's, as the run's record says, as (28, 28).
        classes: The number of its outputs, as the record says.
        parameters: Weights, trainable or not; None if the record does not say.
        trusted: Modules to be imported for layers of the user's own; without any, none are loaded.

    Raises:
        ModelError: The file is missing, damaged, unsafe, or another network's.
    """
    own = inspect(path, trust=bool(trusted))
    import keras

    try:
        modules = [importlib.import_module(name) for name in trusted]
        custom = {name: getattr(m, name) for m in modules for name in own if hasattr(m, name)}
        network = keras.saving.load_model(path, custom, compile=False, safe_mode=True)
        if hasattr(network, "input_shape"):
            shapes = _of_one(network.input_shape), _of_one(network.output_shape)
        else:  # a subclassed network has no shapes before its first call
            outputs = network(np.zeros((1, *shape), "float32"))
            shapes = shape, _of_one(tuple(outputs.shape))
    except Exception as error:  # with a damaged file any part of Keras may raise anything
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"Keras cannot load the network {path}: {reason[0][:300]}. Was it saved by a newer "
            f"Keras than {keras.__version__}? Otherwise run the point again."
        ) from error
    counted = network.count_params()
    expected = counted if parameters is None else parameters
    if (*shapes, counted) != (shape, (classes,), expected):
        raise ModelError(
            f"The network {path} is not the one of its record: expected images of shape "
            f"{shape}, an output of {(classes,)} and {expected:,} parameters, found "
            f"{shapes[0]}, {shapes[1]} and {counted:,}. Were files of two runs mixed?"
        )
    if not all(np.isfinite(one).all() for one in network.get_weights() if one.dtype.kind == "f"):
        raise _damaged(path, "it has weights that are not finite")
    return network


def _of_one(shape: object) -> object:
    # Without the batch's dimension; of several inputs or outputs Keras gives a list.
    return tuple(shape[1:]) if isinstance(shape, tuple) else shape
