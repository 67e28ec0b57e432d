"""A selection in words: which, by what, how sure, how close the others are, what was left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import NamedTuple

from mnist_sweep.analysis.selection import Candidate, Note, Selection, Uncounted, Unknown
from mnist_sweep.analysis.statistics import Covers
from mnist_sweep.analysis.uncertainty import MAX_COMPARED
from mnist_sweep.analysis.varying import DATA, SEED, SWEEP, varying
from mnist_sweep.analysis.weakest import WeakClass
from mnist_sweep.records.record import DataRecord
from mnist_sweep.records.status import RunStatus
from mnist_sweep.reporting.escape import listed, shortened, visible
from mnist_sweep.reporting.phrases import values
from mnist_sweep.reporting.phrases.names import (
    changed_settings,
    class_name,
    class_word,
    network_name,
)
from mnist_sweep.reporting.phrases.tables import data_warning
from mnist_sweep.reporting.phrases.values import amount_of_runs, chance, p_value, runs

SHOWN = 20
_MAX_REASON = 200
_NOT_NAMED = (SEED, SWEEP, *DATA)
_NOTES = {
    Note.SELECTED_ON_TEST: (
        "Selected on the test split, so its test results are too optimistic (or, for a worst one, "
        "too pessimistic) as an estimate for new examples."
    ),
    Note.DIFFERENT_DATA: (
        "The candidates used different data, so values are not comparable: {data}."
    ),
    Note.SINGLE_RUNS: "One run each: a different seed could change the order.",
    Note.UNEQUAL_REPEATS: "The candidates have unequal numbers of runs.",
}


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


def sentences(found: Selection) -> list[str]:
    """The texts of `selection_lines`."""
    return [line.text for line in selection_lines(found)]


def confidence(found: Selection) -> str:
    """'P = 0.62; not distinguishable from 1 layer (undecided)', or that it is not known."""
    if found.probability is None:
        why = found.detail.rstrip(".") or str(found.unknown or "")
        if found.unknown is Unknown.NOT_FROM_PREDICTIONS:
            why = f"the runs' predictions do not show how {found.metric} would vary"
        elif found.unknown is Unknown.TOO_MANY:
            count = len(found.candidates)
            why = f"the {count:,} candidates are more than {MAX_COMPARED:,} (--exact compares all)"
        elif found.unknown is Unknown.MISMATCH:
            why = (
                "the stored predictions and the records do not belong together "
                f"({found.detail}); delete those runs' directories and run them again"
            )
        return f"uncertainty not known: {why}"
    direction, named = found.direction, differing(found)
    if found.covers == Covers.IMAGES:
        return (
            f"one run each, so a different seed could reverse this; of these runs it would be the "
            f"{direction} on other examples too with {chance(found.probability)}"
        )
    alike = [other for other, one in found.others if one.equivalent and not one.distinguishable]
    undecided = [
        other for other, one in found.others if not (one.equivalent or one.distinguishable)
    ]
    parts = [chance(found.probability)]
    if undecided:
        parts.append(f"not distinguishable from {_names(undecided, named)} (undecided)")
    if alike:
        within = values.margin(found.metric, found.margin)
        parts.append(f"equivalent within {within} to {_names(alike, named)}")
    if len(parts) == 1:
        parts.append("distinguishable from all others")
    return "; ".join(parts)


def differing(selection: Selection) -> tuple[str, ...]:
    """The settings in which the candidates differ, to be named by."""
    found = varying(selection.runs) or changed_settings(selection.runs)
    return tuple(name for name in found if name not in _NOT_NAMED)


def chosen_name(selection: Selection) -> str:
    """The name of the selected configuration."""
    return network_name(selection.chosen.settings, differing(selection))


def selection_lines(found: Selection) -> list[Line]:
    """What was selected, how sure that is, how close the others are, and what was left out."""
    lines = [*_answer_lines(found)]
    if found.covers:
        counts = sorted({len(one.values) for one in found.candidates})
        many = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        rests = f"{many} runs each: it covers examples and seeds"
        if found.covers == Covers.IMAGES:
            rests = "one run each: it covers examples, not seeds"
        text = (
            f"The uncertainty (level {found.level:g}, {found.replicates:,} replicates) is computed "
            f"from {found.images:,} {found.metric.split} examples and {rests}."
        )
        lines.append(Line(LineKind.COVERAGE, text))
    lines += [Line(LineKind.EXCLUDED, text) for text in _excluded_lines(found.uncounted)]
    data = found.data
    for one in data:
        if one["notice"]:
            lines.append(Line(LineKind.NOTICE, data_warning(one["name"], one["notice"])))
        about = f"{one['name']} ({one['source']}), {one['examples']:,} {found.weakest_split}"
        text = visible(f"Data: {about} examples, sha256 {one['sha256'][:12]}.")
        lines.append(Line(LineKind.DATA, text))
    sets = ", ".join(visible(f"{one['name']} ({one['sha256'][:8]})") for one in data)
    for note in found.notes:
        # Of single runs the confidence says so.
        if not (note is Note.SINGLE_RUNS and found.covers == Covers.IMAGES):
            lines.append(Line(LineKind.NOTE, _NOTES[note].format(data=sets)))
    return lines


def _answer_lines(found: Selection) -> Iterator[Line]:
    chosen, count, direction = found.chosen, len(found.candidates), found.direction
    named = differing(found)
    among = f"the {direction} of {count} configurations"
    if count == 1:
        among = "the only configuration with a result, so there is nothing to compare it with"
    where = f" where {visible(' and '.join(found.where))}" if found.where else ""
    metric, label = found.metric, found.metric.class_index
    by = values.metric_title(replace(metric, class_index=None))
    if label is not None:
        data = chosen.records[0].data
        by += f" of {class_word(data.name)} {class_name(data, label)}"
    value = amount_of_runs(metric, chosen.values, chosen.value)
    name = network_name(chosen.settings, named)
    yield Line(LineKind.ANSWER, f"{name} is {among}{where}, by {by}: {value} ({_runs(chosen)}).")
    if count > 1:
        text = visible(confidence(found))
        yield Line(LineKind.CONFIDENCE, f"{text[0].upper()}{text[1:]}.")
    if found.ties:
        yield Line(LineKind.TIES, f"Tied for {direction}: {_names(found.ties, named)}.")
    if found.weakest:
        data, split = chosen.records[0].data, found.weakest_split
        weak = "; ".join(_weak(one, data) for one in found.weakest)
        yield Line(LineKind.WEAKEST, f"Its weakest classes on the {split} split: {weak}.")
    if count > 1:
        shown = "\n".join(_candidate_lines(found, named))
        yield Line(LineKind.CANDIDATES, f"Candidates:\n{shown}")


def _excluded_lines(excluded: Sequence[Uncounted]) -> Iterator[str]:
    """The runs that are no candidates, each by its name but for those that were pruned."""
    pruned = [run for run in excluded if run.status == RunStatus.PRUNED]
    others = [run for run in excluded if run.status != RunStatus.PRUNED]
    if pruned:  # a search may have hundreds, for one reason
        last = f"{visible(pruned[-1].label)} {visible(pruned[-1].reason)}"
        count = "1 run was" if len(pruned) == 1 else f"{len(pruned)} runs were"
        yield (
            f"Excluded: {count} stopped early (pruned) and without final results; the last one: "
            f"{last}."
        )
    for run in others[:SHOWN]:
        why = shortened(visible(run.reason), _MAX_REASON)
        yield f"Excluded (no result yet): {visible(run.label)} ({run.status}: {why})."
    if len(others) > SHOWN:
        yield f"Excluded too: {len(others) - SHOWN} more; the table command lists them."
    if excluded:
        yield "With the excluded runs, a different configuration might have been selected."


def _runs(candidate: Candidate) -> str:
    seeds = ", ".join(str(seed) for seed in candidate.seeds if seed is not None)
    word = "seed" if len(candidate.values) == 1 else "seeds"
    return runs(len(candidate.values)) + (f", {word} {seeds}" if seeds else "")


def _weak(weak: WeakClass, data: DataRecord) -> str:
    """A class with its F1 and what its examples were misread as."""
    of = weak.mistaken_for or weak.taken_for_it
    mistakes = [f"{class_name(data, k)} \N{MULTIPLICATION SIGN}{n}" for k, n in of]
    shown = " and ".join(filter(None, (", ".join(mistakes[:-1]), *mistakes[-1:])))
    misread = "misread as" if weak.mistaken_for else "never misread; others misread as it:"
    return f"{class_name(data, weak.label)} (F1 {weak.f1:.4f}; {misread} {shown})"


def _candidate_lines(found: Selection, named: Sequence[str]) -> Iterator[str]:
    """Each with its probability, and whether it is distinguishable from the selected one."""
    for index, candidate in enumerate(found.candidates[:SHOWN]):
        value = amount_of_runs(found.metric, candidate.values, candidate.value)
        line = f"  {value}  {network_name(candidate.settings, named)} ({_runs(candidate)})"
        if one := candidate.confidence:
            line += f"; {chance(one.probability)}"
            if index and one.p_value is not None:
                line += ", differs" if one.distinguishable else ", not distinguishable"
                if one.equivalent:
                    within = values.margin(found.metric, found.margin)
                    line += f", equivalent within {within}"
                elif not one.distinguishable:
                    line += ", undecided"
                line += f" (corrected p {p_value(one.p_value)})"
        yield line
    if (left := len(found.candidates) - SHOWN) > 0:
        yield f"  … and {left} more"


def _names(candidates: Sequence[Candidate], named: Sequence[str]) -> str:
    return listed([network_name(one.settings, named) for one in candidates], SHOWN)
