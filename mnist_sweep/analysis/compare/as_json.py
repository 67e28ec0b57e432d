"""A comparison as plain values, ready for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mnist_sweep.analysis.compare.verdict import verdict
from mnist_sweep.records.record import plain

if TYPE_CHECKING:
    from mnist_sweep.analysis.compare.comparison import Comparison, Pair, SharedChange

SCHEMA_VERSION = 1


def to_json(comparison: Comparison) -> dict[str, Any]:
    """All of a comparison; `pairs` has one entry for each side after the first."""
    value = {
        "schema_version": SCHEMA_VERSION,
        "split": comparison.sides[0].split,
        "sides": [
            {
                "name": side.name,
                "directory": str(side.directory),
                "runs": [run.label for run in side.runs],
                "unfinished": list(side.unfinished),
                "problems": list(side.problems),
            }
            for side in comparison.sides
        ],
        "differs": {
            name: {one.name: [list(values) for values in one.values] for one in part}
            for name, part in (
                ("settings", comparison.settings),
                ("seeds", comparison.seeds),
                ("data", comparison.data),
                ("code", comparison.code),
                ("machine", comparison.machine),
            )
        },
        "pairs": [_pair(pair) for pair in comparison.pairs],
    }
    found: dict[str, Any] = plain(value)
    return found


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "first": pair.first.name,
        "second": pair.second.name,
        "verdict": asdict(verdict(pair)),
        "changed_settings": list(pair.matched.changed),
        "only_first": list(pair.matched.only_first),
        "only_second": list(pair.matched.only_second),
        "mean": [asdict(change) for change in pair.mean],
        "shared": [_shared(one) for one in pair.changes],
        "times_do_not_compare": list(pair.incomparable_times),
    }


def _shared(one: SharedChange) -> dict[str, Any]:
    measured = one.measured
    return {
        "configuration": one.shared.name,
        "seeds": [[run.seed for run in runs] for runs in (one.shared.first, one.shared.second)],
        "evidence": measured.evidence,
        "reason": measured.reason or None,
        "identical": measured.identical,
        "metrics": [asdict(change) for change in measured.summaries],
        "digits": [asdict(change) for change in measured.digits],
        "costs": [{**asdict(cost), "ratio": cost.ratio} for cost in one.costs],
        "confusion_change": one.confusion,
        "flips": asdict(measured.flips) if measured.flips else None,
    }
