"""The subcommand `status`: how far a sweep is, whoever runs it and wherever."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnist_sweep.cli.options import PATH, flag
from mnist_sweep.cli.output import wrap
from mnist_sweep.command import command, shown_path
from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.locks import is_held
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.progress_file import read_progress
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting.escape import visible
from mnist_sweep.reporting.numbers import duration
from mnist_sweep.reporting.phrases.names import status_text
from mnist_sweep.reporting.phrases.values import counted
from mnist_sweep.safe_files import json_text, plain
from mnist_sweep.ui.sweeps import find, is_sweep, state_of

if TYPE_CHECKING:
    from mnist_sweep.sweeping.launch.submitted import SubmittedJob

MAX_RUNNING, MAX_FAILED, MAX_SWEEPS = 6, 3, 15
_FAILED = (RunStatus.FAILED, RunStatus.DIVERGED)
_ENDED_WITHOUT = "ended without a record"


@dataclass(frozen=True)
class Running:
    """A run under way: its epochs as far as it reports them, and seconds since it started."""

    run_id: str
    label: str
    epoch: int
    epochs: int | None
    seconds: float | None

    @property
    def share(self) -> float | None:
        """How much of it is done, from 0 to 1."""
        return min(1.0, self.epoch / self.epochs) if self.epochs and self.epoch else None


@dataclass(frozen=True)
class Status:
    """How far a sweep is."""

    directory: Path
    requested: int
    # State -> number of runs, without states that no run is in.
    counts: dict[str, int]
    running: list[Running]
    # Label, status and reason of each.
    failed: list[tuple[str, str, str]]
    # Jobs in a cluster's queue, those that run included; `problem` says why they are unknown.
    queue: list[SubmittedJob]
    # Until all have ended, with as many at a time as now.
    remaining_s: float | None
    problem: str = ""


@click.command("status")
@click.argument("directory", metavar="[DIR]", default="outputs", type=PATH)
@flag("--json as_json", "Print JSON.")
def status(directory: Path, *, as_json: bool) -> None:
    """Show how far a sweep is: running in another terminal, in a queue, finished or killed.

    Runs of a queue (wait=false) that have ended without a record get one, as failed. For a
    directory with several sweeps (default: outputs), shows a line for each.
    """
    if is_sweep(directory):
        found = status_of(directory)
        click.echo(_json(found) if as_json else wrap("\n".join(_lines(found))))
        return
    states = [state_of(one) for one in find(directory)] if directory.is_dir() else []
    if not states:
        raise DirectoryError(f"Expected a sweep at {directory}, or sweeps below it; found none.")
    states.sort(key=lambda one: -one.changed_s)
    rows = {
        shown_path(one.directory.absolute()): (one.done, one.asked, len(one.running), one.word)
        for one in states
    }
    if as_json:
        keys = ("done", "requested", "running", "state")
        found_of = {name: dict(zip(keys, row, strict=True)) for name, row in rows.items()}
        click.echo(json_text(found_of))
        return
    for name, (done, asked, running, word) in [*rows.items()][:MAX_SWEEPS]:
        more = f", {running} running" if running else ""
        click.echo(f"{name}: {word}, {done} of {asked} runs ended{more}")
    if len(rows) > MAX_SWEEPS:
        click.echo(f"and {len(rows) - MAX_SWEEPS} more")


def status_of(directory: Path) -> Status:
    """How far a sweep is; collects what has ended in a queue."""
    queue: list[SubmittedJob] = []
    problem = ""
    if SweepPaths(directory).submitted.exists():
        from mnist_sweep.sweeping.launch.submitted import collect  # imports Hydra

        try:
            queue = collect(directory)
        except DirectoryError as error:
            problem = str(error)
    state, sweep, paths = state_of(directory), load(directory), SweepPaths(directory)
    columns = ["run_id", "label", "status", "error.type", "error.message"]
    frame = sweep.frame.reindex(columns=columns)
    records = [*frame.fillna("").itertuples(index=False, name=None)]
    again = {run_id for run_id, *_ in records if is_held(paths.lock(run_id))}
    running = [_running(paths, one.run_id, one.label) for one in state.running]
    running += [_running(paths, run_id, label) for run_id, label, *_ in records if run_id in again]
    # What is in the queue is to replace a failed record.
    at_work = {one.run_id for one in running}
    waiting = {one.job.run_id for one in queue} - at_work
    ended = [row for row in records if row[0] not in at_work | waiting]
    failed = [
        (label, word, f"{kind}: {why}".partition("\n")[0]) for _, label, word, kind, why in ended
    ]
    rest = {one.run_id for one in sweep.missing} - at_work - waiting
    begun = {one.run_id for one in state.active} & rest
    if at_work - {one.job.run_id for one in queue}:  # a command is there that will run the rest
        waiting, rest, begun = waiting | rest, set(), set()
    others = {
        "running": len(running),
        "waiting": len(waiting),
        _ENDED_WITHOUT: len(begun),
        "not started": len(rest - begun),
    }
    counts = Counter(str(row[2]) for row in ended) | Counter(others)
    # A file that cannot be read is no run of the table, but counts as one that the sweep has.
    counts[RunStatus.UNREADABLE] += len(sweep.problems)
    took = sweep.frame.reindex(columns=["status", "time.total_s"])
    times = [*took.loc[took["status"] == RunStatus.FINISHED, "time.total_s"].dropna()]
    order = [*RunStatus, "running", "waiting", _ENDED_WITHOUT, "not started"]
    return Status(
        directory=directory,
        requested=max(state.asked, len(records) + len(sweep.missing)),
        counts={str(key): counts[str(key)] for key in order if counts[str(key)]},
        running=running,
        failed=[one for one in failed if one[1] in _FAILED],
        queue=queue,
        remaining_s=_remaining_s(times, running, len(waiting)),
        problem=problem,
    )


def _running(paths: SweepPaths, run_id: str, label: str) -> Running:
    run = paths.run(label, run_id)
    try:  # each attempt writes them at its start
        seconds: float | None = max(0.0, time.time() - run.hydra.stat().st_mtime)
    except OSError:
        seconds = None
    progress = read_progress(run.progress)
    return Running(run_id, label, progress.epoch, progress.epochs, seconds)


def _remaining_s(times: list[float], running: list[Running], waiting: int) -> float | None:
    """Seconds left, by the mean time of finished runs, or else by the epochs of running ones."""
    times = times or [one.seconds / one.share for one in running if one.seconds and one.share]
    if not (times and running):
        return None
    mean = sum(times) / len(times)
    left = [
        mean * (1 - one.share) if one.share is not None else max(0.0, mean - (one.seconds or 0.0))
        for one in running
    ]
    return max(*left, (sum(left) + waiting * mean) / len(running))


def _lines(found: Status) -> list[str]:
    counts = dict(found.counts)
    finished = counts.pop(RunStatus.FINISHED, 0)
    parts = [f"{finished:,} of {counted(found.requested, 'run')} finished"]
    parts += [f"{number:,} {word}" for word, number in counts.items()]
    name = visible(found.directory.absolute().name)
    lines = [f"{name} · {', '.join(parts)}"]
    for one in found.running[:MAX_RUNNING]:
        epochs = f"/{one.epochs}" if one.epochs else ""
        texts = [f"epoch {one.epoch}{epochs}"] if one.epoch else []
        texts += [duration(one.seconds)] if one.seconds is not None else []
        lines.append(f"Running  {visible(one.label)}{''.join(f', {text}' for text in texts)}")
    if (more := len(found.running) - MAX_RUNNING) > 0:
        lines.append(f"         and {more:,} more")
    for label, kind, why in found.failed[:MAX_FAILED]:
        reason = status_text(kind, why).removeprefix("failed: ")
        lines.append(f"Failed   {visible(label)}: {reason}")
    if (more := len(found.failed) - MAX_FAILED) > 0:
        lines.append(f"         and {more:,} more")
    if found.remaining_s is not None:
        at_a_time = f"{len(found.running)} at a time"
        lines.append(f"Left     about {duration(found.remaining_s)}, with {at_a_time}")
    if found.problem:
        lines.append(f"Queue    {visible(found.problem)}")
    directory = found.directory.absolute()
    if found.queue:
        from mnist_sweep.sweeping.launch.submitted import cancel_command, shown_ids

        states = Counter(one.state for one in found.queue)
        shown = ", ".join(f"{number} {state}" for state, number in states.items())
        lines.append(f"Queue    {found.queue[0].cluster} {shown_ids(found.queue)}: {shown}")
        lines.append(f"Cancel   {cancel_command(found.queue)}")
    if RunStatus.FINISHED in found.counts:
        lines.append(f"Table    {command('table', directory)}")
    if not (found.running or found.queue):
        ended = {RunStatus.FINISHED, RunStatus.PRUNED, RunStatus.UNREADABLE}
        following = "resume" if found.counts.keys() - ended else "report"
        lines.append(f"{following.capitalize()}   {command(following, directory)}")
    return lines


def _json(found: Status) -> str:
    keys = ("label", "status", "reason")
    queue = [
        {
            "run_id": one.job.run_id,
            "label": one.job.label,
            "cluster": one.cluster,
            "job_id": one.job_id,
            "state": one.state,
        }
        for one in found.queue
    ]
    value = {
        "directory": str(found.directory),
        "requested": found.requested,
        "counts": found.counts,
        "running": [asdict(one) for one in found.running],
        "failed": [dict(zip(keys, one, strict=True)) for one in found.failed],
        "queue": queue,
        "remaining_s": found.remaining_s,
        "problem": found.problem or None,
    }
    return json_text(plain(value))
