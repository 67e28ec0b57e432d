"""Networks of the user's own: found by name, built, and checked before any run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mnist_sweep.errors import ModelError
from mnist_sweep.sweeping.launch import processes
from mnist_sweep.sweeping.launch.user_code.checks import Network, builder, check_networks

SHAPE = (28, 28)


@pytest.fixture(autouse=True)
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "own_networks.py").write_text(
        "def build(input_shape, classes, width=1):\n"
        "    return (type(input_shape), input_shape, classes, width)\n"
        "def broken(input_shape, classes):\n"
        "    raise ValueError('no such\\nlayer')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


def test_a_builder_is_called_with_the_data_and_its_settings():
    build = builder({"_target_": "own_networks.build", "width": 3})
    assert build(SHAPE, 10) == (list, [28, 28], 10, 3)


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        ({"_target_": "no_module.build"}, ["no_module.build", "cannot build a network"]),
        ({"_target_": "own_networks.nothing"}, ["own_networks.nothing"]),
        ({"_target_": "own_networks.broken"}, ["ValueError: no such layer"]),
        (
            {"_target_": "own_networks.build", "depth": 2, "width": 1},
            ["TypeError", "depth", "(depth, width; leave one out with ~model.depth)"],
        ),
    ],
)
def test_what_cannot_be_built_says_what_and_what_was_expected(model: Any, parts: list[str]):
    with pytest.raises(
        ModelError, match=r"Expected a function build\(input_shape, classes"
    ) as error:
        builder(model)(SHAPE, 10)
    for part in parts:
        assert part in str(error.value)


def network(name: str) -> Network:
    return Network({"_target_": name}, SHAPE, 10)


class Called:
    """Stands for `processes.call`: what it is asked, and a death for networks of this name."""

    def __init__(self, problems: dict[str, str], kills: str = "") -> None:
        self.problems, self.kills = problems, kills
        self.asked: list[list[str]] = []

    def __call__(self, _function: Any, asked: Sequence[Network]) -> tuple[list[str], list[str]]:
        targets = [one.model["_target_"] for one in asked]
        self.asked.append(targets)
        if self.kills in targets:
            raise processes.WorkerDiedError("A worker was ended by SIGKILL.")
        return [self.problems[target] for target in targets if target in self.problems], []


def checked(monkeypatch: pytest.MonkeyPatch, called: Called, *names: str) -> None:
    monkeypatch.setattr(processes, "call", called)
    check_networks([network(name) for name in names])


def test_no_networks_need_no_process(monkeypatch: pytest.MonkeyPatch):
    called = Called({})
    checked(monkeypatch, called)
    assert called.asked == []


def test_all_networks_are_checked_in_one_process_and_all_problems_are_listed(
    monkeypatch: pytest.MonkeyPatch,
):
    called = Called({"a.build": "a is wrong", "c.build": "c is wrong"})
    with pytest.raises(ModelError, match=r"^a is wrong\nc is wrong$"):
        checked(monkeypatch, called, "a.build", "b.build", "c.build")
    assert called.asked == [["a.build", "b.build", "c.build"]]


def test_of_networks_one_of_which_ends_its_process_that_one_is_named(
    monkeypatch: pytest.MonkeyPatch,
):
    called = Called({"a.build": "a is wrong"}, kills="b.build")
    with pytest.raises(ModelError) as error:
        checked(monkeypatch, called, "a.build", "b.build")
    assert str(error.value) == (
        "a is wrong\nmodel._target_=b.build cannot build a network. A worker was ended by SIGKILL."
    )
    assert called.asked == [["a.build", "b.build"], ["a.build"], ["b.build"]]
