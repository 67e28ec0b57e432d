"""`plan=true`: what a sweep would run, in words."""

from __future__ import annotations

from mnist_sweep.sweeping.outcome import Outcome


def lines(outcome: Outcome) -> list[str]:
    """The points with their run ids, and which of them are done."""
    points, done = outcome.plan.points, set(outcome.skipped)
    rows = [
        f"{point.run_id}  {'done' if point.run_id in done else 'to run'}  {point.label}"
        for point in points
    ]
    left = len(points) - len(done)
    return [*rows, "", f"{len(points)} points, {len(done)} done, {left} to run. Nothing was run."]
