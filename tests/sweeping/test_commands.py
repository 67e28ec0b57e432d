"""`resume` gives all of a directory's commands again, whole, and only those that may run."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mnist_sweep.errors import DirectoryError, MnistSweepError, UsageError
from mnist_sweep.records.plan_file import read_plan
from mnist_sweep.sweeping import app, sweep
from mnist_sweep.sweeping.launch import processes
from mnist_sweep.sweeping.plan import commands, directory
from mnist_sweep.sweeping.plan.commands import commands_of
from mnist_sweep.sweeping.plan.estimate import Preview
from support.sweep_parts import ENVIRONMENT, plan_of, point_of

PLAN = plan_of(point_of())


@pytest.fixture(autouse=True)
def _own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(processes, "start_fork_server", lambda *_: None)
    monkeypatch.chdir(tmp_path)


def give(place: Path, *words: str) -> None:
    invocation = commands.invocation_of(PLAN, words, list(words), [], {}, ENVIRONMENT)
    directory.note_invocation(place, invocation)


def edit(place: Path, change: Any) -> None:
    path = place / "sweep.json"
    content = json.loads(path.read_bytes())
    for one in content["invocations"]:
        change(one)
    path.write_text(json.dumps(content))


def words_of(place: Path, *changes: str, trust: bool = False) -> list[tuple[str, ...]]:
    return [one.words for one in commands_of(place, changes, trust=trust)]


def test_every_command_is_given_again_whole_and_once(tmp_path: Path):
    place = tmp_path / "it's a place"
    here = "hydra.sweep.dir='" + str(place).replace("'", "\\'") + "'"
    give(place, "-m", "--config-name=mine", "--config-dir=/mine", "layers=1,2", "name=grid")
    give(place, "-m", "layers=3", "hydra/launcher=basic", "hydra.sweep.dir=elsewhere")
    give(place, "nodes=8", "hydra.run.dir=x")
    # Given again with other words that steer the runs and choose none: still the same command.
    give(place, "-m", "layers=3", "hydra/launcher=basic", "n_jobs=1", "rerun_failed=false")
    assert words_of(place) == [
        ("-m", "--config-name=mine", "--config-dir=/mine", "layers=1,2", "name=grid", here),
        ("-m", "layers=3", "hydra/launcher=basic", "n_jobs=1", "rerun_failed=false", here),
        ("-m", "nodes=8", here),
    ]


def test_further_settings_replace_those_of_each_command(tmp_path: Path):
    give(tmp_path, "-m", "layers=1,2", "seed=0")
    give(tmp_path, "-m", "layers=3")
    (first, second) = words_of(tmp_path, "seed=0,1,2", "n_jobs=1")
    assert first[:-1] == ("-m", "layers=1,2", "seed=0,1,2", "n_jobs=1")
    assert second[:-1] == ("-m", "layers=3", "seed=0,1,2", "n_jobs=1")


def test_a_file_of_the_first_edition_holds_its_words_in_two_parts(tmp_path: Path):
    give(tmp_path, "x")
    hydra = ["hydra.sweeper.single=true", "hydra/launcher=basic", "hydra.mode=MULTIRUN"]
    edit(
        tmp_path,
        lambda one: one.update(words=[], overrides=["layers=1,2"], hydra_overrides=hydra),
    )
    assert words_of(tmp_path)[0][:-1] == ("-m", "layers=1,2", "hydra/launcher=basic")


@pytest.mark.parametrize("content", [None, '{"schema_version": 1, "invocations": [{}]}', "{"])
def test_without_a_command_nothing_is_resumed_and_nothing_changed(tmp_path: Path, content: Any):
    if content is not None:
        (tmp_path / "sweep.json").write_text(content)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DirectoryError, match=r"holds no sweep to resume|cannot be used"):
        commands_of(tmp_path, (), trust=True)
    assert sorted(tmp_path.rglob("*")) == before


CODE = [
    ("model=own", "model._target_=my_nets.build"),
    ("+model.x._target_=setuptools._distutils.spawn.spawn",),
    ("model={_target_: os.system}",),
    ("data=own", "data._target_=pandas.read_pickle"),
    ("+hydra.callbacks.x._target_=a.b",),
    ("hydra.searchpath=[pkg://a]",),
    ("--config-dir=/elsewhere",),
    ("--config-name=other",),
    ("hydra.launcher.setup=[touch x]",),
    ("hydra.launcher._target_=a.B",),
    ("hydra.job.env_set={LD_PRELOAD: x}",),
    ("model=../../../tmp/evil",),
    ("points=[[model=../../evil]]",),
    ("hydra.sweeper.params={model: ../evil}",),
    ("activation=${oc.env:X}",),
]


@pytest.mark.parametrize("words", CODE)
def test_code_runs_only_from_this_users_own_commands(tmp_path: Path, words: tuple[str, ...]):
    give(tmp_path, "-m", *words)
    assert words_of(tmp_path)[0][1:-1] == words
    edit(tmp_path, lambda one: one.update(words=[*one["words"], "nodes=8"]))
    with pytest.raises(UsageError, match=r"may run code: .*Nothing was run.*--trust"):
        words_of(tmp_path)
    assert words_of(tmp_path, trust=True)
    edit(tmp_path, lambda one: one.update(words=[], overrides=list(words)))
    with pytest.raises(UsageError, match="may run code"):
        words_of(tmp_path)


def test_the_signature_of_a_command_without_words_covers_no_others(tmp_path: Path):
    give(tmp_path)
    edit(tmp_path, lambda one: one.update(overrides=list(CODE[0])))
    with pytest.raises(UsageError, match="may run code"):
        words_of(tmp_path)


def test_settings_and_networks_of_this_package_need_no_trust(tmp_path: Path):
    words = (
        "-m", "layers=1,2", "model=mlp,cnn", "data=csv", "data.path=/data/a b.csv", "seed=0,1",
        "hydra/launcher=ray", "hydra.launcher.num_gpus=0.5", "+experiment=smoke", "name=x",
        "hydra/sweeper=search", "model._target_=mnist_sweep.training.model.cnn",
    )  # fmt: skip
    give(tmp_path, *words)
    edit(tmp_path, lambda one: one.update(signature=""))
    assert words_of(tmp_path)[0][:-1] == words


def test_a_key_that_cannot_be_kept_signs_nothing(tmp_path: Path):
    (tmp_path / "state").write_text("in the way")
    assert commands.signature(("a",)) == ""
    assert not commands.is_signed(("a",), "")


def test_first_sweeps_at_the_same_time_sign_with_one_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    create, ready = commands._create_key, threading.Barrier(2)

    def together(path: Path) -> None:
        ready.wait(10)  # both have seen that there is no key
        create(path)

    monkeypatch.setattr(commands, "_create_key", together)
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(commands.signature, [("a",), ("a",)]))
    assert made[0] == made[1] == commands.signature(("a",))
    assert [path.name for path in (tmp_path / "state" / "mnist-sweep").iterdir()] == ["key"]


def test_a_damaged_key_is_made_again(tmp_path: Path):
    key = tmp_path / "state" / "mnist-sweep" / "key"
    key.parent.mkdir(parents=True)
    key.write_bytes(b"short")
    signed = commands.signature(("a",))
    assert commands.is_signed(("a",), signed)
    assert len(key.read_bytes()) == commands.KEY_BYTES


def test_another_users_key_signs_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    signed = commands.signature(("a", "b"))
    assert commands.is_signed(("a", "b"), signed)
    assert not commands.is_signed(("a b",), signed)
    assert (tmp_path / "state" / "mnist-sweep" / "key").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    assert not commands.is_signed(("a", "b"), signed)


@pytest.fixture
def runs_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sweep, "launch", lambda *_: None)


@pytest.mark.usefixtures("runs_nothing")
def test_a_command_with_a_config_of_its_own_is_kept_whole_and_asks_for_the_same(tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "narrow.yaml").write_text(
        "defaults: [config, _self_]\nnodes: 8\nhydra: {sweeper: {params: {layers: '1,2'}}}\n"
    )
    app.run(["data=digits", "-m", "--config-dir", "mine", "--config-name", "narrow", "name=a"])
    place = tmp_path / "outputs" / "a"
    last = read_plan(place).last
    assert last is not None
    assert last.words == (
        "-m", "--config-name=narrow", f"--config-dir={tmp_path}/mine", "data=digits", "name=a",
    )  # fmt: skip
    assert commands.is_signed(last.words, last.signature)
    (again,) = commands_of(place, ["plan=true"], trust=False)
    found = app.run(again.words, repeats=again.repeats)
    assert isinstance(found, Preview)
    assert [point.run_id for point in found.plan.points] == [one.run_id for one in last.points]
    assert len(last.points) == 2
    assert found.directory == place


def test_a_refused_command_changes_nothing_on_disk(tmp_path: Path):
    place = tmp_path / "outputs" / "a"
    give(place, "-m", "layers=1,2", "data=digits")
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    for words in (["layers=99"], []):  # a wrong setting; other data than the command had
        (again,) = commands_of(place, words, trust=False)
        with pytest.raises(MnistSweepError):
            app.run(again.words, repeats=again.repeats)
    (place / "sweep.json").write_text("{")
    with pytest.raises(DirectoryError, match="cannot be used"):
        app.run(again.words)
    assert set(before) == set(place.rglob("*"))
