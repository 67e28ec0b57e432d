"""A selection in words: which, by what, how sure, how close the others are, what was left out."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from mnist_sweep.analysis.selection import Note, Selection
from mnist_sweep.analysis.statistics import Covers
from mnist_sweep.analysis.uncertainty import MAX_COMPARED, Unknown
from mnist_sweep.analysis.varying import DATA, SEED, SWEEP, varying
from mnist_sweep.records.status import RunStatus
from mnist_sweep.reporting.escape import shortened, visible
from mnist_sweep.reporting.phrases import values
from mnist_sweep.reporting.phrases.names import changed_settings, network_name
from mnist_sweep.reporting.phrases.values import amount_of_runs, chance, p_value, runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.analysis.selection import Candidate, Uncounted
    from mnist_sweep.analysis.uncertainty import Confidence, UncertainSelection
    from mnist_sweep.analysis.weakest import WeakClass

SHOWN = 20
_MAX_REASON = 200
_NOT_NAMED = (SEED, SWEEP, *DATA)


class LineKind(StrEnum):
    """What a line about a selection says."""

    ANSWER = "answer"
    CONFIDENCE = "confidence"
    TIES = "ties"
    WEAKEST = "weakest classes"
    CANDIDATES = "candidates"
    COVERAGE = "coverage"
    EXCLUDED = "excluded runs"
    NOTICE = "notice"
    DATA = "data"
    NOTE = "note"


class Line(NamedTuple):
    """A line about a selection; the candidates' has line breaks."""

    kind: LineKind
    text: str


def selection_lines(selection: Selection | UncertainSelection) -> list[Line]:
    """What was selected, how sure that is, how close the others are, and what was left out.

    Args:
        selection: With its uncertainty, or without: then nothing is said of it.
    """
    if isinstance(selection, Selection):
        return _lines(selection, None)
    return _lines(selection.selection, selection)


def sentences(selection: Selection | UncertainSelection) -> list[str]:
    """The texts of `selection_lines`."""
    return [line.text for line in selection_lines(selection)]


def confidence(found: UncertainSelection, named: Sequence[str] = ()) -> str:
    """'P = 0.62; not distinguishable from 1 layer (undecided)', or that it is not known."""
    if found.probability is None:
        return f"uncertainty not known: {why_unknown(found)}"
    direction = found.selection.direction
    if found.covers == Covers.IMAGES:
        return (
            f"one run each, so a different seed could reverse this; of these runs it would be the "
            f"{direction} on other images too with {chance(found.probability)}"
        )
    others = [*zip(found.selection.candidates, found.confidences, strict=True)][1:]
    alike = [other for other, one in others if one.equivalent and not one.distinguishable]
    undecided = [other for other, one in others if not (one.equivalent or one.distinguishable)]
    parts = [chance(found.probability)]
    if undecided:
        parts.append(f"not distinguishable from {_names(undecided, named)} (undecided)")
    if alike:
        within = values.margin(found.selection.metric, found.margin)
        parts.append(f"equivalent within {within} to {_names(alike, named)}")
    if len(parts) == 1:
        parts.append("distinguishable from all others")
    return "; ".join(parts)


def why_unknown(found: UncertainSelection) -> str:
    """Why the uncertainty is not known, without a full stop."""
    match found.unknown:
        case Unknown.NOT_FROM_PREDICTIONS:
            metric = found.selection.metric
            return f"the runs' predictions do not say how {metric} would vary"
        case Unknown.TOO_MANY:
            count = len(found.selection.candidates)
            return f"the {count:,} candidates are more than {MAX_COMPARED:,} (--exact compares all)"
        case Unknown.MISMATCH:
            return (
                "the stored predictions and the records do not belong together "
                f"({found.detail}); delete those runs' directories and run them again"
            )
    return found.detail.rstrip(".") or str(found.unknown or "")


def differing(selection: Selection) -> tuple[str, ...]:
    """The settings in which the candidates differ, to be named by."""
    found = varying(selection.runs) or changed_settings(selection.runs)
    return tuple(name for name in found if name not in _NOT_NAMED)


def name_of(candidate: Candidate, named: Sequence[str] = ()) -> str:
    """A candidate's name, see `names.network_name`."""
    return network_name(candidate.settings, named)


def excluded_lines(excluded: Sequence[Uncounted]) -> list[str]:
    """The runs that are no candidates, each by its name but for those that were pruned."""
    pruned = [run for run in excluded if run.status == RunStatus.PRUNED]
    others = [run for run in excluded if run.status != RunStatus.PRUNED]
    lines = []
    if pruned:
        last = f"{visible(pruned[-1].label)} {visible(pruned[-1].reason)}"
        count = "1 run was" if len(pruned) == 1 else f"{len(pruned)} runs were"
        lines.append(
            f"Excluded: {count} stopped early (pruned), without final results; the last of them, "
            f"{last}."
        )
    for run in others[:SHOWN]:
        why = shortened(visible(run.reason), _MAX_REASON)
        lines.append(f"Excluded (no result yet): {visible(run.label)} ({run.status}: {why}).")
    if len(others) > SHOWN:
        lines.append(f"Excluded too:{_rest(others)}, see the table command.")
    return lines


