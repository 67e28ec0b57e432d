"""What a sweep prints at its end: a screen that says what is best, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

import click

from mnist_sweep.analysis.answers import (
    Standing,
    best_of,
    default_selections,
    selection_of,
    standing_of,
)
from mnist_sweep.analysis.configurations import configurations
from mnist_sweep.analysis.importance import importance
from mnist_sweep.analysis.selection import Selection
from mnist_sweep.cli.output import LABEL, ExitCode, Page, terminal
from mnist_sweep.cli.sweep_account import SweepAccount
from mnist_sweep.command import command, shown_path
from mnist_sweep.errors import DirectoryError, MnistSweepError
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.status import MAX_MISSING
from mnist_sweep.records.sweep import Problem, Sweep, all_runs, load
from mnist_sweep.records.table import frame_of
from mnist_sweep.reporting.escape import listed, visible
from mnist_sweep.reporting.numbers import duration
from mnist_sweep.reporting.phrases import overview as phrases
from mnist_sweep.reporting.phrases.conclusions import ConclusionKind
from mnist_sweep.reporting.phrases.names import status_text
from mnist_sweep.reporting.phrases.tables import data_title, data_warning
from mnist_sweep.reporting.phrases.values import counted
from mnist_sweep.reporting.report import write_report
from mnist_sweep.reporting.summary import ReportSummary, conclusions_of
from mnist_sweep.reporting.tables.overview import overview
from mnist_sweep.reporting.tables.render import render
from mnist_sweep.reporting.tables.render.text import grids
from mnist_sweep.reporting.tables.table import Table
from mnist_sweep.reporting.tables.tables import comparison, write_tables
from mnist_sweep.sweeping.context import Verbosity
from mnist_sweep.sweeping.launch.job import RunSummary
from mnist_sweep.sweeping.launch.submitted import cancel_command, shown_ids
from mnist_sweep.sweeping.result import SweepResult

# Notes, reasons of failures and unreadable files that are named; the rest is counted.
MAX_SHOWN = 2
MIN_ROWS, MAX_ROWS = 3, 10
# The conclusions that a summary shows, and what stands before them.
_OF_A_STUDY = {
    ConclusionKind.BLOCKED: "Blocked",
    ConclusionKind.EFFECT: "Effect",
    ConclusionKind.CLASS_EFFECTS: "Effect",
    ConclusionKind.AGAINST_BEST: "Versus",
}
# Configurations among which one sees which settings matter.
FEW = 20
# Runs of which that is not computed at a sweep's end.
MANY = 5000
MAX_LINES, MAX_STUDY_LINES = 25, 40
# Lines of a study that are kept for its last conclusion, the table and what comes next.
ROOM = 15


def show(result: SweepResult, verbosity: Verbosity = Verbosity.NORMAL) -> ExitCode:
    """Write tables and report, and print the result of a sweep."""
    found, tables = _tables(result)
    account = SweepAccount.of(result, found)
    notes = _print_notes(account, found)  # above the result, which stays in view
    page = Page(**terminal())
    _add_header(page, account, found)
    is_left = result.leaves and bool(result.queued)
    if is_left:
        _add_left(page, result)
    if is_left or verbosity is Verbosity.QUIET:
        print("\n".join(page.lines))
        return account.exit_code
    standings = _standings(result, found)
    summary = ReportSummary(selections=tuple(one.found for one in standings))
    if result.study or result.report:
        # A search selects by its own metric; the conclusions are by the sweep's objective.
        known = () if result.objective else summary.selections
        summary = ReportSummary(conclusions_of([found], known), summary.selections)
    if tables:
        _add_results(page, result, standings, summary)
    foot = Page(page.width, page.colour)
    _add_next(foot, account, found, standings)
    is_reported = bool(tables) and result.report and not result.interrupted
    if standings:
        # The table gets the lines that are left of a screen.
        room = MAX_STUDY_LINES if result.study else MAX_LINES
        room -= notes + foot.height + is_reported + 4
        _add_table(page, found, tables[0], standings[0].found, room)
    if verbosity is Verbosity.VERBOSE and tables:
        page.lines += ["", render(tables, width=page.width, colour=page.colour).rstrip()]
    # At once, and before the report, which takes seconds.
    print("\n".join([*page.lines, "", *foot.lines]))
    if is_reported:
        _report(result, found, tables, summary)
    return account.exit_code


def _tables(result: SweepResult) -> tuple[Sweep, list[Table]]:
    """What the directory holds, and the comparison tables of any records."""
    try:
        return write_tables(result.directory)
    except DirectoryError as error:  # a full disk keeps them from being written, not shown
        try:
            found = load(result.directory)
        except DirectoryError as gone:  # meanwhile somebody has moved the directory away
            problem = Problem(SweepPaths(result.directory).sweep_json, str(gone))
            found = Sweep(result.directory, frame_of([]), (problem,))
        if found.frame.empty:
            return found, []
        click.echo(f"No tables written: {error}", err=True)
        return found, comparison([found], most_missing=MAX_MISSING)


def _print_notes(account: SweepAccount, found: Sweep) -> int:
    """Print what is not the result to standard error; returns the number of lines."""
    result, lost = account.result, account.lost
    notes = [f"Note: {notice}" for notice in (*result.notices, *result.plan.notes())]
    if lost:
        notes.append(
            f"Lost: the {'record' if len(lost) == 1 else 'records'} of "
            f"{counted(len(lost), 'finished run')}, since {shown_path(result.directory)} was "
            "deleted or changed meanwhile. Run the same command again for "
            f"{listed([one.label for one in lost], MAX_SHOWN)}."
        )
    if result.plan.points and found.plan and not found.plan.points:
        notes.append(
            f"Lost: the plan, {SweepPaths(result.directory).sweep_json.name}, which was deleted "
            "meanwhile. Run the same command again: it writes the plan and repeats no finished run."
        )
    if found.problems:
        notes.append(f"Could not be read: {listed([*map(str, found.problems)], MAX_SHOWN)}.")
    page = Page(terminal(err=True)["width"], colour=False)
    for note in notes:
        page.add("", visible(note))
    for line in page.lines:
        click.echo(line, err=True)
    return len(page.lines)


def _add_header(page: Page, account: SweepAccount, found: Sweep) -> None:
    """Name, data, how the runs ended, time; what to know of data and runs; why runs failed."""
    frame, result = found.frame, account.result
    names = ["dataset.name", "dataset.notice"]
    pairs = frame[names].dropna(subset=names[0]).drop_duplicates() if len(frame) else frame
    sets = [(one[0], one[1] if isinstance(one[1], str) else None) for one in pairs.to_numpy()]
    time = duration(result.wall_s)
    took = f"interrupted after {time}" if result.interrupted else time
    parts = [result.directory.absolute().name, *([data_title(sets)] if sets else [])]
    page.add("", " · ".join(map(visible, [*parts, str(account), took])), bold=True)
    for name, notice in sets:
        if notice:
            page.add("", data_warning(name, notice), fg="yellow")
    if fallback := phrases.fallback_line(frame, page.width):
        page.add("", fallback, fg="yellow")
    reasons: dict[tuple[str, str], list[RunSummary]] = {}
    for summary in result.summaries:
        if summary.failed:
            reasons.setdefault((summary.status, summary.message), []).append(summary)
    for place, ((status, message), own) in enumerate(list(reasons.items())[:MAX_SHOWN]):
        first = own[0]
        count = "" if len(own) == 1 else f"{len(own)} runs, the first "
        why = visible(status_text(status, message)).removeprefix("failed: ")
        page.add("Failed", f"{count}{visible(first.label)}: {why}", fg="red")
        if not place:
            log = SweepPaths(result.directory).run(first.label, first.run_id).log
            page.add("", " " * LABEL + f"log {shown_path(log)}", wrap=False)
    if len(reasons) > MAX_SHOWN:
        page.add("Failed", f"{len(reasons) - MAX_SHOWN} more, for other reasons", fg="red")


def _add_left(page: Page, result: SweepResult) -> None:
    """Which jobs were left in a queue, and what one can do meanwhile."""
    queue = f"{result.queued[0].cluster} {shown_ids(result.queued)}"
    page.add("", f"Left in the queue: {queue}. Tables and report are made from the records later.")
    commands = {
        "Status": command("status", result.directory),
        "Table": command("table", result.directory),
        "Report": command("report", result.directory),
        "Cancel": cancel_command(result.queued),
    }
    for label, text in commands.items():
        page.add(label, text, wrap=False, bold=True)


def _standings(result: SweepResult, found: Sweep) -> list[Standing]:
    """The best configuration first; with a study's selections, or the worst two-layer network."""
    if result.study is not None:
        chosen = [best_of(found, result.study), *result.selections.values()]
    elif result.objective is not None:
        chosen = [selection_of([found], (), *result.objective)]
    else:
        chosen = [*default_selections([found])] or [best_of(found)]
    return [standing_of(found, one) for one in chosen if one is not None]


