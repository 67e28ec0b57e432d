"""`python -m mnist_sweep [-m] …`: runs a sweep and prints what came of it."""

from __future__ import annotations

import difflib
import os
import shutil
import sys
from pathlib import Path

from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from mnist_sweep.analysis.selection import Direction
from mnist_sweep.analysis.uncertainty import UncertainSelection, select_with_uncertainty
from mnist_sweep.cli.output import ignore_broken_pipe
from mnist_sweep.cli.study import conclusion_lines, study_lines
from mnist_sweep.errors import DirectoryError, MnistSweepError, SettingsError
from mnist_sweep.records.sweep import Sweep, load
from mnist_sweep.reporting import preimport
from mnist_sweep.reporting.conclusions.default_summary import conclusions_of
from mnist_sweep.reporting.conclusions.selection import sentences
from mnist_sweep.reporting.conclusions.summary import Answer, Conclusion
from mnist_sweep.reporting.report import write_report
from mnist_sweep.reporting.tables.render import render
from mnist_sweep.reporting.tables.table import Table
from mnist_sweep.reporting.tables.tables import MOST_ROWS, comparison, write_tables
from mnist_sweep.sweeping import app
from mnist_sweep.sweeping.context import SweepContext
from mnist_sweep.sweeping.launch.job import Origin
from mnist_sweep.sweeping.plan import preview
from mnist_sweep.sweeping.result import SweepResult

INTERRUPTED = 130
SOME_FAILED = 1


def sweep(words: list[str], context: SweepContext) -> int:
    """Run what Hydra's command line asks for; returns the exit code.

    Raises:
        MnistSweepError: Nothing was run.
    """
    context.while_waiting(preimport.start)
    try:
        result = app.run(words, context)
    except (HydraException, OmegaConfBaseException) as error:
        raise SettingsError(_reason(error)) from error
    if result is None:
        return 0
    if result.planned_only:
        print("\n".join(result.plan_text or preview.lines(result)))
        return 0
    return show(result)


def show(result: SweepResult) -> int:
    """Print what came of a sweep; returns the exit code."""
    say = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    for notice in _notices(result):
        say.print(f"Note: {notice}")
    found, tables = _tables(result, say)
    if found.records:
        with ignore_broken_pipe():
            _print_tables(found, tables)
    selections = _selections(result, found)
    concluded = conclusions_of([found]) if result.study or result.report else ()
    with ignore_broken_pipe():
        _print_words(result, selections, concluded)
    for problem in found.problems:
        say.print(f"Could not be read: {problem}")
    with ignore_broken_pipe():
        print(f"{_account(result)}\nTables, records and models: {shown(result.directory)}/")
    if found.records and result.report and not result.interrupted:
        _report(result, found, tables, Answer(concluded, tuple(selections)), say)
    return _exit_code(result, found)


def _print_tables(found: Sweep, tables: list[Table]) -> None:
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    colour = terminal and not os.environ.get("NO_COLOR")
    long = terminal and len(tables[0].content) > MOST_ROWS
    shown_tables = comparison([found], most=MOST_ROWS) if long else tables
    print(render(shown_tables, width=width, colour=colour))


def _print_words(
    result: SweepResult, selections: list[UncertainSelection], concluded: tuple[Conclusion, ...]
) -> None:
    if result.study is None:
        print("".join("\n".join(sentences(chosen)) + "\n\n" for chosen in selections), end="")
    else:
        print("\n".join([*study_lines(result, result.study), *conclusion_lines(concluded)]))


def _tables(result: SweepResult, say: Console) -> tuple[Sweep, list[Table]]:
    """What the directory holds, and the comparison tables of any records.

    A full disk keeps them from being written, not from being shown.
    """
    try:
        return write_tables(result.directory)
    except DirectoryError as error:
        found = load(result.directory)
        if found.records:
            say.print(f"No tables written: {error}")
        return found, comparison([found]) if found.records else []


def _notices(result: SweepResult) -> list[str]:
    notices = list(result.notices)
    if result.plan.duplicates:
        labels = result.plan.duplicates
        more = f" and {len(labels) - 3} more" if len(labels) > 3 else ""
        notices.append(
            f"{len(labels)} of the grid's points are the same run as another and left out: "
            f"{'; '.join(labels[:3])}{more}."
        )
    return notices


