"""The source of the user's own code: what is found, what is hashed, what changes the hash."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from mnist_sweep.plugins import target_of
from mnist_sweep.settings.source import (
    nested_targets,
    not_importable,
    source_of,
    targets_of,
)

NET = '''
"""A network."""
import json
import numpy as np
from keras import layers
from own_helpers import width
from . import parts
from .deep.cells import cell as make_cell

def build(depth, *, shape):
    """Build it."""
    import own_lazy
    return [width(depth), make_cell(shape), parts.x]  # parts
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of the user's, importable; no module of it is ever imported."""
    files = {
        "own_net/__init__.py": "raise RuntimeError('executed')",
        "own_net/net.py": NET,
        "own_net/parts.py": "import own_net.net\nx = 1\n",
        "own_net/unused.py": "y = 1\n",
        "own_net/deep/__init__.py": "",
        "own_net/deep/cells.py": "from ..parts import x\nfrom ..shared import *\ncell = list\n",
        "own_net/shared.py": "z = 1\n",
        "own_helpers.py": "def width(depth):\n    return 2 * depth\n",
        "own_lazy.py": "lazy = True\n",
        "own_unused.py": "x = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    return tmp_path


def source(target: str = "own_net.net.build") -> dict[str, Any]:
    found = source_of(target)
    assert found is not None
    return found


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_all_modules_of_the_project_that_are_imported_are_found_and_none_executed(project: Path):
    before = set(sys.modules)  # other tests may leave modules of their own
    assert set(source()["files"]) == {
        "own_net/__init__.py", "own_net/net.py", "own_net/parts.py", "own_net/deep/__init__.py",
        "own_net/deep/cells.py", "own_net/shared.py", "own_helpers.py", "own_lazy.py",
    }  # fmt: skip
    assert not {name for name in set(sys.modules) - before if name.startswith("own_")}
    assert set(source("own_helpers.width")["files"]) == {"own_helpers.py"}
    assert "own_net/net.py" in source("own_net.net.Network.build")["files"]


def test_nested_targets_count_too(project: Path):
    inner = [{"_target_": "own_net.parts.x"}, 3, {"deep": {"_target_": "keras.layers.Dense"}}]
    model = {"_target_": "own_helpers.width", "heads": inner, "tail": {"_target_": "own_lazy.f"}}
    targets = nested_targets(model)
    assert targets == ("keras.layers.Dense", "own_helpers.width", "own_lazy.f", "own_net.parts.x")
    found = source_of(*targets)
    assert found is not None
    assert {"own_helpers.py", "own_lazy.py", "own_net/parts.py"} <= set(found["files"])
    assert nested_targets({}) == ()
    assert source_of() is None


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("own_net/net.py", "width(depth)", "width(depth + 1)"),
        ("own_net/net.py", "make_cell(shape)", "make_cell(None)"),
        ("own_helpers.py", "2 * depth", "3 * depth"),
        ("own_net/deep/__init__.py", "", "import own_unused\n"),
        ("own_lazy.py", "True", "1"),
        ("own_net/parts.py", "1", "1.0"),
    ],
)
def test_an_edit_of_any_of_them_changes_the_hash(project: Path, file: str, old: str, new: str):
    before = source()
    edit(project / file, old, new) if old else (project / file).write_text(new)
    after = source()
    assert after["sha256"] != before["sha256"]
    assert {name for name in before["files"] if before["files"][name] != after["files"][name]} == {
        file
    }


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("own_net/net.py", "  # parts", "  # other parts"),
        ("own_net/net.py", "Build it.", "Build the network."),
        ("own_net/net.py", "return [width(depth), ", "return [\n        width(depth),\n        "),
        ("own_net/net.py", "(depth, *, shape)", "(depth,*,shape)"),
        ("own_helpers.py", "2 * depth", "(2*depth)"),
        ("own_net/unused.py", "y = 1", "y = 2"),
        ("own_unused.py", "x = 1", "x = 2"),
    ],
)
def test_comments_formatting_and_modules_that_are_not_imported_do_not(
    project: Path, file: str, old: str, new: str
):
    before = source()
    edit(project / file, old, new)
    assert source() == before


def test_the_hash_is_the_same_on_every_machine_and_in_every_version_of_python(project: Path):
    assert source("own_helpers.width") == {
        "sha256": "3850b3227c44240d4a2bc7585503b3ee17b0a830ed96916f3af6246e3166811c",
        "files": {
            "own_helpers.py": "e10c184805cfb830161c69f08710f36d9441a8e18aa9fa7e4c09998f191e1ad1"
        },
    }


@pytest.mark.parametrize(
    "target",
    [
        "mnist_sweep.training.model.cnn", "keras.layers.Dense", "numpy.zeros", "json.loads",
        "math.sqrt", "xml.dom.minidom.parse", "no_such_module_at_all.build", "__main__.build",
    ],
)  # fmt: skip
def test_code_of_this_package_and_installed_code_have_no_source(target: str):
    assert source_of(target) is None


@pytest.mark.parametrize(
    "place", ["venv/lib/python3.11/site-packages", "usr/lib/python3/dist-packages", "target"]
)
def test_installed_modules_are_left_out_wherever_they_were_installed(
    project: Path, place: str, monkeypatch: pytest.MonkeyPatch
):
    folder = project / place
    folder.mkdir(parents=True)
    (folder / "own_installed.py").write_text("x = 1\n")
    if place == "target":  # as pip install --target makes it
        (folder / "own_installed-1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    edit(project / "own_helpers.py", "def", "import own_installed\ndef")
    assert set(source("own_helpers.width")["files"]) == {"own_helpers.py"}


def test_code_that_is_no_python_is_hashed_as_it_is(project: Path):
    (project / "own_helpers.py").write_text("def width(depth: return\n")
    before = source("own_helpers.width")
    (project / "own_helpers.py").write_text("def width(depth: return  # edited\n")
    assert source("own_helpers.width") != before


def test_a_namespace_package_is_followed(project: Path):
    (project / "own_space" / "inner").mkdir(parents=True)
    (project / "own_space" / "inner" / "net.py").write_text("from own_space.inner import other\n")
    (project / "own_space" / "inner" / "other.py").write_text("x = 1\n")
    importlib.invalidate_caches()
    found = source("own_space.inner.net.build")
    assert set(found["files"]) == {"own_space/inner/net.py", "own_space/inner/other.py"}


def test_a_target_that_no_other_process_can_import_is_told_with_the_way_out():
    assert not_importable("mine.build") is None
    for target in ("__main__.build", "mine.make.<locals>.build", "mine.<lambda>"):
        assert "put it into a module" in (not_importable(target) or "")


def test_the_code_of_another_packages_trainer_counts_and_is_not_imported(
    project: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = project / "installed" / "own_trainers-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: own_trainers\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        "[mnist_sweep.trainers]\nmine = own_helpers:width [extra]\n"
    )
    monkeypatch.syspath_prepend(str(folder.parent))
    target_of.cache_clear()
    settings = {"model": {"_target_": "own_lazy.f"}, "trainer": {"name": "mine"}}
    assert targets_of(settings) == ("own_lazy.f", "own_helpers.width")
    assert targets_of({**settings, "trainer": {"name": "fit"}}) == ("own_lazy.f",)
    assert targets_of({**settings, "trainer": {"name": "unknown"}}) == ("own_lazy.f",)
    assert "own_helpers" not in sys.modules
    target_of.cache_clear()
