"""Subcommands, settings and directories are completed, in the form that each shell wants."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from mnist_sweep.cli import SUBCOMMANDS
from mnist_sweep.cli.help import SCRIPTS, complete, script
from mnist_sweep.errors import UsageError


def after(*words, shell="zsh"):
    return complete(shell, len(words), ["mnist-sweep", *words], SUBCOMMANDS)


def test_the_first_word_is_a_subcommand_or_a_setting():
    assert after("ta") == ["table ", "task="]
    assert "layers=" in after("la")
    assert {f"{name} " for name in SUBCOMMANDS} <= set(after(""))
    assert "table " not in after("-m", "")
    assert after("--vers") == ["--version "]


def test_values_that_are_few_are_completed():
    assert after("-m", "optimizer=adam") == [
        "optimizer=adam ", "optimizer=adamax ", "optimizer=adamw ",
    ]  # fmt: skip
    assert after("-m", "data=d") == ["data=digits "]
    assert after("-m", "+experiment=s") == [
        f"+experiment={n} " for n in ("search", "smoke", "study")
    ]
    assert after("-m", "save_model=") == ["save_model=true ", "save_model=false "]


def test_bash_takes_the_equals_sign_for_a_word():
    assert after("-m", "optimizer", "=", "adamw", shell="bash") == ["adamw "]
    assert after("-m", "save_model", "=", shell="bash") == ["true ", "false "]


def test_a_subcommand_has_its_options_their_choices_and_directories(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs" / "grid").mkdir(parents=True)
    assert after("table", "out") == ["outputs/"]
    assert after("table", "outputs/") == ["outputs/grid/"]
    assert after("table", "outputs/grid", "--for") == ["--format "]
    assert after("table", "outputs/grid", "--format", "m") == ["md "]
    assert after("resume", "outputs/grid", "n_j") == ["n_jobs="]


def test_an_unknown_shell_is_refused_with_a_line_that_works():
    with pytest.raises(UsageError, match=r"bash\|zsh\|fish"):
        script("tcsh")


ASK = {
    "bash": "COMP_WORDS=(mnist-sweep {words}); COMP_CWORD={place}; _mnist_sweep mnist-sweep; "
    "printf '%s\\n' \"${{COMPREPLY[@]}}\"",
    "zsh": "compadd() {{ shift 4; printf '%s\\n' \"$@\" }}; words=(mnist-sweep {words}); "
    "CURRENT=$(({place} + 1)); _mnist_sweep",
    "fish": "complete -C 'mnist-sweep {words}'",
}


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_works_in_the_shell(tmp_path, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    program = tmp_path / "mnist-sweep"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m mnist_sweep "$@"\n')
    program.chmod(0o755)
    define = "compdef() {{ :; }}; " if shell == "zsh" else ""
    text = f"{define}{script(shell)}\n{ASK[shell].format(words='ta', place=1)}"
    done = subprocess.run(
        [shell, "-c", text], capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout.split() == ["table", "task="], done.stderr
