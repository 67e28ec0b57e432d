"""A selection in words, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mnist_sweep.reporting.escape import shortened, visible
from mnist_sweep.reporting.numbers import setting, three_digits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.results.fields import Flat
    from mnist_sweep.results.metric import Metric
    from mnist_sweep.results.select import Candidate, Selection
    from mnist_sweep.results.weakest import WeakClass

SHOWN = 20
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
    named = differing(selection.candidates)
    name = name_of(chosen, named)
    lines = [f"{name} is {among}{where}, by {selection.metric}: {value}."]
    if selection.ties:
        tied = "; ".join(name_of(tie, named) for tie in selection.ties[:SHOWN])
        lines.append(f"Exactly as {_adjective(selection)}: {tied}{_rest(selection.ties)}.")
    if selection.weakest:
        weak = "; ".join(_weak(entry) for entry in selection.weakest)
        lines.append(f"Its weakest classes on the {selection.weakest_split} split: {weak}.")
    if count > 1:
        lines.append("Candidates:\n" + "\n".join(_candidate_lines(selection, named)))
    for run in selection.uncounted[:SHOWN]:
        reason = shortened(visible(run.reason), _LONGEST_REASON)
        lines.append(f"Not counted: {visible(run.label)} ({run.status}: {reason}).")
    if len(selection.uncounted) > SHOWN:
        lines.append(f"Not counted either:{_rest(selection.uncounted)}, see the table command.")
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


def differing(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """Settings besides layers and nodes in which the candidates differ, to be named by."""
    first, *others = [candidate.settings for candidate in candidates]
    keys = dict.fromkeys(key for settings in (first, *others) for key in settings)
    return tuple(
        key
        for key in keys
        if key not in _NOT_NAMED
        and any(other.get(key) != first.get(key) for other in others)
        and not all(_says_again(key, settings) for settings in (first, *others))
    )


def name_of(candidate: Candidate, named: Sequence[str] = ()) -> str:
    """'2 layers x 300 nodes, dropout=0.2': the size, and the settings in `named`."""
    settings = candidate.settings
    layers, nodes = settings.get("layers"), settings.get("nodes")
    size = f"{setting(layers)} layer{'' if layers == 1 else 's'} x {setting(nodes)} nodes"
    return ", ".join([size, *(f"{k}={setting(settings[k])}" for k in named if k in settings)])


def _says_again(key: str, settings: Flat) -> bool:
    """Whether `model.nodes` only repeats `nodes`."""
    other = key.removeprefix("model.")
    return other != key and settings.get(other) == settings.get(key)


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


def _candidate_lines(selection: Selection, named: Sequence[str]) -> list[str]:
    lines = [
        f"  {_value(candidate.value, selection.metric)}  "
        f"{name_of(candidate, named)} ({_runs(candidate)})"
        for candidate in selection.candidates[:SHOWN]
    ]
    rest = _rest(selection.candidates)
    return [*lines, f" {rest}"] if rest else lines


def _rest(items: Sequence[object]) -> str:
    """' … and 10 more' where more than are shown."""
    return f" … and {len(items) - SHOWN} more" if len(items) > SHOWN else ""


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
