"""A selection as plain values for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mnist_sweep.analysis.plain_rows import plain_rows

if TYPE_CHECKING:
    from mnist_sweep.analysis.selection import Candidate, Selection


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
        "notes": [str(note) for note in selection.notes],
    }


def data_of(selection: Selection) -> list[dict[str, Any]]:
    """The data that the candidates were measured on, each once; `examples` of `weakest_split`."""
    once = selection.runs.drop_duplicates("dataset.sha256")
    columns = {
        "name": "dataset.name",
        "source": "dataset.source",
        "sha256": "dataset.sha256",
        "examples": f"dataset.n_{selection.weakest_split}",
        "notice": "dataset.notice",
    }
    return [
        {key: row[name] for key, name in columns.items()}
        for row in plain_rows(once.reindex(columns=[*columns.values()]))
    ]


def _candidate_json(candidate: Candidate) -> dict[str, Any]:
    runs = zip(candidate.run_ids, candidate.seeds, candidate.values, strict=True)
    return {
        "configuration_id": candidate.configuration_id,
        "label": candidate.label,
        "value": candidate.value,
        "runs": [{"run_id": run, "seed": seed, "value": value} for run, seed, value in runs],
    }
