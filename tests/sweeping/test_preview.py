"""`plan=true`: what would run, and its words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mnist_sweep.cli.preview import preview_lines
from mnist_sweep.sweeping.plan.estimate import preview_of
from support.sweep_parts import plan_of, point_of

POINTS = [point_of(layers=1), point_of(layers=2), point_of(layers=3)]


def test_a_preview_says_what_is_done_and_what_the_rest_takes(tmp_path: Path):
    preview = preview_of(tmp_path / "grid", plan_of(*POINTS), {POINTS[0].run_id}, workers=2)
    assert [run.is_done for run in preview.runs] == [True, False, False]
    second, third = (run.expected for run in preview.runs[1:])
    assert preview.wall_s == max(second.seconds, third.seconds)
    assert preview.memory_mb == second.memory_mb + third.memory_mb
    assert preview.n_records == 0
    alone = preview_of(tmp_path / "grid", plan_of(*POINTS), {POINTS[0].run_id}, workers=1)
    assert alone.wall_s == second.seconds + third.seconds
    assert alone.memory_mb == max(second.memory_mb, third.memory_mb)


def test_a_preview_in_words(tmp_path: Path):
    plan = plan_of(*POINTS)
    lines = preview_lines(preview_of(tmp_path / "grid", plan, {POINTS[0].run_id}, workers=2))
    assert POINTS[0].run_id in lines[1]
    assert "done" in lines[1]
    assert POINTS[1].run_id in lines[2]
    assert "to run" in lines[2]
    assert lines[-3] == "3 points, 1 done, 2 to run."
    assert lines[-2].startswith("Expected: ")
    assert "2 runs at a time" in lines[-2]
    assert lines[-1] == "Nothing was run."
    many = plan_of(*(point_of(nodes=nodes) for nodes in range(1, 201)))
    shown = preview_of(tmp_path / "grid", many, (), workers=2)
    assert len(preview_lines(shown)) < 15
    assert "… 194 more; --verbose lists all" in preview_lines(shown)
    ends = [line for line in preview_lines(shown) if "to run  " in line]
    ids = [point.run_id for point in many.points]
    assert [line.split()[0] for line in ends] == [*ids[:3], *ids[-3:]]
    assert len(preview_lines(shown, whole=True)) > 200
    everything = {point.run_id for point in POINTS}
    assert "Expected" not in "\n".join(preview_lines(preview_of(tmp_path, plan, everything, 1)))


def test_its_numbers_have_separators(tmp_path: Path):
    point = point_of()
    points = [replace(point, run_id=f"{number:012}") for number in range(2301)]
    preview = preview_of(tmp_path, plan_of(*points), {one.run_id for one in points[:1000]}, 1)
    assert "2,301 points, 1,000 done, 1,301 to run." in preview_lines(preview)
