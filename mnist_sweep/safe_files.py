"""Reading files that anybody may have written or damaged, and the JSON text that we write.

Only regular files are read (a pipe or a device of the right name blocks nobody), up to a size that
the caller names. JSON and YAML are strict: no key twice, and in JSON no NaN. Arrays of an `.npz`
are refused by what their headers say, before anything is unpacked. Nothing read here executes
anything. `plain` and `json_text` make text that this module reads again and a terminal can show.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import stat
import struct
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from mnist_sweep.errors import is_hidden

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydantic import BaseModel


# What reading a damaged .npy or .npz file may raise without unpickling.
ARRAY_FILE_ERRORS = (
    OSError, EOFError, LookupError, TypeError, AttributeError, struct.error, zlib.error,
    ValueError,  # NumPy: a bad header, an object array, a truncated member
    MemoryError, OverflowError,  # a header with an absurd shape
    RuntimeError, NotImplementedError,  # zipfile: encrypted, unknown compression
    SyntaxError, tokenize.TokenError,  # NumPy parses a header as a Python literal
    zipfile.BadZipFile,
)  # fmt: skip
Model = TypeVar("Model", bound="BaseModel")

# A larger file is refused unread: a record of 100,000 epochs has about 10 MB.
MAX_BYTES = 256 * 2**20
MAX_NODES = 2**20  # values in a YAML file, aliases followed


@contextmanager
def opened(path: Path, max_bytes: float = math.inf) -> Iterator[io.BufferedReader]:
    """A regular file, opened for reading bytes.

    Raises:
        OSError: It cannot be opened.
        ValueError: It is not a regular file, or larger than `max_bytes`.
    """
    with os.fdopen(_open(path), "rb") as file:
        _checked(os.fstat(file.fileno()), max_bytes)
        yield file


def content(path: str | Path, max_bytes: int = MAX_BYTES) -> tuple[bytes, os.stat_result]:
    """The bytes of a regular file, and its status before it was read; errors are as of `opened`."""
    descriptor = _open(path)  # a file object takes three times as long, of 100,000 small files
    try:
        status = _checked(os.fstat(descriptor), max_bytes)
        read = os.read(descriptor, status.st_size + 1)  # no more, should it grow
        while (left := status.st_size - len(read)) > 0 and (more := os.read(descriptor, left)):
            read += more
        return read, status
    finally:
        os.close(descriptor)


def _open(path: str | Path) -> int:
    # Without waiting: opening a pipe would block until somebody writes to it.
    return os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))


def _checked(status: os.stat_result, max_bytes: float) -> os.stat_result:
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("not a regular file")
    if status.st_size > max_bytes:
        raise ValueError(f"{status.st_size:,} bytes is too large")
    return status


def sha256_of(path: Path) -> str:
    """The SHA-256 of a regular file, 64 hexadecimal digits; errors are as of `opened`."""
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def identity(status: os.stat_result) -> tuple[int, int, int, int]:
    """What changes whenever a file does: its size, times of change and inode.

    A copy that keeps the modification time (`cp -p`) has a new time of status change.
    """
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def strict_json(read: bytes) -> Any:
    """The value in a JSON file's bytes.

    Raises:
        ValueError: It is empty, not UTF-8, not JSON, has a key twice, holds NaN or Infinity, or is
            nested too deeply.
    """
    if not read.strip():
        raise ValueError("the file is empty")
    try:
        return json.loads(read.decode("utf-8"), parse_constant=_refuse, object_pairs_hook=_once)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not JSON; a value that is not finite must be null")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {twice[:60]!r} is listed twice")
    return found


def strict_yaml(path: Path, max_bytes: int = 2**20) -> Any:
    """The value in a YAML file; errors are those of `content` and `strict_json`.

    A ValueError are also aliases that repeat more than `MAX_NODES` values.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_document(self, node: Any) -> Any:
            if _size(node, {}) > MAX_NODES:
                raise ValueError("too large once its aliases are followed")
            return super().construct_document(node)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002  (PyYAML's signature)
            pairs = node.value if isinstance(node, yaml.MappingNode) else ()
            keys = [key for key, _ in pairs if key.tag != "tag:yaml.org,2002:merge"]
            names = [self.construct_object(key, deep=True) for key in keys]
            twice = [name for place, name in enumerate(names) if name in names[:place]]
            if twice:  # the last one would win unsaid
                raise ValueError(f"the key {twice[0]!r} is listed twice")
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(content(path, max_bytes)[0].decode("utf-8"), Loader)  # noqa: S506  (a SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {error}") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _size(node: Any, known: dict[int, float]) -> float:
    """The values in a YAML node, as often as aliases repeat them; infinite within itself."""
    if id(node) not in known:
        known[id(node)] = math.inf
        parts = [] if isinstance(node.value, str) else node.value
        inner = [one for part in parts for one in (part if isinstance(part, tuple) else (part,))]
        known[id(node)] = 1 + sum(_size(one, known) for one in inner)
    return known[id(node)]


def refuse_newer(values: Mapping[str, Any], newest: int) -> None:
    """Raise a ValueError for a file of a later version: its `schema_version` is above `newest`."""
    version = values.get("schema_version")
    if isinstance(version, int) and version > newest:
        raise ValueError(
            f"schema_version {version} is newer than {newest}, the newest this version of "
            "mnist-sweep reads; update mnist-sweep"
        )


def validated(path: Path, model: type[Model], newest: int) -> Model:
    """A pydantic model of a strict JSON file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not strict JSON, was written by a later version, or does not fit.
    """
    read = content(path)[0]
    values = strict_json(read)  # pydantic's parser accepts NaN and takes the last of equal keys
    if isinstance(values, dict):
        refuse_newer(values, newest)  # first: what is newer may look different
    return model.model_validate_json(read)


def plain(value: Any) -> Any:  # noqa: PLR0911  (one return per kind of value)
    """`value` as strict JSON can hold it: without NaN, NumPy and text that UTF-8 cannot carry."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if hasattr(value, "tolist"):  # a NumPy scalar or array, without importing NumPy to ask
        return plain(value.tolist())
    return plain(str(value))


def json_text(value: Any, indent: int | None = 1) -> str:
    """`value`, without NaN, as JSON text that a terminal can show: what is not seen is escaped."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, indent=indent)
    text = text.replace("\x7f", "\\u007f")  # the one control character that `json` leaves
    if text.replace("\n", "").isprintable():  # to look at each character takes far longer
        return text
    return "".join(json.dumps(one)[1:-1] if one != "\n" and is_hidden(one) else one for one in text)


def npz_names(file: IO[bytes]) -> list[str]:
    """The names of the arrays in an open `.npz` file; errors are as of `npz_arrays`."""
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
    return [name.removesuffix(".npy") for name in names if name.endswith(".npy")]


def npz_arrays(
    file: IO[bytes], names: Sequence[str], max_bytes: int = MAX_BYTES
) -> dict[str, NDArray[Any]]:
    """Some arrays of an open `.npz` file, those of them that are there; nothing is unpickled.

    Raises:
        Exception: One of `ARRAY_FILE_ERRORS`, also where the arrays are larger than `max_bytes`.
    """
    import numpy as np

    with zipfile.ZipFile(file) as archive:
        sizes: dict[str, int] = {}
        for entry in archive.infolist():
            if entry.filename in sizes:
                raise ValueError(f"{entry.filename} is there twice")
            sizes[entry.filename] = entry.file_size
        chosen = {name: f"{name}.npy" for name in names if f"{name}.npy" in sizes}
        total = sum(sizes[member] for member in chosen.values())
        if total > max_bytes:
            raise ValueError(f"it would unpack to {total:,} bytes")
        headers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        found = {}
        for name, member in chosen.items():
            with archive.open(member) as start:
                version = np.lib.format.read_magic(start)
                if version not in headers:
                    raise ValueError(f"an array of the format {version}")
                shape, _, dtype = headers[version](start)
                # NumPy would allocate what the header claims, whatever the archive says.
                claimed = start.tell() + math.prod(shape) * dtype.itemsize
            if dtype.hasobject:
                raise ValueError("an array of Python objects")
            if claimed != sizes[member]:
                raise ValueError(f"{name} has {sizes[member]:,} bytes, not {claimed:,}")
            # Read whole, so that zipfile checks the member's checksum.
            whole = io.BytesIO(archive.read(member))
            found[name] = np.lib.format.read_array(whole, allow_pickle=False)
        return found