def _add_results(
    page: Page, result: SweepResult, standings: Sequence[Standing], summary: ReportSummary
) -> None:
    """The best and the worst in a line each; of a study its stages and conclusions too."""
    page.lines.append("")
    room = page.width and page.width - LABEL
    for standing in standings:
        selection = standing.found
        label = selection.direction.capitalize() if len(selection.candidates) > 1 else "Result"
        colour = "green" if selection.direction == "best" else "red"
        page.add(label, phrases.standing_line(standing, room), fg=colour, bold=True)
    certain = phrases.certainty_line(standings[0].found, result.study) if standings else ""
    if certain and not result.plan.seedless:
        page.add("", certain)
    if result.study is not None:
        page.lines.append("")
        for label, text in phrases.stage_lines(result.study):
            page.add(label, text, bold=True)
        shown = [one for one in summary.conclusions if one.kind in _OF_A_STUDY]
        for place, one in enumerate(shown):
            if page.height > MAX_STUDY_LINES - ROOM:
                page.add("", f"{len(shown) - place} more conclusions are in the report.")
                break
            page.add(_OF_A_STUDY[one.kind], one.text, bold=True)


def _add_table(page: Page, found: Sweep, table: Table, best: Selection, room: int) -> None:
    """Which settings matter, where one does not see it; the best configurations and the worst."""
    if len(best.candidates) > FEW and len(found.frame) <= MANY:
        matters = importance(configurations(all_runs([found])), best.metric)
        if line := phrases.importance_line(matters, best.metric):
            page.add("Matters", line, bold=True)
    most = max(MIN_ROWS, min(MAX_ROWS, room - page.height))
    shown = overview(table.content, best.metric, page.width, most)
    if shown is not None:
        page.lines += ["", *grids(shown, width=page.width, colour=page.colour)[0]]


