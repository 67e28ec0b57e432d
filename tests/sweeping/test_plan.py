"""The plan: points checked all at once, identified by what decides them, each only once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import DataError, SettingsError
from mnist_sweep.settings import canonical, defaults, run_id
from mnist_sweep.sweeping.plan.points import Composed, Point, _identify, identify, make_plan
from support.factories import make_settings
from support.sweep_parts import info_of


def point(**changes: Any) -> dict[str, Any]:
    return {**defaults(), **make_settings(**changes), "name": "grid"}


def points(*all_changes: dict[str, Any]) -> list[dict[str, Any]]:
    return [point(**changes) for changes in all_changes]


def composed(settings: list[dict[str, Any]]) -> list[Composed]:
    """The points, with the overrides 0, 1, …"""
    return [Composed([str(i)], one, one) for i, one in enumerate(settings)]


def prepare(data: dict[str, Any]) -> DatasetInfo:
    return info_of(name=data["name"], split_seed=data["split_seed"])


def test_every_problem_of_every_point_is_listed_once_with_its_number_of_points(hydra_master):
    loaded = hydra_master()
    sets = [["schedule=exponential", "schedule_end=0", "seed=1,2"], ["nodes=${nosuch}"]]
    with pytest.raises(SettingsError) as refused:
        make_plan(sets, loaded.master, loaded.loader, prepare)
    first, second, third = str(refused.value).splitlines()
    assert first == "Nothing was run: 2 settings are wrong."
    assert second.endswith("must be above 0 for schedule=exponential (2 points)")
    assert "Hydra cannot make settings of nodes=${nosuch}" in third


def test_a_point_is_identified_by_what_decides_its_result():
    settings, info = point(layers=2), info_of()
    made = identify(settings, ["layers=2"], info)
    assert made.run_id == run_id(canonical(settings, info.deciding()))
    assert made.label == "layers=2,nodes=100,seed=0"
    assert made.overrides == ["layers=2"]
    assert "name" not in made.settings
    assert made.settings["layers"] == 2


def test_an_edited_network_is_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    module = tmp_path / "own_plan_net.py"
    module.write_text("import own_plan_parts\ndef build(): ...\n")
    (tmp_path / "own_plan_parts.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    made = points({"model": {"_target_": "own_plan_net.build"}}, {}) * 2

    def plan() -> list[Point]:
        return _identify(composed(made), prepare).points

    first, again = plan(), plan()
    assert again == first
    assert first[0].code is not None
    assert set(first[0].code["files"]) == {"own_plan_net.py", "own_plan_parts.py"}
    (tmp_path / "own_plan_parts.py").write_text("x = 2\n")
    edited = plan()
    assert edited[0].run_id != first[0].run_id
    assert edited[0].configuration_id != first[0].configuration_id
    assert edited[0].label == first[0].label
    assert edited[1] == first[1]  # a network of this package
    assert edited[1].code is None


def test_the_source_is_read_once_for_all_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "own_many_net.py").write_text("def build(): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    read: list[Path] = []
    real = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: [read.append(path), real(path)][1])
    model = {"_target_": "own_many_net.build"}
    plan = _identify(composed(points(*({"model": model, "seed": n} for n in range(50)))), prepare)
    assert len({one.run_id for one in plan.points}) == 50
    assert [path.name for path in read] == ["own_many_net.py"]


def test_duplicates_are_left_out_and_told():
    made = points({}, {"layers": 2}, {"schedule_end": 0.5}, {"save_model": False}, {"layers": 2})
    plan = _identify(composed(made), prepare)
    assert [one.overrides for one in plan.points] == [["0"], ["1"]]
    assert plan.duplicates == [
        "layers=1,nodes=100,seed=0", "layers=1,nodes=100,seed=0", "layers=2,nodes=100,seed=0",
    ]  # fmt: skip


def test_each_dataset_is_prepared_once_and_tells_points_apart():
    asked: list[str] = []

    def counting(data: dict[str, Any]) -> DatasetInfo:
        asked.append(data["name"])
        return info_of(name=data["name"], sha256=data["name"].ljust(64, "0"))

    made = points(
        {"data": {"name": "digits"}}, {"data": {"name": "mnist"}},
        {"data": {"name": "digits"}, "seed": 1},
    )  # fmt: skip
    plan = _identify(composed(made), counting)
    assert asked == ["digits", "mnist"]
    assert len({one.run_id for one in plan.points}) == 3
    assert {plan.datasets[one.data_key].name for one in plan.points} == {"digits", "mnist"}


def test_data_that_cannot_be_had_ends_the_plan():
    def missing(data: dict[str, Any]) -> DatasetInfo:
        raise DataError(f"data={data['name']} is missing")

    with pytest.raises(DataError, match="data=auto is missing"):
        _identify(composed(points({})), missing)
