"""What a sweep prints at its end: tables, the best configuration, what was done, the report."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console

from mnist_sweep.analysis.uncertainty import UncertainSelection
from mnist_sweep.cli.output import ExitCode, ignore_broken_pipe, shown_path
from mnist_sweep.errors import DirectoryError, MnistSweepError
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import Sweep, load
from mnist_sweep.reporting.conclusions.summary import (
    ReportSummary,
    conclusions_of,
    default_selections,
    selection_of,
)
from mnist_sweep.reporting.numbers import duration
from mnist_sweep.reporting.phrases.conclusions import Conclusion
from mnist_sweep.reporting.phrases.selection import LineKind, selection_lines, sentences
from mnist_sweep.reporting.phrases.study import conclusion_lines, study_lines
from mnist_sweep.reporting.report import write_report
from mnist_sweep.reporting.tables.render import render
from mnist_sweep.reporting.tables.tables import MAX_ROWS, comparison, write_tables
from mnist_sweep.sweeping.launch.job import Origin

if TYPE_CHECKING:
    from mnist_sweep.reporting.tables.table import Table
    from mnist_sweep.sweeping.result import SweepResult

_SHOWN_LINES = (LineKind.ANSWER, LineKind.CONFIDENCE, LineKind.TIES)
"""What a sweep says of a selection; `best` and `worst` say the rest."""


def show(result: SweepResult) -> ExitCode:
    """Write tables and report, and print the result of a sweep."""
    say = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    for notice in [*result.notices, *result.plan.notes()]:
        say.print(f"Note: {notice}")
    found, tables = _tables(result, say)
    if tables:
        with ignore_broken_pipe():
            _print_tables(found, tables)
    selections = _selections(result, found)
    concluded = conclusions_of([found]) if result.study or result.report else ()
    with ignore_broken_pipe():
        _print_selections(result, selections, concluded)
    for problem in found.problems:
        say.print(f"Could not be read: {problem}")
    statuses = statuses_of(result, found)
    with ignore_broken_pipe():
        print(account(result, statuses))
        print(f"Tables, records and models: {shown_path(result.directory)}/")
    if tables and result.report and not result.interrupted:
        _report(result, found, tables, ReportSummary(concluded, tuple(selections)), say)
    return exit_code(result, statuses)


def statuses_of(result: SweepResult, found: Sweep) -> dict[str, RunStatus]:
    """Run id -> status, of requested runs that have a record, or failed without one.

    Args:
        result: Of the sweep.
        found: What its directory holds now.
    """
    frame = found.frame
    recorded = dict(zip(frame.get("run_id", ()), frame.get("status", ()), strict=True))
    asked = {point.run_id for point in result.plan.points}
    statuses = {run_id: RunStatus(recorded[run_id]) for run_id in asked & recorded.keys()}
    for summary in result.summaries:
        statuses.setdefault(summary.run_id, summary.status)
    return statuses


def account(result: SweepResult, statuses: dict[str, RunStatus]) -> str:
    """What was done in one line: '3 of 4 runs finished (2 earlier), 1 failed, in 12 s'."""
    counts = Counter(statuses.values())
    earlier = sum(statuses.get(run_id) is RunStatus.FINISHED for run_id in result.skipped)
    elsewhere = sum(summary.origin is Origin.ALREADY_DONE for summary in result.summaries)
    by_whom = [
        text
        for number, text in (
            (earlier, f"{earlier} earlier"), (elsewhere, f"{elsewhere} by another sweep"),
        )
        if number
    ]  # fmt: skip
    runs = "run" if result.requested == 1 else "runs"
    finished = f"{counts[RunStatus.FINISHED]} of {result.requested} {runs} finished"
    parts = [f"{finished} ({', '.join(by_whom)})" if by_whom else finished]
    others = (RunStatus.FAILED, RunStatus.DIVERGED, RunStatus.PRUNED)
    parts += [f"{counts[status]} {status}" for status in others if counts[status]]
    left = result.requested - len(statuses)
    if left > 0:
        parts.append(f"{left} not run")
    interrupted = "Interrupted. " if result.interrupted else ""
    return f"{interrupted}{', '.join(parts)}, in {duration(result.wall_s)}."


def exit_code(result: SweepResult, statuses: dict[str, RunStatus]) -> ExitCode:
    """Whether all requested runs have a result."""
    if result.interrupted:
        return ExitCode.INTERRUPTED
    # A search stops poor runs itself: that is no failure. Others need every run to its end.
    well = {RunStatus.FINISHED} | ({RunStatus.PRUNED} if result.objective else set())
    stages = result.study.stages if result.study else ()
    whole = all(statuses.get(point.run_id) in well for point in result.plan.points)
    all_stages = all(stage.status == "done" for stage in stages)
    return ExitCode.DONE if whole and all_stages else ExitCode.SOME_FAILED


def _tables(result: SweepResult, say: Console) -> tuple[Sweep, list[Table]]:
    """What the directory holds, and the comparison tables of any records.

    A full disk keeps them from being written, not from being shown.
    """
    try:
        return write_tables(result.directory)
    except DirectoryError as error:
        found = load(result.directory)
        if found.frame.empty:
            return found, []
        say.print(f"No tables written: {error}")
        return found, comparison([found])


def _print_tables(found: Sweep, tables: list[Table]) -> None:
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    colour = terminal and not os.environ.get("NO_COLOR")
    long = terminal and len(tables[0].content) > MAX_ROWS
    shown = comparison([found], most=MAX_ROWS) if long else tables
    print(render(shown, width=width, colour=colour))


def _selections(result: SweepResult, found: Sweep) -> list[UncertainSelection]:
    """A study's, what a search looked for, or the best and the worst two-layer network."""
    if result.study is not None:
        return list(result.selections.values())
    if result.objective is not None:
        by, direction = result.objective
        one = selection_of([found], (), by, direction)
        return [one] if one else []
    return list(default_selections([found]))


def _print_selections(
    result: SweepResult, selections: list[UncertainSelection], concluded: tuple[Conclusion, ...]
) -> None:
    if result.study is not None:
        print(
            "\n".join([*study_lines(result.study, result.selections), *conclusion_lines(concluded)])
        )
    elif result.objective is not None:
        print("".join("\n".join(sentences(chosen)) + "\n\n" for chosen in selections), end="")
    elif selections:
        lines = [line for chosen in selections for line in selection_lines(chosen)]
        print("\n".join(line.text for line in lines if line.kind in _SHOWN_LINES) + "\n")


def _report(
    result: SweepResult, found: Sweep, tables: list[Table], answer: ReportSummary, say: Console
) -> None:
    """Write the report; whatever becomes of it, the runs and the exit code stand."""
    from mnist_sweep.report_images import images_of

    directories = [str(result.directory)]
    try:
        written = write_report(
            directories,
            answer=answer,
            images=images_of(directories),
            loaded=[found],
            tables=tables,
        )
    except MnistSweepError as error:
        say.print(f"No report: {error}")
        return
    with ignore_broken_pipe():
        print(f"Report: {shown_path(written.page)} ({duration(written.seconds)})")
