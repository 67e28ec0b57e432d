"""What a person sees while a sweep runs."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from mnist_sweep.records.status import RunStatus
from mnist_sweep.sweeping.context import Verbosity
from mnist_sweep.sweeping.launch import progress as module
from mnist_sweep.sweeping.launch.job import Job, Origin, RunSummary
from mnist_sweep.sweeping.launch.progress import (
    MAX_FAILURES,
    MAX_LINES,
    Progress,
    choose,
    clock,
)
from support.sweep_parts import job_of, point_of


def console(width: int, *, terminal: bool = True) -> Console:
    return Console(
        file=io.StringIO(), width=width, height=30, force_terminal=terminal, color_system=None,
        legacy_windows=False, _environ={},
    )  # fmt: skip


def job(**settings: Any) -> Job:
    return job_of(Path("sweep"), point=point_of(**settings))


def ended(which: Job, status: str, **more: Any) -> RunSummary:
    return RunSummary(which.run_id, which.label, RunStatus(status), **more)


def text_of(used: Console) -> str:
    file: Any = used.file
    return str(file.getvalue())


def table(used: Console) -> Progress:
    return Progress(used, live=True)


def picture(display: Progress, width: int) -> str:
    """The live table as it stands, drawn on a page of this width."""
    page = console(width)
    page.print(display)
    return text_of(page)


KILLED = "its process was ended by SIGKILL (out of memory, perhaps)"
FAILED = {"status": "failed", "message": "ValueError: [red]bad[/red] :smile:"}


def tell_a_story(told: Any) -> None:
    one, two, three = job(layers=1), job(layers=2), job(layers=3)
    told.begin(5, 2)
    told.started(one)
    told.started(two)
    told.epoch(one, 3, {"val_accuracy": 0.9123})
    told.refresh()
    told.ended(ended(one, "finished", headline="test accuracy 97.65%", total_s=2.345))
    told.retrying(two, KILLED)
    told.started(two)
    told.ended(ended(two, **FAILED))
    told.started(three)
    told.postponed(three)
    told.refresh()


def test_lines_are_one_a_run_whatever_the_width():
    for width in (20, 80, 200):
        used = console(width, terminal=False)
        lines = Progress(used)
        tell_a_story(lines)
        lines.ended(ended(job(layers=3), "finished", origin=Origin.ALREADY_DONE))
        lines.end()
        assert text_of(used).splitlines() == [
            "running 5 runs, 2 at a time",
            "[1/5] layers=1,nodes=100,seed=0: test accuracy 97.65% in 2.3 s",
            f"again: layers=2,nodes=100,seed=0: {KILLED}",
            "[2/5] layers=2,nodes=100,seed=0 failed: ValueError: [red]bad[/red] :smile:",
            "waiting: layers=3,nodes=100,seed=0 is being run by another sweep",
            "[3/5] layers=3,nodes=100,seed=0: was done already",
        ]


def test_one_run_is_not_said_in_the_plural():
    used = console(80, terminal=False)
    Progress(used).begin(1, 1)
    assert text_of(used) == "running 1 run\n"


@pytest.mark.parametrize("width", [80, 200])
def test_the_display_shows_every_running_run_and_the_sums(width: int):
    display = table(console(width))
    tell_a_story(display)
    four = job(layers=4, nodes=300)
    display.started(four)
    display.epoch(four, 7, {"val_accuracy": 0.95})
    shown = picture(display, width)
    display.end()
    assert all(len(line) <= width for line in shown.splitlines())
    for words in (
        "run", "epoch", "validation accuracy", "time", "layers=4,nodes=300,seed=0", "7/20",
        "95.00%", "1 done, 1 failed, 3 left", "elapsed", "remaining", "1 run elsewhere",
    ):  # fmt: skip
        assert words in " ".join(shown.split())


def test_the_display_cuts_a_long_label_and_keeps_the_figures():
    display = table(console(60))
    long = job(layers=2, nodes=300, dropout=0.25, activation="hard_sigmoid", epochs=200)
    display.begin(1, 1)
    display.started(long)
    display.epoch(long, 123, {"val_accuracy": 0.9})
    shown = picture(display, 60)
    display.end()
    assert "123/200" in shown
    assert "90.00%" in shown
    assert "…" in shown
    assert all(len(line) <= 60 for line in shown.splitlines())


def test_the_display_says_failures_as_they_are_written():
    used = console(80)
    display = table(used)
    tell_a_story(display)
    display.end()
    assert "failed: ValueError: [red]bad[/red] :smile:" in text_of(used)
    assert "test accuracy 97.65%" not in text_of(used)  # finished runs are in the tables


def test_the_display_has_lines_for_the_first_failures_only():
    used = console(80)
    display = table(used)
    display.begin(100, 2)
    for number in range(100):
        display.ended(ended(job(nodes=number + 1), **FAILED))
    display.end()
    assert text_of(used).count("failed: ValueError") == MAX_FAILURES


def test_the_remaining_time_comes_from_the_runs_that_ended(monkeypatch: pytest.MonkeyPatch):
    now = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    display = table(console(80))
    display.begin(4, 2)
    one = job(layers=1)
    assert "starting worker processes" in picture(display, 200)
    display.started(one)
    assert "starting" not in picture(display, 200)
    assert "remaining" not in picture(display, 200)
    now[0] += 30
    display.ended(ended(one, "finished", headline="test accuracy 97.65%", total_s=30.0))
    assert "0:30 elapsed, about 0:45 remaining" in picture(display, 200)  # 3 x 30 s on 2 workers
    two = job(layers=2)
    display.started(two)
    now[0] += 15
    display.epoch(two, 10, {"val_accuracy": 0.9})  # half of 20 epochs: 2.5 runs of 30 s are left
    assert "0:45 elapsed, about 0:38 remaining" in picture(display, 200)
    now[0] += 5
    assert "0:50 elapsed, about 0:35 remaining" in picture(display, 200)
    display.ended(
        ended(job(layers=9), "finished", origin=Origin.ALREADY_DONE)
    )  # by another sweep: one less, no time of ours
    assert "about 0:20 remaining" in picture(display, 200)
    display.end()


def is_brief(lines: Progress) -> bool:
    return lines.live is None and lines.max_lines == MAX_LINES


def test_a_terminal_gets_the_display_and_everything_else_lines(monkeypatch: pytest.MonkeyPatch):
    places = ("CI", "JPY_PARENT_PID")  # the second in what a notebook's `!` starts
    for name in places:
        monkeypatch.delenv(name, raising=False)
    assert choose(console(80)).live
    assert is_brief(choose(console(80, terminal=False)))
    for name in places:
        with monkeypatch.context() as patch:
            patch.setenv(name, "1")
            assert is_brief(choose(console(80)))
    assert not is_brief(choose(console(80), Verbosity.VERBOSE))
    quiet = console(80)
    choose(quiet, Verbosity.QUIET).begin(1, 1)
    assert text_of(quiet) == ""


@pytest.mark.parametrize("total", [1, 5, 6, 20, 1000])
def test_without_a_terminal_there_are_a_few_lines_however_many_runs(total: int):
    used = console(80, terminal=False)
    lines = choose(used)
    lines.begin(total, 2)
    two = [job(nodes=nodes) for nodes in (1, 2)]
    for number in range(total):
        one = two[number % 2]
        failed = {"status": "failed", "message": "E: x"} if number % 2 else {"status": "finished"}
        lines.ended(ended(one, **failed))
    said = text_of(used).splitlines()
    assert len(said) <= 1 + MAX_LINES + MAX_FAILURES
    assert said[-1].startswith(f"[{total}/{total}]")
    assert "remaining" not in said[-1]
    if total == 1000:
        assert said[-1].startswith("[1000/1000] 500 failed, ")
        assert [line.partition("/")[0] for line in said if line.startswith("[")] == [
            "[200", "[400", "[600", "[800", "[1000",
        ]  # fmt: skip


def test_a_notebook_shows_the_same_display(monkeypatch: pytest.MonkeyPatch):
    shown: list[str] = []
    handle = SimpleNamespace(update=shown.append)
    notebook = SimpleNamespace(HTML=str, display=lambda *_, **__: handle)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(display=notebook))
    monkeypatch.setitem(sys.modules, "IPython.display", notebook)
    used = Console(file=io.StringIO(), force_jupyter=True, _environ={})
    monkeypatch.setattr(used, "print", lambda text, **_: shown.append(str(text)))
    display = choose(used)
    assert display.live
    tell_a_story(display)
    monkeypatch.setattr(module, "DRAW_S", 0.0)
    display.refresh()
    assert "1 done, 1 failed, 3 left" in shown[-1]
    assert shown[-1].startswith("<pre>")
    display.end()
    assert "1 done, 1 failed, 3 left" in shown[-1]
    assert "remaining" not in shown[-1]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3600, "1:00:00")]
)
def test_clocks(seconds: float, text: str):
    assert clock(seconds) == text
