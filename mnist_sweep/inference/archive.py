"""A stored network inspected before Keras opens it: what in it could run code or read other files.

Keras's safe mode refuses Python functions in a file (`Lambda`). This goes further, as a network may
come from somebody else: only Keras's own classes, none that wraps code or opens files by a path in
the configuration, and weights that lie in the file itself. Reading here executes nothing.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mnist_sweep.errors import ModelError

MEMBERS = ("metadata.json", "config.json", "model.weights.h5")
LARGEST_CONFIG_BYTES = 16 * 2**20
LARGEST_BYTES = 4 * 2**30
"""A file that unpacks to more is refused unread."""

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
"""Classes of Keras's own that do more than compute, and what."""

# How Keras writes down what is no object of its own (keras/src/saving/serialization_lib.py).
_PLAIN = ("__tuple__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__")


def inspect(path: Path) -> None:
    """Refuse a file that is not a plain Keras network.

    Raises:
        ModelError: It is missing, damaged, not Keras's `.keras` format, or not harmless.
    """
    if path.suffix != ".keras":
        raise ModelError(
            f"Expected a network in Keras's own format (.keras), got {path}. Other formats can run "
            "code when they are read; save it with Keras 3."
        )
    try:
        # Opened first: zipfile tells less about a file that cannot be read.
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            config, weights = _members(archive)
        _check_config(config)
        _check_weights(weights)
    except FileNotFoundError as error:
        raise ModelError(
            f"Expected a trained network at {path}, but there is no such file. Networks are kept "
            "unless save_model=false; run the point again with save_model=true."
        ) from error
    except RecursionError as error:
        raise _damaged(path, "its configuration is nested too deeply") from error
    except (
        OSError, ValueError, KeyError, EOFError, RuntimeError, NotImplementedError, TypeError,
        MemoryError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise _damaged(path, getattr(error, "strerror", None) or error) from error
    except _RefusedError as error:
        raise ModelError(
            f"Refused to load {path}: {error}. Only networks made of Keras's own layers are "
            "loaded, so that a file from elsewhere cannot run code on this machine."
        ) from error


class _RefusedError(Exception):
    """What is not harmless about a file."""


def _damaged(path: Path, reason: object) -> ModelError:
    return ModelError(
        f"Expected a network in Keras's format at {path}, but it cannot be read: {reason}. "
        "Delete that run's directory and run the same command again to make it."
    )


def _members(archive: zipfile.ZipFile) -> tuple[dict[str, Any], bytes]:
    """The configuration and the weights' file, its size checked before it is unpacked."""
    sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    missing = [name for name in MEMBERS if name not in sizes]
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}")
    extra = sorted(set(sizes) - set(MEMBERS))
    if extra or len(archive.infolist()) > len(MEMBERS):
        raise _RefusedError(f"it holds more than a network does ({', '.join(extra) or 'twice'})")
    if sum(sizes.values()) > LARGEST_BYTES or sizes["config.json"] > LARGEST_CONFIG_BYTES:
        raise _RefusedError(f"it would unpack to {sum(sizes.values()):,} bytes")
    config = json.loads(archive.read("config.json"))
    if not isinstance(config, dict):
        raise TypeError("its config.json is no object")
    return config, archive.read("model.weights.h5")


def _check_config(config: dict[str, Any]) -> None:
    for part in _objects(config):
        name, module = part.get("class_name"), part.get("module")
        if name in UNSAFE:
            raise _RefusedError(f"its {name} {UNSAFE[name]}")
        if name in _PLAIN:
            continue
        ours = isinstance(module, str) and (module == "keras" or module.startswith("keras."))
        if not ours or not isinstance(name, str):
            raise _RefusedError(f"it names {module}.{name}, which is not Keras's own")
        if part.get("registered_name") not in (None, name):
            raise _RefusedError(f"it names {part['registered_name']}, which is not Keras's own")


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every part of a configuration that names a class."""
    if isinstance(value, dict):
        if "class_name" in value or "module" in value:
            yield value
        for inner in value.values():
            yield from _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)


def _check_weights(content: bytes) -> None:
    """Refuse weights that HDF5 would fetch from other files."""
    # Imported here: Keras needs it anyway, a person whose file is wrong does not.
    import h5py

    def check(group: Any) -> None:
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise _RefusedError(f"its weights {group.name}/{name} are a link to elsewhere")
            entry = group[name]
            if isinstance(entry, h5py.Group):
                check(entry)
            elif entry.external or entry.is_virtual:
                raise _RefusedError(f"its weights {entry.name} lie in another file")
            elif entry.size * entry.dtype.itemsize > LARGEST_BYTES:
                raise _RefusedError(f"its weights {entry.name} claim {entry.size:,} values")

    with h5py.File(io.BytesIO(content), "r") as file:
        check(file)
