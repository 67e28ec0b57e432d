"""What a sweep prints at its end: a screen that says what is best, and what to do next."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click
from rich.cells import cell_len

from mnist_sweep.analysis.configurations import configurations
from mnist_sweep.analysis.importance import importance
from mnist_sweep.cli.output import (
    ExitCode,
    command,
    shown_path,
    terminal,
)
from mnist_sweep.errors import DirectoryError, MnistSweepError
from mnist_sweep.records.paths import SweepPaths, label_and_run_id
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import Sweep, all_runs, load
from mnist_sweep.reporting.conclusions.conclusions import best_of
from mnist_sweep.reporting.conclusions.summary import (
    ReportSummary,
    Standing,
    conclusions_of,
    default_selections,
    selection_of,
    standing_of,
)
from mnist_sweep.reporting.escape import visible, wrapped
from mnist_sweep.reporting.numbers import duration
from mnist_sweep.reporting.phrases import overview as phrases
from mnist_sweep.reporting.phrases.conclusions import ConclusionKind
from mnist_sweep.reporting.phrases.names import status_text
from mnist_sweep.reporting.phrases.tables import data_title
from mnist_sweep.reporting.report import write_report
from mnist_sweep.reporting.tables.overview import overview
from mnist_sweep.reporting.tables.render import render
from mnist_sweep.reporting.tables.render.text import grids
from mnist_sweep.reporting.tables.tables import comparison, write_tables
from mnist_sweep.sweeping.context import Verbosity
from mnist_sweep.sweeping.launch.job import Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.analysis.selection import Selection
    from mnist_sweep.analysis.uncertainty import UncertainSelection
    from mnist_sweep.reporting.phrases.conclusions import Conclusion
    from mnist_sweep.reporting.tables.table import Table
    from mnist_sweep.sweeping.launch.job import RunSummary
    from mnist_sweep.sweeping.result import SweepResult

MAX_SHOWN = 2
"""Notes, reasons of failures and unreadable files that are named; the rest is counted."""
MIN_ROWS, MAX_ROWS = 3, 10
MORE_SEEDS = "seed=0,1,2"
_NO_RESULT = (RunStatus.FAILED, RunStatus.DIVERGED)
_OF_A_STUDY = {
    ConclusionKind.BLOCKED: "Blocked",
    ConclusionKind.EFFECT: "Effect",
    ConclusionKind.CLASS_EFFECTS: "Effect",
    ConclusionKind.AGAINST_BEST: "Versus",
}
"""The conclusions that a summary shows, and what stands before them."""
_LABEL = 8
FEW = 20
"""Configurations among which one sees which settings matter."""
MANY = 5000
"""Runs of which that is not computed at a sweep's end."""
MAX_LINES, MAX_STUDY_LINES = 25, 40
ROOM = 15
"""Lines of a study that are kept for its last conclusion, the table and what comes next."""


