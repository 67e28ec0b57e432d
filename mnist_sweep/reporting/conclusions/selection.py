"""A selection in words: which, by what, how sure, how close the others are, what was left out."""

from __future__ import annotations

from statistics import stdev
from typing import TYPE_CHECKING

from mnist_sweep.analysis.configurations import DATA, SEED, SWEEP, varying
from mnist_sweep.analysis.selection import Note, Selection
from mnist_sweep.analysis.selection_json import data_of
from mnist_sweep.reporting.escape import shortened, visible
from mnist_sweep.reporting.numbers import three_digits
from mnist_sweep.reporting.phrases.names import network_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.analysis.selection import Candidate, Uncounted
    from mnist_sweep.analysis.uncertainty import Confidence, UncertainSelection
    from mnist_sweep.analysis.weakest import WeakClass
    from mnist_sweep.metrics import Metric

SHOWN = 20
_LONGEST_REASON = 200
_NOT_NAMED = (SEED, SWEEP, "data.name", *DATA)


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
        return f"how sure is not known: {why_unknown(uncertain)}"
    others = uncertain.not_distinguishable
    if uncertain.covers == "images":
        return f"{chance(uncertain.probability)}; one run each, which says nothing of other seeds"
    if others:
        shown = "; ".join(name_of(other, named) for other in others[:SHOWN])
        return f"{chance(uncertain.probability)}; not distinguishable from {shown}{_rest(others)}"
    return f"{chance(uncertain.probability)}; distinguishable from all others"


def why_unknown(uncertain: UncertainSelection) -> str:
    """Why the uncertainty is not known, without a full stop."""
    # NumPy is for selections; tables, which share this module, do without.
    from mnist_sweep.analysis.uncertainty import MAX_COMPARED, Unknown

    match uncertain.unknown:
        case Unknown.NOT_FROM_PREDICTIONS:
            metric = uncertain.selection.metric
            return f"the runs' predictions do not say how {metric} would vary"
        case Unknown.TOO_MANY:
            count = len(uncertain.selection.candidates)
            return f"the {count:,} candidates are more than {MAX_COMPARED:,} (--exact compares all)"
        case Unknown.MISMATCH:
            return (
                f"the stored predictions and the records do not belong together ("
                f"{uncertain.detail}); delete those runs' directories and run them again"
            )
        case Unknown.UNREADABLE:
            return uncertain.detail.rstrip(".")
        case Unknown.NOT_COMPUTED:
            return uncertain.detail.rstrip(".") or str(uncertain.unknown)
    return str(uncertain.unknown or "")


def coverage(uncertain: UncertainSelection) -> str:
    """What the uncertainty rests on, one sentence."""
    basis = (
        f"How sure that is (level {uncertain.level:g}, {uncertain.replicates:,} replicates) rests "
        f"on {uncertain.images:,} {uncertain.split} images"
    )
    counts = sorted({len(one.values) for one in uncertain.selection.candidates})
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
    named = differing(selection)
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
    if uncertain and uncertain.confidences:
        lines.append(coverage(uncertain))
    lines += _uncounted_lines(selection, uncertain)
    return [*lines, *_data_lines(selection), *notes(selection)]


def notes(selection: Selection) -> list[str]:
    """What a reader of the selection must know, a sentence each."""
    return [_note(one, selection) for one in selection.notes]


def _note(note: Note, selection: Selection) -> str:
    match note:
        case Note.SELECTED_ON_TEST:
            return (
                "Selected on the test split: its test figures are then no unbiased estimate of "
                "what the chosen network does on new images."
            )
        case Note.DIFFERENT_DATA:
            named = ", ".join(
                f"{visible(data['name'])} ({visible(data['sha256'][:8])})"
                for data in data_of(selection)
            )
            return f"The candidates saw different data, so their values do not compare: {named}."
        case Note.SINGLE_RUNS:
            return "One run each: another seed may change the order."
        case Note.UNEQUAL_REPEATS:
            return "The candidates have unequal numbers of runs."


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


def differing(selection: Selection) -> tuple[str, ...]:
    """Settings in which the candidates differ, to be named by."""
    return tuple(name for name in varying(selection.runs) if name not in _NOT_NAMED)


def name_of(candidate: Candidate, named: Sequence[str] = ()) -> str:
    """'2 layers x 300 nodes, dropout=0.2': the size, and the settings in `named`."""
    return network_name(candidate.settings, named)


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
    known = uncertain.confidences if uncertain else ()
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


def _beside(one: Confidence, *, first: bool) -> str:
    """A candidate's probability, and whether it is distinguishable from the selected one."""
    if first or one.p_value is None:
        return chance(one.probability)
    apart = "differs" if one.distinguishable else "not distinguishable"
    return f"{chance(one.probability)}, {apart} (corrected p {p_value(one.p_value)})"


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