def _lines(selection: Selection, uncertain: UncertainSelection | None) -> list[Line]:
    chosen, count = selection.chosen, len(selection.candidates)
    among = f"the {selection.direction} of {count} configurations"
    if count == 1:
        among = "the only configuration with a result, so there is nothing to compare it with"
    where = f" where {visible(' and '.join(selection.where))}" if selection.where else ""
    value = amount_of_runs(selection.metric, chosen.values, chosen.value)
    named = differing(selection)
    name = name_of(chosen, named)
    lines = [
        Line(
            LineKind.ANSWER,
            f"{name} is {among}{where}, by {selection.metric}: {value} ({_runs(chosen)}).",
        )
    ]
    if uncertain and count > 1:
        text = visible(confidence(uncertain, named))
        lines.append(Line(LineKind.CONFIDENCE, f"{text[0].upper()}{text[1:]}."))
    if selection.ties:
        tied = "; ".join(name_of(tie, named) for tie in selection.ties[:SHOWN])
        text = f"Tied for {selection.direction}: {tied}{_rest(selection.ties)}."
        lines.append(Line(LineKind.TIES, text))
    if selection.weakest:
        weak = "; ".join(map(_weak, selection.weakest))
        text = f"Its weakest classes on the {selection.weakest_split} split: {weak}."
        lines.append(Line(LineKind.WEAKEST, text))
    if count > 1:
        shown = "\n".join(_candidate_lines(selection, uncertain, named))
        lines.append(Line(LineKind.CANDIDATES, f"Candidates:\n{shown}"))
    if uncertain and uncertain.confidences:
        lines.append(Line(LineKind.COVERAGE, _coverage(uncertain)))
    excluded = excluded_lines(selection.uncounted)
    if excluded and uncertain:
        excluded.append("With the excluded runs another configuration might have been selected.")
    lines += [Line(LineKind.EXCLUDED, text) for text in excluded]
    notes = [Line(LineKind.NOTE, _note(one, selection)) for one in selection.notes]
    return [*lines, *_data_lines(selection), *notes]


def _note(note: Note, selection: Selection) -> str:
    """What a reader of the selection must know."""
    match note:
        case Note.SELECTED_ON_TEST:
            return (
                "Selected on the test split: its test figures are then no unbiased estimate of "
                "what the chosen network does on new images."
            )
        case Note.DIFFERENT_DATA:
            data = ", ".join(
                f"{visible(one['name'])} ({visible(one['sha256'][:8])})" for one in selection.data
            )
            return f"The candidates saw different data, so their values do not compare: {data}."
        case Note.SINGLE_RUNS:
            return "One run each: a different seed could change the order."
        case Note.UNEQUAL_REPEATS:
            return "The candidates have unequal numbers of runs."


def _coverage(found: UncertainSelection) -> str:
    """What the uncertainty is computed from, one sentence."""
    counts = sorted({len(one.values) for one in found.selection.candidates})
    many = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    rests = "one run each: it covers image sampling, not seeds"
    if found.covers != Covers.IMAGES:
        rests = f"{many} runs each: it covers image sampling and seeds"
    return (
        f"The uncertainty (level {found.level:g}, {found.replicates:,} replicates) is computed "
        f"from {found.images:,} {found.split} images and {rests}."
    )


def _runs(candidate: Candidate) -> str:
    seeds = ", ".join(str(seed) for seed in candidate.seeds if seed is not None)
    if len(candidate.values) == 1:
        return f"one run, seed {seeds}" if seeds else "one run"
    return f"{runs(len(candidate.values))}, seeds {seeds}"


def _weak(weak: WeakClass) -> str:
    """A class with its F1 and what its images were misread as."""
    mistakes = [f"{k} \N{MULTIPLICATION SIGN}{n}" for k, n in weak.mistaken_for]
    misread = f"misread as {_listed(mistakes)}" if mistakes else "never misread"
    return f"{weak.label} (F1 {weak.f1:.4f}; {misread})"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def _candidate_lines(
    selection: Selection, uncertain: UncertainSelection | None, named: Sequence[str]
) -> list[str]:
    known = uncertain.confidences if uncertain else ()
    lines = []
    for index, candidate in enumerate(selection.candidates[:SHOWN]):
        value = amount_of_runs(selection.metric, candidate.values, candidate.value)
        line = f"  {value}  {name_of(candidate, named)} ({_runs(candidate)})"
        if uncertain and known:
            line += f"; {_beside(known[index], uncertain, first=not index)}"
        lines.append(line)
    rest = _rest(selection.candidates)
    return [*lines, f" {rest}"] if rest else lines


def _beside(one: Confidence, found: UncertainSelection, *, first: bool) -> str:
    """A candidate's probability, and whether it is distinguishable from the selected one."""
    if first or one.p_value is None:
        return chance(one.probability)
    apart = "differs" if one.distinguishable else "not distinguishable"
    if one.equivalent:
        apart += f", equivalent within {values.margin(found.selection.metric, found.margin)}"
    elif not one.distinguishable:
        apart += ", undecided"
    return f"{chance(one.probability)}, {apart} (corrected p {p_value(one.p_value)})"


def _names(candidates: Sequence[Candidate], named: Sequence[str]) -> str:
    return f"{'; '.join(name_of(one, named) for one in candidates[:SHOWN])}{_rest(candidates)}"


def _rest(items: Sequence[object]) -> str:
    """' … and 10 more' where more than are shown."""
    return f" … and {len(items) - SHOWN} more" if len(items) > SHOWN else ""


def _data_lines(selection: Selection) -> list[Line]:
    lines = []
    for data in selection.data:
        if data["notice"]:
            lines.append(Line(LineKind.NOTICE, f"NOTICE: {visible(data['notice'])}"))
        text = (
            f"Data: {visible(data['name'])} ({visible(data['source'])}), {data['examples']:,} "
            f"{selection.weakest_split} examples, sha256 {visible(data['sha256'][:12])}."
        )
        lines.append(Line(LineKind.DATA, text))
    return lines
