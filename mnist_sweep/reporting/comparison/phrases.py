"""The words of a comparison: the verdict on top, its limits, and why times do not compare."""

from __future__ import annotations

from mnist_sweep.analysis.compare import Pair, VerdictKind
from mnist_sweep.analysis.compare.changes import Change, Evidence
from mnist_sweep.metrics import Format, Metric
from mnist_sweep.reporting.escape import listed
from mnist_sweep.reporting.numbers import setting
from mnist_sweep.reporting.phrases.values import brackets, counted, margin, metric_title
from mnist_sweep.reporting.tables.rows import classes_of

MAX_NAMED = 4
SEEDS = "Repeat each configuration with other seeds (seed=0,1,2)"
_VERDICTS = {
    VerdictKind.NOTHING_SHARED: (
        "{first} and {second} share no configuration, so no metric can be compared one to one."
    ),
    VerdictKind.IDENTICAL: "No difference: the same predictions in {shared}{images}.",
    VerdictKind.NOISE: (
        "No difference beyond noise: none of {n_tests} changes is significant after Holm's "
        "correction; the largest is {metric} {size}{place}.{equivalence}"
    ),
    VerdictKind.UNTESTED: (
        "Observed in one run each: {metric} {size}{seen}. This does not show whether the "
        f"configurations differ. {SEEDS}."
    ),
    VerdictKind.BETTER: "{second} is better than {first}: {changed}{classes}.",
    VerdictKind.WORSE: "{second} is worse than {first}: {changed}{classes}.",
    VerdictKind.MIXED: (
        "{second} is better than {first} in some and worse in others: {changed}{classes}."
    ),
}


def verdict_sentence(pair: Pair) -> str:
    """What happened to the second side, in a sentence."""
    verdict, count = pair.verdict, len(pair.changes)
    change = verdict.change
    shared = counted(count, "shared configuration")
    found = metric_of(pair, change) if change else None
    metric = metric_title(found) if found else pair.first.split or ""
    size = change_words(change, found) if change and found else ""
    by = "by up to" if verdict.n_changed > 1 else "by"
    place = f" ({verdict.configuration})" if count > 1 else ""
    flips = pair.changes[0].flips if pair.changes else None
    seen = ""
    if change and count > 1:
        word = "equal" if not change.change else "higher" if change.change > 0 else "lower"
        seen = f" on average, {word} in {verdict.n_changed} of {shared}"
    return _VERDICTS[verdict.kind].format(
        first=pair.first.name,
        second=pair.second.name,
        shared=shared,
        images=f" for each of the {flips.images:,} {pair.first.split} examples" if flips else "",
        n_tests=verdict.n_tests,
        metric=metric,
        size=size,
        place=place,
        seen=seen,
        equivalence=_equivalence(pair),
        changed=f"{metric} changed in {verdict.n_changed} of {shared}, {by} {size}{place}",
        classes=_classes(pair),
    )


def caveats(pair: Pair) -> list[str]:
    """What limits the verdict."""
    found = []
    evidence = {one.evidence for one in pair.changes}
    if Evidence.OTHER_IMAGES in evidence:
        found.append(
            "The sides were evaluated on different examples, so changes also reflect these, "
            "and predictions cannot be compared example by example."
        )
    if Evidence.VALUES in evidence:
        reasons = [one.reason for one in pair.changes if one.reason]
        why = min(reasons) if reasons else "there are none."  # one of several will do
        found.append(f"Predictions could not be compared example by example: {why}")
    single = any(one.n_runs == (1, 1) and not one.identical for one in pair.changes)
    if single and evidence != {Evidence.VALUES}:
        found.append(
            "For configurations with one run on each side, the intervals cover examples, not seeds."
        )
    for side in (pair.first, pair.second):
        if side.without_result:
            count, first = counted(len(side.without_result), "run"), side.without_result[0]
            which = "" if len(side.without_result) == 1 else "the first "
            found.append(
                f"{side.name}: {count} without a complete result, {which}{first.label}: "
                f"{first.reason.rstrip('.')}."
            )
    return found


def metric_of(pair: Pair, change: Change) -> Metric:
    """The metric that has changed."""
    return next(one for one in pair.first.metrics if one.name == change.metric)


def scale(metric: Metric) -> tuple[int, int]:
    """By what a metric's values are multiplied to be shown, and to how many decimals."""
    return (100, 2) if metric.format is Format.PERCENT else (1, 4)


def signed(value: float, decimals: int = 4) -> str:
    """A difference that does not look like none: '+0.0124', '-1.2e-05', '0'."""
    if not value:
        return "0"
    return f"{value:+.{decimals}f}" if abs(value) >= 0.5 / 10**decimals else f"{value:+.1e}"


def change_words(change: Change, metric: Metric) -> str:
    """A change with its interval: -2.13 points [-2.50, -1.76]."""
    factor, decimals = scale(metric)
    text = signed(factor * change.change, decimals) + " points" * (factor != 1)
    if change.low is None or change.high is None:
        return text
    return f"{text} {brackets(metric, change.low, change.high)}"


def time_reasons(pair: Pair) -> list[str]:
    """Why times do not compare; empty if they do."""
    found = []
    for one in pair.machine:
        first, second = (", ".join(map(setting, values)) for values in one.by_side)
        found.append(f"{one.name} {first} against {second}")
    for side, busy in zip((pair.first, pair.second), pair.busy, strict=True):
        if busy:
            found.append(
                f"the machine was busy with other work during {busy} of {len(side.runs)} runs of "
                f"{side.name}"
            )
    return found


def _equivalence(pair: Pair) -> str:
    if pair.verdict.change is None or pair.verdict.change.p_equivalent is None:
        return ""
    within = f"within {margin(pair.first.metrics[0], pair.first.margin)}"
    if pair.verdict.equivalent:
        return f" Equivalent {within}."
    return f" Whether they are equivalent {within} is undecided."


def _classes(pair: Pair) -> str:
    """The classes that changed most, each with the mean of its significant changes."""
    changed = pair.verdict.digits
    if not changed:
        return ""
    classes = classes_of(pair.first.runs)
    words = [f"{classes.name(label)} ({change:+.3f})" for label, change in changed]
    return f"; F1 by {classes.word} changed most for {listed(words, MAX_NAMED, ', ')}"
