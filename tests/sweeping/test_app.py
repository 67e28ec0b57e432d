"""Into Hydra and out again: words in, a result out, and nothing of the process is changed."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import pytest
import yaml
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra

from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.sweeping import app
from mnist_sweep.sweeping.launch import processes
from mnist_sweep.sweeping.plan.estimate import Preview
from support import commands

NEXT_HYDRA = os.environ.get("MNIST_SWEEP_NEXT_HYDRA")


@pytest.fixture(autouse=True)
def _without_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(processes, "start_fork_server", lambda *_: None)
    monkeypatch.setattr(processes, "call", lambda *_: ([], []))  # of checked networks


def planned(*words: str) -> Preview:
    result = app.run([*words, "plan=true", "data=digits"])
    assert isinstance(result, Preview)
    return result


def labels(result: Preview) -> list[str]:
    return [point.label for point in result.plan.points]


def test_the_result_is_what_the_sweeper_returns():
    result = planned("-m", "layers=1,2", "nodes=8")
    assert labels(result) == ["layers=1,nodes=8,seed=0", "layers=2,nodes=8,seed=0"]


def test_options_and_overrides_stand_in_any_order():
    assert labels(planned("layers=1,2", "-m", "nodes=8")) == [
        "layers=1,nodes=8,seed=0", "layers=2,nodes=8,seed=0",
    ]  # fmt: skip


def test_a_glob_stands_for_the_choices_of_its_group():
    assert labels(planned("-m", "model=glob([c*,mlp])", "nodes=8")) == [
        "model=cnn,filters=16,kernel_size=3,nodes=8,seed=0", "layers=1,nodes=8,seed=0",
    ]  # fmt: skip


def test_without_m_it_is_one_run():
    assert labels(planned("layers=2")) == ["layers=2,nodes=100,seed=0"]
    with pytest.raises(UsageError, match="add -m"):
        planned("layers=1,2")


def test_the_process_is_left_as_it_was():
    before = (list(sys.argv), list(sys.path), dict(os.environ), GlobalHydra.instance().hydra)
    planned("layers=2")
    with pytest.raises(SettingsError):
        planned("layers=99")
    assert before == (sys.argv, sys.path, os.environ, GlobalHydra.instance().hydra)


def test_a_hydra_that_the_caller_has_open_stays_open(hydra_master):
    hydra_master()
    before = GlobalHydra.instance().hydra
    planned("layers=2")
    assert GlobalHydra.instance().hydra is before


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--help"], "Subcommands:"),
        (["--hydra-help"], "--multirun"),
        (["--info", "searchpath"], "pkg://hydra.conf"),
        (["-sc", "install=bash"], "complete"),
    ],
)
def test_what_is_only_printed_returns_nothing(words, shown, capsys, monkeypatch):
    monkeypatch.setattr(logging.root, "handlers", [])  # --info logs to standard output
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    assert app.run(words) is None
    assert shown in capsys.readouterr().out


def test_the_config_is_printed_with_its_overrides(capsys):
    assert app.run(["layers=3", "--cfg", "job"]) is None
    assert yaml.safe_load(capsys.readouterr().out)["layers"] == 3


def test_config_files_are_found_where_the_options_say(tmp_path, capsys):
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "wide.yaml").write_text("_target_: a.b\nwidth: 7\n")
    app.run(["--config-dir", "mine", "model=wide", "--cfg", "job", "--package", "model"])
    assert "width: 7" in capsys.readouterr().out
    (tmp_path / "mine" / "other.yaml").write_text("key: 5\n")
    app.run(["--config-path", "mine", "--config-name", "other", "--cfg", "job"])
    assert capsys.readouterr().out.strip() == "key: 5"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nosuch"], "Unrecognized arguments: --nosuch"),
        (["--config-name"], "expected one argument"),
        (["--conf", "x"], "could match --config-path"),
        (["--experimental-rerun", "x"], "may execute anything"),
        (["-m", "--cfg", "job"], "Choose one of"),
        (["--resolve"], "goes with --cfg"),
        (["-sc"], "Expecting one subcommand"),
        (["--config-dir", "nosuch"], "nosuch: not found"),
    ],
)
def test_wrong_options_are_refused_without_a_page_of_usage(words, message, capsys):
    with pytest.raises(UsageError) as refused:
        app.run(words)
    assert message in str(refused.value)
    assert capsys.readouterr() == ("", "")


def test_another_program_finds_hydras_own_defaults_afterwards(capsys):
    app.run(["--info", "defaults-tree"])
    assert "hydra/launcher: pool" in capsys.readouterr().out
    defaults = ConfigStore.instance().repo["hydra"]["config.yaml"].node.defaults
    assert {"launcher": "basic"} in defaults
    assert {"sweeper": "basic"} in defaults


def test_every_wrong_override_is_listed_before_hydra_composes_anything():
    with pytest.raises(SettingsError) as refused:
        app.run(["-m", "lyers=1", "nodes=0,5"])
    assert "did you mean layers?" in str(refused.value)
    assert "nodes=0" in str(refused.value)


@pytest.mark.skipif(
    NEXT_HYDRA is None,
    reason="MNIST_SWEEP_NEXT_HYDRA names no directory with a newer Hydra: "
    "pip install --pre --target DIR hydra-core==1.4.0rc3",
)
def test_a_sweep_runs_on_the_next_version_of_hydra(tmp_path):
    environ = commands.environment(tmp_path)
    path = os.pathsep.join(filter(None, [NEXT_HYDRA, environ.get("PYTHONPATH")]))
    words = ["-m", "layers=1,2", "nodes=4", "epochs=1", "data=digits", "name=next"]
    found = commands.run(
        ["-c", "import hydra; print(hydra.__version__)"], tmp_path, environ | {"PYTHONPATH": path},
        [sys.executable],
    )  # fmt: skip
    assert found.out.startswith("1.4.")
    ended = commands.run(words, tmp_path, environ | {"PYTHONPATH": path})
    assert ended.code == 0, ended.err
    assert "version_base" not in ended.err
    assert len(list(tmp_path.glob("outputs/next/runs/*/record.json"))) == 2
