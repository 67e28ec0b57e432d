"""A selection as plain values for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mnist_sweep.records.view import View

if TYPE_CHECKING:
    from mnist_sweep.analysis.candidates import Candidate
    from mnist_sweep.analysis.selection import Selection


def selection_json(selection: Selection) -> dict[str, Any]:
    """The selection as plain values: what was chosen, from what, and what was left out."""
    return {
        "metric": selection.metric.name,
        "split": selection.metric.split,
        "direction": selection.direction,
        "where": list(selection.where),
        "chosen": _candidate_json(selection.chosen),
        "candidates": [_candidate_json(candidate) for candidate in selection.candidates],
        "ties": [tie.configuration_id for tie in selection.ties],
        "uncounted": [
            {"label": run.label, "status": run.status, "reason": run.reason}
            for run in selection.uncounted
        ],
        "weakest_split": selection.weakest_split,
        "weakest": [
            {
                "label": weak.label,
                "f1": weak.f1,
                "mistaken_for": [{"label": k, "count": n} for k, n in weak.mistaken_for],
            }
            for weak in selection.weakest
        ],
        "data": data_of(selection),
        "notes": list(selection.notes),
    }


def data_of(selection: Selection) -> list[dict[str, Any]]:
    """The data that the candidates were measured on, each once; `examples` of `weakest_split`."""
    split = f"dataset.n_{selection.weakest_split}"
    runs = selection.candidates.runs.rows
    # Of the rows with the same data, the last.
    last = {sha256: n for n, sha256 in enumerate(View(runs).values("dataset.sha256"))}
    rows = {sha256: runs[place] for sha256, place in last.items()}
    return [
        {
            "name": row["dataset.name"],
            "source": row["dataset.source"],
            "sha256": sha256,
            "examples": row[split],
            "notice": row["dataset.notice"],
        }
        for sha256, row in rows.items()
    ]


def _candidate_json(candidate: Candidate) -> dict[str, Any]:
    return {
        "configuration_id": candidate.configuration_id,
        "label": candidate.label,
        "value": candidate.value,
        "runs": [
            {"run_id": run.run_id, "seed": run.seed, "value": value}
            for run, value in zip(candidate.runs, candidate.values, strict=True)
        ],
    }