def _add_next(
    page: Page, account: SweepAccount, found: Sweep, standings: Sequence[Standing]
) -> None:
    """Where the results are, and the commands that come next."""
    result = account.result
    commands: dict[str, str] = {}
    if standings:
        selection = standings[0].found
        values = zip(selection.chosen.values, selection.chosen.run_ids, strict=True)
        end = max if selection.metric.higher_is_better else min
        model = found.run_paths(end(values)[1]).model
        commands |= {"Model": shown_path(model)} if model.exists() else {}
        is_plain = not (result.study or result.objective or result.plan.seedless)
        is_plain = is_plain and len(selection.candidates) > 1
        if is_plain and all(len(one.values) == 1 for one in selection.candidates):
            commands["Seeds"] = command("resume", result.directory, "seed=0,1,2")
    if account.needs_resume or account.queued:
        commands.pop("Seeds", None)
    if account.queued:
        commands["Status"] = command("status", result.directory)
    elif account.needs_resume:
        commands["Resume"] = command("resume", result.directory)
    if standings:
        commands["More"] = f"{command('table', result.directory)}   (or best, worst, report)"
    for label, text in commands.items():
        page.add(label, text, wrap=False, bold=True)
    if not standings:
        page.add("Records", shown_path(result.directory), bold=True)


def _report(result: SweepResult, found: Sweep, tables: list[Table], answer: ReportSummary) -> None:
    """Write the report; whatever becomes of it, the runs and the exit code stand."""
    from mnist_sweep.report_images import images_of

    directories = [str(result.directory)]
    try:
        images = images_of(directories)
        written = write_report(
            directories, answer=answer, images=images, loaded=[found], tables=tables
        )
    except MnistSweepError as error:
        click.echo(f"No report: {error}", err=True)
        return
    page = Page(**terminal())
    page.add("Report", shown_path(written.page), wrap=False, bold=True)
    print("\n".join(page.lines))
