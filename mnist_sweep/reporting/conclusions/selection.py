"""A selection in words: which, by what, how sure, how close the others are, what was left out."""

from __future__ import annotations

from statistics import stdev
from typing import TYPE_CHECKING

from mnist_sweep.analysis.selection import Selection
from mnist_sweep.analysis.selection_json import data_of
from mnist_sweep.analysis.statistics import Covers
from mnist_sweep.records.columns import first_of_each_layout
from mnist_sweep.records.view import View
from mnist_sweep.reporting.escape import shortened, visible
from mnist_sweep.reporting.numbers import setting, three_digits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.analysis.candidates import Candidate, Candidates
    from mnist_sweep.analysis.selection import Uncounted
    from mnist_sweep.analysis.uncertainty import Sureness, UncertainSelection
    from mnist_sweep.analysis.weakest import WeakClass
    from mnist_sweep.metrics import Metric

SHOWN = 20
_LONGEST_REASON = 200
_NOT_NAMED = ("layers", "nodes", "seed", "save_model", "model._target_", "data.download_timeout_s")


def sentences(selection: Selection | UncertainSelection) -> list[str]:
    """What was selected, how sure that is, how close the others are, and what was left out.

    Args:
        selection: With its uncertainty, or without: then nothing is said of it.
    """
    if isinstance(selection, Selection):
        return _sentences(selection, None)
    return _sentences(selection.selection, selection)


def sureness(uncertain: UncertainSelection, named: Sequence[str] = ()) -> str:
    """'P = 0.62; not distinguishable from 2 layers x 100 nodes', or that it is not known."""
    if uncertain.probability is None:
        return f"how sure is not known: {uncertain.unknown.rstrip('.')}"
    others = uncertain.not_distinguishable
    if uncertain.covers == Covers.IMAGES:
        return f"{chance(uncertain.probability)}; one run each, which says nothing of other seeds"
    if others:
        shown = "; ".join(name_of(other, named) for other in others[:SHOWN])
        return f"{chance(uncertain.probability)}; not distinguishable from {shown}{_rest(others)}"
    return f"{chance(uncertain.probability)}; distinguishable from all others"


def coverage(uncertain: UncertainSelection) -> str:
    """What the uncertainty rests on, one sentence."""
    basis = (
        f"How sure that is (level {uncertain.level:g}, {uncertain.replicates:,} replicates) rests "
        f"on {uncertain.images:,} {uncertain.split} images"
    )
    counts = sorted(set(uncertain.selection.candidates.counts))
    if uncertain.covers != "images and seeds":
        return f"{basis} and one run each: it covers other images, not other seeds."
    many = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{basis} and {many} runs each: it covers other images and other seeds."


def chance(probability: float) -> str:
    """'P = 0.62'; never 0 or 1, which no resampling can show."""
    if probability > 0.995:
        return "P > 0.99"
    return "P < 0.01" if probability < 0.005 else f"P = {probability:.2f}"


def _sentences(selection: Selection, uncertain: UncertainSelection | None) -> list[str]:
    chosen = selection.chosen
    count = len(selection.candidates)
    among = f"the {selection.direction} of {count} configurations"
    if count == 1:
        among = "the only configuration with a result, so there is nothing to compare it with"
    where = f" where {visible(' and '.join(selection.where))}" if selection.where else ""
    value = f"{_value(chosen.value, selection.metric)} ({_runs(chosen)})"
    named = differing(selection.candidates)
    lines = [f"{name_of(chosen, named)} is {among}{where}, by {selection.metric}: {value}."]
    if uncertain and count > 1:
        text = visible(sureness(uncertain, named))
        lines.append(f"{text[0].upper()}{text[1:]}.")
    if selection.ties:
        tied = "; ".join(name_of(tie, named) for tie in selection.ties[:SHOWN])
        lines.append(f"Exactly as {_adjective(selection)}: {tied}{_rest(selection.ties)}.")
    if selection.weakest:
        weak = "; ".join(_weak(entry) for entry in selection.weakest)
        lines.append(f"Its weakest classes on the {selection.weakest_split} split: {weak}.")
    if count > 1:
        lines.append("Candidates:\n" + "\n".join(_candidate_lines(selection, uncertain, named)))
    if uncertain and uncertain.sureness:
        lines.append(coverage(uncertain))
    lines += _uncounted_lines(selection, uncertain)
    return [*lines, *_data_lines(selection), *selection.notes]


