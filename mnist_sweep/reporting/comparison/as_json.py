"""A comparison as plain values, ready for JSON: all of it, the verdict's sentence included."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mnist_sweep.records.status import RunStatus
from mnist_sweep.reporting.comparison.phrases import caveats, time_reasons, verdict_sentence
from mnist_sweep.safe_files import json_text, plain

if TYPE_CHECKING:
    from mnist_sweep.analysis.compare.changes import ConfigurationChange
    from mnist_sweep.analysis.compare.comparison import Comparison, Pair
    from mnist_sweep.analysis.compare.side import Side

SCHEMA_VERSION = 1


def as_json(comparison: Comparison) -> str:
    """Strict JSON; `pairs` has one entry for each side after the first."""
    value = {
        "schema_version": SCHEMA_VERSION,
        "split": comparison.sides[0].split or "",
        "sides": [_side(side) for side in comparison.sides],
        "differs": {
            part: {one.name: one.by_side for one in found}
            for part, found in comparison.differs.items()
        },
        "pairs": [_pair(pair) for pair in comparison.pairs],
    }
    return json_text(plain(value)) + "\n"


def _side(side: Side) -> dict[str, Any]:
    damaged = [o for o in side.without_result if o.status == RunStatus.UNREADABLE]
    others = [o for o in side.without_result if o.status != RunStatus.UNREADABLE]
    return {
        "name": side.name,
        "directory": str(side.directory),
        "runs": list(side.runs["label"]),
        "unfinished": [f"{one.label}: {one.status}: {one.reason}" for one in others],
        "problems": [f"{one.label}: {one.reason}" for one in damaged],
    }


def _pair(pair: Pair) -> dict[str, Any]:
    verdict = pair.verdict
    return {
        "first": pair.first.name,
        "second": pair.second.name,
        "verdict": {
            **asdict(verdict), "sentence": verdict_sentence(pair), "caveats": caveats(pair)
        },
        "changed_settings": pair.matched.changed,
        "only_first": pair.matched.only_first,
        "only_second": pair.matched.only_second,
        "mean": [asdict(change) for change in pair.mean],
        "shared": [_shared(one) for one in pair.changes],
        "times_do_not_compare": time_reasons(pair),
    }  # fmt: skip


def _shared(one: ConfigurationChange) -> dict[str, Any]:
    sides = (one.shared.first, one.shared.second)
    return {
        "configuration": one.shared.name,
        "seeds": [[int(seed) for seed in runs["seed"].dropna()] for runs in sides],
        "evidence": one.evidence,
        "reason": one.reason or None,
        "identical": one.identical,
        "metrics": [asdict(change) for change in one.summaries],
        "digits": [asdict(change) for change in one.digits],
        "costs": [{**asdict(cost), "ratio": cost.ratio} for cost in one.costs],
        "confusion_change": one.confusion,
        "flips": asdict(one.flips) if one.flips else None,
    }
