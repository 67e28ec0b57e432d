"""Commands in messages start the program that printed them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mnist_sweep.command import command


def program(place: Path, name: str) -> Path:
    path = place / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("started", "on_path", "shown"),
    [
        ("mnist_sweep/__main__.py", ".venv/bin", "python -m mnist_sweep"),
        ("mnist_sweep/__main__.py", "other", ".venv/bin/python -m mnist_sweep"),
        (".venv/bin/mnist-sweep", ".venv/bin", "mnist-sweep"),
        (".venv/bin/mnist-sweep", "other", ".venv/bin/mnist-sweep"),
        ("a notebook", "other", ".venv/bin/mnist-sweep"),
    ],
)
def test_a_command_names_this_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: str, on_path: str, shown: str
):
    (tmp_path / ".venv").mkdir()
    for place in (".venv/bin", "other"):
        for name in ("python", "mnist-sweep"):
            program(tmp_path / place, name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / on_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    monkeypatch.setattr(sys, "argv", [str(tmp_path / started)])
    assert command("table", tmp_path / "a b") == f"{shown} table 'a b'"
    (tmp_path / ".venv" / "bin" / "mnist-sweep").unlink()
    assert command("table").endswith("table")
