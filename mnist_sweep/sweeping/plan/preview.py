"""`plan=true`: what a sweep would run, how long and how large, in words."""

from __future__ import annotations

from mnist_sweep.sweeping.plan.environment import describe
from mnist_sweep.sweeping.plan.estimate import Estimator, longest_first, past_records, wall_s
from mnist_sweep.sweeping.result import SweepResult


def lines(result: SweepResult) -> list[str]:
    """The points with their run ids, which are done, and what the others should take."""
    plan, done = result.plan, set(result.skipped)
    estimator = Estimator(past_records(result.directory.parent, describe()["cpu"]))
    estimates = {
        point.run_id: estimator.of(point, plan.datasets[point.data_key]) for point in plan.points
    }
    rows = ["run id        state    time    memory  run"]
    for point in plan.points:
        state = "done   " if point.run_id in done else "to run "
        expected = estimates[point.run_id]
        figures = f"{clock(expected.seconds):>6}  {expected.memory_mb:>5.0f} MB"
        rows.append(f"{point.run_id}  {state} {figures}  {point.label}")
    left = [point for point in longest_first(plan.points, plan) if point.run_id not in done]
    rows += ["", f"{len(plan.points)} points, {len(done)} done, {len(left)} to run."]
    if left:
        seconds = [estimates[point.run_id].seconds for point in left]
        memory = sorted((estimates[point.run_id].memory_mb for point in left), reverse=True)
        at_once = sum(memory[: result.workers])
        runs = "1 run" if result.workers == 1 else f"{result.workers} runs"
        rows.append(
            f"Expected: {clock(wall_s(seconds, result.workers))} with {runs} at a time, "
            f"{at_once:,.0f} MB of memory; {_basis(estimator.based_on)}."
        )
    if result.deferred_stages:
        rows += ["", *result.deferred_stages]
    return [*rows, "Nothing was run."]


def clock(seconds: float) -> str:
    """Seconds as people say them: 8 s, 1:05, 2:03:00."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _basis(records: int) -> str:
    if not records:
        return "a rough guess, since this machine has no records yet"
    return f"from {records} {'record' if records == 1 else 'records'} of this machine"
