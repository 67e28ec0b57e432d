"""What JSON files of ours have in common: plain values, and a version that may be too new."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:  # noqa: PLR0911  (one return per kind of value)
    """`value` as strict JSON can hold it.

    Non-finite floats become None, NumPy scalars and arrays Python numbers and lists, tuples lists,
    keys strings, and text that UTF-8 cannot carry is written with backslash escapes.
    """
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


def refuse_newer(values: Mapping[str, Any], newest: int) -> None:
    """Refuse a file that a later version of the program wrote.

    Raises:
        ValueError: Its `schema_version` is above `newest`.
    """
    version = values.get("schema_version")
    if isinstance(version, int) and version > newest:
        raise ValueError(
            f"schema_version {version} is newer than {newest}, the newest this version of "
            "mnist-sweep reads; update mnist-sweep"
        )
