"""The source of the user's own code behind a `_target_`, as part of a run's identity.

An edited network is another network: the hash of its module, and of those modules of the user's
that it imports, goes into the run id; so does that of a trainer that another package adds. Modules
are found and parsed, never executed. What counts is the code, not its text: comments, docstrings
and formatting do not change a hash.

Not covered: modules imported under computed names, and files that the code reads.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import itertools
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from mnist_sweep.errors import UsageError
from mnist_sweep.plugins import target_of
from mnist_sweep.settings.all_settings import SETTINGS, is_task
from mnist_sweep.settings.schema import Plain

_PACKAGE = __name__.partition(".")[0]
_INSTALLED = ("site-packages", "dist-packages")
_STDLIB = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))


def not_importable(target: str) -> str | None:
    """Why the processes of runs cannot import a target, with the way out; None if they may."""
    if not target.startswith("__main__.") and "<" not in target:
        return None
    name = target.rpartition(".")[2]
    return (
        "a function of a notebook, of a script or of another function cannot be imported by the "
        f"processes that run it; put it into a module, my_module.py (in a notebook: %%writefile "
        f"my_module.py), and name it my_module.{name}"
    )


def targets_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """What a run of these settings calls by name: a task; or a network and a plugin's trainer."""
    if is_task(settings):
        return nested_targets(settings["task"])
    trainer, rule = settings["trainer"]["name"], SETTINGS["trainer.name"]
    added = None if trainer in rule.choices else target_of("trainers", trainer)
    return (*nested_targets(settings["model"]), *filter(None, [added]))


def nested_targets(model: Mapping[str, Any]) -> tuple[str, ...]:
    """Every `_target_` in the settings of a network, nested ones included: Hydra calls them all."""
    found = {str(model["_target_"])} if "_target_" in model else set()
    inner = [one for v in model.values() for one in (v if isinstance(v, list) else [v])]
    return tuple(sorted(found.union(*(nested_targets(v) for v in inner if isinstance(v, Mapping)))))


def source_of(*targets: str) -> Plain | None:
    """The user's own code behind some targets; None where it is this package's or installed code.

    It has `files`, each as `my_package/net.py` with the SHA-256 of its code, and `sha256`, one hash
    over all of them: the same on every machine.

    Raises:
        UsageError: A file cannot be read.
    """
    files = {file: hashlib.sha256(form).hexdigest() for file, _, form in _own_code(*targets)}
    if not files:
        return None
    lines = "".join(f"{file} {files[file]}\n" for file in sorted(files))
    return {"sha256": hashlib.sha256(lines.encode()).hexdigest(), "files": files}


def files_of(*targets: str) -> dict[str, Path]:
    """The files that `source_of` hashes, by the names that it gives them."""
    return {file: path for file, path, _ in _own_code(*targets)}


def _own_code(*targets: str) -> Iterator[tuple[str, Path, bytes]]:
    importlib.invalidate_caches()  # a module may just have been written
    waiting = [one for target in targets for one in _prefixes(target)]
    seen = set(waiting)
    while waiting:
        name = waiting.pop()
        path, file = _own_file(name)
        if path is None:
            continue
        try:
            code = path.read_bytes()
        except OSError as error:
            raise UsageError(f"Cannot read {path}, which {targets[0]} needs: {error}.") from error
        tree, form = _parse(code) if path.suffix == ".py" else (None, code)
        yield file, path, form
        package = name if path.stem == "__init__" else name.rpartition(".")[0]
        found = {one for text in _imports(tree, package) for one in _prefixes(text)} - seen
        waiting += found
        seen |= found


def _prefixes(dotted: str) -> list[str]:
    # a, a.b and a.b.c of a.b.c: importing a module imports its packages too.
    return list(itertools.accumulate(dotted.split("."), "{}.{}".format))


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


def _own_file(name: str) -> tuple[Path | None, str]:
    top, spec = name.partition(".")[0], _find(name)
    known = top in (_PACKAGE, "hydra_plugins", "__main__") or top in sys.stdlib_module_names
    if known or spec is None or not spec.has_location or not spec.origin:
        return None, ""
    path = Path(spec.origin).absolute()
    root = path.parents[name.count(".") + (path.stem == "__init__")]
    return (None, "") if is_installed(root) else (path, path.relative_to(root).as_posix())


@cache
def is_installed(root: Path) -> bool:
    """Whether a directory of modules was filled by pip, or is the standard library's."""
    return (
        any(part in _INSTALLED for part in root.parts)
        or any(root == place or root.is_relative_to(place) for place in _STDLIB)
        or next(root.glob("*.dist-info"), None) is not None
    )


def _parse(code: bytes) -> tuple[ast.Module | None, bytes]:
    try:
        tree = ast.parse(code)
        return tree, _dump(tree).encode()
    except (SyntaxError, ValueError, RecursionError):  # the run will say so when it imports it
        return None, code


def _imports(tree: ast.Module | None, package: str) -> Iterator[str]:
    # A name imported from a module may be a module itself.
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")
            base = above[: len(above) - node.level + 1] if node.level else []
            start = ".".join([*base, *filter(None, [node.module])])
            yield from (f"{start}.{alias.name}" for alias in node.names)


def _dump(node: Any) -> str:
    # Not `ast.dump`, which gains fields from one version of Python to the next: here empty fields
    # are left out, and strings that stand alone, which are docstrings.
    if isinstance(node, list):
        return f"[{','.join(_dump(item) for item in node if not _is_text(item))}]"
    if not isinstance(node, ast.AST):
        return ascii(node)
    pairs = (
        f"{name}={_dump(value)}"
        for name, value in ast.iter_fields(node)
        if name != "ctx" and value is not None and value != []
    )
    return f"{type(node).__name__}({','.join(pairs)})"


def _is_text(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)