def _uncounted_lines(selection: Selection, uncertain: UncertainSelection | None) -> list[str]:
    """The runs that are no candidates, each by its name but for those that were pruned."""
    pruned = [run for run in selection.uncounted if run.status == "pruned"]
    others = [run for run in selection.uncounted if run.status != "pruned"]
    lines = [_pruned_line(pruned)] if pruned else []
    for run in others[:SHOWN]:
        reason = shortened(visible(run.reason), _LONGEST_REASON)
        lines.append(f"Not counted: {visible(run.label)} ({run.status}: {reason}).")
    if len(others) > SHOWN:
        lines.append(f"Not counted either:{_rest(others)}, see the table command.")
    if uncertain and others:
        lines.append("The uncounted runs might have changed the selection.")
    return lines


def _pruned_line(pruned: Sequence[Uncounted]) -> str:
    """How many runs were stopped early, which are no candidates."""
    runs = "run was" if len(pruned) == 1 else "runs were"
    last = f"{visible(pruned[-1].label)} {visible(pruned[-1].reason)}"
    return (
        f"Not counted: {len(pruned)} {runs} stopped early (pruned) and have no final figures; "
        f"the last of them, {last}. Whether one of them would have caught up is not known."
    )


def differing(candidates: Candidates) -> tuple[str, ...]:
    """Settings besides layers and nodes in which the candidates differ, to be named by."""
    view = View(candidates.rows)
    keys = dict.fromkeys(key for names in _kinds(candidates) for key in names)
    return tuple(key for key in keys if key not in _NOT_NAMED and _tells_apart(key, view))


def _kinds(candidates: Candidates) -> list[tuple[str, ...]]:
    """The names of the settings that candidates have; many have the same, and all are few."""
    firsts = first_of_each_layout(candidates.rows)
    return [tuple(candidates[place].settings) for place in firsts]


def _tells_apart(key: str, view: View) -> bool:
    """Whether rows differ in a setting, and it does not only repeat another."""
    if view.constant(key):
        return False
    values = view.values(key)
    if all(value == values[0] for value in values):
        return False
    other = key.removeprefix("model.")
    return key == other or values != view.values(other)


def name_of(candidate: Candidate, named: Sequence[str] = ()) -> str:
    """'2 layers x 300 nodes, dropout=0.2': the size, and the settings in `named`."""
    settings = candidate.settings
    layers, nodes = settings.get("layers"), settings.get("nodes")
    size = f"{setting(layers)} layer{'' if layers == 1 else 's'} x {setting(nodes)} nodes"
    return ", ".join([size, *(f"{k}={setting(settings[k])}" for k in named if k in settings)])


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


def _candidate_lines(
    selection: Selection, uncertain: UncertainSelection | None, named: Sequence[str]
) -> list[str]:
    known = uncertain.sureness if uncertain else ()
    lines = []
    for index, candidate in enumerate(selection.candidates[:SHOWN]):
        value = _value(candidate.value, selection.metric)
        if len(candidate.values) > 1:
            spread = _value(stdev(candidate.values), selection.metric)
            value += f" \N{PLUS-MINUS SIGN} {spread}"
        line = f"  {value}  {name_of(candidate, named)} ({_runs(candidate)})"
        lines.append(line + (f"; {_beside(known[index], first=not index)}" if known else ""))
    rest = _rest(selection.candidates)
    return [*lines, f" {rest}"] if rest else lines


def _beside(sure: Sureness, *, first: bool) -> str:
    """A candidate's probability, and whether it can be told from the selected one."""
    if first or sure.p_value is None:
        return chance(sure.probability)
    apart = "differs" if sure.distinguishable else "not distinguishable"
    return f"{chance(sure.probability)}, {apart} (corrected p {p_value(sure.p_value)})"


def p_value(value: float) -> str:
    """'= 0.031', '< 0.001'."""
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"


def _rest(items: Sequence[object]) -> str:
    """' … and 10 more' where more than are shown."""
    return f" … and {len(items) - SHOWN} more" if len(items) > SHOWN else ""


def _data_lines(selection: Selection) -> list[str]:
    lines = []
    for data in data_of(selection):
        if data["notice"]:
            lines.append(f"NOTICE: {visible(data['notice'])}")
        lines.append(
            f"Data: {visible(data['name'])} ({visible(data['source'])}), {data['examples']:,} "
            f"{selection.weakest_split} examples, sha256 {visible(data['sha256'][:12])}."
        )
    return lines
