"""A selection in words, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mnist_sweep.reporting.escape import shortened, visible
from mnist_sweep.reporting.numbers import setting, three_digits
from mnist_sweep.results.fields import Flat
from mnist_sweep.results.metric import Metric
from mnist_sweep.results.select import Candidate, Selection
from mnist_sweep.results.weakest import WeakClass

SHOWN_CANDIDATES = 20
_LONGEST_REASON = 200
_NOT_NAMED = ("layers", "nodes", "seed", "save_model", "model._target_", "data.download_timeout_s")


def sentences(selection: Selection) -> list[str]:
    """What was selected, how close the others are, what was left out, and on which data."""
    chosen = selection.chosen
    count = len(selection.candidates)
    among = f"the {selection.direction} of {count} configurations"
    if count == 1:
        among = "the only configuration with a result, so there is nothing to compare it with"
    where = f" where {visible(' and '.join(selection.where))}" if selection.where else ""
    value = f"{_value(chosen.value, selection.metric)} ({_runs(chosen)})"
    name = name_of(chosen, selection.candidates)
    lines = [f"{name} is {among}{where}, by {selection.metric}: {value}."]
    if selection.ties:
        tied = "; ".join(name_of(tie, selection.candidates) for tie in selection.ties)
        lines.append(f"Exactly as {_adjective(selection)}: {tied}.")
    if selection.weakest:
        weak = "; ".join(_weak(entry) for entry in selection.weakest)
        lines.append(f"Its weakest classes on the {selection.weakest_split} split: {weak}.")
    if count > 1:
        lines.append("Candidates:\n" + "\n".join(_candidate_lines(selection)))
    for run in selection.uncounted:
        reason = shortened(visible(run.reason), _LONGEST_REASON)
        lines.append(f"Not counted: {visible(run.label)} ({run.status}: {reason}).")
    return [*lines, *_data_lines(selection), *selection.notes]


def to_json(selection: Selection) -> dict[str, Any]:
    """The selection as plain values."""
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
        "data": _data(selection),
        "notes": list(selection.notes),
    }


def name_of(candidate: Candidate, candidates: Sequence[Candidate]) -> str:
    """'2 layers x 300 nodes, dropout=0.2': the size, and what else differs among candidates."""
    settings = candidate.settings
    layers, nodes = settings.get("layers"), settings.get("nodes")
    size = f"{setting(layers)} layer{'' if layers == 1 else 's'} x {setting(nodes)} nodes"
    others = [other.settings for other in candidates]
    differing = [
        key
        for key in settings
        if key not in _NOT_NAMED
        and not _says_again(key, settings)
        and any(other.get(key) != settings[key] for other in others)
    ]
    return ", ".join([size, *(f"{key}={setting(settings[key])}" for key in differing)])


def _says_again(key: str, settings: Flat) -> bool:
    """Whether `model.nodes` only repeats `nodes`."""
    other = key.removeprefix("model.")
    return other != key and settings.get(other) == settings[key]


def _adjective(selection: Selection) -> str:
    return "bad" if selection.direction == "worst" else "good"


def _value(value: float, metric: Metric) -> str:
    if metric.column.startswith("time."):
        return f"{three_digits(value)} s"
    if metric.split is None:
        return f"{value:,.0f}"
    return f"{value:.3g}" if metric.name == "loss" else f"{value:.4f}"


def _runs(candidate: Candidate) -> str:
    seeds = ", ".join(str(seed) for seed in candidate.seeds if seed is not None)
    if len(candidate.values) == 1:
        return f"one run, seed {seeds}" if seeds else "one run"
    return f"mean of {len(candidate.values)} runs, seeds {seeds}"


def _weak(weak: WeakClass) -> str:
    mistakes = ", ".join(f"{k} \N{MULTIPLICATION SIGN}{n}" for k, n in weak.mistaken_for)
    return f"{weak.label} (F1 {weak.f1:.4f}; mistaken for {mistakes or 'nothing'})"


def _candidate_lines(selection: Selection) -> list[str]:
    shown = selection.candidates[:SHOWN_CANDIDATES]
    lines = [
        f"  {_value(candidate.value, selection.metric)}  "
        f"{name_of(candidate, selection.candidates)} ({_runs(candidate)})"
        for candidate in shown
    ]
    rest = len(selection.candidates) - len(shown)
    return [*lines, f"  … and {rest} more"] if rest else lines


def _data(selection: Selection) -> list[dict[str, Any]]:
    split = f"n_{selection.weakest_split}"
    found = {
        record.data.sha256: {
            "name": record.data.name,
            "source": record.data.source,
            "sha256": record.data.sha256,
            "examples": getattr(record.data, split),
            "notice": record.data.notice,
        }
        for candidate in selection.candidates
        for record in candidate.records
    }
    return list(found.values())


def _data_lines(selection: Selection) -> list[str]:
    lines = []
    for data in _data(selection):
        if data["notice"]:
            lines.append(f"NOTICE: {visible(data['notice'])}")
        lines.append(
            f"Data: {visible(data['name'])} ({visible(data['source'])}), {data['examples']:,} "
            f"{selection.weakest_split} examples, sha256 {visible(data['sha256'][:12])}."
        )
    return lines


def _candidate_json(candidate: Candidate) -> dict[str, Any]:
    return {
        "configuration_id": candidate.configuration_id,
        "label": candidate.label,
        "value": candidate.value,
        "runs": [
            {"run_id": record.run_id, "seed": record.seed, "value": value}
            for record, value in zip(candidate.records, candidate.values, strict=True)
        ],
    }