@dataclass
class _Page:
    """Lines laid out for a terminal, or of any width where output is piped."""

    width: int | None
    colour: bool
    lines: list[str] = field(default_factory=list)

    def add(self, label: str, text: str, *, wrap: bool = True, **style: Any) -> None:
        """A paragraph whose further lines are indented; `style` is the label's, or the text's.

        Commands and paths are not wrapped, so that they can be copied from a narrow terminal.
        """
        indent = " " * _LABEL if label else ""
        whole = f"{label:<{len(indent)}}{text}"
        first, *rest = wrapped(whole, self.width if wrap else None, indent)
        if self.colour and label:
            first = click.style(first[:_LABEL], **style) + first[_LABEL:]
        elif self.colour and style:
            first, *rest = (click.style(line, **style) for line in (first, *rest))
        self.lines += [first, *rest]

    @property
    def height(self) -> int:
        """Lines of the terminal."""
        width = self.width or sys.maxsize
        return sum(max(1, -(-cell_len(click.unstyle(line)) // width)) for line in self.lines)

    def gap(self) -> None:
        """An empty line."""
        self.lines.append("")

    def print(self) -> None:
        """Print all, unless who reads has left."""
        print("\n".join(self.lines))


def show(result: SweepResult, verbosity: Verbosity = Verbosity.NORMAL) -> ExitCode:
    """Write tables and report, and print the result of a sweep."""
    found, tables = _tables(result)
    statuses = statuses_of(result, found)
    code = exit_code(result, statuses)
    notes = _print_notes(result, found)
    page = _Page(**terminal())
    _add_header(page, result, found, statuses)
    if verbosity is Verbosity.QUIET:
        page.print()
        return code
    standings = _standings(result, found)
    selections = tuple(one.found for one in standings)
    known = () if result.objective else selections
    concluded = conclusions_of([found], known) if result.study or result.report else ()
    if tables:
        _add_results(page, result, standings, concluded)
    foot = _Page(page.width, page.colour)
    is_reported = bool(tables) and result.report and not result.interrupted
    _add_next(foot, result, found, standings, statuses)
    if standings and (matters := _what_matters(found, standings[0])):
        page.add("Matters", matters, bold=True)
    if standings:
        most = MAX_STUDY_LINES if result.study else MAX_LINES
        spent = notes + page.height + foot.height + is_reported
        _add_table(page, tables, standings[0], most - spent - 4)
    if verbosity is Verbosity.VERBOSE and tables:
        page.lines += ["", render(tables, width=page.width, colour=page.colour)]
    page.gap()
    page.lines += foot.lines
    page.print()
    if is_reported:
        _report(result, found, tables, ReportSummary(concluded, selections))
    return code


def statuses_of(result: SweepResult, found: Sweep) -> dict[str, RunStatus]:
    """Run id -> status, of requested runs that have a record, or failed without one."""
    frame = found.frame
    recorded = dict(zip(frame.get("run_id", ()), frame.get("status", ()), strict=True))
    requested = {point.run_id for point in result.plan.points}
    statuses = {run_id: RunStatus(recorded[run_id]) for run_id in requested & recorded.keys()}
    lost = {summary.run_id for summary in lost_runs(result, found)}
    for summary in result.summaries:
        if summary.run_id not in lost:
            statuses.setdefault(summary.run_id, summary.status)
    return statuses


def lost_runs(result: SweepResult, found: Sweep) -> list[RunSummary]:
    """Runs that left a record which is not there any more: somebody deleted it meanwhile."""
    there = {*found.frame.get("run_id", ())}
    there |= {label_and_run_id(problem.path.parent.name)[1] for problem in found.problems}
    return [
        summary
        for summary in result.summaries
        if summary.status.is_final and summary.run_id not in there
    ]


def account(result: SweepResult, statuses: dict[str, RunStatus]) -> str:
    """How the runs ended: '3 of 4 runs finished (2 earlier), 1 failed'."""
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
    return ", ".join(parts)


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


def _tables(result: SweepResult) -> tuple[Sweep, list[Table]]:
    """What the directory holds, and the comparison tables of any records.

    A full disk keeps them from being written, not from being shown.
    """
    try:
        return write_tables(result.directory)
    except DirectoryError as error:
        found = load(result.directory)
        if found.frame.empty:
            return found, []
        click.echo(f"No tables written: {error}", err=True)
        return found, comparison([found])


def _print_notes(result: SweepResult, found: Sweep) -> int:
    """Print what is not the result to standard error; returns the number of lines."""
    notes = [f"Note: {notice}" for notice in (*result.notices, *result.plan.notes())]
    if lost := lost_runs(result, found):
        notes.append(
            f"Lost: the records of {len(lost)} finished runs are gone, since {result.directory} "
            "was deleted or changed meanwhile. Run the same command again for "
            f"{_listed([one.label for one in lost])}."
        )
    if found.problems:
        notes.append(f"Could not be read: {_listed([*map(str, found.problems)])}.")
    page = _Page(terminal(err=True)["width"], colour=False)
    for note in notes:
        page.add("", visible(note))
    for line in page.lines:
        click.echo(line, err=True)
    return len(page.lines)


def _add_header(
    page: _Page, result: SweepResult, found: Sweep, statuses: dict[str, RunStatus]
) -> None:
    """Name, data, how the runs ended, time; what to know of the data; why runs failed."""
    frame = found.frame
    names = ("dataset.name", "dataset.notice")
    pairs = frame[[*names]].dropna(subset=names[0]).drop_duplicates() if len(frame) else frame
    sets = [(one[0], one[1] if isinstance(one[1], str) else None) for one in pairs.to_numpy()]
    time = duration(result.wall_s)
    took = f"interrupted after {time}" if result.interrupted else time
    parts = [result.directory.absolute().name, *([data_title(sets)] if sets else [])]
    parts += [account(result, statuses), took]
    page.add("", " · ".join(map(visible, parts)), bold=True)
    for name, notice in sets:
        if notice:
            page.add("", phrases.data_warning(name, notice, command("data", "mnist")), fg="yellow")
    reasons: dict[tuple[str, str], list[RunSummary]] = {}
    for summary in result.summaries:
        if summary.failed:
            reasons.setdefault((summary.status, summary.message), []).append(summary)
    for place, ((status, message), own) in enumerate(list(reasons.items())[:MAX_SHOWN]):
        first = own[0]
        count = "" if len(own) == 1 else f"{len(own)} runs, the first "
        why = visible(status_text(status, message))
        page.add("Failed", f"{count}{visible(first.label)}: {why}", fg="red")
        if not place:
            log = SweepPaths(result.directory).run(first.label, first.run_id).log
            page.add("", " " * _LABEL + f"log {shown_path(log)}", wrap=False)
    if len(reasons) > MAX_SHOWN:
        page.add("Failed", f"{len(reasons) - MAX_SHOWN} more, for other reasons", fg="red")


def _standings(result: SweepResult, found: Sweep) -> list[Standing]:
    """The best configuration first; with a study's selections, or the worst two-layer network."""
    chosen: list[UncertainSelection | None]
    if result.study is not None:
        chosen = [best_of(found, result.study), *result.selections.values()]
    elif result.objective is not None:
        chosen = [selection_of([found], (), *result.objective)]
    else:
        chosen = [*default_selections([found])] or [
            selection_of([found], (), found.objective, "best")
        ]
    return [standing_of(found, one) for one in chosen if one is not None]


def _add_results(
    page: _Page,
    result: SweepResult,
    standings: Sequence[Standing],
    concluded: Sequence[Conclusion],
) -> None:
    """The best and the worst in a line each; of a study its stages and conclusions too."""
    page.gap()
    for standing in standings:
        selection = standing.found.selection
        label = selection.direction.capitalize() if len(selection.candidates) > 1 else "Result"
        colour = "green" if selection.direction == "best" else "red"
        page.add(label, phrases.standing_line(standing), fg=colour, bold=True)
    if standings and (certain := phrases.certainty_line(standings[0].found)):
        page.add("", certain)
    if result.study is not None:
        page.gap()
        for label, text in phrases.stage_lines(result.study):
            page.add(label, text, bold=True)
        shown = [one for one in concluded if one.kind in _OF_A_STUDY]
        for place, one in enumerate(shown):
            if page.height > MAX_STUDY_LINES - ROOM:
                page.add("", f"{len(shown) - place} more conclusions are in the report.")
                break
            page.add(_OF_A_STUDY[one.kind], one.text, bold=True)


def _add_table(page: _Page, tables: Sequence[Table], best: Standing, most: int) -> None:
    """The best configurations and the worst, in at most `most` rows."""
    metric = best.found.selection.metric
    shown = overview(tables[0].content, metric, page.width, max(MIN_ROWS, min(MAX_ROWS, most)))
    if shown is not None:
        page.gap()
        (lines,) = grids(shown, width=page.width, colour=page.colour)
        page.lines += lines


def _what_matters(found: Sweep, best: Standing) -> str:
    """Which settings matter most, where there are too many configurations to see it."""
    selection = best.found.selection
    if len(selection.candidates) <= FEW or len(found.frame) > MANY:
        return ""
    shown = configurations(all_runs([found]))
    return phrases.importance_line(importance(shown, selection.metric), selection.metric)


def _add_next(
    page: _Page,
    result: SweepResult,
    found: Sweep,
    standings: Sequence[Standing],
    statuses: dict[str, RunStatus],
) -> None:
    """Where the results are, and the commands that come next."""
    if standings:
        selection = standings[0].found.selection
        values = zip(selection.chosen.values, selection.chosen.run_ids, strict=True)
        end = max if selection.metric.higher_is_better else min
        model = found.run_paths(end(values)[1]).model
        if model.exists():
            page.add("Model", shown_path(model), wrap=False, bold=True)
    is_whole = len(statuses) == result.requested
    if not is_whole or any(status in _NO_RESULT for status in statuses.values()):
        page.add("Resume", command("resume", result.directory), wrap=False, bold=True)
    elif standings and not result.study and not result.objective and _are_single(selection):
        seeds = command("resume", result.directory, MORE_SEEDS)
        page.add("Seeds", seeds, wrap=False, bold=True)
    if standings:
        more = f"{command('table', result.directory)}   (or best, worst, report)"
        page.add("More", more, wrap=False, bold=True)
    else:
        page.add("Records", shown_path(result.directory), bold=True)


def _are_single(selection: Selection) -> bool:
    """Whether several configurations were compared by a single seed each."""
    counts = {len(one.values) for one in selection.candidates}
    return len(selection.candidates) > 1 and counts == {1}


def _report(result: SweepResult, found: Sweep, tables: list[Table], answer: ReportSummary) -> None:
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
        click.echo(f"No report: {error}", err=True)
        return
    page = _Page(**terminal())
    page.add("Report", shown_path(written.page), wrap=False, bold=True)
    page.print()


def _listed(texts: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(texts) - MAX_SHOWN} more" if len(texts) > MAX_SHOWN else ""
    return "; ".join(texts[:MAX_SHOWN]) + more
