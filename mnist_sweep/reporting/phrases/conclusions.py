"""Conclusions in words: each with the number it rests on, its split and its uncertainty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from statistics import fmean

from mnist_sweep.analysis.answers import HardestClasses, hardest_classes, interval_on_test
from mnist_sweep.analysis.selection import Selection
from mnist_sweep.errors import DataError, DirectoryError
from mnist_sweep.metrics import resolve
from mnist_sweep.records.study_file import Stage
from mnist_sweep.records.sweep import Sweep
from mnist_sweep.reporting.escape import listed, visible
from mnist_sweep.reporting.phrases import values
from mnist_sweep.reporting.phrases.names import class_name, class_word, data_name
from mnist_sweep.reporting.phrases.selection import chosen_name, confidence

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
    """One conclusion; all but the sentence may be empty."""

    kind: ConclusionKind
    text: str
    number: str = ""  # that it rests on, with its unit: '+0.21 points'
    certainty: str = ""  # '95 % interval +0.05 to +0.37'
    reported: str = ""  # what the published report says of the same


def make(
    kind: ConclusionKind, text: str, number: str = "", certainty: str = "", reported: str = ""
) -> Conclusion:
    """A conclusion whose texts are each on one line."""
    return Conclusion(kind, visible(text), number, visible(certainty), reported)


def about_best(sweep: Sweep, found: Selection, claims: Mapping[str, str]) -> Iterator[Conclusion]:
    """Which configuration is best, its test accuracy, and which classes are hardest for it."""
    runs = [record.metrics.test for record in found.chosen.records if record.metrics]
    if not all({"accuracy", "f1"} <= {*one.values} for one in runs):
        return  # of a task that returned others: the selection says which is best
    metric, count = found.metric, len(found.candidates)
    name, title = chosen_name(found), values.metric_title(metric)
    text = f"{name} is the only configuration with a result: {title} {_value(found)}"
    if count > 1:
        end = "highest" if metric.higher_is_better else "lowest"
        text = (
            f"The best network is {name}: {_value(found)}, the {end} {title} of {count} "
            "configurations"
        )
    data = found.chosen.records[0].data
    on_test = values.amount(TEST_ACCURACY, fmean(one.accuracy for one in runs))
    text += (
        f". On the test split of {data_name(data.name, data.notice)} its accuracy is "
        f"{on_test}, its macro F1 {fmean(one.f1 for one in runs):.4f}"
    )
    if found.metric.split == "test" and count > 1:
        text += "; it was selected on the test split, so these are too optimistic"
    hardest = None
    try:
        span = values.interval(TEST_ACCURACY, interval_on_test(sweep, found, "accuracy"))
        hardest = hardest_classes(sweep, found)
    except (DirectoryError, DataError) as error:
        certainty = str(error)
    else:
        certainty = f"test accuracy: {span}"
        if count > 1:
            certainty = f"best of all: {confidence(found)}; {certainty}"
    number, claim = f"test accuracy {on_test}", claims.get("best", "")
    yield make(ConclusionKind.BEST, f"{text}.{_excluded(found)}", number, certainty, claim)
    if hardest:
        yield _about_hardest(found, hardest, claims.get("hardest digits", ""))


def _about_hardest(best: Selection, found: HardestClasses, claim: str) -> Conclusion:
    data, runs = best.chosen.records[0].data, len(best.chosen.records)
    word, plural = class_word(data.name), class_word(data.name, plural=True)
    called = partial(class_name, data)
    first, its_interval = found.weak[0], found.intervals[0]
    texts = []
    for weak in found.weak:
        text = f"{called(weak.label)} (F1 {weak.f1:.4f})"
        of = (weak.mistaken_for or weak.taken_for_it)[:2]
        others = [f"{called(label)} ({n})" for label, n in of]
        if weak.mistaken_for:
            # The number of images once is enough: '3 (12 of 974) and 5 (7)'.
            support = f"{found.support[weak.label]:,}"
            others[0] = f"{others[0][:-1]} of {support if runs == 1 else f'{runs} x {support}'})"
        misread = "misread as" if weak.mistaken_for else "never misread; others misread as it:"
        texts.append(f"{text}, {misread} {' and '.join(others)}")
    order = f"{called(first.label)} is distinguishably the hardest"
    if runs == 1:
        order = "one run, so a different seed could change the order"
    elif len(found.alike) == data.classes - 1:
        order = f"no {word} is distinguishable from {called(first.label)} as the hardest"
    elif found.alike:
        others = [*map(called, found.alike)]
        order = (
            f"not distinguishable from {called(first.label)} as the hardest: {', '.join(others)}"
        )
    if runs > 1:
        order += f" (p corrected over all pairs of {plural})"
    spans = ", ".join(
        f"{called(one.label)}: {span.low:.4f} to {span.high:.4f}"
        for one, span in zip(found.weak, found.intervals, strict=True)
    )
    return make(
        ConclusionKind.HARDEST_CLASSES,
        f"The hardest {plural} for {chosen_name(best)}, test split: {'; '.join(texts)}.",
        f"F1 {first.f1:.4f} ({word} {called(first.label)})",
        f"{100 * its_interval.level:g} % intervals {spans} "
        f"({values.coverage(its_interval.covers)}); {order}",
        claim,
    )


def selected(found: Selection, reported: str = "") -> Conclusion:
    """What a selection chose, and by which weakness."""
    chosen, metric, count = found.chosen, found.metric, len(found.candidates)
    title = values.metric_title(metric)
    where = f" where {' and '.join(found.where)}" if found.where else ""
    text = f"The {found.direction} of {count} configurations{where}"
    if count == 1:
        text = f"The only configuration{where} with a result"
    text += f" is {chosen_name(found)}: {title} {_value(found)}"
    if found.weakest:
        weak, data = found.weakest[0], chosen.records[0].data
        name = class_name(data, weak.label)
        text += f"; its weakest {class_word(data.name)} there is {name} (F1 {weak.f1:.4f}"
        if weak.mistaken_for:
            text += f", most often misread as {class_name(data, weak.mistaken_for[0][0])}"
        text += ")"
    on_test = " It was selected on the test split." if found.metric.split == "test" else ""
    certainty = confidence(found)
    if found.covers:
        certainty += f" ({100 * found.level:g} % level; {values.coverage(found.covers)})"
    number = f"{title} {values.amount(metric, chosen.value)}"
    text += f".{on_test}{_excluded(found)}"
    return make(ConclusionKind.SELECTED, text, number, certainty, reported)


def blocked(stage: Stage) -> Conclusion:
    """A stage of a study that could not run."""
    return make(ConclusionKind.BLOCKED, f"Stage {stage.name} could not run: {stage.reason}")


def _value(found: Selection) -> str:
    amount = values.amount(found.metric, found.chosen.value)
    return f"{amount} ({values.runs(len(found.chosen.values))})"


def _excluded(found: Selection) -> str:
    lost = [f"{run.label} ({run.status})" for run in found.uncounted]
    shown = listed(lost, _SHOWN_EXCLUDED)
    return f" Excluded (no result yet): {shown}; they could change this." if lost else ""
