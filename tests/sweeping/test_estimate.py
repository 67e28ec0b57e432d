"""How long and how large a run will be: order by work, and figures from past records."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_sweep.sweeping.plan import estimate
from mnist_sweep.sweeping.plan.estimate import Estimator, longest_first, past_runs, wall_s
from support.factories import make_run, write_run
from support.sweep_parts import info_of, plan_of, point_of


@pytest.mark.parametrize(
    ("layers", "nodes", "expected"),
    [(1, 100, 79_510), (2, 300, 328_810), (1, 1, 805), (3, 10, 8_180)],
)
def test_the_parameters_of_a_perceptron_are_counted_without_building_it(
    layers: int, nodes: int, expected: int
):
    model = point_of(layers=layers, nodes=nodes).settings["model"]
    assert estimate.parameters(model, (28, 28), 10) == expected


def test_other_networks_are_of_unknown_size():
    assert estimate.parameters({"_target_": "mine.build"}, (28, 28), 10) is None


@pytest.mark.parametrize("more", [{"nodes": 300}, {"layers": 2}, {"epochs": 40}, {"batch_size": 8}])
def test_more_work_takes_longer(more: dict[str, int]):
    info, estimator = info_of(), Estimator([])
    assert estimator.of(point_of(**more), info).seconds > estimator.of(point_of(), info).seconds


def test_longer_runs_start_first_and_equal_ones_keep_their_order():
    points = [
        point_of(seed=1), point_of(nodes=300), point_of(seed=2), point_of(layers=2, nodes=300),
        point_of(seed=3),
    ]  # fmt: skip
    order = longest_first(points, plan_of(*points))
    assert [point.label for point in order] == [points[i].label for i in (3, 1, 0, 2, 4)]


def test_past_records_set_the_scale():
    records = {train_s: make_run(train_s=train_s).record for train_s in (10.0, 20.0)}
    info = info_of(n_train=records[10.0].data.n_train)
    expected = {
        train_s: Estimator([record]).of(point_of(), info).seconds
        for train_s, record in records.items()
    }
    # The same network on the same data, but for a bias or two the records' parameters leave out.
    for train_s, seconds in expected.items():
        assert seconds == pytest.approx(train_s + 0.9, rel=0.05)


def test_failed_records_and_other_processors_tell_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for run in (make_run(), make_run(status="failed", seed=1)):
        write_run(run, tmp_path / "grid" / "runs" / run.directory_name)
    (tmp_path / "grid" / "runs" / "broken").mkdir()
    (tmp_path / "file").write_text("")
    for cpu, known in (("a processor", 1), ("another", 0)):
        monkeypatch.setattr(estimate, "cpu", lambda cpu=cpu: cpu)
        assert past_runs(tmp_path / "new").based_on == known
    assert past_runs(tmp_path / "nowhere" / "new").based_on == 0
    assert Estimator([make_run(status="failed").record]).based_on == 0


@given(st.lists(st.floats(0, 1e6), max_size=20), st.integers(1, 8))
def test_the_wall_time_lies_between_a_fair_share_and_one_after_another(
    seconds: list[float], workers: int
):
    wall = wall_s(seconds, workers)
    assert wall >= max([sum(seconds) / workers, *seconds]) * (1 - 1e-9)
    assert wall <= sum(seconds) * (1 + 1e-9)


def test_the_wall_time_of_two_workers():
    assert wall_s([5, 3, 3, 1], 2) == 6
    assert wall_s([], 3) == 0
