"""Conclusions in words: each with the number it rests on, its split and its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from mnist_sweep.metrics import resolve
from mnist_sweep.reporting.escape import listed, visible
from mnist_sweep.reporting.phrases import values
from mnist_sweep.reporting.phrases.names import class_name, class_word, data_name
from mnist_sweep.reporting.phrases.selection import chosen_name, confidence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mnist_sweep.analysis.statistics import Interval
    from mnist_sweep.analysis.uncertainty import UncertainSelection
    from mnist_sweep.analysis.weakest import WeakClass
    from mnist_sweep.records.study_file import Stage

_SHOWN_EXCLUDED = 3
TEST_ACCURACY = resolve("test.accuracy")


class ConclusionKind(StrEnum):
    """What a conclusion is about."""

    BEST = "best"
    HARDEST_CLASSES = "hardest classes"
    SELECTED = "selected"
    BLOCKED = "blocked stage"
    EFFECT = "effect"
    RETRAINING = "retraining"
    CLASS_EFFECTS = "effects by class"
    AGAINST_BEST = "against best"


@dataclass(frozen=True)
class Conclusion:
    """One conclusion.

    Attributes:
        kind: What it is about.
        text: The sentence.
        number: The number it rests on, with its unit: '+0.21 points'; empty if it needs none.
        certainty: How sure that is: '95 % interval +0.05 to +0.37'; empty if nothing is known.
        reported: What the published report says of the same; empty if nothing.
    """

    kind: ConclusionKind
    text: str
    number: str = ""
    certainty: str = ""
    reported: str = ""


def best(
    found: UncertainSelection,
    test: Mapping[str, float],
    accuracy: Interval | str,
    reported: str = "",
) -> Conclusion:
    """Which configuration is best, with its figures on the test split."""
    metric, count = found.selection.metric, len(found.selection.candidates)
    name, title = chosen_name(found.selection), values.metric_title(metric)
    text = f"{name} is the only configuration with a result: {title} {_value(found)}"
    if count > 1:
        end = "highest" if metric.higher_is_better else "lowest"
        text = f"The best network is {name}: {_value(found)}, the {end} {title} of {count} "
        text += "configurations"
    data = found.chosen.records[0].data
    on_test = values.amount(TEST_ACCURACY, test["accuracy"])
    biased = found.split == "test" and count > 1
    text = (
        f"{text}. On the test split of {data_name(data.name, data.notice)} its accuracy is "
        f"{on_test}, its macro F1 {test['f1']:.4f}"
        f"{'; it was selected on the test split, so these are too optimistic' if biased else ''}."
        f"{_excluded(found)}"
    )
    if isinstance(accuracy, str):
        certainty = accuracy
    else:
        certainty = f"test accuracy: {values.interval(TEST_ACCURACY, accuracy)}"
        if count > 1:
            certainty = f"best of all: {confidence(found)}; {certainty}"
    return make(ConclusionKind.BEST, text, f"test accuracy {on_test}", certainty, reported)


def selected(found: UncertainSelection, reported: str = "") -> Conclusion:
    """What a selection chose, and by which weakness."""
    selection, chosen = found.selection, found.chosen
    metric, count = selection.metric, len(selection.candidates)
    title = values.metric_title(metric)
    where = f" where {' and '.join(selection.where)}" if selection.where else ""
    among = f"The {selection.direction} of {count} configurations{where}"
    if count == 1:
        among = f"The only configuration{where} with a result"
    weakest = ""
    if selection.weakest:
        weak = selection.weakest[0]
        data, misread = chosen.records[0].data, ""
        if weak.mistaken_for:
            misread = f", most often misread as {class_name(data, weak.mistaken_for[0][0])}"
        weakest = (
            f"; its weakest {class_word(data.name)} there is {class_name(data, weak.label)} "
            f"(F1 {weak.f1:.4f}{misread})"
        )
    on_test = " It was selected on the test split." if found.split == "test" else ""
    text = (
        f"{among} is {chosen_name(selection)}: {title} {_value(found)}{weakest}.{on_test}"
        f"{_excluded(found)}"
    )
    certainty = confidence(found)
    if found.confidences and found.covers:
        certainty += f" ({100 * found.level:g} % level; {values.coverage(found.covers)})"
    number = f"{title} {values.amount(metric, chosen.value)}"
    return make(ConclusionKind.SELECTED, text, number, certainty, reported)


def hardest_classes(
    best: UncertainSelection,
    weak: Sequence[tuple[WeakClass, Interval]],
    alike: Sequence[int],
    support: Sequence[int],
    reported: str = "",
) -> Conclusion:
    """Which classes are hardest for the best configuration on the test split."""
    data, runs = best.chosen.records[0].data, len(best.chosen.records)
    word, plural = class_word(data.name), class_word(data.name, plural=True)
    called = partial(class_name, data)
    hardest = "; ".join(_misread(one, support[one.label], runs, called) for one, _ in weak)
    first, its_interval = weak[0]
    order = f"{called(first.label)} is distinguishably the hardest"
    if runs == 1:
        order = "one run, so a different seed could change the order"
    elif len(alike) == data.classes - 1:
        order = f"no {word} is distinguishable from {called(first.label)} as the hardest"
    elif alike:
        others = ", ".join(map(called, alike))
        order = f"not distinguishable from {called(first.label)} as the hardest: {others}"
    if runs > 1:
        order += f" (p corrected over all pairs of {plural})"
    shown = ", ".join(
        f"{called(one.label)}: {span.low:.4f} to {span.high:.4f}" for one, span in weak
    )
    return make(
        ConclusionKind.HARDEST_CLASSES,
        f"The hardest {plural} for {chosen_name(best.selection)}, test split: {hardest}.",
        f"F1 {first.f1:.4f} ({word} {called(first.label)})",
        f"{100 * its_interval.level:g} % intervals {shown} "
        f"({values.coverage(its_interval.covers)}); {order}",
        reported,
    )


def blocked(stage: Stage) -> Conclusion:
    """A stage of a study that could not run."""
    return make(ConclusionKind.BLOCKED, f"Stage {stage.name} could not run: {stage.reason}")


def make(
    kind: ConclusionKind, text: str, number: str = "", certainty: str = "", reported: str = ""
) -> Conclusion:
    """A conclusion whose texts are each on one line."""
    return Conclusion(kind, visible(text), number, visible(certainty), reported)


def _value(found: UncertainSelection) -> str:
    amount = values.amount(found.selection.metric, found.chosen.value)
    return f"{amount} ({values.runs(len(found.chosen.values))})"


def _excluded(found: UncertainSelection) -> str:
    lost = found.selection.uncounted
    if not lost:
        return ""
    shown = listed([f"{run.label} ({run.status})" for run in lost], _SHOWN_EXCLUDED)
    return f" Excluded (no result yet): {shown}; they could change this."


def _misread(weak: WeakClass, support: int, runs: int, called: Callable[[int], str]) -> str:
    """'8 (F1 0.9712), misread as 3 (12 of 974) and 5 (7)'."""
    start = f"{called(weak.label)} (F1 {weak.f1:.4f})"
    if not weak.mistaken_for:
        others = " and ".join(f"{called(k)} ({n})" for k, n in weak.taken_for_it[:2])
        return f"{start}, never misread; others misread as it: {others}"
    images = f"{support:,}" if runs == 1 else f"{runs} x {support:,}"
    parts = [
        f"{called(k)} ({n} of {images})" if not place else f"{called(k)} ({n})"
        for place, (k, n) in enumerate(weak.mistaken_for[:2])
    ]
    return f"{start}, misread as {' and '.join(parts)}"
