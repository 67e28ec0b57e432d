"""The house's order: imports point one way, heavy ones stay in their room, answers come at once."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from support.factories import make_run, write_sweep

PACKAGE = Path(__file__).parents[1] / "mnist_sweep"
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = (
    "settings", "data", "training", "inference", "records", "analysis", "reporting", "sweeping",
    "ui", "cli",
)  # fmt: skip
GROUND = {
    "settings", "errors", "command", "metrics", "plugins", "atomic_files", "safe_files", "cores",
    "task",
}  # fmt: skip
# What each room may import of ours; every room may import GROUND too.
MAY_IMPORT: dict[str, set[str]] = {
    "settings": set(), "errors": set(), "metrics": set(), "plugins": set(), "task": set(),
    "atomic_files": set(), "safe_files": set(), "cores": set(), "data": set(),
    "command": set(), "training": {"data"},
    "inference": {"data", "training"}, "records": set(), "analysis": {"records"},
    "reporting": {"analysis", "records"}, "ui": {"reporting", "analysis", "records"},
    "sweeping": {"training", "data", "records", "analysis", ""},
    "_hydra": {"sweeping"}, "report_images": {"data", "records"}, "": {"api"}, "__main__": {"cli"},
}  # fmt: skip
TENSORFLOW, HYDRA = {"tensorflow", "keras"}, {"hydra", "omegaconf"}
LAZY_IN_RESULTS = {"pandas", "scipy", "matplotlib", "sklearn", "plotly", "jinja2"}


def room_of(path: Path) -> str:
    """results, sweeping, …, or the name of a module at the top (`` for the package itself)."""
    parts = path.relative_to(PACKAGE).parts
    name = parts[0].removesuffix(".py")
    return "" if name == "__init__" else name


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path, *, at_the_top: bool = False) -> Iterator[tuple[int, str]]:
    """Every imported module with its line, those of functions included unless `at_the_top`."""
    tree = tree_of(path)
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
    } | {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if at_the_top and id(node) in inside:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            yield node.lineno, str(node.module)
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def our_rooms(name: str) -> str | None:
    """The room of an imported module of ours, or None."""
    parts = name.split(".")
    if parts[0] != "mnist_sweep":
        return None
    if len(parts) == 1:
        return ""
    known = (PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").is_file()
    return parts[1] if known else ""


def test_the_rooms_are_there():
    assert {room_of(path) for path in MODULES} >= {*ROOMS, "errors", ""}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_point_one_way(room: str):
    allowed = MAY_IMPORT[room] | GROUND | {room}
    wrong = [
        f"{path}:{line}: {name}"
        for path in MODULES
        if room_of(path) == room
        for line, name in imports(path)
        if (found := our_rooms(name)) is not None
        and found not in allowed
        # `from mnist_sweep import settings` names the package on the way to a room.
        and not (found == "" and any(n == line and our_rooms(other) in allowed - {""}
                                     for n, other in imports(path)))
    ]  # fmt: skip
    assert wrong == []


def test_nothing_imports_the_command_line_but_the_command_line():
    wrong = [
        f"{path}:{line}: {name}"
        for path in MODULES
        if not room_of(path).startswith(("cli", "__main__"))
        for line, name in imports(path)
        if (our_rooms(name) or "").startswith("cli")
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("packages", "rooms"),
    [(TENSORFLOW, {"training", "inference"}), (HYDRA, {"sweeping", "cli", "_hydra"})],
    ids=["tensorflow", "hydra"],
)
def test_a_heavy_package_stays_in_its_room(packages: set[str], rooms: set[str]):
    wrong = [
        f"{path}:{line}: {name}"
        for path in MODULES
        if room_of(path) not in rooms
        for line, name in imports(path)
        if name.split(".")[0] in packages
    ]
    assert wrong == []


def test_records_and_tables_import_heavy_packages_only_when_they_need_them():
    wrong = [
        f"{path}:{line}: {name}"
        for path in MODULES
        if room_of(path) in ("", "cli", "settings", "errors", "records", "analysis", "reporting")
        for line, name in imports(path, at_the_top=True)
        if name.split(".")[0] in LAZY_IN_RESULTS
    ]
    assert wrong == []


def test_errors_are_raised_by_name_and_caught_by_name():
    wrong = []
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            bare = isinstance(node, ast.ExceptHandler) and node.type is None
            if isinstance(node, ast.Assert) or bare:
                wrong.append(f"{path}:{node.lineno}: {ast.unparse(node)[:60]}")
    assert wrong == []


def test_a_broad_except_gives_its_reason_in_the_line():
    wrong = []
    for path in MODULES:
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(tree_of(path)):
            if not (isinstance(node, ast.ExceptHandler) and node.type is not None):
                continue
            caught = {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)}
            reraised = any(isinstance(n, ast.Raise) for n in ast.walk(node))
            if caught & {"Exception", "BaseException"} and "#" not in lines[node.lineno - 1]:
                wrong += [] if reraised else [f"{path}:{node.lineno}"]
    assert wrong == []


def test_nothing_is_read_that_can_execute_code():
    wrong = []
    for path in MODULES:
        wrong += [
            f"{path}:{line}: {name}"
            for line, name in imports(path)
            if name.split(".")[0] in ("pickle", "dill", "cloudpickle", "shelve", "marshal")
        ]
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.load", "numpy.load"):
                safe = {k.arg: ast.unparse(k.value) for k in node.keywords}
                if safe.get("allow_pickle") != "False":
                    wrong.append(f"{path}:{node.lineno}: {ast.unparse(node)[:60]}")
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) in ("eval", "exec")
                and not all(isinstance(argument, ast.Constant) for argument in node.args)
            ):
                wrong.append(f"{path}:{node.lineno}: {ast.unparse(node)[:60]}")
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        (["--help"], TENSORFLOW | HYDRA | {"pandas", "sklearn", "pydantic"}),
        (["table", "--help"], TENSORFLOW | HYDRA | {"pandas", "sklearn", "scipy"}),
        (["ui", "--help"], TENSORFLOW | HYDRA | {"pandas", "numpy", "pydantic"}),
        (["predict", "--help"], TENSORFLOW | HYDRA | {"pandas", "numpy", "pydantic"}),
        (["data", "--help"], TENSORFLOW | HYDRA | {"pandas", "sklearn", "scipy", "pydantic"}),
        (["report", "--help"], TENSORFLOW | HYDRA | {"pandas", "numpy"}),
        (["export", "--help"], TENSORFLOW | HYDRA | {"pandas", "numpy"}),
        (["table", "SWEEP"], TENSORFLOW | HYDRA | {"sklearn", "matplotlib"}),
        (["worst", "SWEEP"], TENSORFLOW | HYDRA | {"matplotlib"}),
        (["data", "digits"], TENSORFLOW | HYDRA),
    ],
    ids=[
        "help",
        "table-help",
        "ui-help",
        "predict-help",
        "data-help",
        "report-help",
        "export-help",
        "table",
        "worst",
        "data",
    ],
)
def test_what_needs_no_training_imports_no_tensorflow(
    tmp_path: Path, words: list[str], unwanted: set[str]
):
    sweep = write_sweep(tmp_path / "grid", [make_run(layers=1), make_run(layers=2)])
    program = (
        "import sys\n"
        "from mnist_sweep.cli import main\n"
        "try:\n"
        f"    main({[str(sweep) if word == 'SWEEP' else word for word in words]!r})\n"
        "except SystemExit as end:\n"
        "    print('exit', end.code, 'imported', *sorted(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False,
        env={**os.environ, "MNIST_SWEEP_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    imported = set(done.stderr.split())
    assert "exit 0 imported" in done.stderr, done.stderr
    assert done.stdout
    assert imported & unwanted == set()


def test_load_is_imported_without_what_writes_reports_and_compares():
    code = "import sys, mnist_sweep; mnist_sweep.load; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    rooms = {".".join(name.split(".")[:2]) for name in done.stdout.split()}
    assert "mnist_sweep.api" in rooms
    assert rooms & {"mnist_sweep.reporting", "mnist_sweep.sweeping", "numpy", "scipy"} == set()