def _report(
    result: SweepResult, found: Sweep, tables: list[Table], answer: Answer, say: Console
) -> None:
    """Write the report; whatever becomes of it, the runs and the exit code stand."""
    from mnist_sweep.cli.report_images import images_of

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
        print(f"Report: {shown(written.page)} ({_seconds(written.seconds)})")


def _selections(result: SweepResult, found: Sweep) -> list[UncertainSelection]:
    """A study's selections, what a search found, or the worst two-layer network of several."""
    if result.study is not None:
        return list(result.selections.values())
    if result.objective is not None:
        return _found(found, *result.objective)
    two = {
        run.configuration_id
        for run in found.runs
        if run.status == "finished" and run.values.get("model.layers") == 2
    }
    if len(two) < 2:
        return []
    try:
        return [select_with_uncertainty(found, ["layers=2"], "f1_min", "worst")]
    except MnistSweepError:
        return []


def _found(found: Sweep, by: str, direction: Direction) -> list[UncertainSelection]:
    """What a search was for; nothing where no run came to its end."""
    try:
        return [select_with_uncertainty(found, [], by, direction)]
    except MnistSweepError:
        return []


def _account(result: SweepResult) -> str:
    """What was done, skipped, run and failed, in one line."""
    ran = [s for s in result.summaries if s.origin is Origin.RAN]
    elsewhere = len(result.summaries) - len(ran)
    pruned = sum(summary.pruned for summary in ran)
    asked = len(result.plan.points) if result.n_requested is None else result.n_requested
    parts = [f"{asked} {'run' if asked == 1 else 'runs'} asked for"]
    if result.skipped:
        parts.append(f"{len(result.skipped)} done before")
    if elsewhere:
        parts.append(f"{elsewhere} done by another sweep")
    parts.append(f"{len(ran)} run now")
    if pruned:
        parts.append(f"{pruned} of them pruned")
    if result.failures:
        parts.append(f"{result.failures} of them failed")
    left = asked - len(result.skipped) - len(result.summaries)
    if left > 0:
        parts.append(f"{left} not run")
    interrupted = "Interrupted. " if result.interrupted else ""
    return f"{interrupted}{', '.join(parts)}, in {_seconds(result.wall_s)}."


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def _exit_code(result: SweepResult, found: Sweep) -> int:
    if result.interrupted:
        return INTERRUPTED
    # A search stops poor runs itself: that is no failure. Others run every point to its end.
    well = ("finished",) if result.objective is None else ("finished", "pruned")
    finished = {run.run_id for run in found.runs if run.status in well}
    asked = {point.run_id for point in result.plan.points}
    stages = result.study.stages if result.study else ()
    whole = all(stage.status == "done" for stage in stages)
    return 0 if asked <= finished and whole else SOME_FAILED


def _reason(error: BaseException) -> str:
    """The innermost cause's words, on one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _no_choice(error.missing_cfg_file, list(error.options or []))
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    key = getattr(error, "full_key", None)
    if key:  # OmegaConf's: its further lines name classes of ours
        return f"{key}: {lines[0]}. `python -m mnist_sweep --help` lists what can be set."
    return " ".join(lines)


def _no_choice(name: str, options: list[str]) -> str:
    """What to say of `model=nosuch`; `name` is model/nosuch."""
    group, _, choice = name.rpartition("/")
    if not group:
        return f"There is no configuration {choice!r}: expected {choice}.yaml in conf/."
    if group == "hydra/launcher" and choice.startswith("submitit"):
        return f"{group}={choice} needs a plugin: pip install 'mnist-sweep[slurm]'."
    close = difflib.get_close_matches(choice, options, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(options) or 'none'}."
    return (
        f"{group}={choice}: no such choice; {hint} A file of your own is found as "
        f"{group}/{choice}.yaml in the directory that --config-dir names."
    )


def shown(path: Path) -> str:
    """A path as people write it: relative where it lies below the working directory."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
