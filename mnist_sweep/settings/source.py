"""The source of the user's own code behind a `_target_`, as part of a run's identity.

An edited network is another network: the hash of its module, and of those modules of the user's
that it imports, goes into the run id. Modules are found and parsed, never executed. What counts is
the code, not its text: comments, docstrings and formatting do not change a hash.

Not covered: modules imported under computed names, and files that the code reads.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from pathlib import Path
from typing import Any

from mnist_sweep.errors import UsageError

_PACKAGE = __name__.partition(".")[0]
_INSTALLED = ("site-packages", "dist-packages")
_STDLIB = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))


@dataclass(frozen=True)
class Source:
    """The user's own code behind one target.

    Attributes:
        files: Module file, as `my_package/net.py`, to the SHA-256 of its code.
    """

    files: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """One hash over all files and their names."""
        lines = "".join(f"{name} {sha256}\n" for name, sha256 in sorted(self.files.items()))
        return hashlib.sha256(lines.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """As a record holds it."""
        return {"sha256": self.sha256, "files": dict(sorted(self.files.items()))}


def target_of(function: Any) -> str:
    """The `_target_` that names a function or class of a module.

    Raises:
        UsageError: No other process can import it by a name.
    """
    name = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"
    reason = _NOT_IMPORTABLE if name.endswith(".") else not_importable(name)
    if reason:
        raise UsageError(f"{function!r} {reason}.")
    return name


_NOT_IMPORTABLE = (
    "cannot be imported by the processes that run it, as a function of a notebook, of a script or "
    "of another function cannot; put it into a module, my_module.py, and name it my_module.build"
)


def not_importable(target: str) -> str | None:
    """Why another process cannot import a target, with the way out; None if it may.

    Each run is a process of its own, which imports the function by its name.
    """
    return _NOT_IMPORTABLE if target.startswith("__main__.") or "<" in target else None


def source_of(target: str) -> Source | None:
    """The user's own code behind a target; None where it is this package's or installed code.

    Args:
        target: As in `_target_`: package.module.function.

    Raises:
        UsageError: A file cannot be read.
    """
    importlib.invalidate_caches()  # a module may just have been written
    files: dict[str, str] = {}
    waiting = [name for name in _prefixes(target) if _find(name)]
    seen = set(waiting)
    while waiting:
        name = waiting.pop()
        spec = _find(name)
        if spec is None or spec.origin is None or not _is_users_own(name, spec):
            continue
        path = Path(spec.origin).absolute()
        try:
            code = path.read_bytes()
        except OSError as error:
            raise UsageError(f"Cannot read {path}, which {target} needs: {error}.") from error
        tree = _parse(code) if path.suffix == ".py" else None
        files[_file_name(name, path)] = _hash(code, tree)
        package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
        found = {one for text in _imports(tree, package) for one in _prefixes(text)}
        waiting += found - seen
        seen |= found
    return Source(files) if files else None


def _prefixes(dotted: str) -> list[str]:
    """a, a.b and a.b.c of a.b.c: importing a module imports its packages too."""
    parts = dotted.split(".")
    return [".".join(parts[: n + 1]) for n in range(len(parts))]


def _find(name: str) -> ModuleSpec | None:
    """A module's spec, found without importing anything, its packages included."""
    parent, dot, last = name.rpartition(".")
    places: list[str] = []
    try:
        if not dot:
            return importlib.util.find_spec(name)
        package = _find(parent)
        places = list((package and package.submodule_search_locations) or ())
        found = (finder.find_spec(name, places) for finder in sys.meta_path if places)
        return next((spec for spec in found if spec), None)
    except KeyError:  # a namespace package within another: Python looks for the imported parent
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(Path(place, last)) for place in places]
        return spec
    except (ImportError, ValueError, AttributeError):  # __main__ has no spec; a finder is too old
        return None


def _is_users_own(name: str, spec: ModuleSpec) -> bool:
    top = name.partition(".")[0]
    known = top in (_PACKAGE, "hydra_plugins", "__main__") or top in sys.stdlib_module_names
    if known or not spec.has_location or not spec.origin:
        return False
    path = Path(spec.origin).absolute()
    return not _is_installed(path.parents[name.count(".") + (path.stem == "__init__")])


@cache
def _is_installed(root: Path) -> bool:
    """Whether a directory of modules was filled by pip, or is the standard library's."""
    return (
        any(part in _INSTALLED for part in root.parts)
        or any(root == place or root.is_relative_to(place) for place in _STDLIB)
        or next(root.glob("*.dist-info"), None) is not None
    )


def _file_name(name: str, path: Path) -> str:
    """A module's file as `package/module.py`, the same on every machine."""
    package = "/__init__" if path.stem == "__init__" else ""
    suffix = next((end for end in EXTENSION_SUFFIXES if path.name.endswith(end)), path.suffix)
    return f"{name.replace('.', '/')}{package}{suffix}"


def _parse(code: bytes) -> ast.Module | None:
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):  # the run will say so when it imports it
        return None


def _imports(tree: ast.Module | None, package: str) -> Iterator[str]:
    """The dotted names that a module's import statements may import as modules."""
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".") if node.level else []
            base = base[: len(base) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names if start)


def _hash(code: bytes, tree: ast.Module | None) -> str:
    try:
        text = _dump(tree).encode("utf-8", "surrogatepass") if tree else code
    except RecursionError:
        text = code
    return hashlib.sha256(text).hexdigest()


def _dump(node: Any) -> str:
    """The syntax tree as text that is the same in every version of Python.

    `ast.dump` is not: it gains fields from version to version. Empty fields are left out here, and
    strings that stand alone, which are docstrings.
    """
    if isinstance(node, list):
        return f"[{','.join(_dump(item) for item in node if not _is_docstring(item))}]"
    if not isinstance(node, ast.AST):
        return ascii(node)
    pairs = (
        f"{name}={_dump(value)}"
        for name, value in ast.iter_fields(node)
        if name != "ctx" and value is not None and value != []
    )
    return f"{type(node).__name__}({','.join(pairs)})"


def _is_docstring(node: Any) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
